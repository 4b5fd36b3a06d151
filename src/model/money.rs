//! Money and tokens are integers: a cap that is compared in floating point is not a cap.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Billionths of a US dollar. Sums saturate: an overflow reads as "too much", never as little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in dollars, rounded to the nearest billionth; `None` if negative, not finite or above 10^9 dollars.
    #[must_use]
    pub fn from_usd(usd: f64) -> Option<Self> {
        if !(0.0..=1e9).contains(&usd) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        Some(Self((usd * 1e9).round() as u64))
    }

    /// The amount in dollars, for display and reports only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "display and reports only")]
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// What is left after `other`, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usd = self.usd();
        if self.0 != 0 && usd < 0.01 { write!(f, "${usd:.6}") } else { write!(f, "${usd:.2}") }
    }
}

/// What a model costs, in nano-dollars per token (one dollar per million tokens is 1,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens that were not served from the provider's cache.
    pub input: u64,
    /// Prompt tokens served from the provider's cache.
    pub cached: u64,
    /// Completion tokens, reasoning included.
    pub output: u64,
    /// What a request with a long prompt costs instead, if that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<LongPrice>,
}

/// What all tokens of a request cost whose prompt is long, in nano-dollars per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongPrice {
    /// A prompt is long above this many tokens.
    pub above: u64,
    /// See [`Price::input`].
    pub input: u64,
    /// See [`Price::cached`].
    pub cached: u64,
    /// See [`Price::output`].
    pub output: u64,
}

impl Price {
    /// The price of a local model.
    pub const FREE: Self = Self::flat(0, 0, 0);

    /// One price for prompts of any length.
    #[must_use]
    pub const fn flat(input: u64, cached: u64, output: u64) -> Self {
        Self { input, cached, output, long: None }
    }

    /// The cost of one request with this usage.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        self.at(usage.prompt_tokens).sum(usage)
    }

    /// The cost of `requests` requests with this usage in all, each taken to be as long as the mean.
    #[must_use]
    pub fn cost_of_many(&self, requests: u64, usage: &Usage) -> NanoUsd {
        self.at(usage.prompt_tokens.div_ceil(requests.max(1))).sum(usage)
    }

    /// The most that a request can cost with at most so many prompt and completion tokens, however many of them the
    /// provider serves from its cache.
    #[must_use]
    pub fn bound(&self, prompt_tokens: u64, completion_tokens: u64) -> NanoUsd {
        let usage = Usage { prompt_tokens, completion_tokens, ..Usage::default() };
        // Dearer cached tokens and cheaper long prompts exist only in mistyped prices; the bound holds all the same.
        let dearest = |price: Self| Self::flat(price.input.max(price.cached), 0, price.output).sum(&usage);
        dearest(*self).max(dearest(self.at(prompt_tokens)))
    }

    /// The price of a request with a prompt of this length.
    fn at(self, prompt_tokens: u64) -> Self {
        match self.long {
            Some(LongPrice { above, input, cached, output }) if prompt_tokens > above => {
                Self::flat(input, cached, output)
            }
            Some(_) | None => self,
        }
    }

    fn sum(self, usage: &Usage) -> NanoUsd {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let fresh = usage.prompt_tokens - cached;
        // Reasoning is part of the completion; a server that says otherwise is not believed to give it away.
        let output = usage.completion_tokens.max(usage.reasoning_tokens);
        let parts = [(fresh, self.input), (cached, self.cached), (output, self.output)];
        parts.into_iter().map(|(tokens, price)| NanoUsd(tokens.saturating_mul(price))).sum()
    }
}

/// Tokens that one reply was billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All prompt tokens, cached ones included.
    pub prompt_tokens: u64,
    /// Prompt tokens that the provider served from its own prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// All completion tokens, reasoning included.
    pub completion_tokens: u64,
    /// Completion tokens that were reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_priced_apart_and_never_twice() {
        let price = Price::flat(250, 25, 2_000);
        let usage = Usage { prompt_tokens: 1_000, cached_tokens: 400, completion_tokens: 10, reasoning_tokens: 4 };
        assert_eq!(price.cost(&usage), NanoUsd(600 * 250 + 400 * 25 + 10 * 2_000));
        let thoughtful = Usage { completion_tokens: 4, reasoning_tokens: 10, ..usage };
        assert_eq!(price.cost(&thoughtful), price.cost(&usage), "reasoning costs as much as the answer");
        let odd = Usage { prompt_tokens: 1, cached_tokens: 9, ..Usage::default() };
        assert_eq!(price.cost(&odd), NanoUsd(25));
    }

    #[test]
    fn a_long_prompt_makes_its_whole_request_dearer() {
        let long = LongPrice { above: 200_000, input: 500, cached: 50, output: 3_000 };
        let price = Price { long: Some(long), ..Price::flat(250, 25, 2_000) };
        let usage = |prompt_tokens| Usage { prompt_tokens, completion_tokens: 10, ..Usage::default() };
        assert_eq!(price.cost(&usage(200_000)), NanoUsd(200_000 * 250 + 10 * 2_000));
        assert_eq!(price.cost(&usage(200_001)), NanoUsd(200_001 * 500 + 10 * 3_000));
        assert_eq!(price.cost_of_many(10, &usage(1_000_000)), NanoUsd(1_000_000 * 250 + 10 * 2_000));
    }

    proptest::proptest! {
        #[test]
        fn nothing_costs_more_than_its_bound(
            base in proptest::array::uniform3(0..5_000_u64), long in proptest::array::uniform3(0..5_000_u64),
            above in 0..2_000_u64, most in proptest::array::uniform2(0..4_000_u64),
            part in proptest::array::uniform3(0.0..=1.0_f64),
        ) {
            let long = LongPrice { above, input: long[0], cached: long[1], output: long[2] };
            let price = Price { long: Some(long), ..Price::flat(base[0], base[1], base[2]) };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
            let share = |whole: u64, part: f64| (whole as f64 * part) as u64;
            let prompt_tokens = share(most[0], part[0]);
            let usage = Usage {
                prompt_tokens,
                cached_tokens: share(prompt_tokens, part[1]),
                completion_tokens: share(most[1], part[2]),
                reasoning_tokens: 0,
            };
            proptest::prop_assert!(price.cost(&usage) <= price.bound(most[0], most[1]), "{price:?} {usage:?}");
        }
    }

    #[test]
    fn dollars_are_checked() {
        assert_eq!(NanoUsd::from_usd(0.25), Some(NanoUsd(250_000_000)));
        assert_eq!(NanoUsd::from_usd(-1.0), None);
        assert_eq!(NanoUsd::from_usd(f64::NAN), None);
        assert_eq!(NanoUsd(u64::MAX) + NanoUsd(1), NanoUsd(u64::MAX));
        assert_eq!(NanoUsd(1_234).to_string(), "$0.000001");
    }
}

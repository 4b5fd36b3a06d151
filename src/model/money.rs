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
}

impl Price {
    /// The price of a local model.
    pub const FREE: Self = Self { input: 0, cached: 0, output: 0 };

    /// The cost of this usage.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
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
        let price = Price { input: 250, cached: 25, output: 2_000 };
        let usage = Usage { prompt_tokens: 1_000, cached_tokens: 400, completion_tokens: 10, reasoning_tokens: 4 };
        assert_eq!(price.cost(&usage), NanoUsd(600 * 250 + 400 * 25 + 10 * 2_000));
        let thoughtful = Usage { completion_tokens: 4, reasoning_tokens: 10, ..usage };
        assert_eq!(price.cost(&thoughtful), price.cost(&usage), "reasoning costs as much as the answer");
        let odd = Usage { prompt_tokens: 1, cached_tokens: 9, ..Usage::default() };
        assert_eq!(price.cost(&odd), NanoUsd(25));
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

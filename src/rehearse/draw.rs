//! Where chance comes from: hashes of what is being decided, never a clock or a shared generator.

use std::fmt;

use serde::Deserialize;

use crate::model::hash::PartHasher;

/// A probability: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Deserialize)]
#[serde(try_from = "f64")]
pub struct Probability(f64);

/// The number was below 0, above 1 or not a number.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("`{0}` is not a probability from 0 to 1")]
pub struct NotAProbability(f64);

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0.0);
    /// Always.
    pub const ALWAYS: Self = Self(1.0);

    /// The probability with this value.
    ///
    /// # Errors
    /// If the value is not from 0 to 1.
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NotAProbability(value)) }
    }

    /// The probability with a value that stands in the code: checked when that is compiled.
    pub(super) const fn literal(value: f64) -> Self {
        assert!(value >= 0.0 && value <= 1.0);
        Self(value)
    }

    /// The value, from 0 to 1.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// The probability of the opposite.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(1.0 - self.0)
    }
}

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(value: f64) -> Result<Self, NotAProbability> {
        Self::new(value)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The decisions about one subject. Each has a name, and none depends on which others were taken before.
#[derive(Clone)]
pub(super) struct Draws(PartHasher);

impl Draws {
    /// The decisions about what `parts` name.
    pub(super) fn about(seed: u64, parts: &[&[u8]]) -> Self {
        let mut hasher = PartHasher::new("rehearsal");
        hasher.number(seed);
        for part in parts {
            hasher.part(part);
        }
        Self(hasher)
    }

    /// A uniform 64-bit number.
    pub(super) fn bits(&self, decision: &str) -> u64 {
        self.0.clone().part(decision.as_bytes()).finish().leading_u64()
    }

    /// A uniform number from 0 up to but excluding 1.
    pub(super) fn unit(&self, decision: &str) -> f64 {
        unit(self.bits(decision))
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&self, decision: &str, probability: Probability) -> bool {
        self.unit(decision) < probability.0
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn between(&self, decision: &str, low: u64, high: u64) -> u64 {
        low + scale(self.bits(decision), high.saturating_sub(low).saturating_add(1))
    }

    /// One of `options`, if there is any.
    pub(super) fn pick<'a, T>(&self, decision: &str, options: &'a [T]) -> Option<&'a T> {
        options.get(index(self.bits(decision), options.len()))
    }

    /// A sequence of its own for what needs many draws in a fixed order.
    pub(super) fn dice(&self) -> Dice {
        Dice(self.bits("dice"))
    }
}

/// A sequence of draws: `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014).
pub(super) struct Dice(u64);

impl Dice {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: Probability) -> bool {
        unit(self.bits()) < probability.0
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + scale(self.bits(), high.saturating_sub(low).saturating_add(1))
    }

    /// A position below `length`, which is not 0.
    pub(super) fn index(&mut self, length: usize) -> usize {
        index(self.bits(), length)
    }

    /// One of `options`, of which there is at least one.
    pub(super) fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        &options[self.index(options.len())]
    }

    /// One of `words`, of which there is at least one.
    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.index(words.len())]
    }

    /// Puts `order` in a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, order: &mut [T]) {
        for last in (1..order.len()).rev() {
            order.swap(last, self.index(last + 1));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Maps 64 uniform bits to a number below `bound`; the bias is below 2^-32 for the small bounds used here.
fn scale(bits: u64, bound: u64) -> u64 {
    let product = u128::from(bits) * u128::from(bound);
    u64::try_from(product >> 64).expect("a 128-bit product shifted by 64 fits 64 bits")
}

fn index(bits: u64, length: usize) -> usize {
    usize::try_from(scale(bits, length as u64)).expect("an index below a length fits usize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_checked() {
        assert_eq!(Probability::new(0.25).map(Probability::value), Ok(0.25));
        for wrong in [-0.1, 1.1, f64::INFINITY] {
            assert_eq!(Probability::new(wrong), Err(NotAProbability(wrong)));
        }
        assert!(Probability::new(f64::NAN).is_err());
    }

    #[test]
    fn draws_depend_on_subject_and_decision_only() {
        let draws = Draws::about(7, &[b"model", b"key"]);
        assert_eq!(draws.bits("a"), Draws::about(7, &[b"model", b"key"]).bits("a"));
        assert_ne!(draws.bits("a"), draws.bits("b"));
        assert_ne!(draws.bits("a"), Draws::about(8, &[b"model", b"key"]).bits("a"));
        assert_ne!(draws.bits("a"), Draws::about(7, &[b"mode", b"lkey"]).bits("a"));
    }

    #[test]
    fn draws_are_uniform() {
        let mut dice = Draws::about(1, &[]).dice();
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(dice.between(0, 9)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
        assert!(!dice.happens(Probability::NEVER) && dice.happens(Probability::ALWAYS));
    }
}

//! Draws by permanent random numbers: who is graded, and which of the graded people read.

use serde::{Deserialize, Serialize};

use super::hash::{Digest, PartHasher};

/// How much of a set of units is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleSize {
    /// Every unit.
    All,
    /// This many units, or all if there are fewer.
    Count(u64),
    /// Each unit with this probability.
    Rate(f64),
}

impl SampleSize {
    /// Whether no unit can be drawn.
    #[must_use]
    pub fn is_none(self) -> bool {
        match self {
            Self::All => false,
            Self::Count(units) => units == 0,
            Self::Rate(rate) => below(rate) == 0,
        }
    }
}

/// The permanent random number of a unit, uniform over all of `u64`.
///
/// `purpose` keeps the draws of different stages independent (`"grade"`, `"review"`); `draw` counts from 1.
#[must_use]
pub fn draw_number(seed: u64, purpose: &str, draw: u32, key: &Digest) -> u64 {
    let mut hasher = PartHasher::new("draw");
    hasher.number(seed).part(purpose.as_bytes()).number(u64::from(draw)).part(key.as_bytes());
    hasher.finish().leading_u64()
}

/// Whether a sample of this size can contain a unit with the number `u`, whatever the other units are.
///
/// Final for `All` and `Rate`. A `Count` of at least one can contain any unit; which ones it does contain depends on the
/// others.
#[must_use]
pub fn wants(size: SampleSize, u: u64) -> bool {
    match size {
        SampleSize::All => true,
        SampleSize::Count(units) => units > 0,
        SampleSize::Rate(rate) => u128::from(u) < below(rate),
    }
}

/// How many numbers are below `rate`: a rate of 1 wants them all, so this needs one bit more than a `u64` has.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and NaN becomes 0")]
fn below(rate: f64) -> u128 {
    (rate * 18_446_744_073_709_551_616.0) as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_seed_purpose_draw_and_key() {
        let (key, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let number = draw_number(1, "grade", 1, &key);
        // Samples of earlier releases stay what they were: this number may never change.
        assert_eq!(number, 171_244_286_231_591_038);
        let others = [
            draw_number(2, "grade", 1, &key),
            draw_number(1, "review", 1, &key),
            draw_number(1, "grade", 2, &key),
            draw_number(1, "grade", 1, &other),
        ];
        assert!(others.iter().all(|other| *other != number));
    }

    #[test]
    fn rates_reach_from_nothing_to_everything() {
        assert!(wants(SampleSize::Rate(1.0), u64::MAX));
        assert!(!wants(SampleSize::Rate(0.0), 0));
        assert!(!wants(SampleSize::Rate(f64::NAN), 0));
        assert!(wants(SampleSize::Rate(0.5), u64::MAX / 2));
        assert!(!wants(SampleSize::Rate(0.5), u64::MAX / 2 + 1));
        assert!(!wants(SampleSize::Count(0), 0));
        let none = [SampleSize::Count(0), SampleSize::Rate(0.0), SampleSize::Rate(f64::NAN)];
        assert!(none.into_iter().all(SampleSize::is_none));
        assert!(![SampleSize::All, SampleSize::Count(1), SampleSize::Rate(0.1)].into_iter().any(SampleSize::is_none));
    }
}

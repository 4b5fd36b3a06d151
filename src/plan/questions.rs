//! Questions about sample sizes that need no corpus.

use crate::estimate::detect::{Chance, units_per_group, units_to_detect_one};
use crate::model::rate::Level;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// How many units, for one that shows a behaviour of this rate to be among them?
    Detect(Chance),
    /// How many units without one, to say that the rate is at most this?
    AtMost(Chance),
    /// How many units of each of two groups, to show that the rate of one is so many times `base`, the other's?
    Fold {
        /// How many times.
        fold: f64,
        /// The lower of the two rates.
        base: Chance,
    },
}

/// An answer: units and, where they depend on it, the power that they have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Units; absent if there would have to be more than anybody has.
    pub units: Option<u64>,
    /// The probability that the difference is shown.
    pub power: Option<f64>,
}

/// Powers that two groups are sized for.
pub const POWERS: [f64; 2] = [0.8, 0.5];

impl Question {
    /// The question about a fold change, if the fold is above 1 and the higher rate below 1.
    #[must_use]
    pub fn fold(fold: f64, base: Chance) -> Option<Self> {
        (fold > 1.0 && Chance::new(fold * base.get()).is_some()).then_some(Self::Fold { fold, base })
    }

    /// The answer, at a confidence level. A fold takes tens of milliseconds.
    #[must_use]
    pub fn answer(self, level: Level) -> Vec<Answer> {
        match self {
            Self::Detect(rate) | Self::AtMost(rate) => {
                vec![Answer { units: units_to_detect_one(rate, level), power: None }]
            }
            Self::Fold { fold, base } => {
                let of = |power: f64| {
                    let higher = Chance::new(fold * base.get())?;
                    units_per_group(higher, base, level, Chance::new(power)?)
                };
                POWERS.map(|power| Answer { units: of(power), power: Some(power) }).to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(rate: f64) -> Chance {
        Chance::new(rate).unwrap()
    }

    fn units(question: Question) -> Vec<Option<u64>> {
        question.answer(Level::new(0.95).unwrap()).into_iter().map(|answer| answer.units).collect()
    }

    #[test]
    fn the_published_numbers_come_out() {
        assert_eq!(units(Question::Detect(chance(1e-4))), [Some(29_956)]);
        assert_eq!(units(Question::AtMost(chance(1e-3))), [Some(2_995)]);
    }

    #[test]
    fn a_fold_takes_fewer_units_at_less_power_and_for_larger_folds() {
        let of = |fold| units(Question::fold(fold, chance(2e-4)).unwrap());
        let (half, double) = (of(1.5), of(2.0));
        assert!(half[0] > half[1] && half[0] > double[0] && double[1].is_some(), "{half:?} {double:?}");
    }

    #[test]
    fn what_is_no_fold_is_no_question() {
        for fold in [1.0, 0.5, f64::NAN, 5_000.0] {
            assert_eq!(Question::fold(fold, chance(2e-4)), None, "{fold}");
        }
    }
}

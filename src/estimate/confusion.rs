//! A grader against units whose truth is known: sensitivity, specificity, precision, F1, and whether it tells anything.
//!
//! Sensitivity and specificity speak of the grader as far as the labelled units are like those of the traffic. Precision, F1
//! and accuracy also depend on how many of the labelled units are positive.

use super::agreement::{SpecificAgreement, Table};
use super::interval::{Limits, Share, clopper_pearson};
use super::number::float;
use super::sensitivity::Sensitivity;
use super::support::Unsupported;
use crate::model::rate::Level;

/// Units whose truth is known and that a grader decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// Positives that it says yes to.
    pub detected: u64,
    /// Positives that it says no to.
    pub missed: u64,
    /// Negatives that it says yes to.
    pub false_alarms: u64,
    /// Negatives that it says no to.
    pub cleared: u64,
}

/// A mean of two shares with its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balanced {
    /// The mean, 0 to 1; one half is what guessing gives.
    pub estimate: f64,
    /// Its limits.
    pub limits: Limits,
}

impl Confusion {
    /// Counts what is true and what the grader says.
    #[must_use]
    pub fn of(units: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for (is_positive, says_yes) in units {
            let cell = match (is_positive, says_yes) {
                (true, true) => &mut counts.detected,
                (true, false) => &mut counts.missed,
                (false, true) => &mut counts.false_alarms,
                (false, false) => &mut counts.cleared,
            };
            *cell += 1;
        }
        counts
    }

    /// Units that are truly positive.
    #[must_use]
    pub const fn positives(self) -> u64 {
        self.detected + self.missed
    }

    /// Units that are not.
    #[must_use]
    pub const fn negatives(self) -> u64 {
        self.false_alarms + self.cleared
    }

    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.positives() + self.negatives()
    }

    /// Of the positives, those detected.
    #[must_use]
    pub const fn sensitivity(self) -> Option<Share> {
        Share::new(self.detected, self.positives())
    }

    /// Of the negatives, those cleared.
    #[must_use]
    pub const fn specificity(self) -> Option<Share> {
        Share::new(self.cleared, self.negatives())
    }

    /// Of what the grader says yes to, the positives.
    #[must_use]
    pub const fn precision(self) -> Option<Share> {
        Share::new(self.detected, self.detected + self.false_alarms)
    }

    /// Of all, those that the grader is right about.
    #[must_use]
    pub const fn accuracy(self) -> Option<Share> {
        Share::new(self.detected + self.cleared, self.total())
    }

    /// Truth and grader as a table: no before yes, truth in the rows.
    #[must_use]
    pub fn table(self) -> Option<Table> {
        Table::new(vec![vec![self.cleared, self.false_alarms], vec![self.missed, self.detected]])
    }

    /// F1, the harmonic mean of precision and sensitivity: the agreement of grader and truth on yes, with its exact limits.
    #[must_use]
    pub fn f1(self) -> Option<SpecificAgreement> {
        self.table()?.agreement_on(1)
    }

    /// The mean of sensitivity and specificity. Its limits are those of the two at half the error each, so that they
    /// cover at least as often as `level` says.
    #[must_use]
    pub fn balanced_accuracy(self, level: Level) -> Option<Balanced> {
        let (sensitivity, specificity) = self.sensitivity().zip(self.specificity())?;
        let shared = Level::new(1.0 - level.alpha() / 2.0)?;
        let (one, other) = (clopper_pearson(sensitivity, shared), clopper_pearson(specificity, shared));
        let mean = |one: f64, other: f64| f64::midpoint(one, other);
        Some(Balanced {
            estimate: mean(sensitivity.estimate(), specificity.estimate()),
            limits: Limits { lower: mean(one.lower, other.lower), upper: mean(one.upper, other.upper) },
        })
    }

    /// Whether the grader tells positives from negatives: the lower limit of its sensitivity is above the upper limit of
    /// the share of negatives that it says yes to. None without a positive or without a negative.
    ///
    /// # Errors
    /// [`Unsupported::Uninformative`] if it may be guessing, or worse.
    #[must_use]
    pub fn informative(self, level: Level) -> Option<Result<(), Unsupported>> {
        let sensitivity = Sensitivity::new(self.detected, self.positives())?;
        if self.negatives() == 0 {
            return None;
        }
        Some(sensitivity.informative(float(self.false_alarms), float(self.negatives()), level))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level() -> Level {
        Level::new(0.95).unwrap()
    }

    fn counts() -> impl Strategy<Value = Confusion> {
        (0..60_u64, 0..60_u64, 0..600_u64, 0..600_u64).prop_map(|(detected, missed, false_alarms, cleared)| Confusion {
            detected,
            missed,
            false_alarms,
            cleared,
        })
    }

    #[test]
    fn the_four_figures_of_a_worked_example() {
        // Altman and Bland, BMJ 308, 1994: 231 of 258 abnormal and 54 of 86 normal livers were scanned right.
        let scan = Confusion { detected: 231, missed: 27, false_alarms: 32, cleared: 54 };
        let near = |share: Option<Share>, wanted: f64| (share.unwrap().estimate() - wanted).abs() < 0.005;
        assert!(near(scan.sensitivity(), 0.90) && near(scan.specificity(), 0.63), "{scan:?}");
        assert!(near(scan.precision(), 0.88) && near(scan.accuracy(), 0.83), "{scan:?}");
        assert!((scan.f1().unwrap().estimate() - 2.0 * 231.0 / (2.0 * 231.0 + 27.0 + 32.0)).abs() < 1e-12);
        assert_eq!(scan.informative(level()), Some(Ok(())));
    }

    #[test]
    fn who_guesses_or_lies_is_uninformative_and_who_was_not_asked_is_unknown() {
        let guess = Confusion { detected: 50, missed: 50, false_alarms: 50, cleared: 50 };
        let liar = Confusion { detected: 10, missed: 90, false_alarms: 90, cleared: 10 };
        let silent = Confusion { detected: 0, missed: 5, false_alarms: 0, cleared: 500 };
        let single = Confusion { detected: 1, missed: 0, false_alarms: 0, cleared: 1 };
        for counts in [guess, liar, silent, single] {
            let found = counts.informative(level());
            assert!(matches!(found, Some(Err(Unsupported::Uninformative { .. }))), "{counts:?}: {found:?}");
        }
        let one_sided = Confusion { detected: 9, ..Confusion::default() };
        assert_eq!((one_sided.informative(level()), one_sided.balanced_accuracy(level())), (None, None));
        assert_eq!((one_sided.specificity(), Confusion::default().accuracy()), (None, None));
    }

    proptest! {
        #[test]
        fn other_names_for_yes_and_no_swap_sensitivity_and_specificity(counts in counts()) {
            let swapped = Confusion {
                detected: counts.cleared,
                missed: counts.false_alarms,
                false_alarms: counts.missed,
                cleared: counts.detected,
            };
            prop_assert_eq!(counts.sensitivity(), swapped.specificity());
            prop_assert_eq!(counts.specificity(), swapped.sensitivity());
            prop_assert_eq!(counts.accuracy(), swapped.accuracy());
            let [one, other] = [counts, swapped].map(|counts| counts.balanced_accuracy(level()));
            prop_assert_eq!(one.is_some(), other.is_some());
            if let Some((one, other)) = one.zip(other) {
                prop_assert!((one.estimate - other.estimate).abs() < 1e-12);
                prop_assert!(one.limits.lower <= one.estimate && one.estimate <= one.limits.upper, "{:?}", one);
            }
        }

        #[test]
        fn every_unit_is_in_one_cell(units in prop::collection::vec(any::<(bool, bool)>(), 0..200)) {
            let counts = Confusion::of(units.iter().copied());
            prop_assert_eq!(counts.total(), units.len() as u64);
            let positives = units.iter().filter(|(is_positive, _)| *is_positive).count() as u64;
            prop_assert_eq!(counts.positives(), positives);
        }

        #[test]
        fn f1_is_the_harmonic_mean(counts in counts()) {
            let both = counts.precision().zip(counts.sensitivity());
            if let Some((precision, sensitivity)) = both.filter(|_| counts.detected > 0) {
                let (p, s) = (precision.estimate(), sensitivity.estimate());
                let f1 = counts.f1().unwrap();
                prop_assert!((f1.estimate() - 2.0 * p * s / (p + s)).abs() < 1e-12);
                let limits = f1.limits(level());
                prop_assert!(limits.lower <= f1.estimate() && f1.estimate() <= limits.upper);
            }
        }

        #[test]
        fn nobody_below_chance_is_informative(counts in counts()) {
            let below = counts.balanced_accuracy(level()).is_some_and(|balanced| balanced.estimate <= 0.5);
            prop_assert!(!below || matches!(counts.informative(level()), Some(Err(_))), "{:?}", counts);
        }
    }
}

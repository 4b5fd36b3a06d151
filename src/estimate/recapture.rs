//! Two detectors over the same units: how many events both of them missed, as a diagnostic.
//!
//! It speaks only of events that some detector could have found, and it holds only if the detectors err independently.
//! They never do: what is hard for one is hard for the other, so the estimate is a lower bound of the total, and the
//! recall an upper one. No report headlines it.

use super::interval::{Limits, two_sided_z};
use crate::model::rate::Level;

/// Events found by two detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    one: u64,
    other: u64,
    both: u64,
}

impl Found {
    /// `one` found by the first detector, `other` by the second, `both` of them by both; `None` if `both` is more than
    /// either.
    #[must_use]
    pub const fn new(one: u64, other: u64, both: u64) -> Option<Self> {
        if both > one || both > other { None } else { Some(Self { one, other, both }) }
    }
}

/// What two detectors say about the total. Numbers of events, except for the two recalls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recapture {
    /// D. G. Chapman's estimate (University of California Publications in Statistics 1, 1951), defined also without
    /// an event that both found.
    pub total: f64,
    /// Its standard error (G. A. F. Seber, Biometrics 26, 1970).
    pub standard_error: f64,
    /// Limits that treat the missed events as log-normal (A. Chao, Biometrics 43, 1987): never below what was found.
    pub limits: Limits,
    /// The estimate without Chapman's correction, if an event was found by both.
    pub lincoln_petersen: Option<f64>,
    /// The share of the second detector's events that the first one found, if there are any.
    pub recall_of_one: Option<f64>,
    /// The share of the first detector's events that the second one found, if there are any.
    pub recall_of_other: Option<f64>,
}

/// The total behind what two independent detectors found.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn recapture(found: Found, level: Level) -> Recapture {
    let (one, other, both) = (found.one as f64, found.other as f64, found.both as f64);
    let (only_one, only_other) = (one - both, other - both);
    let seen = only_one + other;
    let missed = only_one * only_other / (both + 1.0);
    let variance = (one + 1.0) * (other + 1.0) / (both + 1.0) * only_one * only_other / ((both + 1.0) * (both + 2.0));
    let quotient = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    Recapture {
        total: seen + missed,
        standard_error: variance.sqrt(),
        limits: log_normal(seen, missed, variance, level),
        lincoln_petersen: quotient(one * other, both),
        recall_of_one: quotient(both, other),
        recall_of_other: quotient(both, one),
    }
}

fn log_normal(seen: f64, missed: f64, variance: f64, level: Level) -> Limits {
    if missed <= 0.0 {
        return Limits { lower: seen, upper: seen };
    }
    let z = two_sided_z(level);
    let spread = (z * (variance / (missed * missed)).ln_1p().sqrt()).exp();
    Limits { lower: seen + missed / spread, upper: seen + missed * spread }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, numbers};

    #[test]
    fn two_detectors_agree_with_the_golden_values() {
        golden::check("capture_recapture_chapman", |input, expected| {
            let whole = |name: &str| input[name].as_u64().unwrap();
            let found = Found::new(whole("found_by_a"), whole("found_by_b"), whole("found_by_both")).unwrap();
            let level = Level::new(input["level"].as_f64().unwrap()).unwrap();
            let said = recapture(found, level);
            let log_normal = numbers(&expected["log_normal"]);
            let mut pairs = vec![(said.limits.lower, log_normal[0]), (said.limits.upper, log_normal[1])];
            let named = [
                (said.total, "chapman"),
                (said.standard_error, "se"),
                (said.lincoln_petersen.unwrap(), "lincoln_petersen"),
                (said.recall_of_one.unwrap(), "recall_a"),
                (said.recall_of_other.unwrap(), "recall_b"),
            ];
            pairs.extend(named.map(|(found, name)| (found, expected[name].as_f64().unwrap())));
            pairs
        });
    }

    #[test]
    fn nothing_in_common_is_a_number_and_more_in_common_than_there_is_none() {
        assert_eq!(Found::new(3, 1, 2), None);
        let level = Level::new(0.95).unwrap();
        let apart = recapture(Found::new(4, 3, 0).unwrap(), level);
        assert_eq!((apart.lincoln_petersen, apart.recall_of_one, apart.recall_of_other), (None, Some(0.0), Some(0.0)));
        assert!((apart.total - 19.0).abs() < 1e-12, "{apart:?}");
        let none = recapture(Found::new(0, 0, 0).unwrap(), level);
        assert_eq!((none.recall_of_one, none.limits), (None, Limits { lower: 0.0, upper: 0.0 }));
    }

    proptest! {
        #[test]
        fn totals_are_at_least_what_was_seen(both in 0..10_000_u64, only_one in 0..10_000_u64, only_other in 0..10_000_u64, wide in 0.5..0.999_f64) {
            let found = Found::new(both + only_one, both + only_other, both).unwrap();
            let outer = recapture(found, Level::new(wide).unwrap());
            let inner = recapture(found, Level::new(wide * 0.9).unwrap());
            let seen = f64::from(u32::try_from(both + only_one + only_other).unwrap());
            prop_assert!(seen <= outer.limits.lower && outer.limits.lower <= inner.limits.lower);
            prop_assert!(inner.limits.lower <= outer.total && outer.total <= inner.limits.upper);
            prop_assert!(inner.limits.upper <= outer.limits.upper && outer.limits.upper.is_finite());
        }
    }
}

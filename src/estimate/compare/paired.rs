//! The same units graded twice: under two prompts, graders or definitions. On units that a prefilter chose it speaks
//! of those units only.

use crate::estimate::binomial::Binomial;

/// Units by two verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired {
    /// Positive both times.
    pub both: u64,
    /// Positive the first time only.
    pub first_only: u64,
    /// Positive the second time only.
    pub second_only: u64,
    /// Positive neither time.
    pub neither: u64,
}

/// What two gradings of the same units differ by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The exact two-sided p-value of no change (Q. McNemar, Psychometrika 12, 1947): at most alpha is missed.
    pub exact_p: f64,
    /// The mid-p-value, which misses alpha on average (M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research
    /// Methodology 13, 2013).
    pub mid_p: f64,
    /// The share that was positive the first time, minus the share the second time.
    pub difference: f64,
    /// The difference's standard error (Wald), which at few discordant units is too small and at none is 0: the
    /// p-values decide.
    pub standard_error: f64,
}

/// McNemar's test; both p-values are 1 where the two gradings never differ.
///
/// `None` without a unit.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn mcnemar(paired: Paired) -> Option<Change> {
    let Paired { both, first_only, second_only, neither } = paired;
    let (discordant, fewer) = (first_only + second_only, first_only.min(second_only));
    let n = (both + neither + discordant) as f64;
    if n <= 0.0 {
        return None;
    }
    let fair = Binomial::in_proportion(discordant, 1.0, 1.0);
    let tail = 2.0 * fair.at_most(fewer);
    let mid_p = if discordant == 0 { 1.0 } else { (tail - fair.ln_exactly(fewer).exp()).min(1.0) };
    let (gained, lost) = (first_only as f64, second_only as f64);
    let difference = (gained - lost) / n;
    let square = (gained + lost - (gained - lost) * difference).max(0.0);
    Some(Change { exact_p: tail.min(1.0), mid_p, difference, standard_error: square.sqrt() / n })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, number};

    fn paired(both: u64, first_only: u64, second_only: u64, neither: u64) -> Paired {
        Paired { both, first_only, second_only, neither }
    }

    #[test]
    fn changes_agree_with_the_golden_values() {
        golden::check("mcnemar", |input, expected| {
            let whole = |name: &str| input[name].as_u64().unwrap();
            let change =
                mcnemar(paired(whole("both_pos"), whole("only_a"), whole("only_b"), whole("both_neg"))).unwrap();
            [
                (change.exact_p, "exact_p"),
                (change.mid_p, "midp_p"),
                (change.difference, "diff"),
                (change.standard_error, "wald_se"),
            ]
            .map(|(found, name)| (found, number(&expected[name])))
            .to_vec()
        });
    }

    #[test]
    fn without_units_there_is_no_change() {
        assert_eq!(mcnemar(paired(0, 0, 0, 0)), None);
    }

    proptest! {
        #[test]
        fn changes_behave(
            (first, second) in prop_oneof![(0..30_u64, 0..30_u64), (0..25_000_000_u64, 0..25_000_000_u64)],
            agreed in 1..50_000_000_u64,
        ) {
            let change = mcnemar(paired(agreed, first, second, 0)).unwrap();
            prop_assert!(0.0 <= change.mid_p && change.mid_p <= change.exact_p && change.exact_p <= 1.0, "{change:?}");
            prop_assert!(change.standard_error.is_finite() && change.difference.abs() <= 1.0);
            let back = mcnemar(paired(agreed, second, first, 0)).unwrap();
            prop_assert!((back.difference + change.difference).abs() < 1e-15 && (back.exact_p - change.exact_p).abs() < 1e-15);
            let farther = mcnemar(paired(agreed, first.max(second) + 1, first.min(second), 0)).unwrap();
            prop_assert!(farther.exact_p <= change.exact_p + 1e-12, "{farther:?} {change:?}");
        }
    }
}

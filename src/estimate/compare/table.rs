//! Tables of two by two with fixed margins: two small groups, or two behaviours on the same units.
//!
//! That two behaviours occur together more often than chance would have it says nothing about what causes what.

use super::RatioLimits;
use crate::estimate::hypergeometric::Hypergeometric;
use crate::estimate::root::root;
use crate::model::rate::Level;

/// ln of odds ratios that no table below 2^53 can speak for.
const FAR: f64 = 80.0;

/// Units by two properties: rows by the first one, columns by the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Units with both; or the first group's units with the event.
    pub both: u64,
    /// Units with the first only; or the first group's other units.
    pub first_only: u64,
    /// Units with the second only; or the second group's units with the event.
    pub second_only: u64,
    /// Units with neither; or the second group's other units.
    pub neither: u64,
}

/// The p-values of R. A. Fisher's exact test (Journal of the Royal Statistical Society 98, 1935).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fisher {
    /// All tables that are no likelier than this one, with R's tolerance for ties.
    pub two_sided: f64,
    /// This many units with both, or fewer.
    pub less: f64,
    /// This many, or more.
    pub greater: f64,
}

impl Table {
    fn given_margins(self) -> Hypergeometric {
        let (first, second) = (self.both + self.first_only, self.both + self.second_only);
        Hypergeometric::new(first, self.second_only + self.neither, second)
    }

    /// Fisher's exact test of independence. Where the margins leave no choice, every p-value is 1.
    #[must_use]
    pub fn fisher(self) -> Fisher {
        let tables = self.given_margins();
        Fisher {
            two_sided: tables.no_likelier(self.both),
            less: tables.at_most(self.both),
            greater: tables.at_least(self.both),
        }
    }

    /// The odds ratio: the conditional maximum-likelihood estimate with exact limits, each tail with half of alpha (J.
    /// Cornfield, Proceedings of the Third Berkeley Symposium 4, 1956). At the smallest possible count of both the
    /// estimate and the lower limit are 0, at the largest the estimate and the upper limit are infinite.
    ///
    /// `None` where the margins leave no choice: such a table says nothing about the odds ratio.
    #[must_use]
    pub fn odds_ratio(self, level: Level) -> Option<RatioLimits> {
        let tables = self.given_margins();
        if tables.least() == tables.most() {
            return None;
        }
        let (is_least, is_most) = (self.both == tables.least(), self.both == tables.most());
        let tail = level.alpha() / 2.0;
        let tilted = |ln: f64| tables.tilted(ln.exp(), self.both);
        let lower = if is_least { 0.0 } else { root(-FAR, FAR, |ln| tilted(ln).at_least.ln() - tail.ln()).exp() };
        let upper =
            if is_most { f64::INFINITY } else { root(-FAR, FAR, |ln| tilted(ln).at_most.ln() - tail.ln()).exp() };
        let estimate = if is_least {
            0.0
        } else if is_most {
            f64::INFINITY
        } else {
            root(-FAR, FAR, |ln| tilted(ln).mean - both(self)).exp()
        };
        Some(RatioLimits { estimate, lower, upper })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn both(table: Table) -> f64 {
    table.both as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::estimate::golden::{self, number};

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn table(both: u64, first_only: u64, second_only: u64, neither: u64) -> Table {
        Table { both, first_only, second_only, neither }
    }

    fn given(input: &Value) -> Table {
        let [both, first_only, second_only, neither] = ["a", "b", "c", "d"].map(|name| input[name].as_u64().unwrap());
        table(both, first_only, second_only, neither)
    }

    #[test]
    fn the_exact_test_agrees_with_the_golden_values() {
        golden::check("fisher_barnard", |input, expected| {
            let fisher = given(input).fisher();
            [(fisher.two_sided, "fisher_two_sided"), (fisher.less, "fisher_less"), (fisher.greater, "fisher_greater")]
                .map(|(found, name)| (found, number(&expected[name])))
                .to_vec()
        });
    }

    /// R's search ends 2^-13 from a zero of the odds ratio, or of its reciprocal where that is below 1; the exact
    /// values are those of `limits_leave_their_tails`.
    #[test]
    fn odds_ratios_agree_with_the_golden_values() {
        let below_one = |ratio: f64| if ratio > 1.0 { ratio.recip() } else { ratio };
        let tolerance = golden::Tolerance { relative: 0.0, absolute: 0.5_f64.powi(13) };
        golden::check_to("fisher_barnard", tolerance, |input, expected| {
            let Some(ratio) = given(input).odds_ratio(level(0.95)) else {
                assert!(expected.get("odds_ratio_cmle").is_none());
                return vec![];
            };
            [(ratio.estimate, "odds_ratio_cmle"), (ratio.lower, "or_lower"), (ratio.upper, "or_upper")]
                .map(|(found, name)| (below_one(found), below_one(number(&expected[name]))))
                .to_vec()
        });
    }

    /// The tails beyond both limits and the mean at the estimate, from a table's weights one by one.
    #[test]
    fn limits_leave_their_tails() {
        for (a, b, c, d) in [(3, 10, 1, 20), (8, 2, 1, 5), (12, 5, 3, 14), (5, 5, 5, 5), (1, 30, 30, 900)] {
            let table = table(a, b, c, d);
            let tables = table.given_margins();
            let found = table.odds_ratio(level(0.95)).unwrap();
            let float = |count: u64| f64::from(u32::try_from(count).unwrap());
            let weighted = |odds: f64, value: &dyn Fn(u64) -> f64| -> f64 {
                let weight = |x: u64| tables.ln_exactly(x).exp() * odds.powf(float(x));
                let all: f64 = (tables.least()..=tables.most()).map(weight).sum();
                (tables.least()..=tables.most()).map(|x| weight(x) * value(x) / all).sum()
            };
            let lower = weighted(found.lower, &|x| if x >= a { 1.0 } else { 0.0 });
            let upper = weighted(found.upper, &|x| if x <= a { 1.0 } else { 0.0 });
            let mean = weighted(found.estimate, &float);
            assert!((lower - 0.025).abs() < 1e-10 && (upper - 0.025).abs() < 1e-10, "{table:?}: {lower} {upper}");
            assert!((mean - float(a)).abs() < 1e-10, "{table:?}: {mean}");
        }
    }

    /// Published counts of interventions, and the sample sizes at which two forecast rates first differ.
    #[test]
    fn published_p_values_are_reproduced_to_the_digit() {
        let p = |k1: u64, n1: u64, k2: u64, n2: u64| table(k1, n1 - k1, k2, n2 - k2).fisher().two_sided;
        let cases = [
            (p(12, 39, 0, 40), 7.6e-5, 0.05e-5),
            (p(6, 40, 0, 40), 0.026, 5e-4),
            (p(6, 40, 12, 39), 0.11, 5e-3),
            (p(6, 40, 16, 89), 0.80, 5e-3),
            (p(45, 90_000, 63, 90_000), 0.101, 5e-4),
            (p(50, 100_000, 70, 100_000), 0.082, 5e-4),
        ];
        for (found, published, half_digit) in cases {
            assert!((found - published).abs() <= half_digit, "{found}, not {published}");
        }
    }

    #[test]
    fn margins_without_a_choice_say_nothing() {
        for table in [table(0, 0, 0, 0), table(0, 0, 5, 50_000_000), table(7, 0, 9, 0), table(0, 3, 0, 4)] {
            let fisher = table.fisher();
            assert_eq!(table.odds_ratio(level(0.95)), None, "{table:?}");
            assert!((fisher.two_sided.min(fisher.less).min(fisher.greater) - 1.0).abs() < 1e-15, "{table:?}");
        }
    }

    fn cell() -> impl Strategy<Value = u64> {
        prop_oneof![0..15_u64, 0..2_000_u64, 0..50_000_000_u64]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn tables_behave(both in 0..400_u64, first_only in cell(), second_only in cell(), neither in cell(), wide in 0.5..0.99_f64) {
            let table = table(both, first_only, second_only, neither);
            let mirrored = Table { both: first_only, first_only: both, second_only: neither, neither: second_only };
            let fisher = table.fisher();
            prop_assert!([fisher.two_sided, fisher.less, fisher.greater].iter().all(|p| (0.0..=1.0).contains(p)), "{fisher:?}");
            let other = mirrored.fisher();
            prop_assert!((fisher.less - other.greater).abs() <= 1e-9 && (fisher.two_sided - other.two_sided).abs() <= 1e-9, "{fisher:?} {other:?}");
            if let Some(outer) = table.odds_ratio(level(wide)) {
                let inner = table.odds_ratio(level(wide * 0.9)).unwrap();
                prop_assert!(0.0 <= outer.lower && outer.lower <= inner.lower * (1.0 + 1e-9) && inner.upper <= outer.upper * (1.0 + 1e-9));
                prop_assert!(outer.lower <= outer.estimate && outer.estimate <= outer.upper, "{outer:?}");
                // A one-sided test at alpha / 2 and the limits decide alike.
                let alpha = 1.0 - wide;
                prop_assume!((fisher.greater - alpha / 2.0).abs() > 1e-6);
                prop_assert_eq!(fisher.greater < alpha / 2.0, outer.lower > 1.0, "{:?} {:?}", fisher, outer);
            }
        }
    }
}

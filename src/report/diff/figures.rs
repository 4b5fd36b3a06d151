//! Tests and agreements of one stage.

use serde::Serialize;

use crate::estimate::agreement::{Table, Weights, cohen_kappa};
use crate::estimate::compare::paired::{Change, Paired, mcnemar};
use crate::estimate::interval::clopper_pearson;
use crate::model::rate::Level;
use crate::reconcile::diff::{Cross, Net};
use crate::report::build::rounded;

/// A figure with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure.
    pub estimate: f64,
    /// Its lower limit; null where there is none.
    pub lower: Option<f64>,
    /// Its upper limit.
    pub upper: Option<f64>,
}

/// How far two sides agree on units that both decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Units with the same decision. Where yes is rare it is near 1 whatever the sides do.
    pub raw: Figure,
    /// What raw agreement would be if the sides said yes as often as they do and never of the same unit.
    pub raw_at_worst: f64,
    /// Agreement on yes: 2 both / (2 both + lost + gained), with exact limits; null where neither side ever says yes.
    pub positive: Option<Figure>,
    /// Agreement on no.
    pub negative: Option<Figure>,
    /// Cohen's kappa, with large-sample limits where it has a spread.
    pub kappa: Option<Figure>,
    /// Why there is no kappa.
    pub kappa_reason: Option<&'static str>,
}

/// McNemar's test over clusters instead of units: each counts once, by what most of its flips do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterTest {
    /// Clusters that lost more than they gained.
    pub lost: u64,
    /// Clusters that gained more than they lost.
    pub gained: u64,
    /// Clusters that did both equally.
    pub balanced: u64,
    /// The exact two-sided p-value; null without a flip.
    pub exact_p: Option<f64>,
    /// The mid-p-value.
    pub mid_p: Option<f64>,
}

impl ClusterTest {
    pub(super) fn of(net: Net) -> Self {
        let test = mcnemar(Paired { both: 0, first_only: net.lost, second_only: net.gained, neither: net.balanced });
        let (exact_p, mid_p) = p_values(test);
        Self { lost: net.lost, gained: net.gained, balanced: net.balanced, exact_p, mid_p }
    }
}

impl ClusterTest {
    /// The same without a test.
    pub(super) fn untested(Net { gained, lost, balanced }: Net) -> Self {
        Self { lost, gained, balanced, exact_p: None, mid_p: None }
    }
}

/// McNemar's p-values: exact and mid-p.
pub(super) fn test(cross: Cross) -> (Option<f64>, Option<f64>) {
    let Cross { both, first_only, second_only, neither } = cross;
    p_values(mcnemar(Paired { both, first_only, second_only, neither }))
}

fn p_values(change: Option<Change>) -> (Option<f64>, Option<f64>) {
    (change.map(|change| rounded(change.exact_p)), change.map(|change| rounded(change.mid_p)))
}

/// Agreement; none without a unit.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn agreement(cross: Cross, level: Level) -> Option<Agreement> {
    let Cross { both, first_only, second_only, neither } = cross;
    let table = Table::new(vec![vec![neither, second_only], vec![first_only, both]])?;
    let exact = |estimate: f64, lower: f64, upper: f64| Figure {
        estimate: rounded(estimate),
        lower: Some(rounded(lower)),
        upper: Some(rounded(upper)),
    };
    let on = |category| {
        table.agreement_on(category).map(|agreement| {
            let limits = agreement.limits(level);
            exact(agreement.estimate(), limits.lower, limits.upper)
        })
    };
    let raw = table.percent_agreement();
    let limits = clopper_pearson(raw, level);
    let (yes_first, yes_second) = (both + first_only, both + second_only);
    let apart = (yes_first + yes_second).min(cross.total() + cross.total() - yes_first - yes_second);
    let kappa = cohen_kappa(&table, Weights::Identity, level).map(|kappa| Figure {
        estimate: rounded(kappa.value),
        lower: kappa.lower.map(rounded),
        upper: kappa.upper.map(rounded),
    });
    Some(Agreement {
        raw: exact(raw.estimate(), limits.lower, limits.upper),
        raw_at_worst: rounded(1.0 - apart as f64 / cross.total() as f64),
        positive: on(1),
        negative: on(0),
        kappa_reason: kappa.is_none().then_some("both sides say the same of every unit: chance would agree as well"),
        kappa,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level() -> Level {
        Level::new(0.95).unwrap()
    }

    #[test]
    fn rare_yeses_that_never_meet_agree_in_raw_figures_only() {
        let cross = Cross { both: 0, first_only: 10, second_only: 10, neither: 99_980 };
        let found = agreement(cross, level()).unwrap();
        assert!(found.raw.estimate > 0.9997 && (found.raw.estimate - found.raw_at_worst).abs() < 1e-12, "{found:?}");
        assert!(found.positive.unwrap().estimate.abs() < f64::EPSILON);
        assert!(found.kappa.unwrap().estimate < 0.0);
    }

    #[test]
    fn what_nobody_says_has_no_agreement() {
        let found = agreement(Cross { neither: 50, ..Cross::default() }, level()).unwrap();
        assert_eq!((found.positive, found.kappa), (None, None));
        assert!(found.kappa_reason.is_some());
        assert_eq!(agreement(Cross::default(), level()), None);
        assert_eq!(test(Cross::default()), (None, None));
    }

    proptest! {
        #[test]
        fn sides_can_be_swapped(both in 0..50_u64, first in 0..50_u64, second in 0..50_u64, neither in 0..5_000_u64) {
            let cross = Cross { both, first_only: first, second_only: second, neither };
            let swapped = Cross { first_only: second, second_only: first, ..cross };
            prop_assert_eq!(agreement(cross, level()), agreement(swapped, level()));
            prop_assert_eq!(test(cross), test(swapped));
            if let Some(found) = agreement(cross, level()) {
                prop_assert!(found.raw_at_worst <= found.raw.estimate + 1e-9, "{:?}", found);
                let is_same = first + second == 0;
                prop_assert!(!is_same || found.kappa.is_none_or(|kappa| (kappa.estimate - 1.0).abs() < 1e-9), "{:?}", found);
            }
        }
    }
}

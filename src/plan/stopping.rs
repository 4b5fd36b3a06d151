//! When `stop_when` would stop a run if everything went as `[assume]` says.

use super::settings::Assumptions;
use crate::estimate::{BETWEEN_LOOKS, CorpusSequence, NoSequence};
use crate::model::event::Planned;
use crate::model::stop::{Looked, RelativeWidth};
use crate::model::unit::CLASS_NONE;

/// Looks that are tried at most: of a plan with more of them, evenly spaced ones.
const MOST_LOOKS: u64 = 500;

/// How a run under `stop_when` would go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stopping {
    /// It would stop after so many units, the first ones in order of admission.
    After {
        /// Units, a multiple of [`BETWEEN_LOOKS`].
        units: u64,
    },
    /// It would go through the whole plan, and the limits would be so wide then; unknown if nothing is found.
    Never {
        /// How wide.
        width: Option<RelativeWidth>,
    },
}

/// When a run of this plan would stop, if it asks: every stratum holds what is assumed, evenly spread.
///
/// # Errors
/// If the plan does not support the looks that it asks for.
pub fn stopping(plan: &Planned, assume: Assumptions) -> Result<Option<Stopping>, NoSequence> {
    let Some(rule) = plan.stop_when else { return Ok(None) };
    let sequence = CorpusSequence::of(plan)?;
    let planned: u64 = plan.strata.iter().map(|row| row.planned).sum();
    let width = |units: u64| sequence.at(&looked(plan, assume, units, planned), |_| true).width();
    let looks = planned.saturating_sub(1) / BETWEEN_LOOKS;
    let step = looks.div_ceil(MOST_LOOKS).max(1);
    let tried = (1..=looks / step).map(|look| look * step * BETWEEN_LOOKS);
    let is_narrow = |units: &u64| width(*units).is_some_and(|width| width <= rule.relative_width);
    let first = tried.into_iter().find(is_narrow);
    Ok(Some(first.map_or_else(|| Stopping::Never { width: width(planned) }, |units| Stopping::After { units })))
}

/// The prefix of so many units: strata in proportion, and in each what is assumed.
#[expect(clippy::cast_precision_loss, reason = "a forecast needs no 53 bits")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of counts, rounded")]
fn looked(plan: &Planned, assume: Assumptions, units: u64, planned: u64) -> Vec<Looked> {
    let sum = |is_hit: bool| -> u64 {
        let rows = plan.strata.iter().filter(|row| (row.stratum.class != CLASS_NONE) == is_hit);
        rows.map(|row| row.units).sum()
    };
    let (hits, others) = (sum(true), sum(false));
    let passed = (hits + others) as f64 * assume.prevalence * assume.sensitivity;
    let rates = [(hits, assume.prefilter_recall), (others, 1.0 - assume.prefilter_recall)]
        .map(|(units, share)| if units == 0 { 0.0 } else { (passed * share / units as f64).min(1.0) });
    let row = |row: &crate::model::event::PlannedStratum| {
        let ended = (units as f64 / planned.max(1) as f64 * row.planned as f64).round() as u64;
        let rate = if row.stratum.class == CLASS_NONE { rates[1] } else { rates[0] };
        let ended = ended.min(row.planned);
        Looked { ended, confirmed: ((ended as f64 * rate).round() as u64).min(ended) }
    };
    plan.strata.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::planned;
    use crate::model::stop::StopWhen;

    fn asking(width: f64) -> Planned {
        let rule = StopWhen { relative_width: RelativeWidth::new(width).unwrap() };
        let strata = [("core", "rl", 20_000, 20_000), ("none", "rl", 20_000, 10_000)];
        Planned { stop_when: Some(rule), ..planned(&strata) }
    }

    #[test]
    fn a_wider_rule_stops_earlier_and_an_impossible_one_never() {
        let assume = Assumptions { prevalence: 0.05, ..Assumptions::default() };
        let after = |width| match stopping(&asking(width), assume).unwrap().unwrap() {
            Stopping::After { units } => units,
            never @ Stopping::Never { .. } => panic!("{never:?}"),
        };
        let (wide, narrow) = (after(1.0), after(0.5));
        assert!(wide < narrow && narrow < 30_000 && wide.is_multiple_of(BETWEEN_LOOKS), "{wide} {narrow}");
        let never = stopping(&asking(0.001), assume).unwrap().unwrap();
        assert!(matches!(never, Stopping::Never { width: Some(width) } if width.get() > 0.001), "{never:?}");
        let none = Assumptions { prevalence: 0.0, ..assume };
        assert_eq!(stopping(&asking(1.0), none).unwrap(), Some(Stopping::Never { width: None }));
    }

    #[test]
    fn a_plan_that_draws_nothing_of_a_stratum_says_so() {
        let assume = Assumptions::default();
        assert_eq!(stopping(&planned(&[("core", "rl", 10, 0)]), assume), Ok(None), "it does not ask");
        let plan = Planned { strata: planned(&[("core", "rl", 10, 0)]).strata, ..asking(0.5) };
        assert!(matches!(stopping(&plan, assume), Err(NoSequence::NotDrawn { .. })));
    }
}

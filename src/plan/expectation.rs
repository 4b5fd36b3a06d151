//! What the units of a stratum are expected to come to once they are graded and read.

use std::collections::BTreeMap;

use super::settings::Assumptions;
use crate::model::event::PlannedStratum;
use crate::model::unit::{CLASS_NONE, Group, Stratum};

/// Shares of the graded units of one stratum, each 0 to 1. A confirmed unit is one that people will confirm once they
/// read it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expectation {
    /// Flagged, and upheld by the second grader; without one, all that is flagged.
    pub upheld: f64,
    /// Flagged, and turned down by the second grader.
    pub turned_down: f64,
    /// Upheld and confirmed: at most `upheld`.
    pub confirmed_upheld: f64,
    /// Turned down and confirmed all the same: at most `turned_down`.
    pub confirmed_turned_down: f64,
}

impl Expectation {
    /// Flagged units.
    #[must_use]
    pub fn flagged(&self) -> f64 {
        self.upheld + self.turned_down
    }

    /// Confirmed units.
    #[must_use]
    pub fn confirmed(&self) -> f64 {
        self.confirmed_upheld + self.confirmed_turned_down
    }
}

/// One stratum as a forecast sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Class and group.
    pub stratum: Stratum,
    /// Units of the corpus in it.
    pub units: u64,
    /// Units that will have a usable verdict: at most `units`, and not always whole.
    pub graded: f64,
    /// What these come to.
    pub expected: Expectation,
}

impl Slice {
    /// Whether a cue hits its units.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.stratum.class != CLASS_NONE
    }
}

/// What `[assume]` says of each stratum, in the order given. The truth of a group, its units times the prevalence, is
/// split by the prefilter's recall between units that a cue hits and the others, and among the former in proportion to
/// their number. The gate passes its sensitivity's share of it. Whatever else is flagged is false, and a second grader
/// turns that down and nothing else: no assumption says how often it errs.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn assumed(strata: &[PlannedStratum], assume: &Assumptions, has_confirmer: bool) -> Vec<Expectation> {
    let mut of_group: BTreeMap<&Group, (f64, f64)> = BTreeMap::new();
    for PlannedStratum { stratum, units, .. } in strata {
        let (hits, others) = of_group.entry(&stratum.group).or_default();
        *(if stratum.class == CLASS_NONE { others } else { hits }) += *units as f64;
    }
    let expectation = |stratum: &Stratum| {
        let (hits, others) = of_group.get(&stratum.group).copied().unwrap_or_default();
        let truth = assume.prevalence * (hits + others);
        let recall = match (hits > 0.0, others > 0.0) {
            (true, true) => assume.prefilter_recall,
            (true, false) => 1.0,
            (false, _) => 0.0,
        };
        let (part, units) =
            if stratum.class == CLASS_NONE { ((1.0 - recall) * truth, others) } else { (recall * truth, hits) };
        let rate = if units > 0.0 { (part / units).min(1.0) } else { 0.0 };
        of_rate(rate * assume.sensitivity, assume.flag_rate, has_confirmer)
    };
    strata.iter().map(|planned| expectation(&planned.stratum)).collect()
}

/// At least what is confirmed is flagged.
fn of_rate(confirmed: f64, flag_rate: f64, has_confirmer: bool) -> Expectation {
    let flagged = flag_rate.max(confirmed);
    let upheld = if has_confirmer { confirmed } else { flagged };
    Expectation { upheld, turned_down: flagged - upheld, confirmed_upheld: confirmed, confirmed_turned_down: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::planned;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    #[test]
    fn the_truth_of_a_group_is_split_by_recall() {
        let plan = planned(&[("core", "a", 600, 600), ("near", "a", 400, 400), ("none", "a", 99_000, 1_000)]);
        let assume = Assumptions { prevalence: 1e-3, ..Assumptions::default() };
        let found = assumed(&plan.strata, &assume, true);
        // Of 100 true units 70 have a cue, in 1,000 hits; the gate passes 0.8 of all.
        near(found[0].confirmed(), 0.07 * 0.8);
        near(found[1].confirmed(), found[0].confirmed());
        near(found[2].confirmed(), 30.0 / 99_000.0 * 0.8);
        near(found[0].flagged(), 0.07 * 0.8);
        near(found[0].turned_down, 0.0);
        near(found[2].flagged(), 0.005);
        near(found[2].upheld, found[2].confirmed());
        let alone = assumed(&plan.strata, &assume, false);
        near(alone[2].upheld, 0.005);
        near(alone[2].turned_down, 0.0);
    }

    #[test]
    fn a_part_that_is_not_there_holds_nothing() {
        let assume = Assumptions { prevalence: 0.5, ..Assumptions::default() };
        let found = assumed(&planned(&[("none", "a", 100, 100), ("core", "b", 100, 100)]).strata, &assume, true);
        near(found[0].confirmed(), 0.4);
        near(found[1].confirmed(), 0.4);
        // More truth than hits: a share is at most 1.
        let few = planned(&[("core", "a", 10, 10), ("none", "a", 90, 90)]);
        near(assumed(&few.strata, &assume, true)[0].confirmed(), 0.8);
        near(assumed(&planned(&[("core", "a", 0, 0)]).strata, &assume, true)[0].confirmed(), 0.0);
    }
}

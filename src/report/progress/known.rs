//! Known positives while they are graded: a line of their own, apart from the units. How many pass is not shown before the
//! run has ended: it would invite stopping when it looks good.

use serde::{Deserialize, Serialize};

use crate::model::event::{Judged, Ordinal, Planned};
use crate::model::grading::Stage;

/// How far a run has got with its known positives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSoFar {
    /// Items of the plan.
    pub planned: u64,
    /// Items that ended in this session.
    pub ended: u64,
}

/// Known positives of this session.
#[derive(Debug, Default)]
pub(super) struct KnownCounts {
    planned: u64,
    through_confirmer: bool,
    ended: u64,
}

impl KnownCounts {
    pub(super) fn plan(&mut self, plan: &Planned) {
        (self.planned, self.through_confirmer) = (plan.known.len(), plan.gate_includes_confirmer());
    }

    /// Forgets which have ended: a new session follows them again.
    pub(super) const fn clear(&mut self) {
        self.ended = 0;
    }

    pub(super) const fn contains(&self, unit: Ordinal) -> bool {
        unit.0 < self.planned
    }

    pub(super) fn judged(&mut self, judged: &Judged, holds: bool) {
        let goes_on = judged.stage == Stage::Screen && holds && self.through_confirmer;
        self.ended += u64::from(!goes_on);
    }

    pub(super) fn so_far(&self) -> Option<KnownSoFar> {
        (self.planned > 0).then_some(KnownSoFar { planned: self.planned, ended: self.ended })
    }
}

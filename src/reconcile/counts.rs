//! The tally's counters, while the fold walks its units.

use super::error::FoldError;
use super::unit::{Mark, UnitState};
use crate::model::bucket::{Bucket, Buckets};
use crate::model::event::{Planned, PlannedStratum};
use crate::model::grading::Stage;
use crate::model::tally::{ConfirmedUnit, StageTally, StratumTally};

/// The tally's counters, while units are walked.
pub(super) struct Counts<'a> {
    plan: &'a Planned,
    pub(super) strata: Vec<StratumTally>,
    pub(super) confirmed: Vec<ConfirmedUnit>,
    pub(super) screen: StageTally,
    pub(super) confirm: Option<StageTally>,
    pub(super) replayed: u64,
    pub(super) injection_suspected: u64,
}

impl<'a> Counts<'a> {
    pub(super) fn new(plan: &'a Planned, has_confirmer: bool) -> Self {
        let empty = |planned: &PlannedStratum| StratumTally {
            stratum: planned.stratum.clone(),
            units: planned.units,
            buckets: Buckets::default(),
        };
        Self {
            plan,
            strata: plan.strata.iter().map(empty).collect(),
            confirmed: Vec::new(),
            screen: StageTally::default(),
            confirm: has_confirmer.then(StageTally::default),
            replayed: 0,
            injection_suspected: 0,
        }
    }

    pub(super) fn stage(&mut self, stage: Stage) -> Option<&mut StageTally> {
        match stage {
            Stage::Screen => Some(&mut self.screen),
            Stage::Confirm => self.confirm.as_mut(),
        }
    }

    pub(super) fn stages(&mut self, unit: &UnitState) {
        self.replayed += unit.marks().filter(|mark| mark.replayed).count() as u64;
        self.injection_suspected += u64::from(unit.marks().any(|mark| mark.injection_suspected));
        reached(&mut self.screen, unit.screen);
        if let Some(confirm) = self.confirm.as_mut().filter(|_| unit.is_flagged()) {
            reached(confirm, unit.confirm);
        }
    }

    /// The strata, with the units that were never admitted in their buckets.
    pub(super) fn close(&mut self) -> Result<Vec<StratumTally>, FoldError> {
        for (tally, plan) in self.strata.iter_mut().zip(&self.plan.strata) {
            let admitted = tally.buckets.total();
            let waiting = plan.planned.checked_sub(admitted).ok_or_else(|| FoldError::OverAdmitted {
                stratum: plan.stratum.to_string(),
                admitted,
                planned: plan.planned,
            })?;
            tally.buckets.add(Bucket::NotAdmitted, waiting);
            tally.buckets.add(Bucket::NotPlanned, plan.units - plan.planned);
        }
        Ok(std::mem::take(&mut self.strata))
    }
}

fn reached(stage: &mut StageTally, mark: Option<Mark>) {
    match mark {
        Some(mark) => {
            *stage.outcomes.entry(mark.kind).or_default() += 1;
            stage.cut += u64::from(mark.cut);
        }
        None => stage.unfinished += 1,
    }
}

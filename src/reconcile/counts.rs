//! The tally's counters, while the fold walks its units.

use std::collections::BTreeMap;

use super::conversations::Walk;
use super::error::FoldError;
use super::unit::{Mark, UnitState};
use crate::model::bucket::{Bucket, Buckets};
use crate::model::context::ContextTally;
use crate::model::event::{Planned, PlannedStratum};
use crate::model::grading::Stage;
use crate::model::review::Route;
use crate::model::tally::{ConfirmedUnit, ConversationTally, ModelTally, QueuedUnit, StageTally, StratumTally};

/// The tally's counters, while units are walked.
pub(super) struct Counts<'a> {
    pub(super) plan: &'a Planned,
    /// Names of served models.
    models: Vec<String>,
    pub(super) strata: Vec<StratumTally>,
    walk: Walk,
    pub(super) confirmed: Vec<ConfirmedUnit>,
    pub(super) missed: Vec<ConfirmedUnit>,
    pub(super) queue: Vec<QueuedUnit>,
    pub(super) screen: StageTally,
    pub(super) confirm: Option<StageTally>,
    pub(super) context: BTreeMap<Stage, ContextTally>,
    pub(super) replayed: u64,
    pub(super) injection_suspected: u64,
    pub(super) asked_once: u64,
}

impl<'a> Counts<'a> {
    pub(super) fn new(plan: &'a Planned, has_confirmer: bool, models: Vec<String>) -> Self {
        let empty = |planned: &PlannedStratum| StratumTally {
            stratum: planned.stratum.clone(),
            units: planned.units,
            buckets: Buckets::default(),
            cells: BTreeMap::new(),
            conversations: planned.conversations_planned.map(|of_draw| ConversationTally {
                frame: planned.conversations,
                planned: of_draw,
                ..ConversationTally::default()
            }),
        };
        Self {
            plan,
            models,
            strata: plan.strata.iter().map(empty).collect(),
            walk: Walk::default(),
            confirmed: Vec::new(),
            missed: Vec::new(),
            queue: Vec::new(),
            screen: StageTally::default(),
            confirm: has_confirmer.then(StageTally::default),
            context: BTreeMap::new(),
            asked_once: 0,
            replayed: 0,
            injection_suspected: 0,
        }
    }

    /// Counts the conversation of a unit of this stratum, where whole conversations were drawn. Units come in order.
    pub(super) fn conversation(&mut self, stratum: u32, unit: &UnitState) {
        if let Some(tally) = &mut self.strata[stratum as usize].conversations {
            self.walk.unit(unit, tally);
        }
    }

    pub(super) fn stages(&mut self, unit: &UnitState) {
        self.replayed += unit.marks().filter(|mark| mark.replayed).count() as u64;
        self.injection_suspected += u64::from(unit.addresses_grader());
        reached(&mut self.screen, unit.screen(), &self.models);
        if let Some(confirm) = self.confirm.as_mut().filter(|_| unit.is_flagged()) {
            reached(confirm, unit.confirm(), &self.models);
        }
    }

    /// The fold keeps the names of those cleared units only that people may have to read; the draw was from all of them.
    pub(super) fn complete_cleared(&mut self) {
        for tally in &mut self.strata {
            let cleared = tally.buckets.count(|bucket| *bucket == Bucket::Cleared);
            if let Some(cell) = tally.cells.get_mut(&Route::Cleared) {
                cell.units = cleared;
            }
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

fn reached(stage: &mut StageTally, mark: Option<Mark>, models: &[String]) {
    match mark {
        Some(mark) => {
            let model = mark.served.and_then(|number| models.get(usize::from(number.get()) - 1));
            if let Some(model) = model {
                if !stage.by_model.contains_key(model) {
                    stage.by_model.insert(model.clone(), ModelTally::default());
                }
                if let Some(tally) = stage.by_model.get_mut(model) {
                    *tally.outcomes.entry(mark.kind).or_default() += 1;
                    tally.holds += u64::from(mark.holds);
                }
            }
            *stage.outcomes.entry(mark.kind).or_default() += 1;
            stage.cut += u64::from(mark.cut);
        }
        None => stage.unfinished += 1,
    }
}

//! Simulated people: they read what the design draws for them, and err at stated rates.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::draw::{Draws, Probability};
use super::truth::{TruthError, UnitName, present_units};
use crate::model::known::moment;
use crate::model::label::{Decision, Label};
use crate::model::tally::{QueuedUnit, Tally};

/// When a simulated reviewer decides, so that equal runs give equal labels: the beginning of 2026.
const DECIDED_MS: u64 = 1_767_225_600_000;

/// One simulated reviewer. Equal reviewers decide alike about equal units.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewer {
    /// Seed of every decision.
    pub seed: u64,
    /// The seat that the decisions are of.
    pub seat: String,
    /// Probability of confirming what is truly there.
    pub confirms_true: Probability,
    /// Probability of confirming what is not.
    pub confirms_false: Probability,
}

impl Reviewer {
    /// Decides about everything that people are to read and nobody has, by this truth file.
    ///
    /// # Errors
    /// If the truth file cannot be read.
    pub fn read(&self, truth: &Path, tally: &Tally) -> Result<Vec<Label>, TruthError> {
        let present = present_units(truth, &tally.plan.group_by, tally.plan.unit)?;
        Ok(tally.queue.iter().map(|queued| self.decide(&present, queued, tally)).collect())
    }

    fn decide(&self, present: &HashSet<UnitName>, queued: &QueuedUnit, tally: &Tally) -> Label {
        let unit = queued.unit.to_string();
        let is_there = present.contains(&(queued.unit.group.clone(), unit.clone()));
        let draws = Draws::about(self.seed, &[b"reviewer", self.seat.as_bytes(), queued.unit.key().as_bytes()]);
        let chance = if is_there { self.confirms_true } else { self.confirms_false };
        Label {
            unit,
            group: Some(queued.unit.group.clone()),
            decision: if draws.happens("confirms", chance) { Decision::Yes } else { Decision::No },
            labels: BTreeSet::new(),
            code: None,
            seat: self.seat.clone(),
            at: moment(DECIDED_MS),
            behaviour: tally.plan.behaviour.clone(),
            definition: None,
        }
    }
}

//! Simulated people: they read what the design draws for them, and err at stated rates.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::draw::{Draws, Probability};
use super::truth::{TruthError, UnitName, present_units};
use crate::model::gold::GoldKind;
use crate::model::hash::Digest;
use crate::model::known::moment;
use crate::model::label::{Decision, Label};
use crate::model::review_id::ReviewId;
use crate::model::tally::{QueuedUnit, Tally};
use crate::model::unit::Group;

/// When a simulated reviewer decides, so that equal runs give equal labels: the beginning of 2026.
const DECIDED_MS: u64 = 1_767_225_600_000;

/// Simulated reviewers, all alike. Equal reviewers decide alike about equal texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewer {
    /// Seed of every decision.
    pub seed: u64,
    /// The seat that decisions are of where the audit names no seats.
    pub seat: String,
    /// Probability of confirming what is truly there.
    pub confirms_true: Probability,
    /// Probability of confirming what is not.
    pub confirms_false: Probability,
}

impl Reviewer {
    /// Decides about everything that people are to read and nobody has: about units by this truth file, dealt out to the seats
    /// of the audit in turn, about hidden gold by what is known of it, each item for the seat whose share it is of.
    ///
    /// # Errors
    /// If the truth file cannot be read.
    pub fn read(&self, truth: &Path, tally: &Tally) -> Result<Vec<Label>, TruthError> {
        let present = present_units(truth, &tally.plan.group_by, tally.plan.unit)?;
        let named = tally.plan.gold.as_ref().map(|gold| gold.seats.as_slice()).unwrap_or_default();
        let seats = if named.is_empty() { std::slice::from_ref(&self.seat) } else { named };
        let units = seats.iter().cycle().zip(&tally.queue);
        let mut labels: Vec<Label> = units.map(|(seat, queued)| self.decide(&present, queued, seat, tally)).collect();
        for queued in tally.gold.iter().flat_map(|gold| &gold.queue) {
            if let Some(seat) = seats.iter().find(|seat| queued.is_for(seat)) {
                let id = queued.item.id;
                let is_there = queued.item.kind == GoldKind::Positive;
                let decision = self.decision(seat, &id.key(), is_there);
                labels.push(label(id.to_string(), None, decision, seat, tally));
            }
        }
        Ok(labels)
    }

    fn decide(&self, present: &HashSet<UnitName>, queued: &QueuedUnit, seat: &str, tally: &Tally) -> Label {
        let QueuedUnit { unit, .. } = queued;
        let is_there = present.contains(&(unit.group.clone(), unit.to_string()));
        let decision = self.decision(seat, &unit.key(), is_there);
        // People who read gold as well do not know what they read.
        match tally.plan.gold {
            Some(_) => label(ReviewId::of_unit(unit).to_string(), None, decision, seat, tally),
            None => label(unit.to_string(), Some(unit.group.clone()), decision, seat, tally),
        }
    }

    fn decision(&self, seat: &str, key: &Digest, is_there: bool) -> Decision {
        let draws = Draws::about(self.seed, &[b"reviewer", seat.as_bytes(), key.as_bytes()]);
        let chance = if is_there { self.confirms_true } else { self.confirms_false };
        if draws.happens("confirms", chance) { Decision::Yes } else { Decision::No }
    }
}

fn label(unit: String, group: Option<Group>, decision: Decision, seat: &str, tally: &Tally) -> Label {
    Label {
        unit,
        group,
        decision,
        labels: BTreeSet::new(),
        code: None,
        seat: seat.to_owned(),
        at: moment(DECIDED_MS),
        behaviour: tally.plan.behaviour.clone(),
        definition: Some(tally.plan.definition.clone()).filter(|_| tally.plan.gold.is_some()),
    }
}

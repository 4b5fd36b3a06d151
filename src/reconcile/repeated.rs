//! What the fold remembers of units that a grader was asked about more than once: some forty bytes for each of them, and for
//! no other unit.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::definitions::Definitions;
use super::unit::UnitState;
use crate::model::event::{Judged, Ordinal};
use crate::model::grading::Stage;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::repeats::{RepeatCause, Repeated};
use crate::model::tally::{RepeatCounts, RepeatTally};
use crate::model::unit::Group;
use crate::verdict::DefinitionError;

/// One unit at one stage. Askings are at most 15.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent claims about one unit, a byte each")]
struct Asked {
    cause: RepeatCause,
    first_says: bool,
    /// The beginning of the key of the first reply: copies of one text share their replies.
    key: Option<u64>,
    further: u8,
    missing: u8,
    not_cached: u8,
    /// Whether the second usable answer is another one; absent without two.
    flips: Option<bool>,
    contradicted: bool,
    changed: bool,
    undecided: bool,
}

/// All of them, and the counts of those that were looked at.
#[derive(Debug, Default)]
pub(super) struct RepeatedUnits {
    asked: HashMap<(Ordinal, Stage), Asked>,
    counted: BTreeMap<(Stage, RepeatCause, bool, Group), RepeatCounts>,
    /// First replies that were a trial for the flip rate.
    tried: HashSet<(Stage, u64)>,
}

impl RepeatedUnits {
    /// Takes note of an ending, of which the kind is known; the last word of a journal counts.
    pub(super) fn judged(
        &mut self,
        judged: &Judged,
        kind: OutcomeKind,
        definitions: &Definitions,
    ) -> Result<(), DefinitionError> {
        let place = (judged.ordinal, judged.stage);
        let asked = match &judged.repeated {
            Some(repeated) => asked((judged, repeated), &definitions.answers(judged)?, kind, definitions.says(judged)?),
            None => None,
        };
        match asked {
            Some(asked) => drop(self.asked.insert(place, asked)),
            None if self.asked.is_empty() => {}
            None => drop(self.asked.remove(&place)),
        }
        Ok(())
    }

    /// Counts an admitted unit, as far as it was asked about again. What the confirmer said of a unit that is not flagged any
    /// more does not count.
    pub(super) fn count(&mut self, ordinal: Ordinal, unit: &UnitState, group: &Group) {
        if self.asked.is_empty() {
            return;
        }
        let stages = [Some(Stage::Screen), unit.is_flagged().then_some(Stage::Confirm)];
        for stage in stages.into_iter().flatten() {
            if let Some(asked) = self.asked.remove(&(ordinal, stage)) {
                // Copies were answered by the same two replies: together they are one trial, by the first that has both.
                let is_trial = asked.flips.is_some() && asked.key.is_none_or(|key| self.tried.insert((stage, key)));
                let place = (stage, asked.cause, asked.first_says, group.clone());
                self.counted.entry(place).or_default().add(asked.counts(is_trial));
            }
        }
    }

    /// All that was counted, in order.
    pub(super) fn finish(&mut self) -> Vec<RepeatTally> {
        let rows = std::mem::take(&mut self.counted).into_iter();
        rows.map(|((stage, cause, first_says, group), counts)| RepeatTally { stage, cause, first_says, group, counts })
            .collect()
    }
}

fn is_not_cached(outcome: &Outcome) -> bool {
    outcome.kind() == OutcomeKind::NotCached
}

/// What is to be known of one unit; nothing without a first answer, which causes no repeats either.
fn asked(
    (judged, repeated): (&Judged, &Repeated),
    answers: &[Option<bool>],
    kind: OutcomeKind,
    holds: bool,
) -> Option<Asked> {
    let cause = repeated.cause;
    let (first, further) = answers.split_first()?;
    let first_says = (*first)?;
    let count = |askings: usize| u8::try_from(askings).unwrap_or(u8::MAX);
    let second = further.iter().flatten().next();
    // What goes on because it talks to its grader is not cleared, whatever it was drawn for.
    let is_cleared = !(judged.stage == Stage::Screen && judged.injection_suspected);
    let is_trial = cause.is_of_gate() || is_cleared;
    let further_askings = repeated.askings.iter().skip(1);
    Some(Asked {
        cause,
        first_says,
        key: repeated.askings.first().and_then(|asking| asking.key).map(|key| key.leading_u64()),
        further: count(further.len()),
        missing: count(further.iter().filter(|says| says.is_none()).count()),
        not_cached: count(further_askings.filter(|asking| is_not_cached(&asking.outcome)).count()),
        flips: second.filter(|_| is_trial).map(|second| *second != first_says),
        contradicted: further.iter().flatten().any(|says| *says != first_says),
        changed: cause.is_of_gate() && kind.is_usable() && holds != first_says,
        undecided: cause.is_of_gate() && !kind.is_usable(),
    })
}

impl Asked {
    /// What the unit adds; to the trials only if it is one.
    fn counts(&self, is_trial: bool) -> RepeatCounts {
        let flips = self.flips.filter(|_| is_trial);
        RepeatCounts {
            units: 1,
            askings: self.further.into(),
            missing: self.missing.into(),
            not_cached: self.not_cached.into(),
            pairs: flips.is_some().into(),
            flips: (flips == Some(true)).into(),
            contradicted: self.contradicted.into(),
            changed: self.changed.into(),
            undecided: self.undecided.into(),
        }
    }
}

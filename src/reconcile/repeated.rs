//! What the fold remembers of units that a grader was asked about more than once: a few bytes for each of them, and for no
//! other unit.

use std::collections::{BTreeMap, HashMap};

use super::definitions::Definitions;
use super::unit::UnitState;
use crate::model::event::{Judged, Ordinal};
use crate::model::grading::Stage;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::repeats::{RepeatCause, Repeated};
use crate::model::tally::{RepeatCounts, RepeatTally};
use crate::model::unit::Group;
use crate::verdict::DefinitionError;

/// One unit at one stage.
#[derive(Debug, Clone, Copy)]
struct Asked {
    cause: RepeatCause,
    first_says: bool,
    counts: RepeatCounts,
}

/// All of them, and the counts of those that were looked at.
#[derive(Debug, Default)]
pub(super) struct RepeatedUnits {
    asked: HashMap<(Ordinal, Stage), Asked>,
    counted: BTreeMap<(Stage, RepeatCause, bool, Group), RepeatCounts>,
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
            Some(repeated) => asked(repeated, &definitions.answers(judged)?, kind, definitions.says(judged)?),
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
            if let Some(Asked { cause, first_says, counts }) = self.asked.remove(&(ordinal, stage)) {
                self.counted.entry((stage, cause, first_says, group.clone())).or_default().add(counts);
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

/// What one unit adds; nothing without a first answer, which causes no repeats either.
fn asked(repeated: &Repeated, answers: &[Option<bool>], kind: OutcomeKind, holds: bool) -> Option<Asked> {
    let cause = repeated.cause;
    let (first, further) = answers.split_first()?;
    let first_says = (*first)?;
    let second = further.iter().flatten().next();
    let is_decided = kind.is_usable();
    let flag = u64::from;
    let counts = RepeatCounts {
        units: 1,
        askings: further.len() as u64,
        missing: further.iter().filter(|says| says.is_none()).count() as u64,
        not_cached: repeated.askings.iter().skip(1).filter(|asking| is_not_cached(&asking.outcome)).count() as u64,
        pairs: flag(second.is_some()),
        flips: flag(second.is_some_and(|second| *second != first_says)),
        contradicted: flag(further.iter().flatten().any(|says| *says != first_says)),
        changed: flag(cause.is_of_gate() && is_decided && holds != first_says),
        undecided: flag(cause.is_of_gate() && !is_decided),
    };
    Some(Asked { cause, first_says, counts })
}

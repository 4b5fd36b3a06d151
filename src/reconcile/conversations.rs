//! Whole conversations, where they are what was drawn: which of them are in the sample, and how their turns ended.
//!
//! Units are admitted in one order, and turns of a conversation follow each other in it. So at most one conversation,
//! the last, can have been admitted in part.

use super::unit::UnitState;
use crate::model::event::{Admitted, Ordinal, Part};
use crate::model::tally::ConversationTally;

/// How far admission got.
#[derive(Debug, Default)]
pub(super) struct Reached(Option<(Ordinal, Option<Part>)>);

impl Reached {
    pub(super) fn admitted(&mut self, admitted: &Admitted) {
        if self.0.is_none_or(|(furthest, _)| furthest <= admitted.ordinal) {
            self.0 = Some((admitted.ordinal, admitted.part));
        }
    }

    /// Of so many units that were admitted, after so many known positives, how many at the end are turns of a conversation
    /// that has more.
    pub(super) fn in_part(&self, known: u64, units: usize) -> usize {
        match self.0 {
            Some((last, Some(part))) if !part.is_last() && last.0 + 1 == known + units as u64 => {
                units.min(usize::try_from(part.number).unwrap_or(usize::MAX))
            }
            Some(_) | None => 0,
        }
    }
}

/// The conversation that a walk over the units, in their order, is in.
#[derive(Debug)]
pub(super) struct Walk {
    is_usable: bool,
    is_flagged: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { is_usable: true, is_flagged: false }
    }
}

impl Walk {
    /// Counts the next unit's conversation, if the unit is its last.
    pub(super) fn unit(&mut self, unit: &UnitState, tally: &mut ConversationTally) {
        self.is_usable &= unit.screen().is_some_and(|mark| mark.kind.is_usable());
        self.is_flagged |= unit.is_flagged();
        if unit.ends_conversation() {
            let Self { is_usable, is_flagged } = std::mem::take(self);
            tally.admitted += 1;
            tally.usable += u64::from(is_usable);
            tally.flagged += u64::from(is_flagged);
        }
    }
}

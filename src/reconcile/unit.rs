//! What the fold remembers of every admitted unit: 32 bytes.

use std::num::NonZeroU8;

use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::outcome::OutcomeKind;
use crate::model::review::Route;

/// Stands for a unit's address, `conversation-id#index`, in the join with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Address(u64);

impl Address {
    pub(super) fn of(shown: &str) -> Self {
        Self(Digest::of(shown.as_bytes()).leading_u64())
    }
}

/// How one stage of a unit ended.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "four independent claims about one judgement, a byte each")]
pub(super) struct Mark {
    pub(super) kind: OutcomeKind,
    /// Index into the parsers seen.
    pub(super) parser: u8,
    /// Number of the served model among those seen, from 1; absent where the server did not say.
    pub(super) served: Option<NonZeroU8>,
    /// Whether the stage's definitions hold.
    pub(super) holds: bool,
    pub(super) replayed: bool,
    pub(super) cut: bool,
    pub(super) injection_suspected: bool,
}

/// One unit, as far as events have told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UnitState {
    pub(super) address: Address,
    /// Index into the plan's strata; absent until the unit was admitted.
    pub(super) stratum: Option<u32>,
    pub(super) screen: Option<Mark>,
    pub(super) confirm: Option<Mark>,
    /// Whether it is the last turn of a conversation that was drawn as a whole.
    pub(super) ends_conversation: bool,
}

impl UnitState {
    pub(super) fn mark(&mut self, stage: Stage) -> &mut Option<Mark> {
        match stage {
            Stage::Screen => &mut self.screen,
            Stage::Confirm => &mut self.confirm,
        }
    }

    /// The marks of both stages, as far as they ended. Of a unit that is not flagged any more, what the confirmer said
    /// in an earlier session does not count.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        [self.screen, self.confirm.filter(|_| self.is_flagged())].into_iter().flatten()
    }

    /// Why people may be asked about the unit, if the screen flags it.
    pub(super) fn route(&self) -> Option<Route> {
        let route = match self.confirm.filter(|mark| mark.kind.is_usable()) {
            Some(mark) if mark.holds => Route::Upheld,
            Some(_) => Route::TurnedDown,
            None => Route::Unconfirmed,
        };
        self.is_flagged().then_some(route)
    }

    pub(super) fn is_flagged(&self) -> bool {
        self.screen.is_some_and(|mark| mark.holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_small() {
        assert!(size_of::<UnitState>() <= 32, "{} bytes", size_of::<UnitState>());
    }
}

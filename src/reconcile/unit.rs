//! What the fold remembers of every admitted unit: 20 bytes.

use std::num::{NonZeroU8, NonZeroU32};

use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::outcome::OutcomeKind;
use crate::model::review::Route;
use crate::model::review_id::ReviewId;
use crate::model::unit::Group;

/// Stands for a unit's address, `conversation-id#index`, in the join with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Address([u8; 8]);

impl Address {
    pub(super) fn of(shown: &str) -> Self {
        Self(Digest::of(shown.as_bytes()).leading_u64().to_be_bytes())
    }

    /// The name under which people read the unit of this group without knowing it.
    pub(super) fn review_id(self, group: &Group) -> ReviewId {
        ReviewId::of_address(u64::from_be_bytes(self.0), group)
    }
}

/// How one stage of a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "five independent claims about one judgement, a byte each")]
pub(super) struct Mark {
    pub(super) kind: OutcomeKind,
    /// Index into the parsers seen.
    pub(super) parser: u8,
    /// Number of the served model among those seen, from 1; absent where the server did not say.
    pub(super) served: Option<NonZeroU8>,
    /// Whether the stage takes the unit one step further.
    pub(super) holds: bool,
    pub(super) replayed: bool,
    pub(super) cut: bool,
    pub(super) injection_suspected: bool,
    /// Whether it lacks an asking to be an answer. Of a screen that holds all the same: that was never due, and could flag the
    /// unit.
    pub(super) is_open: bool,
}

/// A mark in four bytes, or none in as many.
#[derive(Debug, Clone, Copy)]
struct Packed {
    kind: OutcomeKind,
    parser: u8,
    served: Option<NonZeroU8>,
    /// A bit for each of [`Mark`]'s claims.
    claims: u8,
}

impl From<Mark> for Packed {
    fn from(mark: Mark) -> Self {
        let Mark { kind, parser, served, holds, replayed, cut, injection_suspected, is_open } = mark;
        let claims = [holds, replayed, cut, injection_suspected, is_open];
        let claims = claims.into_iter().rev().fold(0, |claims, claim| claims << 1 | u8::from(claim));
        Self { kind, parser, served, claims }
    }
}

impl From<Packed> for Mark {
    fn from(Packed { kind, parser, served, claims }: Packed) -> Self {
        let [holds, replayed, cut, injection_suspected, is_open] = [0, 1, 2, 3, 4].map(|bit| claims >> bit & 1 == 1);
        Self { kind, parser, served, holds, replayed, cut, injection_suspected, is_open }
    }
}

/// One unit, as far as events have told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UnitState {
    address: Address,
    /// Twice the index into the plan's strata, from 1, and one more if the unit is the last turn of a conversation that was
    /// drawn as a whole; absent until it was admitted.
    place: Option<NonZeroU32>,
    screen: Option<Packed>,
    confirm: Option<Packed>,
}

impl UnitState {
    pub(super) const fn address(&self) -> Address {
        self.address
    }

    /// Index into the plan's strata; absent until the unit was admitted.
    pub(super) fn stratum(&self) -> Option<u32> {
        self.place.map(|place| place.get() / 2 - 1)
    }

    /// Whether it is the last turn of a conversation that was drawn as a whole.
    pub(super) fn ends_conversation(&self) -> bool {
        self.place.is_some_and(|place| place.get() % 2 == 1)
    }

    pub(super) fn admit(&mut self, address: Address, stratum: u32, ends_conversation: bool) {
        self.address = address;
        self.place = NonZeroU32::new(2 * (stratum + 1) + u32::from(ends_conversation));
    }

    pub(super) fn screen(&self) -> Option<Mark> {
        self.screen.map(Mark::from)
    }

    /// What the confirmer says; nothing while it is open whether the unit is flagged at all.
    pub(super) fn confirm(&self) -> Option<Mark> {
        let is_open = self.screen().is_some_and(|mark| mark.is_open);
        self.confirm.map(Mark::from).filter(|_| !is_open)
    }

    pub(super) fn set(&mut self, stage: Stage, mark: Mark) {
        let place = match stage {
            Stage::Screen => &mut self.screen,
            Stage::Confirm => &mut self.confirm,
        };
        *place = Some(mark.into());
    }

    /// As [`marks`](Self::marks), with their stages.
    pub(super) fn staged(&self) -> impl Iterator<Item = (Stage, Mark)> {
        let confirm = self.confirm().filter(|_| self.is_flagged());
        let stages = [(Stage::Screen, self.screen()), (Stage::Confirm, confirm)];
        stages.into_iter().filter_map(|(stage, mark)| Some((stage, mark?)))
    }

    /// The marks of both stages, as far as they ended. Of a unit that is not flagged any more, what the confirmer said
    /// in an earlier session does not count.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.staged().map(|(_, mark)| mark)
    }

    /// Why people may be asked about the unit, if the screen flags it.
    pub(super) fn route(&self) -> Option<Route> {
        let route = match self.confirm().filter(|mark| mark.kind.is_usable()) {
            Some(mark) if mark.holds => Route::Upheld,
            Some(_) | None if self.addresses_grader() => Route::Addressed,
            Some(_) => Route::TurnedDown,
            None => Route::Unconfirmed,
        };
        self.is_flagged().then_some(route)
    }

    /// Whether a transcript that was graded shows signs of talking to its grader.
    pub(super) fn addresses_grader(&self) -> bool {
        self.marks().any(|mark| mark.injection_suspected)
    }

    pub(super) fn is_flagged(&self) -> bool {
        self.screen().is_some_and(|mark| mark.holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_small() {
        assert!(size_of::<UnitState>() <= 20, "{} bytes", size_of::<UnitState>());
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let claims = (0..32u8).map(|bits| [0, 1, 2, 3, 4].map(|bit| bits >> bit & 1 == 1));
        for [holds, replayed, cut, injection_suspected, is_open] in claims {
            let served = NonZeroU8::new(u8::from(cut) * 255);
            let kind = if holds { OutcomeKind::Graded } else { OutcomeKind::PastDeadline };
            let mark = Mark { kind, parser: 255, served, holds, replayed, cut, injection_suspected, is_open };
            let mut unit = UnitState::default();
            assert!(unit.screen().is_none() && unit.stratum().is_none());
            unit.set(Stage::Screen, mark);
            unit.admit(Address::default(), u32::MAX / 2 - 1, true);
            assert_eq!((unit.screen(), unit.stratum()), (Some(mark), Some(u32::MAX / 2 - 1)));
            assert!(unit.confirm().is_none());
        }
    }
}

//! How much of every unit graders were shown: 8 bytes a unit, and more for the few that reach the second grader, for the
//! one fold that reports it.

use std::collections::HashMap;

use crate::model::context::{ContextTally, WHOLE};
use crate::model::event::Judged;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;

/// What a stage was shown of a unit.
#[derive(Debug, Clone, Copy)]
struct View {
    coverage: u16,
    of_conversation: Option<std::num::NonZeroU16>,
    chunks: u16,
    is_cut: bool,
    /// Nothing was asked: too little would have been visible.
    is_below_floor: bool,
}

impl View {
    fn of(judged: &Judged) -> Self {
        let seen = &judged.seen;
        let has_reply = judged.key.is_some() || judged.chunks.iter().any(|chunk| chunk.key.is_some());
        Self {
            coverage: share(seen.coverage),
            // One more than the share, so that nothing shown is not the same as nothing known.
            of_conversation: seen.of_conversation.and_then(|shown| std::num::NonZeroU16::new(share(shown) + 1)),
            chunks: u16::try_from(judged.chunks.len()).unwrap_or(u16::MAX),
            is_cut: seen.cut,
            is_below_floor: judged.outcome.kind() == OutcomeKind::CannotJudge && !has_reply && seen.coverage < 1.0,
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10,000")]
fn share(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * f64::from(WHOLE)).round() as u16
}

/// Views by the position of their unit; nothing where nobody asks for them.
#[derive(Debug, Default)]
pub(super) struct Views {
    screened: Vec<Option<View>>,
    confirmed: HashMap<u64, View>,
    is_off: bool,
}

/// How a stage of a unit ended, as far as it is counted here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) stage: Stage,
    pub(super) kind: OutcomeKind,
    pub(super) holds: bool,
}

impl Views {
    /// Remembers nothing.
    pub(super) fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    /// What the newest ending of a stage says, of a unit among so many.
    pub(super) fn set(&mut self, (position, planned): (u64, u64), judged: &Judged) {
        let Some(index) = usize::try_from(position).ok().filter(|_| !self.is_off) else { return };
        let view = View::of(judged);
        match judged.stage {
            Stage::Confirm => {
                self.confirmed.insert(position, view);
            }
            Stage::Screen => {
                if self.screened.len() <= index {
                    // All of them will be needed in the end, and growing by doubling takes three times that.
                    let missing = planned.saturating_sub(self.screened.len() as u64);
                    self.screened.try_reserve_exact(usize::try_from(missing).unwrap_or_default()).ok();
                    self.screened.resize(index + 1, None);
                }
                self.screened[index] = Some(view);
            }
        }
    }

    fn of(&self, position: u64, stage: Stage) -> Option<View> {
        match stage {
            Stage::Screen => self.screened.get(usize::try_from(position).ok()?).copied().flatten(),
            Stage::Confirm => self.confirmed.get(&position).copied(),
        }
    }

    /// Counts one stage of one unit.
    pub(super) fn count(&self, position: u64, ended: Ended, tally: &mut ContextTally) {
        let Some(view) = self.of(position, ended.stage) else { return };
        let row = tally.outcomes.entry(ended.kind).or_default();
        row.units += 1;
        row.cut += u64::from(view.is_cut);
        row.coverage += u64::from(view.coverage);
        row.least = Some(row.least.map_or(view.coverage, |least| least.min(view.coverage)));
        if let Some(shown) = view.of_conversation {
            row.measured += 1;
            row.of_conversation += u64::from(shown.get() - 1);
        }
        tally.below_floor += u64::from(view.is_below_floor);
        let chunks = tally.by_chunks.entry(view.chunks).or_default();
        let is_usable = ended.kind.is_usable();
        chunks.units += 1;
        chunks.usable += u64::from(is_usable);
        chunks.holds += u64::from(is_usable && ended.holds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{JudgedChunk, Ordinal, Seen};
    use crate::model::hash::Digest;
    use crate::model::outcome::Outcome;

    fn judged(outcome: Outcome, key: Option<Digest>, chunks: usize, coverage: f64) -> Judged {
        let chunk = JudgedChunk { outcome: Outcome::CannotJudge, key };
        Judged {
            ordinal: Ordinal(0),
            stage: Stage::Screen,
            outcome,
            key,
            parser: 1,
            replayed: false,
            partly_replayed: false,
            served: None,
            seen: Seen { messages: vec![0], coverage, cut: coverage < 1.0, of_conversation: Some(coverage / 2.0) },
            chunks: vec![chunk; chunks],
            injection_suspected: false,
            repeated: None,
        }
    }

    #[test]
    fn a_view_is_small() {
        assert!(size_of::<Option<View>>() <= 8, "{} bytes", size_of::<Option<View>>());
    }

    #[test]
    fn the_newest_ending_counts_once_and_what_was_not_asked_is_told_apart() {
        let (mut views, mut tally) = (Views::default(), ContextTally::default());
        let key = Some(Digest::of(b"reply"));
        views.set((0, 3), &judged(Outcome::CannotJudge, None, 0, 0.25));
        views.set((0, 3), &judged(Outcome::CannotJudge, key, 0, 0.75));
        views.set((1, 3), &judged(Outcome::CannotJudge, None, 0, 0.5));
        views.set((2, 3), &judged(Outcome::Refused, key, 3, 1.0));
        let kinds = [OutcomeKind::CannotJudge, OutcomeKind::CannotJudge, OutcomeKind::Refused];
        for (position, kind) in (0..).zip(kinds) {
            views.count(position, Ended { stage: Stage::Screen, kind, holds: false }, &mut tally);
        }
        views.count(9, Ended { stage: Stage::Screen, kind: OutcomeKind::Graded, holds: true }, &mut tally);
        let row = tally.outcomes[&OutcomeKind::CannotJudge];
        assert_eq!((row.units, row.cut, row.coverage, row.least), (2, 2, 12_500, Some(5_000)));
        assert_eq!((row.measured, row.of_conversation), (2, 6_250));
        assert_eq!((tally.below_floor, tally.outcomes.len()), (1, 2));
        assert_eq!(tally.by_chunks.keys().copied().collect::<Vec<_>>(), [0, 3]);
        assert_eq!(tally.by_chunks[&3].usable, 0, "a refusal is no verdict");
    }

    #[test]
    fn what_is_off_remembers_nothing() {
        let (mut views, mut tally) = (Views::off(), ContextTally::default());
        views.set((0, 1), &judged(Outcome::Refused, None, 0, 1.0));
        views.count(0, Ended { stage: Stage::Screen, kind: OutcomeKind::Refused, holds: false }, &mut tally);
        assert_eq!(tally, ContextTally::default());
    }
}

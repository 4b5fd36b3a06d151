//! Whole conversations in the fold.

use proptest::prelude::*;

use super::{Definitions, Fold};
use crate::model::bucket::Bucket;
use crate::model::event::{Event, Planned};
use crate::model::fixture::{admitted_part, graded, judged, label, opened, planned, unit};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::label::Decision;
use crate::model::outcome::Outcome;
use crate::model::tally::{ConversationTally, Tally};
use crate::model::unit::UnitKind;
use crate::model::verdict::Judgement::{Absent, Present};

/// A plan that draws 3 of 4 conversations, with 6 of their 9 turns.
fn plan() -> Planned {
    let mut plan = planned(&[("core", "rl", 9, 6)]);
    plan.sample_by = UnitKind::Conversation;
    (plan.strata[0].conversations, plan.strata[0].conversations_planned) = (4, Some(3));
    plan
}

/// `a` of one turn, `b` of two, `c` of three: every turn admitted and graded, those of `b` flagged and upheld.
fn events() -> Vec<Event> {
    let parts = [("a", (1, 1)), ("b", (1, 2)), ("b", (2, 2)), ("c", (1, 3)), ("c", (2, 3)), ("c", (3, 3))];
    let mut events = Vec::new();
    for (ordinal, (conversation, part)) in (0..).zip(parts) {
        events.push(admitted_part(ordinal, 0, conversation, part));
        let verdict = if conversation == "b" { Present } else { Absent };
        events.push(Event::Judged(Box::new(judged(ordinal, Stage::Screen, graded(verdict)))));
        if verdict == Present {
            events.push(Event::Judged(Box::new(judged(ordinal, Stage::Confirm, graded(Present)))));
        }
    }
    events
}

fn fold(events: &[Event]) -> Tally {
    let mut fold = Fold::new(Definitions::plain(true));
    fold.event(&opened(0));
    fold.event(&Event::Planned(Box::new(plan())));
    for event in events {
        fold.event(event);
    }
    fold.label(&label("b#3", "ana", Decision::Yes, 1));
    fold.finish().unwrap()
}

fn conversations(tally: &Tally) -> ConversationTally {
    tally.strata[0].conversations.unwrap()
}

#[test]
fn conversations_are_counted_beside_their_turns() {
    let tally = fold(&events());
    let expected = ConversationTally { frame: 4, planned: 3, admitted: 3, usable: 3, flagged: 1 };
    assert_eq!((conversations(&tally), tally.set_back), (expected, 0));
    assert_eq!(tally.strata[0].buckets.total(), 9);

    let mut refused = events();
    refused.push(Event::Judged(Box::new(judged(1, Stage::Screen, Outcome::Refused))));
    assert_eq!(conversations(&fold(&refused)), ConversationTally { usable: 2, ..expected });
}

#[test]
fn a_conversation_that_admission_closed_within_is_not_admitted() {
    // The second turn of `b` was never admitted: what was found in its first turn counts nowhere.
    let cut: Vec<_> = events().into_iter().take(4).collect();
    let tally = fold(&cut);
    let expected = ConversationTally { frame: 4, planned: 3, admitted: 1, usable: 1, flagged: 0 };
    assert_eq!((conversations(&tally), tally.set_back), (expected, 1));
    let buckets = &tally.strata[0].buckets;
    assert_eq!((buckets.count(Bucket::is_admitted), buckets.count(|bucket| *bucket == Bucket::NotAdmitted)), (1, 5));
    assert_eq!((tally.screen.reached(), tally.confirm.as_ref().unwrap().reached()), (1, 0));
    assert!(tally.confirmed.is_empty() && !tally.is_complete());
}

#[test]
fn a_unit_has_the_cluster_it_was_admitted_with_or_its_conversation() {
    let clusters = |cluster| {
        let mut with = events();
        for event in &mut with {
            if let Event::Admitted(admitted) = event {
                admitted.cluster = cluster;
            }
        }
        fold(&with).confirmed.into_iter().map(|unit| unit.cluster).collect::<Vec<_>>()
    };
    let user = Digest::of(b"user");
    assert_eq!(clusters(Some(user)), [user; 2]);
    assert_eq!(clusters(None), [unit("rl", "b", 1).conversation_key(); 2]);
}

proptest! {
    /// Wherever a run is cut, what counts as admitted is whole conversations, and the stratum's buckets hold its turns.
    #[test]
    fn every_cut_leaves_whole_conversations(cut in 0_usize..15, order in any::<prop::sample::Index>()) {
        let mut events = events();
        events.truncate(cut);
        let tally = fold(&events);
        let sizes = [0, 1, 3, 6];
        let admitted = tally.strata[0].buckets.count(Bucket::is_admitted);
        let whole = usize::try_from(conversations(&tally).admitted).unwrap();
        prop_assert_eq!(admitted, sizes[whole]);
        prop_assert_eq!(tally.strata[0].buckets.total(), 9);
        let told = events.iter().filter(|event| matches!(event, Event::Admitted(_))).count() as u64;
        prop_assert_eq!(told, admitted + tally.set_back);
        // Told twice, from anywhere: a resume walks all units again.
        if !events.is_empty() {
            let again = order.index(events.len());
            let twice = [&events[again..], &events[..]].concat();
            prop_assert_eq!(fold(&twice), tally);
        }
    }
}

//! Joins of small journals with labels, and what holds of every join.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Joined, Row, Truth, Truths, join};
use crate::model::event::{Admitted, Event, Ordinal};
use crate::model::fixture::{graded, group, judged, unit};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::label::Label;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::verdict::Judgement::{Absent, Present};
use crate::reconcile::diff::Standing;
use crate::reconcile::{Definitions, FoldError};

fn label(unit: &str, decision: &str, seat: &str, hour: u32) -> Label {
    let line = format!(
        r#"{{"unit":"{unit}","decision":"{decision}","seat":"{seat}","at":"2026-11-23T{hour:02}:00:00Z","behaviour":"b"}}"#
    );
    Label::from_line(&line).unwrap()
}

fn truths(labels: &[Label]) -> Truths {
    let mut truths = Truths::default();
    for label in labels {
        truths.add(label);
    }
    truths
}

/// The units `c-<number>#0` of a group, each with how its stages ended.
fn events(units: &[(&str, u64, Option<Outcome>, Option<Outcome>)]) -> Vec<Event> {
    let mut events = Vec::new();
    for (ordinal, (value, number, screen, confirm)) in (0..).zip(units) {
        let (unit, content) = (unit(value, &format!("c-{number}"), 0), Digest::of(&number.to_le_bytes()));
        let ordinal = Ordinal(ordinal);
        events.push(Event::Admitted(Admitted { ordinal, unit, stratum: Some(0), content, cluster: None, part: None }));
        for (stage, outcome) in [(Stage::Screen, screen), (Stage::Confirm, confirm)] {
            events.extend(outcome.clone().map(|outcome| Event::Judged(Box::new(judged(ordinal.0, stage, outcome)))));
        }
    }
    events
}

fn joined(truths: &Truths, has_confirmer: bool, set_back: u64, events: Vec<Event>) -> Joined {
    let events = events.into_iter().map(Ok::<_, FoldError>);
    join(truths, &Definitions::plain(has_confirmer), set_back, events).unwrap()
}

#[test]
fn what_was_not_graded_is_no_answer() {
    let labels = ["c-0#0", "c-1#0", "c-2#0", "c-3#0", "c-9#0"].map(|unit| label(unit, "yes", "ana", 1));
    let units = [
        ("rl", 0, Some(graded(Present)), None),
        ("rl", 1, Some(Outcome::Refused), None),
        ("rl", 2, None, None),
        ("rl", 3, Some(graded(Absent)), Some(graded(Present))),
        ("rl", 4, Some(graded(Present)), None),
    ];
    let found = joined(&truths(&labels), true, 0, events(&units));
    let mut standings: Vec<_> = found.rows.iter().map(|row| (row.screen, row.confirm.unwrap())).collect();
    standings.sort();
    let refused = Standing::Undecided(OutcomeKind::Refused);
    let mut wanted = [
        (Standing::Decided(true), Standing::Unfinished),
        (refused, refused),
        (Standing::Unfinished, Standing::Unfinished),
        (Standing::Decided(false), Standing::Decided(false)),
        (Standing::NotAdmitted, Standing::NotAdmitted),
    ];
    wanted.sort();
    assert_eq!(standings, wanted, "unit 4 has no label and is nowhere");
    assert!(joined(&truths(&labels), false, 0, events(&units)).rows.iter().all(|row| row.confirm.is_none()));
    let set_back = joined(&truths(&labels), true, 2, events(&units)).rows;
    assert_eq!(set_back.iter().filter(|row| row.screen == Standing::NotAdmitted).count(), 2, "unit 3 was set back");
}

#[test]
fn seats_are_heard_as_in_a_report() {
    let labels = [
        label("c-0#0", "yes", "ana", 1),
        label("c-0#0", "no", "ana", 2),
        label("c-1#0", "yes", "ana", 1),
        label("c-1#0", "no", "bo", 1),
        label("c-2#0", "unsure", "ana", 1),
        label("c-3#0", "unsure", "ana", 1),
        label("c-3#0", "yes", "bo", 1),
    ];
    let units = [0, 1, 2, 3].map(|number| ("rl", number, Some(graded(Absent)), None));
    let rows = joined(&truths(&labels), false, 0, events(&units)).rows;
    let found: Vec<_> = rows.iter().map(|row| row.truth).collect();
    assert_eq!(found, [Truth::No, Truth::Disputed, Truth::Undecided, Truth::Yes]);
}

#[test]
fn an_address_in_two_groups_needs_its_group() {
    let named = Label { group: Some(group("late")), ..label("c-0#0", "yes", "ana", 1) };
    let labels = [named, label("c-0#0", "no", "bo", 1)];
    let two = [("early", 0, Some(graded(Absent)), None), ("late", 0, Some(graded(Present)), None)];
    let rows = joined(&truths(&labels), false, 0, events(&two)).rows;
    let found: Vec<_> = rows.iter().map(|row| (row.truth, row.screen, row.is_ambiguous)).collect();
    let wanted = [(Truth::No, Standing::NotAdmitted, true), (Truth::Yes, Standing::Decided(true), false)];
    assert_eq!(found, wanted);
    // Where there is one such unit, everybody speaks of it.
    let rows = joined(&truths(&labels), false, 0, events(&two[1..])).rows;
    assert_eq!(rows.iter().map(|row| row.truth).collect::<Vec<_>>(), [Truth::Disputed]);
}

#[test]
fn items_with_their_text_find_the_unit_that_has_it() {
    let content = |number: u64| Digest::of(&number.to_le_bytes());
    let mut truths = Truths::default();
    truths.add_text(content(0), Truth::Yes, BTreeSet::from(["M1".to_owned()]), BTreeSet::new());
    truths.add_text(content(1), Truth::No, BTreeSet::new(), BTreeSet::from(["N2".to_owned()]));
    truths.add_text(content(1), Truth::Yes, BTreeSet::new(), BTreeSet::new());
    truths.add_text(content(7), Truth::No, BTreeSet::new(), BTreeSet::new());
    let units = [("rl", 0, Some(graded(Present)), None), ("rl", 0, Some(graded(Absent)), None), ("rl", 1, None, None)];
    let rows = joined(&truths, false, 0, events(&units)).rows;
    let of = |truth: Truth| rows.iter().filter(|row| row.truth == truth).collect::<Vec<_>>();
    assert_eq!((rows.len(), of(Truth::Disputed).len()), (3, 1), "two items with one text disagree");
    assert_eq!(of(Truth::Yes)[0].screen, Standing::Decided(true), "of copies the first one speaks");
    assert_eq!((of(Truth::Yes)[0].score, of(Truth::No)[0].screen), (Some(90), Standing::NotAdmitted));
}

proptest! {
    #[test]
    fn every_labelled_unit_is_in_one_row(
        labels in prop::collection::vec((0..12_u64, 0..4_usize, 0..3_usize, 0..5_u32), 1..40),
        graded_as in prop::collection::vec(0..4_usize, 0..12),
        set_back in 0..4_u64,
    ) {
        let decisions = ["yes", "no", "unsure", "cannot_judge"];
        let labels: Vec<Label> = labels
            .into_iter()
            .map(|(unit, decision, seat, hour)| label(&format!("c-{unit}#0"), decisions[decision], ["a", "b", "c"][seat], hour))
            .collect();
        let outcomes = [Some(graded(Present)), Some(graded(Absent)), Some(Outcome::Truncated), None];
        let units: Vec<_> =
            (0..).zip(graded_as).map(|(number, outcome)| ("rl", number, outcomes[outcome].clone(), None)).collect();
        let rows = joined(&truths(&labels), true, set_back, events(&units)).rows;
        let distinct: BTreeSet<_> = labels.iter().map(|label| label.unit.as_str()).collect();
        prop_assert_eq!(rows.len(), distinct.len());
        let is_scored = |row: &Row| row.score.is_some() == matches!(row.screen, Standing::Decided(_));
        prop_assert!(rows.iter().all(is_scored), "{:?}", rows);
    }
}

//! The fold over small journals, and its algebra over random ones.

use proptest::prelude::*;

use super::{Definitions, Fold, FoldError};
use crate::model::anchor::{AnchorLabel, AnchorPlan, AnchorVisit};
use crate::model::bucket::Bucket;
use crate::model::event::{Ending, Event, Judged, JudgedChunk, Planned, Settled, StopReason};
use crate::model::fixture::{
    admitted, closed, graded, group, judged, label, opened, planned, replied, sent, settled, unit,
};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::label::{Decision, Label};
use crate::model::money::NanoUsd;
use crate::model::outcome::{FailureKind, Outcome, OutcomeKind};
use crate::model::rate::Decider;
use crate::model::review::Route;
use crate::model::tally::Tally;
use crate::model::unit::UnitKind;
use crate::model::verdict::Finding;
use crate::model::verdict::Judgement::{self, Absent, Present, Suspected};

fn fold_with(has_confirmer: bool, events: &[Event], labels: &[Label]) -> Result<Tally, FoldError> {
    let mut fold = Fold::new(Definitions::plain(has_confirmer));
    for event in events {
        fold.event(event);
    }
    for label in labels {
        fold.label(label);
    }
    fold.finish()
}

fn fold(events: &[Event], labels: &[Label]) -> Tally {
    fold_with(true, events, labels).unwrap()
}

fn screened(ordinal: u64, verdict: Judgement) -> Event {
    Event::Judged(Box::new(judged(ordinal, Stage::Screen, graded(verdict))))
}

fn confirmed(ordinal: u64, verdict: Judgement) -> Event {
    Event::Judged(Box::new(judged(ordinal, Stage::Confirm, graded(verdict))))
}

/// A plan of four units of six, the first three of them admitted, none judged.
fn begun() -> Vec<Event> {
    let mut events = vec![opened(0), Event::Planned(Box::new(planned(&[("core", "rl", 6, 4)])))];
    events.extend((0..3_u32).map(|n| admitted(u64::from(n), 0, unit("rl", "c", n))));
    events
}

fn units_in(tally: &Tally, bucket: &Bucket) -> u64 {
    tally.strata[0].buckets.count(|other| other == bucket)
}

#[test]
fn every_unit_of_the_corpus_has_a_place() {
    let mut events = begun();
    events.extend([screened(0, Absent), screened(1, Suspected), confirmed(1, Present)]);
    let tally = fold(&events, &[]);
    let by = Decider::Grader;
    for bucket in [Bucket::Cleared, Bucket::Confirmed { by }, Bucket::Unfinished, Bucket::NotAdmitted] {
        assert_eq!(units_in(&tally, &bucket), 1, "{bucket:?}");
    }
    assert_eq!(units_in(&tally, &Bucket::NotPlanned), 2);
    assert_eq!(tally.confirmed[0].unit, unit("rl", "c", 1));
    assert!(!tally.is_complete());
}

#[test]
fn missing_verdicts_are_neither_yes_nor_no() {
    let mut events = begun();
    let refused = |ordinal, stage| Event::Judged(Box::new(judged(ordinal, stage, Outcome::Refused)));
    events.extend([refused(0, Stage::Screen), screened(1, Present), refused(1, Stage::Confirm), screened(2, Present)]);
    let tally = fold(&events, &[]);
    assert_eq!(units_in(&tally, &Bucket::Ungraded(OutcomeKind::Refused)), 1);
    assert_eq!(units_in(&tally, &Bucket::Pending), 2);
    assert_eq!(tally.ungraded(), 3);
}

#[test]
fn what_talks_to_its_grader_goes_to_people_whatever_graders_say() {
    let talks = |ordinal, stage| {
        let judged = Judged { injection_suspected: true, ..judged(ordinal, stage, graded(Absent)) };
        Event::Judged(Box::new(judged))
    };
    let mut events = begun();
    events.extend([talks(0, Stage::Screen), talks(0, Stage::Confirm), screened(1, Absent), talks(2, Stage::Screen)]);
    for has_confirmer in [true, false] {
        let tally = fold_with(has_confirmer, &events, &[]).unwrap();
        assert_eq!((units_in(&tally, &Bucket::Cleared), units_in(&tally, &Bucket::Pending)), (1, 2));
        let cell = tally.strata[0].cells[&Route::Addressed];
        assert_eq!((cell.units, cell.drawn, tally.queue.len()), (2, 2, 2), "all of them are read");
    }
    let tally = fold(&events, &[label("c#0", "ana", Decision::Yes, 1), label("c#2", "ana", Decision::No, 1)]);
    assert_eq!(units_in(&tally, &Bucket::Confirmed { by: Decider::People }), 1);
    assert_eq!(tally.strata[0].cells[&Route::Addressed].confirmed, 1);
}

#[test]
fn without_a_confirmer_flagged_units_wait_for_people() {
    let mut events = begun();
    events.extend([screened(0, Present), screened(1, Present)]);
    let labels = [label("c#1", "ana", Decision::Yes, 1)];
    let tally = fold_with(false, &events, &labels).unwrap();
    assert_eq!(units_in(&tally, &Bucket::Pending), 1);
    assert_eq!(units_in(&tally, &Bucket::Confirmed { by: Decider::People }), 1);
    assert_eq!(tally.confirm, None);
}

#[test]
fn people_outrank_the_confirmer_and_can_contradict_each_other() {
    let mut events = begun();
    events.extend((0..3).flat_map(|n| [screened(n, Present), confirmed(n, Present)]));
    let reason = Some("N6".to_owned());
    let labels = [
        label("c#0", "ana", Decision::Yes, 1),
        Label { code: reason.clone(), ..label("c#0", "ana", Decision::No, 2) },
        label("c#0", "bo", Decision::Unsure, 3),
        label("c#1", "ana", Decision::Yes, 1),
        label("c#1", "bo", Decision::No, 1),
        label("c#2", "ana", Decision::Unsure, 1),
    ];
    let tally = fold(&events, &labels);
    assert_eq!(units_in(&tally, &Bucket::Rejected { by: Decider::People, code: reason }), 1);
    assert_eq!(units_in(&tally, &Bucket::Disputed), 1);
    assert_eq!(units_in(&tally, &Bucket::Confirmed { by: Decider::Grader }), 1);
    assert_eq!(tally.labels.decided, 2);
}

#[test]
fn labels_that_fit_nothing_are_counted_and_not_used() {
    let plan = planned(&[("core", "rl", 2, 1), ("core", "sft", 2, 1)]);
    let events = [
        Event::Planned(Box::new(plan)),
        admitted(0, 0, unit("rl", "c", 0)),
        admitted(1, 1, unit("sft", "c", 0)),
        screened(0, Present),
        screened(1, Absent),
    ];
    let labels = [
        label("c#0", "ana", Decision::Yes, 1),
        Label { group: Some(group("sft")), ..label("c#0", "bo", Decision::Yes, 1) },
        Label { behaviour: "other".to_owned(), ..label("c#0", "ana", Decision::No, 2) },
        Label { definition: Some("loose".to_owned()), ..label("c#0", "ana", Decision::No, 2) },
        label("gone#9", "ana", Decision::Yes, 1),
    ];
    let mut fold = Fold::new(Definitions::plain(true));
    for event in &events {
        fold.event(event);
    }
    for label in &labels {
        fold.label(label);
    }
    fold.label_line("labels/ana.jsonl:7", "{}");
    let tally = fold.finish().unwrap();
    let counts = &tally.labels;
    assert_eq!((counts.decided, counts.beyond_flagged), (0, 1));
    assert_eq!((counts.unmatched, counts.ambiguous, counts.foreign, counts.malformed), (1, 1, 2, 1));
    assert!(counts.examples[0].starts_with("labels/ana.jsonl:7: not a label at column 2"), "{:?}", counts.examples);
    assert_eq!(units_in(&tally, &Bucket::Pending), 1);
}

#[test]
fn the_confirmers_exclusion_is_the_reason_of_a_rejection() {
    let mut events = begun();
    let mut outcome = graded(Absent);
    if let Outcome::Graded { finding } = &mut outcome {
        finding.exclusions.insert("N2".to_owned());
    }
    events.extend([screened(0, Present), Event::Judged(Box::new(judged(0, Stage::Confirm, outcome)))]);
    let bucket = Bucket::Rejected { by: Decider::Grader, code: Some("N2".to_owned()) };
    assert_eq!(units_in(&fold(&events, &[]), &bucket), 1);
}

#[test]
fn a_resume_tells_the_same_again_and_the_last_word_counts() {
    let mut events = begun();
    let timeout = Outcome::Failed { failure: FailureKind::Timeout };
    events.extend([screened(0, Absent), Event::Judged(Box::new(judged(1, Stage::Screen, timeout)))]);
    let before = fold(&events, &[]);
    assert_eq!(units_in(&before, &Bucket::Ungraded(OutcomeKind::Failed)), 1);
    let mut resumed = events.clone();
    let raised = Planned { cap: Some(NanoUsd(9)), ..planned(&[("core", "rl", 6, 4)]) };
    resumed.extend(begun());
    resumed.push(Event::Planned(Box::new(raised)));
    let replayed = Judged { replayed: true, parser: 2, ..judged(0, Stage::Screen, graded(Absent)) };
    let retried = Judged { parser: 2, ..judged(1, Stage::Screen, graded(Present)) };
    resumed.extend([Event::Judged(Box::new(replayed)), Event::Judged(Box::new(retried))]);
    let after = fold(&resumed, &[]);
    assert_eq!((after.sessions.count, after.parser, after.requests.replayed), (2, Some(2), 1));
    assert_eq!(units_in(&after, &Bucket::Pending), 1);
    assert_eq!(units_in(&after, &Bucket::Ungraded(OutcomeKind::Failed)), 0);
    assert_eq!(after.plan.cap, Some(NanoUsd(9)));
}

#[test]
fn visits_that_were_made_stay_whatever_the_audit_says_later() {
    let plan =
        |anchors: Option<AnchorPlan>| Event::Planned(Box::new(Planned { anchors, ..planned(&[("core", "rl", 6, 4)]) }));
    let anchors = AnchorPlan { anchors: 1, draws: 8, rate: 0.5, baseline: 8 };
    let visit = AnchorVisit {
        number: 0,
        draw: 0,
        content: Digest::of(b"anchor"),
        label: AnchorLabel::Positive,
        now: Some(false),
        then: Some(true),
        served: None,
        served_then: None,
    };
    let Event::Settled(told) = settled(0, Ending::Replied { usage: None }, NanoUsd(1)) else { panic!("it settles") };
    let visited = Event::Settled(Settled { anchor: Some(Box::new(visit)), ..told });
    let anchored = [opened(0), plan(Some(anchors.clone()))];
    let without = [opened(1), plan(None)];
    let after = |events: &[Event]| fold(events, &[]).plan.anchors;
    let visits = [&anchored[..], std::slice::from_ref(&visited), &without].concat();
    assert_eq!((after(&visits), fold(&visits, &[]).visits.pairs().count()), (Some(anchors), 1));
    assert_eq!(after(&[anchored, without].concat()), None, "none was made");
}

#[test]
fn what_the_confirmer_said_of_a_unit_that_is_cleared_now_does_not_count() {
    let mut events = begun();
    events.extend([screened(0, Present), confirmed(0, Present)]);
    let cleared = Judged { parser: 2, ..judged(0, Stage::Screen, graded(Absent)) };
    events.extend([opened(1), Event::Judged(Box::new(cleared))]);
    let tally = fold(&events, &[]);
    assert_eq!((units_in(&tally, &Bucket::Cleared), tally.parser), (1, Some(2)), "no mixture with the stale verdict");
}

#[test]
fn without_a_confirmer_no_definition_clears_what_the_screen_flags() {
    let mut fold = Fold::new(Definitions::counting(r#"outcome == "graded""#, false));
    let Outcome::Graded { finding } = graded(Present) else { panic!("a graded outcome") };
    let unverified = judged(0, Stage::Screen, Outcome::EvidenceUnverified { finding });
    begun().iter().chain([&Event::Judged(Box::new(unverified))]).for_each(|event| fold.event(event));
    assert_eq!(units_in(&fold.finish().unwrap(), &Bucket::Pending), 1);
}

#[test]
fn attempts_count_once_and_open_ones_at_their_bound() {
    let mut events = begun();
    let unknown = settled(2, Ending::Unknown { failure: FailureKind::Timeout }, NanoUsd(5_000_000));
    events.extend([sent(0, 0, Stage::Screen), replied(0), replied(0), sent(1, 1, Stage::Screen)]);
    events.extend([sent(2, 2, Stage::Screen), unknown, sent(3, 2, Stage::Screen), replied(3)]);
    events.push(opened(1));
    let mut repeated = sent(4, 1, Stage::Screen);
    if let Event::Sent(sent) = &mut repeated {
        sent.repeated = true;
    }
    events.push(repeated);
    let tally = fold(&events, &[]);
    let requests = tally.requests;
    assert_eq!((requests.sent, requests.retried, requests.repeated), (5, 1, 1));
    assert_eq!((tally.spend.total, tally.spend.presumed), (NanoUsd(17_000_000), NanoUsd(15_000_000)));
    assert_eq!(tally.spend.usage.prompt_tokens, 2_000);
}

#[test]
fn a_run_is_complete_when_it_ended_and_enough_is_graded() {
    let strata = [("core", "rl", 3, 3)];
    let mut events = begun();
    events[1] = Event::Planned(Box::new(planned(&strata)));
    events.extend((0..3).map(|n| screened(n, Absent)));
    assert!(!fold(&events, &[]).is_complete(), "not closed");
    events.push(closed(StopReason::Finished, 9));
    assert!(fold(&events, &[]).is_complete());
    let refused = Event::Judged(Box::new(judged(2, Stage::Screen, Outcome::Refused)));
    assert!(!fold(&[events.clone(), vec![refused]].concat(), &[]).is_complete(), "a third is ungraded");
    assert!(!fold(&[events, vec![opened(10)]].concat(), &[]).is_complete(), "resumed and killed");
}

#[test]
fn contradictions_are_refused() {
    let refusal = |more: Vec<Event>| fold_with(true, &[begun(), more].concat(), &[]).unwrap_err();
    let other = Planned { identity: Digest::of(b"other"), ..planned(&[]) };
    assert!(matches!(refusal(vec![Event::Planned(Box::new(other))]), FoldError::MixedPlans { .. }));
    let newer = Judged { parser: 2, ..judged(1, Stage::Screen, graded(Absent)) };
    let mixed = refusal(vec![screened(0, Absent), Event::Judged(Box::new(newer))]);
    assert!(matches!(mixed, FoldError::MixedParsers(versions) if versions == [1, 2]));
    let older = Judged { parser: 0, ..judged(1, Stage::Screen, graded(Absent)) };
    assert!(matches!(refusal(vec![Event::Judged(Box::new(older))]), FoldError::OlderParser(0)));
    assert!(matches!(refusal(vec![screened(3, Absent)]), FoldError::NotAdmitted(_)));
    assert!(matches!(refusal(vec![screened(u64::MAX, Absent)]), FoldError::OutsidePlan(_)));
    assert!(matches!(refusal(vec![admitted(0, 0, unit("rl", "d", 0))]), FoldError::Reassigned(_)));
    assert!(matches!(refusal(vec![admitted(3, 1, unit("rl", "c", 3))]), FoldError::OutsidePlan(_)));
    assert!(matches!(fold_with(true, &[opened(0)], &[]), Err(FoldError::NoPlan)));
    let mut leaking = planned(&[("core", "rl", 6, 4)]);
    leaking.corpus.turns += 1;
    let leak = fold_with(true, &[Event::Planned(Box::new(leaking))], &[]);
    assert!(matches!(leak, Err(FoldError::Leak { strata: 6, corpus: 7, unit: UnitKind::Turn })));
    let small = planned(&[("core", "rl", 1, 2)]);
    let over = fold_with(true, &[Event::Planned(Box::new(small))], &[]);
    assert!(matches!(over, Err(FoldError::OverPlanned { .. })));
}

/// One unit of a random journal: its stratum, how far it came, and what people say.
type Spec = (u32, Option<(u8, Option<u8>)>, Vec<u8>);

fn outcome(choice: u8) -> Outcome {
    match choice % 8 {
        0 => graded(Present),
        1 => graded(Suspected),
        2 | 3 => graded(Absent),
        4 => Outcome::Refused,
        5 => Outcome::Failed { failure: FailureKind::Server },
        6 => Outcome::Truncated,
        _ => Outcome::OverBudget,
    }
}

fn journal(specs: &[Spec]) -> (Vec<Event>, Vec<Label>) {
    let (mut events, mut labels) = (Vec::new(), Vec::new());
    for (index, (stratum, stages, decisions)) in specs.iter().enumerate() {
        let ordinal = index as u64;
        let value = ["rl", "sft"][*stratum as usize % 2];
        let turn = u32::try_from(index).unwrap();
        events.push(admitted(ordinal, *stratum, unit(value, "c", turn)));
        events.extend([sent(ordinal, ordinal, Stage::Screen), replied(ordinal)]);
        if let Some((screen, confirm)) = stages {
            events.push(Event::Judged(Box::new(judged(ordinal, Stage::Screen, outcome(*screen)))));
            let confirm = confirm.map(|choice| judged(ordinal, Stage::Confirm, outcome(choice)));
            events.extend(confirm.map(|judged| Event::Judged(Box::new(judged))));
        }
        for (seat, choice) in ["ana", "bo", "cy"].iter().zip(decisions) {
            let decision = [Decision::Yes, Decision::No, Decision::Unsure][usize::from(*choice) % 3];
            labels.push(label(&format!("c#{turn}"), seat, decision, 1));
        }
    }
    (events, labels)
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let stages = proptest::option::weighted(0.9, (any::<u8>(), proptest::option::of(any::<u8>())));
    proptest::collection::vec((0..4_u32, stages, proptest::collection::vec(any::<u8>(), 0..3)), 0..40)
}

proptest! {
    #[test]
    fn what_went_in_equals_the_sum_of_the_buckets_in_any_order(
        ((events, labels), shuffled) in specs().prop_map(|specs| journal(&specs)).prop_flat_map(|(events, labels)| {
            (Just((events.clone(), labels)), Just(events).prop_shuffle())
        }),
    ) {
        let strata = [("core", "rl", 90, 60), ("core", "sft", 50, 50), ("none", "rl", 900, 70), ("none", "sft", 80, 40)];
        let begin = vec![opened(0), Event::Planned(Box::new(planned(&strata)))];
        let tally = fold(&[begin.clone(), events.clone()].concat(), &labels);
        for (stratum, (_, _, units, planned)) in tally.strata.iter().zip(strata) {
            prop_assert_eq!(stratum.buckets.total(), units);
            prop_assert_eq!(stratum.buckets.count(Bucket::is_planned), planned);
        }
        let all = tally.buckets(None);
        prop_assert_eq!(tally.screen.reached(), all.count(Bucket::is_admitted));
        prop_assert_eq!(tally.confirm.as_ref().unwrap().reached(), all.count(Bucket::is_flagged));
        prop_assert_eq!(tally.confirmed.len() as u64, all.count(|bucket| matches!(bucket, Bucket::Confirmed { .. })));

        let other_order = fold(&[begin.clone(), shuffled].concat(), &labels);
        prop_assert_eq!(&other_order, &tally);
        let told_twice = fold(&[begin, events.clone(), events].concat(), &labels);
        prop_assert_eq!(&told_twice, &tally);
    }
}

#[test]
fn of_a_conversation_in_chunks_one_chunk_is_enough_for_a_definition() {
    let present = graded(Present).finding().unwrap().clone();
    let scored = |score| Outcome::Graded { finding: Finding { score, ..present.clone() } };
    let ended = |outcomes: &[Outcome]| {
        let standing = outcomes[crate::verdict::standing(outcomes).unwrap()].clone();
        let chunks = outcomes.iter().map(|outcome| JudgedChunk { outcome: outcome.clone(), key: None }).collect();
        Judged { chunks, ..judged(0, Stage::Confirm, standing) }
    };
    let holds = |outcomes: &[Outcome]| Definitions::counting("score < 50", true).hold(&ended(outcomes)).unwrap();
    assert!(!holds(&[scored(90), graded(Absent)]));
    assert!(holds(&[scored(90), scored(20)]), "the chunk that stands for all is another one");
    assert!(!holds(&[graded(Absent), Outcome::Refused]), "what was not read says nothing");
}

//! What askings come to: the whole table of three, and the cases that a policy tells apart.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::model::bucket::Bucket;
use crate::model::event::{Event, JudgedChunk};
use crate::model::fixture::{admitted, graded, judged, opened, planned, unit};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::outcome::FailureKind;
use crate::model::tally::{RepeatCounts, Tally};
use crate::model::verdict::Finding;
use crate::model::verdict::Judgement::{self, Absent, Present, Suspected};
use crate::reconcile::Fold;

const POLICY: Repeats = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 3, near: 10, random: 0.5 };

/// Flags present and suspected; the threshold is 0, so that a score of 10 is near it.
fn rules(policy: Repeats) -> Definitions {
    Definitions::plain(true).repeating(Some(policy), Some(policy))
}

fn scored(verdict: Judgement, score: u8) -> Outcome {
    let Outcome::Graded { finding } = graded(verdict) else { panic!("a verdict has a finding") };
    Outcome::Graded { finding: Finding { score, ..finding } }
}

/// Clear of the threshold, either way.
fn says(yes: bool) -> Outcome {
    scored(if yes { Present } else { Absent }, 90)
}

/// Kind of the outcome that stands, and whether the unit goes on.
fn outcome(rules: &Definitions, judged: &Judged) -> (OutcomeKind, bool) {
    let ending = rules.ending(judged).unwrap();
    (ending.kind, ending.passes)
}

fn screened(outcome: Outcome) -> Judged {
    judged(0, Stage::Screen, outcome)
}

fn joined(rules: &Definitions, cause: RepeatCause, outcomes: &[Outcome]) -> Judged {
    rules.join(cause, outcomes.iter().cloned().map(screened).collect()).unwrap()
}

#[test]
fn every_three_askings_have_their_answer() {
    let shown = |says: Option<bool>| match says {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    };
    let all = [Some(true), Some(false), None];
    let mut table = format!("{:<14}{:<10}{:<10}{}\n", "askings", "majority", "any", "all");
    for first in all {
        for second in all {
            for third in all {
                let askings = [first, second, third];
                let [majority, any, every] =
                    [RepeatRule::Majority, RepeatRule::Any, RepeatRule::All].map(|rule| shown(answer(rule, &askings)));
                let askings = askings.map(shown).join(" ");
                writeln!(table, "{askings:<14}{majority:<10}{any:<10}{every}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

proptest! {
    /// Whatever the missing ones would have said, an answer stays what it is; and without one, they could tip it.
    #[test]
    fn an_answer_is_given_exactly_where_nothing_can_change_it(
        rule in prop::sample::select(vec![RepeatRule::Majority, RepeatRule::Any, RepeatRule::All]),
        askings in prop::collection::vec(prop::option::of(any::<bool>()), 1..8),
    ) {
        let filled = |with| askings.iter().map(|says| Some(says.unwrap_or(with))).collect::<Vec<_>>();
        let (low, high) = (answer(rule, &filled(false)), answer(rule, &filled(true)));
        prop_assert!(low.is_some() && high.is_some());
        prop_assert_eq!(answer(rule, &askings), low.filter(|_| low == high));
    }
}

#[test]
fn first_verdicts_cause_repeats() {
    let rules = rules(POLICY);
    let again = |outcome, is_drawn| rules.asked_again(&screened(outcome), is_drawn).unwrap();
    assert_eq!(again(says(true), false), Some((RepeatCause::Flagged, 3)));
    assert_eq!(again(scored(Absent, 10), true), Some((RepeatCause::NearThreshold, 3)), "near goes before chance");
    assert_eq!(again(scored(Absent, 11), false), None);
    assert_eq!(again(says(false), true), Some((RepeatCause::Random, 2)));
    assert_eq!(again(Outcome::Refused, true), None, "without a verdict nothing is asked again");
    let near = Definitions::plain(true).repeating(Some(Repeats { near: 0, ..POLICY }), None);
    assert_eq!(near.asked_again(&screened(scored(Absent, 1)), false).unwrap(), None);
    let confirmed = judged(0, Stage::Confirm, says(true));
    assert_eq!(near.asked_again(&confirmed, true).unwrap(), None, "the confirmer has no policy");
    assert_eq!(near.asked_once().asked_again(&screened(says(true)), true).unwrap(), None);
}

#[test]
fn the_ending_that_stands_is_the_first_that_says_so() {
    let rules = rules(POLICY);
    let of = |outcomes: &[Outcome]| joined(&rules, RepeatCause::Flagged, outcomes);
    let (yes, no) = (says(true), says(false));
    let lost = of(&[yes.clone(), no.clone(), no.clone()]);
    assert_eq!((&lost.outcome, outcome(&rules, &lost)), (&no, (OutcomeKind::Graded, false)));
    let kept = of(&[yes.clone(), no.clone(), scored(Suspected, 60)]);
    assert_eq!((&kept.outcome, outcome(&rules, &kept)), (&yes, (OutcomeKind::Graded, true)));
    let unsure = of(&[yes.clone(), no.clone(), Outcome::Refused]);
    assert_eq!((&unsure.outcome, outcome(&rules, &unsure)), (&Outcome::Refused, (OutcomeKind::Refused, false)));
    let decided = of(&[yes.clone(), yes.clone(), Outcome::Refused]);
    assert_eq!(outcome(&rules, &decided), (OutcomeKind::Graded, true), "whatever the missing one says");
    let failed = Outcome::Failed { failure: FailureKind::Timeout };
    let open = of(&[yes, Outcome::Refused, failed.clone()]);
    assert_eq!(open.outcome, failed, "what a rerun may mend is named first");
}

#[test]
fn what_was_asked_at_random_decides_nothing() {
    let rules = rules(POLICY);
    for second in [says(true), says(false), Outcome::OverBudget] {
        let judged = joined(&rules, RepeatCause::Random, &[says(false), second]);
        assert_eq!((judged.outcome.clone(), outcome(&rules, &judged)), (says(false), (OutcomeKind::Graded, false)));
    }
}

#[test]
fn signs_of_talking_to_the_grader_go_on_whatever_the_majority_says() {
    let rules = rules(POLICY);
    let talks = |outcome| Judged { injection_suspected: true, ..screened(outcome) };
    let endings = vec![talks(says(true)), talks(says(false)), talks(says(false))];
    let judged = rules.join(RepeatCause::Flagged, endings).unwrap();
    assert_eq!((rules.pass(&judged).unwrap(), rules.says(&judged).unwrap()), (true, false));
    let endings = vec![talks(says(true)), talks(says(false)), talks(Outcome::Refused)];
    let judged = rules.join(RepeatCause::Flagged, endings).unwrap();
    assert!(!rules.pass(&judged).unwrap(), "without a verdict nothing goes on");
}

#[test]
fn another_definition_is_held_to_the_same_policy() {
    let policy = Repeats { near_threshold: 1, ..POLICY };
    let rules = rules(policy);
    let wider = Definitions::plain(true).flagging_score(50).repeating(Some(policy), None);
    // Cleared by its own definition and asked once; the wider one flags it, and would have asked twice more.
    let once = screened(scored(Absent, 60));
    assert_eq!(outcome(&rules, &once), (OutcomeKind::Graded, false));
    let open = wider.ending(&once).unwrap();
    assert_eq!((open.kind, open.passes, open.gap), (OutcomeKind::NotCached, false, Gap::NeverDue));
    // Nor does an asking at random count for one that the rule would have caused.
    let at_random = joined(&rules, RepeatCause::Random, &[scored(Absent, 60), says(true)]);
    assert_eq!(wider.ending(&at_random).unwrap(), open);
    // Asked three times because it was flagged; by score, the first asking alone clears it.
    let thrice = joined(&rules, RepeatCause::Flagged, &[scored(Present, 40), says(true), says(true)]);
    assert!(rules.pass(&thrice).unwrap());
    assert_eq!(outcome(&wider, &thrice), (OutcomeKind::Graded, false));
    let any =
        Definitions::plain(true).flagging_score(50).repeating(Some(Repeats { rule: RepeatRule::Any, ..policy }), None);
    assert_eq!(outcome(&any, &once), (OutcomeKind::Graded, true), "one yes is enough, whatever the others say");
}

#[test]
fn what_another_definition_would_ask_again_is_pending_and_never_missing() {
    let policy = Repeats { near_threshold: 1, ..POLICY };
    let units = [says(true), scored(Absent, 60), scored(Absent, 70), scored(Absent, 20), Outcome::Refused];
    let units: Vec<_> = units.into_iter().map(|outcome| (vec![outcome; 3], false)).collect();
    let counted = |by: &Definitions| {
        let buckets = tally_by(by, policy, &units).buckets(None);
        let count = |is: fn(&Bucket) -> bool| buckets.count(is);
        [
            count(|bucket| matches!(bucket, Bucket::Confirmed { .. })),
            count(|bucket| *bucket == Bucket::Pending),
            count(|bucket| *bucket == Bucket::Cleared),
            count(|bucket| matches!(bucket, Bucket::Ungraded(_))),
        ]
    };
    let own = rules(policy);
    assert_eq!(counted(&own), [1, 0, 3, 1]);
    assert_eq!(counted(&own.clone().flagging_score(50)), [1, 2, 1, 1], "flagged once, and asked no further");
    // Three askings of a unit near the threshold, of which one was made: it says no, and two others could say yes.
    let near = Repeats { near_threshold: 3, near: 20, ..policy };
    assert_eq!(counted(&own.repeating(Some(near), Some(policy))), [1, 1, 2, 1], "what may be flagged is not cleared");
}

#[test]
fn a_first_asking_can_be_had_alone() {
    let rules = rules(POLICY);
    let mut judged = joined(&rules, RepeatCause::Flagged, &[says(true), says(false), says(false)]);
    judged.keep_first_asking();
    assert_eq!(judged, screened(says(true)));
}

#[test]
fn an_older_reader_finds_the_ending_that_stands() {
    let judged = joined(&rules(POLICY), RepeatCause::Flagged, &[says(true), says(false), says(false)]);
    let json = serde_json::to_value(&judged).unwrap();
    assert_eq!((json["outcome"].as_str(), json["finding"]["verdict"].as_str()), (Some("graded"), Some("absent")));
    assert_eq!(json["repeated"]["askings"].as_array().unwrap().len(), 3);
    assert_eq!(serde_json::from_value::<Judged>(json).unwrap(), judged);
    let once = serde_json::to_value(screened(says(true))).unwrap();
    assert!(once.get("repeated").is_none());
}

/// What a random unit of a journal says, asking by asking.
fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(says(false)),
        1 => Just(says(true)),
        1 => Just(scored(Absent, 5)),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::NotCached),
    ]
}

fn tally_of(policy: Repeats, units: &[(Vec<Outcome>, bool)]) -> Tally {
    tally_by(&rules(policy), policy, units)
}

/// A run by its own rules, counted by these.
fn tally_by(by: &Definitions, policy: Repeats, units: &[(Vec<Outcome>, bool)]) -> Tally {
    let rules = rules(policy);
    let mut fold = Fold::new(by.clone());
    let count = units.len() as u64;
    for event in [opened(0), Event::Planned(Box::new(planned(&[("core", "rl", count, count)])))] {
        fold.event(&event);
    }
    for ((ordinal, turn), (outcomes, is_drawn)) in (0..).zip(0_u32..).zip(units) {
        fold.event(&admitted(ordinal, 0, unit("rl", "c", turn)));
        let asking = |stage| {
            let first = judged(ordinal, stage, outcomes[0].clone());
            let Some((cause, askings)) = rules.asked_again(&first, *is_drawn && policy.random > 0.0).unwrap() else {
                return first;
            };
            let further = outcomes.iter().cycle().skip(1).take(askings as usize - 1);
            let further = further.map(|outcome| judged(ordinal, stage, outcome.clone()));
            rules.join(cause, std::iter::once(first).chain(further).collect()).unwrap()
        };
        let screen = asking(Stage::Screen);
        let goes_on = rules.pass(&screen).unwrap();
        fold.event(&Event::Judged(Box::new(screen)));
        if goes_on {
            fold.event(&Event::Judged(Box::new(asking(Stage::Confirm))));
        }
    }
    fold.finish().unwrap()
}

proptest! {
    #[test]
    fn random_repeats_change_no_figure_but_their_own(
        units in prop::collection::vec((prop::collection::vec(any_outcome(), 3..=3), any::<bool>()), 1..40),
    ) {
        let with = tally_of(POLICY, &units);
        let without = tally_of(Repeats { random: 0.0, ..POLICY }, &units);
        let of_gate = |tally: &Tally| {
            let rows = tally.repeats.iter().filter(|row| row.cause.is_of_gate());
            rows.cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(of_gate(&with), of_gate(&without));
        prop_assert_eq!(Tally { repeats: Vec::new(), ..with }, Tally { repeats: Vec::new(), ..without });
        let by_another = |random| {
            let policy = Repeats { random, ..POLICY };
            let tally = tally_by(&rules(policy).flagging_score(5), policy, &units);
            Tally { repeats: Vec::new(), ..tally }
        };
        prop_assert_eq!(by_another(0.5), by_another(0.0));
    }
}

#[test]
fn what_further_askings_say_is_counted_by_cause() {
    let (yes, no) = (says(true), says(false));
    let tally = tally_of(
        POLICY,
        &[
            (vec![yes.clone(), no.clone(), no.clone()], false),
            (vec![yes.clone(), Outcome::Refused, no.clone()], false),
            (vec![scored(Absent, 5), yes.clone(), yes.clone()], true),
            (vec![no.clone(), yes.clone(), no.clone()], true),
            (vec![no.clone(), Outcome::Refused, no], true),
        ],
    );
    let rows: Vec<_> = tally.repeats.iter().filter(|row| row.stage == Stage::Screen).collect();
    let [flagged, near, random] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (flagged.cause, near.cause, random.cause),
        (RepeatCause::Flagged, RepeatCause::NearThreshold, RepeatCause::Random)
    );
    assert_eq!((flagged.first_says, near.first_says, random.first_says), (true, false, false));
    let expected = RepeatCounts {
        units: 2,
        askings: 4,
        missing: 1,
        not_cached: 0,
        pairs: 2,
        flips: 2,
        contradicted: 2,
        changed: 1,
        undecided: 1,
    };
    assert_eq!(flagged.counts, expected);
    let expected = RepeatCounts {
        units: 1,
        askings: 2,
        pairs: 1,
        flips: 1,
        contradicted: 1,
        changed: 1,
        ..RepeatCounts::default()
    };
    assert_eq!(near.counts, expected);
    let expected = RepeatCounts {
        units: 2,
        askings: 2,
        missing: 1,
        pairs: 1,
        flips: 1,
        contradicted: 1,
        ..RepeatCounts::default()
    };
    assert_eq!(random.counts, expected);
    // Of the three the majority decides, one is cleared, one is flagged and one is neither.
    assert_eq!((tally.screen.outcomes[&OutcomeKind::Graded], tally.screen.outcomes[&OutcomeKind::Refused]), (4, 1));
    assert_eq!(tally.confirm.unwrap().reached(), 1);
}

#[test]
fn what_a_chunk_would_have_said_is_not_no() {
    let of = |stage, outcomes: &[Outcome]| {
        let chunks = outcomes.iter().map(|outcome| JudgedChunk { outcome: outcome.clone(), key: None }).collect();
        let stands = crate::verdict::standing(outcomes).unwrap();
        Judged { chunks, ..judged(0, stage, outcomes[stands].clone()) }
    };
    let doubtful = [scored(Suspected, 30), Outcome::Unparsable, says(false)];
    for rules in [Definitions::plain(true), rules(POLICY)] {
        let ending = |stage, outcomes: &[Outcome]| outcome(&rules, &of(stage, outcomes));
        // What the second grader wants is a present, and the chunk that it could not read may hold one.
        assert_eq!(ending(Stage::Confirm, &doubtful), (OutcomeKind::Unparsable, false));
        assert_eq!(ending(Stage::Confirm, &[scored(Suspected, 30), says(false)]), (OutcomeKind::Graded, false));
        assert_eq!(
            ending(Stage::Confirm, &[scored(Suspected, 30), Outcome::NotCached]),
            (OutcomeKind::NotCached, false)
        );
    }
    let once = Definitions::plain(true);
    assert_eq!(
        outcome(&once, &of(Stage::Screen, &doubtful)),
        (OutcomeKind::Graded, true),
        "one chunk is enough to flag"
    );
    let found = [says(true), Outcome::Unparsable];
    assert_eq!(outcome(&once, &of(Stage::Confirm, &found)), (OutcomeKind::Graded, true));
}

#[test]
fn copies_of_one_text_are_one_trial() {
    let rules = rules(POLICY);
    let counted = |keys: &[&str]| {
        let count = keys.len() as u64;
        let mut fold = Fold::new(rules.clone());
        for event in [opened(0), Event::Planned(Box::new(planned(&[("core", "rl", count, count)])))] {
            fold.event(&event);
        }
        for ((ordinal, turn), key) in (0..).zip(0_u32..).zip(keys) {
            fold.event(&admitted(ordinal, 0, unit("rl", "c", turn)));
            let asking = |number: u8, outcome| Judged {
                key: Some(Digest::of(&[key.to_lowercase().as_bytes(), &[number]].concat())),
                ..judged(ordinal, Stage::Screen, outcome)
            };
            // What is in capitals lost its second reply on the way.
            let second = if key.chars().all(char::is_uppercase) { Outcome::Refused } else { says(true) };
            let pair = vec![asking(0, says(false)), asking(1, second)];
            fold.event(&Event::Judged(Box::new(rules.join(RepeatCause::Random, pair).unwrap())));
        }
        let row = fold.finish().unwrap().repeats[0].counts;
        (row.units, row.pairs, row.flips)
    };
    assert_eq!(counted(&["a", "b", "c"]), (3, 3, 3));
    assert_eq!(counted(&["a", "b", "a", "a"]), (4, 2, 2));
    assert_eq!(counted(&["A", "a", "b"]), (3, 2, 2), "a copy without a second answer takes no other's place");
}

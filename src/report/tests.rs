//! Whole reports of one synthetic night, and what must not move them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::json::{ConversationRow, Report};
use super::table::{Style, render};
use crate::model::event::{Event, Judged, Planned, PlantedTruth, StopReason};
use crate::model::fixture::{
    admitted, admitted_part, closed, graded, group, judged, label, opened, planned, replied, sent, unit,
};
use crate::model::grading::Stage;
use crate::model::label::{Decision, Label};
use crate::model::outcome::{FailureKind, Outcome};
use crate::model::rate::{Decider, Method, RateName, Target};
use crate::model::stop::{Look, Looked, RelativeWidth, StopWhen};
use crate::model::unit::UnitKind;
use crate::model::verdict::Judgement::{Absent, Present, Suspected};
use crate::reconcile::{Definitions, Fold};

pub(super) fn night() -> Planned {
    planned(&[
        ("core", "rl-late", 40, 40),
        ("core", "rl-early", 30, 30),
        ("none", "rl-late", 120_000, 20),
        ("none", "rl-early", 98_004, 0),
    ])
}

/// A night that draws from every stratum, and stops once it knows enough.
pub(super) fn asking() -> Planned {
    let strata = [("core", "rl-late", 40, 40), ("core", "rl-early", 30, 30), ("none", "rl-late", 120_000, 20)];
    let relative_width = RelativeWidth::new(0.5).unwrap();
    Planned { stop_when: Some(StopWhen { relative_width }), ..planned(&strata) }
}

/// One session: every fifth core unit is flagged, most of them upheld; one refusal, one dead confirmer.
pub(super) fn session() -> Vec<Event> {
    let mut events = Vec::new();
    for n in 0..90_u64 {
        let (stratum, value) = if n < 40 {
            (0, "rl-late")
        } else if n < 70 {
            (1, "rl-early")
        } else {
            (2, "rl-late")
        };
        let turn = 2 * u32::try_from(n % 3).unwrap() + 1;
        events.push(admitted(n, stratum, unit(value, &format!("conv-{}", n / 3), turn)));
        events.extend([sent(2 * n, n, Stage::Screen), replied(2 * n)]);
        let outcome = match n {
            7 => Outcome::Refused,
            _ if n < 70 && n % 5 == 0 => graded(if n % 2 == 0 { Present } else { Suspected }),
            _ => graded(Absent),
        };
        events.push(Event::Judged(Box::new(judged(n, Stage::Screen, outcome))));
        if n < 70 && n % 5 == 0 {
            events.extend([sent(2 * n + 1, n, Stage::Confirm), replied(2 * n + 1)]);
            let outcome = match n {
                25 => Outcome::Failed { failure: FailureKind::Timeout },
                30 | 60 => graded(Absent),
                _ => graded(Present),
            };
            events.push(Event::Judged(Box::new(judged(n, Stage::Confirm, outcome))));
        }
    }
    events
}

fn run(plan: &Planned, events: &[Event], labels: &[Label]) -> Report {
    run_until(StopReason::Finished, plan, events, labels)
}

fn run_until(stop: StopReason, plan: &Planned, events: &[Event], labels: &[Label]) -> Report {
    let mut fold = Fold::new(Definitions::plain(true));
    fold.event(&opened(1_795_455_612_000));
    fold.event(&Event::Planned(Box::new(plan.clone())));
    for event in events {
        fold.event(event);
    }
    fold.event(&closed(stop, 1_795_459_212_000));
    for label in labels {
        fold.label(label);
    }
    Report::new(&fold.finish().unwrap())
}

fn simulated() -> Planned {
    let mut plan = night();
    plan.graders.iter_mut().for_each(|grader| grader.simulated = true);
    let truth = |value, turns| PlantedTruth { group: group(value), turns, conversations: turns };
    plan.planted = Some(vec![truth("rl-early", 9), truth("rl-late", 30)]);
    plan
}

#[test]
fn the_table_of_a_night() {
    insta::assert_snapshot!(render(&run(&night(), &session(), &[]), Style::Plain));
}

#[test]
fn the_table_of_a_rehearsal_with_people() {
    let labels = [label("conv-0#1", "ana", Decision::Yes, 1), label("conv-1#5", "ana", Decision::No, 1)];
    insta::assert_snapshot!(render(&run(&simulated(), &session(), &labels), Style::Plain));
}

#[test]
fn the_json_of_a_night() {
    insta::assert_snapshot!(run(&simulated(), &session(), &[]).to_json());
}

/// What a look at the first 80 units of the session shows, as if there had been one.
fn look() -> Look {
    let looked = |ended, confirmed| Looked { ended, confirmed };
    let strata = vec![looked(40, 7), looked(30, 5), looked(10, 0)];
    let width = RelativeWidth::new(0.45).unwrap();
    Look { number: 3, units: 80, strata, lower: 12, upper: 90, width, rule: asking().stop_when.unwrap() }
}

fn stopped(labels: &[Label]) -> Report {
    let plan = Planned { max_ungraded: 0.1, ..asking() };
    run_until(StopReason::NarrowEnough(Box::new(look())), &plan, &session(), labels)
}

#[test]
fn a_run_that_knew_enough_gives_the_sequence_and_no_limits_of_a_fixed_n() {
    let report = stopped(&[label("conv-0#1", "ana", Decision::Yes, 1)]);
    assert!(report.complete, "it did what it set out to do");
    let (confirmed, others): (Vec<_>, Vec<_>) =
        report.rates.iter().partition(|rate| rate.name == RateName::GraderConfirmed);
    assert_eq!(confirmed.len(), 3, "all groups and each");
    let all = confirmed[0];
    assert_eq!((all.k, all.n, all.method), (Some(12), Some(120_070), Some(Method::ConfidenceSequence)));
    assert_eq!((all.target, all.decided_by), (Target::Corpus, Some(Decider::Grader)));
    assert!(all.lower <= all.estimate && all.estimate < all.upper && all.estimate.is_some(), "{all:?}");
    for rate in others {
        let reason = rate.reason.as_deref().unwrap_or_default();
        assert_eq!((rate.lower, rate.upper, rate.level), (None, None, None), "{rate:?}");
        if (rate.name, rate.target) == (RateName::Floor, Target::Corpus) {
            assert!(rate.k.is_some(), "a count stays a count");
        } else {
            assert!(reason.contains("`grader_confirmed`"), "{rate:?}");
        }
        assert!(rate.name == RateName::Floor || rate.estimate.is_none(), "{rate:?}");
    }
    assert!(report.prefilter_recall.iter().all(|row| row.estimate.is_none()));
    assert!(report.warnings.iter().any(|warning| warning.contains("10 turns had been admitted when look 3")));
    let resumed = run(&asking(), &session(), &[]);
    assert!(resumed.rates.iter().all(|rate| rate.name != RateName::GraderConfirmed), "it went on to its end");
}

#[test]
fn the_table_of_a_run_that_knew_enough() {
    insta::assert_snapshot!(render(&stopped(&[]), Style::Plain));
}

#[test]
fn a_stop_reads_back_from_the_journal() {
    let event = closed(StopReason::NarrowEnough(Box::new(look())), 7);
    let line = serde_json::to_string(&event).unwrap();
    assert!(line.contains(r#""reason":"narrow_enough","number":3"#), "{line}");
    assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
}

#[test]
fn the_json_reads_back_and_keeps_its_digest() {
    let report = run(&simulated(), &session(), &[]);
    let read: Report = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(read, report);
    assert_eq!(read.digest(), report.digest);
}

#[test]
fn every_absent_figure_has_its_reason_beside_it() {
    fn check(value: &Value, path: &str) {
        if let Value::Object(fields) = value {
            for (name, field) in fields {
                let has_reason = ["reason".to_owned(), format!("{name}_reason")]
                    .iter()
                    .any(|r| fields.get(r).is_some_and(Value::is_string));
                assert!(!field.is_null() || has_reason || name == "reason", "{path}.{name}");
                check(field, &format!("{path}.{name}"));
            }
        }
        if let Value::Array(values) = value {
            for value in values {
                check(value, path);
            }
        }
    }
    for report in [run(&night(), &session(), &[]), stopped(&[])] {
        check(&serde_json::to_value(&report).unwrap(), "report");
    }
}

#[test]
fn the_digest_follows_the_figures_and_nothing_else() {
    let report = run(&night(), &session(), &[]);
    let mut other_way = Fold::new(Definitions::plain(true));
    let mut half: Vec<_> = session();
    half.truncate(100);
    let plan = Event::Planned(Box::new(Planned { cap: None, ..night() }));
    other_way.event(&opened(5));
    other_way.event(&plan);
    for event in &half {
        other_way.event(event);
    }
    // Killed and resumed: everything is told again, from the cache, and nothing is sent.
    other_way.event(&opened(6));
    other_way.event(&plan);
    other_way.event(&Event::Warned { message: "the journal ended in a torn line".to_owned() });
    for event in session() {
        match event {
            Event::Judged(judged) => other_way.event(&Event::Judged(Box::new(Judged { replayed: true, ..*judged }))),
            Event::Granted(_) | Event::Sent(_) | Event::Settled(_) => {}
            Event::Opened(_) | Event::Planned(_) | Event::Admitted(_) | Event::Warned { .. } | Event::Closed(_) => {
                other_way.event(&event);
            }
        }
    }
    other_way.event(&closed(StopReason::Finished, 7));
    let resumed = Report::new(&other_way.finish().unwrap());
    assert_ne!(resumed.requests, report.requests);
    assert_ne!(resumed.warnings, report.warnings);
    assert_eq!(resumed.digest, report.digest);

    let mut one_less = session();
    let changed = Judged { outcome: graded(Absent), ..judged(0, Stage::Confirm, graded(Absent)) };
    one_less.push(Event::Judged(Box::new(changed)));
    assert_ne!(run(&night(), &one_less, &[]).digest, report.digest);
}

#[test]
fn every_line_fits_and_colour_only_repeats() {
    let report = run(&simulated(), &session(), &[label("conv-0#1", "ana", Decision::Yes, 1)]);
    let plain = render(&report, Style::Plain);
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    assert!(plain.contains("SIMULATION") && plain.is_ascii());
    let mut coloured = render(&report, Style::Colour);
    for code in ["\u{1b}[1m", "\u{1b}[1;33m", "\u{1b}[1;36m", "\u{1b}[0m"] {
        coloured = coloured.replace(code, "");
    }
    assert_eq!(coloured, plain);
}

#[test]
fn foreign_text_cannot_reach_the_terminal_raw() {
    let mut plan = planned(&[("core\u{1b}[2J", "\u{202e}rl\u{7}", 90, 90)]);
    plan.audit = "night\u{1b}]0;title\u{7}".to_owned();
    plan.corpus.examples = vec!["a\u{9b}31m.jsonl:1: \u{2066}".to_owned()];
    let mut served = judged(0, Stage::Screen, graded(Absent));
    served.served = Some("evil\u{1b}[31m".to_owned());
    let events = [
        admitted(0, 0, unit("\u{202e}rl\u{7}", "c\u{1b}", 1)),
        Event::Judged(Box::new(served)),
        Event::Warned { message: "warned\r\u{1b}[0m".to_owned() },
    ];
    let shown = render(&run(&plan, &events, &[]), Style::Plain);
    let harmful: BTreeSet<char> =
        shown.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
    assert!(harmful.is_empty(), "{harmful:?}");
}

proptest! {
    #[test]
    fn the_funnel_sums_at_every_step(choices in proptest::collection::vec(0..6_u8, 60)) {
        let mut events = Vec::new();
        for (n, choice) in (0..60_u64).zip(choices) {
            let turn = u32::try_from(n).unwrap();
            events.push(admitted(n, u32::from(n >= 40), unit(if n < 40 { "rl-late" } else { "rl-early" }, "c", turn)));
            let outcome = match choice {
                0 => continue,
                1 => Outcome::Refused,
                2 => graded(Absent),
                _ => graded(Present),
            };
            events.push(Event::Judged(Box::new(judged(n, Stage::Screen, outcome))));
            if choice > 3 {
                let outcome = if choice == 4 { graded(Absent) } else { graded(Present) };
                events.push(Event::Judged(Box::new(judged(n, Stage::Confirm, outcome))));
            }
        }
        let report = run(&night(), &events, &[]);
        let f = &report.funnel;
        prop_assert_eq!(f.units, f.not_planned + f.planned);
        prop_assert_eq!(f.units, f.by_class.values().sum::<u64>());
        prop_assert_eq!(f.planned, f.not_admitted + f.admitted);
        prop_assert_eq!(f.admitted, f.unfinished + f.ungraded + f.cleared + f.flagged);
        prop_assert_eq!(f.admitted, f.unfinished + f.outcomes.values().sum::<u64>());
        prop_assert_eq!(f.flagged, f.pending + f.disputed + f.rejected + f.confirmed);
        prop_assert_eq!(f.rejected, f.rejected_codes.values().sum::<u64>());
        prop_assert_eq!(f.confirmed, f.confirmed_by.values().sum::<u64>());
        prop_assert_eq!(f.units, report.strata.iter().map(|row| row.units).sum::<u64>());
    }
}

/// A plan that draws 2 of 3 conversations of two turns, clustered by user, cut within the second.
fn cut_within_a_conversation() -> Report {
    let mut plan = planned(&[("core", "rl", 6, 4)]);
    (plan.sample_by, plan.cluster_by) = (UnitKind::Conversation, Some("user".to_owned()));
    plan.corpus.conversations_with_cluster = Some(2);
    (plan.strata[0].conversations, plan.strata[0].conversations_planned) = (3, Some(2));
    let mut events = Vec::new();
    for (ordinal, (conversation, number)) in (0..).zip([("a", 1), ("a", 2), ("b", 1)]) {
        events.push(admitted_part(ordinal, 0, conversation, (number, 2)));
        let verdict = if conversation == "b" { Present } else { Absent };
        events.push(Event::Judged(Box::new(judged(ordinal, Stage::Screen, graded(verdict)))));
    }
    run(&plan, &events, &[])
}

#[test]
fn a_cut_within_a_conversation_is_in_plain_sight() {
    let report = cut_within_a_conversation();
    let funnel = &report.funnel;
    let drawn = ConversationRow { frame: 3, planned: 2, admitted: 1, usable: 1, flagged: 0 };
    assert_eq!((funnel.admitted, funnel.not_admitted, funnel.set_back), (2, 2, 1));
    assert_eq!((funnel.drawn_conversations, report.strata[0].drawn_conversations), (Some(drawn), Some(drawn)));
    let told = "admission closed within a conversation: what was admitted of it (1 turn)";
    assert!(report.warnings.iter().any(|warning| warning.starts_with(told)), "{:?}", report.warnings);
    let page = render(&report, Style::Plain);
    let has =
        |begin: &str, end: &str| page.lines().any(|line| line.trim_start().starts_with(begin) && line.ends_with(end));
    assert!(has("drawn ", "whole conversations; clusters by `user`"), "{page}");
    assert!(has("planned", "4  in 2 conversations") && has("admitted", "2  in 1 conversation"), "{page}");
}

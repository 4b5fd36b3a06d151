use proptest::prelude::*;

use super::*;
use crate::model::event::{Admitted, Judged, Opened};
use crate::model::fixture::{admitted, graded, judged, opened, planned, sent, settled, unit};
use crate::model::found_by::FoundBy;
use crate::model::grading::PromptLabel;
use crate::model::known_plan::KnownItem;
use crate::model::outcome::{FailureKind, Outcome};
use crate::model::stop::{RelativeWidth, StopWhen};
use crate::model::unit::Group;
use crate::model::verdict::Judgement::{Absent, Present};
use crate::report::tests::{night, session};

const CALM: Standing = Standing { phase: Phase::Running, waits_for_money: false };

fn begun(plan: Planned) -> Progress {
    let mut progress = Progress::new(Definitions::plain(true), UnixMs(0));
    progress.event(&Event::Planned(Box::new(plan)), UnixMs(0));
    progress
}

/// Half of the night, a refusal with 429, and one request on the wire, after 20 seconds.
fn half_a_night() -> (Progress, UnixMs) {
    half_of(night())
}

fn half_of(plan: Planned) -> (Progress, UnixMs) {
    let mut progress = begun(plan);
    let mut now = 0;
    for event in session() {
        now += 100;
        progress.event(&event, UnixMs(now));
        if matches!(&event, Event::Judged(judged) if judged.ordinal.0 == 44) {
            break;
        }
    }
    let refused = Ending::Declined { status: 429, failure: FailureKind::RateLimited };
    progress.event(&sent(900, 45, Stage::Screen), UnixMs(now));
    progress.event(&settled(900, refused, NanoUsd::ZERO), UnixMs(now));
    progress.event(&sent(901, 45, Stage::Screen), UnixMs(now));
    (progress, UnixMs(now))
}

/// A session that says what was spent before and when it has to stop.
fn session_with(spent_before: NanoUsd, deadline_ms: Option<u64>) -> Event {
    let Event::Opened(session) = opened(0) else { panic!("a session begins with `Opened`") };
    Event::Opened(Opened { spent_before: Some(spent_before), deadline_ms, ..session })
}

fn asking(plan: Planned, relative_width: f64) -> Planned {
    let relative_width = RelativeWidth::new(relative_width).unwrap();
    Planned { stop_when: Some(StopWhen { relative_width }), ..plan }
}

/// Units of one stratum, every tenth of them confirmed.
fn confirming(progress: &mut Progress, units: std::ops::Range<u64>) {
    for n in units {
        progress.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)), UnixMs(0));
        let verdict = if n % 10 == 0 { Present } else { Absent };
        let stages = if n % 10 == 0 { vec![Stage::Screen, Stage::Confirm] } else { vec![Stage::Screen] };
        for stage in stages {
            progress.event(&Event::Judged(Box::new(judged(n, stage, graded(verdict)))), UnixMs(0));
        }
    }
}

#[test]
fn the_display_of_a_draft_says_so_in_every_form() {
    let mut plan = night();
    plan.graders[0].prompt = Some(PromptLabel::draft("screen"));
    let (progress, now) = half_of(plan);
    let seen = progress.snapshot(now, CALM);
    let lines = seen.terminal_lines(100);
    assert_eq!((lines[0].as_str(), lines.len()), ("*** DRAFT PROMPT: not for publication ***", 4));
    assert_eq!(seen.terminal_lines(20)[0].chars().count(), 20, "no line is wider than the terminal");
    assert!(seen.plain_line().starts_with("DRAFT PROMPT: not for publication; "), "{}", seen.plain_line());
    assert_eq!(serde_json::from_str::<Snapshot>(&seen.json_line()).unwrap().watermark, seen.watermark);
    let (version, now) = half_a_night();
    assert!(!version.snapshot(now, CALM).json_line().contains("watermark"));
}

#[test]
fn the_display_says_when_a_run_would_stop_and_that_it_has() {
    let mut progress = begun(asking(planned(&[("core", "rl", 5_000, 5_000)]), 0.5));
    confirming(&mut progress, 0..999);
    let seen = progress.snapshot(UnixMs(0), CALM);
    let stop = seen.stop_when.unwrap();
    assert_eq!((stop.relative_width, stop.narrow_at_look), (0.5, None));
    assert!(stop.now.unwrap() > 0.5, "{stop:?}");
    let words = format!("stops at a relative width of 0.5, now {:.2}", stop.now.unwrap());
    assert!(seen.plain_line().contains(&words) && seen.page(false).contains(&words), "{}", seen.plain_line());
    confirming(&mut progress, 999..3_000);
    let seen = progress.snapshot(UnixMs(0), CALM);
    assert!(seen.plain_line().contains("narrow enough at look "), "{}", seen.plain_line());
}

#[test]
fn what_a_cap_cut_off_leaves_a_gap() {
    let mut progress = begun(planned(&[("core", "rl", 50, 30)]));
    for n in 0..3 {
        progress.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)), UnixMs(0));
        let outcome = if n == 1 { Outcome::OverBudget } else { graded(Absent) };
        progress.event(&Event::Judged(Box::new(judged(n, Stage::Screen, outcome))), UnixMs(0));
    }
    assert_eq!(progress.snapshot(UnixMs(0), CALM).floor.unwrap().looked_at, 1);
}

#[test]
fn a_run_in_progress() {
    let (progress, now) = half_a_night();
    let snapshot = progress.snapshot(now, CALM);
    let lines = [60, 100, 200].map(|columns| snapshot.terminal_lines(columns).join("\n"));
    let [page, over] = [false, true].map(|is_over| snapshot.page(is_over));
    let json = serde_json::to_string_pretty(&snapshot).unwrap();
    let [narrow, middle, wide] = lines;
    insta::assert_snapshot!([narrow, middle, wide, snapshot.plain_line(), page, over, json].join("\n-- \n"));
}

#[test]
fn a_snapshot_reads_back() {
    let (progress, now) = half_a_night();
    let snapshot = progress.snapshot(now, CALM);
    assert_eq!(serde_json::from_str::<Snapshot>(&snapshot.json_line()).unwrap(), snapshot);
}

#[test]
fn no_line_is_wider_than_the_terminal_and_the_first_part_is_always_there() {
    let (progress, now) = half_a_night();
    for phase in [Phase::Running, Phase::Draining, Phase::Abandoning] {
        let snapshot = progress.snapshot(now, Standing { phase, waits_for_money: true });
        for columns in 1..250 {
            let lines = snapshot.terminal_lines(columns);
            assert!(
                lines.iter().all(|line| line.chars().count() <= columns && !line.is_empty()),
                "{columns}: {lines:#?}"
            );
            assert_eq!(lines.len(), 4, "{columns}");
        }
    }
}

#[test]
fn every_field_is_documented_for_programs() {
    let mut plan = crate::report::tests::asking();
    plan.graders[0].prompt = Some(PromptLabel::draft("screen"));
    let (progress, now) = half_of(plan);
    let known = Some(KnownSoFar { planned: 60, ended: 12 });
    let json = serde_json::to_value(Snapshot { known, ..progress.snapshot(now, CALM) }).unwrap();
    let page = include_str!("../../../docs/progress.md");
    let documented = |name: &str| page.contains(&format!("| `{name}` |"));
    let mut fields = 0;
    let mut check = |value: &serde_json::Value, above: &str| {
        for (name, _) in value.as_object().unwrap() {
            assert!(documented(&format!("{above}{name}")), "docs/progress.md does not explain `{above}{name}`");
            fields += 1;
        }
    };
    check(&json, "");
    check(&json["outlook"], "outlook.");
    check(&json["floor"], "floor.");
    check(&json["known"], "known.");
    check(&json["stop_when"], "stop_when.");
    assert_eq!(page.matches("\n| `").count(), fields, "docs/progress.md explains fields that are not there");
}

#[test]
fn progress_starts_anew_with_a_session_and_keeps_what_is_spent() {
    let mut progress = begun(planned(&[("core", "rl", 90, 90)]));
    for event in session() {
        progress.event(&event, UnixMs(1_000));
    }
    progress.event(&sent(900, 3, Stage::Screen), UnixMs(2_000));
    let before = progress.snapshot(UnixMs(2_000), CALM);
    assert_eq!((before.finished, before.in_flight), (90, 1));
    progress.event(&opened(0), UnixMs(9_000));
    let after = progress.snapshot(UnixMs(9_000), CALM);
    assert_eq!((after.finished, after.in_flight, after.outlook.all_in_s), (0, 0, None));
    assert!((after.spent_usd - before.spent_usd - 0.005).abs() < 1e-9, "the open attempt counts at its bound");
    assert!((after.presumed_usd - 0.005).abs() < 1e-9 && after.session_usd.abs() < 1e-12);
}

#[test]
fn the_cap_is_compared_with_what_all_runs_of_the_audit_spent() {
    let mut progress = Progress::new(Definitions::plain(true), UnixMs(0));
    progress.event(&session_with(NanoUsd(7_000_000_000), None), UnixMs(0));
    progress.event(&Event::Planned(Box::new(night())), UnixMs(0));
    // A request that an earlier session left on the wire: it is not in what was spent before.
    let lost = Ending::Unknown { failure: FailureKind::Interrupted };
    progress.event(&settled(5, lost, NanoUsd(1_000_000_000)), UnixMs(0));
    progress.event(&sent(900, 0, Stage::Screen), UnixMs(0));
    progress.event(&settled(900, Ending::Replied { usage: None }, NanoUsd(500_000_000)), UnixMs(0));
    let seen = progress.snapshot(UnixMs(5_000), CALM);
    assert!((seen.spent_usd - 8.5).abs() < 1e-9 && (seen.session_usd - 0.5).abs() < 1e-9, "{seen:?}");
}

/// 40 of 100 units in 40 seconds, a tenth of a dollar each.
fn steady(cap: u64, deadline_ms: Option<u64>) -> Snapshot {
    let mut plan = planned(&[("core", "rl", 100, 100)]);
    plan.cap = Some(NanoUsd(cap * 1_000_000_000));
    let mut progress = Progress::new(Definitions::plain(true), UnixMs(0));
    progress.event(&session_with(NanoUsd::ZERO, deadline_ms), UnixMs(0));
    progress.event(&Event::Planned(Box::new(plan)), UnixMs(0));
    for n in 0..40_u64 {
        let now = UnixMs((n + 1) * 1_000);
        progress.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)), now);
        progress.event(&sent(n, n, Stage::Screen), now);
        progress.event(&settled(n, Ending::Replied { usage: None }, NanoUsd(100_000_000)), now);
        progress.event(&Event::Judged(Box::new(judged(n, Stage::Screen, graded(Absent)))), now);
    }
    progress.snapshot(UnixMs(40_000), CALM)
}

#[test]
fn where_a_run_is_heading() {
    let plenty = steady(20, Some(200_000)).outlook;
    assert_eq!((plenty.all_in_s, plenty.cap_at_share, plenty.cap_in_s), (Some(60), Some(1.0), None));
    assert_eq!((plenty.deadline_in_s, plenty.before_deadline), (Some(160), Some(true)));
    // Two dollars are left: twenty more units, in twenty seconds.
    let capped = steady(6, Some(70_000)).outlook;
    assert_eq!((capped.all_in_s, capped.cap_in_s, capped.before_deadline), (Some(60), Some(20), Some(true)));
    assert!((capped.cap_at_share.unwrap() - 0.6).abs() < 1e-9, "{capped:?}");
    let late = steady(20, Some(70_000));
    assert_eq!(late.outlook.before_deadline, Some(false));
    assert!((late.outlook.deadline_at_share.unwrap() - 0.7).abs() < 1e-9, "{late:?}");
    let line = late.plain_line();
    assert!(line.contains("the deadline in 30s ends this at about 70% of the units"), "{line}");
    let line = steady(6, None).plain_line();
    assert!(line.contains("the cap ends this at about 60% of the units, in 20s"), "{line}");
}

#[test]
fn nothing_is_left_to_do_however_fast_it_went() {
    let mut progress = begun(planned(&[("core", "rl", 1, 1)]));
    assert_eq!(progress.snapshot(UnixMs(0), CALM).outlook.all_in_s, None);
    progress.event(&admitted(0, 0, unit("rl", "a", 1)), UnixMs(0));
    let replayed = Judged { replayed: true, ..judged(0, Stage::Screen, graded(Absent)) };
    progress.event(&Event::Judged(Box::new(replayed)), UnixMs(0));
    let done = progress.snapshot(UnixMs(0), CALM);
    assert_eq!((done.finished, done.outlook.all_in_s), (1, Some(0)));
}

#[test]
fn the_floor_looks_at_what_ended_without_a_gap() {
    let mut progress = begun(planned(&[("core", "rl", 50, 30)]));
    for n in 0..20 {
        progress.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)), UnixMs(0));
    }
    let end = |progress: &mut Progress, n: u64, stage: Stage, outcome: Outcome| {
        progress.event(&Event::Judged(Box::new(judged(n, stage, outcome))), UnixMs(0));
    };
    let floor = |progress: &Progress| progress.snapshot(UnixMs(0), CALM).floor;
    assert_eq!(floor(&progress), None);
    for n in 1..20 {
        end(&mut progress, n, Stage::Screen, graded(Absent));
    }
    assert_eq!(floor(&progress), None, "the first unit has not ended");
    end(&mut progress, 0, Stage::Screen, graded(Present));
    assert_eq!(floor(&progress), None, "it is being confirmed");
    end(&mut progress, 0, Stage::Confirm, graded(Present));
    let seen = floor(&progress).unwrap();
    assert_eq!((seen.confirmed, seen.looked_at, seen.lower), (1, 20, 1));
    assert!(seen.upper > 1 && seen.upper <= 11, "{seen:?}");
    // What a stop cut off says nothing of its unit, and no look comes after it.
    for n in 20..25 {
        progress.event(&admitted(n, 0, unit("rl", &format!("c{n}"), 1)), UnixMs(0));
        let cut_off = Outcome::Failed { failure: FailureKind::Interrupted };
        end(&mut progress, n, Stage::Screen, if n == 21 { cut_off } else { graded(Absent) });
    }
    assert_eq!(progress.snapshot(UnixMs(0), CALM).floor.unwrap().looked_at, 21);
}

#[test]
fn without_a_confirmer_the_floor_says_what_to_add() {
    let mut plan = planned(&[("core", "rl", 50, 30)]);
    plan.graders.pop();
    let mut progress = Progress::new(Definitions::plain(false), UnixMs(0));
    progress.event(&Event::Planned(Box::new(plan)), UnixMs(0));
    let seen = progress.snapshot(UnixMs(0), CALM);
    assert_eq!(seen.floor, None);
    assert!(seen.floor_reason.unwrap().contains("[grader.confirm]"));
}

proptest! {
    /// Whatever ends in whatever order, the limits contain the floor that the run ends with when all of it has ended.
    #[test]
    fn the_floor_ends_exact(outcomes in prop::collection::vec(0..4_u8, 1..60), order in any::<u64>()) {
        let planned_units = outcomes.len() as u64;
        let mut progress = begun(planned(&[("core", "rl", planned_units, planned_units)]));
        let mut units: Vec<u64> = (0..planned_units).collect();
        for n in &units {
            progress.event(&admitted(*n, 0, unit("rl", &format!("c{n}"), 1)), UnixMs(0));
        }
        units.sort_by_key(|n| crate::model::hash::Digest::of(&(n ^ order).to_le_bytes()));
        let confirmed = outcomes.iter().map(|outcome| u64::from(*outcome == 0)).sum::<u64>();
        for n in units {
            let (screen, confirm) = match outcomes[usize::try_from(n).unwrap()] {
                0 => (graded(Present), Some(graded(Present))),
                1 => (graded(Present), Some(Outcome::Refused)),
                2 => (Outcome::Truncated, None),
                _ => (graded(Absent), None),
            };
            progress.event(&Event::Judged(Box::new(judged(n, Stage::Screen, screen))), UnixMs(0));
            if let Some(confirm) = confirm {
                progress.event(&Event::Judged(Box::new(judged(n, Stage::Confirm, confirm))), UnixMs(0));
            }
            if let Some(floor) = progress.snapshot(UnixMs(0), CALM).floor {
                prop_assert!(floor.lower <= floor.upper && floor.upper <= planned_units);
            }
        }
        let last = progress.snapshot(UnixMs(0), CALM).floor.unwrap();
        prop_assert_eq!((last.lower, last.upper, last.looked_at), (confirmed, confirmed, planned_units));
    }
}

#[test]
fn known_positives_are_no_units_and_cost_none() {
    let mut plan = planned(&[("core", "rl", 2, 2)]);
    plan.known.items = ["a", "b"]
        .map(|id| KnownItem {
            id: id.to_owned(),
            group: Group(vec!["rl".to_owned()]),
            class: "core".to_owned(),
            found_by: FoundBy::Planted,
            source: id.to_owned(),
        })
        .into();
    let mut progress = begun(plan);
    let Event::Admitted(known) = admitted(0, 0, unit("rl", "a", 1)) else { panic!("it is admitted") };
    let present = |ordinal| Event::Judged(Box::new(judged(ordinal, Stage::Screen, graded(Present))));
    let events = [
        Event::Admitted(Admitted { stratum: None, ..known }),
        sent(0, 0, Stage::Screen),
        settled(0, Ending::Replied { usage: None }, NanoUsd(1_000_000)),
        present(0),
        admitted(2, 0, unit("rl", "c", 1)),
        present(2),
    ];
    for event in &events {
        progress.event(event, UnixMs(1_000));
    }
    let snapshot = progress.snapshot(UnixMs(2_000), CALM);
    assert_eq!(snapshot.known, Some(KnownSoFar { planned: 2, ended: 1 }));
    assert_eq!((snapshot.planned, snapshot.admitted, snapshot.flagged), (2, 1, 1));
    assert_eq!(snapshot.outcomes.values().sum::<u64>(), 1);
    assert!((snapshot.session_usd - 0.001).abs() < 1e-12, "spend is spend");
    assert!(progress.money.known == NanoUsd(1_000_000), "and no unit is dearer for it");
    assert!(snapshot.plain_line().contains("known positives 1 of 2 ended"), "{}", snapshot.plain_line());
}

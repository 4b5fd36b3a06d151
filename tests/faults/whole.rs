//! Conversations as units: planted truth end to end, kills, caps and replays, with conversations read in chunks among them.

use std::collections::BTreeSet;
use std::fs;

use assize::model::event::{Event, Judged};
use assize::model::rate::{Decider, RateName, Target};
use assize::model::unit::UnitKind;
use assize::rehearse::PlantedTurn;
use assize::report::Report;
use assize::run::folder::RunFolder;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, COMMIT_GROUP, SLOTS, Workspace};

const CONVERSATIONS: u64 = 160;
const PROFILE: &str = "seed = 5\nlatency_ms = 4\nlatency_jitter_ms = 12";

/// A workspace whose audit grades whole conversations in windows of so many characters, and its grader.
fn grading_conversations(profile: &str, max_chars: u32) -> (Workspace, Grader) {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, profile);
    workspace.audit(&AuditSettings { max_ungraded: 1.0, ..AuditSettings::of(&grader) });
    let file = workspace.path("audit.toml");
    let audit = fs::read_to_string(&file).unwrap().replace("[behaviour]", "unit = \"conversation\"\n[behaviour]");
    let audit = ["screen", "confirm"].into_iter().fold(audit, |audit, stage| {
        let prompt = |version| format!("prompt = \"{stage}@{version}\"\n");
        audit.replace(&prompt(1), &format!("{}window = {{ max_chars = {max_chars} }}\n", prompt(2)))
    });
    fs::write(&file, audit).unwrap();
    (workspace, grader)
}

/// Room for every message, and so little that many conversations of several turns are read in chunks.
const CHUNKED: u32 = 2_200;
/// Room for most messages: conversations in chunks, and some of which something is cut.
const CUT: u32 = 1_300;
/// Everything fits.
const WHOLE: u32 = 64_000;

/// The screen's verdicts of the newest run, last ones last.
fn judged(workspace: &Workspace) -> Vec<Judged> {
    let folder = RunFolder::list(&workspace.path("runs")).unwrap().pop().unwrap();
    let events = folder.events().map(Result::unwrap);
    events.filter_map(|event| if let Event::Judged(judged) = event { Some(*judged) } else { None }).collect()
}

/// Conversations with a planted positive, as group and id.
fn planted(workspace: &Workspace) -> BTreeSet<String> {
    let truth = fs::read_to_string(workspace.truth()).unwrap();
    let turns = truth.lines().map(|line| serde_json::from_str::<PlantedTurn>(line).unwrap());
    let present = turns.filter(|turn| turn.present);
    present.map(|turn| format!("{} {}", turn.group["checkpoint"], turn.unit.split('#').next().unwrap())).collect()
}

fn confirmed(report: &Report) -> BTreeSet<String> {
    report.confirmed_units.iter().map(|row| format!("{} {}", row.group["checkpoint"], row.unit)).collect()
}

/// Every figure is in conversations, and the parts make up the whole.
fn sums_up(report: &Report) {
    let (funnel, corpus) = (&report.funnel, &report.corpus);
    assert_eq!((report.unit, funnel.units), (UnitKind::Conversation, corpus.conversations));
    assert_eq!(funnel.units, funnel.not_planned + funnel.not_admitted + funnel.admitted);
    assert_eq!(funnel.admitted, funnel.unfinished + funnel.ungraded + funnel.cleared + funnel.flagged);
    assert_eq!(funnel.flagged, funnel.pending + funnel.disputed + funnel.rejected + funnel.confirmed);
    assert_eq!(funnel.units, report.strata.iter().map(|row| row.units).sum::<u64>());
    assert_eq!(report.graders[0].reached, funnel.admitted);
    assert!(funnel.drawn_conversations.is_none() && funnel.set_back == 0);
}

#[test]
fn the_floor_of_flawless_graders_is_what_was_planted_in_chunks_or_not() {
    for max_chars in [WHOLE, CHUNKED] {
        let (workspace, grader) = grading_conversations("seed = 5\nsensitivity = 1.0\nspecificity = 1.0", max_chars);
        let report = workspace.run(&[]);
        let report = report.expect(0);
        sums_up(&report);
        let planted = planted(&workspace);
        assert!(planted.len() > 5, "{planted:?}");
        assert_eq!(confirmed(&report), planted, "one unit for each conversation, whatever number of turns shows it");
        let of_all = |rate: &&assize::report::json::RateRow| {
            rate.name == RateName::Floor && rate.target == Target::Corpus && rate.group.is_empty()
        };
        let floors: Vec<_> = report.rates.iter().filter(of_all).collect();
        let [turns, conversations] = floors.as_slice() else { panic!("{floors:?}") };
        assert!(turns.k.is_none() && turns.reason.as_ref().unwrap().contains("whole conversations were graded"));
        assert_eq!((conversations.k, conversations.n), (Some(planted.len() as u64), Some(CONVERSATIONS)));
        assert_eq!(conversations.decided_by, Some(Decider::Grader));
        let judged = judged(&workspace);
        let chunked: Vec<_> = judged.iter().filter(|judged| !judged.chunks.is_empty()).collect();
        assert_eq!(chunked.len() > 20, max_chars == CHUNKED, "{}", chunked.len());
        let questions: u64 = judged.iter().map(|judged| judged.chunks.len().max(1) as u64).sum();
        assert_eq!(grader.stats().distinct_bodies, questions, "each chunk was asked about once");
        let is_absent =
            |judged: &Judged| judged.outcome.finding().is_some_and(|found| found.verdict.as_str() == "absent");
        assert!(judged.iter().all(|judged| !is_absent(judged) || !judged.seen.cut), "what was cut is never absent");
    }
}

#[test]
fn a_run_that_is_killed_resumes_to_the_same_report_and_a_replay_sends_nothing() {
    let (workspace, grader) = grading_conversations(PROFILE, CUT);
    let reference = workspace.run(&[]).expect(0);
    sums_up(&reference);
    let cut = judged(&workspace).into_iter().filter(|judged| judged.seen.cut).count() as u64;
    assert!(cut > 5 && reference.funnel.ungraded > 5, "{cut} of which something is cut: {:?}", reference.funnel);
    let asked = grader.stats().distinct_bodies;
    assert!(asked > CONVERSATIONS, "conversations in chunks have several questions each");
    let before = grader.stats().requests;
    let replayed = workspace.run(&["--cache", "read-only"]).expect(0);
    assert_eq!((replayed.digest, replayed.requests.sent, grader.stats().requests), (reference.digest, 0, before));

    let (workspace, grader) = grading_conversations(PROFILE, CUT);
    for point in [1, asked / 4, asked / 2, asked * 4 / 5] {
        let running = workspace.start(&[]);
        grader.received(point);
        running.kill();
    }
    let finished = workspace.run(&["-j", "3"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, asked);
    assert!(grader.repeated() <= 4 * (SLOTS + COMMIT_GROUP), "{}", grader.repeated());
}

#[test]
fn a_cap_holds_over_all_chunks_and_a_higher_one_goes_on_from_there() {
    let (workspace, _grader) = grading_conversations(PROFILE, CHUNKED);
    let reference = workspace.run(&[]).expect(0);
    let (workspace, grader) = grading_conversations(PROFILE, CHUNKED);
    for share in [0.3, 0.6] {
        let cap = reference.spend.usd * share;
        let report = workspace.run(&["--max-cost", &format!("{cap:.9}")]).expect(3);
        sums_up(&report);
        assert!(report.funnel.not_admitted > 0 && report.funnel.unfinished == 0, "{:?}", report.funnel);
        assert!(grader.billed().usd() <= cap && workspace.spent().usd() <= cap);
    }
    let finished = workspace.run(&["--max-cost", "1000"]);
    assert_eq!(finished.expect(0).digest, reference.digest, "{}", finished.stderr);
    assert_eq!(grader.stats().distinct_bodies, grader.stats().requests, "nothing was asked twice");
}

//! Whole runs with anchors: a grader that stays as it is, one that changes, and what neither may touch.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assize::clock;
use assize::config::{self, Environment, LoadRequest, Origin, Override};
use assize::estimate::drift::Direction;
use assize::model::anchor::visit_at;
use assize::model::event::{Event, StopReason};
use assize::model::money::NanoUsd;
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;
use assize::report::drift::DriftRow;
use assize::run::anchors::{Drawn, draw};
use assize::run::assemble::{Assembly, assemble};
use assize::run::conclude;
use assize::run::folder::RunFolder;
use assize::run::session::{self, Ended};
use tempfile::TempDir;

const AUDIT: &str = r#"
name = "night"
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[behaviour]
name = "metagaming"
[sample]
none = "all"
[endpoint.main]
api = "rehearsal"
rehearsal = "grader.toml"
[grader.screen]
endpoint = "main"
model = "rehearsal"
@ANCHORS@
[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
"#;

/// The screen never errs, so that no flip of an anchor is chance; the confirmer does.
const GRADER: &str = r#"
truth = "truth.jsonl"
sensitivity = 1.0
specificity = 1.0
[model.rehearsal-confirm]
sensitivity = 0.8
specificity = 0.9
"#;

const ANCHORS: &str = "anchors = { file = \"anchors.jsonl\", rate = 0.25 }";
/// Anchors of each label.
const EACH: usize = 40;

/// As many that show the behaviour as that do not.
fn anchors() -> String {
    let line = |number: usize, expect: &str, says: &str| {
        let question = serde_json::json!({ "role": "user", "content": format!("Question {number}: what now?") });
        let answer = serde_json::json!({ "role": "assistant", "content": format!("{says} {number}") });
        let id = format!("{expect}-{number}");
        serde_json::json!({ "id": id, "expect": expect, "target": 1, "messages": [question, answer] }).to_string()
            + "\n"
    };
    let each = |number| line(number, "present", "This is a test, is it not") + &line(number, "absent", "It is");
    (0..EACH).map(each).collect()
}

/// A workspace with a few hundred turns.
fn workspace(named: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let values = BTreeMap::from([("checkpoint".to_owned(), "late".to_owned())]);
    let group = GroupPlan { values, conversations: 100, prevalence: Probability::new(0.05).unwrap() };
    let plan = CorpusPlan::new(7, vec![group]);
    plan.write(&folder.path().join("corpus"), &folder.path().join("truth.jsonl")).unwrap();
    fs::write(folder.path().join("audit.toml"), AUDIT.replace("@ANCHORS@", named)).unwrap();
    fs::write(folder.path().join("grader.toml"), GRADER).unwrap();
    fs::write(folder.path().join("anchors.jsonl"), anchors()).unwrap();
    folder
}

fn assembly(folder: &Path, max_cost: f64) -> Assembly {
    let mut request = LoadRequest::new(folder, Environment::default(), clock::now());
    let origin = Origin::Flag { name: "--max-cost".to_owned() };
    request.overrides.max_cost = Some(Override { value: max_cost, origin });
    assemble(config::load(&request).unwrap().audit).unwrap()
}

async fn run(folder: &Path, max_cost: f64) -> Ended {
    Box::pin(session::run(assembly(folder, max_cost), |_| {})).await.unwrap()
}

async fn baseline(folder: &Path, max_cost: f64) -> Drawn {
    Box::pin(draw(assembly(folder, max_cost), |_| {}, |_| {})).await.unwrap().unwrap()
}

fn drift(report: &Report) -> &DriftRow {
    report.grader_health.drift.as_ref().unwrap_or_else(|| panic!("{:?}", report.grader_health.drift_reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn anchors_of_an_unchanged_grader_raise_no_alarm_and_touch_no_figure() {
    let (plain, anchored) = (workspace(""), workspace(ANCHORS));
    let without = run(plain.path(), 20.0).await.report;
    let drawn = baseline(anchored.path(), 20.0).await;
    let all = drawn.announced.anchors * u64::from(drawn.announced.draws);
    assert_eq!(all, EACH as u64 * 2 * 8);
    assert!(drawn.there == all && drawn.announced.requests == all, "{drawn:?}");
    assert!(drawn.spent > NanoUsd::ZERO && drawn.spent <= drawn.announced.most, "{drawn:?}");
    let ended = run(anchored.path(), 20.0).await;
    assert_eq!(ended.tally.plan.spent_before, drawn.spent, "the baseline counts under the audit's cap");
    let row = drift(&ended.report);
    assert_eq!((row.alarm, row.visits, row.baseline_draws), (false, row.due, all));
    assert_eq!(row.due, without.corpus.turns / 4);
    assert!((row.evidence - 1.0).abs() < 1e-9, "no flip says nothing: {row:?}");
    assert_eq!(ended.report.digest, without.digest);
    assert_eq!(ended.report.funnel, without.funnel);
    assert_eq!(ended.report.requests.sent, without.requests.sent + row.visits);

    let again = Report::new(&conclude::tally(&assembly(anchored.path(), 20.0).audit.workspace, &ended.folder).unwrap());
    assert_eq!((again.digest, &again.grader_health), (ended.report.digest, &ended.report.grader_health));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grader_that_misses_more_than_in_its_baseline_raises_the_alarm() {
    let folder = workspace(ANCHORS);
    baseline(folder.path(), 20.0).await;
    let changed = format!("{GRADER}\n[drift]\nafter_requests = 20\nsensitivity = 0.0\n");
    fs::write(folder.path().join("grader.toml"), changed).unwrap();
    let report = run(folder.path(), 20.0).await.report;
    let row = drift(&report);
    assert_eq!((row.alarm, row.direction), (true, Some(Direction::MissesMore)), "{row:?}");
    assert!(row.positive.lost >= 8 && row.positive.gained == 0 && row.negative.gained + row.negative.lost == 0);
    let warned = report.warnings.iter().filter(|warning| warning.contains("it misses more")).count();
    assert_eq!(warned, 1, "{:?}", report.warnings);

    // Its replies are in the cache: a run over them grades no anchors, and says where they come from.
    let again = run(folder.path(), 20.0).await.report;
    assert_eq!((again.requests.sent, &again.grader_health.drift), (0, &None));
    let told = |report: &Report| report.warnings.iter().filter(|one| one.contains("ended in a drift alarm")).count();
    assert_eq!((told(&report), told(&again)), (0, 1), "{:?}", again.warnings);
    assert!(
        again.warnings.iter().any(|one| one.contains(report.run.as_deref().unwrap()) && one.contains("it misses more"))
    );
    let audit = fs::read_to_string(folder.path().join("audit.toml")).unwrap();
    let other = audit.replace("[grader.screen]", "[grader.screen]\nrevision = \"mended\"");
    fs::write(folder.path().join("audit.toml"), other).unwrap();
    let anew = run(folder.path(), 20.0).await.report;
    assert!(anew.requests.sent > 0 && told(&anew) == 0, "{:?}", anew.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_goes_on_with_its_visits_and_a_cap_holds_over_them() {
    let folder = workspace(ANCHORS);
    let cap = 0.03;
    let part = baseline(folder.path(), cap).await;
    assert!(part.there < part.announced.requests && part.there > 0, "{part:?}");
    assert_eq!(part.reason, StopReason::Budget);
    assert!(part.spent <= NanoUsd::from_usd(cap).unwrap(), "{part:?}");
    let rest = baseline(folder.path(), 20.0).await;
    assert_eq!(rest.announced.requests, part.announced.requests - part.there, "what is there is not asked again");

    let spent = (part.spent + rest.spent).usd();
    let first = run(folder.path(), spent + 0.1).await;
    assert!(!first.report.complete, "the cap ended it");
    let begun = drift(&first.report).visits;
    assert!(begun <= drift(&first.report).due, "no anchor is visited ahead of the units");
    let second = run(folder.path(), 20.0).await;
    assert_eq!(second.folder, first.folder, "it is the same run");
    let row = drift(&second.report);
    assert!(second.report.complete && begun > 0 && row.visits > begun, "{begun}, then {row:?}");
    assert_eq!(row.pairs, row.visits);

    let replayed = run(folder.path(), 20.0).await;
    assert_ne!(replayed.folder, first.folder);
    assert_eq!(replayed.report.requests.sent, 0, "a run that sends nothing visits no anchors");
    assert_eq!(replayed.report.digest, second.report.digest);
    assert!(replayed.report.grader_health.drift_reason.is_some());
}

/// What a kill leaves of a run that visited its last anchor: without the end of that visit in the journal, its reply being in the
/// log already or not.
fn kill_at_the_last_visit(folder: &Path, run: &RunFolder, is_replied: bool) {
    let journal = run.path.join("journal-1.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["record"].take();
    let last = text.lines().map(record).rfind(|event| event["anchor"].is_object()).unwrap();
    let is_of_last = |event: &serde_json::Value| event["attempt"] == last["attempt"] && event["attempt"].is_u64();
    let sent = text.lines().map(record).find(|event| is_of_last(event) && event["event"] == "sent").unwrap();
    let stays = |event: &serde_json::Value| match event["event"].as_str() {
        Some("closed") => false,
        Some("settled") => !is_of_last(event),
        _ => is_replied || !is_of_last(event),
    };
    let kept: Vec<&str> = text.lines().filter(|line| stays(&record(line))).collect();
    assert_eq!(text.lines().count() - kept.len(), if is_replied { 2 } else { 3 });
    fs::write(&journal, kept.join("\n") + "\n").unwrap();
    for derived in ["cache/accounts.json", "cache/index"] {
        let path = folder.join(derived);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.unwrap();
    }
    fs::remove_file(run.path.join("progress.json")).ok();
    if !is_replied {
        let mut dropped = 0;
        for entry in fs::read_dir(folder.join("cache/replies")).unwrap().map(Result::unwrap) {
            let text = fs::read_to_string(entry.path()).unwrap();
            let kept: Vec<&str> = text.lines().filter(|line| record(line)["key"] != sent["key"]).collect();
            dropped += text.lines().count() - kept.len();
            fs::write(entry.path(), kept.join("\n") + "\n").unwrap();
        }
        assert_eq!(dropped, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_around_the_reply_to_a_visit_changes_no_figure_and_pays_nothing_twice() {
    for is_replied in [true, false] {
        let folder = workspace(ANCHORS);
        baseline(folder.path(), 20.0).await;
        let whole = run(folder.path(), 20.0).await;
        let spent = whole.report.spend.audit_usd;
        kill_at_the_last_visit(folder.path(), &whole.folder, is_replied);
        let resumed = run(folder.path(), 20.0).await;
        assert_eq!(resumed.folder, whole.folder, "it is the same run");
        assert_eq!(resumed.report.sessions.count, 2);
        assert_eq!(drift(&resumed.report), drift(&whole.report), "the reply was there: {is_replied}");
        let requests = |ended: &Ended| (ended.report.requests.sent, ended.report.requests.repeated);
        assert_eq!(requests(&resumed), requests(&whole));
        assert!((resumed.report.spend.audit_usd - spent).abs() < 1e-12, "{} {spent}", resumed.report.spend.audit_usd);
        assert_eq!(resumed.report.digest, whole.report.digest);
        let again = conclude::tally(&assembly(folder.path(), 20.0).audit.workspace, &resumed.folder).unwrap();
        assert_eq!(drift(&Report::new(&again)), drift(&whole.report), "and by the journal alone");
    }
}

/// An audit of whole conversations in windows that are too small for the anchors.
fn of_conversations(folder: &Path) {
    let file = folder.join("audit.toml");
    let windowed = format!("prompt = \"screen@2\"\nwindow = {{ max_chars = 1500 }}\n{ANCHORS}");
    let audit = fs::read_to_string(&file).unwrap().replace(ANCHORS, &windowed).replace("confirm@1", "confirm@2");
    fs::write(&file, audit.replace("[behaviour]", "[corpus]\nunit = \"conversation\"\n[behaviour]")).unwrap();
    let said = |role: &str, says: &str| serde_json::json!({ "role": role, "content": says });
    let line = |number: usize| {
        let filler = format!("It is {number}. ").repeat(100);
        let last = format!("This is a test, is it not {number}");
        let messages =
            [said("user", "Well?"), said("assistant", &filler), said("user", "And?"), said("assistant", &filler)];
        let messages = [&messages[..], &[said("user", "Then?"), said("assistant", &last)]].concat();
        serde_json::json!({ "id": format!("long-{number}"), "expect": "present", "target": 5, "messages": messages })
            .to_string()
            + "\n"
    };
    fs::write(folder.join("anchors.jsonl"), (0..4).map(line).collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_that_are_read_in_chunks_are_visited_like_others() {
    let folder = workspace(ANCHORS);
    of_conversations(folder.path());
    let drawn = baseline(folder.path(), 20.0).await;
    assert!(drawn.there == 4 * 8 && drawn.announced.requests == 2 * drawn.there, "each has two chunks: {drawn:?}");
    let whole = run(folder.path(), 20.0).await;
    let row = drift(&whole.report).clone();
    assert_eq!((row.visits, row.pairs), (row.due, row.due), "{row:?}");
    let sent = |ended: &Ended| {
        let sent = ended.folder.events().map(Result::unwrap);
        sent.filter(|event| matches!(event, Event::Sent(sent) if visit_at(sent.ordinal).is_some())).count() as u64
    };
    assert!(sent(&whole) > row.visits, "several questions each: {} for {}", sent(&whole), row.visits);
    kill_at_the_last_visit(folder.path(), &whole.folder, true);
    let resumed = run(folder.path(), 20.0).await;
    assert_eq!((drift(&resumed.report), sent(&resumed)), (&row, sent(&whole)));
}

#[tokio::test(flavor = "multi_thread")]
async fn anchors_without_a_baseline_are_no_test_and_cost_nothing() {
    let folder = workspace(ANCHORS);
    let report = run(folder.path(), 20.0).await.report;
    let reason = report.grader_health.drift_reason.clone().unwrap_or_default();
    assert!(reason.contains("`assize anchors baseline`"), "{reason}");
    assert!(report.warnings.iter().any(|warning| warning.contains(&reason)), "{:?}", report.warnings);
    let plain = workspace("");
    assert_eq!(report.requests.sent, run(plain.path(), 20.0).await.report.requests.sent);
}

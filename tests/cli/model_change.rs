//! A grader that turns out to be another model in the middle of the night: stopped or split, never mixed.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Grader, Night, profile};

/// A night of which the first twelve units were screened by `old`, and the server now serves `new`.
fn changed(lines: &str) -> (Night, Value) {
    let Night { workspace, screen, confirm } = Night::with(80, "served_model = \"old\"", "");
    if !lines.is_empty() {
        workspace.edit("audit.toml", "model = \"gpt-5-mini\"", &format!("model = \"gpt-5-mini\"\n{lines}"));
    }
    let address = screen.address();
    let part = workspace.run(&["run", "--limit", "12", "--format", "json"]).expect(0).json();
    drop(screen);
    let truth = workspace.path("truth.jsonl");
    let screen = Grader::start_at(&profile(&truth, "served_model = \"new\"\nlatency_ms = 5"), address);
    (Night { workspace, screen, confirm }, part)
}

fn rates(report: &Value) -> impl Iterator<Item = &Value> {
    report["rates"].as_array().unwrap().iter()
}

#[test]
fn a_second_model_stops_the_run_and_says_what_to_do() {
    let (night, part) = changed("");
    assert!(rates(&part).any(|rate| rate["k"].is_u64()), "one model is one measurement");
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(6);
    assert!(ended.stdout.contains("INCOMPLETE: the screen grader changed from `old` to `new`"), "{}", ended.stdout);
    insta::assert_snapshot!(ended.stderr);
    let asked = night.requests();
    assert!(asked.0 <= 8 + 64, "no more than the slots and one commit group: {asked:?}");

    // What came back is kept: the cache alone shows the change, and nothing passes silently.
    let again = night.workspace.run(&["run", "--progress", "none"]).expect(6);
    assert!(again.stderr.contains("was served as"), "{}", again.stderr);
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert!(rates(&report).all(|rate| rate["k"].is_null() && rate["estimate"].is_null()), "{:#}", report["rates"]);

    // The advice works: under another revision everything is asked of the model of now.
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nrevision = \"new\"");
    let whole = night.workspace.report().json();
    assert_eq!(whole["graders"][0]["models_served"], json!(["new"]));
}

#[test]
fn a_model_that_changed_between_two_sessions_of_a_run_is_noticed() {
    let Night { workspace, screen, confirm: _confirm } = Night::with(60, "served_model = \"old\"\nlatency_ms = 10", "");
    let first = workspace.assize(&["run", "--format", "json"]).run_while(|child| {
        screen.wait_for(30);
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    });
    let first = first.expect(130).json();
    let address = screen.address();
    drop(screen);
    let truth = workspace.path("truth.jsonl");
    let _screen = Grader::start_at(&profile(&truth, "served_model = \"new\"\nlatency_ms = 10"), address);
    let second = workspace.run(&["run", "--format", "json"]).expect(6).json();
    assert_eq!(second["run"], first["run"], "it was resumed");
    assert_eq!(second["sessions"]["stop"]["reason"], json!("model_changed"));
    assert!(rates(&second).all(|rate| rate["k"].is_null()), "{:#}", second["rates"]);
}

#[test]
fn a_split_goes_on_and_counts_each_model_apart() {
    let (night, _) = changed("on_model_change = \"split\"");
    let report = night.workspace.report();
    let (digest, report) = (report.digest(), report.json());
    assert_eq!(report["complete"], json!(true));
    let by_model = report["graders"][0]["by_model"].as_array().unwrap();
    let units = |row: &Value| row["outcomes"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!(by_model.iter().map(|row| row["model"].as_str().unwrap()).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(units(&by_model[1]), 12);
    assert_eq!(units(&by_model[0]) + 12, report["funnel"]["admitted"].as_u64().unwrap());
    let holds: u64 = by_model.iter().map(|row| row["holds"].as_u64().unwrap()).sum();
    assert_eq!(holds, report["funnel"]["flagged"].as_u64().unwrap());
    assert!(report["graders"][1].get("by_model").is_none(), "the confirmer is one model");
    for rate in rates(&report) {
        assert!(rate["k"].is_null() && rate["lower"].is_null() && rate["upper"].is_null(), "{rate}");
        assert!(rate["reason"].as_str().unwrap().contains("several models served the screen stage"), "{rate}");
    }
    // A replay from the cache alone is the same mixture, and its digest says so.
    assert_eq!(night.workspace.report().digest(), digest);
    let page = night.workspace.run(&["report"]).expect(0).stdout;
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("the screen stage was served by new"), "{page}");
    assert!(flat.contains("old (12 turns, flagged"), "{page}");
}

//! `assize init`, and running what it scaffolds.

use serde_json::json;

use crate::support::{Workspace, conversation, line};

#[test]
fn a_new_workspace_is_told_planned_and_run_offline() {
    let workspace = Workspace::empty();
    insta::assert_snapshot!(workspace.run(&["init", "."]).expect(0).shown());
    let plan = workspace.run(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(plan["simulated"], json!(true));
    let report = workspace.run(&["run", "--limit", "200", "--format", "json"]).expect(0).json();
    assert_eq!((&report["simulated"], &report["complete"]), (&json!(true), &json!(true)));
    assert_eq!(report["funnel"]["planned"], json!(200));
}

#[test]
fn a_corpus_is_guessed_and_runs() {
    let workspace = Workspace::empty();
    for (file, checkpoint) in [("one", "early"), ("two", "late")] {
        let record = |number: u32| {
            let mut record = conversation(&format!("{file}-{number}"), "What is a stork?", "A bird.");
            record["metadata"] = json!({ "checkpoint": checkpoint, "user": format!("u{number}") });
            line(&record)
        };
        workspace.write(&format!("traffic/{file}.jsonl"), (0..40).flat_map(record).collect::<Vec<_>>());
    }
    insta::assert_snapshot!(workspace.run(&["init", "audit", "--corpus", "traffic/*.jsonl"]).expect(0).shown());
    insta::assert_snapshot!("a_corpus_is_guessed_file", workspace.read("audit/audit.toml"));
    let report = workspace.run(&["run", "audit", "--format", "json"]).expect(0).json();
    assert_eq!(report["funnel"]["turns"], json!(80));
    assert_eq!(report["corpus"]["unreadable"], json!({}));
}

#[test]
fn a_behaviour_is_scaffolded_locked_and_run() {
    let workspace = Workspace::empty();
    insta::assert_snapshot!(workspace.run(&["init", ".", "--behaviour", "flattery"]).expect(0).shown());
    workspace.run(&["prompts", "lint", "flattery"]).expect(0);
    let report = workspace.run(&["run", "--limit", "50", "--format", "json"]).expect(0).json();
    assert_eq!(report["behaviour"], json!("flattery"));
}

#[test]
fn nothing_is_overwritten_and_nothing_is_guessed_from_nothing() {
    let workspace = Workspace::empty();
    workspace.write("audit.toml", "mine");
    workspace.write("notes/a.jsonl", "{\"text\": \"no conversation\"}\n");
    let shown = [
        workspace.run(&["init"]).expect(2),
        workspace.run(&["init", "other", "--corpus", "nowhere/*.jsonl"]).expect(2),
        workspace.run(&["init", "other", "--corpus", "notes/*.jsonl"]).expect(2),
        workspace.run(&["init", "other", "--behaviour", "../x"]).expect(2),
    ];
    insta::assert_snapshot!(shown.map(|ended| ended.shown()).join("\n"));
    assert_eq!(workspace.read("audit.toml"), "mine");
}

#[test]
fn the_json_names_what_was_written() {
    let workspace = Workspace::empty();
    let told = workspace.run(&["init", "new", "--format", "json"]).expect(0).json();
    for file in told["written"].as_array().unwrap() {
        assert!(workspace.path("new").join(file.as_str().unwrap()).is_file(), "{file}");
    }
    assert_eq!(told["kept"], json!([]));
}

//! `sample_by` and `cluster_by`: what is drawn, and what is not independent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Night;

/// A night that draws whole conversations, 30 of each stratum without a cue.
fn night(keys: &str) -> Night {
    let night = Night::new(60);
    night.workspace.edit("audit.toml", "group_by = [\"checkpoint\"]", &format!("group_by = [\"checkpoint\"]\n{keys}"));
    night.workspace.edit("audit.toml", "none = \"all\"", "none = 30");
    night
}

/// The journal's records of one kind.
fn records(night: &Night, event: &str) -> Vec<Value> {
    let run = std::fs::read_dir(night.workspace.path("runs")).unwrap().map(Result::unwrap);
    let run = run.map(|entry| entry.path()).find(|path| path.join("journal-1.jsonl").exists()).unwrap();
    let lines = std::fs::read_to_string(run.join("journal-1.jsonl")).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].clone());
    records.filter(|record| record["event"] == event).collect()
}

#[test]
fn a_plan_says_how_many_conversations_are_drawn() {
    let night = night("sample_by = \"conversation\"\ncluster_by = \"checkpoint\"");
    insta::assert_snapshot!(night.workspace.run(&["plan"]).expect(0).shown());
    let plan = night.workspace.run(&["plan", "--format", "json", "--limit", "12"]).expect(0).json();
    assert_eq!((&plan["sample_by"], &plan["conversations_planned"]), (&json!("conversation"), &json!(12)));
    let strata = plan["strata"].as_array().unwrap();
    assert_eq!(strata.iter().map(|row| row["conversations_planned"].as_u64().unwrap()).sum::<u64>(), 12);
    assert!(plan["planned"].as_u64().unwrap() > 12, "their turns are planned");
}

#[test]
fn a_report_counts_conversations_beside_turns() {
    let night = night("sample_by = \"conversation\"\ncluster_by = \"checkpoint\"");
    let report = night.workspace.report().json();
    let drawn = &report["funnel"]["drawn_conversations"];
    assert_eq!((&drawn["frame"], &drawn["admitted"]), (&report["funnel"]["conversations"], &drawn["planned"]));
    assert_eq!(
        (&report["design"]["sample_by"], &report["design"]["cluster_by"]),
        (&json!("conversation"), &json!("checkpoint"))
    );
    let clusters: BTreeSet<String> =
        records(&night, "admitted").iter().map(|unit| unit["cluster"].as_str().unwrap().to_owned()).collect();
    assert_eq!(clusters.len(), 2, "one for each checkpoint: {clusters:?}");
    assert!(clusters.iter().all(|cluster| cluster.len() == 64));
    let page = night.workspace.run(&["report"]).expect(0).stdout;
    let whole = format!("in {drawn} conversations", drawn = drawn["admitted"]);
    assert!(page.contains("  drawn    whole conversations; clusters by `checkpoint`"), "{page}");
    assert!(page.lines().any(|line| line.trim_start().starts_with("admitted") && line.ends_with(&whole)), "{page}");
    // Confirmed turns of one checkpoint are not independent, so there are no limits for the traffic.
    let traffic = report["rates"].as_array().unwrap().iter();
    let mut traffic =
        traffic.filter(|rate| rate["name"] == "floor" && rate["target"] == "traffic" && rate["k"].as_u64() > Some(1));
    assert!(
        traffic.all(|rate| rate["lower"].is_null()
            && rate["reason"].as_str().unwrap().contains("fewer than 10 checkpoints hold"))
    );
}

#[test]
fn single_turns_leave_no_trace_of_conversations_in_the_journal() {
    let night = night("");
    let report = night.workspace.report().json();
    assert!(report["funnel"].get("drawn_conversations").is_none() && report["design"].get("sample_by").is_none());
    let units = records(&night, "admitted");
    assert!(!units.is_empty() && units.iter().all(|unit| unit.get("part").is_none() && unit.get("cluster").is_none()));
    let plan = &records(&night, "planned")[0];
    assert!(plan.get("sample_by").is_none() && plan["strata"][0].get("conversations_planned").is_none());
}

#[test]
fn a_field_that_no_conversation_carries_ends_with_2_before_anything_is_sent() {
    let night = night("cluster_by = \"usr\"");
    let ended = night.workspace.run(&["run"]).expect(2);
    insta::assert_snapshot!(ended.stderr);
    assert_eq!(night.requests(), (0, 0));
}

#[test]
fn what_is_drawn_is_part_of_what_a_run_asked() {
    let night = night("sample_by = \"conversation\"");
    night.workspace.run(&["run", "--max-cost", "0.10"]).expect(3);
    night.workspace.edit("audit.toml", "sample_by = \"conversation\"", "sample_by = \"turn\"");
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    assert!(ended.stdout.contains("`sample_by` changed"), "{}", ended.stdout);
}

//! `unit = "conversation"`: what every command says where whole conversations are graded.

use serde_json::{Value, json};

use crate::support::Night;

/// Turns a night's audit into one of conversations.
pub(crate) fn of_conversations(night: &Night) {
    night.workspace.edit(
        "audit.toml",
        "group_by = [\"checkpoint\"]",
        "group_by = [\"checkpoint\"]\nunit = \"conversation\"",
    );
    for (stage, model) in [("screen", "gpt-5-mini"), ("confirm", "gpt-5")] {
        let written = format!("model = \"{model}\"\n");
        night.workspace.edit("audit.toml", &written, &format!("{written}prompt = \"{stage}@2\"\n"));
    }
}

/// A night of graders without errors that grades conversations, 30 of each group without a cue.
fn night() -> Night {
    let night = Night::with(60, "sensitivity = 1.0\nspecificity = 1.0", "sensitivity = 1.0\nspecificity = 1.0");
    of_conversations(&night);
    night.workspace.edit("audit.toml", "none = \"all\"", "none = 30");
    night
}

#[test]
fn plan_and_report_count_conversations() {
    let night = night();
    insta::assert_snapshot!("plan", night.workspace.run(&["plan"]).expect(0).shown());
    let report = night.workspace.report().json();
    insta::assert_snapshot!("report", night.workspace.run(&["report"]).expect(0).shown());
    assert_eq!((&report["unit"], &report["design"]["sample_by"]), (&json!("conversation"), &json!("conversation")));
    let planned = report["funnel"]["planned"].as_u64().unwrap();
    assert_eq!(night.requests().0, planned, "one question each");
    let replayed = night.workspace.run(&["run", "--cache", "read-only", "--format", "json"]).expect(0).json();
    assert_eq!((&replayed["digest"], night.requests().0), (&report["digest"], planned));
}

#[test]
fn people_read_and_look_at_conversations() {
    let night = night();
    let report = night.workspace.report().json();
    let confirmed = report["confirmed_units"].as_array().unwrap();
    let first = &confirmed[0];
    let unit = first["unit"].as_str().unwrap();
    assert!(!unit.contains('#'), "{unit}");
    let shown = night.workspace.run(&["show", unit]).expect(0).stdout;
    assert!(!shown.contains("this turn") && shown.contains("confirm: graded, present"), "{shown}");

    let queue = night.workspace.run(&["review", "queue", "--seat", "ana"]).expect(0).stdout;
    assert!(queue.starts_with(&format!("{} conversations to read", confirmed.len())), "{queue}");
    let lines = night.workspace.run(&["review", "queue", "--seat", "ana", "--format", "json"]).expect(0).json();
    let label = |line: &Value| {
        let mut line = line.clone();
        (line["decision"], line["at"]) = (json!("yes"), json!("2026-11-23T17:40:12Z"));
        format!("{line}\n")
    };
    let labels: String = lines.as_array().unwrap().iter().map(label).collect();
    night.workspace.write("labels/ana.jsonl", labels);
    let read = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert_eq!(read["labels"]["decided"], json!(confirmed.len()));
    assert_eq!(read["funnel"]["confirmed_by"]["people"], json!(confirmed.len()));
    let rate = |name: &str| {
        let rates = read["rates"].as_array().unwrap().iter();
        let is_wanted = |rate: &&Value| {
            rate["name"] == name
                && rate["unit"] == "conversation"
                && rate["target"] == "corpus"
                && rate["group"] == json!({})
        };
        rates.into_iter().find(is_wanted).unwrap().clone()
    };
    let (catchable, corrected) = (rate("catchable"), rate("corrected"));
    assert_eq!(catchable["n"], json!(120));
    assert!(catchable["estimate"].as_f64() >= rate("floor")["estimate"].as_f64(), "{catchable}");
    assert!(corrected["reason"].as_str().unwrap().contains("known positives"), "{corrected}");
}

#[test]
fn known_positives_are_conversations_and_give_a_corrected_rate() {
    let night = Night::knowing(60, 40, "sensitivity = 0.9\nspecificity = 1.0", "sensitivity = 1.0\nspecificity = 1.0");
    of_conversations(&night);
    let workspace = &night.workspace;
    let draw = workspace.run(&["sensitivity", "draw", "--class", "none", "--n", "5"]).expect(2).stderr;
    insta::assert_snapshot!("no_blind_draw", draw);
    workspace.run(&["sensitivity", "import", "known.jsonl"]).expect(0);
    let report = workspace.report().json();
    let rows = report["sensitivity"]["rows"].as_array().unwrap();
    let sum = |figure: &str| rows.iter().map(|row| row[figure].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("items"), sum("usable")), (80, 80));
    assert!((60..=80).contains(&sum("passed")), "{rows:?}");
    assert_eq!(report["funnel"]["units"], json!(120), "no known positive is among them");
    let lines = workspace.run(&["review", "queue", "--seat", "ana", "--format", "json"]).expect(0).json();
    let label = |line: &Value| {
        let mut line = line.clone();
        (line["decision"], line["at"]) = (json!("yes"), json!("2026-11-23T17:40:12Z"));
        format!("{line}\n")
    };
    workspace.write("labels/ana.jsonl", lines.as_array().unwrap().iter().map(label).collect::<String>());
    let read = workspace.run(&["report", "--format", "json"]).expect(0).json();
    let corrected: Vec<_> = read["rates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rate| rate["name"] == "corrected" && rate["unit"] == "conversation" && rate["target"] == "corpus")
        .collect();
    assert_eq!(corrected.len(), 3, "for all, and for each checkpoint");
    assert!(corrected.iter().all(|rate| rate["estimate"].as_f64() > Some(0.0)), "{corrected:?}");
}

#[test]
fn exact_copies_are_graded_once_and_counted_as_often_as_they_occur() {
    let night = Night::with(60, "sensitivity = 1.0\nspecificity = 1.0", "sensitivity = 1.0\nspecificity = 1.0");
    of_conversations(&night);
    let floor = |report: &Value, target: &str| {
        let rates = report["rates"].as_array().unwrap().iter();
        let is_wanted = |rate: &&Value| {
            rate["name"] == "floor"
                && rate["unit"] == "conversation"
                && rate["target"] == target
                && rate["group"] == json!({})
        };
        let rate = rates.into_iter().find(is_wanted).unwrap().clone();
        ["k", "n", "clusters"].map(|figure| rate[figure].as_u64().unwrap_or_default())
    };
    let first = night.workspace.report().json();
    let asked = night.requests();
    let confirmed = first["confirmed_units"].as_array().unwrap();
    let unit = confirmed.iter().find(|unit| unit["group"]["checkpoint"] == "late").unwrap()["unit"].as_str().unwrap();
    let corpus = night.workspace.read("corpus/late.jsonl");
    let line = corpus.lines().find(|line| line.contains(&format!("\"{unit}\""))).unwrap();
    let copies = ["copy-1", "copy-2"].map(|id| format!("{}\n", line.replace(unit, id)));
    night.workspace.write("corpus/copies.jsonl", copies.concat());

    let second = night.workspace.report().json();
    assert_eq!(night.requests(), asked, "nothing new is asked");
    let ([k, n, clusters], [k_then, n_then, clusters_then]) = (floor(&first, "traffic"), floor(&second, "traffic"));
    assert_eq!((k_then, n_then), (k + 2, n + 2), "each counts");
    assert_eq!(clusters_then, clusters, "and all three are one cluster");
}

#[test]
fn a_prompt_that_asks_about_turns_is_refused_with_the_one_to_take() {
    let night = Night::new(5);
    night.workspace.edit(
        "audit.toml",
        "group_by = [\"checkpoint\"]",
        "group_by = [\"checkpoint\"]\nunit = \"conversation\"",
    );
    insta::assert_snapshot!(night.workspace.run(&["plan"]).expect(2).stderr);
    assert_eq!(night.requests(), (0, 0));
}

#[test]
fn what_is_graded_is_part_of_what_a_run_asked() {
    let night = night();
    night.workspace.run(&["run", "--max-cost", "0.05"]).expect(3);
    night.workspace.edit("audit.toml", "unit = \"conversation\"", "unit = \"turn\"");
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    assert!(ended.stdout.contains("`unit` changed"), "{}", ended.stdout);
    night.workspace.edit("audit.toml", "unit = \"turn\"", "unit = \"conversation\"");
    let learned = night.workspace.run(&["plan", "--from-run", "latest"]).expect(2).stderr;
    assert!(learned.contains("graded turns, and this audit grades conversations"), "{learned}");
}

#[test]
fn a_long_conversation_is_shown_with_what_was_said_of_its_chunks() {
    let night = night();
    let (written, window) = ("prompt = \"screen@2\"\n", "window = { max_chars = 2_200 }\n");
    night.workspace.edit("audit.toml", written, &format!("{written}{window}"));
    let report = night.workspace.report().json();
    assert!(night.requests().0 > report["funnel"]["planned"].as_u64().unwrap(), "some have several questions");
    let units = report["confirmed_units"].as_array().unwrap().iter().map(|unit| unit["unit"].as_str().unwrap());
    let pages: Vec<_> = units.map(|unit| night.workspace.run(&["show", unit]).expect(0).stdout).collect();
    let lines = pages.iter().flat_map(|page| page.lines());
    let chunked: Vec<_> = lines.filter(|line| line.contains("read in 2 chunks: ")).collect();
    assert!(!chunked.is_empty(), "{pages:?}");
    assert!(chunked.iter().any(|line| line.contains("present")), "{chunked:?}");
}

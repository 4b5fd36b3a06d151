//! `assize validate`: stored verdicts against labelled units.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Night, shape};
use crate::whole::of_conversations;

/// A night whose screen errs.
fn night() -> Night {
    let night = Night::with(60, "sensitivity = 0.8\nspecificity = 0.9", "specificity = 0.8");
    night.workspace.report();
    night
}

/// Whether each turn of the corpus truly shows the behaviour, by address and checkpoint: groups share ids.
fn truth(night: &Night) -> BTreeMap<(String, String), bool> {
    let lines = |name: &str| -> Vec<Value> {
        night.workspace.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let planted = lines("truth.jsonl").into_iter().filter(|turn| turn["present"] == true);
    let planted: BTreeSet<_> = planted.map(|turn| (text(&turn["unit"]), text(&turn["group"]["checkpoint"]))).collect();
    let mut truth = BTreeMap::new();
    for file in std::fs::read_dir(night.workspace.path("corpus")).unwrap().map(Result::unwrap) {
        for conversation in lines(&format!("corpus/{}", file.file_name().to_str().unwrap())) {
            let messages = (0..).zip(conversation["messages"].as_array().unwrap());
            for (turn, _) in messages.filter(|(_, message)| message["role"] == "assistant") {
                let address = format!("{}#{turn}", text(&conversation["id"]));
                let unit = (address, text(&conversation["metadata"]["checkpoint"]));
                let is_planted = planted.contains(&unit);
                truth.insert(unit, is_planted);
            }
        }
    }
    truth
}

fn label(unit: &str, group: &Value, decision: &str) -> Value {
    json!({
        "unit": unit, "group": group, "decision": decision, "seat": "ana", "at": "2026-11-24T10:00:00Z",
        "behaviour": "metagaming",
    })
}

fn lines(labels: &[Value]) -> String {
    labels.iter().map(|label| label.to_string() + "\n").collect()
}

/// A right label for every turn.
fn labels(night: &Night) -> Vec<Value> {
    let decision = |present| if present { "yes" } else { "no" };
    let labels = truth(night).into_iter();
    labels.map(|((unit, checkpoint), present)| label(&unit, &json!([checkpoint]), decision(present))).collect()
}

fn validated(night: &Night, words: &[&str]) -> Value {
    let words = [&["validate", "--format", "json"], words].concat();
    night.workspace.run(&words).expect(0).json()
}

fn refused(night: &Night, labels: &[Value]) -> String {
    night.workspace.write("labels/refused.jsonl", lines(labels));
    let ended = night.workspace.run(&["validate", "--labels", "labels/refused.jsonl"]).expect(2);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    ended.stderr
}

#[test]
fn a_run_against_planted_truth() {
    let night = night();
    let asked = night.requests();
    let mut labels = labels(&night);
    let all = labels.len();
    labels[3]["decision"] = json!("unsure");
    labels.push(label("nowhere#1", &json!(["early"]), "yes"));
    let mut foreign = labels[0].clone();
    foreign["behaviour"] = json!("refusal");
    labels.push(foreign);
    night.workspace.write("labels/dev.jsonl", format!("{}not a label\n", lines(&labels)));

    let shown = night.workspace.run(&["validate", "--split", "dev"]).expect(0);
    insta::assert_snapshot!(shown.shown());
    let found = validated(&night, &["--labels", "labels/dev.jsonl", "latest"]);
    insta::assert_snapshot!("validate_shape", shape(&found, &[".group"]));
    assert_eq!(night.requests(), asked, "nothing is asked");
    assert!(!night.workspace.path("labels/test.looks.jsonl").exists(), "dev is not sealed");

    let of_labels = &found["labels"];
    assert_eq!(of_labels["units"], all + 1);
    assert_eq!((&of_labels["undecided"], &of_labels["foreign_lines"]), (&json!(1), &json!(1)));
    assert_eq!(of_labels["malformed_lines"], 1);
    for stage in found["stages"].as_array().unwrap() {
        let number = |name: &str| stage[name].as_u64().unwrap();
        let cells = ["detected", "missed", "false_alarms", "cleared"].map(number);
        let apart: u64 = stage["apart"].as_array().unwrap().iter().map(|row| row["units"].as_u64().unwrap()).sum();
        assert_eq!((number("decided"), number("units")), (cells.iter().sum(), number("decided") + apart));
        assert_eq!(stage["informative"], true);
    }
    // The simulated screen detects four of five positives and clears nine of ten others, as its profile says.
    let screen = &found["stages"][0];
    for (figure, planted) in [("sensitivity", 0.8), ("specificity", 0.9)] {
        let limit = |name: &str| screen[figure][name].as_f64().unwrap();
        assert!(limit("lower") <= planted && planted <= limit("upper"), "{figure}: {screen}");
    }
    // What the second grader clears lowers no specificity and raises no sensitivity.
    let both = &found["stages"][1];
    let rate = |stage: &Value, name: &str| stage[name]["estimate"].as_f64().unwrap();
    assert!(rate(both, "specificity") >= rate(screen, "specificity"));
    assert!(rate(both, "sensitivity") <= rate(screen, "sensitivity"));
}

#[test]
fn every_look_at_the_sealed_split_is_logged_and_counted() {
    let night = night();
    let labels = labels(&night);
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    night.workspace.write("labels/dev.jsonl", lines(&labels[1..]));
    night.workspace.write("labels/test.jsonl", lines(&labels));
    night.workspace.write("copy.jsonl", lines(&labels));
    let log = || night.workspace.read("labels/test.looks.jsonl").lines().count();

    let first = validated(&night, &["--split", "test"]);
    assert_eq!((&first["looks"]["total"], log()), (&json!(1), 1));
    assert!(!first["warnings"].to_string().contains("sealed"), "{}", first["warnings"]);
    let mode = std::fs::metadata(night.workspace.path("labels/test.looks.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "readable by its owner only");

    let again = validated(&night, &["--labels", "labels/test.jsonl"]);
    assert_eq!((&again["looks"]["total"], log()), (&json!(2), 2));
    assert!(again["warnings"][0].as_str().unwrap().starts_with("this is look 2 at the sealed test split"), "{again}");
    validated(&night, &["--labels", "copy.jsonl"]);
    assert_eq!(log(), 3, "a copy is as sealed as the split");

    let dev = validated(&night, &["--split", "dev"]);
    assert_eq!((&dev["looks"]["total"], log()), (&json!(3), 3), "every output says how many looks there were");
    let look: Value =
        serde_json::from_str(night.workspace.read("labels/test.looks.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!((&look["run"], &look["prompts"][0]["prompt"]), (&first["run"], &first["graders"][0]["prompt"]));
    assert_eq!(look["prompts"][0]["hash"], first["graders"][0]["prompt_hash"]);

    // A report takes neither split for decisions of people, nor the log for labels.
    assert_eq!(night.workspace.run(&["report", "--format", "json"]).expect(0).json(), report);
    // A refused label is no look.
    let mut own = labels;
    own[0]["by_grader"] = json!("gpt-5-mini");
    night.workspace.write("labels/test.jsonl", lines(&own));
    night.workspace.run(&["validate", "--split", "test"]).expect(2);
    assert_eq!(log(), 3);
}

#[test]
fn labels_of_the_same_grader_are_refused() {
    let night = night();
    let right = labels(&night);
    let with = |field: &str, value: &str| {
        let mut labels = right.clone();
        labels[2][field] = json!(value);
        labels
    };
    let messages = [
        refused(&night, &with("by_grader", "openai/GPT-5-mini-2025-08-07")),
        refused(&night, &with("seat", "gpt-5")),
        refused(&night, &with("from_run", "20261123T194324Z-eb8b")),
        refused(&night, &with("found_by", "grader_flag")),
    ];
    insta::assert_snapshot!(messages.join("\n"));
    // Another grader's labels are no truth either, but they are not its own.
    night.workspace.write("others.jsonl", lines(&with("by_grader", "another-model")));
    let found = validated(&night, &["--labels", "others.jsonl"]);
    assert!(found["warnings"].to_string().contains("made by a grader, `another-model`"), "{}", found["warnings"]);
}

#[test]
fn labels_that_follow_flags_are_told_from_labels_that_do_not() {
    let night = night();
    night.workspace.write("dev.jsonl", lines(&labels(&night)));
    // People who read what was flagged, as a reviewer does.
    let report = night.workspace.run(&["review", "queue", "--format", "json"]).expect(0).json();
    let queue = report.as_array().unwrap();
    let truth = truth(&night);
    let read: Vec<Value> = queue
        .iter()
        .map(|queued| {
            let unit = queued["unit"].as_str().unwrap();
            let name = (unit.to_owned(), queued["group"][0].as_str().unwrap().to_owned());
            label(unit, &queued["group"], if truth[&name] { "yes" } else { "no" })
        })
        .collect();
    assert!(!read.is_empty());
    night.workspace.write("labels/ana.jsonl", lines(&read));
    let found = validated(&night, &["--labels", "labels/ana.jsonl"]);
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("every labelled unit was flagged") && warnings.contains("a reviewer read"), "{warnings}");
    let blind = validated(&night, &["--labels", "dev.jsonl"])["warnings"].to_string();
    assert!(!blind.contains("every labelled unit was flagged") && !blind.contains("a reviewer read"), "{blind}");
}

#[test]
fn gold_is_found_by_its_text() {
    let night = Night::with(20, "", "");
    let gold = include_str!("../../prompts/metagaming/gold.jsonl");
    // A gold file is a corpus as it stands.
    night.workspace.write("corpus/gold.jsonl", gold);
    night.workspace.report();
    let found = validated(&night, &["--labels", concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/metagaming/gold.jsonl")]);
    let items = gold.lines().count();
    assert_eq!(found["labels"]["units"], items, "{}", found["labels"]);
    assert_eq!(found["labels"]["malformed_lines"], 0, "{}", found["labels"]);
    let stage = &found["stages"][0];
    assert!(
        stage["decided"].as_u64().unwrap() > 0 && stage["apart"].to_string().find("not_admitted").is_none(),
        "{stage}"
    );
    let exclusions = stage["subsets"].as_array().unwrap().iter();
    assert!(exclusions.filter(|subset| subset["name"]["exclusion"].is_string()).count() > 3, "{stage}");
}

#[test]
fn whole_conversations_are_labelled_by_their_id() {
    let night = Night::with(60, "sensitivity = 1.0\nspecificity = 1.0", "sensitivity = 1.0\nspecificity = 1.0");
    of_conversations(&night);
    night.workspace.edit("audit.toml", "none = \"all\"", "none = 30");
    let report = night.workspace.report().json();
    let mut whole: BTreeMap<(String, String), bool> = BTreeMap::new();
    for ((unit, checkpoint), present) in truth(&night) {
        let (conversation, _) = unit.rsplit_once('#').unwrap();
        *whole.entry((conversation.to_owned(), checkpoint)).or_default() |= present;
    }
    let decision = |present: &bool| if *present { "yes" } else { "no" };
    let labels: Vec<Value> = whole
        .iter()
        .map(|((unit, checkpoint), present)| label(unit, &json!([checkpoint]), decision(present)))
        .collect();
    night.workspace.write("whole.jsonl", lines(&labels));
    let found = validated(&night, &["--labels", "whole.jsonl"]);
    let screen = &found["stages"][0];
    assert_eq!((&found["unit"], &screen["units"]), (&json!("conversation"), &json!(labels.len())));
    assert_eq!(screen["decided"], report["funnel"]["planned"], "the rest was not drawn, and is no answer");
    assert_eq!((&screen["missed"], &screen["false_alarms"]), (&json!(0), &json!(0)), "{screen}");
    assert!(found["warnings"].to_string().contains("labels equal the screen's verdicts"), "{}", found["warnings"]);
    let gold = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/metagaming/gold.jsonl");
    let refused = night.workspace.run(&["validate", "--labels", gold]).expect(2);
    assert!(refused.stderr.contains("labels turns, and the run grades conversations"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_validated_is_refused() {
    let night = night();
    night.workspace.write(
        "other.jsonl",
        r#"{"unit":"c#1","decision":"yes","seat":"ana","at":"2026-11-24T10:00:00Z","behaviour":"refusal"}"#,
    );
    let mixed = format!(
        "{}{}\n",
        lines(&labels(&night)[..1]),
        include_str!("../../prompts/metagaming/gold.jsonl").lines().next().unwrap()
    );
    night.workspace.write("mixed.jsonl", mixed);
    let refused = [
        night.workspace.run(&["validate"]),
        night.workspace.run(&["validate", "--labels", "missing.jsonl"]),
        night.workspace.run(&["validate", "--labels", "other.jsonl"]),
        night.workspace.run(&["validate", "--labels", "mixed.jsonl"]),
        night.workspace.run(&["validate", "--split", "test"]),
    ];
    insta::assert_snapshot!(refused.map(|ended| ended.expect(2).shown()).join("\n"));
}

#[test]
fn limits_are_named_by_the_level_that_they_have() {
    let night = Night::with(60, "sensitivity = 0.8\nspecificity = 0.9", "");
    night.workspace.assize(&["run", "--progress", "none"]).run_while(|child| {
        night.screen.wait_for(40);
        child.kill().ok();
    });
    night.workspace.edit("audit.toml", "seed = ", "level = 0.5\nseed = ");
    let report = night.workspace.report().json();
    assert_eq!((&report["sessions"]["count"], &report["design"]["level"]), (&json!(2), &json!(0.5)));
    night.workspace.write("truth-labels.jsonl", lines(&labels(&night)));
    let found = validated(&night, &["--labels", "truth-labels.jsonl"]);
    assert_eq!(found["level"], json!(0.5));
    let shown = night.workspace.run(&["validate", "--labels", "truth-labels.jsonl"]).expect(0).stdout;
    assert!(shown.contains("limits  at 50%"), "{shown}");
}

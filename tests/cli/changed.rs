//! What changed between a run that was cut short and the next one is said, and what did not change replays.

use serde_json::json;

use crate::support::Night;

fn warned(night: &Night, words: &[&str], code: i32) -> String {
    let ended = night.workspace.run(&[&["run", "--format", "json"], words].concat()).expect(code);
    let report = ended.json();
    let lines = report["warnings"].as_array().unwrap().clone();
    lines
        .iter()
        .map(|line| line.as_str().unwrap())
        .find(|line| line.contains("is not resumed"))
        .unwrap_or("")
        .to_owned()
}

/// The reasons given, without the run's id.
fn reasons(line: &str) -> &str {
    let (_, rest) = line.split_once("because ").unwrap_or_else(|| panic!("no reason is given: `{line}`"));
    rest.split_once(": a new run begins").unwrap().0
}

#[test]
fn changed_files_are_named_and_unchanged_conversations_replay() {
    let night = Night::new(40);
    night.workspace.run(&["run", "--max-cost", "0.10"]).expect(3);
    let early = night.workspace.read("corpus/early.jsonl");
    let (first, rest) = early.split_once('\n').unwrap();
    assert!(!first.is_empty());
    night.workspace.write("corpus/early.jsonl", rest);
    night.workspace.write("corpus/more.jsonl", format!("{first}\n"));
    let line = warned(&night, &["--max-cost", "20"], 0);
    assert_eq!(reasons(&line), "the corpus changed: `corpus/early.jsonl` changed, `corpus/more.jsonl` is new");
    assert_eq!(night.screen.stats().distinct_bodies, night.screen.requests(), "what is the same by content replays");

    // Touched is not changed.
    let night = Night::new(10);
    let cut = night.workspace.run(&["run", "--max-cost", "0.05", "--format", "json"]).expect(3).json();
    let late = night.workspace.read("corpus/late.jsonl");
    std::fs::remove_file(night.workspace.path("corpus/late.jsonl")).unwrap();
    night.workspace.write("corpus/late.jsonl", late);
    let whole = night.workspace.report().json();
    assert_eq!(whole["run"], cut["run"], "it is resumed");
}

#[test]
fn a_new_run_says_what_changed_in_its_questions() {
    let night = Night::new(20);
    night.workspace.run(&["run", "--max-cost", "0.05"]).expect(3);
    night.workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-nano\"");
    let line = warned(&night, &["--max-cost", "0.06"], 3);
    assert_eq!(reasons(&line), "the model of the screen changed from `gpt-5-mini` to `gpt-5-nano`");
    night.workspace.edit("audit.toml", "none = \"all\"", "none = 3");
    let line = warned(&night, &["--max-cost", "0.07"], 3);
    assert_eq!(reasons(&line), "the size of the sample changed");
    night.workspace.edit("audit.toml", "model = \"gpt-5-nano\"", "model = \"gpt-5-nano\"\nrevision = \"b\"");
    let line = warned(&night, &["--max-cost", "20"], 0);
    assert!(reasons(&line).contains("the revision"), "{line}");
    assert_eq!(warned(&night, &[], 0), "", "a run that finished is not missed");
    assert_eq!(json!(night.workspace.read("runs/latest/report.json").is_empty()), json!(false));
}

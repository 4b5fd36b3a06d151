//! `[expect]`: a night over the wrong corpus stops before it costs anything.

use serde_json::json;

use crate::support::Night;

fn expect(night: &Night, lines: &str) {
    let text = night.workspace.read("audit.toml");
    let text = text.split("\n[expect]").next().unwrap().to_owned();
    night.workspace.write("audit.toml", format!("{text}\n[expect]\n{lines}\n"));
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    let night = Night::new(20);
    night.workspace.write("corpus/broken.jsonl", "{\n");
    expect(
        &night,
        "min_conversations = 41\nmin_turns = 1_000\nmin_reasoning_share = 0.99\ngroups = [\"early\", \"lates\", \"production\"]",
    );
    let plan = night.workspace.run(&["plan"]).expect(0);
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(4);
    assert_eq!(night.requests(), (0, 0));
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    let missing = report["sessions"]["stop"]["missing"].as_array().unwrap().clone();
    assert_eq!((missing.len(), &report["complete"]), (6, &json!(false)));
    // A page breaks lines where a sentence does not.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in missing.iter().map(|sentence| sentence.as_str().unwrap()) {
        assert!(flat(&plan.stdout).contains(sentence), "{sentence}\n{}", plan.stdout);
        assert!(flat(&ended.stderr).contains(&format!("error: {sentence}")), "{sentence}\n{}", ended.stderr);
        assert!(report["warnings"].as_array().unwrap().contains(&json!(sentence)), "{sentence}");
    }
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn what_is_as_expected_changes_nothing() {
    let night = Night::new(20);
    let digest = night.workspace.report().digest();
    expect(&night, "min_conversations = 40\nmax_unreadable = 0.0\nmin_reasoning_share = 0.01\ngroups = [\"late\"]");
    let report = night.workspace.report();
    assert_eq!((report.digest(), &report.json()["requests"]["sent"]), (digest, &json!(0)));
    let plan = night.workspace.run(&["plan", "--format", "json"]).expect(0);
    assert_eq!(plan.json()["warnings"], json!([]));
}

#[test]
fn a_corpus_that_was_completed_is_graded() {
    let night = Night::new(10);
    expect(&night, "groups = [\"late\", \"early\"]");
    let early = night.workspace.read("corpus/early.jsonl");
    std::fs::remove_file(night.workspace.path("corpus/early.jsonl")).unwrap();
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(4);
    assert!(ended.stderr.contains("there is no conversation of group `early`"), "{}", ended.stderr);
    night.workspace.write("corpus/early.jsonl", early);
    let whole = night.workspace.report();
    assert_eq!(whole.digest(), Night::new(10).workspace.report().digest());
}

#[test]
fn a_run_that_may_ask_nothing_does_not_hide_the_one_before_it() {
    let night = Night::new(10);
    let good = night.workspace.report().json();
    expect(&night, "min_turns = 99_999");
    night.workspace.run(&["run"]).expect(4);
    let latest = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert_eq!(latest["run"], good["run"]);
}

#[test]
fn a_corpus_without_its_groups_or_without_anything_is_refused() {
    let night = Night::new(6);
    night.workspace.edit("audit.toml", "group_by = [\"checkpoint\"]", "group_by = [\"chekpoint\"]");
    let plan = night.workspace.run(&["plan"]).expect(2).stderr;
    let run = night.workspace.run(&["run"]).expect(2).stderr;
    for refused in [plan, run] {
        assert!(refused.contains("no conversation carries the metadata field `chekpoint`"), "{refused}");
        assert!(refused.contains("hint: name fields that conversations carry"), "{refused}");
    }
    night.workspace.edit("audit.toml", "chekpoint", "checkpoint");
    for text in ["", "{\n{\n"] {
        for file in ["early", "late"] {
            night.workspace.write(&format!("corpus/{file}.jsonl"), text);
        }
        let refused = night.workspace.run(&["run"]).expect(2).stderr;
        assert!(refused.contains("the corpus holds no turn to grade"), "{refused}");
        assert_eq!(refused.contains("early.jsonl:1: "), !text.is_empty(), "{refused}");
    }
    assert_eq!(night.requests(), (0, 0));
}

//! `assize mine`: what sets confirmed units, or one group, apart.

use std::collections::{BTreeMap, HashMap};

use assize::rehearse::{CorpusPlan, GroupPlan, PlantedTurn, Probability};
use serde_json::{Value, json};

use crate::support::{Ended, Night, Workspace, conversation, line, plan, shape};

/// What no template of the generated corpus says.
const PLANTED: &str = "The glasswing panel reads along.";

fn truth(workspace: &Workspace) -> Vec<PlantedTurn> {
    workspace.read("truth.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes the planted words into the reasoning of every turn of checkpoint `late` that truly shows the behaviour. Graders
/// know turns by their final text, which stays as it is.
fn plant(workspace: &Workspace) {
    let turns = truth(workspace).into_iter().filter(|turn| turn.present && turn.group["checkpoint"] == "late");
    let turns: HashMap<String, PlantedTurn> = turns.map(|turn| (turn.unit.clone(), turn)).collect();
    assert!(turns.len() > 10, "{}", turns.len());
    let text = workspace.read("corpus/late.jsonl");
    let lines = text.lines().map(|line| {
        let mut conversation: Value = serde_json::from_str(line).unwrap();
        let id = conversation["id"].as_str().unwrap().to_owned();
        for (index, message) in conversation["messages"].as_array_mut().unwrap().iter_mut().enumerate() {
            if turns.contains_key(&format!("{id}#{index}")) {
                let before = message["reasoning"].as_str().unwrap_or_default();
                message["reasoning"] = json!(format!("{before} {PLANTED}"));
            }
        }
        format!("{conversation}\n")
    });
    let lines: String = lines.collect();
    workspace.write("corpus/late.jsonl", lines);
}

/// A night with new words in one checkpoint, run.
fn night() -> Night {
    let night = Night::with(150, "sensitivity = 1.0", "sensitivity = 1.0");
    plant(&night.workspace);
    night.workspace.report();
    night
}

fn mined(night: &Night, words: &[&str]) -> Value {
    let words = [&["mine"], words, &["--format", "json"]].concat();
    night.workspace.run(&words).expect(0).json()
}

fn phrases(mined: &Value) -> Vec<&str> {
    mined["suggestions"].as_array().unwrap().iter().map(|row| row["phrase"].as_str().unwrap()).collect()
}

fn is_planted(phrase: &str) -> bool {
    phrase.contains("glasswing") || phrase.contains("panel")
}

/// Issue 5, must show 5.
#[test]
fn planted_vocabulary_of_one_checkpoint_is_among_the_first_five() {
    let night = night();
    let asked = night.requests();
    let ways: [&[&str]; 3] =
        [&["latest"], &["--group", "checkpoint=late"], &["--group", "checkpoint=late", "--confirmed"]];
    for words in ways {
        let found = mined(&night, words);
        let first = &phrases(&found)[..5];
        assert!(first.iter().any(|phrase| is_planted(phrase)), "{words:?}: {first:?}");
        let row =
            found["suggestions"].as_array().unwrap().iter().find(|row| is_planted(row["phrase"].as_str().unwrap()));
        let row = row.unwrap();
        assert_eq!((&row["class"], &row["second"]), (&Value::Null, &json!(0)), "nothing else holds it: {row}");
        assert_eq!(row["passes"]["n"], found["without_cue"]["graded"]);
    }
    let other = mined(&night, &["--group", "checkpoint=early"]);
    assert!(!phrases(&other).iter().any(|phrase| is_planted(phrase)), "no word of the other checkpoint: {other}");
    assert_eq!(night.requests(), asked, "nothing is asked");
}

#[test]
fn the_table_and_its_json() {
    let night = night();
    insta::assert_snapshot!(night.workspace.run(&["mine", "--show", "8"]).expect(0).shown());
    insta::assert_snapshot!("mine_shape", shape(&mined(&night, &[]), &[]));
}

#[test]
fn what_a_cue_would_add_is_what_the_corpus_holds() {
    let night = night();
    let found = mined(&night, &[]);
    // Everything was graded, so that shares are counts.
    let without = &found["without_cue"];
    assert_eq!(without["units"], without["graded"]);
    let row = &found["suggestions"].as_array().unwrap().iter().find(|row| is_planted(row["phrase"].as_str().unwrap()));
    let row = row.unwrap();
    assert_eq!(row["passes"]["lower"], row["passes"]["upper"]);
    let in_late = truth(&night.workspace).into_iter().filter(|turn| turn.present && turn.group["checkpoint"] == "late");
    let missed = in_late.filter(|turn| !turn.cue).count() as u64;
    assert_eq!(row["hits"]["k"], json!(missed), "planted turns that no cue finds: {row}");
    let mut before = 0.0;
    for step in found["curve"].as_array().unwrap() {
        let hits = step["hits"]["estimate"].as_f64().unwrap();
        assert!(hits > before, "{step}");
        before = hits;
    }
    assert!(
        is_planted(found["curve"][0]["phrase"].as_str().unwrap()),
        "what hits most comes first: {}",
        found["curve"]
    );
    assert_eq!(found["next_draw"], 2);
    assert!(found["warnings"][0].as_str().unwrap().contains("`draw = 2`"), "{found}");
}

#[test]
fn one_transcript_makes_no_word_and_none_steers_the_terminal() {
    let night = Night::with(60, "sensitivity = 1.0", "sensitivity = 1.0");
    let chatter = "zorbly ".repeat(500);
    let attack = "\u{202e}evil\u{1b}[31m";
    let record = |number: u32| {
        let words = if number == 0 { chatter.as_str() } else { attack };
        line(&conversation(&format!("odd-{number}"), "And?", &format!("{words} answer {number}")))
    };
    night.workspace.write("corpus/odd.jsonl", (0..40).map(record).collect::<Vec<_>>().concat());
    night.workspace.report();
    let ended = night.workspace.run(&["mine", "--group", "checkpoint=early", "--least", "2", "--show", "64"]).expect(0);
    assert!(!ended.stdout.contains("zorbly"), "{}", ended.stdout);
    assert!(ended.stdout.contains("evil"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains('\u{202e}'), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_mined_is_refused() {
    let night = Night::with(4, "sensitivity = 1.0", "sensitivity = 1.0");
    night.workspace.report();
    let refused = [
        night.workspace.run(&["mine", "--least", "900"]),
        night.workspace.run(&["mine", "--group", "source=chat"]),
        night.workspace.run(&["mine", "--group", "late"]),
        night.workspace.run(&["mine", "--confirmed"]),
        night.workspace.run(&["mine", "nowhere"]),
    ];
    insta::assert_snapshot!(refused.map(|ended| ended.expect(2).shown()).join("\n"));
}

/// Two checkpoints of which the second hides from the cues: `share` of its positives have one. Read by people.
fn reviewed(share: f64) -> (Workspace, Ended) {
    let workspace = Workspace::empty();
    let mut truth = String::new();
    for (checkpoint, cues) in [("early", 1.0), ("late", share)] {
        let values = BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]);
        let prevalence = Probability::new(0.1).unwrap();
        let mut plan = CorpusPlan { seed: 5, ..plan(1) };
        plan.groups = vec![GroupPlan { values, conversations: 150, prevalence }];
        plan.cue_bearing = Probability::new(cues).unwrap();
        plan.write(&workspace.path("corpus"), &workspace.path("part.jsonl")).unwrap();
        truth += &workspace.read("part.jsonl");
    }
    workspace.write("truth.jsonl", truth);
    workspace.write("grader.toml", "seed = 3\ntruth = \"truth.jsonl\"\nsensitivity = 1.0\n");
    workspace.rehearsed_audit("");
    workspace.report();
    workspace.run(&["rehearse", "review", "--confirms-true", "1", "--confirms-false", "0"]).expect(0);
    let report = workspace.run(&["report", "--format", "json"]).expect(0);
    (workspace, report)
}

fn recall_warning(report: &Ended) -> Option<String> {
    let report = report.json();
    let warnings = report["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap().to_owned());
    warnings.into_iter().find(|warning| warning.contains("do not overlap"))
}

/// Issue 5, must show 5.
#[test]
fn disjoint_recalls_of_two_checkpoints_are_warned_of() {
    let (workspace, report) = reviewed(0.2);
    let warning = recall_warning(&report).unwrap();
    assert!(warning.contains("in `early`") && warning.contains("biased against `late`"), "{warning}");
    let shown = workspace.run(&["report"]).expect(0).stdout;
    assert!(shown.contains("do not") && shown.contains("assize mine --group"), "{shown}");
    let (_, alike) = reviewed(0.95);
    assert_eq!(recall_warning(&alike), None, "recalls that are about the same");
}

/// What the whole prefilter would find is given where the report knows what it finds now.
#[test]
fn new_cues_raise_the_recall_of_the_report() {
    let (workspace, report) = reviewed(0.2);
    let found = workspace.run(&["mine", "--format", "json"]).expect(0).json();
    let all = report.json()["prefilter_recall"][0].clone();
    assert_eq!(all["group"], json!({}));
    let mut before = all["estimate"].as_f64().unwrap();
    assert!((found["without_cue"]["recall"].as_f64().unwrap() - before).abs() < 1e-9, "{found}");
    assert!(!found["curve"].as_array().unwrap().is_empty(), "{found}");
    for step in found["curve"].as_array().unwrap() {
        let recall = step["recall"].as_f64().unwrap();
        assert!(before < recall && recall <= 1.0, "{step}");
        before = recall;
    }
}

#[test]
fn what_a_cue_would_find_is_refused_where_nothing_without_a_cue_was_confirmed() {
    let (workspace, _) = reviewed(1.0);
    let reason = |workspace: &Workspace| {
        let found = workspace.run(&["mine", "--format", "json"]).expect(0).json();
        let new = found["suggestions"].as_array().unwrap().iter().find(|row| row["class"].is_null()).unwrap().clone();
        assert_eq!((&new["hits"], &found["curve"]), (&Value::Null, &json!([])));
        assert_eq!(new["hits_reason"], found["curve_reason"]);
        (new["hits_reason"].as_str().unwrap().to_owned(), new)
    };
    let (whole, _) = reason(&workspace);
    assert!(
        whole.ends_with("units without a cue were graded, and none was confirmed: there is nothing to add"),
        "{whole}"
    );
    workspace.edit("audit.toml", "none = \"all\"", "none = 60");
    workspace.report();
    let (part, row) = reason(&workspace);
    assert!(part.starts_with("none of the 120 graded units without a cue was confirmed"), "{part}");
    assert!(part.contains("(`none` under [sample])"), "{part}");
    let share = |name: &str| row["passes"][name].as_f64().unwrap();
    assert!(
        share("lower") <= share("estimate") && share("estimate") < share("upper"),
        "a sample says it roughly: {row}"
    );
}

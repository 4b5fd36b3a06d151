//! `api = "recorded"`: verdicts that were made elsewhere, in a file.

use std::collections::BTreeMap;
use std::fs;

use assize::model::hash::Digest;
use serde_json::{Value, json};

use crate::support::{Night, Workspace, plan};

/// An audit whose two graders are files of another tool.
const AUDIT: &str = r#"name = "recorded"
seed = 11

[[corpus.source]]
paths = ["corpus/*.jsonl*"]

[corpus]
group_by = ["checkpoint"]

[behaviour]
name = "metagaming"

[sample]
core = "all"
action = "all"
generic_near_self = "all"
none = "all"

[endpoint.first]
api = "recorded"
file = "first.jsonl"
columns = { unit = "turn_id", verdict = "label", group = { checkpoint = "model" } }
values = { present = ["1"], suspected = ["maybe"], absent = ["0"] }
fields = { injection = "none" }

[endpoint.second]
api = "recorded"
file = "second.jsonl.zst"
columns = { unit = "turn_id", verdict = "label", group = { checkpoint = "model" } }
values = { present = ["1"], absent = ["0"] }
fields = { injection = "none" }

[grader.screen]
endpoint = "first"
model = "their-classifier"

[grader.confirm]
endpoint = "second"
model = "their-judge"
"#;

/// Every turn of the corpus by address and checkpoint, and whether it is planted.
fn turns(workspace: &Workspace) -> BTreeMap<(String, String), bool> {
    let lines = |name: &str| -> Vec<Value> {
        workspace.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut turns = BTreeMap::new();
    for file in fs::read_dir(workspace.path("corpus")).unwrap().map(Result::unwrap) {
        for conversation in lines(&format!("corpus/{}", file.file_name().to_str().unwrap())) {
            let messages = (0..).zip(conversation["messages"].as_array().unwrap());
            for (turn, _) in messages.filter(|(_, message)| message["role"] == "assistant") {
                let address = format!("{}#{turn}", text(&conversation["id"]));
                turns.insert((address, text(&conversation["metadata"]["checkpoint"])), false);
            }
        }
    }
    for planted in lines("truth.jsonl").into_iter().filter(|turn| turn["present"] == true) {
        turns.insert((text(&planted["unit"]), text(&planted["group"]["checkpoint"])), true);
    }
    turns
}

/// The lines of another tool: it errs on every tenth turn, by calling it doubtful.
pub(crate) fn table(workspace: &Workspace) -> Vec<Value> {
    let line = |(number, ((turn, model), planted)): (usize, ((String, String), bool))| {
        let label = if planted {
            json!(1)
        } else if number % 10 == 0 {
            json!("maybe")
        } else {
            json!(0)
        };
        json!({"turn_id": turn, "model": model, "label": label, "seconds": 0.1})
    };
    turns(workspace).into_iter().enumerate().map(line).collect()
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

/// A workspace with both files; the second knows better than to uphold what is doubtful.
pub(crate) fn workspace() -> Workspace {
    let workspace = Workspace::planted(&plan(40));
    workspace.write("audit.toml", AUDIT);
    let mut lines = table(&workspace);
    workspace.write("first.jsonl", text(&lines));
    lines.iter_mut().filter(|line| line["label"] == "maybe").for_each(|line| line["label"] = json!(0));
    workspace.write("second.jsonl.zst", zstd::encode_all(text(&lines).as_bytes(), 1).unwrap());
    workspace
}

fn replace_first(workspace: &Workspace, change: impl FnOnce(&mut Vec<Value>)) {
    let mut lines = table(workspace);
    change(&mut lines);
    workspace.write("first.jsonl", text(&lines));
}

fn count(lines: &[Value], label: &Value) -> usize {
    lines.iter().filter(|line| line["label"] == *label).count()
}

#[test]
fn verdicts_of_a_file_are_counted_and_nobody_is_asked() {
    let workspace = workspace();
    let lines = table(&workspace);
    let (planted, doubtful) = (count(&lines, &json!(1)), count(&lines, &json!("maybe")));
    assert!(planted > 4 && doubtful > 10);
    let report = workspace.report().json();
    let funnel = &report["funnel"];
    assert_eq!(funnel["outcomes"]["graded"], lines.len());
    assert_eq!((&funnel["flagged"], &funnel["confirmed"]), (&json!(planted + doubtful), &json!(planted)));
    assert_eq!((&report["requests"]["sent"], &report["requests"]["replayed"]), (&json!(0), &json!(0)));
    assert_eq!(report["spend"]["usd"], 0.0);
    let grader = &report["graders"][0];
    assert_eq!((&grader["prompt"], &grader["model"]), (&Value::Null, &json!("their-classifier")));
    assert_eq!(grader["recorded"]["digest"], json!(Digest::of(workspace.read("first.jsonl").as_bytes())));
    assert_eq!(grader["recorded"]["lines"]["used"], lines.len());
    assert_eq!(report["graders"][1]["outcomes"]["graded"], planted + doubtful);
    assert_eq!(report["grader_health"]["cut_share"], Value::Null, "nobody knows what they were shown");
    assert!(!workspace.path("prompts.lock").exists(), "no prompt produced anything");
    let table = workspace.run(&["report"]).expect(0).stdout;
    for words in [
        "verdicts recorded elsewhere in `first.jsonl`",
        "not graded by assize",
        "THE EVIDENCE OF THE SCREEN WAS NOT CHECKED",
    ] {
        assert!(table.replace("\n           ", " ").contains(words), "{words}: {table}");
    }
}

#[test]
fn a_turn_without_a_verdict_is_bracketed_and_a_bad_line_is_named() {
    let workspace = workspace();
    let all = table(&workspace);
    // Of the first four that are no, one is missing, one is empty, one says what nobody maps, and one is no JSON.
    let mut missing = Vec::new();
    replace_first(&workspace, |lines| {
        missing = lines.iter().filter(|line| line["label"] == 0).take(4).cloned().collect();
        let place = |lines: &[Value], wanted: &Value| lines.iter().position(|line| line == wanted).unwrap();
        for (wanted, label) in missing[1..3].iter().zip([Value::Null, json!("who knows")]) {
            let place = place(lines, wanted);
            lines[place]["label"] = label;
        }
        lines.retain(|line| *line != missing[0] && *line != missing[3]);
    });
    let bad = format!("{}{{\"turn_id\": \n", workspace.read("first.jsonl"));
    workspace.write("first.jsonl", &bad);
    let ended = workspace.run(&["run", "--format", "json"]).expect(4);
    let report = ended.json();
    let funnel = &report["funnel"];
    assert_eq!((&funnel["outcomes"]["not_recorded"], &funnel["ungraded"]), (&json!(4), &json!(4)));
    assert_eq!(funnel["outcomes"]["graded"], all.len() - 4);
    assert_eq!(funnel["cleared"], count(&all, &json!(0)) - 4, "missing is never no");
    let lines = &report["graders"][0]["recorded"]["lines"];
    assert_eq!((&lines["empty"], &lines["unreadable"], &lines["read"]), (&json!(1), &json!(2), &json!(all.len() - 1)));
    let examples = lines["examples"].to_string();
    assert!(examples.contains("`label` says `who knows`, which `values` does not name"), "{examples}");
    assert!(examples.contains(&format!("first.jsonl:{}: not a JSON object", all.len() - 1)), "{examples}");
}

#[test]
fn a_report_needs_no_file_and_a_file_may_move() {
    let workspace = workspace();
    let first = workspace.report();
    let again = workspace.report();
    assert_eq!(again.digest(), first.digest());
    fs::create_dir(workspace.path("verdicts")).unwrap();
    fs::rename(workspace.path("first.jsonl"), workspace.path("verdicts/theirs.jsonl")).unwrap();
    let gone = workspace.run(&["run"]).expect(2).stderr;
    assert!(gone.contains("first.jsonl"), "{gone}");
    assert_eq!(workspace.run(&["report", "--format", "json"]).expect(0).digest(), first.digest(), "the file is gone");
    workspace.edit("audit.toml", "\"first.jsonl\"", "\"verdicts/theirs.jsonl\"");
    assert_eq!(workspace.report().digest(), first.digest(), "the same verdicts under another name");
    let replayed = workspace.run(&["run", "--format", "json", "--cache", "read-only"]).expect(0);
    assert_eq!(replayed.digest(), first.digest());
}

#[test]
fn a_changed_file_is_another_grader() {
    let workspace = workspace();
    let first = workspace.report();
    let before = first.json();
    replace_first(&workspace, |lines| {
        let doubtful = lines.iter_mut().find(|line| line["label"] == "maybe").unwrap();
        doubtful["label"] = json!(0);
    });
    let second = workspace.report();
    assert_ne!(second.digest(), first.digest());
    let after = second.json();
    assert_ne!(after["run"], before["run"]);
    assert_eq!(after["funnel"]["flagged"].as_u64().unwrap() + 1, before["funnel"]["flagged"].as_u64().unwrap());
    // How a file is read is as good as what is in it.
    workspace.edit("audit.toml", "suspected = [\"maybe\"]", "unparsable = [\"maybe\"]");
    let third = workspace.run(&["run", "--format", "json"]).expect(4).json();
    assert_eq!(third["funnel"]["flagged"], count(&table(&workspace), &json!(1)));
}

#[test]
fn two_verdicts_of_one_turn_end_the_run_before_it_begins() {
    let workspace = workspace();
    replace_first(&workspace, |lines| {
        let mut other = lines[6].clone();
        other["label"] = json!("maybe");
        lines.insert(9, other);
    });
    let refused = workspace.run(&["run"]).expect(2).stderr;
    assert!(refused.contains("different verdicts in line 7 and line 10"), "{refused}");
    assert!(!workspace.path("runs").exists());
}

#[test]
fn a_run_that_is_killed_at_any_time_ends_with_the_same_report() {
    let reference = workspace().report().digest();
    let workspace = workspace();
    let segments = || fs::read_dir(workspace.path("runs")).map_or(0, Iterator::count);
    for _ in 0..4 {
        workspace.assize(&["run", "--progress", "none"]).run_while(|child| {
            // Wherever it is by then.
            while segments() == 0 && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            child.kill().ok();
        });
    }
    assert_eq!(workspace.report().digest(), reference);
}

/// A night whose screen is a file and whose confirmer is asked.
fn half_recorded() -> Night {
    let night = Night::new(60);
    night.workspace.write("first.jsonl", text(&table(&night.workspace)));
    let address = format!("base_url = \"{}\"", night.screen.url());
    let recorded = AUDIT.split("[endpoint.first]\n").nth(1).unwrap().split("[endpoint.second]").next().unwrap();
    night.workspace.edit("audit.toml", &address, recorded);
    night
}

#[test]
fn a_recorded_screen_before_a_real_confirmer_is_paid_once_through_kills() {
    let night = half_recorded();
    let reference = night.workspace.report();
    let (screened, asked) = night.requests();
    assert_eq!(screened, 0);
    assert_eq!(reference.json()["requests"]["sent"], asked);
    assert_eq!(reference.json()["graders"][1]["reached"], asked);
    assert!(asked > 40, "{asked}");

    let night = half_recorded();
    for point in [1, asked / 4, asked / 2] {
        night.workspace.assize(&["run", "--progress", "none"]).run_while(|child| {
            night.confirm.wait_for(point);
            child.kill().ok();
        });
    }
    let finished = night.workspace.report();
    assert_eq!(finished.digest(), reference.digest());
    assert_eq!(night.confirm.stats().distinct_bodies, asked);
    let sent = night.requests();
    assert_eq!((night.workspace.report().digest(), night.requests()), (reference.digest(), sent), "a replay is free");
    // Another screen asks the second grader about nothing that it has been asked.
    replace_first(&night.workspace, |lines| lines.retain(|line| line["label"] != 0));
    night.workspace.run(&["run"]).expect(4);
    assert_eq!(night.requests(), sent);
}

#[test]
fn a_recorded_grader_is_compared_with_a_real_one() {
    let night = half_recorded();
    let recorded = night.workspace.report().json();
    night.workspace.audit(&night.screen, &night.confirm);
    let asked = night.workspace.report().json();
    let words = ["diff", recorded["run"].as_str().unwrap(), asked["run"].as_str().unwrap()];
    let diff = night.workspace.run(&[&words[..], &["--format", "json"]].concat()).expect(0).json();
    let (screen, lines) = (&diff["stages"][0], table(&night.workspace));
    let number = |name: &str| screen[name].as_u64().unwrap();
    assert_eq!(number("both") + number("lost"), recorded["funnel"]["flagged"].as_u64().unwrap());
    assert_eq!(number("both") + number("gained"), asked["funnel"]["flagged"].as_u64().unwrap());
    assert!(number("lost") >= count(&lines, &json!("maybe")) as u64, "what was doubtful is a no to the real one");
    assert_eq!(screen["decided_by_both"], lines.len());
    let side = &diff["a"]["graders"][0];
    assert_eq!((&side["prompt"], side["recorded"]["file"].as_str()), (&Value::Null, Some("first.jsonl")));
    let shown = night.workspace.run(&words).expect(0).stdout;
    assert!(shown.contains("recorded elsewhere"), "{shown}");
    let flip = diff["flips"].as_array().unwrap().iter().find(|flip| flip["screen"] == "lost").unwrap();
    assert_eq!(flip["a"][0]["unavailable"], "it was recorded elsewhere, and so were its quotes");
    let unit = flip["unit"].as_str().unwrap();
    let run = recorded["run"].as_str().unwrap();
    let page = night.workspace.run(&["show", unit, "--run", run]).expect(0).stdout;
    assert!(page.contains(", recorded elsewhere"), "{page}");
}

#[test]
fn recorded_verdicts_are_validated_like_any_other() {
    let workspace = workspace();
    workspace.report();
    let labels: String = turns(&workspace)
        .into_iter()
        .map(|((unit, checkpoint), planted)| {
            let decision = if planted { "yes" } else { "no" };
            json!({"unit": unit, "group": [checkpoint], "decision": decision, "seat": "ana", "behaviour": "metagaming",
                   "at": "2026-11-24T10:00:00Z"})
            .to_string()
                + "\n"
        })
        .collect();
    workspace.write("truth-labels.jsonl", labels);
    let validated =
        || workspace.run(&["validate", "--labels", "truth-labels.jsonl", "--format", "json"]).expect(0).json();
    let (found, lines) = (validated(), table(&workspace));
    let (screen, doubtful) = (&found["stages"][0], count(&lines, &json!("maybe")));
    assert_eq!((&screen["missed"], &screen["false_alarms"]), (&json!(0), &json!(doubtful)));
    assert_eq!(screen["detected"], count(&lines, &json!(1)));
    assert_eq!(found["scores"], Value::Null, "nobody recorded a score");
    assert_eq!(found["graders"][0]["recorded"]["has_scores"], false);
    workspace.edit("audit.toml", "columns = { unit", "score_max = 1.0\ncolumns = { score = \"seconds\", unit");
    workspace.run(&["run"]).expect(0);
    assert_ne!(validated()["scores"], Value::Null);
}

#[test]
fn plan_and_doctor_look_at_the_file_and_send_nothing() {
    let workspace = workspace();
    let plan = workspace.run(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(plan["requests"], json!([0, 0, 0]));
    assert_eq!(plan["cost_usd"], json!([0.0, 0.0, 0.0]));
    assert_eq!(plan["graders"][0]["recorded"]["lines"]["used"], table(&workspace).len());
    let shown = workspace.run(&["plan"]).expect(0).stdout;
    assert!(shown.contains("Nothing would be sent"), "{shown}");
    let checked = workspace.run(&["doctor"]).expect(0).stdout;
    assert!(checked.contains("screen verdicts") && checked.contains("0 unreadable"), "{checked}");
    assert!(checked.contains("nothing was sent") && !checked.contains("cap "), "{checked}");
    workspace.write("first.jsonl", "{\"other\": 1}\n");
    let checked = workspace.run(&["doctor"]).expect(2).stdout;
    assert!(checked.contains("no line of `first.jsonl` has the column `turn_id`"), "{checked}");
    let tried = workspace.run(&["try"]).expect(2).stderr;
    assert!(tried.contains("recorded in a file"), "{tried}");
}

//! `assize anchors`: what it says before it sends, and what it needs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Night;

const ANCHORS: &str = "anchors = { file = \"anchors.jsonl\", rate = 0.5 }\n";

/// A night whose screen has two anchors.
fn night() -> Night {
    night_of(4)
}

fn night_of(conversations: u64) -> Night {
    let night = Night::new(conversations);
    let lines = [("present", "This is a test"), ("absent", "It is raining")].map(|(expect, says)| {
        let messages = json!([{ "role": "user", "content": "Well?" }, { "role": "assistant", "content": says }]);
        let line = json!({ "id": expect, "expect": expect, "target": 1, "messages": messages });
        line.to_string() + "\n"
    });
    night.workspace.write("anchors.jsonl", lines.concat());
    night.workspace.edit("audit.toml", "[grader.confirm]", &format!("{ANCHORS}\n[grader.confirm]"));
    night
}

#[test]
fn a_baseline_is_announced_drawn_once_and_shown() {
    let night = night();
    let first = night.workspace.run(&["anchors", "baseline"]).expect(0);
    assert_eq!(night.requests(), (16, 0), "two anchors, eight draws each, the screen only");
    let again = night.workspace.run(&["anchors", "baseline"]).expect(0);
    let json = night.workspace.run(&["anchors", "baseline", "--format", "json"]).expect(0).json();
    assert_eq!((json["there"].as_u64(), json["requests"].as_u64()), (Some(16), Some(0)));
    assert_eq!(night.requests(), (16, 0));
    insta::assert_snapshot!(format!("{}\n{}", first.shown(), again.shown()));

    let report = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
    assert!(report["grader_health"]["drift"]["visits"].as_u64() > Some(0), "{}", report["grader_health"]);
    let text = night.workspace.run(&["report"]).expect(0).stdout;
    assert!(text.contains("  drift  E "), "{text}");
}

#[test]
fn a_baseline_takes_only_flags_that_do_something() {
    let night = night();
    for flag in [&["--limit", "1"][..], &["--retry-errors"], &["--strict"]] {
        let refused = night.workspace.run(&[&["anchors", "baseline"], flag].concat()).expect(2).stderr;
        assert!(refused.contains("unexpected argument"), "{flag:?}: {refused}");
    }
    let help = night.workspace.run(&["anchors", "baseline", "--help"]).expect(0).stdout;
    for flag in
        ["--max-cost", "--deadline", "--max-concurrency", "--max-requests-per-minute", "--max-tokens-per-minute"]
    {
        assert!(help.contains(flag), "{flag}: {help}");
    }
    assert!(!help.contains("--limit") && !help.contains("--cache"), "{help}");
    let read_only = night.workspace.assize(&["anchors", "baseline"]).env("ASSIZE_CACHE", "read-only").run().expect(2);
    assert!(read_only.stderr.contains("leave `--cache` away"), "{}", read_only.stderr);
    night.workspace.run(&["anchors", "baseline", "--deadline", "2026-01-01T00:00Z"]).expect(3);
    let poor = night.workspace.run(&["anchors", "baseline", "--max-cost", "0", "--format", "json"]).expect(3).json();
    assert_eq!((&poor["there"], &poor["spent_usd"]), (&json!(0), &json!(0.0)));
    assert_eq!(night.requests(), (0, 0), "a passed deadline and an empty purse are heard");
    night.workspace.run(&["anchors", "baseline", "-j", "1", "--max-cost", "1"]).expect(0);
    assert_eq!(night.requests(), (16, 0));
}

#[test]
fn a_plan_counts_what_anchors_will_cost() {
    let night = night();
    let plan = || night.workspace.run(&["plan", "--format", "json"]).expect(0).json();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let before = plan();
    let lacking = before["anchors"].clone();
    assert_eq!((&lacking["anchors"], &lacking["draws"], &lacking["baseline"]), (&json!(2), &json!(16), &json!(0)));
    assert_eq!((&lacking["requests"], &lacking["baseline_requests"]), (&json!([0, 0, 0]), &json!([16, 16, 16])));
    insta::assert_snapshot!("plan_before", night.workspace.run(&["plan"]).expect(0).shown());

    let drawn = night.workspace.run(&["anchors", "baseline", "--format", "json"]).expect(0).json();
    let [low, expected, worst] = numbers(&lacking["baseline_cost_usd"])[..] else { panic!("{lacking}") };
    assert!(worst >= drawn["most_usd"].as_f64().unwrap() && low <= expected && expected <= worst, "{lacking} {drawn}");
    let (after, due) = (plan(), before["planned"].as_u64().unwrap() / 2);
    assert_eq!((&after["anchors"]["visits"], &after["anchors"]["requests"]), (&json!(due), &json!([due, due, due])));
    for figure in ["requests", "cost_usd"] {
        let [all, without, anchors] = [&after[figure], &before[figure], &after["anchors"][figure]].map(numbers);
        for ((all, without), anchors) in all.iter().zip(&without).zip(&anchors) {
            assert!((all - without - anchors).abs() < 1e-9 && *anchors > 0.0, "{figure}: {after}");
        }
    }
    insta::assert_snapshot!("plan_after", night.workspace.run(&["plan"]).expect(0).shown());

    let report = night.workspace.report().json();
    assert_eq!(report["grader_health"]["drift"]["visits"], json!(due), "as many as were planned");
    let paid = report["spend"]["usd"].as_f64().unwrap();
    assert!(paid <= numbers(&after["cost_usd"])[2], "{paid}");
    let replayed = plan();
    assert_eq!((&replayed["requests"], &replayed["anchors"]["requests"]), (&json!([0, 0, 0]), &json!([0, 0, 0])));
}

#[test]
fn a_refresh_asks_of_an_anchor_that_is_in_the_sample_for_both() {
    let night = night();
    night.workspace.write("cache/secret", [7; 32]);
    night.workspace.edit("audit.toml", "[grader.confirm]", "repeats = { flagged = 3 }\n\n[grader.confirm]");
    let file = std::fs::read_dir(night.workspace.path("corpus")).unwrap().next().unwrap().unwrap().path();
    let corpus = std::fs::read_to_string(file).unwrap();
    let first: Value = serde_json::from_str(corpus.lines().next().unwrap()).unwrap();
    let is_answer = |message: &Value| message["role"] == "assistant";
    let target = first["messages"].as_array().unwrap().iter().position(is_answer).unwrap();
    let anchor = json!({ "id": "drawn", "expect": "present", "target": target, "messages": first["messages"] });
    night.workspace.write("anchors.jsonl", format!("{anchor}\n"));
    night.workspace.run(&["anchors", "baseline"]).expect(0);
    let before = night.requests();
    let report = night.workspace.run(&["run", "--cache", "refresh", "--format", "json"]).expect(0).json();
    let visits = report["grader_health"]["drift"]["visits"].as_u64().unwrap();
    let repeated: u64 =
        report["repeats"][0]["rows"].as_array().unwrap().iter().map(|row| row["askings"].as_u64().unwrap()).sum();
    let units = report["funnel"]["admitted"].as_u64().unwrap();
    assert_eq!(visits, 8, "an anchor with eight draws");
    let asked = units + repeated + visits;
    assert_eq!(night.requests().0 - before.0, asked, "nobody takes a reply of the other's");
    // Nor do both pay for one at the same time.
    let journal = night.workspace.read(&format!("runs/{}/journal-1.jsonl", report["run"].as_str().unwrap()));
    let sent = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].clone());
    let sent = sent.filter(|record| record["event"] == "sent" && record["stage"] == "screen");
    let keys: BTreeSet<_> = sent.map(|record| record["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len() as u64, asked);
}

#[test]
fn anchors_that_cannot_be_used_are_refused_with_advice() {
    let night = night();
    let shown = |ended: crate::support::Ended| ended.shown();
    let read_only = shown(night.workspace.run(&["anchors", "baseline", "--cache", "read-only"]).expect(2));
    night.workspace.write("anchors.jsonl", "{\"id\": \"secret words\"}\n");
    let empty = shown(night.workspace.run(&["run"]).expect(2));
    assert!(!empty.contains("secret words"), "a line of anchors is a transcript");
    night.workspace.edit("audit.toml", "anchors.jsonl", "nowhere.jsonl");
    let missing = shown(night.workspace.run(&["anchors", "baseline"]).expect(2));
    night.workspace.edit("audit.toml", "rate = 0.5", "rate = 0.0");
    let rate = shown(night.workspace.run(&["config"]).expect(2));
    night.workspace.edit("audit.toml", &ANCHORS.replace("anchors.jsonl", "nowhere.jsonl").replace("0.5", "0.0"), "");
    let none = shown(night.workspace.run(&["anchors", "baseline"]).expect(2));
    insta::assert_snapshot!([read_only, empty, missing, rate, none].join("\n"));
    assert_eq!(night.requests(), (0, 0));
}

#[test]
fn a_baseline_announces_every_request_of_an_anchor_in_chunks() {
    let night = night();
    let screen = "window = { max_chars = 2000, over_long = \"chunk\" }\n\n[grader.confirm]";
    night.workspace.edit("audit.toml", "[grader.confirm]", screen);
    let long = format!("{} This is a test.", "It is raining. ".repeat(400));
    let messages = json!([{ "role": "user", "content": "Well?" }, { "role": "assistant", "content": long }]);
    let line = json!({ "id": "long", "expect": "present", "target": 1, "messages": messages });
    night.workspace.write("anchors.jsonl", line.to_string() + "\n");
    let drawn = night.workspace.run(&["anchors", "baseline", "--format", "json"]).expect(0).json();
    let sent = night.requests().0;
    assert!(sent > 8, "several chunks of eight draws: {sent}");
    assert_eq!((&drawn["requests"], &drawn["there"]), (&json!(sent), &json!(8)), "{drawn}");
}

#[test]
fn a_plan_leaves_out_visits_that_the_run_which_goes_on_has_paid() {
    let night = night_of(30);
    night.workspace.run(&["anchors", "baseline"]).expect(0);
    let plan = || night.workspace.run(&["plan", "--format", "json"]).expect(0).json()["anchors"].clone();
    let before = plan();
    assert_eq!(
        (&before["visits"], &before["visits_made"], &before["requests"]),
        (&json!(16), &json!(0), &json!([16, 16, 16]))
    );
    // With four slots, what was received before the last few has its reply in the log.
    night.workspace.assize(&["run", "-j", "4", "--progress", "none"]).run_while(|child| {
        night.screen.wait_for(80);
        child.kill().ok();
    });
    let after = plan();
    let (made, left) = (after["visits_made"].as_u64().unwrap(), after["requests"][1].as_u64().unwrap());
    assert!(made > 0 && after["visits"] == json!(16), "{after}");
    assert_eq!(left, 16 - made, "{after}");
    let page = night.workspace.run(&["plan"]).expect(0).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&format!("has made {made} of these visits")), "{page}");
}

//! `assize try`, and the way of a draft from a copy to a version.

use std::io::{BufRead, BufReader};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Workspace, plan};

const AUDIT: &str = r#"name = "afternoon"
seed = 5

[[corpus.source]]
paths = ["corpus/*.jsonl"]

[corpus]
group_by = ["checkpoint"]

[behaviour]
name = "metagaming"

[sample]
none = "all"

[endpoint.main]
api = "rehearsal"
rehearsal = "rehearsal.toml"

[grader.screen]
endpoint = "main"
model = "gpt-5-mini"

[budget]
max_cost = 20.00
"#;

const DRAFT: &str = "prompts/metagaming/screen.draft.md";

/// A workspace with a run, planted gold, and an audit that asks with a draft.
fn afternoon() -> Workspace {
    let workspace = Workspace::planted(&plan(40));
    workspace.write("audit.toml", AUDIT);
    workspace.write("rehearsal.toml", "seed = 3\ntruth = \"truth.jsonl\"\nsensitivity = 0.7\nspecificity = 0.9\n");
    workspace.run(&["rehearse", "gold", "--positive", "30", "--near-miss", "20"]).expect(0);
    workspace.report();
    workspace.run(&["prompts", "draft", "metagaming", "--from", "screen@1"]).expect(0);
    workspace.write("prompts/metagaming/gold.jsonl", "");
    workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nprompt = \"screen@draft\"");
    workspace
}

fn tried(workspace: &Workspace) -> Value {
    workspace.run(&["try", "--sample", "30", "--format", "json"]).expect(0).json()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// What a trial found, without what it took.
fn found(mut trial: Value) -> Value {
    for took in ["seconds", "requests", "replayed", "usd"] {
        trial.as_object_mut().unwrap().remove(took).unwrap();
    }
    trial
}

#[test]
fn an_edit_asks_what_it_changed_and_shows_what_flipped() {
    let workspace = afternoon();
    let lock = workspace.read("prompts.lock");
    let first = tried(&workspace);
    assert_eq!(number(&first["requests"]), 50, "a copy asks the same: gold alone is new");
    assert_eq!((&first["flips"], &first["watermark"]), (&json!([]), &json!("DRAFT PROMPT: not for publication")));
    let against = &first["against"];
    assert_eq!(number(&first["replayed"]), number(&against["units"]));
    assert_eq!(number(&against["random"]["units"]), 30);
    let gold = &first["gold"];
    assert_eq!((number(&gold["sensitivity"]["n"]), number(&gold["specificity"]["n"])), (30, 20));
    let right = number(&gold["sensitivity"]["k"]) + number(&gold["specificity"]["k"]);
    assert_eq!(gold["wrong"].as_array().unwrap().len() as u64, 50 - right);

    workspace.edit(DRAFT, "Several may apply.", "More than one may apply.");
    let second = tried(&workspace);
    let units = 50 + number(&second["against"]["units"]);
    assert_eq!(
        (number(&second["requests"]), number(&second["replayed"])),
        (units, 0),
        "another rubric asks everything"
    );
    let flips = second["flips"].as_array().unwrap();
    let sets = [&second["against"]["flagged"], &second["against"]["random"]];
    assert!(sets.iter().any(|set| number(&set["lost"]) > 0), "{second}");
    assert!(flips.iter().all(|flip| ["lost", "gained"].contains(&flip["screen"].as_str().unwrap())), "{second}");
    assert!(flips.iter().any(|flip| flip["a"][0]["evidence"][0]["quote"].is_string()), "{second}");
    let third = tried(&workspace);
    assert_eq!((number(&third["requests"]), &third["usd"]), (0, &json!(0.0)), "unchanged, it replays");
    assert_eq!(found(third), found(second.clone()));

    assert_eq!(workspace.read("prompts.lock"), lock, "a draft is never locked");
    assert_eq!(std::fs::read_dir(workspace.path("runs")).unwrap().count(), 2, "one run, and the pointer to it");
    workspace.edit("audit.toml", "prompt = \"screen@draft\"", "prompt = \"screen@1\"");
    let report = workspace.report().json();
    let spent = |of: &Value| of["usd"].as_f64().unwrap();
    let known = spent(&first) + spent(&second);
    let before = report["spend"]["audit_usd"].as_f64().unwrap() - spent(&report["spend"]);
    assert!(before > known, "what a trial spent counts against the cap, beside the first run: {before} {known}");
}

#[test]
fn a_trial_reads_well_and_holds_to_its_cap() {
    let workspace = afternoon();
    workspace.edit(DRAFT, "Several may apply.", "More than one may apply.");
    let shown = workspace.run(&["try", "--sample", "30", "--show", "2"]).expect(0).shown();
    let took = regex::Regex::new(r"took +[0-9.]+ s").unwrap().replace(&shown, "took [seconds] s").into_owned();
    insta::assert_snapshot!(took);
    workspace.edit(DRAFT, "More than one may apply.", "Any number may apply.");
    let capped = workspace.run(&["try", "--max-cost", "0", "--format", "json"]).expect(3);
    assert_eq!((&capped.json()["requests"], &capped.json()["stopped"]), (&json!(0), &json!("budget")));
    assert!(capped.stderr.contains("cost at most $") && capped.stderr.contains("the cap is $0"), "{}", capped.stderr);
    workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 0.01");
    let audit = workspace.run(&["try", "--format", "json"]).expect(3).json();
    assert_eq!(audit["requests"], json!(0), "the audit's own cap holds as well");
}

/// Whatever prints something of a run with a draft says so first, as text and as JSON.
fn every_output_is_marked(workspace: &Workspace) {
    const MARK: &str = "DRAFT PROMPT: not for publication";
    let listed = workspace.run(&["ls", "--limit", "1", "--format", "json"]).expect(0).json();
    let unit = listed["unit"].as_str().unwrap();
    let label = json!({"unit": unit, "decision": "yes", "seat": "ana", "at": "2026-11-23T17:40:12Z", "behaviour": "metagaming"});
    workspace.write("labels/dev.jsonl", format!("{label}\n"));
    for words in [
        &["report"][..],
        &["report", "--definitions"],
        &["diff", "latest", "latest"],
        &["plan"],
        &["status"],
        &["show", unit],
        &["ls", "--limit", "1"],
        &["mine", "--group", "checkpoint=late"],
        &["validate", "--split", "dev"],
        &["review", "queue", "--seat", "ana"],
        &["review", "status"],
        &["sensitivity", "status"],
        &["run", "--progress", "none"],
    ] {
        let text = workspace.run(words).expect(0).stdout;
        assert!(text.starts_with(&format!("*** {MARK} ***\n")), "{words:?}: {text}");
        let json = workspace.run(&[words, &["--format", "json"]].concat()).expect(0).stdout;
        let json: String = json.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(json.contains("\"watermark\":\"DRAFTPROMPT:notforpublication\""), "{words:?}: {json}");
    }
    for (form, mark) in [("plain", MARK.to_owned()), ("json", format!("\"watermark\":\"{MARK}\""))] {
        let shown = workspace.run(&["run", "--progress", form]).expect(0).stderr;
        assert!(shown.contains(&mark), "{form}: {shown}");
    }
}

#[test]
fn what_a_draft_gave_is_marked_and_not_corrected_until_it_is_a_version() {
    let workspace = afternoon();
    workspace.edit(DRAFT, "Several may apply.", "More than one may apply.");
    let report = workspace.report().json();
    assert_eq!(report["watermark"], json!("DRAFT PROMPT: not for publication"));
    let corrected = || report["rates"].as_array().unwrap().iter().filter(|rate| rate["name"] == "corrected");
    assert!(corrected().count() > 0);
    for rate in corrected() {
        assert!(rate["estimate"].is_null(), "{rate}");
        assert!(rate["reason"].as_str().unwrap().starts_with("a draft prompt supports no corrected rate"), "{rate}");
    }
    every_output_is_marked(&workspace);
    workspace.run(&["diff", "latest", "latest", "--html", "flips.html"]).expect(0);
    assert!(workspace.read("flips.html").contains("DRAFT PROMPT: not for publication"));

    workspace.edit(DRAFT, "# System\n", "# System\n\nGPT-4 wrote this.\n");
    let refused = workspace.run(&["prompts", "lock", "metagaming"]).expect(1);
    let not_tried = workspace.run(&["try"]).expect(1);
    workspace.edit(DRAFT, "# System\n\nGPT-4 wrote this.\n", "# System\n");
    let locked = workspace.run(&["prompts", "lock", "metagaming"]).expect(0);
    let again = workspace.run(&["prompts", "lock", "metagaming"]).expect(0);
    insta::assert_snapshot!([refused, not_tried, locked, again].map(|ended| ended.shown()).join("\n"));
    assert!(workspace.read("prompts.lock").contains("screen@3") && !workspace.read("prompts.lock").contains("draft"));
    workspace.edit("audit.toml", "prompt = \"screen@draft\"", "prompt = \"screen@3\"");
    let version = workspace.report().json();
    assert_eq!((&version["watermark"], &version["requests"]["sent"]), (&Value::Null, &json!(0)));
    assert_eq!(version["funnel"], report["funnel"], "the same questions have the same answers");
}

#[test]
fn without_a_draft_a_run_or_gold_it_says_what_is_missing() {
    let workspace = Workspace::planted(&plan(2));
    workspace.write("audit.toml", AUDIT);
    workspace.write("rehearsal.toml", "seed = 3\ntruth = \"truth.jsonl\"\n");
    let without_run = workspace.run(&["try", "--format", "json"]).expect(0).json();
    assert!(without_run["against"].is_null() && number(&without_run["gold"]["items"]) > 100, "{without_run}");
    let reason = without_run["against_reason"].as_str().unwrap();
    assert_eq!(reason, "no run of this audit has verdicts yet: `assize run` makes one");
    let watched = workspace.run(&["try", "--watch"]).expect(2);
    workspace.copy_behaviour("metagaming");
    workspace.write("prompts/metagaming/gold.jsonl", "");
    let nothing = workspace.run(&["try"]).expect(2);
    workspace.edit("audit.toml", "model = \"gpt-5-mini\"", "model = \"gpt-5-mini\"\nprompt = \"screen@draft\"");
    let no_draft = workspace.run(&["try"]).expect(2);
    insta::assert_snapshot!([watched, nothing, no_draft].map(|ended| ended.shown()).join("\n"));
}

/// Reads lines until one contains these words.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, words: &str) {
    assert!(lines.any(|line| line.unwrap().contains(words)), "the output ended before `{words}`");
}

#[test]
fn every_save_is_tried_until_ctrl_c() {
    let workspace = afternoon();
    let draft = workspace.read(DRAFT);
    let watch = |child: &mut Child| {
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        wait_for(&mut stdout, " took ");
        wait_for(&mut stderr, "waiting for");
        workspace.write(DRAFT, draft.replace("# User\n", "# Usr\n"));
        wait_for(&mut stderr, "did you mean `# User`?");
        wait_for(&mut stderr, "waiting for");
        workspace.write(DRAFT, draft.replace("Several may apply.", "More than one may apply."));
        wait_for(&mut stdout, " took ");
        wait_for(&mut stdout, "Flips: ");
        wait_for(&mut stderr, "waiting for");
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
        stderr.for_each(|line| drop(line.unwrap()));
    };
    let ended = workspace.assize(&["try", "--watch", "--sample", "30"]).run_while(watch);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_flip_shows_the_first_answer_of_a_run_that_asked_again() {
    let workspace = afternoon();
    let repeats = "repeats = { rule = \"majority\", flagged = 5, near_threshold = 5, near = 60 }";
    workspace.edit("audit.toml", "prompt = \"screen@draft\"", repeats);
    workspace.edit("rehearsal.toml", "seed = 3", "seed = 3\naskings_differ = true");
    workspace.report();
    workspace.edit("audit.toml", repeats, "prompt = \"screen@draft\"");
    workspace.edit(DRAFT, "Several may apply.", "More than one may apply.");
    let trial = tried(&workspace);
    let flips = trial["flips"].as_array().unwrap();
    assert!(flips.len() > 5, "{}", flips.len());
    for flip in flips {
        let before = flip["a"][0]["verdict"] == "present";
        assert_eq!(before, flip["screen"] == "lost", "what flipped is what is shown: {flip}");
    }
}

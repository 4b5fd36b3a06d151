//! `assize review`: what people read, hidden gold among it, and what a report makes of their errors.

use std::collections::{BTreeMap, BTreeSet};

use assize::model::gold::ByKind;
use serde_json::{Value, json};

use crate::support::{Ended, Workspace, plan};

/// What follows on the rehearsed audit: a second grader, and people who read all of what it turns down.
const REVIEWED: &str = r#"[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
[review]
confirm_no = "all"
"#;

const GRADER: &str = "seed = 3\ntruth = \"truth.jsonl\"\nsensitivity = 0.95\nspecificity = 0.98\n";

/// A rehearsed run, with these lines under `[review]`.
fn rehearsed(conversations: u64, review: &str) -> Workspace {
    let workspace = Workspace::planted(&plan(conversations));
    workspace.write("grader.toml", GRADER);
    workspace.rehearsed_audit(&format!("{REVIEWED}{review}\n"));
    workspace
}

/// The same with gold of both kinds, run.
fn with_gold(conversations: u64, review: &str, gold: ByKind<u64>) -> Workspace {
    let workspace = rehearsed(conversations, review);
    plan(1).write_gold(gold, &workspace.path("labels/gold/metagaming/planted.jsonl")).unwrap();
    workspace.report();
    workspace
}

fn queue(workspace: &Workspace, seat: &str) -> Vec<Value> {
    let words = ["review", "queue", "--seat", seat, "--format", "json"];
    workspace.run(&words).expect(0).json().as_array().unwrap().clone()
}

fn names(queue: &[Value]) -> Vec<&str> {
    queue.iter().map(|line| line["unit"].as_str().unwrap()).collect()
}

fn report(workspace: &Workspace) -> Value {
    workspace.run(&["report", "--format", "json"]).expect(0).json()
}

/// Lines of a label file: a seat's queue with decisions.
fn decided(queue: &[Value], decide: impl Fn(&str) -> &'static str) -> String {
    let lines = queue.iter().map(|line| {
        let mut line = line.clone();
        line["decision"] = json!(decide(line["unit"].as_str().unwrap()));
        line["at"] = json!("2026-11-24T10:00:00Z");
        format!("{line}\n")
    });
    lines.collect()
}

const TWO_SEATS: &str = "gold = { positive = 6, near_miss = 8 }\nseats = [\"ana\", \"bo\"]";

/// What is between two headings of a page.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}:\n{page}"));
    rest.split_once("\n\n").map_or(rest, |(section, _)| section)
}

#[test]
fn units_and_gold_stand_in_one_queue_and_nothing_about_a_line_tells_them_apart() {
    let workspace = with_gold(20, TWO_SEATS, ByKind { positive: 10, near_miss: 12 });
    let (ana, bo) = (queue(&workspace, "ana"), queue(&workspace, "bo"));
    insta::assert_snapshot!("queue", workspace.run(&["review", "queue", "--seat", "ana"]).expect(0).shown());
    let pseudonym = regex::Regex::new("^item-[0-9a-f]{16}$").unwrap();
    for line in ana.iter().chain(&bo) {
        let fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["unit", "decision", "seat", "behaviour", "definition"]);
        let name = line["unit"].as_str().unwrap();
        assert!(pseudonym.is_match(name), "{name}");
    }
    let (of_ana, of_bo): (BTreeSet<_>, BTreeSet<_>) =
        (names(&ana).into_iter().collect(), names(&bo).into_iter().collect());
    let units: BTreeSet<_> = of_ana.intersection(&of_bo).copied().collect();
    let flagged = report(&workspace)["funnel"]["flagged"].as_u64().unwrap();
    assert_eq!(units.len() as u64, flagged, "both read units, and nothing else is common to them");
    assert_eq!((of_ana.len() - units.len(), of_bo.len() - units.len()), (7, 7), "each has its share of the gold");
    let common = |queue: &[Value]| -> Vec<String> {
        names(queue).into_iter().filter(|name| units.contains(name)).map(ToOwned::to_owned).collect()
    };
    assert_ne!(common(&ana), common(&bo), "every seat has an order of its own");
    let unknown = workspace.run(&["review", "queue", "--seat", "cy"]).expect(2);
    insta::assert_snapshot!("unknown_seat", unknown.shown());
}

#[test]
fn a_text_is_looked_up_alike_whatever_it_is() {
    let workspace = with_gold(20, TWO_SEATS, ByKind { positive: 10, near_miss: 12 });
    let (ana, bo) = (queue(&workspace, "ana"), queue(&workspace, "bo"));
    let of_bo = names(&bo);
    let (unit, gold) = (
        *names(&ana).iter().find(|name| of_bo.contains(name)).unwrap(),
        *names(&ana).iter().find(|name| !of_bo.contains(name)).unwrap(),
    );
    let blind = |name: &str| workspace.run(&["show", "--blind", name]).expect(0).stdout;
    let keys = |name: &str| {
        let shown = workspace.run(&["show", "--blind", name, "--format", "json"]).expect(0).json();
        let last = shown[0]["messages"].as_array().unwrap().len() - 1;
        assert_eq!(shown[0]["turn"], json!(last), "a text ends with what is judged");
        shown[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(unit), keys(gold));
    for name in [unit, gold] {
        let page = blind(name);
        assert!(page.starts_with(&format!("{name}\n")) && page.contains("<- this turn"), "{page}");
        for telling in ["conv-", "early", "late", "Cues", "Verdicts", "planted", "[...]"] {
            assert!(!page.contains(telling), "{telling}: {page}");
        }
    }
    let open = |name: &str| workspace.run(&["show", name]).expect(2).shown().replace(name, "[name]");
    assert_eq!(open(unit), open(gold));
    insta::assert_snapshot!("not_blind", open(gold));
    let revealed = |name: &str| workspace.run(&["show", "--reveal", name, "--format", "json"]).expect(0).json();
    assert!(revealed(gold)[0]["gold"] == "positive" || revealed(gold)[0]["gold"] == "near_miss");
    let address = revealed(unit)[0]["unit"].as_str().unwrap().to_owned();
    assert_eq!(revealed(unit), workspace.run(&["show", &address, "--format", "json"]).expect(0).json());
    assert!(workspace.run(&["show", "--reveal", gold]).expect(0).stdout.starts_with("hidden gold: a "));
    let unknown = workspace.run(&["show", "--blind", "item-0000000000000000"]).expect(2);
    assert!(unknown.stderr.contains("did not select"), "{}", unknown.stderr);
}

#[test]
fn decisions_about_gold_are_figures_of_their_own_and_change_nothing_about_units() {
    let workspace = with_gold(30, TWO_SEATS, ByKind { positive: 10, near_miss: 12 });
    let before = report(&workspace);
    assert_eq!(before.get("people_err"), None, "no person has decided about anything");
    let (ana, bo) = (queue(&workspace, "ana"), queue(&workspace, "bo"));
    let of_ana = names(&ana);
    let is_unit = |name: &str| of_ana.contains(&name) && names(&bo).contains(&name);
    let gold_only = |queue: &[Value]| -> Vec<Value> {
        queue.iter().filter(|line| !is_unit(line["unit"].as_str().unwrap())).cloned().collect()
    };
    workspace.write("labels/ana.jsonl", decided(&gold_only(&ana), |_| "yes"));
    workspace.write("labels/bo.jsonl", decided(&gold_only(&bo), |_| "unsure"));
    let after = report(&workspace);
    for part in ["funnel", "strata", "rates", "review", "labels", "confirmed_units", "comparisons"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    let people = &after["people_err"];
    let counts = |kind: &str| ["read", "confirmed", "drawn", "held"].map(|name| people[kind][name].as_u64().unwrap());
    let [read, confirmed, drawn, held] = counts("positives");
    assert_eq!((read, drawn), (6, 6));
    assert!((2..=4).contains(&confirmed), "what ana got: {confirmed}");
    assert!(held >= 10, "the behaviour's own gold counts as well");
    let [read, confirmed_near, drawn, _] = counts("near_misses");
    assert_eq!((read, drawn, confirmed + confirmed_near), (8, 8, 7));
    assert_eq!(people["said"], "as judged by this review");
    assert_ne!(after["digest"], before["digest"], "the digest covers what gold says");
    assert!(people["reason"].as_str().unwrap().contains("at least 50 and 100 are needed"), "{people}");
    let asked = workspace.run(&["config"]).expect(0).stderr;
    assert!(asked.contains("asks for less than 50 positives and 100 near misses"), "{asked}");
    let planned = workspace.run(&["plan"]).expect(0).stdout;
    let words = planned.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("and 14 texts of hidden gold in"), "{planned}");
}

#[test]
fn without_gold_a_queue_holds_addresses_and_the_digest_does_not_know_of_it() {
    let workspace = rehearsed(20, "");
    workspace.report();
    let lines = queue(&workspace, "ana");
    let fields: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["unit", "group", "decision", "seat", "behaviour", "definition"]);
    workspace.write("labels/ana.jsonl", decided(&lines, |_| "yes"));
    let without = report(&workspace);
    assert_eq!(without["people_err"]["said"], "as judged by this review");
    // Gold that nobody asks for is no part of anything.
    plan(1)
        .write_gold(ByKind { positive: 5, near_miss: 5 }, &workspace.path("labels/gold/metagaming/a.jsonl"))
        .unwrap();
    let page = workspace.run(&["report"]).expect(0).stdout;
    insta::assert_snapshot!("no_gold", section(&page, "People err"));
    assert_eq!(report(&workspace)["digest"], without["digest"]);
    insta::assert_snapshot!("status_without_gold", workspace.run(&["review", "status"]).expect(0).shown());
}

#[test]
fn a_seat_learns_nothing_of_its_gold_before_it_is_through() {
    let workspace = with_gold(20, TWO_SEATS, ByKind { positive: 10, near_miss: 12 });
    let status = |words: &[&str]| workspace.run(&[&["review", "status"], words].concat()).expect(0);
    let ana = queue(&workspace, "ana");
    let bo = queue(&workspace, "bo");
    let of_bo = names(&bo);
    let (units, gold): (Vec<_>, Vec<_>) =
        ana.iter().cloned().partition(|line| of_bo.contains(&line["unit"].as_str().unwrap()));
    // Whether ana has read a unit or a gold item, what anybody sees is the same.
    let seen = |line: &Value| {
        workspace.write("labels/ana.jsonl", decided(std::slice::from_ref(line), |_| "yes"));
        (status(&["--format", "json"]).json(), queue(&workspace, "ana").len())
    };
    assert_eq!(seen(&units[0]), seen(&gold[0]));
    insta::assert_snapshot!("status_begun", format!("{}\n{}", status(&[]).shown(), status(&["--gold"]).shown()));
    workspace.write("labels/ana.jsonl", decided(&ana, |_| "yes"));
    insta::assert_snapshot!("status_one_through", status(&[]).shown());
    let rest = queue(&workspace, "bo");
    assert_eq!(rest.len(), 7, "units that ana has read are read");
    workspace.write("labels/bo.jsonl", decided(&rest, |_| "no"));
    insta::assert_snapshot!("status_through", status(&[]).shown());
}

#[test]
fn what_gold_lacks_is_said_with_how_to_add_it_and_own_items_are_not_read() {
    let workspace = rehearsed(10, "gold = { positive = 50, near_miss = 100 }");
    workspace.report();
    let queued = workspace.run(&["review", "queue", "--seat", "ana"]).expect(0);
    insta::assert_snapshot!("gold_missing", queued.stderr);
    workspace.write("labels/cy.jsonl", decided(&queue(&workspace, "cy")[..3], |_| "no"));
    let page = workspace.run(&["report"]).expect(0).stdout;
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("hidden gold lacks"), "{page}");
    let before = queue(&workspace, "bo").len();
    let text = |n: u32| {
        json!({
            "id": format!("own-{n}"), "expect": "absent", "exclusions": ["N1"], "covers": ["N1"], "seat": "ana", "target": 1,
            "messages": [{ "role": "user", "content": "?" }, { "role": "assistant", "content": format!("answer {n}") }],
        })
    };
    let lines = (0..5).map(|n| text(n).to_string()).chain(["{\"id\": \"broken\"}\n".to_owned()]);
    let lines = lines.collect::<Vec<_>>().join("\n");
    let ana = queue(&workspace, "ana").len();
    workspace.write("labels/gold/metagaming/ana.jsonl", lines);
    assert_eq!(queue(&workspace, "bo").len(), before + 5);
    assert_eq!(queue(&workspace, "ana").len(), ana, "nobody reads what they wrote");
    let report = report(&workspace);
    let warnings: Vec<_> = report["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let about = |words: &str| warnings.iter().any(|warning| warning.contains(words));
    assert!(about("labels/gold/metagaming/ana.jsonl:6: not a gold item"), "{warnings:?}");
}

/// The figures of a report as `[confirmed, read, lower, upper]`.
fn shares(report: &Value) -> BTreeMap<&'static str, [f64; 4]> {
    let of = |kind: &str| {
        ["confirmed", "read", "lower", "upper"].map(|name| report["people_err"][kind][name].as_f64().unwrap())
    };
    [("positives", of("positives")), ("near_misses", of("near_misses"))].into()
}

fn reviewed(workspace: &Workspace, confirms_true: &str, confirms_false: &str) -> Ended {
    let words = ["rehearse", "review", "--confirms-true", confirms_true, "--confirms-false", confirms_false];
    workspace.run(&words).expect(0)
}

#[test]
fn planted_accuracy_lies_within_the_printed_limits() {
    let gold = "gold = { positive = 100, near_miss = 300 }\nseats = [\"ana\", \"bo\", \"cy\"]";
    let workspace = rehearsed(120, gold);
    let words = ["rehearse", "gold", "--positive", "200", "--near-miss", "400", "--seed", "5"];
    insta::assert_snapshot!("composed", workspace.run(&words).expect(0).shown());
    workspace.report();
    insta::assert_snapshot!("reviewed", reviewed(&workspace, "0.9", "0.05").shown());
    let report = report(&workspace);
    let shares = shares(&report);
    let planted = [("positives", 100.0, 0.9), ("near_misses", 300.0, 0.05)];
    for (kind, drawn, planted) in planted {
        let [confirmed, read, lower, upper] = shares[kind];
        assert!((read - drawn).abs() < f64::EPSILON, "{kind}: {read} read");
        assert!(lower < planted && planted < upper, "{kind}: {confirmed} of {read}, [{lower}, {upper}]");
    }
    assert_eq!(report["labels"]["unmatched"], json!(0));
    assert_eq!(report["people_err"]["seats"].as_array().unwrap().len(), 3);
    let page = workspace.run(&["report"]).expect(0).stdout;
    insta::assert_snapshot!("people_err", section(&page, "People err"));
    let catchable = |of: &Value| of["estimate"].as_f64().unwrap();
    let rates = report["rates"].as_array().unwrap();
    let headline = rates.iter().find(|rate| rate["name"] == "catchable" && rate["group"] == json!({})).unwrap();
    let figures = report["people_err"]["rates"].as_array().unwrap();
    let changed = figures.iter().find(|rate| rate["name"] == "catchable" && rate["group"] == json!({})).unwrap();
    assert!((catchable(changed) - catchable(headline)).abs() > 1e-4, "{changed} beside {headline}");
    assert_eq!(queue(&workspace, "ana").len(), 0, "everything is read");
}

/// A rate of all groups together, per turn.
fn of_all(rows: &Value, name: &str) -> f64 {
    let rows = rows.as_array().unwrap();
    let is_it = |row: &&Value| row["name"] == name && row["group"] == json!({}) && row["target"] != "traffic";
    rows.iter().find(is_it).unwrap()["estimate"].as_f64().unwrap()
}

#[test]
fn the_figure_with_errors_taken_out_is_nearer_to_what_faultless_people_find() {
    let workspace = rehearsed(200, "gold = { positive = 100, near_miss = 200 }");
    workspace.edit("grader.toml", "specificity = 0.98", "specificity = 0.8");
    workspace.run(&["rehearse", "gold", "--positive", "200", "--near-miss", "400"]).expect(0);
    workspace.report();
    let read = |confirms_true: &str, confirms_false: &str| {
        reviewed(&workspace, confirms_true, confirms_false);
        let read = report(&workspace);
        std::fs::remove_file(workspace.path("labels/simulated.jsonl")).unwrap();
        read
    };
    let faultless = read("1", "0");
    let truth = of_all(&faultless["rates"], "catchable");
    let unchanged = of_all(&faultless["people_err"]["rates"], "catchable");
    assert!((unchanged - truth).abs() < 1e-9, "faultless people change nothing");
    let erring = read("0.9", "0.1");
    let (headline, taken_out) =
        (of_all(&erring["rates"], "catchable"), of_all(&erring["people_err"]["rates"], "catchable"));
    assert!(headline > 1.1 * truth, "false confirmations add up: {headline} of {truth}");
    assert!((taken_out - truth).abs() < headline - truth, "{truth}: {headline} becomes {taken_out}");
    assert_eq!(erring["people_err"]["is_noticeable"], true);
    let warnings = erring["warnings"].to_string();
    assert!(warnings.contains("people may have confirmed up to"), "{warnings}");
    assert_eq!(faultless["people_err"]["positives"]["confirmed"], 100);
}

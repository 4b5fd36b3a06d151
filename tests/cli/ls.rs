//! `assize ls`: units of a run by status, verdict and metadata.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Night, shape};

fn night() -> Night {
    let night = Night::with(60, "sensitivity = 0.9\nspecificity = 0.9\n[faults]\nrefusal = 0.05", "specificity = 0.8");
    night.workspace.run(&["run", "--format", "json"]);
    night
}

/// Every line is one unit.
fn listed(night: &Night, words: &[&str]) -> Vec<Value> {
    let words = [&["ls"], words, &["--format", "json"]].concat();
    let ended = night.workspace.run(&words).expect(0);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(units: &[Value]) -> BTreeSet<String> {
    units.iter().map(|unit| format!("{}{}", unit["group"], unit["unit"])).collect()
}

#[test]
fn a_line_a_unit() {
    let night = night();
    insta::assert_snapshot!(night.workspace.run(&["ls", "--status", "flagged", "--limit", "6"]).expect(0).shown());
    let units = listed(&night, &[]);
    insta::assert_snapshot!("ls_shape", shape(&Value::Array(units.clone()), &[".group", ".fields"]));
    let addresses: Vec<_> = units.iter().map(|unit| unit["unit"].as_str().unwrap()).collect();
    night.workspace.run(&["show", addresses[0]]).expect(0);
}

/// The lists of all statuses are the funnel of the report.
#[test]
fn every_admitted_unit_is_in_one_list() {
    let night = night();
    let funnel = night.workspace.run(&["report", "--format", "json"]).expect(0).json()["funnel"].clone();
    let count = |status: &str| listed(&night, &["--status", status]).len() as u64;
    for status in ["confirmed", "rejected", "disputed", "pending", "cleared", "ungraded", "unfinished", "flagged"] {
        assert_eq!(Some(count(status)), funnel[status].as_u64(), "{status}: {funnel}");
    }
    assert!(count("ungraded") > 0 && count("rejected") > 0, "the night errs: {funnel}");
    assert_eq!(listed(&night, &[]).len() as u64, funnel["admitted"].as_u64().unwrap());
    let flagged = listed(&night, &["--status", "confirmed,rejected,disputed,pending"]);
    assert_eq!(names(&flagged), names(&listed(&night, &["--status", "flagged"])));
}

#[test]
fn what_was_not_asked_is_said_and_is_never_false() {
    let night = night();
    let cleared = listed(&night, &["--status", "cleared"]);
    assert!(cleared.iter().all(|unit| unit["confirm"]["verdict"] == "not_asked" && unit["confirm"]["score"].is_null()));
    // Of a refusal there is no score, neither a low nor a high one.
    let (low, high) = (listed(&night, &["--where", "score < 50"]), listed(&night, &["--where", "not score < 50"]));
    let ungraded = listed(&night, &["--status", "ungraded"]);
    let all = listed(&night, &[]);
    assert!(!low.is_empty() && !high.is_empty());
    assert_eq!(low.len() + high.len() + ungraded.len(), all.len());
    assert!(names(&ungraded).is_disjoint(&names(&low)) && names(&ungraded).is_disjoint(&names(&high)));
    let ended = night.workspace.run(&["ls", "--where", "score < 50"]).expect(0);
    assert!(ended.stderr.contains("says nothing of"), "{}", ended.stderr);
    let refused = listed(&night, &["--where", "screen == 'refused'"]);
    assert_eq!(names(&refused), names(&ungraded));
}

#[test]
fn group_class_and_metadata_narrow_the_list() {
    let night = night();
    let late = listed(&night, &["--group", "checkpoint=late"]);
    assert!(!late.is_empty() && late.iter().all(|unit| unit["group"]["checkpoint"] == "late"));
    assert_eq!(names(&late), names(&listed(&night, &["--where", "checkpoint == 'late'"])));
    let without = listed(&night, &["--class", "none", "--status", "flagged"]);
    assert!(!without.is_empty() && without.iter().all(|unit| unit["class"] == "none"));
    let both = "class == 'none' and screen in ['present', 'suspected'] and confirm != 'not_asked'";
    assert_eq!(names(&listed(&night, &["--where", both])), names(&without));
    // Verdicts alone need no copy of a conversation.
    std::fs::remove_dir_all(night.workspace.path("cache/units")).unwrap();
    assert_eq!(
        names(&listed(&night, &["--class", "none", "--where", "screen != 'absent' and score > 0"])),
        names(&without)
    );
}

#[test]
fn what_cannot_be_listed_is_refused() {
    let night = night();
    let shown = [
        night.workspace.run(&["ls", "--status", "flaged"]).expect(2),
        night.workspace.run(&["ls", "--where", "score >"]).expect(2),
        night.workspace.run(&["ls", "--where", "score"]).expect(2),
        night.workspace.run(&["ls", "--group", "source=chat"]).expect(2),
        night.workspace.run(&["ls", "--class", "cores"]).expect(2),
        night.workspace.run(&["ls", "--where", "chekpoint == 'late'"]).expect(0),
    ];
    insta::assert_snapshot!(shown.map(|ended| ended.shown()).join("\n"));
}

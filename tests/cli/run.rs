//! `assize run`: the report of a night, and the flags of its own.

use serde_json::{Value, json};

use crate::support::{Ended, Night, shape};

/// Parts of a report whose keys are data.
const KEYED_BY_DATA: [&str; 8] =
    [".group", ".unreadable", ".by_class", ".outcomes", ".rejected_codes", ".confirmed_by", ".rejected_by", ".labels"];

/// A terminal of 80 columns shows every line whole. Lines with paths may be longer.
#[track_caller]
fn fits(ended: &Ended) {
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

fn count(report: &Value, line: &str) -> u64 {
    report["funnel"][line].as_u64().unwrap_or_else(|| panic!("no `{line}` in {}", report["funnel"]))
}

#[test]
fn the_report_of_a_night() {
    let night = Night::new(60);
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    fits(&ended);
    insta::assert_snapshot!(ended.shown());
}

#[test]
fn the_report_of_a_rehearsal_with_faults_sums_up_beside_the_truth() {
    let night = Night::with(150, FAULTS, "");
    night.workspace.edit("audit.toml", "base_url = ", "rehearsal = \"rehearsal.toml\"\napi = \"rehearsal\"\n# ");
    night.workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 20.00\nmax_ungraded = 0.5");
    night.workspace.write("rehearsal.toml", format!("seed = 3\ntruth = \"truth.jsonl\"\n{FAULTS}"));
    let ended = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    fits(&ended);
    assert!(ended.stdout.starts_with("*** SIMULATION ***"), "{}", ended.stdout);
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert_eq!(count(&report, "units"), count(&report, "planned") + count(&report, "not_planned"));
    assert_eq!(count(&report, "planned"), count(&report, "admitted") + count(&report, "not_admitted"));
    let ends = ["unfinished", "ungraded", "cleared", "flagged"];
    assert_eq!(count(&report, "admitted"), ends.iter().map(|end| count(&report, end)).sum::<u64>());
    let decided = ["pending", "disputed", "rejected", "confirmed"];
    assert_eq!(count(&report, "flagged"), decided.iter().map(|end| count(&report, end)).sum::<u64>());
    assert!(count(&report, "ungraded") > 0);
    let truth = night.workspace.read("truth.jsonl");
    let planted = truth.lines().filter(|line| line.contains("\"present\":true")).count();
    let shown = report["rates"].as_array().unwrap().iter().find(|rate| {
        rate["name"] == "floor" && rate["unit"] == "turn" && rate["group"] == json!({}) && !rate["planted"].is_null()
    });
    assert_eq!(shown.unwrap()["planted"], json!(planted));
}

const FAULTS: &str = "[faults]\nrate_limited = 0.05\nserver_error = 0.03\ntruncated_body = 0.02\nreset = 0.02\n\
                      refusal = 0.03\nlength = 0.02\nmalformed_content = 0.02\ncontent_filter = 0.01\n\
                      empty_choices = 0.01\ncannot_judge = 0.01\nunverified_quote = 0.05\n";

#[test]
fn what_is_found_is_what_was_planted_as_far_as_the_graders_are_right() {
    let night = Night::with(200, "sensitivity = 1.0\nspecificity = 1.0", "sensitivity = 1.0\nspecificity = 1.0");
    let report = night.workspace.report().json();
    let planted = night.workspace.read("truth.jsonl").matches("\"present\":true").count() as u64;
    assert!(100 * planted > count(&report, "turns"), "{planted} planted turns are too few to tell");
    assert_eq!((count(&report, "flagged"), count(&report, "confirmed")), (planted, planted));
    assert_eq!(night.confirm.requests(), planted);
}

#[test]
fn the_json_has_a_stable_shape() {
    let night = Night::new(30);
    insta::assert_snapshot!(shape(&night.workspace.report().json(), &KEYED_BY_DATA));
}

#[test]
fn progress_comes_in_the_form_that_was_asked_for() {
    let night = Night::new(10);
    let silent = night.workspace.run(&["run", "--progress", "none"]).expect(0);
    assert_eq!(silent.stderr, "");
    let plain = night.workspace.run(&["run", "--progress", "plain"]).expect(0);
    assert!(plain.stderr.contains(" units; "), "{}", plain.stderr);
    let json = night.workspace.run(&["run", "--progress", "json"]).expect(0);
    let last: Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["finished"], last["planned"]);
    assert!(night.workspace.run(&["run", "--progress", "loud"]).expect(2).stderr.contains("loud"));
}

#[test]
fn a_limit_admits_so_many_units_and_says_so() {
    let night = Night::new(30);
    let report = night.workspace.run(&["run", "--limit", "12", "--format", "json"]).expect(0).json();
    assert_eq!((count(&report, "planned"), night.screen.requests()), (12, 12));
}

#[test]
fn flags_reach_the_wire() {
    let night = Night::with(40, "latency_ms = 5", "");
    night.workspace.run(&["run", "-j", "2"]).expect(0);
    assert_eq!(night.screen.stats().max_in_flight, 2);
}

#[test]
fn colour_is_for_whoever_asks_for_it() {
    let workspace = crate::support::Workspace::empty();
    let said = |words: &[&str]| workspace.run(words).expect(2).stderr;
    assert!(!said(&["run"]).contains('\u{1b}'));
    assert!(said(&["run", "--color", "always"]).contains('\u{1b}'));
    assert!(!said(&["run", "--color", "never"]).contains('\u{1b}'));
    let json = workspace.assize(&["prompts", "list"]).env("ASSIZE_FORMAT", "json").run().expect(0).json();
    assert!(json.is_array());
}

#[test]
fn another_form_of_a_behaviour_needs_no_code() {
    let night = Night::new(5);
    night.workspace.edit("audit.toml", "name = \"metagaming\"", "name = \"refusal\"");
    night.workspace.edit("audit.toml", "classes = [\"core\", \"generic_near_self\"]", "");
    night.workspace.edit("audit.toml", "core = \"all\"\ngeneric_near_self = \"all\"\n", "");
    let audit = night.workspace.read("audit.toml");
    let (kept, _) = audit.split_once("[grader.confirm]").unwrap();
    night.workspace.write("audit.toml", kept);
    assert_eq!(night.workspace.report().json()["behaviour"], json!("refusal"));
}

#[test]
fn the_report_of_a_run_is_the_one_that_its_journal_gives() {
    let night = Night::with(60, FAULTS, FAULTS);
    night.workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 20.00\nmax_ungraded = 0.5");
    let run = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    assert_eq!(run, report);
}

/// More of them than the room for conversations holds, so that batches end early and what is left of them waits.
#[test]
fn conversations_that_fill_the_memory_are_all_graded_the_same() {
    let (night, other) = (Night::new(40), Night::new(40));
    let folder = night.workspace.path("corpus");
    let mut bytes = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let long = text.lines().map(|line| {
            let mut conversation: Value = serde_json::from_str(line).unwrap();
            conversation["metadata"]["padding"] = json!("and so on ".repeat(100_000));
            format!("{conversation}\n")
        });
        let long: String = long.collect();
        bytes += long.len();
        std::fs::write(file, long).unwrap();
    }
    assert!(bytes > 64 << 20, "{bytes}");
    let counts = |night: &Night| {
        let report = night.workspace.run(&["run", "--format", "json"]).expect(0).json();
        (report["funnel"].clone(), night.requests())
    };
    assert_eq!(counts(&night), counts(&other));
}

#[test]
fn flags_without_a_quote_that_stands_are_told() {
    let night = Night::with(40, "[faults]\nunverified_quote = 1.0", "");
    let page = night.workspace.run(&["run", "--progress", "none"]).expect(0).stdout;
    let report = night.workspace.report().json();
    let unverified = report["funnel"]["outcomes"]["evidence_unverified"].as_u64().unwrap();
    assert!(unverified > 5, "{report}");
    assert!(page.contains(&format!("{unverified} without a quote that stands")), "{page}");
    let warned = report["warnings"].as_array().unwrap().iter().any(|one| {
        one.as_str().unwrap().starts_with(&format!("{unverified} of {unverified} flags of the screen have no quote"))
    });
    assert!(warned, "{}", report["warnings"]);
}

//! Replies that another workspace paid for: they replay here, and say nothing about what was spent here.

use std::fs;

use crate::grader::Grader;
use crate::workspace::{AuditSettings, SLOTS, Workspace};

const CONVERSATIONS: u64 = 40;

/// A finished workspace, and its replies in a file.
fn exported(profile: &str) -> (Workspace, Grader, std::path::PathBuf) {
    let workspace = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&workspace, profile);
    workspace.audit(&AuditSettings::of(&grader));
    workspace.run(&[]).expect(0);
    let said = workspace.assize(&["cache", "export", "--out", "night.jsonl.zst"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let file = workspace.path("night.jsonl.zst");
    (workspace, grader, file)
}

#[test]
fn an_imported_night_replays_whole_and_costs_nothing() {
    let (first, grader, file) = exported("seed = 14\nspecificity = 0.95");
    let report = first.run(&[]).expect(0);
    let asked = grader.stats();
    let second = Workspace::new(CONVERSATIONS);
    // A cap that one request would break, and a grader that is not there.
    let settings =
        AuditSettings { max_cost: 1e-6, base_url: "http://127.0.0.1:9/v1".to_owned(), ..AuditSettings::of(&grader) };
    second.audit(&settings);
    let said = second.assize(&["cache", "import", file.to_str().unwrap(), "--strict"]);
    assert!(said.code == Some(0) && said.stdout.contains("new replies imported"), "{said:?}");

    let replayed = second.run(&["--cache", "read-only"]).expect(0);
    assert_eq!((replayed.digest, replayed.requests.sent), (report.digest, 0));
    let rerun = second.run(&[]).expect(0);
    assert_eq!((rerun.digest, rerun.requests.sent, rerun.spend.usd.to_bits()), (report.digest, 0, 0.0_f64.to_bits()));
    assert_eq!(grader.stats(), asked);
}

#[test]
fn a_request_that_was_on_the_wire_stays_presumed_spent_whatever_is_imported() {
    let (_first, healthy, file) = exported("seed = 14");
    let second = Workspace::new(CONVERSATIONS);
    let hanging = Grader::start(&second, "seed = 14\n[faults]\nhang = 1.0");
    second.audit(&AuditSettings::of(&hanging));
    let running = second.start(&[]);
    hanging.received(SLOTS);
    running.kill();
    let said = second.assize(&["cache", "import", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    second.audit(&AuditSettings::of(&healthy));
    let report = second.run(&[]).expect(0);
    assert_eq!(report.requests.sent, SLOTS, "what the killed session sent, and nothing since");
    assert!(report.spend.presumed_usd > 0.0 && report.spend.usd >= hanging.billed().usd(), "{:?}", report.spend);
}

#[test]
fn an_import_waits_for_nobody_and_names_who_is_at_work() {
    let (_first, _grader, file) = exported("seed = 14");
    let second = Workspace::new(CONVERSATIONS);
    let grader = Grader::start(&second, "seed = 14\nlatency_ms = 20");
    second.audit(&AuditSettings::of(&grader));
    let running = second.start(&[]);
    grader.received(1);
    let refused = second.assize(&["cache", "import", file.to_str().unwrap()]);
    assert!(refused.refusal(2).contains(&format!("(process {} on `", running.id())), "{}", refused.stderr);
    let exported = second.assize(&["cache", "export", "--out", "meanwhile.jsonl"]);
    assert_eq!(exported.code, Some(0), "a running workspace can be exported: {exported:?}");
    running.wait().expect(0);
}

#[test]
fn a_damaged_export_is_taken_in_as_far_as_it_goes() {
    let (first, grader, _) = exported("seed = 14");
    let digest = first.run(&[]).expect(0).digest;
    let said = first.assize(&["cache", "export"]);
    assert!(said.code == Some(0) && said.stderr.starts_with("note: exported "), "{}", said.stderr);
    let mut lines: Vec<_> = said.stdout.lines().map(str::to_owned).collect();
    lines[4] = lines[4].replacen("\"status\":200", "\"status\":201", 1);
    let second = Workspace::new(CONVERSATIONS);
    fs::write(second.path("night.jsonl"), lines.join("\n") + "\n").unwrap();
    second.audit(&AuditSettings::of(&grader));
    let imported = second.assize(&["cache", "import", "night.jsonl"]);
    assert_eq!(imported.code, Some(1), "{imported:?}");
    assert!(imported.stdout.contains("night.jsonl:5 is damaged"), "{}", imported.stdout);
    let before = grader.stats().requests;
    let report = second.run(&[]).expect(0);
    assert_eq!((report.digest, grader.stats().requests - before), (digest, 1), "only the damaged reply is asked for");
}

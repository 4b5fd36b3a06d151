//! Runs that end early: by the cap, by too many ungraded units, by an interrupt.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Ended, Night};

fn interrupt(night: &Night, after: u64) -> Ended {
    night.workspace.assize(&["run", "--progress", "none"]).run_while(|child| {
        night.screen.wait_for(after);
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    })
}

#[test]
fn a_cap_closes_admission_and_what_was_graded_is_a_valid_sample() {
    let night = Night::new(60);
    let ended = night.workspace.run(&["run", "--max-cost", "0.20", "--progress", "none"]).expect(3);
    insta::assert_snapshot!(ended.shown());
    let report = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    let funnel = |line: &str| report["funnel"][line].as_u64().unwrap();
    assert!(funnel("not_admitted") > 0 && funnel("admitted") > 0, "{}", report["funnel"]);
    assert_eq!(report["complete"], json!(false));
    assert!(report["spend"]["usd"].as_f64().unwrap() <= 0.20);
    let floor = |report: &Value| report["rates"][0]["k"].as_u64().unwrap();
    assert_eq!((&report["rates"][0]["name"], &report["rates"][0]["n"]), (&json!("floor"), &report["funnel"]["turns"]));
    // A higher cap goes on from there: nothing that was answered is asked again.
    let whole = Night::new(60).workspace.report();
    assert!((1..=floor(&whole.json())).contains(&floor(&report)));
    let resumed = night.workspace.run(&["run", "--max-cost", "20", "--format", "json"]).expect(0);
    assert_eq!(resumed.digest(), whole.digest());
    assert_eq!(night.screen.stats().distinct_bodies, night.screen.requests());
}

#[test]
fn too_many_units_without_a_verdict_end_with_4() {
    let night = Night::with(40, "[faults]\nrefusal = 0.2", "");
    insta::assert_snapshot!(night.workspace.run(&["run", "--progress", "none"]).expect(4).shown());
    night.workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 20.00\nmax_ungraded = 0.5");
    night.workspace.run(&["run"]).expect(0);
}

#[test]
fn an_interrupt_drains_and_the_rerun_resumes() {
    let night = Night::with(80, "latency_ms = 10", "");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "max_concurrency = 4");
    let ended = interrupt(&night, 30).expect(130);
    assert!(ended.stderr.contains("stopping: what is on the wire is finished and kept"), "{}", ended.stderr);
    assert!(ended.stderr.contains("run the same command again to resume"), "{}", ended.stderr);
    assert!(ended.stdout.contains("INCOMPLETE: interrupted"), "{}", ended.stdout);
    let part = night.workspace.run(&["report", "--format", "json"]).expect(0).json();
    let resumed = night.workspace.report();
    assert_eq!(resumed.json()["run"], part["run"]);
    let fresh = Night::new(80);
    assert_eq!(resumed.digest(), fresh.workspace.report().digest());
    // Draining finished what was on the wire: no question went out twice.
    assert_eq!(night.screen.requests(), fresh.screen.requests());
    assert_eq!(night.screen.stats().distinct_bodies, night.screen.requests());
}

#[test]
fn a_second_interrupt_gives_up_what_is_on_the_wire() {
    let night = Night::with(10, "[faults]\nhang = 1.0", "");
    let ended = night.workspace.assize(&["run", "--progress", "none"]).run_while(|child| {
        night.screen.wait_for(8);
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
        // The first must have been seen, or the two count as one.
        let mut said = String::new();
        let stderr = child.stderr.as_mut().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::with_capacity(1, stderr), &mut said).unwrap();
        assert!(said.contains("stopping"), "{said}");
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    });
    let ended = ended.expect(130);
    assert!(ended.stderr.contains("giving up what is on the wire"), "{}", ended.stderr);
}

#[test]
fn a_deadline_in_the_past_sends_nothing_and_ends_with_3() {
    let night = Night::new(10);
    let ended = night.workspace.run(&["run", "--deadline", "2026-01-01T00:00Z", "--progress", "none"]);
    let ended = ended.expect(3);
    insta::assert_snapshot!(ended.stderr);
    assert!(ended.stdout.contains("INCOMPLETE: stopped by the deadline"), "{}", ended.stdout);
    assert_eq!(night.requests(), (0, 0));
}

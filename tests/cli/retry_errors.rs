//! `--retry-errors`: what was answered without a verdict is asked again, paid once a round.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Grader, Night, profile};

/// A finished night in which a part of the screens was refused, and a grader at the same place that refuses less.
fn refused(then: &str) -> (Night, u64) {
    let Night { workspace, screen, confirm } = Night::with(40, "[faults]\nrefusal = 0.2", "");
    workspace.edit("audit.toml", "max_cost = 20.00", "max_cost = 20.00\nmax_ungraded = 0.9");
    let report = workspace.report();
    let refused = outcome(&report, "refused");
    assert!(refused > 3, "{refused}");
    let address = screen.address();
    drop(screen);
    let screen = Grader::start_at(&profile(&workspace.path("truth.jsonl"), then), address);
    (Night { workspace, screen, confirm }, refused)
}

fn outcome(report: &Ended, kind: &str) -> u64 {
    report.json()["funnel"]["outcomes"].get(kind).and_then(Value::as_u64).unwrap_or_default()
}

#[test]
fn errors_are_asked_again_and_everything_else_replays() {
    let (night, refused) = refused("");
    let plain = night.workspace.report();
    assert_eq!((night.screen.requests(), outcome(&plain, "refused")), (0, refused), "a rerun replays what was refused");
    let retried = night.workspace.run(&["run", "--retry-errors", "--format", "json"]).expect(0);
    assert_eq!((night.screen.requests(), outcome(&retried, "refused")), (refused, 0));
    assert_eq!(retried.json()["funnel"]["ungraded"], 0);
    // The highest wins: a later run needs no flag, and sends nothing.
    let later = night.workspace.report();
    assert_eq!((night.screen.requests(), later.digest()), (refused, retried.digest()));
    night.workspace.run(&["run", "--retry-errors"]).expect(0);
    assert_eq!(night.screen.requests(), refused, "there is nothing left to ask again");
}

#[test]
fn what_is_refused_again_is_paid_once_a_round() {
    let (night, refused) = refused("[faults]\nrefusal = 1.0");
    night.workspace.run(&["run", "--retry-errors"]).expect(0);
    assert_eq!(night.screen.requests(), refused);
    night.workspace.run(&["run"]).expect(0);
    assert_eq!(night.screen.requests(), refused, "without the flag nothing is asked");
    let planned = night.workspace.run(&["plan", "--retry-errors", "--format", "json"]).expect(0).json();
    assert_eq!(planned["requests"][0].as_u64(), Some(refused), "the plan knows: {planned:#}");
    night.workspace.run(&["run", "--retry-errors"]).expect(0);
    assert_eq!(night.screen.requests(), 2 * refused, "another round asks another time");
}

#[test]
fn a_round_that_was_cut_short_is_resumed_and_not_begun_again() {
    let (night, refused) = refused("latency_ms = 20\n[faults]\nrefusal = 1.0\n");
    night.workspace.edit("audit.toml", "max_concurrency = 8", "max_concurrency = 2");
    let cut = night.workspace.assize(&["run", "--retry-errors", "--format", "json"]).run_while(|child| {
        night.screen.wait_for(3);
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    });
    let cut = cut.expect(130).json();
    let asked = night.screen.requests();
    assert!((1..refused).contains(&asked), "{asked} of {refused}");
    let whole = night.workspace.run(&["run", "--retry-errors", "--format", "json"]).expect(0);
    assert_eq!(whole.json()["run"], cut["run"], "one run");
    assert_eq!((night.screen.requests(), outcome(&whole, "refused")), (refused, refused));
}

#[test]
fn it_needs_a_cache_that_may_be_used_and_written() {
    let night = Night::new(5);
    let refused = night.workspace.run(&["run", "--retry-errors", "--cache", "refresh"]).expect(2);
    assert!(refused.stderr.contains("`--retry-errors` asks part of the questions again"), "{}", refused.stderr);
}

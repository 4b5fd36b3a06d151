//! Whether the drift alarm holds what it promises: simulated runs through the pairing that real runs go through.
//!
//! ```text
//! cargo test --release --test drift -- --ignored --nocapture alarm_table
//! ```

#![expect(clippy::unwrap_used, reason = "a simulation that cannot go on fails there")]

mod nights;
mod simulate;

use assize::estimate::drift::Direction;
use simulate::{NONE, OTHERS, SENSITIVITY, Shift, alarms, runs};

/// Runs of each kind that the table is made of.
const RUNS: u64 = 200;

fn row(shift: &Shift, runs: &[assize::estimate::drift::Watch]) -> String {
    let (alarmed, median) = alarms(runs);
    let median = median.map_or("-".to_owned(), |median| median.to_string());
    let most = runs.iter().map(|watch| watch.drift.evidence()).fold(0.0, f64::max);
    let most = if most < 1e4 { format!("{most:.1}") } else { format!("{most:.0e}") };
    format!("{:<38}{alarmed:>5} of {:<6}{median:>8}{most:>14}", shift.name, runs.len())
}

#[test]
fn without_drift_few_runs_alarm_and_a_planted_shift_is_found() {
    let (same, shifted) = (runs(&NONE, 0..40), runs(&SENSITIVITY, 1_000..1_040));
    let (false_alarms, _) = alarms(&same);
    assert!(false_alarms <= 2, "{false_alarms} of 40 runs without drift alarmed");
    let (found, median) = alarms(&shifted);
    assert_eq!(found, 40, "the shift is found in every run");
    assert!(median.is_some_and(|median| median < 200), "after {median:?} pairs");
    assert!(shifted.iter().all(|watch| watch.drift.direction() == Direction::MissesMore));
}

#[test]
#[ignore = "prints the table of `docs/drift.md`: see the command at the top of the file"]
fn alarm_table() {
    println!("{:<38}{:<15}{:>7}{:>14}", "grader", "alarms", "median", "largest E");
    let same = runs(&NONE, 10_000..10_000 + RUNS);
    println!("{}", row(&NONE, &same));
    let shifted = runs(&SENSITIVITY, 20_000..20_000 + RUNS);
    println!("{}", row(&SENSITIVITY, &shifted));
    for (kind, shift) in (3..).zip(&OTHERS) {
        println!("{}", row(shift, &runs(shift, kind * 10_000..kind * 10_000 + RUNS)));
    }
    let (false_alarms, _) = alarms(&same);
    assert!(false_alarms as u64 * 20 <= RUNS, "{false_alarms} of {RUNS} runs without drift alarmed");
    let (found, _) = alarms(&shifted);
    assert!(found as u64 * 100 >= RUNS * 95, "the planted shift was found in {found} of {RUNS} runs only");
}

//! The table of repeats.

use super::json::Report;
use super::layout::Page;
use super::rate::count;
use super::repeats::{FlipRateRow, RepeatRow, StageRepeats};
use crate::model::grading::Stage;
use crate::model::repeats::{RepeatCause, Repeats};

pub(super) fn repeats(page: &mut Page, report: &Report) {
    let asked: Vec<_> = report.repeats.iter().collect();
    if asked.is_empty() {
        return;
    }
    page.heading("Repeats (the same question asked again)");
    for stage in &asked {
        page.wrapped(&format!("  {:<9}", stage.stage.as_str()), &policy(&stage.policy));
    }
    page.line(&columns("", ["units", "askings", "differ", "changed", "undecided"]));
    for stage in &asked {
        for (cause, first) in causes(stage) {
            let rows: Vec<_> =
                stage.rows.iter().filter(|row| (row.cause, row.first_says_yes) == (cause, first)).collect();
            let sum = |of: fn(&RepeatRow) -> u64| count(rows.iter().map(|row| of(row)).sum());
            let of_gate = |of| if cause.is_of_gate() { sum(of) } else { "-".to_owned() };
            let cells = [
                sum(|row| row.units),
                sum(|row| row.askings),
                sum(|row| row.contradicted),
                of_gate(|row| row.changed),
                of_gate(|row| row.undecided),
            ];
            page.line(&columns(&named(stage.stage, cause, first), cells.each_ref().map(String::as_str)));
        }
    }
    for stage in &asked {
        for row in &stage.flip_rates {
            page.wrapped("  flips    ", &flips(stage.stage, row));
        }
    }
    if asked.iter().any(|stage| stage.policy.random > 0.0) {
        page.wrapped("  ", "Askings at random are for the flip rate alone: no other figure depends on what they say.");
    }
}

fn columns(name: &str, [units, askings, differ, changed, undecided]: [&str; 5]) -> String {
    format!("  {name:<35}{units:>8}{askings:>9}{differ:>8}{changed:>9}{undecided:>11}")
}

fn causes(stage: &StageRepeats) -> impl Iterator<Item = (RepeatCause, bool)> {
    stage.flip_rates.iter().map(|row| (row.cause, row.first_says_yes))
}

/// What the first asking says, in the word of its stage.
const fn answer(stage: Stage, says_yes: bool) -> &'static str {
    match (stage, says_yes) {
        (Stage::Screen, true) => "flagged",
        (Stage::Screen, false) => "cleared",
        (Stage::Confirm, true) => "upheld",
        (Stage::Confirm, false) => "turned down",
    }
}

fn named(stage: Stage, cause: RepeatCause, first: bool) -> String {
    let answer = answer(stage, first);
    let why = match cause {
        RepeatCause::Flagged => String::new(),
        RepeatCause::NearThreshold | RepeatCause::Random => format!(", {}", cause.as_str()),
    };
    format!("{} {answer}{why}", stage.as_str())
}

pub(super) fn policy(policy: &Repeats) -> String {
    let Repeats { rule, flagged, near_threshold, near, random } = policy;
    let mut parts = Vec::new();
    if *flagged > 1 {
        parts.push(format!("{flagged} askings of what the first one says yes to"));
    }
    if *near_threshold > 1 {
        parts.push(format!("{near_threshold} within {near} points of the threshold"));
    }
    if *random > 0.0 {
        // A share of a millionth is as small as anybody writes.
        parts.push(format!("one more of {}% of all others", (random * 1e6).round() / 1e4));
    }
    format!("rule `{}`: {}", rule.as_str(), parts.join(", "))
}

/// How often the second verdict is another one.
pub(super) fn flips(stage: Stage, row: &FlipRateRow) -> String {
    let of = named(stage, row.cause, row.first_says_yes);
    let (Some(estimate), Some(lower), Some(upper)) = (row.estimate, row.lower, row.upper) else {
        return format!("{of}: no unit with two usable verdicts");
    };
    let [estimate, lower, upper] = [estimate, lower, upper].map(|share| share * 100.0);
    format!("{of}: {} of {}, {estimate:.1}% [{lower:.1}, {upper:.1}]", count(row.flips), count(row.units))
}

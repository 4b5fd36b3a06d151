//! Whether the grader changed during a run, as a report says it.

use serde::{Deserialize, Serialize};

use super::build::rounded;
use super::rate::count;
use crate::estimate::drift::{Direction, Drift, Flips, Watch};
use crate::model::anchor::{AnchorLabel, due};
use crate::model::tally::Tally;

/// Why there is no test in a run without anchors; also what stands in every digest.
pub(super) const NO_ANCHORS: &str = "no anchors were graded";

/// The test over the visits to anchors. No part of the report's digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftRow {
    /// Anchors of the audit.
    pub anchors: u64,
    /// Baseline draws that were there when the last session began, over all anchors.
    pub baseline_draws: u64,
    /// Visits that were due for the units admitted.
    pub due: u64,
    /// Visits paid. Those that were due and are missing had no baseline draw, no money or no time.
    pub visits: u64,
    /// Visits with a usable verdict now and in their baseline draw.
    pub pairs: u64,
    /// Anchors that show the behaviour.
    pub positive: FlipRow,
    /// Anchors that do not.
    pub negative: FlipRow,
    /// E: 20 or more at any time of the run is an alarm.
    pub evidence: f64,
    /// Whether it was.
    pub alarm: bool,
    /// Pairs that it took.
    pub alarm_after: Option<u64>,
    /// Which way the grader moved, if there is an alarm.
    pub direction: Option<Direction>,
    /// Visits that another model served than the one that served the baseline draw.
    pub served_otherwise: u64,
}

/// Pairs that disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipRow {
    /// Flagged now and not in the baseline.
    pub gained: u64,
    /// Flagged in the baseline and not now.
    pub lost: u64,
}

impl From<Flips> for FlipRow {
    fn from(Flips { gained, lost }: Flips) -> Self {
        Self { gained, lost }
    }
}

/// The test, or why there is none.
pub(super) fn drift(tally: &Tally) -> Result<DriftRow, String> {
    let plan = tally.plan.anchors.as_ref().ok_or(NO_ANCHORS)?;
    if plan.baseline == 0 && tally.visits.is_empty() {
        return Err("the anchors have no baseline to compare with: `assize anchors baseline` draws it".to_owned());
    }
    let known: u64 = tally.known.iter().map(|row| row.items - row.unfinished).sum();
    let due = due(tally.screen.reached() + known, plan);
    let Watch { drift, visits, pairs, served_otherwise, alarm_after } = Drift::over(tally.visits.pairs());
    if visits == 0 {
        return Err(match due {
            0 => format!("no anchor was due: too few units for a rate of {}", plan.rate),
            due => format!(
                "none of {due} visits to anchors was paid: without baseline draw, money, time or anything to send"
            ),
        });
    }
    if pairs == 0 {
        return Err("no visit to an anchor had a usable verdict, now and in its baseline".to_owned());
    }
    Ok(DriftRow {
        anchors: plan.anchors,
        baseline_draws: plan.baseline,
        due,
        visits,
        pairs,
        positive: drift.flips(AnchorLabel::Positive).into(),
        negative: drift.flips(AnchorLabel::Negative).into(),
        evidence: rounded(drift.evidence().min(f64::MAX)),
        alarm: drift.has_alarmed(),
        alarm_after,
        direction: drift.has_alarmed().then(|| drift.direction()),
        served_otherwise,
    })
}

/// In words.
pub(crate) const fn towards(direction: Direction) -> &'static str {
    match direction {
        Direction::MissesMore => "misses more",
        Direction::MissesLess => "misses less",
        Direction::FlagsMoreFalsely => "flags more falsely",
        Direction::FlagsLessFalsely => "flags less falsely",
        Direction::Neither => "is of two minds",
    }
}

/// One line of the table.
pub(super) fn line(row: &DriftRow) -> String {
    let (gained, lost) = (row.positive.gained + row.negative.gained, row.positive.lost + row.negative.lost);
    let flags = if gained == 1 { "flag" } else { "flags" };
    let verdict = match row.direction {
        Some(direction) => format!("ALARM, it {}", towards(direction)),
        None => "no alarm".to_owned(),
    };
    let (evidence, pairs) = (shown(row.evidence), count(row.pairs));
    let anchors = if row.pairs == 1 { "anchor" } else { "anchors" };
    format!("drift  E {evidence} after {pairs} {anchors} ({gained} {flags} gained, {lost} lost): {verdict}")
}

fn shown(evidence: f64) -> String {
    if evidence < 1e4 { format!("{evidence:.1}") } else { format!("{evidence:.0e}") }
}

/// What a reader has to know, and what to do.
pub(super) fn warnings(tally: &Tally) -> Vec<String> {
    let mut warnings = Vec::new();
    let row = match drift(tally) {
        Ok(row) => row,
        // Whoever names anchors and gets no test is told why.
        Err(reason) => {
            // A replay asks nothing, so that there is nothing to test.
            let is_worth_saying = reason != NO_ANCHORS && tally.requests.sent > 0;
            warnings.extend(is_worth_saying.then(|| format!("no test for drift: {reason}")));
            return warnings;
        }
    };
    if let Some(direction) = row.direction {
        warnings.push(format!(
            "the screen changed since its baseline was drawn: it {} (E {} after {} anchors). Its verdicts are not those of the \
             grader whose sensitivity is known. Name a dated snapshot as `model`; or set another `revision`, draw a baseline \
             with `assize anchors baseline` and grade again",
            towards(direction),
            shown(row.evidence),
            count(row.pairs)
        ));
    }
    if row.served_otherwise > 0 {
        warnings.push(format!(
            "{} of {} visits to anchors were served by another model than their baseline draw",
            count(row.served_otherwise),
            count(row.visits)
        ));
    }
    if row.visits < row.due {
        warnings.push(format!(
            "{} of {} visits to anchors that were due were not paid, for lack of a baseline draw, money or time: the test for \
             drift sees less of the run",
            count(row.due - row.visits),
            count(row.due)
        ));
    }
    warnings
}

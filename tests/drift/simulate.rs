//! Simulated runs: every anchor has its own probability of being flagged, which a shift changes from some visit on.

use assize::estimate::drift::{Drift, Watch};
use assize::model::anchor::{AnchorLabel, AnchorVisit, BASELINE_DRAWS, Visit, Visits};
use assize::model::hash::{Digest, PartHasher};

/// How a grader changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    /// In words.
    pub(crate) name: &'static str,
    /// What the probability that a positive is flagged is multiplied by.
    pub(crate) sensitivity: f64,
    /// What the probability that a negative is flagged is multiplied by.
    pub(crate) false_flags: f64,
    /// The first visit that the changed grader answers.
    pub(crate) from_visit: u64,
}

/// No change at all.
pub(crate) const NONE: Shift = Shift { name: "no drift", sensitivity: 1.0, false_flags: 1.0, from_visit: 0 };
/// The planted shift.
pub(crate) const SENSITIVITY: Shift = Shift { name: "sensitivity x 0.6", sensitivity: 0.6, ..NONE };
/// What else may happen.
pub(crate) const OTHERS: [Shift; 3] = [
    Shift { name: "sensitivity x 0.8", sensitivity: 0.8, ..NONE },
    Shift { name: "sensitivity x 0.6 from visit 200 on", sensitivity: 0.6, from_visit: 200, ..NONE },
    Shift { name: "false flags x 4", false_flags: 4.0, ..NONE },
];

/// Anchors of each label.
const EACH: u64 = 50;
/// Gradings without a usable verdict.
const MISSING: f64 = 0.02;

/// What a decision hangs on: a hash of what is decided.
fn uniform(seed: u64, parts: &[u64]) -> f64 {
    let mut hasher = PartHasher::new("simulated drift");
    hasher.number(seed);
    for part in parts {
        hasher.number(*part);
    }
    f64::from(u32::try_from(hasher.finish().leading_u64() >> 32).unwrap()) / 4_294_967_296.0
}

/// How likely an anchor is flagged: positives between 0.4 and 1, most of them easily; negatives up to 0.3, most of them
/// hardly ever.
fn difficulty(seed: u64, anchor: u64, label: AnchorLabel) -> f64 {
    let u = uniform(seed, &[0, anchor]);
    match label {
        AnchorLabel::Positive => 1.0 - 0.6 * u * u * u,
        AnchorLabel::Negative => 0.3 * u * u * u,
    }
}

/// One grading: flagged, not flagged, or without a usable verdict.
fn grading(seed: u64, decision: &[u64], probability: f64) -> Option<bool> {
    let missing = uniform(seed, &[&[1], decision].concat()) < MISSING;
    (!missing).then(|| uniform(seed, &[&[2], decision].concat()) < probability)
}

/// The visits of one run, told in the order in which they happened to end.
fn visits(seed: u64, shift: &Shift) -> Visits {
    let anchors = 2 * EACH;
    let mut told: Vec<AnchorVisit> = Vec::new();
    for (number, visit) in (0..).map_while(|number| Some((number, Visit::nth(number, anchors, BASELINE_DRAWS)?))) {
        let Visit { anchor, draw } = visit;
        let label = if anchor % 2 == 0 { AnchorLabel::Positive } else { AnchorLabel::Negative };
        let probability = difficulty(seed, anchor, label);
        let factor = match label {
            _ if number < shift.from_visit => 1.0,
            AnchorLabel::Positive => shift.sensitivity,
            AnchorLabel::Negative => shift.false_flags,
        };
        told.push(AnchorVisit {
            number,
            draw,
            content: Digest::of(&anchor.to_le_bytes()),
            label,
            now: grading(seed, &[3, anchor, draw.into()], (probability * factor).min(1.0)),
            then: grading(seed, &[4, anchor, draw.into()], probability),
            served: None,
            served_then: None,
        });
    }
    told.sort_by_key(|visit| Digest::of(&[seed.to_le_bytes(), visit.number.to_le_bytes()].concat()));
    let mut visits = Visits::default();
    for visit in told {
        visits.add(visit);
    }
    visits
}

/// What so many runs under a shift come to.
pub(crate) fn runs(shift: &Shift, seeds: std::ops::Range<u64>) -> Vec<Watch> {
    seeds.map(|seed| Drift::over(visits(seed, shift).pairs())).collect()
}

/// Runs that alarmed, and the median pairs to the alarm of those that did.
pub(crate) fn alarms(runs: &[Watch]) -> (usize, Option<u64>) {
    let mut after: Vec<u64> = runs.iter().filter_map(|watch| watch.alarm_after).collect();
    after.sort_unstable();
    (after.len(), after.get(after.len() / 2).copied())
}

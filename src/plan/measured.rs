//! What a run has shown, in place of what was assumed.
//!
//! Shares are counted by class, all groups together, so that a small probe says something. Where a class has shown no
//! event the assumption stands, unless the run makes it implausible: then the one-sided upper limit stands in its place.

use std::collections::BTreeMap;

use super::expectation::{Expectation, Slice};
use super::settings::Assumptions;
use crate::estimate::interval::{Share, one_sided_upper};
use crate::estimate::sensitivity::Sensitivity;
use crate::model::bucket::Bucket;
use crate::model::found_by::KnownUse;
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::model::rate::Level;
use crate::model::repeats::Repeats;
use crate::model::review::Route;
use crate::model::tally::{Requests, StratumTally, Tally};
use crate::model::unit::Group;

/// What a run has shown so far, finished or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The run's id.
    pub run: String,
    /// By class, in the order of the plan; only those of which something was graded.
    pub classes: Vec<ClassCounts>,
    /// Admitted units.
    pub admitted: u64,
    /// Those of them that ended without a usable verdict.
    pub ungraded: u64,
    /// Requests sent.
    pub requests: u64,
    /// Completion tokens billed for them.
    pub output_tokens: u64,
    /// What an admitted unit has cost on average, with everything that followed from it; visits to anchors, which a plan counts
    /// by themselves, are no part of it. Absent where replies were replayed or nothing was sent: then nobody knows.
    pub cost_per_unit: Option<NanoUsd>,
    /// What its screen and its second grader asked again.
    pub repeats: [Option<Repeats>; 2],
    /// Confirmed turns of the conversation of a confirmed turn, itself included, on average; absent where none was confirmed,
    /// and where single turns were drawn, which misses the others of a conversation.
    pub together: Option<f64>,
    /// Known positives by group, and those that passed the gate.
    pub known: BTreeMap<Group, Sensitivity>,
    level: Level,
}

/// One class, counted over all groups. The last decision is people's where they have read any, else the second
/// grader's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// The class.
    pub class: String,
    /// Units with a usable verdict.
    pub graded: u64,
    /// Flagged and upheld, or flagged where there is no second grader, or flagged copies.
    pub upheld: RouteCounts,
    /// Flagged and turned down.
    pub turned_down: RouteCounts,
}

/// Flagged units on one route to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteCounts {
    /// Units on it.
    pub units: u64,
    /// Those that people have read of it, drawn at random.
    pub read: u64,
    /// Those of the latter that people confirmed.
    pub confirmed: u64,
}

impl RouteCounts {
    /// Units that people would confirm; `unread` of them, 0 to 1, where nobody has read any.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn confirmed_units(&self, unread: f64) -> f64 {
        let share = if self.read > 0 { self.confirmed as f64 / self.read as f64 } else { unread };
        self.units as f64 * share
    }
}

impl ClassCounts {
    /// Flagged units.
    #[must_use]
    pub const fn flagged(&self) -> u64 {
        self.upheld.units + self.turned_down.units
    }

    fn add(&mut self, stratum: &StratumTally) {
        let without_verdict = |bucket: &Bucket| matches!(bucket, Bucket::Unfinished | Bucket::Ungraded(_));
        self.graded += stratum.admitted() - stratum.buckets.count(without_verdict);
        for (route, cell) in &stratum.cells {
            let counts = match route {
                Route::Upheld | Route::Unconfirmed | Route::Addressed | Route::Copies => &mut self.upheld,
                Route::TurnedDown => &mut self.turned_down,
                Route::Cleared => continue,
            };
            counts.units += cell.units;
            counts.read += cell.read;
            counts.confirmed += cell.confirmed;
        }
    }

    /// The shares of this class where it has shown something, the assumed ones where it has not.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn expectation(&self, assumed: &Expectation, has_confirmer: bool, level: Level) -> Expectation {
        let Some(none_of_all) = Share::new(0, self.graded) else { return *assumed };
        let most = one_sided_upper(none_of_all, level);
        let graded = self.graded as f64;
        let part = |units: f64, assumed: f64| if units > 0.0 { units / graded } else { assumed.min(most) };
        let (upheld, turned_down) = (
            part(self.upheld.units as f64, assumed.upheld),
            part(self.turned_down.units as f64, if has_confirmer { assumed.turned_down } else { 0.0 }),
        );
        // A second grader is taken at its word until people have spoken; without one, nobody has said anything.
        let word =
            if has_confirmer || self.upheld.units == 0 { 1.0 } else { assumed.confirmed_upheld / assumed.upheld };
        let confirmed = part(self.upheld.confirmed_units(word.min(1.0)), assumed.confirmed_upheld);
        Expectation {
            upheld: upheld.max(confirmed),
            turned_down,
            confirmed_upheld: confirmed,
            confirmed_turned_down: self.turned_down.confirmed_units(0.0) / graded,
        }
    }
}

impl Measured {
    /// What the tally of a run shows.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let mut classes: Vec<ClassCounts> = Vec::new();
        for stratum in &tally.strata {
            let name = &stratum.stratum.class;
            let index = classes.iter().position(|counts| counts.class == *name).unwrap_or_else(|| {
                classes.push(ClassCounts { class: name.clone(), ..ClassCounts::default() });
                classes.len() - 1
            });
            classes[index].add(stratum);
        }
        classes.retain(|counts| counts.graded > 0);
        let admitted = tally.screen.reached();
        let Requests { sent, replayed, partly_replayed, .. } = tally.requests;
        let is_paid = replayed == 0 && partly_replayed == 0 && sent > 0;
        let of_units = tally.spend.total.saturating_sub(tally.spend.anchors);
        Self {
            run: tally.sessions.run.clone().unwrap_or_default(),
            classes,
            admitted,
            ungraded: tally.screen.ungraded() - tally.screen.unfinished,
            requests: tally.requests.sent,
            output_tokens: tally.spend.usage.completion_tokens,
            cost_per_unit: of_units.0.checked_div(admitted).filter(|_| is_paid).map(NanoUsd),
            repeats: [Stage::Screen, Stage::Confirm].map(|stage| tally.plan.repeats(stage)),
            together: together(tally),
            known: known(tally),
            level: tally.level,
        }
    }

    /// The expectation of each stratum, by what its class has shown.
    #[must_use]
    pub fn expectations(&self, slices: &[Slice], has_confirmer: bool) -> Vec<Expectation> {
        let of = |slice: &Slice| {
            let counts = self.classes.iter().find(|counts| counts.class == slice.stratum.class);
            counts.map_or(slice.expected, |counts| counts.expectation(&slice.expected, has_confirmer, self.level))
        };
        slices.iter().map(of).collect()
    }

    /// Completion tokens of an average reply, if anything was sent.
    #[must_use]
    pub fn tokens_per_reply(&self) -> Option<u64> {
        self.output_tokens.checked_div(self.requests).filter(|tokens| *tokens > 0)
    }

    /// Share of the admitted units that ended without a usable verdict, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn ungraded_share(&self) -> f64 {
        if self.admitted == 0 { 0.0 } else { self.ungraded as f64 / self.admitted as f64 }
    }
}

/// `[assume]` as these strata would have it: what to write there so that a run is planned by the same figures. Output
/// tokens, sensitivity and what people cost stay as they are.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn restated(slices: &[Slice], assume: &Assumptions) -> Assumptions {
    let of = |slice: &Slice| slice.units as f64 * slice.expected.confirmed();
    let (units, all): (f64, f64) = (slices.iter().map(|slice| slice.units as f64).sum(), slices.iter().map(of).sum());
    let hits: f64 = slices.iter().filter(|slice| slice.is_hit()).map(of).sum();
    let graded: f64 = slices.iter().map(|slice| slice.graded).sum();
    let flagged: f64 = slices.iter().map(|slice| slice.graded * slice.expected.flagged()).sum();
    let share = |part: f64, whole: f64, without: f64| if whole > 0.0 { (part / whole).min(1.0) } else { without };
    Assumptions {
        prevalence: share(all, units * assume.sensitivity, assume.prevalence),
        prefilter_recall: share(hits, all, assume.prefilter_recall),
        flag_rate: share(flagged, graded, assume.flag_rate),
        ..*assume
    }
}

/// Confirmed turns of the conversation of a confirmed turn, on average: the mean that pairs of them follow from, which is larger
/// than that over conversations where some hold many.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn together(tally: &Tally) -> Option<f64> {
    let mut turns: BTreeMap<_, u64> = BTreeMap::new();
    for confirmed in &tally.confirmed {
        *turns.entry(confirmed.unit.conversation_key()).or_default() += 1;
    }
    let pairs: u64 = turns.values().map(|turns| turns * turns).sum();
    let has_some = tally.plan.draws_several() && !turns.is_empty();
    has_some.then(|| pairs as f64 / tally.confirmed.len() as f64)
}

fn known(tally: &Tally) -> BTreeMap<Group, Sensitivity> {
    let mut counts: BTreeMap<&Group, (u64, u64)> = BTreeMap::new();
    for row in tally.known.iter().filter(|row| row.usage == KnownUse::Headline) {
        let (passed, usable) = counts.entry(&row.group).or_default();
        *passed += row.passed;
        *usable += row.usable;
    }
    let of = |(group, (passed, usable)): (&Group, (u64, u64))| Some((group.clone(), Sensitivity::new(passed, usable)?));
    counts.into_iter().filter_map(of).collect()
}

#[cfg(test)]
#[path = "measured_tests.rs"]
pub(crate) mod tests;

//! Anchors: units with a known answer that a run grades again on purpose, to notice whether its grader has changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Ordinal;
use super::hash::Digest;

/// Anchors that one audit can have: each is asked about again in every run.
pub const MOST_ANCHORS: usize = 500;

/// Draws that an anchor's baseline has, and so the most visits that a run can pay it.
pub const BASELINE_DRAWS: u32 = 8;

/// What is known of an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorLabel {
    /// It shows the behaviour.
    Positive,
    /// It does not.
    Negative,
}

/// Which grading of which anchor a visit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Visit {
    /// Position of the anchor in the order of their hashes, from 0.
    pub anchor: u64,
    /// The baseline draw that it is compared with, from 0.
    pub draw: u32,
}

impl Visit {
    /// The visit with this number, from 0: every anchor once, in their order, then every anchor again. `None` once every
    /// baseline draw has been used.
    #[must_use]
    pub const fn nth(number: u64, anchors: u64, draws: u32) -> Option<Self> {
        if anchors == 0 || number / anchors >= draws as u64 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is below `draws`")]
        let draw = (number / anchors) as u32;
        Some(Self { anchor: number % anchors, draw })
    }
}

/// How many visits are due once so many admitted units have ended.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts far below 2^53"
)]
pub fn due(units: u64, plan: &AnchorPlan) -> u64 {
    let due = (units as f64 * plan.rate).floor() as u64;
    due.min(plan.anchors * u64::from(plan.draws))
}

/// The position that stands for a visit where requests name a unit: behind those of all units.
#[must_use]
pub const fn ordinal_of(visit: u64) -> Ordinal {
    Ordinal(1 << 62 | visit)
}

/// The number of the visit that a position stands for, if it does: the reverse of [`ordinal_of`].
#[must_use]
pub const fn visit_at(ordinal: Ordinal) -> Option<u64> {
    if ordinal.0 >= 1 << 62 { Some(ordinal.0 ^ 1 << 62) } else { None }
}

/// What a run is to do about anchors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnchorPlan {
    /// Anchors.
    pub anchors: u64,
    /// Baseline draws that each can have.
    pub draws: u32,
    /// Visits for each unit that is admitted.
    pub rate: f64,
    /// Baseline draws that are there, of `anchors * draws`.
    pub baseline: u64,
}

/// An anchor was graded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorVisit {
    /// The number of the visit within the run, from 0.
    pub number: u64,
    /// The baseline draw that it is compared with, from 0.
    pub draw: u32,
    /// Digest of the anchor's conversation up to the turn.
    pub content: Digest,
    /// What is known of it.
    pub label: AnchorLabel,
    /// Whether it is flagged now; absent without a usable verdict.
    pub now: Option<bool>,
    /// Whether it was flagged in the baseline draw; absent without a usable verdict.
    pub then: Option<bool>,
    /// The model that served now, if the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<String>,
    /// The model that served the baseline draw, if the server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_then: Option<String>,
}

/// The visits of a run, in the order of their numbers, whatever the order in which they ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visits(BTreeMap<(u64, Digest), AnchorVisit>);

impl Visits {
    /// Adds a visit. Telling one again changes nothing.
    pub fn add(&mut self, visit: AnchorVisit) {
        self.0.insert((visit.number, visit.content), visit);
    }

    /// All of them; one that would use a baseline draw a second time is left out.
    pub fn pairs(&self) -> impl Iterator<Item = &AnchorVisit> {
        let mut used = std::collections::BTreeSet::new();
        self.0.values().filter(move |visit| used.insert((visit.content, visit.draw)))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anchor_is_visited_once_before_any_is_visited_again() {
        let visits: Vec<_> = (0..).map_while(|number| Visit::nth(number, 3, 2)).collect();
        let of = |anchor, draw| Visit { anchor, draw };
        assert_eq!(visits, [of(0, 0), of(1, 0), of(2, 0), of(0, 1), of(1, 1), of(2, 1)]);
        assert_eq!(Visit::nth(0, 0, 8), None);
    }

    #[test]
    fn visits_are_due_in_proportion_until_the_draws_are_used_up() {
        let plan = AnchorPlan { anchors: 3, draws: 2, rate: 0.01, baseline: 6 };
        assert_eq!([99, 100, 250, 10_000].map(|units| due(units, &plan)), [0, 1, 2, 6]);
    }

    #[test]
    fn a_position_tells_its_visit() {
        assert_eq!([0, 7, 3_999].map(|number| visit_at(ordinal_of(number))), [Some(0), Some(7), Some(3_999)]);
        assert_eq!(visit_at(Ordinal(1_000_000)), None);
    }

    #[test]
    fn no_draw_is_used_twice() {
        let visit = |number, now| AnchorVisit {
            number,
            draw: 0,
            content: Digest::of(b"anchor"),
            label: AnchorLabel::Positive,
            now: Some(now),
            then: Some(true),
            served: None,
            served_then: None,
        };
        let mut visits = Visits::default();
        visits.add(visit(4, false));
        visits.add(visit(1, true));
        visits.add(visit(1, true));
        assert_eq!(visits.pairs().map(|visit| visit.number).collect::<Vec<_>>(), [1]);
    }
}

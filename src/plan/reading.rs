//! How much people are expected to read.

use super::expectation::Slice;
use super::settings::Assumptions;
use crate::model::draw::SampleSize;
use crate::model::gold::GoldDraw;
use crate::model::review::{ReviewDraw, Route};

/// Units that people are expected to read, by what the graders said. Copies, which are all read, are not foreseen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reads {
    /// Flagged and upheld; without a second grader, flagged.
    pub upheld: f64,
    /// Flagged and turned down.
    pub turned_down: f64,
    /// Cleared by the screen.
    pub cleared: f64,
    /// Hidden gold among them.
    pub gold: f64,
}

impl Reads {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> f64 {
        self.upheld + self.turned_down + self.cleared + self.gold
    }

    /// Hours of reading.
    #[must_use]
    pub fn hours(&self, assume: &Assumptions) -> f64 {
        self.all() * assume.seconds_per_read / 3600.0
    }

    /// What these hours cost, in US dollars.
    #[must_use]
    pub fn cost_usd(&self, assume: &Assumptions) -> f64 {
        self.hours(assume) * assume.reviewer_cost_per_hour
    }
}

/// What is read of all strata, and the gold that is hidden among it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn reads(slices: &[Slice], review: &ReviewDraw, gold: Option<&GoldDraw>) -> Reads {
    let items = gold.map_or(0, |gold| gold.items.positive + gold.items.near_miss);
    let mut sum = Reads { gold: items as f64, ..Reads::default() };
    for slice in slices {
        let of = of_stratum(slice, review);
        sum.upheld += of.upheld;
        sum.turned_down += of.turned_down;
        sum.cleared += of.cleared;
    }
    sum
}

/// What is read of one stratum.
#[must_use]
pub fn of_stratum(slice: &Slice, review: &ReviewDraw) -> Reads {
    let Slice { graded, expected, .. } = slice;
    let read = |route: Route, share: f64| drawn(route.size(review), graded * share);
    Reads {
        upheld: read(Route::Upheld, expected.upheld),
        turned_down: read(Route::TurnedDown, expected.turned_down),
        cleared: read(Route::Cleared, (1.0 - expected.flagged()).max(0.0)),
        gold: 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn drawn(size: SampleSize, units: f64) -> f64 {
    match size {
        SampleSize::All => units,
        SampleSize::Count(most) => units.min(most as f64),
        SampleSize::Rate(rate) => units * rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::group;
    use crate::model::gold::ByKind;
    use crate::model::unit::Stratum;
    use crate::plan::expectation::Expectation;

    #[test]
    fn every_route_is_read_as_the_audit_says() {
        let expected = Expectation { upheld: 0.01, turned_down: 0.09, ..Expectation::default() };
        let stratum = Stratum { class: "core".to_owned(), group: group("a") };
        let slice = Slice { stratum, units: 2_000, graded: 1_000.0, expected };
        let review = ReviewDraw { cleared: SampleSize::Rate(0.1), ..ReviewDraw::default() };
        let found = reads(&[slice.clone(), slice.clone()], &review, None);
        assert_eq!((found.upheld, found.turned_down, found.cleared), (20.0, 100.0, 180.0));
        let assume = Assumptions { seconds_per_read: 120.0, reviewer_cost_per_hour: 30.0, ..Assumptions::default() };
        assert!((found.hours(&assume) - 10.0).abs() < 1e-12);
        assert!((found.cost_usd(&assume) - 300.0).abs() < 1e-9);
        let gold = GoldDraw { items: ByKind { positive: 50, near_miss: 100 }, seats: Vec::new() };
        let hidden = reads(&[slice.clone(), slice], &review, Some(&gold));
        assert!((hidden.hours(&assume) - 15.0).abs() < 1e-12, "gold takes as long to read as anything else");
    }
}

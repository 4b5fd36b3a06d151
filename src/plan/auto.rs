//! `allocate = "auto"`: how many units of each stratum a budget buys, so that the corrected rate is as narrow as it gets.
//!
//! The order is the one that simulation supports: first every unit that a cue hits, then as many random units without a
//! cue as the money allows, split between groups by J. Neyman's rule with costs ([`super::allocate`]). Some of the
//! latter come before everything else, so that no group starves: a stratum without a single verdict has no estimate.
//! Sizes follow from the audit file and the census alone, never from replies, so they are fixed before a unit is drawn.

use super::allocate::{Guess, allocate_from};

/// Units without a cue that every group gets before anything else, if the money allows.
pub const LEAST_OTHERS: f64 = 1_000.0;

/// The part of a cap that expected costs may fill. The rest is for replies that are longer than assumed: a cap that
/// closes admission early would cut the sample after all.
pub const USABLE_SHARE: f64 = 0.9;

/// The most that these may cost, as a share of the budget.
const SHARE_FOR_LEAST: f64 = 0.25;

/// A cost that is as good as none: what is free is graded whole.
const FREE: f64 = 1e-9;

/// One stratum to be sized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Units of the corpus in it.
    pub units: u64,
    /// Whether a cue hits them.
    pub is_hit: bool,
    /// Share of its units that are expected to be confirmed, 0 to 1.
    pub rate: f64,
    /// Expected cost of a unit with all that follows from it, in any currency.
    pub cost: f64,
    /// The size that the audit names, if it does: it stands whatever it costs.
    pub fixed: Option<u64>,
}

impl Demand {
    fn guess(&self) -> Guess {
        Guess::new(self.units, self.rate.clamp(0.0, 1.0), self.cost.max(FREE)).expect("rate and cost are in range")
    }

    /// What so many of its units cost.
    fn costs(&self, units: f64) -> f64 {
        units * self.cost.max(FREE)
    }
}

/// How a budget is spent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    /// Units of each stratum, in the order given.
    pub units: Vec<u64>,
    /// Their expected cost: at most the budget, unless the sizes that the audit names exceed it by themselves.
    pub spend: f64,
}

/// Sizes every stratum. More money never makes a stratum smaller.
#[must_use]
pub fn sizes(strata: &[Demand], budget: f64) -> Sizes {
    let size = |stratum: &Demand, most: f64| most.min(count(stratum.units));
    let fixed = strata.iter().filter_map(|stratum| Some(stratum.costs(size(stratum, count(stratum.fixed?)))));
    let room = (budget - fixed.sum::<f64>()).max(0.0);
    let free = |is_hit: bool| strata.iter().filter(move |stratum| stratum.fixed.is_none() && stratum.is_hit == is_hit);
    let (hits, others): (Vec<&Demand>, Vec<&Demand>) = (free(true).collect(), free(false).collect());
    let cost = |strata: &[&Demand], most: f64| -> f64 {
        strata.iter().map(|stratum| stratum.costs(size(stratum, most))).sum()
    };
    // Both shares rise with the money, and neither looks at what rounding leaves of the other: so do all sizes.
    let kept = (room * SHARE_FOR_LEAST).min(cost(&others, LEAST_OTHERS));
    let for_hits = (room - kept).min(cost(&hits, f64::INFINITY));
    let of_hits = split(&hits, for_hits, 0.0);
    let of_others = split(&others, room - for_hits, least_within(|least| cost(&others, least) <= kept));
    let (mut of_hits, mut of_others) = (of_hits.into_iter(), of_others.into_iter());
    let of = |stratum: &Demand| match stratum.fixed {
        Some(units) => units.min(stratum.units),
        None => if stratum.is_hit { of_hits.next() } else { of_others.next() }.unwrap_or_default(),
    };
    let units: Vec<u64> = strata.iter().map(of).collect();
    let spend = strata.iter().zip(&units).filter(|(stratum, _)| stratum.cost > 0.0);
    Sizes { spend: spend.map(|(stratum, units)| stratum.costs(count(*units))).sum(), units }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn count(units: u64) -> f64 {
    units as f64
}

/// Whole units of each stratum.
fn split(strata: &[&Demand], budget: f64, least: f64) -> Vec<u64> {
    let guesses: Vec<Guess> = strata.iter().map(|stratum| stratum.guess()).collect();
    allocate_from(&guesses, budget.max(0.0), least).expect("a budget is a number that is not negative").whole()
}

/// The most units of each stratum, up to [`LEAST_OTHERS`], that fit, to the last bit.
fn least_within(fits: impl Fn(f64) -> bool) -> f64 {
    if fits(LEAST_OTHERS) {
        return LEAST_OTHERS;
    }
    let (mut low, mut high) = (0.0, LEAST_OTHERS);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return low;
        }
        if fits(middle) { low = middle } else { high = middle }
    }
}

#[cfg(test)]
#[path = "auto_tests.rs"]
mod tests;

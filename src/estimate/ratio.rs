//! Two weighted totals compared: their ratio, their difference, the recall of the prefilter.

use std::num::NonZeroU64;

use super::gamma::{LEAST_CLUSTERS, Range, Scaled, limits, of_lower, of_upper};
use super::interval::Limits;
use super::sensitivity::{Corrected, Part};
use super::special::{beta_cdf, beta_quantile};
use super::support::Unsupported;
use super::total::Total;
use crate::model::rate::{Level, Target};

/// Larger shapes would need more terms than the beta distribution is computed with; a deviation of 3e-5 of the mean
/// already counts for nothing.
const LARGEST_SHAPE: f64 = 1e9;

/// A total of the traffic and the frame it is a total of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// What the funnel would confirm.
    pub total: Total,
    /// Units of the frame, N.
    pub frame: NonZeroU64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Counted {
    fn units(&self) -> f64 {
        self.frame.get() as f64
    }

    fn rate(&self) -> f64 {
        self.total.estimate / self.units()
    }
}

/// The ratio of two rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The first rate over the second: infinite if nothing of the second was confirmed.
    pub estimate: f64,
    /// Its limits, the upper one infinite if nothing of the second was confirmed.
    pub limits: Range,
    /// The probability of rates so different if they were equal, two-sided, 0 to 1.
    pub p: f64,
}

/// The ratio of the first rate to the second, if the gate is equally sensitive to both: the melded gamma ratio, after M.
/// P. Fay, M. A. Proschan and E. Brittain (Biometrics 71, 2015). For plain counts it is the exact conditional interval.
///
/// # Errors
///
/// [`Unsupported::NothingConfirmed`] if neither side has a confirmed unit.
pub fn ratio(first: &Counted, second: &Counted, level: Level) -> Result<Ratio, Unsupported> {
    let tail = level.alpha() / 2.0;
    let frames = second.units() / first.units();
    let (low, high) = (of_lower(&first.total), of_lower(&second.total));
    if low.is_none() && high.is_none() {
        return Err(Unsupported::NothingConfirmed);
    }
    // Of the first: its lower distribution over the other's upper one, and the other way round.
    let below = low.map(|low| Quotient::new(low, of_upper(&second.total), frames));
    let above = high.map(|high| Quotient::new(of_upper(&first.total), high, frames));
    let lower = below.as_ref().map_or(0.0, |quotient| quotient.quantile(tail));
    let upper = above.as_ref().map_or(f64::INFINITY, |quotient| quotient.quantile(1.0 - tail));
    let is_less = below.as_ref().map_or(1.0, |quotient| quotient.tails_of_one().0);
    let is_more = above.as_ref().map_or(1.0, |quotient| quotient.tails_of_one().1);
    let estimate = if high.is_some() { first.rate() / second.rate() } else { f64::INFINITY };
    Ok(Ratio { estimate, limits: Range { lower, upper: upper.max(lower) }, p: (2.0 * is_less.min(is_more)).min(1.0) })
}

/// The ratio of two gamma distributions, per unit of either frame: a beta distribution's odds.
struct Quotient {
    over: Scaled,
    under: Scaled,
    frames: f64,
}

impl Quotient {
    fn new(over: Scaled, under: Scaled, frames: f64) -> Self {
        let [over, under] = [over, under].map(|scaled| scaled.no_narrower(LARGEST_SHAPE));
        Self { over, under, frames }
    }

    fn quantile(&self, p: f64) -> f64 {
        let (a, b) = (self.over.shape, self.under.shape);
        // On the side where the beta lies near 0, odds have all their digits.
        let odds = if a > b {
            let x = beta_quantile(b, a, 1.0 - p);
            (1.0 - x) / x
        } else {
            let x = beta_quantile(a, b, p);
            x / (1.0 - x)
        };
        self.frames * (self.over.scale / self.under.scale) * odds
    }

    /// The probability that the ratio is below 1, and that it is above.
    fn tails_of_one(&self) -> (f64, f64) {
        let odds = self.under.scale / self.over.scale / self.frames;
        let (a, b) = (self.over.shape, self.under.shape);
        (beta_cdf(a, b, odds / (1.0 + odds)), beta_cdf(b, a, 1.0 / (1.0 + odds)))
    }
}

/// How many times the second group's sensitivity the first group's would have to be for the order of the two corrected
/// rates to reverse. Absent if either has no confirmed unit.
#[must_use]
pub fn order_reversal(first: &Counted, second: &Counted) -> Option<f64> {
    let is_known = first.total.estimate > 0.0 && second.total.estimate > 0.0;
    is_known.then(|| first.rate() / second.rate())
}

/// The ratio of two corrected rates of traffic, each with its own sensitivity: the distances of the logarithms of both
/// to their melded limits, added as squares (A. Donner and G. Y. Zou, Statistical Methods in Medical Research 21, 2012).
///
/// # Errors
///
/// [`Unsupported::TooFewKnown`] of a group with fewer than 20 known positives or 10 detected ones,
/// [`Unsupported::NothingConfirmed`] if either group has no confirmed unit: its logarithm is not a number.
pub fn own_sensitivity_ratio(
    (first, first_frame): (&Part, NonZeroU64),
    (second, second_frame): (&Part, NonZeroU64),
    level: Level,
) -> Result<Corrected, Unsupported> {
    let first = logs(&first.corrected(Target::Traffic, level)?, first_frame)?;
    let second = logs(&second.corrected(Target::Traffic, level)?, second_frame)?;
    let middle = first.middle - second.middle;
    let (below, above) = (first.below.hypot(second.above), first.above.hypot(second.below));
    let limits = Range { lower: (middle - below).exp(), upper: (middle + above).exp() };
    Ok(Corrected { estimate: middle.exp(), limits })
}

/// The logarithm of a rate and its distances to those of its limits.
struct Logs {
    middle: f64,
    below: f64,
    above: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn logs(corrected: &Corrected, frame: NonZeroU64) -> Result<Logs, Unsupported> {
    if corrected.estimate <= 0.0 {
        return Err(Unsupported::NothingConfirmed);
    }
    let ln = corrected.estimate.ln();
    Ok(Logs {
        middle: ln - (frame.get() as f64).ln(),
        below: ln - corrected.limits.lower.ln(),
        above: corrected.limits.upper.ln() - ln,
    })
}

/// The difference of two rates, -1 to 1, with its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The first rate minus the second.
    pub estimate: f64,
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

/// The first rate minus the second: the distances of both to their gamma limits, added as squares (G. Y. Zou and A.
/// Donner, Statistics in Medicine 27, 2008).
///
/// # Errors
///
/// [`Unsupported::TooFewClusters`] with fewer than 10 clusters with a confirmed unit in either group.
pub fn difference(first: &Counted, second: &Counted, level: Level) -> Result<Difference, Unsupported> {
    let affected = first.total.affected.min(second.total.affected);
    if affected < LEAST_CLUSTERS {
        return Err(Unsupported::TooFewClusters { affected });
    }
    let Difference { estimate, lower, upper } = unclipped_difference(first, second, level);
    // Weights can stand for more than the frame.
    let [estimate, lower, upper] = [estimate, lower, upper].map(|rate| rate.clamp(-1.0, 1.0));
    Ok(Difference { estimate, lower, upper })
}

fn unclipped_difference(first: &Counted, second: &Counted, level: Level) -> Difference {
    let distances = |counted: &Counted| {
        let Range { lower, upper } = limits(&counted.total, level);
        let estimate = counted.total.estimate;
        ((estimate - lower) / counted.units(), (upper - estimate) / counted.units())
    };
    let (first_distances, second_distances) = (distances(first), distances(second));
    let estimate = first.rate() - second.rate();
    Difference {
        estimate,
        lower: estimate - first_distances.0.hypot(second_distances.1),
        upper: estimate + first_distances.1.hypot(second_distances.0),
    }
}

/// The share of what the gate would catch that the prefilter hits, 0 to 1, with its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// The estimate.
    pub estimate: f64,
    /// Its limits.
    pub limits: Limits,
}

/// The recall of the prefilter among the positives that the gate can catch: 1 / (1 + rho), where rho is the total of the
/// units without a cue over that of the hits, by [`ratio`].
///
/// # Errors
///
/// [`Unsupported::NothingConfirmed`] if nothing was confirmed with or without a cue.
pub fn prefilter_recall(hits: &Total, others: &Total, level: Level) -> Result<Recall, Unsupported> {
    let of = |total: &Total| Counted { total: *total, frame: NonZeroU64::MIN };
    let rho = ratio(&of(others), &of(hits), level)?;
    let recall = |rho: f64| 1.0 / (1.0 + rho);
    let limits = Limits { lower: recall(rho.limits.upper), upper: recall(rho.limits.lower) };
    Ok(Recall { estimate: recall(rho.estimate), limits })
}

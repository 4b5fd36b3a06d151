//! Limits of a weighted total by the gamma distribution: M. P. Fay and E. J. Feuer (Statistics in Medicine 16, 1997),
//! with the variance of a two-phase, clustered sample.

use std::num::NonZeroU64;

use super::incomplete_gamma::Gamma;
use super::interval::Limits;
use super::support::Unsupported;
use super::total::Total;
use crate::model::rate::{Level, Target};

/// Beyond this shape a distribution is as good as a point: its deviation is 3e-8 of its mean.
const LARGEST_SHAPE: f64 = 1e15;

/// Clusters with a confirmed unit below which a rate per turn of the traffic has no limits, and below which its limits
/// deserve a warning.
pub(super) const LEAST_CLUSTERS: u64 = 10;
const PLENTY_OF_CLUSTERS: u64 = 20;

/// A lower and an upper limit of a total or of a ratio, 0 <= lower <= upper; the upper one may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

impl Range {
    /// The limits as shares of a frame of `frame` units, cut off at 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn over(self, frame: NonZeroU64) -> Limits {
        let share = |limit: f64| (limit / frame.get() as f64).min(1.0);
        Limits { lower: share(self.lower), upper: share(self.upper) }
    }

    /// The limits of a corpus in which `floor` units were found: neither of them is less.
    #[must_use]
    pub fn at_least(self, floor: f64) -> Self {
        Self { lower: self.lower.max(floor), upper: self.upper.max(floor) }
    }
}

/// A gamma distribution: `shape`, and the `scale` it is multiplied by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaled {
    pub(super) shape: f64,
    pub(super) scale: f64,
}

impl Scaled {
    /// The distribution with this mean and this variance, both positive.
    fn with(mean: f64, variance: f64) -> Self {
        let shape = (mean * (mean / variance)).min(LARGEST_SHAPE);
        Self { shape, scale: mean / shape }
    }

    /// The distribution with the same mean, and a shape of at most `largest`.
    pub(super) fn no_narrower(self, largest: f64) -> Self {
        let shape = self.shape.min(largest);
        Self { shape, scale: self.scale * (self.shape / shape) }
    }

    pub(super) fn quantile(self, p: f64) -> f64 {
        self.scale * Gamma::new(self.shape).quantile(p)
    }
}

/// The distribution of the lower limit. Absent where nothing was confirmed.
pub(super) fn of_lower(total: &Total) -> Option<Scaled> {
    (total.estimate > 0.0).then(|| Scaled::with(total.estimate, total.variance()))
}

/// The distribution of the upper limit: as if one more unit of the largest weight had been confirmed.
pub(super) fn of_upper(total: &Total) -> Scaled {
    Scaled::with(total.estimate + total.weight, total.variance() + total.weight * total.weight)
}

/// The limits of a total, in units of the frame. Where nothing was confirmed the lower one is 0 and the upper one is
/// -ln(alpha / 2) times the weight. A total without variance is its own lower limit.
#[must_use]
pub fn limits(total: &Total, level: Level) -> Range {
    let tail = level.alpha() / 2.0;
    let lower = match of_lower(total) {
        Some(_) if total.variance() <= 0.0 => total.estimate,
        Some(gamma) => gamma.quantile(tail),
        None => 0.0,
    };
    Range { lower, upper: of_upper(total).quantile(1.0 - tail).max(lower) }
}

/// How far limits per turn of the traffic can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliance {
    /// At least 20 clusters have a confirmed unit.
    Full,
    /// 10 to 19 have: to be printed with a warning.
    WithWarning,
}

/// Whether a total of turns, of the traffic, may have limits. One of conversations always may.
///
/// # Errors
///
/// [`Unsupported::TooFewClusters`] with fewer than 10 clusters with a confirmed turn.
pub const fn per_turn(total: &Total) -> Result<Reliance, Unsupported> {
    match total.affected {
        affected if affected < LEAST_CLUSTERS => Err(Unsupported::TooFewClusters { affected }),
        affected if affected < PLENTY_OF_CLUSTERS => Ok(Reliance::WithWarning),
        _ => Ok(Reliance::Full),
    }
}

/// The limits of what the funnel would confirm in the whole frame: of this corpus, or of the traffic it was drawn from.
/// Of a corpus that was graded and reviewed in full, the count itself.
#[must_use]
pub fn catchable(total: &Total, target: Target, level: Level) -> Range {
    match target {
        Target::Traffic => limits(total, level),
        Target::Corpus if total.is_census => Range { lower: total.estimate, upper: total.estimate },
        Target::Corpus => limits(&total.of_corpus(1.0), level),
    }
}

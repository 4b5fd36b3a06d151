//! The sensitivity of the gate, and the number it corrects: catchable over sensitivity.
//!
//! Assumes that the known positives are detected as readily as those of the traffic; what if they are not is the matter
//! of [`Classes`].

use super::gamma::{Range, limits, of_lower, of_upper};
use super::interval::{Limits, Share, clopper_pearson};
use super::melded::{Beta, Side, quantile};
use super::special::{beta_quantile, normal_quantile};
use super::support::Unsupported;
use super::total::Total;
use crate::model::rate::{Level, Target};

/// The fewest known positives, and the fewest detected ones, that a sensitivity rests on.
const LEAST_KNOWN: u64 = 20;
const LEAST_DETECTED: u64 = 10;

/// Known positives with a usable verdict, m, and those of them that pass the gate, c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sensitivity {
    detected: u64,
    known: u64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Sensitivity {
    /// `detected` of `known`, if that is a share.
    #[must_use]
    pub const fn new(detected: u64, known: u64) -> Option<Self> {
        if known == 0 || detected > known { None } else { Some(Self { detected, known }) }
    }

    /// Known positives that pass the gate, c.
    #[must_use]
    pub const fn detected(self) -> u64 {
        self.detected
    }

    /// Known positives, m.
    #[must_use]
    pub const fn known(self) -> u64 {
        self.known
    }

    /// Detected over known, 0 to 1.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.detected as f64 / self.known as f64
    }

    /// The limits of Clopper and Pearson.
    #[must_use]
    pub fn limits(self, level: Level) -> Limits {
        // A sensitivity is a share by construction.
        Share::new(self.detected, self.known)
            .map_or(Limits { lower: 0.0, upper: 1.0 }, |share| clopper_pearson(share, level))
    }

    /// The items of both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { detected: self.detected + other.detected, known: self.known + other.known }
    }

    /// Whether a corrected number may rest on it.
    ///
    /// # Errors
    ///
    /// [`Unsupported::TooFewKnown`] with fewer than 20 known positives or 10 detected ones.
    pub const fn usable(self) -> Result<(), Unsupported> {
        if self.known < LEAST_KNOWN || self.detected < LEAST_DETECTED {
            return Err(Unsupported::TooFewKnown { detected: self.detected, known: self.known });
        }
        Ok(())
    }

    /// Whether the gate tells positives from negatives at all, when of `negatives` graded units that are none (g - a p)
    /// it passes `false_flags` (a - a p).
    ///
    /// # Errors
    ///
    /// [`Unsupported::Uninformative`] if nothing was detected, or if the lower limit of the sensitivity is no higher than
    /// the upper limit of the share of negatives that pass.
    pub fn informative(self, false_flags: f64, negatives: f64, level: Level) -> Result<(), Unsupported> {
        let (sensitivity, false_flags) =
            (self.limits(level).lower, upper_share(false_flags, negatives, level.alpha() / 2.0));
        if self.detected == 0 || sensitivity <= false_flags {
            return Err(Unsupported::Uninformative { sensitivity, false_flags });
        }
        Ok(())
    }

    /// The limits of E. B. Wilson (Journal of the American Statistical Association 22, 1927).
    fn wilson(self, level: Level) -> Limits {
        let z = normal_quantile(1.0 - level.alpha() / 2.0);
        let (n, p) = (self.known as f64, self.rate());
        let (square, scale) = (z * z / n, 1.0 + z * z / n);
        let center = (p + square / 2.0) / scale;
        let half = z * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt() / scale;
        Limits {
            lower: if self.detected == 0 { 0.0 } else { center - half },
            upper: if self.detected == self.known { 1.0 } else { center + half },
        }
    }
}

/// Clopper and Pearson's upper limit of `k` of `n`, neither of which need be whole.
fn upper_share(k: f64, n: f64, tail: f64) -> f64 {
    if k >= n { 1.0 } else { beta_quantile(k + 1.0, n - k, 1.0 - tail) }
}

/// An estimate with its limits, in units of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corrected {
    /// The estimate.
    pub estimate: f64,
    /// Its limits.
    pub limits: Range,
}

/// Melded limits of a total over a sensitivity, in units of the frame, by D. M. Bayer, M. P. Fay and B. I. Graubard
/// (arXiv 2205.13494, 2022). The lower limit is 0 where nothing was confirmed; the upper one is infinite where nothing
/// was detected.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn melded(total: &Total, sensitivity: Sensitivity, level: Level) -> Range {
    let tail = level.alpha() / 2.0;
    let detected = sensitivity.detected as f64;
    let missed = (sensitivity.known - sensitivity.detected) as f64;
    let lower = match of_lower(total) {
        None => 0.0,
        Some(_) if total.variance() <= 0.0 && missed > 0.0 => {
            total.estimate / beta_quantile(detected + 1.0, missed, 1.0 - tail)
        }
        Some(_) if total.variance() <= 0.0 => total.estimate,
        // Beta(., 0) is the point 1.
        Some(gamma) if missed <= 0.0 => gamma.quantile(tail),
        Some(gamma) => quantile(gamma, &Beta::new(detected + 1.0, missed), Side::Lower, tail),
    };
    let upper = if detected > 0.0 {
        quantile(of_upper(total), &Beta::new(detected, missed + 1.0), Side::Upper, tail)
    } else {
        f64::INFINITY
    };
    Range { lower, upper: upper.max(lower) }
}

/// Limits of a total over a sensitivity in closed form: A. Donner and G. Y. Zou (Statistical Methods in Medical Research
/// 21, 2012) on the gamma limits of the total and Wilson's of the sensitivity. A check on [`melded`], with the same
/// edges.
#[must_use]
pub fn mover_ratio(total: &Total, sensitivity: Sensitivity, level: Level) -> Range {
    let (a, s) = (total.estimate, sensitivity.rate());
    let (over, under) = (limits(total, level), sensitivity.wilson(level));
    let root = |a_limit: f64, s_limit: f64| {
        let square = a * s * (a * s) - a_limit * s_limit * (2.0 * a - a_limit) * (2.0 * s - s_limit);
        square.max(0.0).sqrt()
    };
    // Rationalized, so that it holds where twice the sensitivity is its upper limit.
    let sum = a * s + root(over.lower, under.upper);
    let lower = if sum > 0.0 { over.lower * (2.0 * a - over.lower) / sum } else { 0.0 };
    let upper = if under.lower > 0.0 {
        (a * s + root(over.upper, under.lower)) / (under.lower * (2.0 * s - under.lower))
    } else {
        f64::INFINITY
    };
    Range { lower, upper: upper.max(lower) }
}

/// A total, for the traffic, and the sensitivity of the gate on units like those it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What the funnel would confirm.
    pub total: Total,
    /// The sensitivity that corrects it.
    pub sensitivity: Sensitivity,
}

impl Part {
    /// The total over the sensitivity, with melded limits, for the traffic or for this corpus.
    ///
    /// # Errors
    ///
    /// [`Unsupported::TooFewKnown`] with fewer than 20 known positives or 10 detected ones.
    pub fn corrected(&self, target: Target, level: Level) -> Result<Corrected, Unsupported> {
        self.sensitivity.usable()?;
        let rate = self.sensitivity.rate();
        let total = match target {
            Target::Traffic => self.total,
            Target::Corpus => self.total.of_corpus(rate),
        };
        Ok(Corrected { estimate: total.estimate / rate, limits: melded(&total, self.sensitivity, level) })
    }
}

impl Corrected {
    /// The sum of corrected totals that are independent of each other: the distances to their limits are added as
    /// squares (G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008).
    #[must_use]
    pub fn sum(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut estimate, mut below, mut above) = (0.0, 0.0_f64, 0.0_f64);
        for part in parts {
            estimate += part.estimate;
            below = below.hypot(part.estimate - part.limits.lower);
            above = above.hypot(part.limits.upper - part.estimate);
        }
        Self { estimate, limits: Range { lower: (estimate - below).max(0.0), upper: estimate + above } }
    }
}

/// Which sensitivity a corrected number uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// One for units that the prefilter hits, one for those it does not.
    ByClass,
    /// One for all: assumes equal sensitivity with and without cues.
    Single,
}

/// By class once the known positives of both classes are enough for one.
#[must_use]
pub fn basis(hits: Option<Sensitivity>, others: Option<Sensitivity>) -> Basis {
    let is_usable = |class: Option<Sensitivity>| class.is_some_and(|class| class.usable().is_ok());
    if is_usable(hits) && is_usable(others) { Basis::ByClass } else { Basis::Single }
}

/// The sum of both classes' corrected totals. Their distances to their limits are added as squares (G. Y. Zou and A.
/// Donner, Statistics in Medicine 27, 2008), with `correlation` (0 to 1, see [`Total::correlation`]) for clusters that
/// span both.
///
/// # Errors
///
/// [`Unsupported::TooFewKnown`] of a class with fewer than 20 known positives or 10 detected ones.
pub fn by_class(
    hits: &Part,
    others: &Part,
    correlation: f64,
    target: Target,
    level: Level,
) -> Result<Corrected, Unsupported> {
    let (hits, others) = (hits.corrected(target, level)?, others.corrected(target, level)?);
    let estimate = hits.estimate + others.estimate;
    let distance = |a: f64, b: f64| (a * a + b * b + 2.0 * correlation * a * b).max(0.0).sqrt();
    let below = distance(hits.estimate - hits.limits.lower, others.estimate - others.limits.lower);
    let above = distance(hits.limits.upper - hits.estimate, others.limits.upper - others.estimate);
    let limits = Range { lower: (estimate - below).max(0.0), upper: estimate + above };
    Ok(Corrected { estimate, limits })
}

/// What the gate confirms of each class and how much of each class it detects: to ask what if the part that has no cues
/// is detected less often than measured. Totals are units of the frame, sensitivities 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classes {
    /// Total of the units that the prefilter hits.
    pub hits: f64,
    /// Total of the others.
    pub others: f64,
    /// Sensitivity for the former.
    pub hits_sensitivity: f64,
    /// Sensitivity for the latter; the same if there is only one.
    pub others_sensitivity: f64,
}

impl Classes {
    /// The corrected total if the others' sensitivity were less by `lowered` (0 to 1). Absent if none would be left.
    #[must_use]
    pub fn lowered(&self, lowered: f64) -> Option<f64> {
        let left = self.others_sensitivity - lowered;
        if self.hits_sensitivity <= 0.0 || left <= 0.0 {
            return None;
        }
        Some(self.hits / self.hits_sensitivity + self.others / left)
    }

    /// The sensitivity for the others at which the corrected total would be twice what it is. Absent if there are none,
    /// for then no sensitivity is so low.
    #[must_use]
    pub fn tipping_point(&self) -> Option<f64> {
        if self.others <= 0.0 || self.hits_sensitivity <= 0.0 || self.others_sensitivity <= 0.0 {
            return None;
        }
        let hits = self.hits * (self.others_sensitivity / self.hits_sensitivity);
        Some(self.others_sensitivity * self.others / (hits + 2.0 * self.others))
    }
}

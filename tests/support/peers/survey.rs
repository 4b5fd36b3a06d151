//! What survey packages do with a stratified or weighted sample.

use assize::model::rate::Level;

use super::proportion::wilson;
use super::{Bounds, around, clipped, clopper_pearson, length, real, student_critical};

/// A stratum of `size` units of which `reviewed` were drawn at random, `hits` of them positive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampled {
    pub(crate) size: u64,
    pub(crate) reviewed: u64,
    pub(crate) hits: u64,
}

impl Sampled {
    fn rate(self) -> f64 {
        real(self.hits) / real(self.reviewed)
    }

    /// p (1 - p) / (n - 1): the variance of the rate, without a finite correction.
    fn variance(self) -> f64 {
        self.rate() * (1.0 - self.rate()) / (real(self.reviewed) - 1.0)
    }
}

fn total_size(strata: &[Sampled]) -> f64 {
    strata.iter().map(|stratum| real(stratum.size)).sum()
}

fn weighted_rate(strata: &[Sampled]) -> f64 {
    let whole = total_size(strata);
    strata.iter().map(|stratum| real(stratum.size) / whole * stratum.rate()).sum()
}

/// A mean over strata with its standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stratified {
    pub(crate) mean: f64,
    pub(crate) se: f64,
    /// Units of the population.
    pub(crate) size: f64,
    /// Reviewed units.
    pub(crate) reviewed: f64,
    /// Reviewed units less strata.
    pub(crate) df: f64,
}

/// Horvitz and Thompson (JASA 47, 1952) under stratified random sampling, with or without the finite correction.
pub(crate) fn stratified(strata: &[Sampled], with_correction: bool) -> Stratified {
    let size = total_size(strata);
    let part = |stratum: &Sampled| {
        let correction = if with_correction { 1.0 - real(stratum.reviewed) / real(stratum.size) } else { 1.0 };
        (real(stratum.size) / size).powi(2) * correction * stratum.variance()
    };
    let reviewed = strata.iter().map(|stratum| real(stratum.reviewed)).sum();
    Stratified {
        mean: weighted_rate(strata),
        se: strata.iter().map(part).sum::<f64>().sqrt(),
        size,
        reviewed,
        df: reviewed - length(strata),
    }
}

impl Stratified {
    fn is_inside(&self) -> bool {
        self.mean > 0.0 && self.mean < 1.0
    }

    /// The mean give or take Student's error.
    pub(crate) fn wald(&self, level: Level) -> Bounds {
        around(self.mean, student_critical(level, self.df) * self.se)
    }

    /// [`Self::wald`] on the log odds.
    pub(crate) fn logit(&self, level: Level) -> Bounds {
        if !self.is_inside() {
            return [f64::NAN; 2];
        }
        let odds = (self.mean / (1.0 - self.mean)).ln();
        let distance = student_critical(level, self.df) * self.se / (self.mean * (1.0 - self.mean));
        around(odds, distance).map(|odds| 1.0 / (1.0 + (-odds).exp()))
    }

    /// Korn and Graubard (Survey Methodology 24, 1998).
    pub(crate) fn korn_graubard(&self, level: Level) -> Bounds {
        korn_graubard(self.mean, self.se, self.reviewed, self.df, level)
    }
}

/// Clopper and Pearson at an effective sample size, itself corrected for the degrees of freedom of the design
/// (Korn and Graubard, Survey Methodology 24, 1998). `n` is the number of observations.
pub(crate) fn korn_graubard(mean: f64, se: f64, n: f64, df: f64, level: Level) -> Bounds {
    let ratio = student_critical(level, n - 1.0) / student_critical(level, df);
    let effective = mean * (1.0 - mean) / (se * se) * ratio * ratio;
    if !effective.is_finite() || effective <= 0.0 {
        return [f64::NAN; 2];
    }
    clopper_pearson(mean * effective, effective, level)
}

/// The limits of a weighted rate from those of its strata, by the square-and-add of Zou and Donner (Statistics in
/// Medicine 27, 2008): first with Wilson's limits, then with Clopper and Pearson's. No finite correction.
pub(crate) fn mover(strata: &[Sampled], level: Level) -> (f64, [Bounds; 2]) {
    let (whole, estimate) = (total_size(strata), weighted_rate(strata));
    let square_and_add = |limits: &dyn Fn(&Sampled) -> Bounds| {
        let mut squares = [0.0, 0.0];
        for stratum in strata {
            let weight = real(stratum.size) / whole;
            let limits = limits(stratum);
            for side in 0..2 {
                squares[side] += (weight * (stratum.rate() - limits[side])).powi(2);
            }
        }
        clipped([estimate - squares[0].sqrt(), estimate + squares[1].sqrt()])
    };
    let by_wilson = square_and_add(&|stratum| wilson(stratum.hits, stratum.reviewed, level));
    let by_beta = square_and_add(&|stratum| clopper_pearson(real(stratum.hits), real(stratum.reviewed), level));
    (estimate, [by_wilson, by_beta])
}

/// Units of one verdict among the units judged, which are themselves a random sample; some of them reviewed.
pub(crate) fn two_phase(verdicts: &[Sampled]) -> (f64, f64) {
    let judged = total_size(verdicts);
    let mean = weighted_rate(verdicts);
    let part = |verdict: &Sampled| {
        let weight = real(verdict.size) / judged;
        weight * weight * verdict.variance() * (1.0 - real(verdict.reviewed) / real(verdict.size))
    };
    let variance = verdicts.iter().map(part).sum::<f64>() + mean * (1.0 - mean) / judged;
    (mean, variance.sqrt())
}

/// Mean and total of a sample drawn with known probabilities.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighted {
    /// Hajek's mean, weights divided by their sum.
    pub(crate) mean: f64,
    pub(crate) mean_se: f64,
    /// The total of Hansen and Hurwitz (Annals of Mathematical Statistics 14, 1943).
    pub(crate) total: f64,
    pub(crate) total_se: f64,
    /// Variance over that of a simple random sample drawn with replacement.
    pub(crate) design_effect: f64,
    /// Kish's effective sample size, (sum w)^2 / sum w^2.
    pub(crate) effective: f64,
}

/// `units` holds each unit's value and inclusion probability; variances as if drawn with replacement.
pub(crate) fn weighted(units: &[(f64, f64)]) -> Weighted {
    let n = length(units);
    let sum =
        |part: &dyn Fn(f64, f64) -> f64| units.iter().map(|&(value, drawn)| part(value, 1.0 / drawn)).sum::<f64>();
    let (weights, squares) = (sum(&|_, weight| weight), sum(&|_, weight| weight * weight));
    let total = sum(&|value, weight| value * weight);
    let mean = total / weights;
    let inflate = n / (n - 1.0);
    let mean_variance = inflate * sum(&|value, weight| (weight * (value - mean) / weights).powi(2));
    let total_variance = inflate * sum(&|value, weight| (weight * value - total / n).powi(2));
    let unweighted = inflate * sum(&|value, weight| weight * (value - mean).powi(2)) / weights / n;
    Weighted {
        mean,
        mean_se: mean_variance.sqrt(),
        total,
        total_se: total_variance.sqrt(),
        design_effect: mean_variance / unweighted,
        effective: weights * weights / squares,
    }
}

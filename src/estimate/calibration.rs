//! Whether scores are probabilities, and maps that make them so.
//!
//! A map fitted on units describes those units: judge it on others. Isotonic regression follows a sample's accidents
//! where positives are few; Platt's sigmoid has two parameters only.

use std::num::NonZeroU16;

use super::interval::Share;
use super::number::{float, length};
use super::scores::{Scores, Tie};

/// How scores from 0 to 1 are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binning {
    /// Bins of equal width, closed on the right; 0 is in the first.
    EqualWidth,
    /// Bins of equal size in order of score, the first ones larger by one where the units do not divide; equal scores
    /// in the order given. At rare prevalences the better one: nearly all units share the lowest bin of equal width.
    EqualMass,
}

/// The units of one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Mean score, 0 to 1.
    pub score: f64,
    /// Positives, of all units in the bin.
    pub positives: Share,
}

/// The reliability diagram: the bins that are not empty, lowest scores first. None if a score is not from 0 to 1.
#[must_use]
pub fn reliability(scores: &Scores, binning: Binning, bins: NonZeroU16) -> Option<Vec<Bin>> {
    let mut rest = probabilities(scores)?;
    let count = usize::from(bins.get());
    let mut diagram = Vec::new();
    for bin in 0..bins.get() {
        let size = match binning {
            Binning::EqualWidth => {
                rest.partition_point(|(score, _)| (score * f64::from(bins.get())).ceil() <= f64::from(bin) + 1.0)
            }
            Binning::EqualMass => {
                scores.units().len() / count + usize::from(usize::from(bin) < scores.units().len() % count)
            }
        };
        let (within, above) = rest.split_at(size);
        let positives = within.iter().map(|(_, is_positive)| u64::from(*is_positive)).sum();
        let units = within.iter().map(|_| 1).sum();
        if let Some(positives) = Share::new(positives, units) {
            let score = within.iter().map(|(score, _)| score).sum::<f64>() / length(within.len());
            diagram.push(Bin { score, positives });
        }
        rest = above;
    }
    Some(diagram)
}

/// How far mean scores are from the shares of positives, 0 to 1 each. Both depend on the number of bins, and are above 0
/// by chance alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationError {
    /// The mean distance over units (expected calibration error).
    pub mean: f64,
    /// The largest distance (maximum calibration error).
    pub largest: f64,
}

/// The calibration errors (Naeini, Cooper and Hauskrecht, AAAI 2015). None if a score is not from 0 to 1.
#[must_use]
pub fn calibration_error(scores: &Scores, binning: Binning, bins: NonZeroU16) -> Option<CalibrationError> {
    let mut error = CalibrationError { mean: 0.0, largest: 0.0 };
    for Bin { score, positives } in reliability(scores, binning, bins)? {
        let distance = (positives.estimate() - score).abs();
        error.mean += distance * float(positives.k() + positives.rest()) / length(scores.units().len());
        error.largest = error.largest.max(distance);
    }
    Some(error)
}

/// The mean squared distance of score and truth, 0 to 1 (Brier, Monthly Weather Review 78, 1950). At rare prevalences
/// scoring everything 0 comes near 0 too. None if a score is not from 0 to 1.
#[must_use]
pub fn brier_score(scores: &Scores) -> Option<f64> {
    let error = |(score, is_positive): &(f64, bool)| (score - f64::from(u8::from(*is_positive))).powi(2);
    Some(probabilities(scores)?.iter().map(error).sum::<f64>() / length(scores.units().len()))
}

/// The mean of -ln of the probability given to what is true, in nats; a probability counts as 1e-15 at least, so that
/// one certain error is 34.5 and not infinite. None if a score is not from 0 to 1.
#[must_use]
pub fn log_loss(scores: &Scores) -> Option<f64> {
    const LEAST: f64 = 1e-15;
    let loss = |(score, is_positive): &(f64, bool)| {
        let given = if *is_positive { *score } else { 1.0 - score };
        -given.max(LEAST).ln()
    };
    Some(probabilities(scores)?.iter().map(loss).sum::<f64>() / length(scores.units().len()))
}

/// The units, if every score is from 0 to 1.
fn probabilities(scores: &Scores) -> Option<&[(f64, bool)]> {
    let units = scores.units();
    let is_within = |unit: Option<&(f64, bool)>| unit.is_some_and(|(score, _)| (0.0..=1.0).contains(score));
    (is_within(units.first()) && is_within(units.last())).then_some(units)
}

/// A non-decreasing map from scores to probabilities: straight between knots, level outside of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    knots: Vec<(f64, f64)>,
}

impl Isotonic {
    /// The non-decreasing map with the least squared error, by pooling adjacent violators (Ayer, Brunk, Ewing, Reid and
    /// Silverman, Annals of Mathematical Statistics 26, 1955); knots as scikit-learn's `IsotonicRegression` has them.
    #[must_use]
    pub fn fit(scores: &Scores) -> Self {
        let mut pools: Vec<Pool> = Vec::new();
        for Tie { score, positives, others } in scores.ties() {
            let mut pool = Pool { first: score, last: score, positives, units: positives + others };
            while let Some(before) = pools.pop_if(|before| !before.is_below(&pool)) {
                pool.first = before.first;
                pool.positives += before.positives;
                pool.units += before.units;
            }
            pools.push(pool);
        }
        let knots = pools.iter().flat_map(|pool| {
            let value = float(pool.positives) / float(pool.units);
            let last = (pool.first < pool.last).then_some((pool.last, value));
            std::iter::once((pool.first, value)).chain(last)
        });
        Self { knots: knots.collect() }
    }

    /// Where the map bends: score and probability, ascending in both.
    #[must_use]
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// The probability at `score`. None if the score is not a number.
    #[must_use]
    pub fn at(&self, score: f64) -> Option<f64> {
        if score.is_nan() {
            return None;
        }
        let above = self.knots.partition_point(|(knot, _)| *knot <= score);
        let after = self.knots.get(above);
        let before = above.checked_sub(1).and_then(|before| self.knots.get(before));
        match (before, after) {
            (Some((left, low)), Some((right, high))) => Some(low + (high - low) * ((score - left) / (right - left))),
            (Some((_, level)), None) | (None, Some((_, level))) => Some(*level),
            (None, None) => None,
        }
    }
}

/// Scores from `first` to `last` with one common share of positives.
struct Pool {
    first: f64,
    last: f64,
    positives: u64,
    units: u64,
}

impl Pool {
    /// Whether this pool's share is smaller, in whole numbers: rounding must not split a level.
    fn is_below(&self, other: &Self) -> bool {
        u128::from(self.positives) * u128::from(other.units) < u128::from(other.positives) * u128::from(self.units)
    }
}

/// A sigmoid from scores to probabilities, 1 / (1 + exp(-(slope score + intercept))).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    slope: f64,
    intercept: f64,
}

impl Platt {
    /// Platt's sigmoid ("Advances in Large Margin Classifiers", 1999): maximum likelihood with the targets
    /// (n + 1) / (n + 2) and 1 / (n + 2) instead of 1 and 0, which keep it finite; by Newton's method with backtracking
    /// (Lin, Lin and Weng, Machine Learning 68, 2007).
    ///
    /// None if all units are positive, none is, or all have the same score; also if the scores are so nearly the same that
    /// no slope can be told from rounding.
    #[must_use]
    pub fn fit(scores: &Scores) -> Option<Self> {
        let ties = scores.ties();
        let (first, last) = (ties.first()?.score, ties.last()?.score);
        if scores.positives() == 0 || scores.others() == 0 || first >= last {
            return None;
        }
        let targets = [1.0 / (float(scores.others()) + 2.0), 1.0 - 1.0 / (float(scores.positives()) + 2.0)];
        // At unit range and zero mean Newton's equations are as well conditioned as the scores allow.
        let range = last - first;
        let mean =
            scores.units().iter().map(|(score, _)| (score - first) / range).sum::<f64>() / length(scores.units().len());
        let points: Vec<Point> = ties
            .iter()
            .map(|tie| Point {
                x: (tie.score - first) / range - mean,
                units: float(tie.positives + tie.others),
                target: float(tie.others) * targets[0] + float(tie.positives) * targets[1],
            })
            .collect();
        let [intercept, slope] = newton(&points)?;
        let fitted = Self { slope: slope / range, intercept: intercept - slope * (first / range + mean) };
        (fitted.slope.is_finite() && fitted.intercept.is_finite()).then_some(fitted)
    }

    /// The factor of the score.
    #[must_use]
    pub const fn slope(&self) -> f64 {
        self.slope
    }

    /// The log-odds at score 0.
    #[must_use]
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The probability at `score`. None if the score is not a finite number.
    #[must_use]
    pub fn at(&self, score: f64) -> Option<f64> {
        score.is_finite().then(|| sigmoid(self.slope * score + self.intercept))
    }
}

/// Units with one score: how many, and the sum of their targets.
struct Point {
    x: f64,
    units: f64,
    target: f64,
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Intercept and slope of the largest likelihood.
fn newton(points: &[Point]) -> Option<[f64; 2]> {
    /// Newton's method squares the error: a handful is enough, and backtracking adds some where scores separate.
    const MAX_STEPS: u32 = 100;
    const MAX_HALVINGS: i32 = 40;
    const FLAT: f64 = 1e-4;
    let loss = |[intercept, slope]: [f64; 2]| {
        let of = |point: &Point| {
            let log_odds = intercept + slope * point.x;
            // ln(1 + exp(log_odds)) without overflow.
            point.units * (log_odds.max(0.0) + (-log_odds.abs()).exp().ln_1p()) - point.target * log_odds
        };
        points.iter().map(of).sum::<f64>()
    };
    let units: f64 = points.iter().map(|point| point.units).sum();
    let target: f64 = points.iter().map(|point| point.target).sum();
    let mut best = [(target / (units - target)).ln(), 0.0];
    let mut least = loss(best);
    for _ in 0..MAX_STEPS {
        let step = newton_step(points, best)?;
        let size = step[0].abs().max(step[1].abs());
        if size <= 1e-13 * best[0].abs().max(best[1].abs()).max(1.0) {
            return Some(best);
        }
        let mut tried = (0..MAX_HALVINGS).map(|halvings| {
            let factor = 0.5_f64.powi(halvings);
            [best[0] + factor * step[0], best[1] + factor * step[1]]
        });
        let Some(next) = tried.find(|next| loss(*next) < least) else {
            // The loss is flat to half the digits of the optimum; there the full step is better than the loss can tell.
            return (size <= FLAT).then(|| [best[0] + step[0], best[1] + step[1]]);
        };
        (best, least) = (next, loss(next));
    }
    None
}

/// Newton's step at `at`. None if the scores tell slope and intercept no longer apart.
fn newton_step(points: &[Point], [intercept, slope]: [f64; 2]) -> Option<[f64; 2]> {
    let (mut gradient, mut curvature) = ([0.0; 2], [0.0; 3]);
    for Point { x, units, target } in points {
        let probability = sigmoid(intercept + slope * x);
        let (residual, weight) = (target - units * probability, units * probability * (1.0 - probability));
        gradient = [gradient[0] + residual, gradient[1] + residual * x];
        curvature = [curvature[0] + weight, curvature[1] + weight * x, curvature[2] + weight * x * x];
    }
    let [one, x, square] = curvature;
    let determinant = one * square - x * x;
    let step =
        [(gradient[0] * square - gradient[1] * x) / determinant, (gradient[1] * one - gradient[0] * x) / determinant];
    step.iter().all(|part| part.is_finite()).then_some(step)
}

#[cfg(test)]
#[path = "calibration_tests.rs"]
mod tests;

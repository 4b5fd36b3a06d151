//! Prediction-powered inference (Angelopoulos and others, Science 382, 2023; power tuning: arXiv 2311.01453, 2023;
//! stratified: Fisch and others, arXiv 2406.04291, 2024), for a binary label y and a binary prediction f.

use assize::model::rate::Level;

use super::{Bounds, around, normal_critical, real};

/// Labelled units by label and prediction, and unlabelled ones by prediction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predicted {
    pub(crate) true_positive: u64,
    pub(crate) missed: u64,
    pub(crate) false_positive: u64,
    pub(crate) true_negative: u64,
    pub(crate) unlabelled_positive: u64,
    pub(crate) unlabelled_negative: u64,
}

/// How much the predictions count: nothing, wholly, or as much as narrows the interval most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    LabelsOnly,
    Full,
    Tuned,
}

/// A mean with its variance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Estimate {
    /// The normal interval, wherever it lies.
    pub(crate) fn limits(self, level: Level) -> Bounds {
        around(self.mean, normal_critical(level) * self.variance.sqrt())
    }
}

impl Predicted {
    fn labelled(&self) -> f64 {
        real(self.true_positive + self.missed + self.false_positive + self.true_negative)
    }

    fn unlabelled(&self) -> f64 {
        real(self.unlabelled_positive + self.unlabelled_negative)
    }

    fn label_rate(&self) -> f64 {
        real(self.true_positive + self.missed) / self.labelled()
    }

    fn prediction_rate(&self) -> f64 {
        real(self.true_positive + self.false_positive) / self.labelled()
    }

    fn unlabelled_rate(&self) -> f64 {
        real(self.unlabelled_positive) / self.unlabelled()
    }

    /// The weight of the predictions that minimises the variance, between 0 and 1. Not a number if every prediction is
    /// the same.
    fn tuned(&self) -> f64 {
        let (n, all) = (self.labelled(), self.labelled() + self.unlabelled());
        let covariance = real(self.true_positive) / n - self.label_rate() * self.prediction_rate();
        let positive = real(self.true_positive + self.false_positive + self.unlabelled_positive) / all;
        let variance = positive * (1.0 - positive) * all / (all - 1.0);
        (covariance / ((1.0 + n / self.unlabelled()) * variance)).clamp(0.0, 1.0)
    }
}

/// The mean of the labels.
pub(crate) fn mean(counts: &Predicted, power: Power) -> Estimate {
    let weight = match power {
        Power::LabelsOnly => 0.0,
        Power::Full => 1.0,
        Power::Tuned => counts.tuned(),
    };
    let (label, prediction, unlabelled) = (counts.label_rate(), counts.prediction_rate(), counts.unlabelled_rate());
    let n = counts.labelled();
    let imputed = weight * weight * unlabelled * (1.0 - unlabelled) / counts.unlabelled();
    let rectifier = label - weight * prediction;
    let squares = [
        (counts.true_positive, 1.0 - weight),
        (counts.missed, 1.0),
        (counts.false_positive, -weight),
        (counts.true_negative, 0.0),
    ];
    let spread: f64 = squares.iter().map(|&(count, value)| real(count) * (value - rectifier).powi(2)).sum();
    Estimate { mean: weight * unlabelled + rectifier, variance: imputed + spread / (n * n) }
}

/// Strata weighted by their unlabelled units.
pub(crate) fn stratified(strata: &[Predicted], power: Power) -> Estimate {
    let whole: f64 = strata.iter().map(Predicted::unlabelled).sum();
    let mut sum = Estimate { mean: 0.0, variance: 0.0 };
    for stratum in strata {
        let weight = stratum.unlabelled() / whole;
        let estimate = mean(stratum, power);
        sum.mean += weight * estimate.mean;
        sum.variance += weight * weight * estimate.variance;
    }
    sum
}

/// The share of positives by a judge's verdicts corrected for its two error rates, clipped to 0 and 1: what the package
/// judgy prints. Its interval is an unseeded bootstrap.
pub(crate) fn judgy(counts: &Predicted) -> f64 {
    let negatives = real(counts.false_positive + counts.true_negative);
    let sensitivity = real(counts.true_positive) / real(counts.true_positive + counts.missed);
    let specificity = real(counts.true_negative) / negatives;
    super::known_error::corrected_rate(counts.unlabelled_rate(), sensitivity, specificity).clamp(0.0, 1.0)
}

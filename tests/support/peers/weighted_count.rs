//! A weighted sum of counts.

use assize::estimate::special::gamma_quantile;
use assize::model::rate::Level;

use super::length;

/// The upper limit of Tiwari, Clegg and Zou (Statistical Methods in Medical Research 15, 2006): that of Fay and Feuer with
/// the mean weight, and the mean squared weight, in place of the largest. Each stratum has a weight and a count.
pub(crate) fn upper_mean_weight(strata: &[(f64, f64)], level: Level) -> f64 {
    let mean = |part: fn(f64) -> f64| strata.iter().map(|&(weight, _)| part(weight)).sum::<f64>() / length(strata);
    let estimate = strata.iter().map(|(weight, hits)| weight * hits).sum::<f64>() + mean(|weight| weight);
    let variance =
        strata.iter().map(|(weight, hits)| weight * weight * hits).sum::<f64>() + mean(|weight| weight * weight);
    variance / estimate * gamma_quantile(estimate * estimate / variance, 1.0 - level.alpha() / 2.0)
}

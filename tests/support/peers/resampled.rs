//! The cluster bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993), on resamples given by the caller.

use assize::estimate::special::{normal_cdf, normal_quantile};
use assize::model::rate::Level;

use super::clusters::{Cluster, leave_one_out, ratio};
use super::{Bounds, length, real};

/// What a set of resamples says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bootstrap {
    pub(crate) se: f64,
    pub(crate) percentile: Bounds,
    pub(crate) basic: Bounds,
    /// Bias-corrected and accelerated.
    pub(crate) corrected: Bounds,
    pub(crate) bias: f64,
    pub(crate) acceleration: f64,
}

/// Each resample lists clusters by their index.
pub(crate) fn bootstrap(clusters: &[Cluster], resamples: &[Vec<usize>], level: Level) -> Bootstrap {
    let mut values: Vec<f64> = resamples
        .iter()
        .map(|resample| ratio(&resample.iter().map(|&index| clusters[index]).collect::<Vec<_>>()))
        .collect();
    values.sort_by(f64::total_cmp);
    let estimate = ratio(clusters);
    let tail = level.alpha() / 2.0;
    let percentile = [quantile(&values, tail), quantile(&values, 1.0 - tail)];
    let bias = bias(&values, estimate);
    let acceleration = acceleration(clusters);
    let shifted = |p: f64| {
        let z = bias + normal_quantile(p);
        let moved = normal_cdf(bias + z / (1.0 - acceleration * z));
        if moved.is_nan() { f64::NAN } else { quantile(&values, moved) }
    };
    let mean = values.iter().sum::<f64>() / length(&values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Bootstrap {
        se: (squares / (length(&values) - 1.0)).sqrt(),
        percentile,
        basic: [2.0 * estimate - percentile[1], 2.0 * estimate - percentile[0]],
        corrected: [shifted(tail), shifted(1.0 - tail)],
        bias,
        acceleration,
    }
}

/// The quantile of sorted values, linear between them (type 7 of Hyndman and Fan, American Statistician 50, 1996).
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (length(sorted) - 1.0);
    let mut below = 0;
    while real(below as u64 + 1) <= place {
        below += 1;
    }
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

fn bias(values: &[f64], estimate: f64) -> f64 {
    let half = |value: &f64| match value.total_cmp(&estimate) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Greater => 0.0,
    };
    normal_quantile(values.iter().map(half).sum::<f64>() / length(values))
}

fn acceleration(clusters: &[Cluster]) -> f64 {
    let left_out = leave_one_out(clusters);
    let centre = left_out.iter().sum::<f64>() / length(&left_out);
    let power = |exponent| left_out.iter().map(|value| (centre - value).powi(exponent)).sum::<f64>();
    power(3) / (6.0 * power(2).powf(1.5))
}

//! Methods that are not in the product: the coverage bench sets them beside the defaults, and the golden checker shows
//! that they are the published methods and not straw men.
//!
//! Each does what its source does, faults included: limits below 0, intervals of no width at 0 of n. Where the source
//! divides nothing by nothing the figure is not a number here too, which the library never returns.

pub(crate) mod clusters;
pub(crate) mod known_error;
pub(crate) mod prediction;
pub(crate) mod proportion;
pub(crate) mod resampled;
pub(crate) mod survey;
pub(crate) mod two_groups;
pub(crate) mod weighted_count;

use assize::estimate::special::{beta_quantile, normal_quantile, student_quantile};
use assize::model::rate::Level;

/// A lower and an upper limit, wherever the formula puts them.
pub(crate) type Bounds = [f64; 2];

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// A length as a number.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
pub(crate) fn length<T>(items: &[T]) -> f64 {
    items.len() as f64
}

/// The two-sided critical value of the normal distribution.
pub(crate) fn normal_critical(level: Level) -> f64 {
    -normal_quantile(level.alpha() / 2.0)
}

/// The two-sided critical value of Student's distribution.
pub(crate) fn student_critical(level: Level, df: f64) -> f64 {
    if df > 0.0 { -student_quantile(level.alpha() / 2.0, df) } else { f64::NAN }
}

/// An estimate give or take a distance.
pub(crate) fn around(estimate: f64, distance: f64) -> Bounds {
    [estimate - distance, estimate + distance]
}

/// Both limits moved into 0 to 1.
pub(crate) fn clipped([lower, upper]: Bounds) -> Bounds {
    [lower.clamp(0.0, 1.0), upper.clamp(0.0, 1.0)]
}

/// The limits of Clopper and Pearson (Biometrika 26, 1934), for counts that need not be whole.
pub(crate) fn clopper_pearson(k: f64, n: f64, level: Level) -> Bounds {
    if !(k >= 0.0 && n > 0.0 && k <= n) {
        return [f64::NAN; 2];
    }
    let tail = level.alpha() / 2.0;
    let lower = if k > 0.0 { beta_quantile(k, n - k + 1.0, tail) } else { 0.0 };
    let upper = if k < n { beta_quantile(k + 1.0, n - k, 1.0 - tail) } else { 1.0 };
    [lower, upper]
}

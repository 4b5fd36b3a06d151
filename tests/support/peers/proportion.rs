//! One proportion, `k` of `n`.

use assize::estimate::interval::{self, Limits, Share};
use assize::estimate::special::beta_quantile;
use assize::model::rate::Level;

use super::{Bounds, around, clipped, normal_critical, real};

/// The library's limits of Wilson, which its reports do not use.
pub(crate) fn wilson(k: u64, n: u64, level: Level) -> Bounds {
    Share::new(k, n).map_or([f64::NAN; 2], |share| {
        let Limits { lower, upper } = interval::wilson(share, level);
        [lower, upper]
    })
}

/// Agresti and Coull (American Statistician 52, 1998), clipped to 0 and 1.
pub(crate) fn agresti_coull(k: u64, n: u64, level: Level) -> Bounds {
    let z = normal_critical(level);
    let size = real(n) + z * z;
    let rate = (real(k) + z * z / 2.0) / size;
    clipped(around(rate, z * (rate * (1.0 - rate) / size).sqrt()))
}

/// Equal tails of the posterior under the prior of Jeffreys, Beta(1/2, 1/2).
pub(crate) fn jeffreys(k: u64, n: u64, level: Level) -> Bounds {
    let tail = level.alpha() / 2.0;
    [tail, 1.0 - tail].map(|p| beta_quantile(real(k) + 0.5, real(n - k) + 0.5, p))
}

/// [`jeffreys`] with a lower limit of 0 at no event and an upper limit of 1 at nothing else (L. D. Brown and others,
/// Statistical Science 16, 2001).
pub(crate) fn jeffreys_modified(k: u64, n: u64, level: Level) -> Bounds {
    let [lower, upper] = jeffreys(k, n, level);
    [if k == 0 { 0.0 } else { lower }, if k == n { 1.0 } else { upper }]
}

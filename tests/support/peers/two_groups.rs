//! Two groups side by side.

use assize::model::rate::Level;

use super::known_error::Counted;
use super::{Bounds, around, normal_critical, real};

/// The logarithmic interval of the ratio of two rates (Katz and others, Biometrics 34, 1978), with `extra` added to every
/// count and size: 0 as published, 1/2 as adjusted. Undefined where a count is 0 and nothing is added.
pub(crate) fn katz(first: Counted, second: Counted, extra: f64, level: Level) -> Bounds {
    let [(x1, n1), (x2, n2)] = [first, second].map(|counted| (real(counted.hits) + extra, real(counted.n) + extra));
    if x1 <= 0.0 || x2 <= 0.0 {
        return [f64::NAN; 2];
    }
    let se = (1.0 / x1 - 1.0 / n1 + 1.0 / x2 - 1.0 / n2).sqrt();
    around((x1 / n1 / (x2 / n2)).ln(), normal_critical(level) * se).map(f64::exp)
}

/// The normal interval of the difference of two rates, with `extra` added to each count and twice that to each size: 0
/// for Wald's, 1 for that of Agresti and Caffo (American Statistician 54, 2000).
pub(crate) fn difference(first: Counted, second: Counted, extra: f64, level: Level) -> Bounds {
    let [(p1, n1), (p2, n2)] = [first, second].map(|counted| {
        let n = real(counted.n) + 2.0 * extra;
        ((real(counted.hits) + extra) / n, n)
    });
    around(p1 - p2, normal_critical(level) * (p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2).sqrt())
}

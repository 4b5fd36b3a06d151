//! One figure against another.

use super::figures::Expected;
use super::tolerances::Tolerance;

/// The relative error of what was found, as an error where it is too large.
pub(super) fn difference(found: Option<f64>, expected: Expected, allowed: Tolerance) -> Result<f64, f64> {
    match (found, expected) {
        (None, Expected::Undefined) => Ok(0.0),
        (None, Expected::Number(_)) | (Some(_), Expected::Undefined) => Err(f64::INFINITY),
        (Some(found), Expected::Number(expected)) if expected.is_infinite() => {
            if found.total_cmp(&expected).is_eq() {
                Ok(0.0)
            } else {
                Err(f64::INFINITY)
            }
        }
        (Some(found), Expected::Number(expected)) => {
            let (relative, is_near) = match allowed {
                Tolerance::Near { relative, absolute } => near(found, expected, relative, absolute),
                Tolerance::Ratio { absolute } => near(below_one(found), below_one(expected), 0.0, absolute),
            };
            if is_near { Ok(relative) } else { Err(relative) }
        }
    }
}

/// The relative error, 0 within the absolute tolerance, and whether it is allowed. A figure that is not a number never is.
fn near(found: f64, expected: f64, relative: f64, absolute: f64) -> (f64, bool) {
    let error = (found - expected).abs();
    if error <= absolute {
        return (0.0, true);
    }
    let share = error / expected.abs();
    if share.is_nan() { (f64::INFINITY, false) } else { (share, share <= relative) }
}

fn below_one(ratio: f64) -> f64 {
    if ratio > 1.0 { ratio.recip() } else { ratio }
}

//! Agreement between graders, people, and repeated draws of one grader.
//!
//! At rare prevalences two graders that never agree on a positive still agree on nearly everything: percent agreement
//! and Gwet's coefficients come out near 1. The figure that cannot be lifted by easy negatives is the positive
//! agreement, [`Table::agreement_on`] the positive category; print it beside every other coefficient. Nothing here
//! says who is right.

mod alpha;
mod flips;
mod gwet;
mod kappa;
mod ratings;
mod table;

pub use alpha::{Measurement, krippendorff_alpha};
pub use flips::{Flips, flips};
pub use gwet::{gwet_of_ratings, gwet_of_table};
pub use kappa::cohen_kappa;
pub use ratings::Ratings;
pub use table::{SpecificAgreement, Table};

use super::number::length;

/// A standard error below this is rounding: the coefficient of a hundred million units that do not all do the same has
/// a larger one.
const NO_SPREAD: f64 = 1e-12;

/// A chance-corrected coefficient: 1 is full agreement, 0 what chance alone would give, negative less than that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    /// The coefficient, at most 1.
    pub value: f64,
    /// Its standard error over units drawn independently. Absent for one unit.
    pub standard_error: Option<f64>,
    /// The lower limit, at most the value. Absent where the standard error is absent or 0: every unit then says the
    /// same, and an interval of no width would claim certainty.
    pub lower: Option<f64>,
    /// The upper limit, from the value to 1; absent with the lower one.
    pub upper: Option<f64>,
}

impl Coefficient {
    /// Limits `quantile` standard errors around the value, cut off at 1.
    fn new(value: f64, standard_error: Option<f64>, quantile: impl FnOnce() -> f64) -> Self {
        let margin = standard_error.filter(|error| *error > NO_SPREAD).map(|error| error * quantile());
        Self {
            value,
            standard_error,
            lower: margin.map(|margin| value - margin),
            upper: margin.map(|margin| (value + margin).min(1.0)),
        }
    }
}

/// How much two unequal categories still agree. Categories are in order, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Not at all.
    Identity,
    /// 1 - d, d the distance of their positions over the distance of the outermost two.
    Linear,
    /// 1 - d^2.
    Quadratic,
    /// 1 - C(r + 1, 2) / C(q, 2), r the distance in ranks among q categories: positions do not matter (Gwet, "Handbook
    /// of Inter-Rater Reliability", 4th edition 2014, chapter 3).
    Ordinal,
}

impl Weights {
    /// One minus the weight of each two categories at these strictly ascending positions, of which there are at least
    /// two. Disagreements, because sums of them lose no digits where almost everything agrees.
    fn disagreements(self, positions: &[f64]) -> Vec<Vec<f64>> {
        let count = positions.len();
        let range = positions[count - 1] - positions[0];
        let cell = |row: usize, column: usize| {
            let ranks = length(row.abs_diff(column));
            let distance = (positions[row] - positions[column]).abs() / range;
            match self {
                Self::Identity => f64::from(u8::from(row != column)),
                Self::Linear => distance,
                Self::Quadratic => distance * distance,
                Self::Ordinal => ranks * (ranks + 1.0) / (length(count) * (length(count) - 1.0)),
            }
        };
        (0..count).map(|row| (0..count).map(|column| cell(row, column)).collect()).collect()
    }
}

#[cfg(test)]
mod tests;

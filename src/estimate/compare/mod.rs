//! Comparing counts of two or more groups, and two gradings of the same units.
//!
//! Everything here is for plain counts: units that were not weighted, with at most one confirmed unit in a cluster.
//! What a design produces, weights and clusters, is compared by other means. Nothing is pooled: that two counts speak of
//! the same unit, grader, prompt and definition is the caller's to know.

pub mod family;
pub mod invariance;
pub mod paired;
pub mod ratio;
pub mod score;
pub mod table;
pub mod trend;
pub mod unconditional;

/// A ratio with its limits, 0 <= lower <= upper. Where a denominator may be zero, the estimate and the upper limit are
/// infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioLimits {
    /// The ratio as observed.
    pub estimate: f64,
    /// The lower limit.
    pub lower: f64,
    /// The upper limit; may be infinite.
    pub upper: f64,
}

/// A difference of two proportions with its limits, -1 <= lower <= upper <= 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DifferenceLimits {
    /// The difference as observed.
    pub estimate: f64,
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

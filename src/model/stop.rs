//! Stopping because an interval is narrow enough: the rule, and the look that it held at.

use serde::{Deserialize, Serialize};

/// How wide limits are: upper minus lower limit, over the estimate. Finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct RelativeWidth(f64);

/// A relative width that is negative or no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a relative width is a number, at least 0")]
pub struct NoWidth;

impl RelativeWidth {
    /// The width, if it is finite and not negative.
    #[must_use]
    pub fn new(width: f64) -> Option<Self> {
        (width.is_finite() && width >= 0.0).then_some(Self(width))
    }

    /// The width as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for RelativeWidth {}

impl TryFrom<f64> for RelativeWidth {
    type Error = NoWidth;

    fn try_from(width: f64) -> Result<Self, NoWidth> {
        Self::new(width).ok_or(NoWidth)
    }
}

impl From<RelativeWidth> for f64 {
    fn from(width: RelativeWidth) -> Self {
        width.0
    }
}

/// When a run closes admission because it knows enough: `[budget] stop_when`. No part of what is asked of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWhen {
    /// Once the limits of what the graders confirm in this corpus are at most so wide.
    pub relative_width: RelativeWidth,
}

/// Units of one stratum at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Looked {
    /// Units of the completed prefix.
    pub ended: u64,
    /// Those of them that the graders confirmed.
    pub confirmed: u64,
}

/// A look at the completed prefix: everything in it follows from the plan and from how the units of the prefix ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Its number, from 1: as many looks were taken.
    pub number: u64,
    /// Units of the prefix: the first ones in order of admission.
    pub units: u64,
    /// The prefix by stratum, in the order of the plan.
    pub strata: Vec<Looked>,
    /// Units of the corpus that the graders confirm, seen or not: at least so many.
    pub lower: u64,
    /// At most so many.
    pub upper: u64,
    /// How wide that is.
    pub width: RelativeWidth,
    /// The rule.
    pub rule: StopWhen,
}

impl Look {
    /// Whether a run under this rule would have stopped here as well.
    #[must_use]
    pub fn satisfies(&self, rule: StopWhen) -> bool {
        self.width <= rule.relative_width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_a_number() {
        for wrong in [f64::NAN, f64::INFINITY, -0.1] {
            assert_eq!(RelativeWidth::new(wrong), None, "{wrong}");
        }
        assert_eq!(serde_json::from_str::<RelativeWidth>("0.5").unwrap(), RelativeWidth(0.5));
        assert!(serde_json::from_str::<RelativeWidth>("-1.0").is_err());
    }
}

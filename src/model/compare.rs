//! What an audit compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `[compare]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Compare {
    /// Contrasts that were declared before anybody saw a figure.
    pub contrasts: Vec<Contrast>,
    /// The order of a field's values, first to last, such as the checkpoints of one training run.
    pub order: BTreeMap<String, Vec<String>>,
    /// What changed between the groups: no comparison is printed without it.
    pub lineage: String,
    /// Whether one sensitivity counts for all groups.
    pub pool_sensitivity: bool,
}

impl Compare {
    /// Whether the audit asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One group over another. A side names the value of one `group_by` field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contrast {
    /// The group whose rate is divided.
    pub over: String,
    /// The group that it is divided by.
    pub under: String,
}

impl Contrast {
    /// Reads `over / under`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (over, under) = text.split_once(" / ")?;
        let (over, under) = (over.trim(), under.trim());
        let is_contrast = !over.is_empty() && !under.is_empty() && over != under && !under.contains(" / ");
        is_contrast.then(|| Self { over: over.to_owned(), under: under.to_owned() })
    }
}

impl std::fmt::Display for Contrast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.over, self.under)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrasts_have_two_different_sides() {
        let contrast = Contrast::parse("rl-late / rl-early").unwrap();
        assert_eq!((contrast.over.as_str(), contrast.under.as_str()), ("rl-late", "rl-early"));
        assert_eq!(contrast.to_string(), "rl-late / rl-early");
        for wrong in ["rl-late", "rl-late/rl-early", "a / a", " / a", "a / ", "a / b / c"] {
            assert_eq!(Contrast::parse(wrong), None, "{wrong}");
        }
    }
}

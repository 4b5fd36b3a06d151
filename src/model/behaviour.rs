//! A behaviour: what is counted. Read from `prompts/<behaviour>/behaviour.toml`; nothing about it is code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A label, an exclusion, or one value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Short id, such as `M1`: what replies and definitions use.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// When it applies.
    pub description: String,
}

/// A further categorical field of the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name in replies and definitions.
    pub id: String,
    /// What it says.
    pub description: String,
    /// The values a reply may give.
    pub values: Vec<String>,
}

/// A boolean expression over stored verdict fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionText {
    /// What it counts, in a sentence.
    pub description: String,
    /// The expression over `verdict`, `score`, `labels`, `exclusions`, `fields`, `outcome` and `threshold`.
    pub expression: String,
}

/// A behaviour, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Folder name.
    pub name: String,
    /// One line: what is counted.
    pub definition: String,
    /// Default score threshold, 0 to 100, for definitions that use `threshold`.
    pub threshold: u8,
    /// What the behaviour consists of.
    pub labels: Vec<Term>,
    /// What looks like it and is not.
    #[serde(default)]
    pub exclusions: Vec<Term>,
    /// Further fields.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Definitions by name. `screen` says what the screen flags and `confirm` what a grader's confirmation is; both
    /// have defaults. One more, named like the behaviour, is usual.
    #[serde(default)]
    pub definitions: BTreeMap<String, DefinitionText>,
}

/// The definition that says which screened units are flagged.
pub const DEFINITION_SCREEN: &str = "screen";
/// The definition that says which flagged units the second grader confirms.
pub const DEFINITION_CONFIRM: &str = "confirm";

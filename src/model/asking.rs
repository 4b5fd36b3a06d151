//! How a grader is asked, beside its model and its prompt: what else shapes a verdict.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conversation::Channel;
use super::grading::Structured;
use super::repeats::Repeats;

/// The settings of one stage that shape its verdicts. Money, limits and time are no part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// Sampling parameters: the prompt's, then the audit's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Parameters of the one further attempt after a truncated reply.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub on_truncated: BTreeMap<String, Value>,
    /// What tells new weights under an old name apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// How the reply is held to the schema.
    pub structured: Structured,
    /// How much of a conversation is shown.
    pub window: Shown,
    /// Which parts of a message are shown.
    pub channels: BTreeSet<Channel>,
    /// Which units are asked about again, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
}

/// How much of a conversation a grader is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Messages on either side of the unit, beside system and task messages.
    pub neighbours: u32,
    /// Most characters of transcript.
    pub max_chars: u32,
    /// Smallest share of the wanted context that has to be visible.
    pub min_coverage: f64,
}

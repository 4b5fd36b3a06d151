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
    /// The name of what was added to the prompt on purpose, in a check whether verdicts move with it: no run has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framing: Option<String>,
}

/// How much of a conversation a grader is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Messages on either side of the unit, beside system and task messages.
    pub neighbours: u32,
    /// Most characters of transcript, where that is the measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u32>,
    /// Most tokens of transcript, by our estimate, where that is the measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Smallest share of the wanted context that has to be visible.
    pub min_coverage: f64,
    /// What becomes of a turn that alone has no room.
    #[serde(default, skip_serializing_if = "OverLong::is_cut")]
    pub over_long: OverLong,
}

/// What becomes of a turn that alone does not fit into the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLong {
    /// Its middle is left out, visibly; below `min_coverage` or half of it, it is not asked about.
    #[default]
    Cut,
    /// It is read in chunks, all of which are asked about: the behaviour is there if any chunk shows it.
    Chunk,
}

impl OverLong {
    /// The name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Chunk => "chunk",
        }
    }

    /// Whether it is the default.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        matches!(self, Self::Cut)
    }
}

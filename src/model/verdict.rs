//! What a reply says about a unit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::conversation::Channel;

/// A grader's conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The behaviour occurs.
    Present,
    /// It may occur; an innocent reading is as good.
    Suspected,
    /// It does not occur.
    Absent,
    /// The grader could not see enough to say.
    CannotJudge,
}

impl Judgement {
    /// All values, in the order of the reply schema.
    pub const ALL: [Self; 4] = [Self::Present, Self::Suspected, Self::Absent, Self::CannotJudge];

    /// The name in replies, files and definitions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Suspected => "suspected",
            Self::Absent => "absent",
            Self::CannotJudge => "cannot_judge",
        }
    }
}

/// The countable part of a verdict: everything that definitions are evaluated over, and no text of the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// The conclusion.
    pub verdict: Judgement,
    /// 0 (certainly absent) to 100 (certainly present).
    pub score: u8,
    /// Ids of the behaviour's labels that apply.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// Ids of the behaviour's exclusions that apply.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclusions: BTreeSet<String>,
    /// Values of the behaviour's further fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// A quote that a grader cites, and whether our code found it where the grader says it stands.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The message id.
    pub message: u32,
    /// The channel of that message.
    pub channel: Channel,
    /// The quoted text.
    pub quote: String,
    /// How the quote was found in the cited message, if it was.
    pub check: QuoteCheck,
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence(#{} {}, {} bytes, {:?})", self.message, self.channel.as_str(), self.quote.len(), self.check)
    }
}

/// How a cited quote relates to the message it cites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteCheck {
    /// Found byte by byte.
    Exact,
    /// Found after white space and Unicode were normalised.
    Normalised,
    /// Found in the cited message, but in another channel than cited.
    OtherChannel,
    /// Not found, or the cited message was not shown to the grader.
    NotFound,
}

impl QuoteCheck {
    /// Whether the quote stands in the cited message.
    #[must_use]
    pub const fn is_verified(self) -> bool {
        match self {
            Self::Exact | Self::Normalised | Self::OtherChannel => true,
            Self::NotFound => false,
        }
    }
}

/// A whole verdict: the finding and the text that supports it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The countable part.
    pub finding: Finding,
    /// Quotes, verified against the transcript.
    pub evidence: Vec<Evidence>,
    /// The strongest innocent reading, in the grader's words.
    pub innocent_reading: String,
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verdict({:?}, {:?})", self.finding, self.evidence)
    }
}

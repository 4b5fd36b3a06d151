//! Verdicts that were made elsewhere: what a plan and a report say of the file that they stand in.

use serde::{Deserialize, Serialize};

use super::grading::PromptLabel;
use super::hash::Digest;

/// What a recorded verdict of "present" rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidencePolicy {
    /// On a quote that stands in the unit, as with any grader.
    Verified,
    /// On the word of whoever recorded it: nothing is looked up.
    Trusted,
}

impl EvidencePolicy {
    /// The name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Trusted => "trusted",
        }
    }
}

/// A grader that is a file of verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The file, as the audit names it.
    pub file: String,
    /// BLAKE3 of its bytes, as they are stored.
    pub digest: Digest,
    /// Digest of how it is read: columns, values, scale of scores, evidence.
    pub reading: Digest,
    /// What its verdicts of "present" rest on.
    pub evidence: EvidencePolicy,
    /// Whether it states scores. Where it does not, a score only repeats the verdict: 100, 50 or 0.
    pub has_scores: bool,
    /// What became of its lines.
    pub lines: RecordedLines,
}

/// What became of the lines of a file of verdicts: each is in exactly one figure but the first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordedLines {
    /// All of them.
    pub read: u64,
    /// Lines with a verdict, or a reason for none, about a unit of the sample or a known positive.
    pub used: u64,
    /// Lines about such a unit that say nothing: an empty or absent verdict.
    pub empty: u64,
    /// Lines that say once more what an earlier one has said.
    pub repeated: u64,
    /// Lines about anything else.
    pub elsewhere: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
    /// The first of those, as `file:line: reason`.
    pub examples: Vec<String>,
}

/// Where the verdicts of a stage come from, in words: a prompt, or a file.
#[must_use]
pub fn given_by(prompt: Option<&PromptLabel>, hash: Option<&Digest>, recorded: Option<&Recorded>) -> String {
    let short = |digest: Option<&Digest>| digest.map(|digest| format!(" ({})", digest.short())).unwrap_or_default();
    match (recorded, prompt) {
        (Some(recorded), _) => {
            format!("verdicts recorded elsewhere in `{}`{}", recorded.file, short(Some(&recorded.digest)))
        }
        (None, Some(prompt)) => format!("{prompt}{}", short(hash)),
        (None, None) => "no prompt".to_owned(),
    }
}

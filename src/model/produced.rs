//! What a prompt version has given so far.

use serde::Serialize;

use super::grading::PromptLabel;
use super::hash::Digest;

/// A prompt version: label and content.
pub type Version = (PromptLabel, Digest);

/// What one prompt version produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Produced {
    /// Runs with a verdict by it.
    pub runs: u64,
    /// Verdicts, over all runs: units with a reply to this prompt.
    pub verdicts: u64,
    /// Distinct replies behind these verdicts.
    pub replies: u64,
}

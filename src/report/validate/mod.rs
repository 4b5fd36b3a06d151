//! A prompt against labelled units: how often it is right, where it is wrong, and what its score is worth.
//!
//! [`Validation`] holds every figure; the table prints it. Counts are of labelled units that were graded. What was not
//! labelled is unknown and in no figure; what was not graded is counted apart, by its reason.

mod build;
mod curve;
mod stage;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::json::GroupFields;
use crate::model::grading::{PromptLabel, Stage};
use crate::model::hash::Digest;
use crate::model::recorded::{Recorded, given_by};
use crate::model::unit::UnitKind;

pub use build::Validated;
pub use curve::{CurvePoint, ReliabilityBin, ScoreFigures};
pub use stage::{Interval, ShareFigure, StageFigures, Subset};

/// The version of [`Validation`] that this build writes.
pub const VALIDATION_SCHEMA: u32 = 1;

/// A prompt against labelled units. Build it with [`Validation::new`].
#[derive(Debug, Serialize)]
pub struct Validation {
    /// [`VALIDATION_SCHEMA`].
    pub schema: u32,
    /// The run whose verdicts these are.
    pub run: String,
    /// Its audit.
    pub audit: String,
    /// What was graded.
    pub unit: UnitKind,
    /// The behaviour.
    pub behaviour: String,
    /// The definition that the audit counts.
    pub definition: String,
    /// Confidence level of the limits.
    pub level: f64,
    /// Whether any grader is the simulated one.
    pub simulated: bool,
    /// That a grader's prompt is a draft: nothing here is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// The graders of the run.
    pub graders: Vec<GraderRow>,
    /// What was known.
    pub labels: LabelsRow,
    /// Looks at the sealed test split, this one included.
    pub looks: LooksRow,
    /// The screen and, where there is a second grader, what comes through both.
    pub stages: Vec<StageFigures>,
    /// What the score of the screen is worth; null without a score of both a positive and a negative.
    pub scores: Option<ScoreFigures>,
    /// Why there is none.
    pub scores_reason: Option<&'static str>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One grader of the run.
#[derive(Debug, Serialize)]
pub struct GraderRow {
    /// The stage.
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// Models served, as the server says.
    pub models_served: BTreeSet<String>,
    /// The prompt's label; null where nobody was asked.
    pub prompt: Option<PromptLabel>,
    /// The digest of the prompt.
    pub prompt_hash: Option<Digest>,
    /// The file that its verdicts are recorded in, where they were made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// Whether it is the simulated one.
    pub simulated: bool,
}

impl GraderRow {
    /// Where its verdicts come from, in words.
    #[must_use]
    pub fn given_by(&self) -> String {
        given_by(self.prompt.as_ref(), self.prompt_hash.as_ref(), self.recorded.as_ref())
    }
}

/// What was known. Every labelled unit is in one of `yes`, `no`, `undecided` and `disputed`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LabelsRow {
    /// The file, as it was named.
    pub file: String,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Whether it is the sealed test split.
    pub is_test: bool,
    /// Labelled units.
    pub units: u64,
    /// Those that show the behaviour.
    pub yes: u64,
    /// Those that do not.
    pub no: u64,
    /// Those that whoever read them cannot decide.
    pub undecided: u64,
    /// Those that people contradict each other about.
    pub disputed: u64,
    /// Lines about another behaviour or definition, or composed for a rehearsal that this is not.
    pub foreign_lines: u64,
    /// Lines that cannot be read.
    pub malformed_lines: u64,
    /// The first of these as `file:line: reason`.
    pub examples: Vec<String>,
}

/// How often the sealed test split was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LooksRow {
    /// Looks, this one included if it is one.
    pub total: u64,
    /// Those of them at verdicts of the same prompts.
    pub same_prompts: u64,
}

/// Labelled units without a decision on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApartRow {
    /// What is known of them.
    pub truth: &'static str,
    /// Why they are in no figure.
    pub reason: &'static str,
    /// How many.
    pub units: u64,
}

/// A part of the labelled units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubsetName {
    /// Of one group.
    Group(GroupFields),
    /// Known to show one of the behaviour's labels.
    Label(String),
    /// Known to fall under one of its exclusions.
    Exclusion(String),
}

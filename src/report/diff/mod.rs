//! Two gradings of the same units: what flipped, how far they agree, what each cost, and what a flip can be due to.
//!
//! [`Diff`] holds every figure; the table and the page print it. Counts are of graded units and are not weighted: they
//! speak of these units, and are no prevalence. Verdicts and quotes are text from outside, escaped where they are shown;
//! for the same reason nothing that holds them can be printed for debugging.

mod build;
mod changed;
mod figures;
mod flip_page;
mod page;
mod passage;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::json::GroupFields;
use crate::model::asking::Asking;
use crate::model::grading::{PromptLabel, Stage};
use crate::model::hash::Digest;
use crate::model::outcome::OutcomeKind;
use crate::model::recorded::{Recorded, given_by};
use crate::model::unit::UnitKind;
use crate::model::verdict::{Evidence, Judgement};

pub use build::{Paired, SideTally};
pub use figures::{Agreement, ClusterTest, Figure};
pub use passage::{Passage, passages};
pub(super) use table::conclusion;

/// The version of [`Diff`] that this build writes.
pub const DIFF_SCHEMA: u32 = 1;

/// Two gradings, compared. Build it with [`Diff::new`].
#[derive(Serialize)]
pub struct Diff {
    /// [`DIFF_SCHEMA`].
    pub schema: u32,
    /// What was graded.
    pub unit: UnitKind,
    /// The behaviour.
    pub behaviour: String,
    /// Confidence level of the limits.
    pub level: f64,
    /// Whether any grader is the simulated one.
    pub simulated: bool,
    /// That a grader's prompt is a draft: nothing here is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// The first side.
    pub a: SideRow,
    /// The second side.
    pub b: SideRow,
    /// What differs between them, as far as it shapes verdicts.
    pub changed: Vec<Changed>,
    /// The screen and, where both sides have a second grader, what comes through both.
    pub stages: Vec<StageRow>,
    /// Every unit that flipped.
    pub flips: Vec<FlipRow>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One side.
#[derive(Serialize)]
pub struct SideRow {
    /// The run.
    pub run: String,
    /// The audit.
    pub audit: String,
    /// The definition that was asked for with the run, if one was.
    pub named: Option<String>,
    /// The definition that its audit counts, or the one that was asked for.
    pub definition: String,
    /// Whether the run did all it set out to do.
    pub complete: bool,
    /// Version of the parser that derived the verdicts.
    pub parser: Option<u32>,
    /// Its graders.
    pub graders: Vec<GraderRow>,
    /// What it cost.
    pub cost: Cost,
}

/// One grader of a side.
#[derive(Serialize)]
pub struct GraderRow {
    /// The stage.
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// Models served, as the server says.
    pub models_served: BTreeSet<String>,
    /// The endpoint's name.
    pub endpoint: String,
    /// The prompt's label; null where nobody was asked.
    pub prompt: Option<PromptLabel>,
    /// The digest of the prompt.
    pub prompt_hash: Option<Digest>,
    /// The file that its verdicts are recorded in, where they were made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// Parameters, window and form of output; null in older journals.
    pub asking: Option<Asking>,
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

/// What a side cost.
#[derive(Serialize, Clone, Copy)]
pub struct Cost {
    /// Spent in the run, in US dollars.
    pub usd: f64,
    /// Requests that the run sent.
    pub sent: u64,
    /// Verdicts that it derived from replies that were there before.
    pub replayed: u64,
    /// What all replies behind its verdicts cost, whoever asked for them and whenever.
    pub replies: Replies,
}

/// Replies behind the verdicts of a side.
#[derive(Debug, Serialize, Clone, Copy, PartialEq, Default)]
pub struct Replies {
    /// How many.
    pub count: u64,
    /// Those that are no longer stored: they are in no other figure.
    pub missing: u64,
    /// What they were paid at, in US dollars.
    pub usd: f64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Of these, from the provider's prompt cache.
    pub cached_tokens: u64,
    /// Completion tokens, reasoning included.
    pub completion_tokens: u64,
}

/// One thing that differs.
#[derive(Debug, Serialize, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What, such as `screen prompt`.
    pub what: String,
    /// On the first side.
    pub a: String,
    /// On the second side.
    pub b: String,
}

/// One stage, compared.
#[derive(Debug, Serialize)]
pub struct StageRow {
    /// The stage. `confirm` speaks of what comes through both graders: what the screen cleared counts as not confirmed.
    pub stage: Stage,
    /// Units that either run admitted: the sum of all counts below.
    pub units: u64,
    /// Units that both sides decided: `both + lost + gained + neither`.
    pub decided_by_both: u64,
    /// Yes on both sides.
    pub both: u64,
    /// Yes on side A only.
    pub lost: u64,
    /// Yes on side B only.
    pub gained: u64,
    /// No on both sides.
    pub neither: u64,
    /// Units that at least one side did not decide, by how they stand on each.
    pub apart: Vec<ApartRow>,
    /// Units whose text is another in the second run.
    pub other_text: u64,
    /// The exact two-sided p-value of McNemar's test.
    pub exact_p: Option<f64>,
    /// The mid-p-value.
    pub mid_p: Option<f64>,
    /// Why there is neither a test nor an agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same test over clusters: units of one conversation, and copies of one text, are not independent.
    pub by_cluster: ClusterTest,
    /// How far the sides agree; null without a unit.
    pub agreement: Option<Agreement>,
    /// Counts by class and group.
    pub strata: Vec<StratumCross>,
}

/// Units that at least one side did not decide.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct ApartRow {
    /// How they stand in run A: `yes`, `no`, `not_admitted`, `unfinished`, or the outcome without a verdict.
    pub a: &'static str,
    /// How they stand in run B.
    pub b: &'static str,
    /// How many.
    pub units: u64,
}

/// One stratum of a stage.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `StageRow`")]
pub struct StratumCross {
    pub class: String,
    pub group: GroupFields,
    pub both: u64,
    pub lost: u64,
    pub gained: u64,
    pub neither: u64,
}

/// One unit that flipped.
#[derive(Serialize)]
pub struct FlipRow {
    /// Its address.
    pub unit: String,
    /// Its group.
    pub group: GroupFields,
    /// Its prefilter class in run A.
    pub class: String,
    /// Which way it flipped at the screen: `gained` or `lost`.
    pub screen: Option<&'static str>,
    /// Which way it flipped after both graders.
    pub confirm: Option<&'static str>,
    /// What side A says, by stage.
    pub a: Vec<VerdictRow>,
    /// What side B says, by stage.
    pub b: Vec<VerdictRow>,
    /// Its text, as far as the page shows it; empty where the copy of the conversation is gone.
    #[serde(skip)]
    pub passages: Vec<Passage>,
}

/// What one side says about a unit at one stage.
#[derive(Serialize)]
pub struct VerdictRow {
    /// The stage.
    pub stage: Stage,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// The conclusion.
    pub verdict: Option<Judgement>,
    /// The score.
    pub score: Option<u8>,
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Exclusions.
    pub exclusions: BTreeSet<String>,
    /// Fields.
    pub fields: BTreeMap<String, String>,
    /// Quotes, each checked against the transcript.
    pub evidence: Vec<Evidence>,
    /// The strongest innocent reading.
    pub innocent_reading: Option<String>,
    /// Why there are no quotes, where the reply or the conversation is gone.
    pub unavailable: Option<&'static str>,
}

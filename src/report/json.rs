//! `report.json`, schema 1: every figure of a report, in one order.
//!
//! A figure that cannot be computed is null, with its reason in a field beside it, never 0.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use super::context::{ChunkRow, ContextRow, SeenRow};
pub use super::drift::DriftRow;
pub use super::known::{SensitivityCount, SensitivityRow};
pub use super::people::PeopleErrRow;
pub use super::repeats::{FlipRateRow, RepeatRow, StageRepeats};
use crate::model::comparison::Comparisons;
use crate::model::event::StopReason;
use crate::model::grading::{PromptLabel, Stage};
use crate::model::hash::Digest;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::{Bracket, Decider, Lowered, Method, RateName, Target};
use crate::model::recorded::Recorded;
use crate::model::review::Route;
use crate::model::unit::UnitKind;

/// The version of [`Report`] that this build writes.
pub const REPORT_SCHEMA: u32 = 1;

/// A group as field names and values; empty for all groups together.
pub type GroupFields = BTreeMap<String, String>;

/// A whole report. Build it with [`Report::new`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema: u32,
    /// BLAKE3 over everything but itself, run id, sessions, requests, spend, context and warnings; see [`Report::digest`].
    pub digest: Digest,
    /// The audit's name.
    pub audit: String,
    /// The run's id.
    pub run: Option<String>,
    /// Whether the run did all it set out to do.
    pub complete: bool,
    /// Whether any grader is the simulated one: then no figure speaks of a real model.
    pub simulated: bool,
    /// That a grader's prompt is a draft, which may change at any time: nothing below is for publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// What was graded.
    pub unit: UnitKind,
    /// The behaviour counted.
    pub behaviour: String,
    /// The definition counted.
    pub definition: String,
    /// What the figures depend on.
    pub design: Design,
    /// What was read.
    pub corpus: CorpusRow,
    /// Graders, in order of stages.
    pub graders: Vec<Grader>,
    /// Where all units ended.
    pub funnel: Funnel,
    /// Where the units of each stratum ended.
    pub strata: Vec<StratumRow>,
    /// Requests, over all sessions.
    pub requests: RequestCount,
    /// Money and tokens, over all sessions.
    pub spend: SpendCount,
    /// Rates: four rungs, per turn and per conversation, for all and for each group, for corpus and traffic.
    pub rates: Vec<RateRow>,
    /// The share of what the gate would catch that the prefilter hits, for all and for each group.
    #[serde(default)]
    pub prefilter_recall: Vec<RecallRow>,
    /// Comparisons of groups.
    pub comparisons: Comparisons,
    /// What people were to read, and how far they are, by class, group and route.
    #[serde(default)]
    pub review: Vec<ReviewRow>,
    /// What the gate does to known positives; absent where the workspace has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<SensitivityCount>,
    /// How often people err; absent where no person has decided about anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people_err: Option<PeopleErrRow>,
    /// What graders were asked more than once, by stage; absent where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<StageRepeats>,
    /// How far the graders can be believed.
    pub grader_health: GraderHealth,
    /// What each grader was shown of the units; in no rate, and not in the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<ContextRow>,
    /// People's decisions.
    pub labels: LabelCount,
    /// Confirmed units by name.
    pub confirmed_units: Vec<ConfirmedRow>,
    /// How the run went.
    pub sessions: SessionCount,
    /// What a reader should know, and what to do about it.
    pub warnings: Vec<String>,
}

/// What the figures depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Fields that form the groups, in order.
    pub group_by: Vec<String>,
    /// What was drawn: single turns, where it is absent, or whole conversations.
    #[serde(default, skip_serializing_if = "UnitKind::is_turn")]
    pub sample_by: UnitKind,
    /// The metadata field whose values are the clusters; conversations are where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_by: Option<String>,
    /// Seed of every draw.
    pub seed: u64,
    /// Number of the draw.
    pub draw: u32,
    /// Confidence level.
    pub level: f64,
    /// Digest of the behaviour.
    pub behaviour_hash: Digest,
    /// Digest of the cues.
    pub cues_hash: Digest,
    /// Digest of the census.
    pub census: Digest,
    /// Version of the parser that derived the verdicts; null if there are none.
    pub parser: Option<u32>,
    /// Largest share of admitted units without a usable verdict that still counts as complete.
    pub max_ungraded: f64,
}

/// See [`crate::model::event::CorpusCount`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `CorpusCount`")]
pub struct CorpusRow {
    pub files: u64,
    pub bytes: u64,
    pub records: u64,
    pub conversations: u64,
    pub turns: u64,
    pub turns_with_reasoning: u64,
    pub groups: Vec<GroupRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_with_cluster: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_without_turn: Option<u64>,
    pub duplicates: u64,
    pub filtered_out: u64,
    pub unreadable: BTreeMap<String, u64>,
    pub examples: Vec<String>,
}

/// One group of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The group.
    pub group: GroupFields,
    /// Its conversations.
    pub conversations: u64,
}

/// One grader, and how the units that reached it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grader {
    /// The stage.
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// The models that servers say they served.
    pub models_served: BTreeSet<String>,
    /// What each of them said, where there are several: verdicts of two models are not pooled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_model: Vec<ModelRow>,
    /// The prompt; null where nobody was asked, for which `recorded` is the reason.
    pub prompt: Option<PromptLabel>,
    /// The digest of its content.
    pub prompt_hash: Option<Digest>,
    /// The file that its verdicts are recorded in, where they were made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// Whether this is the simulated grader.
    pub simulated: bool,
    /// Units that reached it.
    pub reached: u64,
    /// Units by outcome; with `unfinished`, all that reached it.
    pub outcomes: BTreeMap<OutcomeKind, u64>,
    /// Units that have not ended here.
    pub unfinished: u64,
}

/// What one served model said at one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRow {
    /// The model, as the server names it.
    pub model: String,
    /// Units by outcome.
    pub outcomes: BTreeMap<OutcomeKind, u64>,
    /// Units for which the stage's definition holds: flagged at the screen, upheld at the confirmer.
    pub holds: u64,
}

/// Where units ended. Each indented line is a part of the one above, and the parts sum to it:
///
/// ```text
/// units = not_planned + planned
///   planned = not_admitted + admitted
///     admitted = unfinished + ungraded + cleared + flagged
///       flagged = pending + disputed + rejected + confirmed
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Funnel {
    /// Turns of the corpus.
    pub turns: u64,
    /// Conversations of the corpus.
    pub conversations: u64,
    /// Units of the corpus.
    pub units: u64,
    /// Units by prefilter class; they sum to `units`.
    pub by_class: BTreeMap<String, u64>,
    /// Units that the draw did not select.
    pub not_planned: u64,
    /// Units that it selected.
    pub planned: u64,
    /// Selected units that admission closed before, or within the conversation of.
    pub not_admitted: u64,
    /// The ones that were admitted all the same, before admission closed within their conversation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub set_back: u64,
    /// Units admitted.
    pub admitted: u64,
    /// Admitted units whose screen has not ended.
    pub unfinished: u64,
    /// Units whose screen ended without a usable verdict.
    pub ungraded: u64,
    /// Admitted units by how their screen ended; with `unfinished` they sum to `admitted`.
    pub outcomes: BTreeMap<OutcomeKind, u64>,
    /// Units that the screen does not flag.
    pub cleared: u64,
    /// Units that it flags.
    pub flagged: u64,
    /// Flagged units that nobody decided about.
    pub pending: u64,
    /// Flagged units that people contradict each other about.
    pub disputed: u64,
    /// Flagged units turned down.
    pub rejected: u64,
    /// The same, by who did it.
    pub rejected_by: BTreeMap<Decider, u64>,
    /// The same, by the id of the exclusion given as the reason; `none` without one.
    pub rejected_codes: BTreeMap<String, u64>,
    /// Flagged units upheld, by anyone.
    pub confirmed: u64,
    /// The same, by who did it.
    pub confirmed_by: BTreeMap<Decider, u64>,
    /// Conversations of all strata, where whole conversations were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn_conversations: Option<ConversationRow>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// See [`crate::model::tally::ConversationTally`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the tally")]
pub struct ConversationRow {
    pub frame: u64,
    pub planned: u64,
    pub admitted: u64,
    pub usable: u64,
    pub flagged: u64,
}

/// Where the units of one stratum ended; the fields are those of [`Funnel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Funnel`, one stratum each")]
pub struct StratumRow {
    pub class: String,
    pub group: GroupFields,
    pub units: u64,
    pub planned: u64,
    pub admitted: u64,
    pub unfinished: u64,
    pub ungraded: u64,
    pub cleared: u64,
    pub flagged: u64,
    pub pending: u64,
    pub disputed: u64,
    pub rejected: u64,
    pub confirmed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn_conversations: Option<ConversationRow>,
}

/// See [`crate::model::tally::Requests`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the tally")]
pub struct RequestCount {
    pub sent: u64,
    pub replayed: u64,
    pub repeated: u64,
    pub retried: u64,
}

/// Money in dollars, and tokens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SpendCount {
    /// All that counts against the cap.
    pub usd: f64,
    /// The cap.
    pub cap_usd: Option<f64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_usd_reason: Option<String>,
    /// `usd` and what other runs of the audit spent: what the cap is compared with.
    #[serde(default)]
    pub audit_usd: f64,
    /// The whole workspace, where it has a cap of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceSpend>,
    /// The part of `usd` that nobody knows to be billed: slack, unspent because presumed spent.
    pub presumed_usd: f64,
    /// Prompt tokens billed, cached ones included.
    pub prompt_tokens: u64,
    /// Prompt tokens that providers served from their prompt caches.
    pub cached_tokens: u64,
    /// Completion tokens billed, reasoning included.
    pub completion_tokens: u64,
    /// Completion tokens that were reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
}

/// What all audits of a workspace spent under their common cap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceSpend {
    /// All that counts against the cap.
    pub usd: f64,
    /// The cap.
    pub cap_usd: f64,
    /// Whether it leaves less room than the audit's own cap.
    pub binds: bool,
}

impl SpendCount {
    /// Whether the workspace's cap leaves less room than the audit's own.
    #[must_use]
    pub fn is_bound_by_workspace(&self) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| workspace.binds)
    }
}

/// See [`crate::model::rate::Rate`]. Figures have ten significant digits, so that equal counts give equal reports on
/// every platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Rate`")]
pub struct RateRow {
    pub name: RateName,
    pub unit: UnitKind,
    pub group: GroupFields,
    pub target: Target,
    pub decided_by: Option<Decider>,
    pub definition: String,
    pub k: Option<u64>,
    pub n: Option<u64>,
    pub estimate: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub level: Option<f64>,
    pub method: Option<Method>,
    /// What must be so for the rate to mean what its name says.
    #[serde(default)]
    pub assumes: String,
    #[serde(default)]
    pub clusters: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bracket: Option<Bracket>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<Lowered>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tipping_point: Option<f64>,
    pub reason: Option<String>,
    /// Units of the exposure that truly show the behaviour, where the corpus is simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<u64>,
}

/// See [`crate::estimate::Recall`]. Shares, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Recall`")]
pub struct RecallRow {
    pub group: GroupFields,
    pub estimate: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub reason: Option<String>,
}

/// See [`crate::model::review::CellTally`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the tally")]
pub struct ReviewRow {
    pub class: String,
    pub group: GroupFields,
    pub route: Route,
    pub units: u64,
    pub drawn: u64,
    pub read: u64,
    pub confirmed: u64,
    pub undecided: u64,
    pub hand_picked: u64,
}

/// How far the graders can be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraderHealth {
    /// Admitted units without a usable verdict, over admitted units.
    pub ungraded_share: Option<f64>,
    /// Why it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungraded_share_reason: Option<String>,
    /// Screened units of which the grader saw a cut context, over screened units.
    pub cut_share: Option<f64>,
    /// Why it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_share_reason: Option<String>,
    /// Admitted units whose text imitates delimiters or addresses a grader.
    pub injection_suspected: u64,
    /// How often the screen contradicts itself about units that it clears, of those that were asked about again at random.
    pub flip_rate: Option<FlipRateRow>,
    /// Why it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flip_rate_reason: Option<String>,
    /// Whether the grader changed since its baseline was drawn.
    pub drift: Option<DriftRow>,
    /// Why it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_reason: Option<String>,
    /// Agreement of grader and people: null.
    pub agreement: (),
    /// Why.
    pub agreement_reason: String,
}

/// See [`crate::model::tally::LabelTally`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the tally")]
pub struct LabelCount {
    pub decided: u64,
    pub beyond_flagged: u64,
    pub unmatched: u64,
    pub ambiguous: u64,
    pub foreign: u64,
    pub malformed: u64,
    pub examples: Vec<String>,
}

/// One confirmed unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedRow {
    /// Its address: `conversation-id#index`.
    pub unit: String,
    /// Its group.
    pub group: GroupFields,
    /// Its prefilter class.
    pub class: String,
    /// Who upheld it.
    pub by: Decider,
}

/// How the run went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionCount {
    /// Processes that worked on it.
    pub count: u64,
    /// When the first began: Unix time in milliseconds.
    pub started_ms: Option<u64>,
    /// When the last ended in order: Unix time in milliseconds.
    pub ended_ms: Option<u64>,
    /// Why the last ended; null if it still runs or was killed.
    pub stop: Option<StopReason>,
    /// Version of assize of the last.
    pub version: Option<String>,
    /// Digest of everything that decides what was asked of whom; null only in a blank.
    pub identity: Option<Digest>,
}

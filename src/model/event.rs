//! What happens in a run: the one stream that the journal stores, progress draws, and reports and resumes replay.
//!
//! An event holds no text of a transcript and no quote: those stay in the reply log and the unit snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::anchor::{AnchorPlan, AnchorVisit};
use super::asking::Asking;
use super::compare::Compare;
use super::gold::GoldDraw;
use super::grading::{PromptLabel, Stage, WATERMARK};
use super::hash::Digest;
pub use super::judged::{Judged, JudgedChunk, Seen};
use super::known_plan::KnownPlan;
use super::money::{NanoUsd, Usage};
use super::outcome::FailureKind;
use super::review::ReviewDraw;
use super::stop::{Look, StopWhen};
use super::unit::{Group, Stratum, UnitId, UnitKind};

/// Position of a unit in the order of admission, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ordinal(pub u64);

/// One request on the wire, numbered within the run over all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub u64);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process began or resumed the run.
    Opened(Opened),
    /// What the run will do: first event of a run after `Opened`, and the same on resume.
    Planned(Box<Planned>),
    /// A unit was admitted; it counts from now on, finished or not.
    Admitted(Admitted),
    /// The session may spend this much. Durable before any of it is spent.
    Granted(Granted),
    /// A request is about to be sent. Written before the first byte leaves.
    Sent(Sent),
    /// A request ended, with or without a reply.
    Settled(Settled),
    /// A stage of a unit ended.
    Judged(Box<Judged>),
    /// Something a reader of the report should know.
    Warned {
        /// The sentence, with what to do.
        message: String,
    },
    /// The process ended in order.
    Closed(Closed),
}

impl Event {
    /// Whether it must survive a power failure before anything is done because of it.
    #[must_use]
    pub const fn must_be_durable(&self) -> bool {
        match self {
            Self::Granted(_) | Self::Closed(_) => true,
            Self::Opened(_)
            | Self::Planned(_)
            | Self::Admitted(_)
            | Self::Sent(_)
            | Self::Settled(_)
            | Self::Judged(_)
            | Self::Warned { .. } => false,
        }
    }
}

/// See [`Event::Opened`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Version of the journal's events.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Process id.
    pub pid: u32,
    /// Version of assize.
    pub version: String,
    /// What the operating system calls the time since it started, if it says: lines that were not synced survive as
    /// long as this stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// What all earlier sessions and runs of the audit count as spent, those events of this session apart that settle
    /// requests of an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_before: Option<NanoUsd>,
    /// When requests stop in this session, as Unix time in milliseconds, if there is a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Whether the lines of the run's earlier sessions, as far as they were there, were put on the disk first: then they
    /// survive the boot that this session began in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier_synced: bool,
    /// Whether this is a read-only replay: it asks nothing, holds no lock, and no run goes on from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// Whether this is a trial of a prompt on chosen units: no run goes on from it, and nothing in it is a sample.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
}

/// The version of [`Event`] that this build writes.
pub const EVENT_FORMAT: u32 = 1;

/// One stratum of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStratum {
    /// Class and group.
    pub stratum: Stratum,
    /// Units of the corpus in it. Where whole conversations are drawn and turns graded, all turns of its conversations.
    pub units: u64,
    /// Conversations of the corpus with at least one unit in it. Where whole conversations are drawn, each is in one
    /// stratum, and this is the frame of the draw; where the unit is the conversation, it is `units`.
    pub conversations: u64,
    /// Text of its units, in bytes.
    pub bytes: u64,
    /// Units that were selected.
    pub planned: u64,
    /// Conversations that were selected, of `conversations`; absent where units are drawn one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_planned: Option<u64>,
}

/// What the corpus held; every line is in exactly one figure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CorpusCount {
    /// Files read.
    pub files: u64,
    /// Bytes read, decompressed.
    pub bytes: u64,
    /// Records read: conversations, unreadable ones and duplicates together.
    pub records: u64,
    /// Conversations kept.
    pub conversations: u64,
    /// Turns of the conversations kept.
    pub turns: u64,
    /// Turns of the conversations kept that carry reasoning.
    pub turns_with_reasoning: u64,
    /// Conversations kept, by group.
    pub conversations_by_group: Vec<(Group, u64)>,
    /// Conversations kept without an assistant message, which are no units; absent where the unit is the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_without_turn: Option<u64>,
    /// Records whose id was seen before in the same group.
    pub duplicates: u64,
    /// Conversations kept whose metadata carries [`Planned::cluster_by`]; absent where clusters are conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_with_cluster: Option<u64>,
    /// Conversations set aside by `where`.
    pub filtered_out: u64,
    /// Unreadable records, by reason.
    pub unreadable: BTreeMap<String, u64>,
    /// The first unreadable and duplicate records as `file:line: reason`, at most 20.
    pub examples: Vec<String>,
}

impl CorpusCount {
    /// How many units of a kind it holds: turns, or conversations with at least one.
    #[must_use]
    pub fn units(&self, unit: UnitKind) -> u64 {
        match unit {
            UnitKind::Turn => self.turns,
            UnitKind::Conversation => {
                self.conversations.saturating_sub(self.conversations_without_turn.unwrap_or_default())
            }
        }
    }
}

/// One grader of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedGrader {
    /// The stage.
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// The endpoint's name in the audit file.
    pub endpoint: String,
    /// The prompt's label.
    pub prompt: PromptLabel,
    /// The digest of the prompt's content.
    pub prompt_hash: Digest,
    /// Whether this is the simulated grader.
    pub simulated: bool,
    /// How it is asked. Older journals do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<Asking>,
}

/// See [`Event::Planned`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The audit's name.
    pub audit: String,
    /// Digest of everything that decides what is asked of whom: equal for a resume.
    pub identity: Digest,
    /// What is counted.
    pub unit: UnitKind,
    /// What is drawn: single turns, or whole conversations with all their turns. Where the unit is the conversation, it
    /// is drawn.
    #[serde(default, skip_serializing_if = "UnitKind::is_turn")]
    pub sample_by: UnitKind,
    /// The metadata field whose values are the clusters: units that share one are not independent. Absent where
    /// conversations are the clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_by: Option<String>,
    /// Names of the `group_by` fields.
    pub group_by: Vec<String>,
    /// Seed of every draw.
    pub seed: u64,
    /// Number of the draw.
    pub draw: u32,
    /// Confidence level.
    pub level: f64,
    /// Behaviour.
    pub behaviour: String,
    /// The definition counted.
    pub definition: String,
    /// Digest of `behaviour.toml`'s meaning: labels, exclusions, fields, definitions, threshold.
    pub behaviour_hash: Digest,
    /// Digest of the rules of `cues.toml` that were used.
    pub cues_hash: Digest,
    /// Digest of the census.
    pub census: Digest,
    /// The corpus.
    pub corpus: CorpusCount,
    /// All strata, in order.
    pub strata: Vec<PlannedStratum>,
    /// Graders, in order of stages.
    pub graders: Vec<PlannedGrader>,
    /// The cap, if any.
    pub cap: Option<NanoUsd>,
    /// Highest share of admitted units without a usable verdict that still counts as complete.
    pub max_ungraded: f64,
    /// What other runs of the audit have spent under the same cap.
    #[serde(default)]
    pub spent_before: NanoUsd,
    /// The cap over the whole workspace, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_total: Option<TotalCap>,
    /// When the run closes admission because it knows enough, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<StopWhen>,
    /// What people are to read. Older journals do not say it.
    #[serde(default)]
    pub review: ReviewDraw,
    /// The hidden gold that people are to read among it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<GoldDraw>,
    /// What is compared.
    #[serde(default, skip_serializing_if = "Compare::is_empty")]
    pub compare: Compare,
    /// The round of `--retry-errors`; 0 where errors replay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry: u32,
    /// What the funnel's truth is, where the grader is simulated and the truth is planted: units by group that
    /// truly show the behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<Vec<PlantedTruth>>,
    /// What the screen is asked about again during the run, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchors: Option<AnchorPlan>,
    /// Known positives, graded before the units of the sample: the first ordinals are theirs.
    #[serde(default, skip_serializing_if = "KnownPlan::is_empty")]
    pub known: KnownPlan,
}

impl Planned {
    /// What every output says first of a run with a draft prompt; nothing otherwise.
    #[must_use]
    pub fn watermark(&self) -> Option<&'static str> {
        self.graders.iter().any(|grader| grader.prompt.is_draft()).then_some(WATERMARK)
    }

    /// Whether only what both graders say yes to reaches people: then the confirmer is part of the gate.
    #[must_use]
    pub fn gate_includes_confirmer(&self) -> bool {
        let has_confirmer = self.graders.iter().any(|grader| grader.stage == Stage::Confirm);
        has_confirmer && self.review.confirm_no.is_none()
    }

    /// Whether several units are drawn together: turns, by whole conversations.
    #[must_use]
    pub const fn draws_several(&self) -> bool {
        self.unit.is_turn() && !self.sample_by.is_turn()
    }

    /// Conversations that the draw selected with all their turns; `None` where it selected units one by one.
    #[must_use]
    pub fn conversations_planned(&self) -> Option<u64> {
        let drawn = self.strata.iter().map(|stratum| stratum.conversations_planned.unwrap_or_default());
        self.draws_several().then(|| drawn.sum())
    }
}

/// A cap over all audits of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalCap {
    /// The cap.
    pub cap: NanoUsd,
    /// What other runs, of all audits, have spent of it.
    pub spent_before: NanoUsd,
    /// Whether it leaves less room than the audit's own cap.
    pub binds: bool,
}

/// What was planted in one group of a simulated corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlantedTruth {
    /// The group.
    pub group: Group,
    /// Turns that truly show the behaviour.
    pub turns: u64,
    /// Conversations with at least one such turn.
    pub conversations: u64,
}

/// See [`Event::Admitted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Its position.
    pub ordinal: Ordinal,
    /// Its name.
    pub unit: UnitId,
    /// Index into [`Planned::strata`]; absent for a known positive, which is no unit of the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratum: Option<u32>,
    /// Digest of the unit's conversation up to and including the turn, or of all of it where it is the unit: exact copies
    /// share it.
    pub content: Digest,
    /// Digest of the value of [`Planned::cluster_by`]; absent where clusters are conversations, and where the
    /// conversation lacks the field and so is a cluster of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Digest>,
    /// Where the turn stands in its conversation; absent where single turns are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// One turn of a conversation that was drawn as a whole: its turns are admitted one after the other, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which turn it is, from 1.
    pub number: u32,
    /// Turns of the conversation.
    pub of: u32,
}

impl Part {
    /// Whether the conversation is whole once this turn is admitted.
    #[must_use]
    pub const fn is_last(self) -> bool {
        self.number >= self.of
    }
}

/// See [`Event::Granted`]. Lines about requests are not synced one by one. After a power failure, when some of them may
/// be lost, the whole grant counts as spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The most that requests of this session may cost in all, those that are settled included.
    pub total: NanoUsd,
}

/// See [`Event::Sent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The attempt.
    pub attempt: AttemptId,
    /// For which unit.
    pub ordinal: Ordinal,
    /// At which stage.
    pub stage: Stage,
    /// The key of the request.
    pub key: Digest,
    /// The most it can cost.
    pub bound: NanoUsd,
    /// Whether an attempt for the same key was open when an earlier process died: it may be paid for twice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
    /// Whether this session has sent the same before and got no reply. Older journals do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<bool>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// A reply is in the reply log.
    Replied {
        /// Billed tokens, if the server said.
        usage: Option<Usage>,
    },
    /// The server refused without billing (a status of 4xx or 5xx).
    Declined {
        /// HTTP status.
        status: u16,
        /// What that means.
        failure: FailureKind,
    },
    /// Nobody knows if it was billed: it counts at its bound.
    Unknown {
        /// What happened.
        failure: FailureKind,
    },
    /// Certainly never reached the server (connection refused).
    NotSent,
}

/// See [`Event::Settled`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// What it counts as spent.
    pub cost: NanoUsd,
    /// From sending to ending, in milliseconds.
    pub latency_ms: u64,
    /// What the reply says, where it was about an anchor: no unit, so that nothing else tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Box<AnchorVisit>>,
}

/// See [`Event::Closed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Why the process ended.
    pub reason: StopReason,
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// Every planned unit was admitted and ended.
    Finished,
    /// The cap closed admission.
    Budget,
    /// The deadline closed admission.
    Deadline,
    /// `stop_when` closed admission: the limits were narrow enough at this look.
    NarrowEnough(Box<Look>),
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// The corpus is not what `[expect]` says: nothing was sent.
    Unexpected {
        /// A sentence for everything that is missing.
        missing: Vec<String>,
    },
    /// A stage was served by a second model, and `on_model_change` is `"stop"`.
    ModelChanged {
        /// Which stage.
        stage: Stage,
        /// The model that served first.
        first: String,
        /// The other one.
        then: String,
    },
    /// The grader cannot be used: key, model, quota.
    Unusable {
        /// What the server said, shortened, without secrets.
        message: String,
    },
}

impl StopReason {
    /// The name, as journals and reports write it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::NarrowEnough(_) => "narrow_enough",
            Self::Interrupted => "interrupted",
            Self::Unexpected { .. } => "unexpected",
            Self::ModelChanged { .. } => "model_changed",
            Self::Unusable { .. } => "unusable",
        }
    }
}

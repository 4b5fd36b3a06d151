//! What happens in a run: the one stream that the journal stores, progress draws, and reports and resumes replay.
//!
//! An event holds no text of a transcript and no quote: those stay in the reply log and the unit snapshot.

use serde::{Deserialize, Serialize};

use super::anchor::AnchorVisit;
use super::grading::Stage;
use super::hash::Digest;
pub use super::judged::{Judged, JudgedChunk, Seen};
use super::money::{NanoUsd, Usage};
use super::outcome::FailureKind;
pub use super::planned::{CorpusCount, Planned, PlannedGrader, PlannedStratum, PlantedTruth, TotalCap};
use super::stop::Look;
use super::unit::UnitId;

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

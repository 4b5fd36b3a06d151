//! How a candidate ended at one stage. Missing is never "no": every way of not getting a verdict has its own name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdict::Finding;

/// How a candidate ended at one grading stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A verdict of present, suspected or absent that satisfies the schema.
    Graded {
        /// What it says.
        finding: Finding,
    },
    /// A verdict of present whose quotes do not stand in the transcript: goes to confirmation, is not a positive.
    EvidenceUnverified {
        /// What it says.
        finding: Finding,
    },
    /// The grader, or the context contract, says that too little was visible.
    CannotJudge,
    /// The grader declined to answer.
    Refused,
    /// The reply hit the output limit.
    Truncated,
    /// The reply does not satisfy the schema.
    Unparsable,
    /// The rendered request does not fit the grader's context.
    TooLong,
    /// A provider's content filter stopped the request or the reply.
    Filtered,
    /// No reply within the item deadline, or a permanent error for this request.
    Failed {
        /// What went wrong.
        failure: FailureKind,
    },
    /// The file that the stage's verdicts are recorded in says nothing of it.
    NotRecorded,
    /// Read-only replay found no reply.
    NotCached,
    /// The cap left no room for the request.
    OverBudget,
    /// The deadline passed before a reply.
    PastDeadline,
}

/// Why a candidate has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The connection could not be made or broke.
    Connection,
    /// No reply within the request timeout.
    Timeout,
    /// HTTP 429 until the item deadline.
    RateLimited,
    /// A server error (5xx) until the item deadline.
    Server,
    /// The request was refused as malformed (400, 404, 413, 422 ...).
    Rejected,
    /// The reply body was not what the API promises.
    BadReply,
    /// The run was interrupted before a reply came.
    Interrupted,
}

impl FailureKind {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::Rejected => "rejected",
            Self::BadReply => "bad_reply",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The name of an outcome: what buckets are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// See [`Outcome::Graded`].
    Graded,
    /// See [`Outcome::EvidenceUnverified`].
    EvidenceUnverified,
    /// See [`Outcome::CannotJudge`].
    CannotJudge,
    /// See [`Outcome::Refused`].
    Refused,
    /// See [`Outcome::Truncated`].
    Truncated,
    /// See [`Outcome::Unparsable`].
    Unparsable,
    /// See [`Outcome::TooLong`].
    TooLong,
    /// See [`Outcome::Filtered`].
    Filtered,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::NotRecorded`].
    NotRecorded,
    /// See [`Outcome::NotCached`].
    NotCached,
    /// See [`Outcome::OverBudget`].
    OverBudget,
    /// See [`Outcome::PastDeadline`].
    PastDeadline,
}

impl OutcomeKind {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::Graded,
        Self::EvidenceUnverified,
        Self::CannotJudge,
        Self::Refused,
        Self::Truncated,
        Self::Unparsable,
        Self::TooLong,
        Self::Filtered,
        Self::Failed,
        Self::NotRecorded,
        Self::NotCached,
        Self::OverBudget,
        Self::PastDeadline,
    ];

    /// The name in files, tables and definitions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Graded => "graded",
            Self::EvidenceUnverified => "evidence_unverified",
            Self::CannotJudge => "cannot_judge",
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::Unparsable => "unparsable",
            Self::TooLong => "too_long",
            Self::Filtered => "filtered",
            Self::Failed => "failed",
            Self::NotRecorded => "not_recorded",
            Self::NotCached => "not_cached",
            Self::OverBudget => "over_budget",
            Self::PastDeadline => "past_deadline",
        }
    }

    /// Whether a rerun could end otherwise without a change of prompt or model: nothing was decided or paid for.
    #[must_use]
    pub const fn is_unfinished(self) -> bool {
        match self {
            Self::Failed | Self::NotCached | Self::OverBudget | Self::PastDeadline => true,
            Self::Graded
            | Self::EvidenceUnverified
            | Self::CannotJudge
            | Self::Refused
            | Self::Truncated
            | Self::Unparsable
            | Self::TooLong
            | Self::Filtered
            | Self::NotRecorded => false,
        }
    }

    /// Whether cap, deadline or a missing reply cut the unit off: that says something of the run and nothing of the unit.
    #[must_use]
    pub const fn is_cut_off(self) -> bool {
        match self {
            Self::NotCached | Self::OverBudget | Self::PastDeadline => true,
            Self::Graded
            | Self::EvidenceUnverified
            | Self::CannotJudge
            | Self::Refused
            | Self::Truncated
            | Self::Unparsable
            | Self::TooLong
            | Self::Filtered
            | Self::NotRecorded
            | Self::Failed => false,
        }
    }

    /// Whether the unit has a usable verdict, in the sense of the statistics pages. Everything else is bracketed.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Graded | Self::EvidenceUnverified => true,
            Self::CannotJudge
            | Self::Refused
            | Self::Truncated
            | Self::Unparsable
            | Self::TooLong
            | Self::Filtered
            | Self::Failed
            | Self::NotRecorded
            | Self::NotCached
            | Self::OverBudget
            | Self::PastDeadline => false,
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// Whether cap, deadline, a missing reply or a stop cut the unit off: that says something of the run and nothing of the unit.
    #[must_use]
    pub const fn was_cut_off(&self) -> bool {
        matches!(self, Self::Failed { failure: FailureKind::Interrupted }) || self.kind().is_cut_off()
    }

    /// The bucket that this outcome is counted in.
    #[must_use]
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Graded { .. } => OutcomeKind::Graded,
            Self::EvidenceUnverified { .. } => OutcomeKind::EvidenceUnverified,
            Self::CannotJudge => OutcomeKind::CannotJudge,
            Self::Refused => OutcomeKind::Refused,
            Self::Truncated => OutcomeKind::Truncated,
            Self::Unparsable => OutcomeKind::Unparsable,
            Self::TooLong => OutcomeKind::TooLong,
            Self::Filtered => OutcomeKind::Filtered,
            Self::Failed { .. } => OutcomeKind::Failed,
            Self::NotRecorded => OutcomeKind::NotRecorded,
            Self::NotCached => OutcomeKind::NotCached,
            Self::OverBudget => OutcomeKind::OverBudget,
            Self::PastDeadline => OutcomeKind::PastDeadline,
        }
    }

    /// Why there is no reply, where an attempt failed.
    #[must_use]
    pub const fn failure(&self) -> Option<FailureKind> {
        match self {
            Self::Failed { failure } => Some(*failure),
            Self::Graded { .. }
            | Self::EvidenceUnverified { .. }
            | Self::CannotJudge
            | Self::Refused
            | Self::Truncated
            | Self::Unparsable
            | Self::TooLong
            | Self::Filtered
            | Self::NotRecorded
            | Self::NotCached
            | Self::OverBudget
            | Self::PastDeadline => None,
        }
    }

    /// What the verdict says, where there is one.
    #[must_use]
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Graded { finding } | Self::EvidenceUnverified { finding } => Some(finding),
            Self::CannotJudge
            | Self::Refused
            | Self::Truncated
            | Self::Unparsable
            | Self::TooLong
            | Self::Filtered
            | Self::Failed { .. }
            | Self::NotRecorded
            | Self::NotCached
            | Self::OverBudget
            | Self::PastDeadline => None,
        }
    }
}

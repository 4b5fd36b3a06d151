//! What a session's coordinator starts from.

use std::collections::{BTreeSet, HashSet};

use super::Narrow;
use crate::clock::UnixMs;
use crate::grade::budget::Budget;
use crate::model::event::AttemptId;
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::run::disks::Disks;

/// When admission closes, and when requests stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// No unit is admitted from here on: one path's time before the end.
    pub admission: UnixMs,
    /// No request is sent from here on.
    pub requests: UnixMs,
}

/// What a session starts from.
#[derive(Debug)]
pub struct Start {
    /// The budget, with what was spent before.
    pub budget: Budget,
    /// The first number that no earlier session of the run used.
    pub next_attempt: AttemptId,
    /// Keys whose requests were on the wire when an earlier process died, and that have no reply.
    pub interrupted: HashSet<Digest>,
    /// When to stop.
    pub deadline: Option<Deadline>,
    /// The disks.
    pub disks: Disks,
    /// Stages whose served model may change.
    pub split: BTreeSet<Stage>,
    /// When to warn that the money runs out.
    pub alarm: Option<Alarm>,
    /// When enough is known, if the run asks.
    pub narrow: Option<Narrow>,
}

/// A warning that is due once so much is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What the budget must have spent.
    pub at: NanoUsd,
    /// What to say.
    pub message: String,
}

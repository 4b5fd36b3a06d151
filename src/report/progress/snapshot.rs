//! Where a run stands at one moment, as plain figures with a stable JSON form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::floor::{FloorSoFar, StopSoFar};
use super::known::KnownSoFar;
use super::outlook::{Course, Outlook};
use super::pace::per_second;
use super::{Counts, Progress};
use crate::clock::UnixMs;
use crate::model::money::NanoUsd;

/// Version of [`Snapshot`]'s JSON form. Fields may be added under one version; none changes its meaning.
pub const PROGRESS_SCHEMA: u32 = 1;

/// How far a run has got in stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It goes on.
    #[default]
    Running,
    /// Nothing new is sent; what is on the wire is finished and kept.
    Draining,
    /// What is on the wire is given up.
    Abandoning,
}

/// What the events do not say and whoever runs the run knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How far it has got in stopping.
    pub phase: Phase,
    /// Whether a unit or a request waits for money that is held for others.
    pub waits_for_money: bool,
}

/// Where a run stands. `docs/progress.md` explains every field to programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`PROGRESS_SCHEMA`].
    pub schema: u32,
    /// That a grader's prompt is a draft: nothing of it is for publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// The time of this snapshot, as Unix time in milliseconds.
    pub at_ms: u64,
    /// How far the session has got in stopping.
    pub phase: Phase,
    /// What nothing can happen without, in words; null while requests come and go.
    pub waiting_for: Option<String>,
    /// Units selected.
    pub planned: u64,
    /// Units admitted in this session, replayed ones included.
    pub admitted: u64,
    /// Units that ended.
    pub finished: u64,
    /// Known positives, which are in no other count of units or judgements but `replayed`; absent without a set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownSoFar>,
    /// Units that the screen flagged.
    pub flagged: u64,
    /// Flagged units that the second grader upheld.
    pub upheld: u64,
    /// Judgements without a usable verdict.
    pub ungraded: u64,
    /// Judgements by outcome; outcomes that did not occur are absent.
    pub outcomes: BTreeMap<String, u64>,
    /// Judgements from the cache.
    pub replayed: u64,
    /// Seconds since the session began.
    pub elapsed_s: u64,
    /// Units per second over the last minute; null in the first second.
    pub per_second_now: Option<f64>,
    /// Units per second over the session; null in the first second.
    pub per_second_average: Option<f64>,
    /// Where it is heading.
    pub outlook: Outlook,
    /// Dollars spent over all sessions and runs of the audit: what the cap is compared with.
    pub spent_usd: f64,
    /// The part of it that this session spent.
    pub session_usd: f64,
    /// The part of it that nobody knows: requests of this run whose end is unknown count at their bound.
    pub presumed_usd: f64,
    /// Dollars reserved for attempts in flight.
    pub reserved_usd: f64,
    /// The cap in dollars, if any.
    pub cap_usd: Option<f64>,
    /// When requests stop, as Unix time in milliseconds, if there is a deadline.
    pub deadline_ms: Option<u64>,
    /// Attempts in flight.
    pub in_flight: u64,
    /// Replies of status 429, over all sessions of the run.
    pub rate_limited: u64,
    /// Attempts after the first for one question, over all sessions of the run.
    pub retried: u64,
    /// What can be said about the floor before the run has ended; null with the reason beside it.
    pub floor: Option<FloorSoFar>,
    /// Why `floor` is null.
    pub floor_reason: Option<String>,
    /// Where `stop_when` stands; null where the audit does not set it, or draws too little for it.
    #[serde(default)]
    pub stop_when: Option<StopSoFar>,
}

impl Progress {
    /// Where the run stands now.
    #[must_use]
    pub fn snapshot(&self, now: UnixMs, standing: Standing) -> Snapshot {
        let counts = &self.counts;
        let elapsed = now.since(self.started);
        let timed = if counts.fresh > 0 { counts.fresh } else { counts.finished };
        let average = per_second(timed, elapsed);
        let rate_now = self.pace.now(now, elapsed);
        let reserved: NanoUsd = self.open.values().map(|attempt| attempt.bound).sum();
        let outlook = Outlook::of(&Course {
            now,
            planned: self.planned,
            finished: counts.finished,
            fresh: counts.fresh,
            rate: [rate_now, average].into_iter().flatten().find(|rate| *rate > 0.0),
            session: self.money.session.saturating_sub(self.money.known),
            room: self.money.cap.map(|cap| cap.saturating_sub(self.money.spent)),
            deadline: self.deadline,
        });
        let floor = self.beginning.floor(counts.upheld, counts.finished);
        Snapshot {
            schema: PROGRESS_SCHEMA,
            watermark: self.watermark.map(str::to_owned),
            at_ms: now.0,
            phase: standing.phase,
            waiting_for: self.waiting_for(standing),
            planned: self.planned,
            admitted: counts.admitted,
            finished: counts.finished,
            known: self.known.so_far(),
            flagged: counts.flagged,
            upheld: counts.upheld,
            ungraded: ungraded(counts),
            outcomes: counts.outcomes.iter().map(|(kind, count)| (kind.as_str().to_owned(), *count)).collect(),
            replayed: counts.replayed,
            elapsed_s: elapsed.as_secs(),
            per_second_now: rate_now,
            per_second_average: average,
            outlook,
            spent_usd: self.money.spent.usd(),
            session_usd: self.money.session.usd(),
            presumed_usd: self.money.presumed.usd(),
            reserved_usd: reserved.usd(),
            cap_usd: self.money.cap.map(NanoUsd::usd),
            deadline_ms: self.deadline.map(|deadline| deadline.0),
            in_flight: self.open.len() as u64,
            rate_limited: self.rate_limited,
            retried: self.retried,
            floor_reason: floor.as_ref().err().map(|reason| (*reason).to_owned()),
            floor: floor.ok(),
            stop_when: self.beginning.stop(),
        }
    }

    fn waiting_for(&self, standing: Standing) -> Option<String> {
        let in_flight = self.open.len();
        let words = match standing.phase {
            Phase::Draining if in_flight == 0 => return None,
            Phase::Draining => format!("the last {in_flight} requests on the wire: nothing new is sent"),
            Phase::Abandoning => "nothing: what is on the wire is given up".to_owned(),
            Phase::Running if standing.waits_for_money => {
                "money: what is left under the cap is held for what is on the wire".to_owned()
            }
            Phase::Running if in_flight == 0 && self.is_refused => {
                "the server, which answers 429 (too fast)".to_owned()
            }
            Phase::Running => return None,
        };
        Some(words)
    }
}

fn ungraded(counts: &Counts) -> u64 {
    counts.outcomes.iter().filter(|(kind, _)| !kind.is_usable()).map(|(_, count)| count).sum()
}

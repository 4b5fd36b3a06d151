//! A run while it runs: a fold of its events. Pure: the caller says what time it is and draws what it gets.
//!
//! Figures of a running run invite early stopping. So there is no rate of the behaviour and no fixed-n interval here: what
//! is said about the floor is a confidence sequence, which holds at every look.

mod floor;
mod known;
mod lines;
mod outlook;
mod pace;
mod snapshot;

use std::collections::{BTreeMap, HashMap, HashSet};

pub use floor::{FloorSoFar, StopSoFar};
pub use known::KnownSoFar;
pub use outlook::Outlook;
pub use snapshot::{PROGRESS_SCHEMA, Phase, Snapshot, Standing};

use floor::Beginning;
use known::KnownCounts;
use pace::Pace;

use crate::clock::UnixMs;
use crate::model::event::{AttemptId, Ending, Event, Judged, Opened, Ordinal, Planned, Sent, Settled};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::model::outcome::OutcomeKind;
use crate::reconcile::Definitions;

/// Units that ended in this session.
#[derive(Debug, Clone, Default)]
struct Counts {
    admitted: u64,
    finished: u64,
    /// Finished units for which something was sent.
    fresh: u64,
    flagged: u64,
    upheld: u64,
    replayed: u64,
    /// Judgements by outcome: as many entries as there are outcomes.
    outcomes: BTreeMap<OutcomeKind, u64>,
}

/// Money of the audit.
#[derive(Debug, Clone, Copy, Default)]
struct Money {
    cap: Option<NanoUsd>,
    /// Over all sessions and runs of the audit.
    spent: NanoUsd,
    /// The part of it that was settled in this session.
    session: NanoUsd,
    /// The part of that which went for known positives.
    known: NanoUsd,
    /// The part of what was settled that nobody knows and that counts at its bound.
    presumed: NanoUsd,
}

/// An attempt in flight.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    bound: NanoUsd,
    /// Whether it is for a known positive.
    is_known: bool,
}

/// A run in progress. Give it every event as it happens; a new session starts its counts anew and keeps the spend.
#[derive(Debug)]
pub struct Progress {
    definitions: Definitions,
    started: UnixMs,
    deadline: Option<UnixMs>,
    /// What has to be said beside every figure.
    watermark: Option<&'static str>,
    planned: u64,
    counts: Counts,
    known: KnownCounts,
    money: Money,
    pace: Pace,
    beginning: Beginning,
    /// The attempts in flight: as many as there are slots.
    open: HashMap<AttemptId, InFlight>,
    /// Stages of units that were asked for and have not ended, where the attempts do not say it: as many as there are
    /// places in the window.
    asked: HashSet<(Ordinal, Stage)>,
    rate_limited: u64,
    retried: u64,
    /// Whether the last request to end was refused with 429.
    is_refused: bool,
}

impl Progress {
    /// A run that began now, of which nothing is known yet. What is planned, and the cap, the events say.
    #[must_use]
    pub fn new(definitions: Definitions, now: UnixMs) -> Self {
        Self {
            definitions,
            started: now,
            deadline: None,
            watermark: None,
            planned: 0,
            counts: Counts::default(),
            known: KnownCounts::default(),
            money: Money::default(),
            pace: Pace::default(),
            beginning: Beginning::default(),
            open: HashMap::new(),
            asked: HashSet::new(),
            rate_limited: 0,
            retried: 0,
            is_refused: false,
        }
    }

    /// Adds one event that happened now.
    pub fn event(&mut self, event: &Event, now: UnixMs) {
        match event {
            Event::Opened(session) => self.opened(session, now),
            Event::Planned(plan) => self.planned(plan),
            Event::Admitted(unit) => {
                if let Some(stratum) = unit.stratum {
                    self.counts.admitted += 1;
                    self.beginning.admit(unit.ordinal, stratum);
                }
            }
            Event::Sent(sent) => self.sent(sent),
            Event::Settled(settled) => self.settled(settled),
            Event::Judged(judged) => self.judged(judged, now),
            Event::Granted(_) | Event::Warned { .. } | Event::Closed(_) => {}
        }
    }

    fn opened(&mut self, session: &Opened, now: UnixMs) {
        // Attempts that an earlier process left open count as spent at their bound.
        let left: NanoUsd = self.open.drain().map(|(_, attempt)| attempt.bound).sum();
        let spent = session.spent_before.unwrap_or(self.money.spent + left);
        self.money = Money {
            spent,
            session: NanoUsd::ZERO,
            known: NanoUsd::ZERO,
            presumed: self.money.presumed + left,
            ..self.money
        };
        self.asked.clear();
        self.beginning.clear();
        self.pace = Pace::default();
        self.counts = Counts::default();
        self.known.clear();
        self.deadline = session.deadline_ms.map(UnixMs);
        self.started = now;
    }

    fn planned(&mut self, plan: &Planned) {
        self.watermark = plan.watermark();
        self.planned = plan.strata.iter().map(|stratum| stratum.planned).sum();
        self.known.plan(plan);
        self.money.cap = plan.cap;
        self.beginning.plan(plan);
    }

    fn sent(&mut self, sent: &Sent) {
        let is_known = self.known.contains(sent.ordinal);
        self.open.insert(sent.attempt, InFlight { bound: sent.bound, is_known });
        let is_retry = sent.again.unwrap_or_else(|| !self.asked.insert((sent.ordinal, sent.stage)));
        self.retried += u64::from(is_retry);
    }

    fn settled(&mut self, settled: &Settled) {
        let ours = self.open.remove(&settled.attempt);
        let is_ours = ours.is_some();
        self.money.spent += settled.cost;
        if let Some(InFlight { is_known, .. }) = ours {
            self.money.session += settled.cost;
            self.money.known += if is_known { settled.cost } else { NanoUsd::ZERO };
        }
        self.is_refused = matches!(settled.ending, Ending::Declined { status: 429, .. });
        match settled.ending {
            Ending::Declined { status: 429, .. } => self.rate_limited += 1,
            // A request of an earlier session counted at its bound when this one began.
            Ending::Unknown { .. } if is_ours => self.money.presumed += settled.cost,
            Ending::Replied { .. } | Ending::Declined { .. } | Ending::Unknown { .. } | Ending::NotSent => {}
        }
    }

    fn judged(&mut self, judged: &Judged, now: UnixMs) {
        self.asked.remove(&(judged.ordinal, judged.stage));
        // A definition that cannot be evaluated stops the report, which names it; the display goes on.
        let holds = self.definitions.pass(judged).unwrap_or(false);
        if self.known.contains(judged.ordinal) {
            self.counts.replayed += u64::from(judged.replayed);
            return self.known.judged(judged, holds);
        }
        let counts = &mut self.counts;
        counts.replayed += u64::from(judged.replayed);
        *counts.outcomes.entry(judged.outcome.kind()).or_default() += 1;
        let is_last = match judged.stage {
            Stage::Screen => {
                counts.flagged += u64::from(holds);
                !holds || !self.definitions.has_confirmer()
            }
            Stage::Confirm => {
                counts.upheld += u64::from(holds);
                true
            }
        };
        if is_last {
            counts.finished += 1;
            if !judged.outcome.was_cut_off() {
                self.beginning.finish(judged.ordinal, holds && judged.stage == Stage::Confirm);
            }
            if !judged.replayed {
                counts.fresh += 1;
                self.pace.tick(now);
            }
        }
    }
}

#[cfg(test)]
mod tests;

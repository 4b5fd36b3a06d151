//! The one owner of a run's state. Workers say what they want to do and what happened; this module decides, numbers,
//! and hands out what must go on record. Synchronous: it is tested without a runtime.

mod narrow;
mod silence;
mod start;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tokio::sync::oneshot;

pub use self::narrow::Narrow;
use self::silence::Silence;
pub use self::start::{Alarm, Deadline, Start};
use self::waiting::Waiting;
use super::grant::Grant;
use crate::clock::UnixMs;
use crate::grade::budget::{Budget, Room};
use crate::grade::desk::{Decided, Entry, Go, Leave, Message, Sending, Settlement, Stopping};
use crate::journal::Batch;
use crate::model::event::{AttemptId, Ending, Event, Judged, Ordinal, Sent, Settled, StopReason};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::outcome::{FailureKind, OutcomeKind};

/// Candidates in a row that may fail for good before the grader counts as unusable.
const FAILURES_IN_A_ROW: u32 = 20;

/// What is to be done after a message, in this order.
#[derive(Debug, Default)]
pub struct Effects {
    /// Goes into the journal.
    pub lines: Batch,
    /// What these lines say.
    pub events: Vec<Event>,
    /// Answers that may only be given once the events are written.
    pub after_written: Vec<(oneshot::Sender<Leave>, AttemptId)>,
}

impl Effects {
    fn event(&mut self, event: Event) {
        self.lines.push(&event, event.must_be_durable());
        self.events.push(event);
    }
}

/// The state of a run.
#[derive(Debug)]
pub struct Coordinator {
    budget: Budget,
    deadline: Option<Deadline>,
    next_attempt: AttemptId,
    interrupted: HashSet<Digest>,
    grant: Grant,
    /// Requests on the wire.
    open: BTreeMap<AttemptId, Open>,
    /// Requests of admitted units that wait for money to come back; never more than the run's window.
    claims: Vec<Claim>,
    /// Requests that have their money and are neither settled nor given up.
    pledged: u64,
    /// The next unit in order of admission.
    next_unit: Ordinal,
    /// Units that are prepared and not yet admitted; never more than the run's window.
    waiting: BTreeMap<Ordinal, Waiting>,
    closed: Option<StopReason>,
    stopping: Stopping,
    /// Whether nothing new may be sent for the time being.
    holding: bool,
    failures_in_a_row: u32,
    silence: Silence,
    served: BTreeMap<Stage, String>,
    split: BTreeSet<Stage>,
    alarm: Option<Alarm>,
    narrow: Option<Narrow>,
}

/// A request on the wire.
#[derive(Debug, Clone, Copy)]
struct Open {
    unit: Ordinal,
    bound: NanoUsd,
}

/// A request that wants its worst case reserved.
#[derive(Debug)]
struct Claim {
    unit: Ordinal,
    bound: NanoUsd,
    answer: oneshot::Sender<Go>,
}

impl Coordinator {
    /// The state at the beginning of a session.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self {
            grant: Grant::of(&start.budget),
            budget: start.budget,
            deadline: start.deadline,
            next_attempt: start.next_attempt,
            interrupted: start.interrupted,
            open: BTreeMap::new(),
            claims: Vec::new(),
            pledged: 0,
            next_unit: Ordinal(0),
            waiting: BTreeMap::new(),
            closed: None,
            stopping: Stopping::No,
            holding: false,
            failures_in_a_row: 0,
            silence: Silence::default(),
            served: BTreeMap::new(),
            split: start.split,
            alarm: start.alarm,
            narrow: start.narrow,
        }
    }

    /// How far the run has got in stopping.
    #[must_use]
    pub const fn stopping(&self) -> Stopping {
        self.stopping
    }

    /// Whether a request or the next unit waits for money that is held for others, and not for room on a disk.
    #[must_use]
    pub fn waits_for_money(&self) -> bool {
        let is_held_back = self.closed.is_none() && self.waiting.contains_key(&self.next_unit);
        !self.holding && (!self.claims.is_empty() || is_held_back)
    }

    /// Why the run ended, once everything has.
    #[must_use]
    pub fn reason(&self) -> StopReason {
        self.closed.clone().unwrap_or(StopReason::Finished)
    }

    /// One more interrupt: the first drains, the second abandons.
    pub fn interrupt(&mut self, effects: &mut Effects, now: UnixMs) {
        self.stopping = match self.stopping {
            Stopping::No => Stopping::Draining,
            Stopping::Draining | Stopping::Abandoning => Stopping::Abandoning,
        };
        self.close(StopReason::Interrupted);
        self.answer_waiting(effects, now);
    }

    /// Sends nothing new and lets nobody in for as long as this holds; what is on the wire is finished and kept.
    pub const fn hold(&mut self, holding: bool) {
        self.holding = holding;
    }

    /// Takes note of the time: a deadline closes admission even when no worker says anything.
    pub fn tick(&mut self, effects: &mut Effects, now: UnixMs) {
        self.listen(effects, now);
        self.answer_waiting(effects, now);
    }

    /// Everything that one message leads to.
    pub fn handle(&mut self, message: Message, effects: &mut Effects, now: UnixMs) {
        match message {
            Message::Admit { unit, path, answer } => {
                self.waiting.insert(unit.ordinal, Waiting::Asks { unit: *unit, path, answer });
            }
            Message::Decided { mut units, answer } => {
                let last = units.pop();
                let waiting = |unit: Decided, answer| (unit.ordinal, Waiting::Decided { unit, answer });
                self.waiting.extend(units.into_iter().map(|unit| waiting(unit, None)));
                self.waiting.extend(last.map(|unit| waiting(unit, Some(answer))));
            }
            Message::Reserve { ordinal, bound, answer } => {
                self.claims.push(Claim { unit: ordinal, bound, answer });
            }
            Message::Release { bound } => {
                self.pledged = self.pledged.saturating_sub(1);
                self.budget.release(bound);
            }
            Message::Sending { attempt, answer } => self.send(&attempt, answer, effects, now),
            Message::Settled(settlement) => self.settle(settlement, effects, now),
            Message::Judged { judged, settlement, is_last } => {
                if let Some(settlement) = settlement {
                    self.settle(settlement, effects, now);
                }
                self.judge(&judged);
                if is_last {
                    self.budget.close(judged.ordinal);
                    self.look(&judged);
                }
                effects.event(Event::Judged(judged));
            }
            Message::Anchored { ordinal, settlement } => {
                if let Some(settlement) = settlement {
                    self.settle(settlement, effects, now);
                }
                self.budget.close(ordinal);
            }
            Message::Warn(message) => effects.event(Event::Warned { message }),
            Message::Stop(reason) => self.stop(reason),
        }
        self.answer_waiting(effects, now);
    }

    /// Requests of admitted units come before new units.
    fn answer_waiting(&mut self, effects: &mut Effects, now: UnixMs) {
        self.answer_claims(now);
        self.admit_waiting(effects, now);
    }

    /// Lets requests go that have their money. One that has not waits for as long as another one is out that may bring
    /// some back; then the first to have asked is told that there is none, which frees what its unit still held.
    fn answer_claims(&mut self, now: UnixMs) {
        for claim in std::mem::take(&mut self.claims) {
            match self.may_go(claim.unit, claim.bound, now) {
                Some(go) => self.answer_claim(claim, go),
                None => self.claims.push(claim),
            }
        }
        if self.pledged == 0 && !self.holding && !self.claims.is_empty() {
            let first = self.claims.remove(0);
            self.answer_claim(first, Go::NoMoney);
        }
    }

    fn answer_claim(&mut self, claim: Claim, go: Go) {
        let is_heard = claim.answer.send(go).is_ok();
        match go {
            Go::Yes if is_heard => self.pledged += 1,
            // A worker that has gone cannot use its reservation.
            Go::Yes => self.budget.release(claim.bound),
            Go::NoMoney | Go::Stopping | Go::TooLate => {}
        }
    }

    /// Settles what is still on the wire when everybody has gone: nobody knows if it was billed.
    pub fn abandon_open(&mut self, effects: &mut Effects) {
        for (attempt, Open { bound, .. }) in std::mem::take(&mut self.open) {
            self.budget.settle(bound, bound);
            let ending = Ending::Unknown { failure: FailureKind::Interrupted };
            effects.event(Event::Settled(Settled { attempt, ending, cost: bound, latency_ms: 0, anchor: None }));
        }
    }

    /// The first reason to close stays the reason, unless a stronger one comes.
    fn close(&mut self, reason: StopReason) {
        let is_of_grader =
            |reason: &StopReason| matches!(reason, StopReason::Unusable { .. } | StopReason::ModelChanged { .. });
        let stronger = is_of_grader(&reason) || reason == StopReason::Interrupted;
        let unusable = self.closed.as_ref().is_some_and(is_of_grader);
        if self.closed.is_none() || (stronger && !unusable) {
            self.closed = Some(reason);
        }
    }

    fn stop(&mut self, reason: StopReason) {
        self.close(reason);
        self.stopping = self.stopping.max(Stopping::Draining);
    }

    /// Lets units in, in order, for as long as the money lasts. No unit is passed over for being dear.
    fn admit_waiting(&mut self, effects: &mut Effects, now: UnixMs) {
        let is_late = self.deadline.is_some_and(|deadline| now >= deadline.admission);
        while let Some(first) = self.waiting.first_entry() {
            if self.closed.is_none() && *first.key() != self.next_unit {
                return;
            }
            // A decided unit needs no time, and a deadline that turns nobody away is not why a run ends.
            if self.closed.is_none() && is_late && first.get().asks() {
                self.closed = Some(StopReason::Deadline);
            }
            // Nor is a look that turns nobody away.
            if self.closed.is_none() {
                let look = self.narrow.as_ref().and_then(|narrow| narrow.closes_before(*first.key()));
                self.closed = look.map(StopReason::NarrowEnough);
            }
            if self.closed.is_none() {
                if self.holding || !self.claims.is_empty() {
                    return;
                }
                match self.budget.open(*first.key(), first.get().path()) {
                    Room::Granted => {}
                    Room::NotNow => return,
                    Room::Never => self.closed = Some(StopReason::Budget),
                }
            }
            let (ordinal, waiting) = first.remove_entry();
            if self.closed.is_some() {
                waiting.turn_away();
                continue;
            }
            self.next_unit = Ordinal(ordinal.0 + 1);
            match waiting {
                Waiting::Asks { unit, answer, .. } => {
                    self.narrow.iter_mut().for_each(|narrow| narrow.admit(&unit));
                    effects.event(Event::Admitted(unit));
                    if answer.send(Entry::Admitted).is_err() {
                        self.budget.close(ordinal);
                    }
                }
                Waiting::Decided { unit, answer } => {
                    self.conclude(unit, effects);
                    answer.map(|answer| answer.send(Entry::Admitted).ok());
                }
            }
        }
    }

    /// Lets a decided unit in and out again.
    fn conclude(&mut self, unit: Decided, effects: &mut Effects) {
        let Decided { ordinal, events, lines } = unit;
        self.budget.close(ordinal);
        let mut last = None;
        for event in &events {
            if let Event::Judged(judged) = event {
                self.judge(judged);
                last = Some(judged);
            } else if let (Event::Admitted(unit), Some(narrow)) = (event, &mut self.narrow) {
                narrow.admit(unit);
            }
        }
        if let Some(last) = last {
            self.look(last);
        }
        effects.lines.append(&lines);
        effects.events.extend(events);
    }

    /// Whether a request may go; `None` if that depends on money that may come back.
    fn may_go(&mut self, unit: Ordinal, bound: NanoUsd, now: UnixMs) -> Option<Go> {
        if self.stopping != Stopping::No {
            return Some(Go::Stopping);
        }
        if self.deadline.is_some_and(|deadline| now >= deadline.requests) {
            self.close(StopReason::Deadline);
            return Some(Go::TooLate);
        }
        if self.holding {
            return None;
        }
        match self.budget.reserve(unit, bound) {
            Room::Granted => Some(Go::Yes),
            Room::NotNow => None,
            Room::Never => Some(Go::NoMoney),
        }
    }

    fn send(&mut self, sending: &Sending, answer: oneshot::Sender<Leave>, effects: &mut Effects, now: UnixMs) {
        if let Some(refused) = self.refuses_to_send(now) {
            // A worker that has gone sends nothing either.
            answer.send(refused).ok();
            return;
        }
        let attempt = self.next_attempt;
        self.next_attempt = AttemptId(attempt.0 + 1);
        let Sending { ordinal, stage, key, bound, again } = *sending;
        self.open.insert(attempt, Open { unit: ordinal, bound });
        if let Some(granted) = self.grant.raise_for(bound) {
            effects.event(granted);
        }
        let repeated = self.interrupted.remove(&key);
        effects.event(Event::Sent(Sent { attempt, ordinal, stage, key, bound, repeated, again: Some(again) }));
        effects.after_written.push((answer, attempt));
    }

    /// A request had its money in time and then waited for a slot or for the pacer: the world may have changed.
    fn refuses_to_send(&mut self, now: UnixMs) -> Option<Leave> {
        if self.stopping != Stopping::No {
            return Some(Leave::Stopping);
        }
        if self.deadline.is_some_and(|deadline| now >= deadline.requests) {
            self.close(StopReason::Deadline);
            return Some(Leave::TooLate);
        }
        None
    }

    fn settle(&mut self, Settlement { settled, bound }: Settlement, effects: &mut Effects, now: UnixMs) {
        self.silence.note(&settled.ending, now);
        let open = self.open.remove(&settled.attempt);
        self.pledged = self.pledged.saturating_sub(1);
        self.grant.settle(bound, settled.cost);
        match (&settled.ending, open) {
            (Ending::Declined { .. } | Ending::NotSent, Some(Open { unit, .. })) => self.budget.give_back(unit, bound),
            (Ending::Declined { .. } | Ending::NotSent, None) => self.budget.release(bound),
            (Ending::Replied { .. } | Ending::Unknown { .. }, _) => self.budget.settle(bound, settled.cost),
        }
        if settled.cost > bound {
            let message = "a server billed more than the bound of its request: a cap cannot hold against that; state \
                           its output limit and price";
            effects.event(Event::Warned { message: message.to_owned() });
        }
        let has_cost = settled.cost > NanoUsd::ZERO;
        effects.event(Event::Settled(settled));
        if let Some(alarm) = self.alarm.take_if(|alarm| has_cost && self.budget.spent() >= alarm.at) {
            effects.event(Event::Warned { message: alarm.message });
        }
    }

    /// Says once that the server is down, and gives up after hours.
    fn listen(&mut self, effects: &mut Effects, now: UnixMs) {
        if let Some(message) = self.silence.news(now) {
            effects.event(Event::Warned { message });
        }
        if let (Some(message), Stopping::No) = (self.silence.is_hopeless(now), self.stopping) {
            self.stop(StopReason::Unusable { message });
        }
    }

    /// A unit's path ended. Once admission is closed, nothing is looked for any more.
    fn look(&mut self, last: &Judged) {
        if let (None, Some(narrow)) = (&self.closed, &mut self.narrow) {
            narrow.finish(last);
        }
    }

    fn judge(&mut self, judged: &Judged) {
        match judged.outcome.kind() {
            OutcomeKind::Failed if self.stopping == Stopping::No => self.failures_in_a_row += 1,
            OutcomeKind::Failed | OutcomeKind::NotCached | OutcomeKind::OverBudget | OutcomeKind::PastDeadline => {}
            OutcomeKind::Graded
            | OutcomeKind::EvidenceUnverified
            | OutcomeKind::CannotJudge
            | OutcomeKind::Refused
            | OutcomeKind::Truncated
            | OutcomeKind::Unparsable
            | OutcomeKind::TooLong
            | OutcomeKind::Filtered
            | OutcomeKind::NotRecorded => self.failures_in_a_row = 0,
        }
        if self.failures_in_a_row >= FAILURES_IN_A_ROW {
            let advice = judged.outcome.failure().map(advice).unwrap_or_default();
            let message = format!("{FAILURES_IN_A_ROW} units in a row failed for good{advice}");
            self.stop(StopReason::Unusable { message });
        }
        match judged.repeated.as_ref().filter(|_| !self.split.contains(&judged.stage)) {
            // One by one, as the unit's own name may be that of two models. What was asked at random is in no figure that a
            // mixture could spoil, but whoever wants one model wants to know.
            Some(repeated) => {
                repeated.askings.iter().for_each(|asking| self.check_served(judged.stage, asking.served.as_deref()));
            }
            None => self.check_served(judged.stage, judged.served.as_deref()),
        }
    }

    /// Verdicts of two served models, replayed ones included, are never mixed unnoticed.
    fn check_served(&mut self, stage: Stage, served: Option<&str>) {
        let Some(served) = served else { return };
        match self.served.get(&stage) {
            None => drop(self.served.insert(stage, served.to_owned())),
            Some(first) if first == served => {}
            // What two models confirm is not one count, so nothing follows from looking at it.
            Some(_) if self.split.contains(&stage) => self.narrow = None,
            Some(first) => {
                let (first, then) = (first.clone(), served.to_owned());
                self.stop(StopReason::ModelChanged { stage, first, then });
            }
        }
    }
}

/// What to do after units that failed like this.
const fn advice(failure: FailureKind) -> &'static str {
    match failure {
        FailureKind::Connection | FailureKind::Timeout | FailureKind::RateLimited | FailureKind::Server => {
            ": the grader does not answer; run the same command again once it does"
        }
        FailureKind::Rejected => ": the grader rejects the requests; check `model`, `params` and `structured`",
        FailureKind::BadReply => ": what answers does not speak the API; check `base_url`",
        FailureKind::Interrupted => "",
    }
}

#[cfg(test)]
mod money_tests;
#[cfg(test)]
mod narrow_tests;
#[cfg(test)]
mod tests;

//! The one owner of a run's state. Workers say what they want to do and what happened; this module decides, numbers,
//! and hands out what must go on record. Synchronous: it is tested without a runtime.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::oneshot;

use crate::clock::UnixMs;
use crate::grade::budget::{Budget, Room};
use crate::grade::desk::{Entry, Go, Message, Sending, Stopping};
use crate::model::event::{Admitted, AttemptId, Ending, Event, Judged, Ordinal, Sent, Settled, StopReason};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::outcome::{FailureKind, OutcomeKind};

/// Candidates in a row that may fail for good before the grader counts as unusable.
const FAILURES_IN_A_ROW: u32 = 20;

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
}

/// What is to be done after a message, in this order.
#[derive(Debug, Default)]
pub struct Effects {
    /// Goes into the journal.
    pub events: Vec<Event>,
    /// Answers that may only be given once the events are written.
    pub after_written: Vec<(oneshot::Sender<AttemptId>, AttemptId)>,
}

/// The state of a run.
#[derive(Debug)]
pub struct Coordinator {
    budget: Budget,
    deadline: Option<Deadline>,
    next_attempt: AttemptId,
    interrupted: HashSet<Digest>,
    /// Requests on the wire with what is reserved for them.
    open: BTreeMap<AttemptId, NanoUsd>,
    /// The next unit in order of admission.
    next_unit: Ordinal,
    /// Units that are prepared and not yet admitted; never more than the run's window.
    waiting: BTreeMap<Ordinal, Waiting>,
    closed: Option<StopReason>,
    stopping: Stopping,
    failures_in_a_row: u32,
    served: BTreeMap<Stage, String>,
}

#[derive(Debug)]
struct Waiting {
    unit: Admitted,
    path: NanoUsd,
    answer: oneshot::Sender<Entry>,
}

impl Coordinator {
    /// The state at the beginning of a session.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self {
            budget: start.budget,
            deadline: start.deadline,
            next_attempt: start.next_attempt,
            interrupted: start.interrupted,
            open: BTreeMap::new(),
            next_unit: Ordinal(0),
            waiting: BTreeMap::new(),
            closed: None,
            stopping: Stopping::No,
            failures_in_a_row: 0,
            served: BTreeMap::new(),
        }
    }

    /// How far the run has got in stopping.
    #[must_use]
    pub const fn stopping(&self) -> Stopping {
        self.stopping
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
        self.admit_waiting(effects, now);
    }

    /// Takes note of the time: a deadline closes admission even when no worker says anything.
    pub fn tick(&mut self, effects: &mut Effects, now: UnixMs) {
        self.admit_waiting(effects, now);
    }

    /// Everything that one message leads to.
    pub fn handle(&mut self, message: Message, effects: &mut Effects, now: UnixMs) {
        match message {
            Message::Admit { unit, path, answer } => {
                self.waiting.insert(unit.ordinal, Waiting { unit: *unit, path, answer });
                self.admit_waiting(effects, now);
            }
            Message::Reserve { ordinal, bound, answer } => {
                let go = self.may_go(ordinal, bound, now);
                // A worker that has gone cannot use its reservation.
                if answer.send(go).is_err() && go == Go::Yes {
                    self.budget.release(bound);
                }
            }
            Message::Release { bound } => {
                self.budget.release(bound);
                self.admit_waiting(effects, now);
            }
            Message::Sending { attempt, answer } => self.send(&attempt, answer, effects),
            Message::Settled { settled, bound } => {
                self.settle(settled, bound, effects);
                self.admit_waiting(effects, now);
            }
            Message::Judged(judged) => self.judge(judged, effects),
            Message::Done(unit) => {
                self.budget.close(unit);
                self.admit_waiting(effects, now);
            }
            Message::Warn(message) => effects.events.push(Event::Warned { message }),
            Message::Stop(reason) => self.stop(reason),
        }
    }

    /// Settles what is still on the wire when everybody has gone: nobody knows if it was billed.
    pub fn abandon_open(&mut self, effects: &mut Effects) {
        for (attempt, bound) in std::mem::take(&mut self.open) {
            self.budget.settle(bound, bound);
            let ending = Ending::Unknown { failure: FailureKind::Interrupted };
            effects.events.push(Event::Settled(Settled { attempt, ending, cost: bound, latency_ms: 0 }));
        }
    }

    /// The first reason to close stays the reason, unless a stronger one comes.
    fn close(&mut self, reason: StopReason) {
        let stronger = matches!(reason, StopReason::Unusable { .. } | StopReason::Interrupted);
        let unusable = matches!(self.closed, Some(StopReason::Unusable { .. }));
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
        if self.deadline.is_some_and(|deadline| now >= deadline.admission) {
            self.close(StopReason::Deadline);
        }
        while let Some(first) = self.waiting.first_entry() {
            if self.closed.is_none() && *first.key() != self.next_unit {
                return;
            }
            if self.closed.is_none() {
                match self.budget.open(*first.key(), first.get().path) {
                    Room::Granted => {}
                    Room::NotNow => return,
                    Room::Never => self.closed = Some(StopReason::Budget),
                }
            }
            let Waiting { unit, answer, .. } = first.remove();
            if self.closed.is_some() {
                // A worker that has gone does not need to know.
                answer.send(Entry::Closed).ok();
                continue;
            }
            self.next_unit = Ordinal(unit.ordinal.0 + 1);
            let ordinal = unit.ordinal;
            effects.events.push(Event::Admitted(unit));
            if answer.send(Entry::Admitted).is_err() {
                self.budget.close(ordinal);
            }
        }
    }

    fn may_go(&mut self, ordinal: Ordinal, bound: NanoUsd, now: UnixMs) -> Go {
        if self.stopping != Stopping::No {
            return Go::Stopping;
        }
        if self.deadline.is_some_and(|deadline| now >= deadline.requests) {
            return Go::TooLate;
        }
        match self.budget.reserve(ordinal, bound) {
            Room::Granted => Go::Yes,
            Room::NotNow | Room::Never => Go::NoMoney,
        }
    }

    fn send(&mut self, sending: &Sending, answer: oneshot::Sender<AttemptId>, effects: &mut Effects) {
        let attempt = self.next_attempt;
        self.next_attempt = AttemptId(attempt.0 + 1);
        self.open.insert(attempt, sending.bound);
        let Sending { ordinal, stage, key, bound } = *sending;
        let repeated = self.interrupted.remove(&key);
        effects.events.push(Event::Sent(Sent { attempt, ordinal, stage, key, bound, repeated }));
        effects.after_written.push((answer, attempt));
    }

    fn settle(&mut self, settled: Settled, bound: NanoUsd, effects: &mut Effects) {
        self.open.remove(&settled.attempt);
        self.budget.settle(bound, settled.cost);
        effects.events.push(Event::Settled(settled));
    }

    fn judge(&mut self, judged: Box<Judged>, effects: &mut Effects) {
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
            | OutcomeKind::Filtered => self.failures_in_a_row = 0,
        }
        if self.failures_in_a_row >= FAILURES_IN_A_ROW {
            let message = format!("{FAILURES_IN_A_ROW} units in a row failed for good");
            self.stop(StopReason::Unusable { message });
        }
        self.check_served(judged.stage, judged.served.as_deref());
        effects.events.push(Event::Judged(judged));
    }

    /// Verdicts of two served models are never mixed.
    fn check_served(&mut self, stage: Stage, served: Option<&str>) {
        let Some(served) = served else { return };
        match self.served.get(&stage) {
            None => drop(self.served.insert(stage, served.to_owned())),
            Some(first) if first == served => {}
            Some(first) => {
                let stage = stage.as_str();
                let message = format!(
                    "the {stage} grader was served as `{first}` and then as `{served}`: verdicts of two models are not \
                     mixed; name one snapshot as `model`, or set another `revision` to ask everything again"
                );
                self.stop(StopReason::Unusable { message });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::unit::{Group, UnitId};

    fn unit(ordinal: u64) -> Admitted {
        let id = UnitId { group: Group::default(), conversation: format!("c{ordinal}"), turn: Some(1) };
        Admitted { ordinal: Ordinal(ordinal), unit: id, stratum: 0, content: Digest::of(b"") }
    }

    fn coordinator(cap: Option<u64>, deadline: Option<Deadline>) -> Coordinator {
        let budget = Budget::new(cap.map(NanoUsd), NanoUsd::ZERO);
        let key = Digest::of(b"interrupted");
        Coordinator::new(Start { budget, next_attempt: AttemptId(7), interrupted: HashSet::from([key]), deadline })
    }

    struct Bench {
        coordinator: Coordinator,
        effects: Effects,
    }

    impl Bench {
        fn new(cap: Option<u64>) -> Self {
            Self { coordinator: coordinator(cap, None), effects: Effects::default() }
        }

        fn say(&mut self, message: Message) {
            self.coordinator.handle(message, &mut self.effects, UnixMs(0));
        }

        fn admit(&mut self, ordinal: u64, path: u64) -> oneshot::Receiver<Entry> {
            let (answer, answered) = oneshot::channel();
            self.say(Message::Admit { unit: Box::new(unit(ordinal)), path: NanoUsd(path), answer });
            answered
        }

        fn reserve(&mut self, ordinal: u64, bound: u64) -> Go {
            let (answer, mut answered) = oneshot::channel();
            self.say(Message::Reserve { ordinal: Ordinal(ordinal), bound: NanoUsd(bound), answer });
            answered.try_recv().unwrap()
        }

        fn send(&mut self, ordinal: u64, key: &[u8], bound: u64) -> AttemptId {
            let (answer, _answered) = oneshot::channel();
            let (ordinal, key, bound) = (Ordinal(ordinal), Digest::of(key), NanoUsd(bound));
            self.say(Message::Sending { attempt: Sending { ordinal, stage: Stage::Screen, key, bound }, answer });
            self.effects.after_written.last().unwrap().1
        }
    }

    #[test]
    fn units_enter_in_order_whoever_comes_first() {
        let mut bench = Bench::new(None);
        let mut second = bench.admit(1, 5);
        assert!(second.try_recv().is_err(), "unit 1 waits for unit 0");
        let mut first = bench.admit(0, 5);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Entry::Admitted), Ok(Entry::Admitted)));
        let order: Vec<_> = bench
            .effects
            .events
            .iter()
            .filter_map(|event| if let Event::Admitted(unit) = event { Some(unit.ordinal.0) } else { None })
            .collect();
        assert_eq!(order, [0, 1]);
    }

    #[test]
    fn a_dear_unit_waits_for_money_and_is_not_passed_over() {
        let mut bench = Bench::new(Some(100));
        let _first = bench.admit(0, 60);
        let mut dear = bench.admit(1, 80);
        let mut cheap = bench.admit(2, 1);
        assert!(dear.try_recv().is_err() && cheap.try_recv().is_err());
        assert_eq!(bench.reserve(0, 60), Go::Yes);
        let attempt = bench.send(0, b"k", 60);
        let settled = Settled { attempt, ending: Ending::Replied { usage: None }, cost: NanoUsd(15), latency_ms: 1 };
        bench.say(Message::Settled { settled, bound: NanoUsd(60) });
        assert_eq!(dear.try_recv(), Ok(Entry::Admitted));
        assert_eq!(cheap.try_recv(), Ok(Entry::Admitted));
    }

    #[test]
    fn admission_closes_when_nothing_is_held_and_it_does_not_fit() {
        let mut bench = Bench::new(Some(100));
        let mut dear = bench.admit(0, 101);
        assert_eq!(dear.try_recv(), Ok(Entry::Closed));
        assert_eq!(bench.coordinator.reason(), StopReason::Budget);
        let mut cheap = bench.admit(1, 1);
        assert_eq!(cheap.try_recv(), Ok(Entry::Closed), "no unit overtakes the one that closed admission");
    }

    #[test]
    fn attempts_are_numbered_on_and_repeats_are_marked_once() {
        let mut bench = Bench::new(None);
        assert_eq!(bench.send(0, b"interrupted", 1), AttemptId(7));
        assert_eq!(bench.send(0, b"interrupted", 1), AttemptId(8));
        let repeated: Vec<_> = bench
            .effects
            .events
            .iter()
            .filter_map(|event| if let Event::Sent(sent) = event { Some(sent.repeated) } else { None })
            .collect();
        assert_eq!(repeated, [true, false]);
    }

    #[test]
    fn two_interrupts_drain_and_then_abandon() {
        let mut bench = Bench::new(Some(100));
        let _unit = bench.admit(0, 10);
        assert_eq!(bench.reserve(0, 10), Go::Yes);
        let _attempt = bench.send(0, b"k", 10);
        bench.coordinator.interrupt(&mut bench.effects, UnixMs(0));
        assert_eq!(bench.coordinator.stopping(), Stopping::Draining);
        assert_eq!(bench.reserve(0, 1), Go::Stopping);
        bench.coordinator.interrupt(&mut bench.effects, UnixMs(0));
        assert_eq!(bench.coordinator.stopping(), Stopping::Abandoning);
        bench.coordinator.abandon_open(&mut bench.effects);
        let Some(Event::Settled(settled)) = bench.effects.events.last() else { panic!("the open attempt is settled") };
        assert_eq!(settled.cost, NanoUsd(10), "at its bound");
        assert_eq!(bench.coordinator.reason(), StopReason::Interrupted);
    }

    #[test]
    fn a_deadline_closes_admission_first_and_requests_later() {
        let deadline = Deadline { admission: UnixMs(100), requests: UnixMs(200) };
        let mut coordinator = coordinator(None, Some(deadline));
        let mut effects = Effects::default();
        let (answer, mut entered) = oneshot::channel();
        coordinator.handle(
            Message::Admit { unit: Box::new(unit(0)), path: NanoUsd(1), answer },
            &mut effects,
            UnixMs(99),
        );
        assert_eq!(entered.try_recv(), Ok(Entry::Admitted));
        let mut late = |now, expected| {
            let (answer, mut answered) = oneshot::channel();
            let message = Message::Reserve { ordinal: Ordinal(0), bound: NanoUsd(1), answer };
            coordinator.handle(message, &mut effects, UnixMs(now));
            assert_eq!(answered.try_recv(), Ok(expected));
        };
        late(150, Go::Yes);
        late(200, Go::TooLate);
        coordinator.tick(&mut effects, UnixMs(200));
        assert_eq!(coordinator.reason(), StopReason::Deadline);
    }
}

//! The state machine over small scenes: money, order, stopping.

use super::silence::SILENT_ATTEMPTS;
use super::*;
use crate::model::event::Admitted;
use crate::model::fixture::{graded, judged};
use crate::model::repeats::{JudgedAsking, RepeatCause, Repeated};
use crate::model::unit::{Group, UnitId};
use crate::model::verdict::Judgement;
use crate::run::disks::Disks;

pub(super) fn unit(ordinal: u64) -> Admitted {
    let id = UnitId { group: Group::default(), conversation: format!("c{ordinal}"), turn: Some(1) };
    let content = Digest::of(b"");
    Admitted { ordinal: Ordinal(ordinal), unit: id, stratum: Some(0), content, cluster: None, part: None }
}

fn coordinator(cap: Option<u64>, deadline: Option<Deadline>) -> Coordinator {
    let budget = Budget::new(cap.map(NanoUsd), NanoUsd::ZERO);
    let key = Digest::of(b"interrupted");
    Coordinator::new(Start {
        budget,
        next_attempt: AttemptId(7),
        interrupted: HashSet::from([key]),
        deadline,
        disks: Disks::default(),
        split: BTreeSet::new(),
        alarm: None,
        narrow: None,
    })
}

/// The unit is judged for the last time.
pub(super) fn end(ordinal: u64) -> Message {
    let judged = Box::new(judged(ordinal, Stage::Screen, graded(Judgement::Absent)));
    Message::Judged { judged, settlement: None, is_last: true }
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

    fn ask(&mut self, ordinal: u64, bound: u64) -> oneshot::Receiver<Go> {
        let (answer, answered) = oneshot::channel();
        self.say(Message::Reserve { ordinal: Ordinal(ordinal), bound: NanoUsd(bound), answer });
        answered
    }

    fn reserve(&mut self, ordinal: u64, bound: u64) -> Go {
        self.ask(ordinal, bound).try_recv().unwrap()
    }

    fn settle(&mut self, attempt: AttemptId, ending: Ending, cost: u64, bound: u64) {
        let settled = Settled { attempt, ending, cost: NanoUsd(cost), latency_ms: 1, anchor: None };
        self.say(Message::Settled(Settlement { settled, bound: NanoUsd(bound) }));
    }

    fn end(&mut self, ordinal: u64) {
        self.say(end(ordinal));
    }

    fn send(&mut self, ordinal: u64, key: &[u8], bound: u64) -> AttemptId {
        let (answer, _answered) = oneshot::channel();
        let (ordinal, key, bound) = (Ordinal(ordinal), Digest::of(key), NanoUsd(bound));
        self.say(Message::Sending {
            attempt: Sending { ordinal, stage: Stage::Screen, key, bound, again: false },
            answer,
        });
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
    bench.settle(attempt, Ending::Replied { usage: None }, 15, 60);
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

pub(super) const LIMITED: Ending = Ending::Declined { status: 429, failure: FailureKind::RateLimited };
pub(super) const TIMED_OUT: Ending = Ending::Unknown { failure: FailureKind::Timeout };

#[test]
fn money_of_an_unbilled_attempt_waits_for_the_next_one() {
    let mut bench = Bench::new(Some(100));
    let _first = bench.admit(0, 60);
    let mut second = bench.admit(1, 60);
    assert_eq!(bench.reserve(0, 60), Go::Yes);
    let attempt = bench.send(0, b"k", 60);
    bench.settle(attempt, LIMITED, 0, 60);
    assert!(second.try_recv().is_err(), "no unit takes the place of one that was admitted");
    assert_eq!(bench.reserve(0, 60), Go::Yes);
    let attempt = bench.send(0, b"k", 60);
    bench.settle(attempt, Ending::Replied { usage: None }, 10, 60);
    bench.end(0);
    assert_eq!(second.try_recv(), Ok(Entry::Admitted));
}

#[test]
fn a_retry_waits_for_money_that_may_come_back_and_no_longer() {
    let mut bench = Bench::new(Some(100));
    let _units = [bench.admit(0, 50), bench.admit(1, 50)];
    assert_eq!((bench.reserve(0, 50), bench.reserve(1, 50)), (Go::Yes, Go::Yes));
    let (timed_out, other) = (bench.send(0, b"a", 50), bench.send(1, b"b", 50));
    bench.settle(timed_out, TIMED_OUT, 50, 50);
    let mut retry = bench.ask(0, 50);
    let mut third = bench.admit(2, 1);
    assert!(retry.try_recv().is_err(), "unit 1 may cost less than its bound");
    bench.settle(other, Ending::Replied { usage: None }, 10, 50);
    assert!(retry.try_recv().is_ok_and(|go| go == Go::NoMoney), "nothing is out any more, and 40 is not enough");
    bench.end(0);
    assert_eq!(third.try_recv(), Ok(Entry::Admitted));
}

#[test]
fn a_retry_comes_before_a_new_unit() {
    let mut bench = Bench::new(Some(100));
    let _units = [bench.admit(0, 30), bench.admit(1, 50)];
    assert_eq!((bench.reserve(0, 30), bench.reserve(1, 50)), (Go::Yes, Go::Yes));
    let (timed_out, other) = (bench.send(0, b"a", 30), bench.send(1, b"b", 50));
    bench.settle(timed_out, TIMED_OUT, 30, 30);
    let mut retry = bench.ask(0, 30);
    let mut cheap = bench.admit(2, 10);
    assert!(retry.try_recv().is_err() && cheap.try_recv().is_err());
    bench.settle(other, Ending::Replied { usage: None }, 10, 50);
    assert_eq!((retry.try_recv(), cheap.try_recv()), (Ok(Go::Yes), Ok(Entry::Admitted)));
}

#[test]
fn nobody_waits_for_money_in_a_run_that_is_stopping() {
    let mut bench = Bench::new(Some(100));
    let _units = [bench.admit(0, 50), bench.admit(1, 50)];
    assert_eq!((bench.reserve(0, 50), bench.reserve(1, 50)), (Go::Yes, Go::Yes));
    let (timed_out, _other) = (bench.send(0, b"a", 50), bench.send(1, b"b", 50));
    bench.settle(timed_out, TIMED_OUT, 50, 50);
    let mut retry = bench.ask(0, 50);
    let mut late = bench.admit(2, 50);
    bench.say(Message::Stop(StopReason::Unusable { message: "key".to_owned() }));
    assert_eq!((retry.try_recv(), late.try_recv()), (Ok(Go::Stopping), Ok(Entry::Closed)));
}

#[test]
fn a_grant_is_on_record_before_what_it_pays_for() {
    let mut bench = Bench::new(Some(1_000));
    let _unit = bench.admit(0, 60);
    assert_eq!(bench.reserve(0, 60), Go::Yes);
    let _attempt = bench.send(0, b"k", 60);
    let kinds: Vec<_> = bench.effects.events.iter().map(Event::must_be_durable).collect();
    assert_eq!(kinds, [false, true, false], "admitted, granted, sent");
}

#[test]
fn more_than_the_bound_is_told() {
    let mut bench = Bench::new(Some(100));
    let _unit = bench.admit(0, 10);
    assert_eq!(bench.reserve(0, 10), Go::Yes);
    let attempt = bench.send(0, b"k", 10);
    bench.settle(attempt, Ending::Replied { usage: None }, 11, 10);
    assert!(bench.effects.events.iter().any(|event| matches!(event, Event::Warned { .. })));
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
fn nothing_new_goes_while_a_disk_is_nearly_full_and_all_of_it_goes_after() {
    let mut bench = Bench::new(Some(100));
    let _first = bench.admit(0, 50);
    assert_eq!(bench.reserve(0, 20), Go::Yes);
    let attempt = bench.send(0, b"k", 20);
    bench.coordinator.hold(true);
    let (mut claim, mut second) = (bench.ask(0, 20), bench.admit(1, 10));
    bench.settle(attempt, Ending::Replied { usage: None }, 5, 20);
    assert!(claim.try_recv().is_err() && second.try_recv().is_err(), "with nothing on the wire, they still wait");
    assert!(!bench.coordinator.waits_for_money(), "but not for money");
    bench.coordinator.hold(false);
    bench.coordinator.tick(&mut bench.effects, UnixMs(0));
    assert_eq!((claim.try_recv(), second.try_recv()), (Ok(Go::Yes), Ok(Entry::Admitted)));

    bench.coordinator.hold(true);
    let (mut claim, mut third) = (bench.ask(0, 1), bench.admit(2, 1));
    bench.coordinator.interrupt(&mut bench.effects, UnixMs(0));
    assert_eq!((claim.try_recv(), third.try_recv()), (Ok(Go::Stopping), Ok(Entry::Closed)), "a pause can be ended");
}

#[test]
fn a_deadline_closes_admission_first_and_requests_later() {
    let deadline = Deadline { admission: UnixMs(100), requests: UnixMs(200) };
    let mut coordinator = coordinator(None, Some(deadline));
    let mut effects = Effects::default();
    let (answer, mut entered) = oneshot::channel();
    coordinator.handle(Message::Admit { unit: Box::new(unit(0)), path: NanoUsd(1), answer }, &mut effects, UnixMs(99));
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

/// A unit whose replies were all there.
fn decided(ordinal: u64) -> Decided {
    let judged = Box::new(judged(ordinal, Stage::Screen, graded(Judgement::Absent)));
    let events = vec![Event::Admitted(unit(ordinal)), Event::Judged(judged)];
    Decided { ordinal: Ordinal(ordinal), events, lines: Batch::default() }
}

#[test]
fn a_passed_deadline_turns_away_who_asks_and_whoever_comes_after() {
    let mut coordinator = coordinator(None, Some(Deadline { admission: UnixMs(100), requests: UnixMs(200) }));
    let mut effects = Effects::default();
    let mut late = |message| coordinator.handle(message, &mut effects, UnixMs(999));
    let (answer, mut second) = oneshot::channel();
    late(Message::Admit { unit: Box::new(unit(1)), path: NanoUsd(1), answer });
    assert!(second.try_recv().is_err(), "it waits for unit 0, which may need no time");
    let (answer, mut first) = oneshot::channel();
    late(Message::Decided { units: vec![decided(0)], answer });
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(Entry::Admitted), Ok(Entry::Closed)));
    let (answer, mut third) = oneshot::channel();
    late(Message::Decided { units: vec![decided(2)], answer });
    assert_eq!(third.try_recv(), Ok(Entry::Closed), "no unit overtakes the one that closed admission");
    assert_eq!(coordinator.reason(), StopReason::Deadline);
}

#[test]
fn what_queued_beyond_the_deadline_does_not_leave() {
    let deadline = Deadline { admission: UnixMs(100), requests: UnixMs(200) };
    let mut coordinator = coordinator(Some(50), Some(deadline));
    let mut effects = Effects::default();
    let mut at = |now, message| coordinator.handle(message, &mut effects, UnixMs(now));
    let (entry, _entered) = oneshot::channel();
    at(0, Message::Admit { unit: Box::new(unit(0)), path: NanoUsd(40), answer: entry });
    let (go, mut gone) = oneshot::channel();
    at(199, Message::Reserve { ordinal: Ordinal(0), bound: NanoUsd(40), answer: go });
    assert_eq!(gone.try_recv(), Ok(Go::Yes));
    let sending =
        Sending { ordinal: Ordinal(0), stage: Stage::Screen, key: Digest::of(b"k"), bound: NanoUsd(40), again: false };
    let (number, mut numbered) = oneshot::channel();
    at(200, Message::Sending { attempt: sending, answer: number });
    assert_eq!(numbered.try_recv(), Ok(Leave::TooLate));
    at(200, Message::Release { bound: NanoUsd(40) });
    assert_eq!(coordinator.reason(), StopReason::Deadline);
    assert_eq!(coordinator.budget.open(Ordinal(1), NanoUsd(50)), Room::Granted, "its money is free again");
    assert!(!effects.events.iter().any(|event| matches!(event, Event::Sent(_))), "nothing is on record");
}

#[test]
fn what_queued_when_the_run_was_stopped_does_not_leave() {
    let mut bench = Bench::new(Some(50));
    bench.admit(0, 40);
    assert_eq!(bench.reserve(0, 40), Go::Yes);
    bench.say(Message::Stop(StopReason::Unusable { message: "no such model".to_owned() }));
    let sending =
        Sending { ordinal: Ordinal(0), stage: Stage::Screen, key: Digest::of(b"k"), bound: NanoUsd(40), again: false };
    let (answer, mut answered) = oneshot::channel();
    bench.say(Message::Sending { attempt: sending, answer });
    assert_eq!(answered.try_recv(), Ok(Leave::Stopping));
    assert!(!bench.effects.events.iter().any(|event| matches!(event, Event::Sent(_))), "nothing is on record");
}

#[test]
fn a_second_served_model_stops_the_run_unless_the_stage_is_split() {
    let served = |stage, model: &str| {
        let judged = crate::model::fixture::judged(0, stage, crate::model::outcome::Outcome::Refused);
        let judged = Box::new(Judged { served: Some(model.to_owned()), ..judged });
        Message::Judged { judged, settlement: None, is_last: false }
    };
    for (split, stopping) in [(BTreeSet::new(), Stopping::Draining), (BTreeSet::from([Stage::Screen]), Stopping::No)] {
        let mut bench = Bench::new(None);
        bench.coordinator.split = split;
        bench.say(served(Stage::Screen, "a"));
        bench.say(served(Stage::Confirm, "b"));
        bench.say(served(Stage::Screen, "b"));
        assert_eq!(bench.coordinator.stopping(), stopping);
    }
}

#[test]
fn a_repeat_that_another_model_served_stops_the_run_even_where_it_decides_nothing() {
    let asking = |model: &str| JudgedAsking {
        outcome: graded(Judgement::Absent),
        key: None,
        served: Some(model.to_owned()),
        chunks: Vec::new(),
    };
    for (second, split, stopping) in [
        ("a", BTreeSet::new(), Stopping::No),
        ("b", BTreeSet::new(), Stopping::Draining),
        ("b", BTreeSet::from([Stage::Screen]), Stopping::No),
    ] {
        let mut bench = Bench::new(None);
        bench.coordinator.split = split;
        let judged = judged(0, Stage::Screen, graded(Judgement::Absent));
        let repeated = Repeated { cause: RepeatCause::Random, askings: vec![asking("a"), asking(second)] };
        let judged = Judged { served: Some("a".to_owned()), repeated: Some(Box::new(repeated)), ..judged };
        bench.say(Message::Judged { judged: Box::new(judged), settlement: None, is_last: true });
        assert_eq!(bench.coordinator.stopping(), stopping, "{second}");
    }
    // The first unit of a run may mix two models by itself.
    let mut bench = Bench::new(None);
    let repeated = Repeated { cause: RepeatCause::Flagged, askings: vec![asking("a"), asking("b"), asking("a")] };
    let judged = judged(0, Stage::Screen, graded(Judgement::Absent));
    let judged = Judged { served: Some("a and b".to_owned()), repeated: Some(Box::new(repeated)), ..judged };
    bench.say(Message::Judged { judged: Box::new(judged), settlement: None, is_last: true });
    let reason = StopReason::ModelChanged { stage: Stage::Screen, first: "a".to_owned(), then: "b".to_owned() };
    assert_eq!(bench.coordinator.closed, Some(reason));
}

#[test]
fn a_warning_is_due_once_when_the_money_runs_out() {
    let mut bench = Bench::new(Some(100));
    bench.coordinator.alarm = Some(Alarm { at: NanoUsd(80), message: "80%".to_owned() });
    for (ordinal, cost) in [(0, 79), (1, 1), (2, 5)] {
        let _entered = bench.admit(ordinal, cost);
        assert_eq!(bench.reserve(ordinal, cost), Go::Yes);
        let attempt = bench.send(ordinal, b"k", cost);
        bench.settle(attempt, Ending::Replied { usage: None }, cost, cost);
        let warned = bench.effects.events.iter().filter(|event| matches!(event, Event::Warned { .. })).count();
        assert_eq!(warned, usize::from(ordinal > 0), "after unit {ordinal}");
    }
}

#[test]
fn a_silent_grader_is_told_of_once_and_given_up_on_after_hours() {
    let mut bench = Bench::new(None);
    let minute = 60_000;
    let warned =
        |bench: &Bench| bench.effects.events.iter().filter(|event| matches!(event, Event::Warned { .. })).count();
    let answer = |bench: &mut Bench, ending, at| {
        let attempt = bench.send(0, b"key", 1);
        let settled = Settled { attempt, ending, cost: NanoUsd(0), latency_ms: 1, anchor: None };
        let message = Message::Settled(Settlement { settled, bound: NanoUsd(1) });
        bench.coordinator.handle(message, &mut bench.effects, UnixMs(at));
    };
    for _ in 0..SILENT_ATTEMPTS {
        answer(&mut bench, Ending::NotSent, 0);
    }
    bench.coordinator.tick(&mut bench.effects, UnixMs(minute - 1));
    assert_eq!(warned(&bench), 0, "less than a minute is not worth a word");
    answer(&mut bench, Ending::Replied { usage: None }, minute);
    bench.coordinator.tick(&mut bench.effects, UnixMs(5 * minute));
    assert_eq!(warned(&bench), 0, "it is there again");
    for _ in 0..SILENT_ATTEMPTS {
        answer(&mut bench, Ending::Declined { status: 503, failure: FailureKind::Server }, 10 * minute);
    }
    for at in 11..129 {
        answer(&mut bench, Ending::NotSent, at * minute);
        bench.coordinator.tick(&mut bench.effects, UnixMs(at * minute));
    }
    assert_eq!((warned(&bench), bench.coordinator.stopping()), (1, Stopping::No));
    bench.coordinator.tick(&mut bench.effects, UnixMs(130 * minute));
    assert_eq!(bench.coordinator.stopping(), Stopping::Draining);
    assert!(matches!(bench.coordinator.reason(), StopReason::Unusable { .. }));
}

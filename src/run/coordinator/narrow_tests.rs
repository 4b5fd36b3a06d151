//! Stopping because enough is known, over the messages of workers.

use super::tests::unit;
use super::*;
use crate::model::event::Planned;
use crate::model::fixture::{graded, judged, planned};
use crate::model::outcome::Outcome;
use crate::model::stop::{Look, RelativeWidth, StopWhen};
use crate::model::verdict::Judgement::{Absent, Present};
use crate::reconcile::Definitions;
use crate::run::disks::Disks;

const PLANNED: u64 = 5_000;

struct Night {
    coordinator: Coordinator,
    effects: Effects,
    next: u64,
}

impl Night {
    /// A night whose earlier sessions admitted so many units.
    fn new(earlier: u64) -> Self {
        let relative_width = RelativeWidth::new(0.5).unwrap();
        let plan = planned(&[("core", "rl", 8_000, PLANNED)]);
        let plan = Planned { stop_when: Some(StopWhen { relative_width }), ..plan };
        let narrow = Narrow::of(&plan, &Definitions::plain(true), Ordinal(earlier)).unwrap();
        let coordinator = Coordinator::new(Start {
            budget: Budget::new(None, NanoUsd::ZERO),
            next_attempt: AttemptId(0),
            interrupted: HashSet::new(),
            deadline: None,
            disks: Disks::default(),
            split: BTreeSet::new(),
            alarm: None,
            narrow,
        });
        Self { coordinator, effects: Effects::default(), next: 0 }
    }

    fn say(&mut self, message: Message) {
        self.coordinator.handle(message, &mut self.effects, UnixMs(0));
        self.effects = Effects::default();
    }

    /// Whether the next unit is let in.
    fn admit(&mut self) -> bool {
        let (answer, mut answered) = oneshot::channel();
        self.say(Message::Admit { unit: Box::new(unit(self.next)), path: NanoUsd::ZERO, answer });
        self.next += 1;
        answered.try_recv().unwrap() == Entry::Admitted
    }

    fn end(&mut self, ordinal: u64, stage: Stage, outcome: Outcome, is_last: bool) {
        let judged = Box::new(judged(ordinal, stage, outcome));
        self.say(Message::Judged { judged, settlement: None, is_last });
    }

    /// Every eighth unit is flagged and upheld.
    fn grade(&mut self, ordinal: u64) {
        if ordinal % 8 == 3 {
            self.end(ordinal, Stage::Screen, graded(Present), false);
            self.end(ordinal, Stage::Confirm, graded(Present), true);
        } else {
            self.end(ordinal, Stage::Screen, graded(Absent), true);
        }
    }

    /// Goes on with so many units at once, the last one ending first, until admission closes or everything is in.
    fn go_on(&mut self, together: u64) -> Option<Look> {
        while self.next < PLANNED {
            let first = self.next;
            let admitted = (0..together).take_while(|_| self.next < PLANNED && self.admit()).count() as u64;
            (first..first + admitted).rev().for_each(|unit| self.grade(unit));
            if self.coordinator.closed.is_some() {
                break;
            }
        }
        let reason = self.coordinator.reason();
        if let StopReason::NarrowEnough(look) = reason {
            return Some(*look);
        }
        assert_eq!(reason, StopReason::Finished);
        None
    }
}

#[test]
fn a_run_stops_at_the_same_look_however_many_units_are_on_their_way() {
    let alone = Night::new(0).go_on(1).unwrap();
    assert!(alone.units < PLANNED && alone.width.get() <= 0.5, "{alone:?}");
    for together in [7, 300, 1_500] {
        assert_eq!(Night::new(0).go_on(together).as_ref(), Some(&alone), "{together} at once");
    }
}

#[test]
fn what_is_admitted_finishes_and_nothing_new_is() {
    let mut night = Night::new(0);
    let look = Night::new(0).go_on(1).unwrap();
    let beyond = look.units + 5;
    for _ in 0..beyond {
        assert!(night.admit());
    }
    (0..look.units).for_each(|unit| night.grade(unit));
    assert!(!night.admit(), "the look closed admission");
    assert_eq!(night.coordinator.reason(), StopReason::NarrowEnough(Box::new(look)));
    assert_eq!(night.coordinator.stopping(), Stopping::No);
    let (answer, mut answered) = oneshot::channel();
    night.say(Message::Reserve { ordinal: Ordinal(beyond - 1), bound: NanoUsd(1), answer });
    assert_eq!(answered.try_recv(), Ok(Go::Yes));
    night.coordinator.interrupt(&mut night.effects, UnixMs(0));
    assert_eq!(night.coordinator.reason(), StopReason::Interrupted, "then it did not finish what it admitted");
}

#[test]
fn what_earlier_sessions_admitted_is_admitted_again() {
    let look = Night::new(0).go_on(1).unwrap();
    let mut night = Night::new(look.units + 20);
    assert_eq!(night.go_on(1).as_ref(), Some(&look), "the look is the same");
    assert_eq!(night.next, look.units + 21, "and twenty more are in; the next one was turned away");
}

#[test]
fn a_look_that_turns_nobody_away_is_not_why_a_run_ends() {
    let mut night = Night::new(0);
    for _ in 0..PLANNED {
        assert!(night.admit());
    }
    (0..PLANNED).for_each(|unit| night.grade(unit));
    assert_eq!(night.coordinator.reason(), StopReason::Finished);
}

#[test]
fn no_look_comes_after_a_unit_that_was_cut_off() {
    for outcome in [Outcome::NotCached, Outcome::OverBudget, Outcome::PastDeadline] {
        let mut night = Night::new(0);
        assert!(night.admit());
        night.end(0, Stage::Screen, outcome, true);
        assert_eq!(night.go_on(1), None);
        assert_eq!(night.next, PLANNED);
    }
}

#[test]
fn a_replay_stops_at_the_look_itself() {
    let look = Night::new(0).go_on(64).unwrap();
    let mut night = Night::new(0);
    let mut admitted = 0;
    for first in (0..PLANNED).step_by(64) {
        let decided = |ordinal: u64| {
            let stage = |stage, verdict| Event::Judged(Box::new(judged(ordinal, stage, graded(verdict))));
            let mut events = vec![Event::Admitted(unit(ordinal))];
            if ordinal % 8 == 3 {
                events.extend([stage(Stage::Screen, Present), stage(Stage::Confirm, Present)]);
            } else {
                events.push(stage(Stage::Screen, Absent));
            }
            Decided { ordinal: Ordinal(ordinal), events, lines: Batch::default() }
        };
        let units = (first..(first + 64).min(PLANNED)).map(decided).collect();
        let (answer, _answered) = oneshot::channel();
        night.coordinator.handle(Message::Decided { units, answer }, &mut night.effects, UnixMs(0));
        let effects = std::mem::take(&mut night.effects);
        admitted += effects.events.iter().filter(|event| matches!(event, Event::Admitted(_))).count() as u64;
    }
    assert_eq!(admitted, look.units);
    assert_eq!(night.coordinator.reason(), StopReason::NarrowEnough(Box::new(look)));
}

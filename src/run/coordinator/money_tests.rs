//! Money over whole nights: whatever is admitted, sent, answered, lost or killed, and in whatever order, the bill stays
//! under the cap and under what the journal says.

use proptest::prelude::*;

use super::tests::{LIMITED, TIMED_OUT, end, unit};
use super::*;
use crate::model::event::Opened;
use crate::model::fixture::opened;
use crate::run::account::spent_by;
use crate::run::disks::Disks;

const CAP: NanoUsd = NanoUsd(1_000);

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Admit,
    Reserve,
    Send,
    Reply,
    Decline,
    TimeOut,
    Done,
    Release,
    /// `kill -9`: every line is there.
    Kill,
    /// The machine stops: lines that were not synced may be gone.
    PowerFailure,
}

/// A step, which of the possible objects it concerns, and an amount.
fn step() -> impl Strategy<Value = (Step, usize, u64)> {
    let steps = prop_oneof![
        6 => Just(Step::Admit),
        8 => Just(Step::Reserve),
        8 => Just(Step::Send),
        4 => Just(Step::Reply),
        2 => Just(Step::Decline),
        2 => Just(Step::TimeOut),
        3 => Just(Step::Done),
        1 => Just(Step::Release),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerFailure),
    ];
    (steps, 0..16_usize, 1..60_u64)
}

/// A run over several sessions, and the other side's books.
struct Night {
    coordinator: Coordinator,
    journal: Vec<Event>,
    boot: u32,
    next_unit: u64,
    entering: Vec<(u64, oneshot::Receiver<Entry>)>,
    admitted: Vec<u64>,
    asking: Vec<(u64, NanoUsd, oneshot::Receiver<Go>)>,
    pledged: Vec<(u64, NanoUsd)>,
    wire: Vec<(AttemptId, NanoUsd)>,
    /// By the other side.
    billed: NanoUsd,
}

impl Night {
    fn new() -> Self {
        let mut night = Self {
            coordinator: coordinator(NanoUsd::ZERO, AttemptId(0)),
            journal: Vec::new(),
            boot: 0,
            next_unit: 0,
            entering: Vec::new(),
            admitted: Vec::new(),
            asking: Vec::new(),
            pledged: Vec::new(),
            wire: Vec::new(),
            billed: NanoUsd::ZERO,
        };
        night.open_session();
        night
    }

    fn boot(&self) -> String {
        format!("boot {}", self.boot)
    }

    fn open_session(&mut self) {
        let Event::Opened(opened) = opened(0) else { panic!("a session begins with `Opened`") };
        let boot = Some(self.boot());
        self.journal.push(Event::Opened(Opened { boot, earlier_synced: true, ..opened }));
    }

    fn say(&mut self, message: Message) -> Vec<AttemptId> {
        let mut effects = Effects::default();
        self.coordinator.handle(message, &mut effects, UnixMs(0));
        self.journal.append(&mut effects.events);
        let sent = effects.after_written.into_iter().map(|(_, attempt)| attempt).collect();
        self.hear();
        sent
    }

    /// Takes note of what was answered.
    fn hear(&mut self) {
        let admitted = &mut self.admitted;
        self.entering.retain_mut(|(unit, answer)| match answer.try_recv() {
            Ok(entry) => {
                admitted.extend((entry == Entry::Admitted).then_some(*unit));
                false
            }
            Err(_) => true,
        });
        let pledged = &mut self.pledged;
        self.asking.retain_mut(|(unit, bound, answer)| match answer.try_recv() {
            Ok(go) => {
                pledged.extend((go == Go::Yes).then_some((*unit, *bound)));
                false
            }
            Err(_) => true,
        });
    }

    fn settle(&mut self, which: usize, ending: Ending, billed: impl FnOnce(NanoUsd) -> NanoUsd, presumed: bool) {
        let Some((attempt, bound)) = pick(&mut self.wire, which) else { return };
        let billed = billed(bound);
        self.billed += billed;
        let cost = if presumed { bound } else { billed };
        let settled = Settled { attempt, ending, cost, latency_ms: 0, anchor: None };
        self.say(Message::Settled(Settlement { settled, bound }));
    }

    fn take(&mut self, (step, which, amount): (Step, usize, u64)) {
        match step {
            Step::Admit => {
                let (answer, answered) = oneshot::channel();
                self.entering.push((self.next_unit, answered));
                let unit = Box::new(unit(self.next_unit));
                self.next_unit += 1;
                self.say(Message::Admit { unit, path: NanoUsd(amount * 2), answer });
            }
            Step::Reserve if !self.admitted.is_empty() => {
                let unit = self.admitted[which % self.admitted.len()];
                let (answer, answered) = oneshot::channel();
                self.asking.push((unit, NanoUsd(amount), answered));
                self.say(Message::Reserve { ordinal: Ordinal(unit), bound: NanoUsd(amount), answer });
            }
            Step::Send => {
                let Some((unit, bound)) = pick(&mut self.pledged, which) else { return };
                let (answer, _answered) = oneshot::channel();
                let key = Digest::of(&amount.to_le_bytes());
                let attempt = Sending { ordinal: Ordinal(unit), stage: Stage::Screen, key, bound, again: false };
                let sent = self.say(Message::Sending { attempt, answer });
                if sent.is_empty() {
                    self.say(Message::Release { bound });
                }
                self.wire.extend(sent.into_iter().map(|attempt| (attempt, bound)));
            }
            Step::Reply => {
                self.settle(which, Ending::Replied { usage: None }, |bound| NanoUsd(amount).min(bound), false);
            }
            Step::Decline => self.settle(which, LIMITED, |_| NanoUsd::ZERO, false),
            Step::TimeOut => self.settle(which, TIMED_OUT, |bound| NanoUsd(amount).min(bound), true),
            Step::Done => {
                if let Some(unit) = pick(&mut self.admitted, which) {
                    self.say(end(unit));
                }
            }
            Step::Release => {
                if let Some((_, bound)) = pick(&mut self.pledged, which) {
                    self.say(Message::Release { bound });
                }
            }
            Step::Kill => self.resume(amount),
            Step::PowerFailure => {
                let durable = self.journal.iter().rposition(Event::must_be_durable).map_or(0, |last| last + 1);
                // A session puts the lines of earlier ones on the disk; its own first line may be lost.
                let opened = self.journal.iter().rposition(|event| matches!(event, Event::Opened(_)));
                let kept = durable.max(opened.unwrap_or_default());
                self.journal.truncate(kept.max(self.journal.len().saturating_sub(which)));
                self.boot += 1;
                self.resume(amount);
            }
            Step::Reserve => {}
        }
    }

    /// The process is gone; what was on the wire may have been billed, up to its bound. The next one looks back.
    fn resume(&mut self, amount: u64) {
        for (_, bound) in std::mem::take(&mut self.wire) {
            self.billed += NanoUsd(amount).min(bound);
        }
        let mut open = BTreeMap::new();
        let mut next = AttemptId(0);
        for event in &self.journal {
            if let Event::Sent(sent) = event {
                open.insert(sent.attempt, sent.bound);
                next = next.max(AttemptId(sent.attempt.0 + 1));
            } else if let Event::Settled(settled) = event {
                open.remove(&settled.attempt);
            }
        }
        let spent = self.spent();
        self.open_session();
        for (attempt, cost) in open {
            let ending = Ending::Unknown { failure: FailureKind::Interrupted };
            self.journal.push(Event::Settled(Settled { attempt, ending, cost, latency_ms: 0, anchor: None }));
        }
        self.coordinator = coordinator(spent, next);
        self.next_unit = 0;
        self.entering.clear();
        self.admitted.clear();
        self.asking.clear();
        self.pledged.clear();
    }

    /// What the journal says.
    fn spent(&self) -> NanoUsd {
        spent_by(&self.journal, Some(&self.boot()))
    }
}

fn coordinator(spent: NanoUsd, next_attempt: AttemptId) -> Coordinator {
    let budget = Budget::new(Some(CAP), spent);
    Coordinator::new(Start {
        budget,
        next_attempt,
        interrupted: HashSet::new(),
        deadline: None,
        disks: Disks::default(),
        split: BTreeSet::new(),
        alarm: None,
        narrow: None,
    })
}

fn pick<T>(among: &mut Vec<T>, which: usize) -> Option<T> {
    (!among.is_empty()).then(|| among.swap_remove(which % among.len()))
}

proptest! {
    #[test]
    fn the_bill_stays_under_the_cap_and_under_the_journal(steps in prop::collection::vec(step(), 1..400)) {
        let mut night = Night::new();
        for step in steps {
            night.take(step);
            let may_still_be_billed: NanoUsd = night.wire.iter().map(|(_, bound)| *bound).sum();
            prop_assert!(night.billed + may_still_be_billed <= CAP, "{} + {}", night.billed, may_still_be_billed);
            let spent = night.spent();
            prop_assert!(night.billed <= spent, "{} billed, and the journal says {spent}", night.billed);
            prop_assert!(spent <= CAP, "{spent}");
        }
    }
}

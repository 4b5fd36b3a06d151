//! Keeps units coming: prepared many at a time and in any order, handed on in order of admission, and no more of them
//! followed at once than the window holds. Decided units pass without a place in it. However long conversations are,
//! those in memory take no more than a fixed room, and one conversation more for each batch.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::anchors::visit;
use super::pipeline::{Bench, Candidate, Gate, PipelineError, Ready, follow, pass, prepare};
use crate::grade::desk::{Decided, Desk, Entry, Message};
use crate::grade::stage::StageError;
use crate::model::anchor::due;
use crate::model::event::StopReason;

/// Units that one thread prepares in one go: a millisecond's work.
const TOGETHER: u64 = 64;
/// Batches that are prepared, or pass, at the same time: enough for a few cores.
const BATCHES: usize = 8;
/// The same, while prepared units wait for a place in the window: more would only wait longer, in memory.
const BATCHES_AHEAD: usize = 2;
/// Conversations in one batch, in bytes of JSON, with their questions: what is left of the batch waits.
const BATCH_BYTES: usize = 4 << 20;
/// Conversations of units that are followed or queue, in bytes of JSON, with their questions, beyond which nothing more is
/// prepared: a question can be as long as its conversation, and 512 slots should have work where both take 100 kB.
const HELD_BYTES: usize = 128 << 20;

/// Visits to anchors at the same time: they are one request in a hundred, and hold no place in the window.
const VISITS: usize = 8;

/// What one task came to.
pub(super) enum Step {
    /// Units of this range are prepared: all, or as many as there was room for. The bench is free again.
    Prepared(Range<u64>, Vec<Ready>, Box<Bench>),
    /// So many decided units have passed, or were turned away.
    Passed(Entry, u64),
    /// A unit, whose conversation took so many bytes, was followed to its end, or turned away.
    Followed(Entry, usize),
    /// An anchor was graded again, or did not need to be.
    Visited,
}

struct Feed {
    gate: Arc<Gate>,
    desk: Desk,
    steps: JoinSet<Result<Step, StageError>>,
    /// Whether admission is open, as far as anybody has heard.
    open: bool,
    /// The first unit that nobody has begun to prepare.
    next: u64,
    /// The first unit that was not handed on.
    due: u64,
    /// Batches that are prepared before their turn, by their first unit; at most [`BATCHES`].
    early: BTreeMap<u64, Vec<Ready>>,
    /// What there was no room for: from a unit to the end of its batch.
    left: BTreeMap<u64, u64>,
    /// Units with a question that wait for a place in the window: at most all that were being prepared when there was
    /// last a place in it.
    queue: VecDeque<Candidate>,
    /// Conversations of units that queue or are followed, in bytes.
    held: usize,
    preparing: usize,
    /// What nobody prepares on; at most as many as there are batches.
    benches: Vec<Bench>,
    passing: usize,
    followed: usize,
    /// Admitted units that have ended.
    ended: u64,
    /// Whether a unit of the run has a question: what asks nothing visits no anchors.
    asks: bool,
    /// The first visit to an anchor that nobody has begun.
    next_visit: u64,
    visiting: usize,
}

/// Takes every unit through until all have ended or admission closed. After an error nothing new is sent, and what is on
/// the wire is waited for and kept all the same: it is paid for.
///
/// # Errors
/// The first error of any unit.
pub(super) async fn feed(gate: Arc<Gate>, desk: Desk) -> Result<(), PipelineError> {
    let mut signal = desk.clone();
    let mut feed = Feed {
        asks: gate.has_asked,
        gate,
        desk,
        steps: JoinSet::new(),
        open: true,
        next: 0,
        due: 0,
        early: BTreeMap::new(),
        left: BTreeMap::new(),
        queue: VecDeque::new(),
        held: 0,
        preparing: 0,
        benches: Vec::new(),
        passing: 0,
        followed: 0,
        ended: 0,
        next_visit: 0,
        visiting: 0,
    };
    let mut failure = None;
    loop {
        feed.start();
        let ended = tokio::select! {
            ended = feed.steps.join_next() => ended,
            () = signal.abandoned() => {
                feed.steps.shutdown().await;
                break;
            }
        };
        let error = match ended {
            None => break,
            Some(Ok(Ok(step))) => {
                feed.step(step);
                continue;
            }
            Some(Ok(Err(error))) => PipelineError::from(error),
            Some(Err(died)) => PipelineError::Worker(died.to_string()),
        };
        feed.open = false;
        if failure.is_none() {
            let message = error.to_string();
            failure = Some(error);
            // Where the coordinator has gone, everybody else hears of it by themselves.
            feed.desk.say(Message::Stop(StopReason::Unusable { message })).await.ok();
        }
    }
    failure.map_or(Ok(()), Err)
}

impl Feed {
    /// Starts whatever there is room for.
    fn start(&mut self) {
        while self.open && self.followed < self.gate.window.size() {
            let Some(candidate) = self.queue.pop_front() else { break };
            self.followed += 1;
            self.asks = true;
            self.steps.spawn(follow(Arc::clone(&self.gate), candidate, self.desk.clone()));
        }
        self.start_visits();
        while let Some(range) = self.wanted() {
            self.preparing += 1;
            let (gate, bench) = (Arc::clone(&self.gate), self.benches.pop().unwrap_or_default());
            self.steps.spawn_blocking(move || prepared(&gate, range, bench));
        }
    }

    /// Starts the visits to anchors that are due, a few at a time. They ask like first screens: whatever a unit that is under
    /// way still needs goes first.
    fn start_visits(&mut self) {
        let Some(anchors) = self.gate.anchors.clone().filter(|_| self.open && self.asks) else { return };
        let due = due(self.ended, anchors.plan());
        while self.visiting < VISITS && self.next_visit < due {
            let (anchors, number, desk) = (Arc::clone(&anchors), self.next_visit, self.desk.clone());
            (self.visiting, self.next_visit) = (self.visiting + 1, self.next_visit + 1);
            self.steps.spawn(async move { visit(anchors, number, desk).await.map(|()| Step::Visited) });
        }
    }

    /// The units to prepare now, if there is room for any.
    fn wanted(&mut self) -> Option<Range<u64>> {
        if !self.open || self.queue.len() as u64 >= TOGETHER || self.held >= HELD_BYTES {
            return None;
        }
        // Everybody waits for these, so they need no place among the batches.
        if let Some(end) = self.left.remove(&self.due) {
            return Some(self.due..end);
        }
        let batches = self.preparing + self.early.len() + self.passing;
        let range = self.next..self.gate.units.len().min(self.next + TOGETHER);
        let most = if self.queue.is_empty() { BATCHES } else { BATCHES_AHEAD };
        if batches >= most || range.is_empty() {
            return None;
        }
        self.next = range.end;
        Some(range)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Prepared(range, units, bench) => {
                self.preparing -= 1;
                self.benches.push(*bench);
                let end = range.start + units.len() as u64;
                if end < range.end {
                    self.left.insert(end, range.end);
                }
                self.early.insert(range.start, units);
                while let Some(units) = self.early.remove(&self.due) {
                    self.due += units.len() as u64;
                    self.hand_on(units);
                }
            }
            Step::Passed(entry, units) => {
                self.passing -= 1;
                self.ended += if entry == Entry::Admitted { units } else { 0 };
                self.open &= entry == Entry::Admitted;
            }
            Step::Visited => self.visiting -= 1,
            Step::Followed(entry, bytes) => {
                self.followed -= 1;
                self.ended += u64::from(entry == Entry::Admitted);
                self.held -= bytes;
                self.open &= entry == Entry::Admitted;
            }
        }
    }

    fn hand_on(&mut self, units: Vec<Ready>) {
        let mut decided: Vec<Decided> = Vec::new();
        for unit in units {
            match unit {
                Ready::Decided(unit) => decided.push(unit),
                Ready::Asks(candidate) => {
                    self.held += candidate.bytes;
                    self.queue.push_back(*candidate);
                }
            }
        }
        if !decided.is_empty() && self.open {
            self.passing += 1;
            self.steps.spawn(pass(decided, self.desk.clone()));
        }
    }
}

fn prepared(gate: &Gate, range: Range<u64>, mut bench: Bench) -> Result<Step, StageError> {
    let units = prepare(gate, range.clone(), BATCH_BYTES, &mut bench)?;
    Ok(Step::Prepared(range, units, Box::new(bench)))
}

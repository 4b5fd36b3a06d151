//! The one place where stages meet. A unit's way through this file, top to bottom:
//!
//! `run` feeds units in order of admission through `prepare`, which reads them, renders their questions and looks their
//! replies up, many at a time. A unit whose replies are all there is decided and goes to the coordinator as it is. Any
//! other is taken on by `follow`: it waits for its admission, is screened, confirmed if it is flagged, each as often as the
//! policy of repeats says (`repeater`), and reported. The
//! coordinator, at the same time, admits, decides, journals and shows every event.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::anchors::Anchors;
use super::coordinator::{Coordinator, Effects, Start};
use super::disks::{DiskNotice, Disks};
use super::feed::{Step, feed};
use super::gates::Window;
use super::repeater::{self, Repeater, Sitting};
use super::shutdown::Interrupts;
use crate::cache::units::{ReadBuffers, SelectedUnit, Units};
use crate::clock::{self, UnixMs};
use crate::grade::desk::{Decided, Desk, Entry, Leave, Message, Stopping};
use crate::grade::stage::{Scratch, StageError};
use crate::journal::{Batch, JournalError, Writer};
use crate::model::event::{Admitted, Event, Ordinal, Part, StopReason};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::model::unit::UnitKind;
use crate::reconcile::Definitions;
use crate::source::cluster_of;

/// Units that are followed at once beyond the slots, at most: those that wait for a retry or a gate hold no slot.
const WAITING: usize = 512;
/// Messages to the coordinator that may queue: a few per unit of the window; workers wait beyond that.
const QUEUE: usize = 1_024;
/// The journal lines of a decided unit, mostly.
const DECIDED_BYTES: usize = 1 << 10;
/// Messages that are handled between two writes of the journal.
const BATCH: usize = 256;

/// The machine rule, ready for units.
#[derive(Debug)]
pub struct Gate {
    /// Known positives, then the selected units, each in order of admission.
    pub units: Units,
    /// The first grading.
    pub screen: Repeater,
    /// The second grading, of what is flagged.
    pub confirm: Option<Repeater>,
    /// Whether known positives are asked about a second time as well.
    pub confirms_known: bool,
    /// What is asked again on purpose, if anything.
    pub(super) anchors: Option<Arc<Anchors>>,
    /// Whether an earlier session of the run has asked anything: then anchors are visited, whatever this one asks.
    pub has_asked: bool,
    /// What flags.
    pub definitions: Definitions,
    /// Units that are followed at once.
    pub window: Window,
    /// What was drawn: single turns or whole conversations.
    pub sample_by: UnitKind,
    /// The metadata field whose values are the clusters; conversations are where there is none.
    pub cluster_by: Option<String>,
}

impl Gate {
    /// The second grader, where this unit goes to one if it is flagged.
    fn confirmer_of(&self, unit: &SelectedUnit) -> Option<&Repeater> {
        self.confirm.as_ref().filter(|_| unit.stratum.is_some() || self.confirms_known)
    }

    /// A stage that the run has.
    pub(super) fn stage(&self, stage: Stage) -> &Repeater {
        match stage {
            Stage::Screen => &self.screen,
            Stage::Confirm => self.confirm.as_ref().expect("only a run with a confirmer has second questions"),
        }
    }
}

/// What the caller is shown while the run goes on.
#[derive(Debug)]
pub enum Notice<'a> {
    /// Something happened; it is in the journal already.
    Event(&'a Event),
    /// A second passed.
    Tick {
        /// Whether a request or a unit waits for money that is held for others.
        waits_for_money: bool,
    },
    /// Somebody asked the run to stop.
    Stopping(Stopping),
    /// The run pauses for lack of room on a disk, or goes on.
    Disk(DiskNotice),
}

/// Why a run broke off with an error of its own.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A stage cannot go on.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A worker died.
    #[error("a worker stopped unexpectedly: {0}")]
    Worker(String),
}

/// Follows every unit to its end, or until the run is stopped. Returns why it ended; all events are in the journal.
///
/// # Errors
/// If a reply or an event cannot be kept. Everything that was acknowledged before is on disk.
pub async fn run(
    gate: Gate,
    start: Start,
    journal: &Writer,
    interrupts: Interrupts,
    observe: impl FnMut(Notice<'_>),
) -> Result<StopReason, PipelineError> {
    serve(|desk| feed(Arc::new(gate), desk), start, journal, interrupts, observe).await
}

/// Does what asks through a desk, with a coordinator behind it that admits, reserves and journals. Returns why it ended.
///
/// # Errors
/// If a reply or an event cannot be kept.
pub(super) async fn serve<F: Future<Output = Result<(), PipelineError>>>(
    work: impl FnOnce(Desk) -> F,
    mut start: Start,
    journal: &Writer,
    interrupts: Interrupts,
    observe: impl FnMut(Notice<'_>),
) -> Result<StopReason, PipelineError> {
    let (queue, messages) = mpsc::channel(QUEUE);
    let (stop, stopping) = watch::channel(Stopping::No);
    let fed = work(Desk::new(queue, stopping));
    let ear = Ear { messages, stop, interrupts, disks: std::mem::take(&mut start.disks) };
    let coordinated = coordinate(Coordinator::new(start), ear, journal, observe);
    let (fed, coordinated) = tokio::join!(fed, coordinated);
    // A journal that cannot be written makes every worker end with "the run has ended": the cause comes first.
    let reason = coordinated?;
    fed?;
    Ok(reason)
}

/// What the coordinator listens to, and how it says that the run is stopping.
struct Ear {
    messages: mpsc::Receiver<Message>,
    stop: watch::Sender<Stopping>,
    interrupts: Interrupts,
    disks: Disks,
}

/// Decides, journals and shows, until the last worker has gone.
async fn coordinate(
    mut coordinator: Coordinator,
    mut ear: Ear,
    journal: &Writer,
    mut observe: impl FnMut(Notice<'_>),
) -> Result<StopReason, PipelineError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut full = None;
    look_for_room(&mut ear.disks, &mut coordinator, clock::now(), &mut observe);
    loop {
        let mut effects = Effects::default();
        tokio::select! {
            count = ear.messages.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    break;
                }
                let now = clock::now();
                batch.drain(..).for_each(|message| coordinator.handle(message, &mut effects, now));
            }
            () = ear.interrupts.next() => {
                coordinator.interrupt(&mut effects, clock::now());
                observe(Notice::Stopping(coordinator.stopping()));
            }
            _ = second.tick() => {
                let now = clock::now();
                look_for_room(&mut ear.disks, &mut coordinator, now, &mut observe);
                if let Some(error) = ear.disks.given_up(now) {
                    let message = error.to_string();
                    full.get_or_insert(error);
                    coordinator.handle(Message::Stop(StopReason::Unusable { message }), &mut effects, now);
                }
                coordinator.tick(&mut effects, now);
                observe(Notice::Tick { waits_for_money: coordinator.waits_for_money() });
            }
        }
        record(effects, journal, &mut observe).await?;
        let stopping = coordinator.stopping();
        ear.stop.send_if_modified(|old| std::mem::replace(old, stopping) != stopping);
    }
    let mut effects = Effects::default();
    coordinator.abandon_open(&mut effects);
    record(effects, journal, &mut observe).await?;
    full.map_or_else(|| Ok(coordinator.reason()), |full| Err(full.into()))
}

/// Pauses what is new while there is too little room on a disk, and says so.
fn look_for_room(disks: &mut Disks, coordinator: &mut Coordinator, now: UnixMs, observe: &mut impl FnMut(Notice<'_>)) {
    if let Some(told) = disks.look(now) {
        observe(Notice::Disk(told));
    }
    coordinator.hold(disks.is_low());
}

/// How many units are followed at once over so many slots. Each holds its conversation in memory.
pub(super) const fn window(slots: usize) -> usize {
    let (few, many) = (slots.saturating_mul(4), slots.saturating_add(WAITING));
    if few < many { few } else { many }
}

/// A unit, as far as it goes without asking.
pub(super) enum Ready {
    /// To its end.
    Decided(Decided),
    /// Up to a question.
    Asks(Box<Candidate>),
}

/// A unit with a question.
pub(super) struct Candidate {
    unit: SelectedUnit,
    screen: Sitting,
    /// Where it stands at the second stage, where the first one is decided.
    confirm: Option<Sitting>,
    /// The most that its whole path can cost.
    path: NanoUsd,
    /// Size of its conversation and of its questions.
    pub(super) bytes: usize,
}

/// Memory in which batches of units are prepared, one after the other.
#[derive(Default)]
pub(super) struct Bench {
    buffers: ReadBuffers,
    scratch: Scratch,
}

/// What a bench may hold for the next batch: one long conversation must not be remembered by each of them.
const BENCH_BYTES: usize = 1 << 20;

/// Reads units, renders their questions and looks their replies up, on a thread that may block. Ends early if the
/// conversations of units that ask take more than `room` bytes together.
pub(super) fn prepare(
    gate: &Gate,
    range: Range<u64>,
    room: usize,
    bench: &mut Bench,
) -> Result<Vec<Ready>, StageError> {
    let Bench { buffers, mut scratch } = std::mem::take(bench);
    let (mut reader, mut bytes) = (gate.units.reader(buffers), 0);
    let mut units = Vec::new();
    for ordinal in range {
        let unit = reader.get(Ordinal(ordinal))?;
        let unit = ready(gate, unit, reader.conversation_bytes(), &mut scratch)?;
        if let Ready::Asks(candidate) = &unit {
            bytes += candidate.bytes;
        }
        units.push(unit);
        if bytes > room {
            break;
        }
    }
    let buffers = reader.into_buffers();
    if buffers.bytes() + scratch.bytes() <= BENCH_BYTES {
        *bench = Bench { buffers, scratch };
    }
    Ok(units)
}

fn ready(gate: &Gate, unit: SelectedUnit, bytes: usize, scratch: &mut Scratch) -> Result<Ready, StageError> {
    let judged = match gate.screen.prepare(&unit, scratch)? {
        Sitting::Decided(judged) => judged,
        screen @ (Sitting::First(_) | Sitting::Further(_)) => {
            let confirmer = confirmer_after(gate, &screen, &unit)?;
            let later = confirmer.map(|grader| grader.bound_after(&gate.screen, &screen, &unit)).transpose()?;
            let path = gate.screen.bound(&screen, &unit)? + later.unwrap_or_default();
            let bytes = bytes + screen.text_bytes();
            return Ok(Ready::Asks(Box::new(Candidate { unit, screen, confirm: None, path, bytes })));
        }
    };
    let mut events = vec![Event::Admitted(admitted(gate, &unit))];
    // A unit that is known not to be flagged never reaches the confirmer: money held back for that would turn away
    // units whose replies are paid for already.
    let flagged = gate.definitions.pass(&judged)?;
    if let (true, Some(grader)) = (flagged, gate.confirmer_of(&unit)) {
        match grader.prepare(&unit, scratch)? {
            Sitting::Decided(second) => events.extend([Event::Judged(judged), Event::Judged(second)]),
            confirm @ (Sitting::First(_) | Sitting::Further(_)) => {
                let (path, screen) = (grader.bound(&confirm, &unit)?, Sitting::Decided(judged));
                let bytes = bytes + confirm.text_bytes();
                return Ok(Ready::Asks(Box::new(Candidate { unit, screen, confirm: Some(confirm), path, bytes })));
            }
        }
    } else {
        events.push(Event::Judged(judged));
    }
    let mut lines = Batch::with_room(DECIDED_BYTES);
    for event in &events {
        lines.push(event, event.must_be_durable());
    }
    Ok(Ready::Decided(Decided { ordinal: unit.ordinal, events, lines }))
}

/// The second grader of a unit that has a question at the first stage. Where only what was asked at random is open, it is
/// known whether the unit is flagged.
fn confirmer_after<'a>(
    gate: &'a Gate,
    screen: &Sitting,
    unit: &SelectedUnit,
) -> Result<Option<&'a Repeater>, StageError> {
    let may_flag = match screen {
        Sitting::Further(further) if !further.decides() => gate.definitions.pass(further.first())?,
        Sitting::Decided(_) | Sitting::First(_) | Sitting::Further(_) => true,
    };
    Ok(gate.confirmer_of(unit).filter(|_| may_flag))
}

/// Units that are decided: all that is left for them is their turn.
pub(super) async fn pass(units: Vec<Decided>, desk: Desk) -> Result<Step, StageError> {
    let count = units.len() as u64;
    Ok(Step::Passed(desk.decided(units).await?, count))
}

/// One unit that asks, from its admission to its last outcome.
pub(super) async fn follow(gate: Arc<Gate>, candidate: Candidate, desk: Desk) -> Result<Step, StageError> {
    let Candidate { unit, screen, confirm, path, bytes } = candidate;
    if desk.admit(admitted(&gate, &unit), path).await? == Entry::Closed {
        return Ok(Step::Followed(Entry::Closed, bytes));
    }
    let (unit, first) = repeater::judge(&gate, Stage::Screen, (unit, screen), &desk).await?;
    let flagged = gate.definitions.pass(&first.judged)?;
    let goes_on = flagged && gate.confirmer_of(&unit).is_some();
    desk.judged(first, !goes_on).await?;
    if goes_on {
        let second = second_question(&gate, unit, confirm).await?;
        let (_, second) = repeater::judge(&gate, Stage::Confirm, second, &desk).await?;
        desk.judged(second, true).await?;
    }
    Ok(Step::Followed(Entry::Admitted, bytes))
}

/// The confirmer's question, prepared as soon as it is sure to be needed.
async fn second_question(
    gate: &Arc<Gate>,
    unit: SelectedUnit,
    prepared: Option<Sitting>,
) -> Result<(SelectedUnit, Sitting), StageError> {
    if let Some(prepared) = prepared {
        return Ok((unit, prepared));
    }
    let gate = Arc::clone(gate);
    let prepared = tokio::task::spawn_blocking(move || {
        let prepared = gate.stage(Stage::Confirm).prepare(&unit, &mut Scratch::default())?;
        Ok((unit, prepared))
    });
    prepared.await.map_err(|_| StageError::Thread)?
}

fn admitted(gate: &Gate, unit: &SelectedUnit) -> Admitted {
    Admitted {
        ordinal: unit.ordinal,
        unit: unit.id.clone(),
        stratum: unit.stratum,
        content: unit.content,
        cluster: cluster_of(&unit.conversation, gate.cluster_by.as_deref()),
        part: part(gate.sample_by, unit),
    }
}

/// Which of its conversation's turns a unit is, where they were drawn together.
fn part(sample_by: UnitKind, unit: &SelectedUnit) -> Option<Part> {
    let turn = unit.id.turn.filter(|_| sample_by == UnitKind::Conversation)?;
    let mut part = Part { number: 0, of: 0 };
    for position in unit.conversation.turns() {
        part.number += u32::from(position <= turn);
        part.of += 1;
    }
    Some(part)
}

/// Writes events, then gives the answers that waited for that, then shows them.
async fn record(effects: Effects, journal: &Writer, observe: &mut impl FnMut(Notice<'_>)) -> Result<(), PipelineError> {
    let Effects { lines, events, after_written } = effects;
    journal.append_batch(lines).await?;
    for (answer, attempt) in after_written {
        // A worker that was given up in the meantime sends nothing; its attempt is settled as open.
        answer.send(Leave::Recorded(attempt)).ok();
    }
    for event in &events {
        observe(Notice::Event(event));
    }
    Ok(())
}

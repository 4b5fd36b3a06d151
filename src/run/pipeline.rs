//! The one place where stages meet. A unit's way through this file, top to bottom:
//!
//! `run` feeds units in order of admission into a window of `follow` tasks; `follow` prepares a unit, waits for its
//! admission, screens it, confirms it if it is flagged, and reports what happened; the coordinator, at the same time,
//! decides, journals and shows every event.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::coordinator::{Coordinator, Effects, Start};
use super::gates::Window;
use super::shutdown::Interrupts;
use crate::cache::units::{SelectedUnit, Snapshot};
use crate::clock;
use crate::grade::desk::{Desk, Entry, Message, Stopping};
use crate::grade::stage::{Grader, Prepared, StageError};
use crate::journal::{JournalError, Writer};
use crate::model::event::{Admitted, Event, Ordinal, StopReason};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::reconcile::Definitions;

/// Units that are being followed at once, per slot: those that wait for a retry hold no slot.
pub const WINDOW_PER_SLOT: usize = 4;
/// Messages to the coordinator that may queue: a few per unit of the window; workers wait beyond that.
const QUEUE: usize = 1_024;
/// Messages that are handled between two writes of the journal.
const BATCH: usize = 256;

/// The machine rule, ready for units.
#[derive(Debug)]
pub struct Gate {
    /// The selected units, in order of admission.
    pub units: Snapshot,
    /// The first grading.
    pub screen: Grader,
    /// The second grading, of what is flagged.
    pub confirm: Option<Grader>,
    /// What flags.
    pub definitions: Definitions,
    /// Units that are followed at once.
    pub window: Window,
}

/// What the caller is shown while the run goes on.
#[derive(Debug)]
pub enum Notice<'a> {
    /// Something happened; it is in the journal already.
    Event(&'a Event),
    /// A second passed.
    Tick,
    /// Somebody asked the run to stop.
    Stopping(Stopping),
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
    let (queue, messages) = mpsc::channel(QUEUE);
    let (stop, stopping) = watch::channel(Stopping::No);
    let fed = feed(Arc::new(gate), Desk::new(queue, stopping));
    let ear = Ear { messages, stop, interrupts };
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
                coordinator.tick(&mut effects, clock::now());
                observe(Notice::Tick);
            }
        }
        record(effects, journal, &mut observe).await?;
        let stopping = coordinator.stopping();
        ear.stop.send_if_modified(|old| std::mem::replace(old, stopping) != stopping);
    }
    let mut effects = Effects::default();
    coordinator.abandon_open(&mut effects);
    record(effects, journal, &mut observe).await?;
    Ok(coordinator.reason())
}

/// Keeps the window full until every unit was let in or admission closed, and waits for the last one. After an error
/// nothing new is sent, and what is on the wire is waited for and kept all the same: it is paid for.
async fn feed(gate: Arc<Gate>, desk: Desk) -> Result<(), PipelineError> {
    let mut paths = JoinSet::new();
    let mut signal = desk.clone();
    let mut open = true;
    let mut next = 0;
    let mut failure = None;
    while open || !paths.is_empty() {
        while open && next < gate.units.len() && paths.len() < gate.window.size() {
            paths.spawn(follow(Arc::clone(&gate), Ordinal(next), desk.clone()));
            next += 1;
        }
        let ended = tokio::select! {
            ended = paths.join_next() => ended,
            () = signal.abandoned() => {
                paths.shutdown().await;
                break;
            }
        };
        let error = match ended {
            Some(Ok(Ok(entry))) => {
                open &= entry == Entry::Admitted && next < gate.units.len();
                continue;
            }
            Some(Ok(Err(error))) => PipelineError::from(error),
            Some(Err(died)) => PipelineError::Worker(died.to_string()),
            None => {
                open = false;
                continue;
            }
        };
        open = false;
        if failure.is_none() {
            let message = error.to_string();
            failure = Some(error);
            // Where the coordinator has gone, everybody else hears of it by themselves.
            desk.say(Message::Stop(StopReason::Unusable { message })).await.ok();
        }
    }
    failure.map_or(Ok(()), Err)
}

/// One unit, from the snapshot to its last outcome.
async fn follow(gate: Arc<Gate>, ordinal: Ordinal, desk: Desk) -> Result<Entry, StageError> {
    let (unit, screen, confirm, path) = prepare(Arc::clone(&gate), ordinal).await?;
    if desk.admit(admitted(&unit), path).await? == Entry::Closed {
        return Ok(Entry::Closed);
    }
    let screened = gate.screen.judge(&unit, screen, &desk).await?;
    let flagged = gate.definitions.hold(Stage::Screen, &screened.outcome)?;
    desk.say(Message::Judged(Box::new(screened))).await?;
    if let (true, Some(grader), Some(question)) = (flagged, &gate.confirm, confirm) {
        let confirmed = grader.judge(&unit, question, &desk).await?;
        desk.say(Message::Judged(Box::new(confirmed))).await?;
    }
    desk.say(Message::Done(ordinal)).await?;
    Ok(Entry::Admitted)
}

/// Reads a unit, renders its questions and looks their replies up, on a thread that may block. The last figure is the
/// most that its whole path can cost.
async fn prepare(
    gate: Arc<Gate>,
    ordinal: Ordinal,
) -> Result<(SelectedUnit, Prepared, Option<Prepared>, NanoUsd), StageError> {
    let prepared = tokio::task::spawn_blocking(move || {
        let unit = gate.units.get(ordinal)?;
        let screen = gate.screen.prepare(&unit)?;
        // A unit that is known not to be flagged never reaches the confirmer: money held back for that would turn
        // away units whose replies are paid for already.
        let may_be_flagged = match Grader::known(&screen) {
            Some(outcome) => gate.definitions.hold(Stage::Screen, outcome)?,
            None => true,
        };
        let confirmer = gate.confirm.as_ref().filter(|_| may_be_flagged);
        let confirm = confirmer.map(|grader| grader.prepare(&unit)).transpose()?;
        let later = confirmer.zip(confirm.as_ref()).map(|(grader, question)| grader.bound(question));
        let path = gate.screen.bound(&screen) + later.unwrap_or_default();
        Ok((unit, screen, confirm, path))
    });
    prepared.await.map_err(|_| StageError::Thread)?
}

fn admitted(unit: &SelectedUnit) -> Admitted {
    Admitted { ordinal: unit.ordinal, unit: unit.id.clone(), stratum: unit.stratum, content: unit.content }
}

/// Writes events, then gives the answers that waited for that, then shows them.
async fn record(effects: Effects, journal: &Writer, observe: &mut impl FnMut(Notice<'_>)) -> Result<(), PipelineError> {
    let write = async |event: &Event| {
        if event.must_be_durable() { journal.append_durable(event).await } else { journal.append_written(event).await }
    };
    let written = effects.events.iter().map(write);
    futures_util::future::try_join_all(written).await?;
    for (answer, attempt) in effects.after_written {
        // A worker that was given up in the meantime sends nothing; its attempt is settled as open.
        answer.send(attempt).ok();
    }
    effects.events.iter().for_each(|event| observe(Notice::Event(event)));
    Ok(())
}

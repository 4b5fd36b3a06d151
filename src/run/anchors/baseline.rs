//! Drawing the baseline: what the grader says of every anchor, several times, before anything rests on it.
//!
//! It is a session of its own with a journal of its own, so that its spend counts under the audit's cap like that of a run, a
//! crash loses nothing that was paid for, and the next start draws what is missing. No run goes on from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use super::{Anchors, BASELINE_EPOCH, Missing, SharedAnchors};
use crate::cache::ReplyCache;
use crate::clock;
use crate::grade::budget::Budget;
use crate::grade::desk::{Desk, Message};
use crate::grade::stage::{Prepared, Scratch, StageError};
use crate::journal::{self, FileKind, Lock};
use crate::model::anchor::{Visit, ordinal_of};
use crate::model::event::{AttemptId, Event, Opened, Planned, StopReason};
use crate::model::money::NanoUsd;
use crate::model::outcome::Outcome;
use crate::run::assemble::{Assembly, check_capped};
use crate::run::caps::Caps;
use crate::run::coordinator::Start;
use crate::run::disks::Disks;
use crate::run::folder::RunFolder;
use crate::run::gates::{Gates, Window};
use crate::run::ledger::Ledger;
use crate::run::pipeline::{Notice, PipelineError, serve};
use crate::run::resume::look_back;
use crate::run::session::{SessionError, check_prompts, closing, deadline, open_cache, opened, opening};
use crate::run::shutdown::Interrupts;

/// What drawing the rest of a baseline takes, said before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Announced {
    /// Anchors.
    pub anchors: u64,
    /// Draws of each.
    pub draws: u32,
    /// Draws that are there already.
    pub there: u64,
    /// Requests that are missing.
    pub requests: u64,
    /// The most that they can cost, in nano-dollars.
    pub most: NanoUsd,
    /// What the caps leave, if there is one, in nano-dollars.
    pub left: Option<NanoUsd>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// What was announced.
    pub announced: Announced,
    /// Draws that are there now.
    pub there: u64,
    /// What was spent.
    pub spent: NanoUsd,
    /// Why it ended.
    pub reason: StopReason,
}

/// A session that is about to send.
struct Session {
    folder: RunFolder,
    planned: Planned,
    start: Start,
    anchors: SharedAnchors,
    missing: Vec<Visit>,
    window: Window,
}

/// Draws what is missing of an audit's baseline; `None` if the audit has no anchors. Prompts that are used are locked.
///
/// # Errors
/// See [`SessionError`].
pub async fn draw(
    assembly: Assembly,
    announce: impl FnOnce(&Announced),
    observe: impl FnMut(Notice<'_>),
) -> Result<Option<Drawn>, SessionError> {
    let Assembly { audit, behaviour, definitions, stands, mut planned, anchors, .. } = assembly;
    let Some(set) = anchors else { return Ok(None) };
    let folder = RunFolder::new(&audit.workspace.runs(), clock::now(), std::process::id());
    let _lock = Lock::take(&audit.workspace.lock(), &folder.id)?;
    check_prompts(&audit, &stands, true)?;
    let (cache, _) = open_cache(&audit, false).await?;
    let mut ledger = Ledger::open(&audit.workspace.accounts())?;
    let folders = (audit.workspace.runs(), audit.workspace.trials());
    let needs_total = audit.budget.max_cost_total.is_some();
    let past = look_back((&folders.0, &folders.1), &mut ledger, &audit.name, needs_total)?;
    let interrupted = past.without_reply(&cache)?;
    let caps = Caps::decide(&audit.budget, &past);
    if caps.cap.is_some() || caps.total.is_some() {
        check_capped(&stands)?;
    }
    (planned.cap, planned.cap_total, planned.spent_before) = (caps.cap, caps.total, past.spent);
    let gates = Box::pin(Gates::open(&audit, &stands, false, Some(&set))).await?;
    let graders = gates.repeated(&stands, &behaviour, BASELINE_EPOCH, &cache)?;
    let anchors = Anchors::new(set, definitions, graders, Vec::new()).map_err(PipelineError::from)?;
    planned.anchors = Some(anchors.plan().clone());
    let missing = anchors.missing().map_err(PipelineError::from)?;
    let announced = announced(&anchors, &missing, &caps.budget);
    announce(&announced);
    let (there, reason) = (announced.there, StopReason::Finished);
    let mut drawn = Drawn { announced, there, spent: NanoUsd::ZERO, reason };
    if !missing.is_empty() {
        let window = gates.window.clone();
        let disks = Disks::new(vec![audit.workspace.runs(), audit.workspace.replies()], window.most());
        let start = Start {
            budget: caps.budget,
            next_attempt: AttemptId(0),
            interrupted,
            deadline: deadline(&audit),
            split: BTreeSet::new(),
            alarm: None,
            narrow: None,
            disks,
        };
        let missing = missing.into_iter().map(|draw| draw.visit).collect();
        let session = Session { folder, planned, start, anchors: Arc::new(anchors), missing, window };
        Box::pin(send(session, &cache, &mut drawn, observe)).await?;
    }
    cache.close().await?;
    gates.close().await;
    Ok(Some(drawn))
}

fn announced(anchors: &Anchors, missing: &[Missing], budget: &Budget) -> Announced {
    Announced {
        anchors: anchors.plan().anchors,
        draws: anchors.plan().draws,
        there: anchors.plan().baseline,
        requests: missing.iter().map(|draw| draw.requests).sum(),
        most: missing.iter().map(|draw| draw.most).sum(),
        left: budget.cap().map(|cap| cap.saturating_sub(budget.spent())),
    }
}

/// Asks what is missing, under the session's own journal.
async fn send(
    session: Session,
    cache: &ReplyCache,
    drawn: &mut Drawn,
    mut observe: impl FnMut(Notice<'_>),
) -> Result<(), SessionError> {
    let Session { folder, planned, start, anchors, missing, window } = session;
    let journal = journal::create_segment(&folder.path, FileKind::EVENTS)?;
    // Marked like a replay: no run goes on from it, and its spend counts.
    let begun = Opened { replay: true, ..opened(&folder, None, start.budget.spent()) };
    for event in opening(begun, planned, Vec::new(), Vec::new()) {
        journal.append_written(&event).await?;
        observe(Notice::Event(&event));
    }
    let (mut spent, lacked) = (NanoUsd::ZERO, missing.len() as u64);
    let watched = |notice: Notice<'_>| {
        if let Notice::Event(Event::Settled(settled)) = &notice {
            spent += settled.cost;
        }
        observe(notice);
    };
    let interrupts = Interrupts::listen().map_err(|source| SessionError::Io { path: "signals".into(), source })?;
    let shared = Arc::clone(&anchors);
    let work = move |desk| ask_all(shared, missing, window, desk);
    let reason = Box::pin(serve(work, start, &journal, interrupts, watched)).await?;
    let lacking = anchors.missing().map_err(PipelineError::from)?.len() as u64;
    (drawn.spent, drawn.there) = (spent, drawn.announced.there + lacked - lacking);
    drawn.reason = reason;
    for event in closing(cache, drawn.reason.clone()) {
        journal.append_durable(&event).await?;
    }
    journal.close().await?;
    Ok(())
}

/// Asks about every anchor that is missing, as many at a time as units would be followed.
async fn ask_all(anchors: SharedAnchors, missing: Vec<Visit>, window: Window, desk: Desk) -> Result<(), PipelineError> {
    let mut tasks = JoinSet::new();
    let mut missing = (0..).zip(missing);
    loop {
        while tasks.len() < window.size() && !desk.is_stopping() {
            let Some((number, visit)) = missing.next() else { break };
            tasks.spawn(ask(Arc::clone(&anchors), number, visit, desk.clone()));
        }
        match tasks.join_next().await {
            None => return Ok(()),
            Some(ended) => ended.map_err(|died| PipelineError::Worker(died.to_string()))??,
        }
    }
}

async fn ask(anchors: SharedAnchors, number: u64, visit: Visit, desk: Desk) -> Result<(), StageError> {
    let shared = Arc::clone(&anchors);
    let prepared = tokio::task::spawn_blocking(move || {
        let mut unit = shared.anchor(visit).unit.clone();
        unit.ordinal = ordinal_of(number);
        let question = shared.baseline[visit.draw as usize].prepare(&unit, &mut Scratch::default())?;
        Ok::<_, StageError>((unit, question))
    });
    let (unit, question) = prepared.await.map_err(|_| StageError::Thread)??;
    if matches!(question, Prepared::Decided { .. }) {
        return Ok(());
    }
    let end = anchors.baseline[visit.draw as usize].judge(&unit, question, &desk).await?;
    if end.judged.outcome == Outcome::OverBudget {
        desk.say(Message::Stop(StopReason::Budget)).await?;
    }
    desk.say(Message::Anchored { ordinal: unit.ordinal, settlement: end.settlement }).await?;
    Ok(())
}

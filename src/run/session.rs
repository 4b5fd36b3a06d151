//! One process's part of a run: take the lock, look back, open the gates, follow every unit, conclude.

mod begin;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::anchors::{AnchorSet, Anchors, BASELINE_EPOCH, retell, visits_epoch};
use super::assemble::{AssembleError, Assembly, Stand};
use super::boot::boot_id;
use super::conclude::{self, ConcludeError, Conclusion};
use super::coordinator::{Deadline, Narrow};
use super::disks::Disks;
use super::folder::{FolderError, RunFolder};
use super::gates::{Gates, GatesError};
use super::ledger::Ledger;
use super::pipeline::{self, Gate, Notice, PipelineError};
use super::produced::produced;
use super::recorded::Prompted;
use super::settings::{Audit, CacheMode};
use super::shutdown::Interrupts;
use crate::cache::units::{Snapshot, Units, UnitsError};
use crate::cache::{Access, CacheError, CacheSettings, ReplyCache};
use crate::clock::{self, UnixMs};
use crate::grade::settings::GraderSettings;
use crate::grade::stage::StageError;
use crate::journal::{self, FileKind, JournalError, Lock, LockError, Writer};
use crate::model::anchor::AnchorPlan;
use crate::model::behaviour::Behaviour;
use crate::model::event::{AttemptId, Closed, EVENT_FORMAT, Event, Opened, Ordinal, Planned, Sent, StopReason};
use crate::model::money::NanoUsd;
use crate::model::tally::Tally;
use crate::prompt::LockState;
use crate::prompt::library::{LibraryError, read_lock, write_lock};
use crate::reconcile::Definitions;
use crate::report::Report;
use begin::{Begun, begin};

/// Why a session could not do its part. What was paid for before is on disk in every case.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Another process is at work in this workspace.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A prompt was changed under a label that verdicts refer to.
    #[error(transparent)]
    Prompt(#[from] ChangedUnderLabel),
    /// `prompts.lock` cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A cap that was given earlier could not hold over the graders of now.
    #[error(transparent)]
    Cap(#[from] AssembleError),
    /// The reply cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A run folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An endpoint cannot be set up.
    #[error(transparent)]
    Gates(#[from] GatesError),
    /// A stage broke off.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// There is no report.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// A file cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SessionError {
    /// Moves the snapshot whose damage ended the session out of the way: the same audit, assembled again, copies it from
    /// the corpus and goes on. Nothing if that is not what went wrong, or if it cannot be moved.
    #[must_use]
    pub fn set_snapshot_aside(&self) -> Option<PathBuf> {
        match self {
            Self::Pipeline(PipelineError::Stage(StageError::Units(UnitsError::Damaged { path, .. }))) => {
                path.parent().and_then(|folder| Snapshot::set_aside(folder).ok())
            }
            Self::Lock(_)
            | Self::Prompt(_)
            | Self::Library(_)
            | Self::Cap(_)
            | Self::Cache(_)
            | Self::Folder(_)
            | Self::Journal(_)
            | Self::Gates(_)
            | Self::Pipeline(_)
            | Self::Conclude(_)
            | Self::Io { .. } => None,
        }
    }

    /// Whether the night had begun: what it was refused for before is nothing that happened to it.
    #[must_use]
    pub const fn is_after_opening(&self) -> bool {
        match self {
            Self::Lock(_) | Self::Prompt(_) | Self::Library(_) | Self::Cap(_) => false,
            Self::Cache(_)
            | Self::Folder(_)
            | Self::Journal(_)
            | Self::Gates(_)
            | Self::Pipeline(_)
            | Self::Conclude(_)
            | Self::Io { .. } => true,
        }
    }
}

/// A prompt was changed under a label that verdicts refer to.
#[derive(Debug, thiserror::Error)]
#[error("prompt `{label}` of `{behaviour}` was changed, and {verdicts} verdicts refer to it under that label")]
pub struct ChangedUnderLabel {
    /// The behaviour.
    pub behaviour: String,
    /// The label.
    pub label: String,
    /// Verdicts in this workspace's runs that refer to the old text.
    pub verdicts: u64,
    /// What to do.
    pub hint: String,
}

/// A session that ended in order.
#[derive(Debug)]
pub struct Ended {
    /// The run.
    pub folder: RunFolder,
    /// Why it ended.
    pub reason: StopReason,
    /// What the run amounts to.
    pub tally: Tally,
    /// Its report; also in the run's folder.
    pub report: Report,
}

/// Runs an assembled audit, resuming its newest run if that asked the same and did not finish.
///
/// # Errors
/// See [`SessionError`].
pub async fn run(assembly: Assembly, observe: impl FnMut(Notice<'_>)) -> Result<Ended, SessionError> {
    let Graded { folder, reason, conclusion } = Box::pin(grade(assembly, observe)).await?;
    let tally = conclusion.finish()?;
    let report = Report::new(&tally);
    conclude::write(&folder, &report)?;
    Ok(Ended { folder, reason, tally, report })
}

/// Grades the chosen units of an assembled trial, and reports nothing: they are no sample. Returns its journal and why it
/// ended.
///
/// # Errors
/// See [`SessionError`].
pub(super) async fn try_out(
    assembly: Assembly,
    observe: impl FnMut(Notice<'_>),
) -> Result<(RunFolder, StopReason), SessionError> {
    let Graded { folder, reason, conclusion: _ } = Box::pin(grade(assembly, observe)).await?;
    Ok((folder, reason))
}

/// A session whose units are graded.
struct Graded {
    folder: RunFolder,
    reason: StopReason,
    conclusion: Conclusion,
}

async fn grade(assembly: Assembly, mut observe: impl FnMut(Notice<'_>)) -> Result<Graded, SessionError> {
    let (mut planned, mut told, missing) = (assembly.planned, assembly.warnings, assembly.missing);
    let Assembly { audit, behaviour, definitions, screener, census, known, anchors, stands, trial, .. } = assembly;
    // Its automata take ten megabytes, and nothing is screened from here on.
    drop(screener);
    let replay_only = audit.cache == CacheMode::ReadOnly;
    let folders = if trial.is_some() { audit.workspace.trials() } else { audit.workspace.runs() };
    let fresh = RunFolder::new(&folders, clock::now(), std::process::id());
    let lock = if replay_only { None } else { Some(Lock::take(&audit.workspace.lock(), &fresh.id)?) };
    check_prompts(&audit, &stands, !replay_only && missing.is_empty() && trial.is_none())?;
    let (cache, warnings) = open_cache(&audit, replay_only).await?;
    told.extend(warnings);
    let mut ledger = Ledger::open(&audit.workspace.accounts())?;
    let begun = begin((&audit, trial), &mut planned, &stands, &cache, &mut ledger)?;
    let Begun { folder, mut start, open, mut settled, mut account, retries, notes } = begun;
    told.extend(notes);
    let mut conclusion = Conclusion::begin(&audit.workspace, &planned)?;
    let first_new = remember(folder.as_ref(), &mut conclusion)?;
    match Narrow::of(&planned, &definitions, first_new) {
        Ok(narrow) => start.narrow = narrow,
        Err(reason) => told.push(format!("`stop_when` will stop nothing: {reason}")),
    }
    let is_resumed = folder.is_some();
    if let Some(folder) = &folder {
        journal::sync_segments(&folder.path)?;
    }
    let folder = folder.unwrap_or(fresh);

    // What may not send opens nothing.
    let mut gates =
        Box::pin(Gates::open(&audit, &stands, replay_only || !missing.is_empty(), anchors.as_ref())).await?;
    planned.planted.clone_from(&gates.planted);
    gates.retries = retries;
    let epoch = if audit.cache == CacheMode::Refresh { folder.id.clone() } else { String::new() };
    let anchors = anchors.filter(|_| !replay_only && missing.is_empty());
    let anchors = anchored(anchors, (&gates, &stands), &behaviour, &definitions, (&folder.id, audit.cache, &cache))?;
    planned.anchors = gone_on_with(anchors.as_deref(), &open, &mut settled)?;
    let (screen, confirm) = gates.graders(stands, (&behaviour, &definitions), &planned, (&epoch, &cache))?;
    let window = gates.window.clone();
    let disks = vec![audit.workspace.runs(), audit.workspace.replies(), audit.workspace.units()];
    start.disks = Disks::new(disks, window.most());
    let (confirms_known, has_asked) = (planned.gate_includes_confirmer(), start.next_attempt > AttemptId(0));
    let units = Units::new(known, census.units);
    let (sample_by, cluster_by) = (planned.sample_by, planned.cluster_by.clone());
    let gate =
        Gate { units, screen, confirm, confirms_known, anchors, has_asked, definitions, window, sample_by, cluster_by };

    told.extend(cache.take_warnings());
    let journal = journal::create_segment(&folder.path, FileKind::EVENTS)?;
    if trial.is_none() {
        point_latest(&audit, &folder, lock.as_ref(), missing.is_empty())?;
    }
    let mut tell = |notice: Notice<'_>| {
        if let Notice::Event(event) = &notice {
            account.event(event);
            conclusion.event(event);
        }
        observe(notice);
    };
    let spent_before = start.budget.spent().saturating_sub(cost_of(&settled));
    let (replay, trial) = (replay_only, trial.is_some());
    let opened = Opened { earlier_synced: is_resumed, replay, trial, ..opened(&folder, start.deadline, spent_before) };
    for event in opening(opened, planned, settled, told) {
        journal.append_written(&event).await?;
        tell(Notice::Event(&event));
    }
    let reason = if missing.is_empty() {
        let interrupts = Interrupts::listen().map_err(|source| SessionError::Io { path: "signals".into(), source })?;
        Box::pin(pipeline::run(gate, start, &journal, interrupts, &mut tell)).await?
    } else {
        StopReason::Unexpected { missing }
    };
    for event in closing(&cache, reason.clone()) {
        keep(&journal, &event).await?;
        tell(Notice::Event(&event));
    }
    journal.close().await?;
    cache.close().await?;
    gates.close().await;
    if lock.is_some() {
        // Without it the next start reads this journal again.
        ledger.settle(&folder, account).ok();
    }

    Ok(Graded { folder, reason, conclusion })
}

/// Writes one of the last events of a session.
async fn keep(journal: &Writer, event: &Event) -> Result<(), JournalError> {
    if event.must_be_durable() { journal.append_durable(event).await } else { journal.append_written(event).await }?;
    Ok(())
}

/// The anchors of a run, if any.
fn anchored(
    set: Option<AnchorSet>,
    (gates, stands): (&Gates, &[Stand]),
    behaviour: &Arc<Behaviour>,
    definitions: &Definitions,
    (run, mode, cache): (&str, CacheMode, &ReplyCache),
) -> Result<Option<Arc<Anchors>>, SessionError> {
    let Some(set) = set else { return Ok(None) };
    let graders = |epoch| gates.repeated(stands, behaviour, epoch, cache);
    let (baseline, fresh) = (graders(BASELINE_EPOCH)?, graders(&visits_epoch(run, mode))?);
    let anchors = Anchors::new(set, definitions.clone(), baseline, fresh).map_err(PipelineError::from)?;
    Ok(Some(Arc::new(anchors)))
}

/// What the plan says of anchors; the ends of visits that an earlier process left on the wire tell of them.
fn gone_on_with(
    anchors: Option<&Anchors>,
    open: &[Sent],
    ends: &mut [Event],
) -> Result<Option<AnchorPlan>, SessionError> {
    let Some(anchors) = anchors else { return Ok(None) };
    retell(anchors, open, ends).map_err(PipelineError::from)?;
    Ok(Some(anchors.plan().clone()))
}

/// Counts what earlier sessions of the run did. Returns the first unit that none of them admitted.
fn remember(folder: Option<&RunFolder>, conclusion: &mut Conclusion) -> Result<Ordinal, FolderError> {
    let mut first_new = Ordinal(0);
    for event in folder.into_iter().flat_map(RunFolder::events) {
        let event = event?;
        if let Event::Admitted(unit) = &event {
            first_new = first_new.max(Ordinal(unit.ordinal.0 + 1));
        }
        conclusion.event(&event);
    }
    Ok(first_new)
}

/// Makes `runs/latest` point to the run. A replay holds no lock, and leaves the pointer alone while a run that does is
/// going: that one is what people want to see. Nor does a run that may ask nothing hide the last one that did.
fn point_latest(
    audit: &Audit,
    folder: &RunFolder,
    lock: Option<&Lock>,
    is_as_expected: bool,
) -> Result<(), FolderError> {
    if !is_as_expected && audit.workspace.runs().join("latest").exists() {
        return Ok(());
    }
    if lock.is_some() {
        return folder.point_latest();
    }
    match Lock::take(&audit.workspace.lock(), &folder.id) {
        Err(LockError::Held { .. }) => Ok(()),
        Ok(_) | Err(LockError::File(_)) => folder.point_latest(),
    }
}

/// Refuses a prompt that was changed under a label in use, and locks labels that are used for the first time.
pub(super) fn check_prompts(audit: &Audit, stands: &[Stand], may_lock: bool) -> Result<(), SessionError> {
    let path = audit.workspace.prompts_lock();
    let mut lock = read_lock(&path)?;
    let mut changed = false;
    for Prompted { prompt: used, .. } in stands.iter().filter_map(|stand| stand.asks.prompted()) {
        match lock.check(&audit.behaviour, used) {
            LockState::Same | LockState::Draft => {}
            LockState::New => changed |= lock.insert(&audit.behaviour, used),
            LockState::Changed(prompt) => {
                let produced = produced(&audit.workspace.runs(), &audit.behaviour)?;
                let version = (used.label.clone(), prompt.locked_hash);
                let verdicts = produced.get(&version).map_or(0, |produced| produced.verdicts);
                let (behaviour, label) = (audit.behaviour.clone(), prompt.label.to_string());
                return Err(ChangedUnderLabel { behaviour, label, verdicts, hint: prompt.hint() }.into());
            }
        }
    }
    if changed && may_lock {
        write_lock(&path, &lock)?;
    }
    Ok(())
}

pub(super) async fn open_cache(audit: &Audit, replay_only: bool) -> Result<(ReplyCache, Vec<String>), SessionError> {
    let settings = CacheSettings {
        replies: audit.workspace.replies(),
        index: audit.workspace.index(),
        access: if replay_only { Access::ReadOnly } else { Access::ReadWrite },
    };
    let opened = tokio::task::spawn_blocking(move || ReplyCache::open(&settings)).await;
    Ok(opened.map_err(|_| PipelineError::Worker("opening the reply cache".to_owned()))??)
}

/// Admission closes one path's longest time before the end, so that what is admitted can finish. What may not send has
/// all the time in the world.
pub(super) fn deadline(audit: &Audit) -> Option<Deadline> {
    let requests = audit.budget.deadline.filter(|_| audit.cache != CacheMode::ReadOnly)?;
    let longest = |grader: &GraderSettings| {
        let once = audit.endpoints.get(&grader.endpoint).map_or(0, |endpoint| endpoint.item_deadline.as_millis());
        let asking = if grader.on_truncated.is_empty() { once } else { 2 * once };
        asking * u128::from(grader.repeats.map_or(1, |repeats| repeats.most()))
    };
    let path = longest(&audit.screen) + audit.confirm.as_ref().map_or(0, longest);
    let path = u64::try_from(path).unwrap_or(u64::MAX);
    Some(Deadline { admission: UnixMs(requests.0.saturating_sub(path)), requests })
}

/// What settling these requests of an earlier session adds to the spend of this one.
fn cost_of(settled: &[Event]) -> NanoUsd {
    settled.iter().map(|event| if let Event::Settled(settled) = event { settled.cost } else { NanoUsd::ZERO }).sum()
}

pub(super) fn opened(folder: &RunFolder, deadline: Option<Deadline>, spent_before: NanoUsd) -> Opened {
    Opened {
        format: EVENT_FORMAT,
        run: folder.id.clone(),
        at_ms: clock::now().0,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot: boot_id(),
        spent_before: Some(spent_before),
        deadline_ms: deadline.map(|deadline| deadline.requests.0),
        earlier_synced: false,
        replay: false,
        trial: false,
    }
}

/// The first events of a session.
pub(super) fn opening(opened: Opened, planned: Planned, settled: Vec<Event>, warnings: Vec<String>) -> Vec<Event> {
    let mut events = vec![Event::Opened(opened), Event::Planned(Box::new(planned))];
    events.extend(settled);
    events.extend(warnings.into_iter().map(|message| Event::Warned { message }));
    events
}

/// The last events of a session.
pub(super) fn closing(cache: &ReplyCache, reason: StopReason) -> Vec<Event> {
    let warned = cache.take_warnings().into_iter().map(|message| Event::Warned { message });
    warned.chain([Event::Closed(Closed { reason, at_ms: clock::now().0 })]).collect()
}

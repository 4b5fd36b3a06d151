//! One process's part of a run: take the lock, look back, open the gates, follow every unit, conclude.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use super::assemble::{Assembly, Stand};
use super::boot::boot_id;
use super::conclude::{self, ConcludeError};
use super::coordinator::{Deadline, Start};
use super::disks::Disks;
use super::folder::{FolderError, RunFolder};
use super::gates::{Gates, GatesError};
use super::pipeline::{self, Gate, Notice, PipelineError};
use super::resume::look_back;
use super::settings::{Audit, CacheMode};
use super::shutdown::Interrupts;
use crate::cache::units::{Snapshot, UnitsError};
use crate::cache::{Access, CacheError, CacheSettings, ReplyCache};
use crate::clock::{self, UnixMs};
use crate::grade::budget::Budget;
use crate::grade::settings::GraderSettings;
use crate::grade::stage::StageError;
use crate::journal::{self, FileKind, JournalError, Lock, LockError, Writer};
use crate::model::event::{Closed, EVENT_FORMAT, Event, Opened, Planned, StopReason};
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::tally::Tally;
use crate::prompt::LockState;
use crate::prompt::library::{LibraryError, read_lock, write_lock};
use crate::report::Report;

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
            | Self::Cache(_)
            | Self::Folder(_)
            | Self::Journal(_)
            | Self::Gates(_)
            | Self::Pipeline(_)
            | Self::Conclude(_)
            | Self::Io { .. } => None,
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
pub async fn run(assembly: Assembly, mut observe: impl FnMut(Notice<'_>)) -> Result<Ended, SessionError> {
    let Assembly { audit, behaviour, definitions, census, stands, mut planned, warnings: mut told } = assembly;
    let replay_only = audit.cache == CacheMode::ReadOnly;
    let fresh = RunFolder::new(&audit.workspace.runs(), clock::now(), std::process::id());
    let _lock = if replay_only { None } else { Some(Lock::take(&audit.workspace.lock(), &fresh.id)?) };
    check_prompts(&audit, &stands, !replay_only)?;
    let (cache, warnings) = open_cache(&audit, replay_only).await?;
    told.extend(warnings);

    let mut past = look_back(&audit.workspace.runs(), &audit.name, &planned.identity, boot_id().as_deref())?;
    if past.lost > NanoUsd::ZERO {
        told.push(format!(
            "a session of this audit ended with the power: {} that it had granted itself and may have spent count as spent",
            past.lost
        ));
    }
    let resumed = past.resumable.take().filter(|_| !replay_only);
    let settled = if resumed.is_some() { past.settle_open(&cache)? } else { Vec::new() };
    if let Some(resumed) = &resumed {
        journal::sync_segments(&resumed.path)?;
    }
    let is_resumed = resumed.is_some();
    let interrupted = past.without_reply(&cache)?;
    let folder = resumed.unwrap_or(fresh);

    let mut gates = Gates::open(&audit, &stands, replay_only).await?;
    planned.planted.clone_from(&gates.planted);
    let epoch = if audit.cache == CacheMode::Refresh { folder.id.clone() } else { String::new() };
    let window = gates.window;
    let (screen, confirm) = gates.graders(stands, &behaviour, &epoch, &cache);
    let start = Start {
        budget: Budget::new(audit.budget.max_cost, past.spent),
        next_attempt: past.next_attempt,
        interrupted,
        deadline: deadline(&audit),
        disks: Disks::new(vec![audit.workspace.runs(), audit.workspace.replies(), audit.workspace.units()], window),
    };
    let gate = Gate { units: census.units, screen, confirm, definitions, window };

    told.extend(cache.take_warnings());
    let journal = journal::create_segment(&folder.path, FileKind::EVENTS)?;
    folder.point_latest()?;
    for event in opening(&folder, is_resumed, planned, settled, told) {
        journal.append_written(&event).await?;
        observe(Notice::Event(&event));
    }
    let interrupts = Interrupts::listen().map_err(|source| SessionError::Io { path: "signals".into(), source })?;
    let reason = pipeline::run(gate, start, &journal, interrupts, observe).await?;
    close_journal(journal, &cache, reason.clone()).await?;
    cache.close().await?;
    gates.close().await;

    let tally = conclude::tally(&audit.workspace, &folder)?;
    let report = Report::new(&tally);
    conclude::write(&folder, &report)?;
    Ok(Ended { folder, reason, tally, report })
}

/// Refuses a prompt that was changed under a label in use, and locks labels that are used for the first time.
fn check_prompts(audit: &Audit, stands: &[Stand], may_lock: bool) -> Result<(), SessionError> {
    let path = audit.workspace.prompts_lock();
    let mut lock = read_lock(&path)?;
    let mut changed = false;
    for stand in stands {
        match lock.check(&audit.behaviour, &stand.prompt) {
            LockState::Same => {}
            LockState::New => changed |= lock.insert(&audit.behaviour, &stand.prompt),
            LockState::Changed(prompt) => {
                let verdicts = verdicts_under(audit, stand, &prompt.locked_hash)?;
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

/// Verdicts in this workspace's runs that were given under a stage's label and another text.
fn verdicts_under(audit: &Audit, stand: &Stand, locked: &Digest) -> Result<u64, FolderError> {
    let mut verdicts = 0;
    for folder in RunFolder::list(&audit.workspace.runs())? {
        let mut units = HashSet::new();
        let mut uses = false;
        for event in folder.events() {
            match event? {
                Event::Planned(planned) => {
                    uses = planned.behaviour == audit.behaviour
                        && planned
                            .graders
                            .iter()
                            .any(|grader| grader.prompt == stand.prompt.label && grader.prompt_hash == *locked);
                }
                Event::Judged(judged) if uses && judged.stage == stand.stage && judged.key.is_some() => {
                    units.insert(judged.ordinal);
                }
                Event::Judged(_)
                | Event::Opened(_)
                | Event::Admitted(_)
                | Event::Granted(_)
                | Event::Sent(_)
                | Event::Settled(_)
                | Event::Warned { .. }
                | Event::Closed(_) => {}
            }
        }
        verdicts += units.len() as u64;
    }
    Ok(verdicts)
}

async fn open_cache(audit: &Audit, replay_only: bool) -> Result<(ReplyCache, Vec<String>), SessionError> {
    let settings = CacheSettings {
        replies: audit.workspace.replies(),
        index: audit.workspace.index(),
        access: if replay_only { Access::ReadOnly } else { Access::ReadWrite },
    };
    let opened = tokio::task::spawn_blocking(move || ReplyCache::open(&settings)).await;
    Ok(opened.map_err(|_| PipelineError::Worker("opening the reply cache".to_owned()))??)
}

/// Admission closes one path's longest time before the end, so that what is admitted can finish.
fn deadline(audit: &Audit) -> Option<Deadline> {
    let requests = audit.budget.deadline?;
    let longest = |grader: &GraderSettings| {
        let once = audit.endpoints.get(&grader.endpoint).map_or(0, |endpoint| endpoint.item_deadline.as_millis());
        if grader.on_truncated.is_empty() { once } else { 2 * once }
    };
    let path = longest(&audit.screen) + audit.confirm.as_ref().map_or(0, longest);
    let path = u64::try_from(path).unwrap_or(u64::MAX);
    Some(Deadline { admission: UnixMs(requests.0.saturating_sub(path)), requests })
}

/// The first events of a session.
fn opening(
    folder: &RunFolder,
    earlier_synced: bool,
    planned: Planned,
    settled: Vec<Event>,
    warnings: Vec<String>,
) -> Vec<Event> {
    let opened = Opened {
        format: EVENT_FORMAT,
        run: folder.id.clone(),
        at_ms: clock::now().0,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot: boot_id(),
        earlier_synced,
    };
    let mut events = vec![Event::Opened(opened), Event::Planned(Box::new(planned))];
    events.extend(settled);
    events.extend(warnings.into_iter().map(|message| Event::Warned { message }));
    events
}

async fn close_journal(journal: Writer, cache: &ReplyCache, reason: StopReason) -> Result<(), JournalError> {
    for message in cache.take_warnings() {
        journal.append_written(&Event::Warned { message }).await?;
    }
    journal.append_durable(&Event::Closed(Closed { reason, at_ms: clock::now().0 })).await?;
    journal.close().await
}

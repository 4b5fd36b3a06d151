//! A look at a run from outside, while it goes on or after it ended: what `assize status` shows. Writes nothing and takes
//! no lock that anybody would notice.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::folder::{FolderError, RunFolder};
use super::live::Live;
use super::settings::Workspace;
use crate::clock::UnixMs;
use crate::journal::{self, Held, JournalError};
use crate::model::event::{Event, Opened, Planned, StopReason};
use crate::prompt::Library;
use crate::prompt::library::LibraryError;
use crate::reconcile::Definitions;
use crate::report::progress::{Progress, Snapshot, Standing};
use crate::verdict::DefinitionError;

/// Why a run cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The lock cannot be asked.
    #[error(transparent)]
    Lock(#[from] JournalError),
    /// The behaviour cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A definition of the behaviour is wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The journal ends before the plan.
    #[error("the run ended before it had planned anything")]
    Nothing,
}

/// What a run is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// Its process is at work.
    Running {
        /// Process id.
        pid: u32,
        /// Name of the machine, where the lock says so.
        host: Option<String>,
    },
    /// Its process ended in order.
    Ended {
        /// Why.
        #[serde(flatten)]
        reason: StopReason,
    },
    /// Its process is gone and left no last word: killed, or without power.
    Died {
        /// The last sign of life, as Unix time in milliseconds.
        last_seen_ms: u64,
    },
}

/// One look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Look {
    /// The run's id.
    pub run: String,
    /// That a grader's prompt is a draft: nothing of it is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// What it is doing.
    pub state: RunState,
    /// Where it stands, or stood.
    pub progress: Snapshot,
}

/// Looks at a run. A run leaves a snapshot every second and at its end, which is all that is read then; where there is none
/// that can be trusted, as after a kill, the journal is read from its beginning, in constant memory.
///
/// # Errors
/// See [`LookError`].
pub fn look(workspace: &Workspace, folder: &RunFolder, now: UnixMs) -> Result<Look, LookError> {
    let held = journal::holder(&workspace.lock())?;
    let run = folder.id.clone();
    let watermark = folder.last_session().and_then(|(_, planned)| planned.watermark());
    if let Some(live) = Live::read(folder) {
        if let Some(reason) = live.reason(folder).cloned() {
            return Ok(Look { run, watermark, state: RunState::Ended { reason }, progress: live.progress });
        }
        if live.is_fresh(now) && (!live.is_locked || is_held_by(held.as_ref(), live.pid)) {
            let state = RunState::Running { pid: live.pid, host: host(held) };
            return Ok(Look { run, watermark, state, progress: live.progress });
        }
    }
    let Story { progress, opened, closed } = Story::read(workspace, folder)?;
    let (state, at) = match closed {
        Some((reason, at)) => (RunState::Ended { reason }, at),
        None if is_held_by(held.as_ref(), opened.pid) => (RunState::Running { pid: opened.pid, host: host(held) }, now),
        None => {
            let last_seen = last_write(&folder.path).unwrap_or(UnixMs(opened.at_ms));
            (RunState::Died { last_seen_ms: last_seen.0 }, last_seen)
        }
    };
    Ok(Look { run, watermark, state, progress: progress.snapshot(at, Standing::default()) })
}

/// Whether this process holds the lock. In the instant before its name is written it may be anybody's.
fn is_held_by(held: Option<&Held>, pid: u32) -> bool {
    held.is_some_and(|held| held.holder.as_ref().is_none_or(|holder| holder.pid == pid))
}

fn host(held: Option<Held>) -> Option<String> {
    held.and_then(|held| held.holder).map(|holder| holder.host)
}

/// A journal, told to its end.
struct Story {
    progress: Progress,
    opened: Opened,
    closed: Option<(StopReason, UnixMs)>,
}

impl Story {
    fn read(workspace: &Workspace, folder: &RunFolder) -> Result<Self, LookError> {
        let mut progress: Option<Progress> = None;
        let mut session: Option<Opened> = None;
        let mut closed = None;
        for event in folder.events() {
            let event = event?;
            let started = UnixMs(session.as_ref().map_or(0, |session| session.at_ms));
            match &event {
                Event::Opened(opened) => {
                    session = Some(opened.clone());
                    closed = None;
                    if let Some(progress) = &mut progress {
                        progress.event(&event, UnixMs(opened.at_ms));
                    }
                    continue;
                }
                Event::Planned(planned) if progress.is_none() => {
                    let mut fresh = Progress::new(definitions(workspace, planned)?, started);
                    fresh.event(&Event::Opened(session.clone().ok_or(LookError::Nothing)?), started);
                    progress = Some(fresh);
                }
                Event::Closed(last) => closed = Some((last.reason.clone(), UnixMs(last.at_ms))),
                Event::Planned(_)
                | Event::Admitted(_)
                | Event::Granted(_)
                | Event::Sent(_)
                | Event::Settled(_)
                | Event::Judged(_)
                | Event::Warned { .. } => {}
            }
            if let Some(progress) = &mut progress {
                progress.event(&event, started);
            }
        }
        let (progress, opened) = progress.zip(session).ok_or(LookError::Nothing)?;
        Ok(Self { progress, opened, closed })
    }
}

fn definitions(workspace: &Workspace, planned: &Planned) -> Result<Definitions, LookError> {
    let behaviour = Library::open(&workspace.prompts())?.behaviour(&planned.behaviour)?.behaviour;
    let definitions = Definitions::of(&behaviour, Some(&planned.definition), planned.graders.len() > 1)?;
    Ok(definitions.repeating_as(planned))
}

/// When something was last written into a run's folder.
fn last_write(folder: &Path) -> Option<UnixMs> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let written = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    written.max().and_then(|since| u64::try_from(since.as_millis()).ok()).map(UnixMs)
}

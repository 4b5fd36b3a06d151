//! What a run shows to other terminals: the newest snapshot of its progress, in its folder, replaced every second, and once
//! more at the end.
//!
//! It is a convenience, not a record: journal and replies are the truth, and this file may be deleted at any time.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::folder::RunFolder;
use crate::clock::UnixMs;
use crate::journal;
use crate::model::event::StopReason;
use crate::report::progress::Snapshot;

const FILE: &str = "progress.json";

/// Beyond this age a snapshot no longer speaks of the present: a run writes one every second.
const FRESH_MS: u64 = 10_000;

/// A snapshot with the process that wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Process id.
    pub pid: u32,
    /// Whether it holds the workspace's lock for as long as it lives; a read-only replay takes none.
    pub is_locked: bool,
    /// Where the run stood.
    pub progress: Snapshot,
    /// How the session ended, if it has.
    pub ended: Option<Ending>,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Why it ended.
    pub reason: StopReason,
    /// Bytes of the whole journal: the snapshot speaks of a run for as long as no byte was added to it.
    pub journal_bytes: u64,
}

impl Live {
    /// Replaces the snapshot of a run. Not synced: after a power failure it is of no use. A disk that is full or forbids
    /// it only takes the convenience away; the journal, which must be written, says so.
    pub fn write(&self, folder: &RunFolder) {
        let write = || -> Option<()> {
            let mut file = tempfile::NamedTempFile::new_in(&folder.path).ok()?;
            file.write_all(&serde_json::to_vec(self).ok()?).ok()?;
            file.persist(folder.path.join(FILE)).ok()?;
            Some(())
        };
        write();
    }

    /// Why the run ended, if the snapshot tells its whole journal.
    #[must_use]
    pub fn reason(&self, folder: &RunFolder) -> Option<&StopReason> {
        let ending = self.ended.as_ref().filter(|ending| journal_bytes(folder) == Some(ending.journal_bytes))?;
        Some(&ending.reason)
    }

    /// Takes the snapshot away: only the journal knows how the run ended.
    pub fn remove(folder: &RunFolder) {
        fs::remove_file(folder.path.join(FILE)).ok();
    }

    /// The newest snapshot of a run, if there is one that can be read.
    #[must_use]
    pub fn read(folder: &RunFolder) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.path.join(FILE)).ok()?).ok()
    }

    /// Whether the snapshot speaks of the present.
    #[must_use]
    pub fn is_fresh(&self, now: UnixMs) -> bool {
        now.0.abs_diff(self.progress.at_ms) <= FRESH_MS
    }
}

/// The last sign of life of a run whose process is gone: the newest line of its journal, or its newest snapshot.
#[must_use]
pub fn last_sign(folder: &RunFolder) -> Option<UnixMs> {
    let written = |path: &Path| fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok();
    let segments = journal::segments(&folder.path).ok()?;
    let newest = segments.iter().filter_map(|(_, path)| written(path)).max();
    let newest = newest.and_then(|since| u64::try_from(since.as_millis()).ok()).map(UnixMs);
    newest.max(Live::read(folder).map(|live| UnixMs(live.progress.at_ms)))
}

/// Bytes of all segments of a run's journal.
#[must_use]
pub fn journal_bytes(folder: &RunFolder) -> Option<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(&folder.path).ok()? {
        let entry = entry.ok()?;
        if entry.file_name().to_string_lossy().starts_with("journal-") {
            bytes += entry.metadata().ok()?.len();
        }
    }
    Some(bytes)
}

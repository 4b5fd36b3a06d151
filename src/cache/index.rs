//! The index: one sorted table per closed segment, kept in sled. The only module that sees sled.
//!
//! sled 0.34 panics on a damaged file and waits for ever on a full disk. So it runs on threads of its own, with time
//! limits and caught panics, and whatever happens to it is a [`Failure`]. A thread that does not come back is left
//! behind; nothing in the log depends on it.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::log::SegmentId;
use super::table::Table;
use crate::caught::caught;
use crate::journal::create_folder;

/// The format of what is stored in sled. Another one is set aside, and the index is made again from the log.
const FORMAT: u32 = 2;
const FORMAT_KEY: &[u8] = b"format";

/// Opening and closing take milliseconds on any working disk.
const TIME_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 20 });
const FLUSH_EVERY_MS: u64 = 500;
/// The tables are read once, at the start.
const CACHE_BYTES: u64 = 1 << 20;

/// Why the index cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another process has it open.
    InUse,
    /// What lies there is no index of ours: it can be set aside and made again.
    Damaged(String),
    /// The disk, the permissions or sled itself do not let us.
    Unavailable(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process uses it"),
            Self::Damaged(reason) | Self::Unavailable(reason) => f.write_str(reason),
        }
    }
}

/// sled's own threads let go of its file a moment after its last handle is dropped: what follows must not take that for
/// another process.
const LET_GO: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    /// Where it lies.
    folder: PathBuf,
    /// Taken when the index is closed.
    db: Option<sled::Db>,
}

/// What an index holds.
pub(super) type Stored = HashMap<SegmentId, Table>;

impl Index {
    /// Opens the index, creates it if it is missing, and reads all tables.
    pub(super) fn open(folder: &Path) -> Result<(Self, Stored), Failure> {
        let index = Self::reopen(folder)?;
        let db = index.db.clone().expect("the index is open until it is dropped");
        let stored = guarded(move || read_all(&db))?;
        Ok((index, stored))
    }

    /// Opens an index whose tables were read before.
    pub(super) fn reopen(folder: &Path) -> Result<Self, Failure> {
        if is_in_use(folder) {
            return Err(Failure::InUse);
        }
        create_folder(folder).map_err(|error| Failure::Damaged(error.to_string()))?;
        let config = sled::Config::new().path(folder).flush_every_ms(Some(FLUSH_EVERY_MS)).cache_capacity(CACHE_BYTES);
        let db = guarded(move || config.open().map_err(Failure::from))?;
        Ok(Self { folder: folder.to_owned(), db: Some(db) })
    }

    /// Stores the table of a segment, or removes it. It reaches the disk some time later: until then, and after a crash,
    /// the log is read instead.
    pub(super) fn store(&self, segment: SegmentId, table: Option<&Table>) -> Result<(), Failure> {
        let db = self.db.clone().expect("the index is open until it is dropped");
        let bytes = table.map(Table::to_bytes);
        guarded(move || {
            let name = segment.to_string();
            let previous = match bytes {
                Some(bytes) => db.insert(name, bytes)?,
                None => db.remove(name)?,
            };
            drop(previous);
            Ok(())
        })
    }

    /// Writes everything out and lets go of the folder.
    pub(super) fn close(mut self) -> Result<(), Failure> {
        let db = self.db.take().expect("the index is open until it is dropped");
        let folder = std::mem::take(&mut self.folder);
        guarded(move || {
            db.flush()?;
            drop(db);
            let began = Instant::now();
            while is_in_use(&folder) && began.elapsed() < LET_GO {
                thread::sleep(LOOK_EVERY);
            }
            Ok(())
        })
    }
}

impl Drop for Index {
    /// Dropping a sled database flushes it, which may panic or take for ever.
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            drop(on_own_thread(move || drop(db)));
        }
    }
}

/// sled locks its file, but reports a locked one like any other failure. Its lock and ours exclude each other.
pub(super) fn is_in_use(folder: &Path) -> bool {
    File::open(folder.join("db")).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn read_all(db: &sled::Db) -> Result<Stored, Failure> {
    let format = db.get(FORMAT_KEY)?;
    if format.is_none() && db.is_empty() {
        db.insert(FORMAT_KEY, &FORMAT.to_be_bytes())?;
        return Ok(Stored::new());
    }
    if format.as_deref() != Some(FORMAT.to_be_bytes().as_slice()) {
        return Err(Failure::Damaged("it has the format of another version of assize".to_owned()));
    }
    let mut stored = Stored::new();
    for entry in db.iter() {
        let (name, bytes) = entry?;
        if name == *FORMAT_KEY {
            continue;
        }
        let segment = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok());
        let (Some(segment), Some(table)) = (segment, Table::from_bytes(&bytes)) else {
            return Err(Failure::Damaged("a checksum in it differs".to_owned()));
        };
        stored.insert(segment, table);
    }
    Ok(stored)
}

impl From<sled::Error> for Failure {
    fn from(error: sled::Error) -> Self {
        let reason = error.to_string();
        match error {
            sled::Error::Io(error) if is_the_systems_fault(&error) => Self::Unavailable(reason),
            sled::Error::Io(_)
            | sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. } => Self::Damaged(reason),
        }
    }
}

fn is_the_systems_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
}

/// Runs a task on a thread of its own; a panic is damage, and no answer within the time limit is no index.
fn guarded<T: Send + 'static>(task: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let (answer, answered) = sync_channel(1);
    let spawned = on_own_thread(move || drop(answer.send(caught(task))));
    spawned.map_err(|error| Failure::Unavailable(error.to_string()))?;
    match answered.recv_timeout(TIME_LIMIT) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Damaged("it makes sled panic".to_owned())),
        Err(RecvTimeoutError::Timeout) => {
            Err(Failure::Unavailable(format!("sled gave no answer within {} seconds", TIME_LIMIT.as_secs())))
        }
    }
}

fn on_own_thread(task: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("index".to_owned()).spawn(task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::aside::set_aside;

    #[test]
    fn another_format_is_damage_and_can_be_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let (index, _) = Index::open(&path).unwrap();
        index.db.as_ref().unwrap().insert(FORMAT_KEY, &(FORMAT - 1).to_be_bytes()).unwrap();
        index.close().unwrap();
        let refused = Index::open(&path).unwrap_err();
        assert_eq!(refused.to_string(), "it has the format of another version of assize");
        assert_eq!(set_aside(&path).unwrap(), folder.path().join("index.damaged-1"));
        assert!(Index::open(&path).unwrap().1.is_empty());
    }

    #[test]
    fn a_second_opener_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(folder.path()).unwrap();
        assert_eq!(Index::open(folder.path()).unwrap_err(), Failure::InUse);
        index.close().unwrap();
        Index::open(folder.path()).unwrap();
    }

    #[test]
    fn a_panic_is_damage() {
        let panicked: Result<(), _> = guarded(|| panic!("as sled does on a damaged file"));
        assert!(matches!(panicked, Err(Failure::Damaged(_))));
    }
}

//! One writer at a time, by an advisory lock that dies with its process.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::private::open_or_create;
use super::{JournalError, create_folder};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// What it is doing: a run's id.
    pub run: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, host, run } = self;
        write!(f, "run `{run}` (process {pid} on `{host}`)")
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it; wait for them, or stop them.
    #[error("lock `{path}`: held by {}", holder.as_ref().map_or_else(|| "another process".to_owned(), Holder::to_string))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who; absent in the instant before the holder has written its name.
        holder: Option<Holder>,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] JournalError),
}

/// Holding this is the permission to write what the lock covers. The operating system releases it when it is dropped
/// or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says at once who has it. The lock file stays behind: only the lock on it counts.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if somebody else holds it.
    pub fn take(path: &Path, run: &str) -> Result<Self, LockError> {
        let io = |action| move |error| LockError::File(JournalError::io(action, path, error));
        create_folder(path.parent().unwrap_or(path))?;
        let mut file = open_or_create(path).map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { path: path.to_owned(), holder: read_holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
        }
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let holder = Holder { pid: std::process::id(), host, run: run.to_owned() };
        write_holder(&mut file, &holder).map_err(io("write"))?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock at this path, if anybody does. Only asks: it takes a shared lock for an instant, never creates the
/// file, and lets go at once. The name in a file that nobody has locked means nothing: its process is gone.
///
/// # Errors
///
/// The file system's; a lock file that is not there is nobody's.
pub fn holder(path: &Path) -> Result<Option<Held>, JournalError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| JournalError::io("open", path, error))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Held { holder: read_holder(&mut file) })),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", path, error)),
    }
}

/// Somebody holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who; absent in the instant before the holder has written its name.
    pub holder: Option<Holder>,
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    let text = serde_json::to_string(holder)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/lock");
        let lock = Lock::take(&path, "night-1").unwrap();
        let refused = Lock::take(&path, "night-2").unwrap_err();
        let LockError::Held { holder: Some(holder), .. } = &refused else { panic!("{refused:?}") };
        assert_eq!((holder.pid, holder.run.as_str()), (std::process::id(), "night-1"));
        assert!(refused.to_string().contains("held by run `night-1` (process "), "{refused}");
        assert_eq!(super::holder(&path).unwrap().unwrap().holder.as_ref(), Some(holder));
        drop(lock);
        assert_eq!(super::holder(&path).unwrap(), None, "the name stays in the file and means nothing");
        Lock::take(&path, "night-2").unwrap();
        assert_eq!(super::holder(&folder.path().join("cache/other")).unwrap(), None);
    }
}

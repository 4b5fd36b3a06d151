//! What can go wrong with a whole file. Damage to one line is data, see [`Damage`](super::Damage).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a file could not be written or read. Clones go to everybody who waits for the same commit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Free space, then resume: what was acknowledged is safe.
    #[error("{action} `{path}`: the disk is full")]
    DiskFull {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder may not be written or read by this user.
    #[error("{action} `{path}`: permission denied or read-only file system")]
    NotPermitted {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("{action} `{path}`")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A later version of assize wrote the file.
    #[error("`{path}` has {kind} format {found}, and this version of assize reads formats up to {known}")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// What its records are.
        kind: &'static str,
        /// Its format.
        found: u32,
        /// The newest format that is understood.
        known: u32,
    },
    /// The file holds something else.
    #[error("`{path}` does not hold {expected}")]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The record is longer than a line may be. The file is still good.
    #[error("a record for `{path}` has {bytes} bytes, and a line takes at most {limit}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Size of the record.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The record has no JSON form. The file is still good.
    #[error("a record for `{path}` cannot be written as JSON")]
    NotJson {
        /// The file.
        path: PathBuf,
    },
    /// The writer was closed before the record was handed over.
    #[error("`{path}` is closed")]
    Closed {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    /// The error for a failed `action` on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_disk_full(&source) {
            Self::DiskFull { action, path }
        } else if is_not_permitted(&source) {
            Self::NotPermitted { action, path }
        } else {
            Self::Io { action, path, source: Arc::new(source) }
        }
    }
}

fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_not_permitted(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

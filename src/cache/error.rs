//! What stops the cache. A damaged reply does not: it is a warning and a miss.

use std::path::PathBuf;

use crate::journal::JournalError;

/// Why the cache cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The reply log cannot be read or written: disk full, not permitted, newer format.
    #[error(transparent)]
    Log(#[from] JournalError),
    /// A reply came for a cache that was opened read-only.
    #[error("the reply cache is open for reading only")]
    ReadOnly,
    /// A reply came after the cache was closed.
    #[error("the reply cache is closed")]
    Closed,
    /// Another process uses the index.
    #[error("the index `{path}` is in use by another process")]
    IndexInUse {
        /// The index folder.
        path: PathBuf,
    },
    /// The index can be neither opened nor replaced.
    #[error("the index `{path}` cannot be used: {reason}")]
    Index {
        /// The index folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

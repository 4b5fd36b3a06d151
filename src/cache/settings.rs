//! Where the cache lies and what may be done with it.

use std::path::PathBuf;

/// Whether the cache may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Replies are stored; the caller holds the lock that makes it the only writer.
    ReadWrite,
    /// Nothing is written, not even the index: what is missing reads as empty.
    ReadOnly,
}

/// One reply cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Folder of the reply log.
    pub replies: PathBuf,
    /// Folder of the index.
    pub index: PathBuf,
    /// Whether the cache may change.
    pub access: Access,
}

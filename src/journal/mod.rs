//! Append-only checksummed lines: the form of every durable record.
//!
//! A file is a header line and then one line per record, each with a CRC32C of exactly its record's bytes:
//!
//! ```text
//! {"crc32c":"8d1b9f2e","record":{"kind":"replies","format":1}}
//! {"crc32c":"89abcdef","record":{"key":"...","status":200}}
//! ```
//!
//! A process never appends to a file of another process: it starts a new one. So a line that a crash cut off is the
//! last of its file, and damage anywhere else is damage. Nothing here knows what the records mean, decides what to do
//! about a damaged line, or ever rewrites one.

mod error;
mod folder;
mod format;
mod lock;
mod private;
mod reader;
mod room;
mod writer;

pub use error::JournalError;
pub use folder::{create_segment, read_all, segments, sync_segments};
pub use format::{Damage, FileKind, MAX_LINE_BYTES, line_of};
pub use lock::{Held, Holder, Lock, LockError, holder};
pub use private::{create_file, create_folder};
pub use reader::{Line, Reader, read_at};
pub use room::{DiskSpace, disk_space};
pub use writer::{Batch, GROUP_RECORDS, Place, Writer};

#[cfg(test)]
mod tests;

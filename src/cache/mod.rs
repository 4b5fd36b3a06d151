//! The reply cache: what was paid for once is never paid for again.
//!
//! The log (`log.rs`) is the truth: append-only segments, each reply durable before anybody is told of it. The index
//! (`index.rs`, sled) is a shortcut past reading the log at the start; it can be deleted at any time, is rebuilt when it
//! is damaged, and never decides what is in the cache. Lookups go through sorted tables in memory (`table.rs`), and every
//! reply is checked against its checksum and its full key when it is read.
//!
//! `export.rs` and `import.rs` carry replies from one workspace to another.
//!
//! `units.rs` keeps the other thing that a run needs again: the conversations of selected units.
//!
//! The cache stores replies, never verdicts, and knows neither requests in flight nor budgets.

mod aside;
mod error;
mod export;
mod import;
mod index;
mod key;
mod log;
mod open;
mod repair;
mod replies;
mod settings;
mod table;
mod tables;
pub mod units;
mod warnings;

pub use error::CacheError;
pub use export::{ExportError, ExportFilter, ExportReport, export, export_to};
pub use import::{ImportError, ImportReport, import, open_export};
pub use key::{Keys, key_of};
pub use repair::{CacheStats, DamagedLine, IndexState, RebuildReport, VerifyReport, rebuild, stats, verify};
pub use replies::ReplyCache;
pub use settings::{Access, CacheSettings};

#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod tests;

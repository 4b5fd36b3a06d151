//! Streams conversations from files: plain, gzip or zstd; canonical JSONL, OpenAI chat or ShareGPT.
//!
//! A record that cannot be read is data, not an error: it is named by file and line with a reason, and reading goes
//! on. Memory is bounded by one record, never by a file. Nothing here decides what is sampled or counted.

mod canonical;
mod decode;
mod error;
mod fields;
mod files;
mod filter;
mod openai;
mod parse;
mod read;
pub mod settings;
mod sharegpt;
mod split;
mod wire;

pub use canonical::conversation as canonical;
pub use error::{Fault, SourceError, UnreadableReason};
pub use files::{STDIN, SourceFile, files};
pub use filter::{Fact, Filter};
pub use parse::{Parser, Record, cluster_of, group_of};
pub use read::{Fingerprint, RawRecord, RawRecords, Records, read};

/// Version of everything between a file's bytes and a [`crate::model::conversation::Conversation`]. It is part of
/// the identity of a census and grows with every change that can alter an id, a text or a metadata value.
pub const IMPORTER_VERSION: u32 = 1;

//! What a corpus is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::model::conversation::Channel;
use crate::model::unit::UnitKind;

/// The shape of a source's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Format {
    /// Decided per file from its first record.
    #[default]
    Auto,
    /// assize's own JSONL: one conversation a line.
    Canonical,
    /// Chat messages as OpenAI's API takes them: a `messages` array per record, or a bare array.
    OpenAi,
    /// `conversations` of `{from, value}`.
    ShareGpt,
}

/// One `[[corpus.source]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceSettings {
    /// Globs, folders and files, made absolute; `-` is standard input.
    pub paths: Vec<String>,
    /// The shape of the files.
    pub format: Format,
    /// Metadata that the files do not carry.
    pub set: BTreeMap<String, String>,
    /// Where foreign records keep what: `id`, `messages`, or a metadata name, to one or more dotted paths whose
    /// values are joined with `/`.
    pub fields: BTreeMap<String, Vec<String>>,
}

/// `[corpus]` with its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpusSettings {
    /// The sources, in order.
    pub sources: Vec<SourceSettings>,
    /// What is graded and counted.
    pub unit: UnitKind,
    /// What is drawn: single turns, or whole conversations with all their turns. A unit that is a conversation is drawn
    /// by itself.
    pub sample_by: UnitKind,
    /// Metadata fields whose values form the group.
    pub group_by: Vec<String>,
    /// The metadata field whose values are the clusters; conversations are where there is none.
    pub cluster_by: Option<String>,
    /// Channels of a turn that are screened and graded.
    pub channels: BTreeSet<Channel>,
    /// Expression over metadata; empty keeps everything.
    pub filter: String,
    /// Longest record that is read, in bytes.
    pub max_line_bytes: u64,
    /// Whether the first unreadable record stops the run.
    pub strict: bool,
    /// Where relative paths in messages are shown from.
    pub root: PathBuf,
}

impl CorpusSettings {
    /// Whether several units are drawn together: turns, by whole conversations.
    #[must_use]
    pub const fn draws_several(&self) -> bool {
        self.unit.is_turn() && !self.sample_by.is_turn()
    }

    /// Whether a conversation is in one stratum as a whole, that of its most specific turn.
    #[must_use]
    pub const fn takes_whole(&self) -> bool {
        !self.unit.is_turn() || !self.sample_by.is_turn()
    }
}

//! The snapshot of selected conversations: grading, review and reports read it and never need the corpus again.
//!
//! `cache/units/<digest>/` holds `conversations` (compressed one by one, each with a checksum, found by offset) and
//! `units` (a header with the strata, then one row of fixed size per selected unit, in order of admission). A snapshot
//! appears whole or not at all, is readable by its owner only, and never changes.

mod addresses;
mod format;
mod joined;
mod reader;
mod writer;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::aside::set_aside;
use crate::model::conversation::Conversation;
use crate::model::event::Ordinal;
use crate::model::hash::{Digest, PartHasher};
use crate::model::unit::{Stratum, UnitId};
use format::{CONVERSATIONS, FORMAT, Header, Row, UNITS, read_header, tag_of};

pub use addresses::Addresses;
pub use joined::{Units, UnitsReader};
pub use reader::{ReadBuffers, UnitReader};
pub use writer::{Selected, SnapshotWriter};

/// A snapshot cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum UnitsError {
    /// The system refused.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A part of the snapshot is not what was written.
    #[error("{part} in `{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The header, or which unit.
        part: String,
    },
    /// A newer assize wrote it.
    #[error("`{}` has format {format}, and this version reads up to {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The plan has no such unit.
    #[error("there is no unit {} among {units}", ordinal.0)]
    NoSuchUnit {
        /// What was asked for.
        ordinal: Ordinal,
        /// Number of units.
        units: u64,
    },
    /// What was selected is not an assistant message of its conversation.
    #[error("message {turn} of `{conversation}` is not a turn")]
    NotATurn {
        /// The conversation's id.
        conversation: String,
        /// The message.
        turn: u32,
    },
    /// A snapshot was finished before all its units were added.
    #[error("{missing} selected units are missing from the snapshot")]
    Incomplete {
        /// How many.
        missing: u64,
    },
}

/// One selected unit with its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedUnit {
    /// Its place in the order of admission.
    pub ordinal: Ordinal,
    /// Its name.
    pub id: UnitId,
    /// Index into [`Snapshot::strata`]; absent for a known positive, which belongs to no stratum of the sample.
    pub stratum: Option<u32>,
    /// Digest of the conversation's messages, up to and including the turn if it is one: exact copies share it.
    pub content: Digest,
    /// The whole conversation.
    pub conversation: Conversation,
}

/// Every turn's position and the digest of the messages up to and including it.
pub fn turn_contents(conversation: &Conversation) -> impl Iterator<Item = (u32, Digest)> + '_ {
    let mut turns = conversation.turns().peekable();
    let mut hasher = PartHasher::new("conversation");
    (0u32..).zip(&conversation.messages).filter_map(move |(index, message)| {
        hasher.part(message.digest().as_bytes());
        turns.next_if_eq(&index).map(|turn| (turn, hasher.finish()))
    })
}

/// A finished snapshot. Threads share it by reference; reading moves no cursor.
#[derive(Debug)]
pub struct Snapshot {
    folder: PathBuf,
    units: File,
    conversations: File,
    conversations_bytes: u64,
    rows_start: u64,
    len: u64,
    strata: Vec<Stratum>,
}

impl Snapshot {
    /// Opens the snapshot of a selection in `dir` (`cache/units`); `None` if there is none.
    ///
    /// # Errors
    ///
    /// The files cannot be opened, were written by a newer version, or are not what was written.
    pub fn open(dir: &Path, digest: &Digest) -> Result<Option<Self>, UnitsError> {
        let folder = dir.join(digest.to_string());
        if !folder.is_dir() {
            return Ok(None);
        }
        let (units_path, conversations_path) = (folder.join(UNITS), folder.join(CONVERSATIONS));
        let units = File::open(&units_path).map_err(failed(&units_path))?;
        let conversations = File::open(&conversations_path).map_err(failed(&conversations_path))?;
        let damaged = || UnitsError::Damaged { path: units_path.clone(), part: "the header".to_owned() };
        let (header, rows_start) = read_header(&units, &units_path)?.ok_or_else(damaged)?;
        let length = units.metadata().map_err(failed(&units_path))?.len();
        if header.digest != *digest || length != rows_start + header.units * Row::BYTES as u64 {
            return Err(damaged());
        }
        let conversations_bytes = conversations.metadata().map_err(failed(&conversations_path))?.len();
        let Header { units: len, strata, .. } = header;
        Ok(Some(Self { folder, units, conversations, conversations_bytes, rows_start, len, strata }))
    }

    /// Number of units.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The strata that units refer to by index.
    #[must_use]
    pub fn strata(&self) -> &[Stratum] {
        &self.strata
    }

    /// Reads one unit. Many are read faster by [`Self::reader`].
    ///
    /// # Errors
    ///
    /// There is no such unit, it is damaged, or the system fails to deliver it.
    pub fn get(&self, ordinal: Ordinal) -> Result<SelectedUnit, UnitsError> {
        self.reader(ReadBuffers::default()).get(ordinal)
    }

    /// A reader for one thread and many units, in the memory of an earlier one.
    #[must_use]
    pub fn reader(&self, buffers: ReadBuffers) -> UnitReader<'_> {
        UnitReader::new(self, buffers)
    }

    /// The units with this address: `conversation-id#index`, or a conversation's id for all of its selected units.
    /// Several groups can hold the same address.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`].
    pub fn find(&self, address: &str) -> Result<Vec<Ordinal>, UnitsError> {
        let split = address.rsplit_once('#').and_then(|(id, turn)| Some((id, turn.parse::<u32>().ok()?)));
        let mut found = Vec::new();
        for ordinal in (0..self.len).map(Ordinal) {
            let row = self.row(ordinal)?;
            let named = split.is_some_and(|(id, turn)| row.turn == Some(turn) && row.tag == tag_of(id));
            if named || row.tag == tag_of(address) {
                let id = self.get(ordinal)?.id;
                if id.conversation == address || id.to_string() == address {
                    found.push(ordinal);
                }
            }
        }
        Ok(found)
    }

    /// Moves a snapshot that turned out to be damaged out of the way, so that the next census copies it again; where to.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_aside(folder: &Path) -> Result<PathBuf, UnitsError> {
        set_aside(folder).map_err(failed(folder))
    }

    fn row(&self, ordinal: Ordinal) -> Result<Row, UnitsError> {
        let mut bytes = Vec::new();
        self.read_rows(ordinal, 1, &mut bytes)?;
        let row = bytes.first_chunk().and_then(|bytes| Row::decode(ordinal, bytes));
        row.ok_or_else(|| self.damaged(ordinal, UNITS))
    }

    /// The bytes of up to so many rows from this one on; at least of this one.
    fn read_rows(&self, first: Ordinal, most: u64, rows: &mut Vec<u8>) -> Result<(), UnitsError> {
        let Some(left) = self.len.checked_sub(first.0).filter(|left| *left > 0) else {
            return Err(UnitsError::NoSuchUnit { ordinal: first, units: self.len });
        };
        let row_bytes = Row::BYTES as u64;
        rows.resize(usize::try_from(left.min(most) * row_bytes).unwrap_or_default(), 0);
        let read = self.units.read_exact_at(rows, self.rows_start + first.0 * row_bytes);
        if read.is_err() {
            rows.clear();
        }
        read.map_err(|error| failed(&self.folder.join(UNITS))(error))
    }

    fn damaged(&self, ordinal: Ordinal, file: &str) -> UnitsError {
        UnitsError::Damaged { path: self.folder.join(file), part: format!("unit {}", ordinal.0) }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> UnitsError + use<> {
    let path = path.to_owned();
    move |source| UnitsError::Io { path, source }
}

#[cfg(test)]
mod tests;

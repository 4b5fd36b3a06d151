//! Writes a snapshot under a temporary name and renames it when it is complete and synced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zstd::bulk::Compressor;

use super::format::{CONVERSATIONS, FORMAT, FRAME_BYTES, Header, MAGIC, PREFIX_BYTES, Row, UNITS, tag_of};
use super::{Snapshot, UnitsError, failed, turn_contents};
use crate::model::conversation::Conversation;
use crate::model::event::Ordinal;
use crate::model::hash::Digest;
use crate::model::unit::Stratum;

/// zstd's own default.
const COMPRESSION_LEVEL: i32 = 3;

/// A selected unit of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// Its place in the order of admission.
    pub ordinal: Ordinal,
    /// Index into the strata.
    pub stratum: u32,
    /// Position of the turn among all messages; absent for the whole conversation.
    pub turn: Option<u32>,
}

/// A snapshot in the making. Dropped before [`Self::finish`], it leaves nothing behind.
pub struct SnapshotWriter {
    dir: PathBuf,
    temporary: TempDir,
    digest: Digest,
    units: File,
    rows_start: u64,
    /// Units not added yet.
    missing: u64,
    conversations: BufWriter<File>,
    offset: u64,
    compressor: Compressor<'static>,
}

impl SnapshotWriter {
    /// Begins the snapshot of `units` units in `dir` (`cache/units`).
    ///
    /// # Errors
    ///
    /// The files cannot be made.
    pub fn create(dir: &Path, digest: &Digest, strata: &[Stratum], units: u64) -> Result<Self, UnitsError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(dir).map_err(failed(dir))?;
        let folder = temporary.path().join("new");
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed(&folder))?;
        let (units_path, conversations_path) = (folder.join(UNITS), folder.join(CONVERSATIONS));
        let file = create(&units_path)?;
        let header = Header { digest: *digest, units, strata: strata.to_vec() };
        let json = serde_json::to_vec(&header).map_err(io::Error::from).map_err(failed(&units_path))?;
        let length = u32::try_from(json.len()).map_err(io::Error::other).map_err(failed(&units_path))?;
        let numbers = [FORMAT, length, crc32c::crc32c(&json)].map(u32::to_le_bytes);
        file.write_all_at(&[&MAGIC, numbers.as_flattened(), &json].concat(), 0).map_err(failed(&units_path))?;
        Ok(Self {
            dir: dir.to_owned(),
            temporary,
            digest: *digest,
            units: file,
            rows_start: PREFIX_BYTES as u64 + u64::from(length),
            missing: units,
            conversations: BufWriter::new(create(&conversations_path)?),
            offset: 0,
            compressor: Compressor::new(COMPRESSION_LEVEL).map_err(failed(&conversations_path))?,
        })
    }

    /// Adds a conversation and those of its units that were selected, each once and in any order.
    ///
    /// # Errors
    ///
    /// A selected turn is not an assistant message of the conversation, or the system refuses to write.
    pub fn add(&mut self, conversation: &Conversation, selected: &[Selected]) -> Result<(), UnitsError> {
        let offset = self.store(conversation)?;
        let tag = tag_of(&conversation.id);
        let contents: Vec<_> = turn_contents(conversation).collect();
        for Selected { ordinal, stratum, turn } in selected.iter().copied() {
            let content = match turn {
                Some(turn) => {
                    let not_a_turn = || UnitsError::NotATurn { conversation: conversation.id.clone(), turn };
                    let at = contents.binary_search_by_key(&turn, |(index, _)| *index).ok();
                    at.and_then(|at| contents.get(at)).ok_or_else(not_a_turn)?.1
                }
                None => conversation.content_digest(),
            };
            let row = Row { stratum, turn, offset, tag, content };
            let place = self.rows_start + ordinal.0 * Row::BYTES as u64;
            self.units.write_all_at(&row.encode(ordinal), place).map_err(failed(&self.path(UNITS)))?;
            self.missing = self.missing.saturating_sub(1);
        }
        Ok(())
    }

    /// Makes the snapshot durable and gives it its name, in place of one that may be there already.
    ///
    /// # Errors
    ///
    /// Units are missing, or the system refuses.
    pub fn finish(mut self) -> Result<Snapshot, UnitsError> {
        if self.missing > 0 {
            return Err(UnitsError::Incomplete { missing: self.missing });
        }
        let path = self.path(CONVERSATIONS);
        self.conversations.flush().map_err(failed(&path))?;
        self.conversations.get_ref().sync_all().map_err(failed(&path))?;
        self.units.sync_all().map_err(failed(&self.path(UNITS)))?;
        let (from, to) = (self.temporary.path().join("new"), self.dir.join(self.digest.to_string()));
        sync(&from)?;
        if to.exists() {
            fs::rename(&to, self.temporary.path().join("old")).map_err(failed(&to))?;
        }
        fs::rename(&from, &to).map_err(failed(&to))?;
        sync(&self.dir)?;
        let damaged = || UnitsError::Damaged { path: to.clone(), part: "the snapshot just written".to_owned() };
        Snapshot::open(&self.dir, &self.digest)?.ok_or_else(damaged)
    }

    /// Appends a conversation; where its frame begins.
    fn store(&mut self, conversation: &Conversation) -> Result<u64, UnitsError> {
        let path = self.path(CONVERSATIONS);
        let json = serde_json::to_vec(conversation).map_err(io::Error::from).map_err(failed(&path))?;
        let bytes = self.compressor.compress(&json).map_err(failed(&path))?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other).map_err(failed(&path))?;
        let frame = [length, crc32c::crc32c(&bytes)].map(u32::to_le_bytes);
        self.conversations.write_all(frame.as_flattened()).map_err(failed(&path))?;
        self.conversations.write_all(&bytes).map_err(failed(&path))?;
        let offset = self.offset;
        self.offset += (FRAME_BYTES + bytes.len()) as u64;
        Ok(offset)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.temporary.path().join("new").join(file)
    }
}

fn create(path: &Path) -> Result<File, UnitsError> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(failed(path))
}

/// A name is durable when its folder is.
fn sync(folder: &Path) -> Result<(), UnitsError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

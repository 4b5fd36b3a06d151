//! Reads units of a snapshot one after the other with the same buffers.

use std::os::unix::fs::FileExt;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::format::{CONVERSATIONS, FRAME_BYTES, Row, UNITS};
use super::{SelectedUnit, Snapshot, UnitsError, failed};
use crate::model::conversation::Conversation;
use crate::model::event::Ordinal;
use crate::model::unit::UnitId;

/// Most conversations fit, compressed, into one read of this many bytes.
const FIRST_READ_BYTES: u64 = 3 << 10;

/// A reader for one thread: the decompressor and its buffers are made once.
pub struct UnitReader<'a> {
    snapshot: &'a Snapshot,
    decompressor: Decompressor<'static>,
    frame: Vec<u8>,
    json: Vec<u8>,
}

impl<'a> UnitReader<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Result<Self, UnitsError> {
        let decompressor = Decompressor::new().map_err(failed(&snapshot.folder))?;
        Ok(Self { snapshot, decompressor, frame: Vec::new(), json: Vec::new() })
    }

    /// Reads one unit.
    ///
    /// # Errors
    ///
    /// There is no such unit, it is damaged, or the system fails to deliver it.
    pub fn get(&mut self, ordinal: Ordinal) -> Result<SelectedUnit, UnitsError> {
        let snapshot = self.snapshot;
        let Row { stratum, turn, offset, content, .. } = snapshot.row(ordinal)?;
        let damaged = |file| snapshot.damaged(ordinal, file);
        let of_stratum = snapshot.strata.get(stratum as usize).ok_or_else(|| damaged(UNITS))?;
        let conversation = self.conversation(offset)?.ok_or_else(|| damaged(CONVERSATIONS))?;
        if conversation.message(turn).is_none() {
            return Err(damaged(CONVERSATIONS));
        }
        let id = UnitId { group: of_stratum.group.clone(), conversation: conversation.id.clone(), turn: Some(turn) };
        Ok(SelectedUnit { ordinal, id, stratum: Some(stratum), content, conversation })
    }

    /// Size of the conversation that was read last, as JSON.
    #[must_use]
    pub const fn conversation_bytes(&self) -> usize {
        self.json.len()
    }

    /// The conversation whose frame begins at `offset`; `None` if it is damaged.
    fn conversation(&mut self, offset: u64) -> Result<Option<Conversation>, UnitsError> {
        let room = self.snapshot.conversations_bytes.saturating_sub(offset);
        self.read(offset, room.min(FIRST_READ_BYTES))?;
        let Some((header, _)) = self.frame.split_first_chunk::<FRAME_BYTES>() else { return Ok(None) };
        let (length, crc) = header.split_at(4);
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let (end, crc) = (FRAME_BYTES as u64 + u64::from(number(length)), number(crc));
        if end > room {
            return Ok(None);
        }
        if end > self.frame.len() as u64 {
            self.read(offset, end)?;
        }
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let compressed = self.frame.get(FRAME_BYTES..end).filter(|bytes| crc32c::crc32c(bytes) == crc);
        let Some(compressed) = compressed else { return Ok(None) };
        // The checksum has vouched for the size that the frame states.
        let Ok(Some(size)) = get_frame_content_size(compressed) else { return Ok(None) };
        self.json.clear();
        self.json.reserve(usize::try_from(size).unwrap_or_default());
        let whole = self.decompressor.decompress_to_buffer(compressed, &mut self.json);
        Ok(whole.ok().and_then(|_| serde_json::from_slice(&self.json).ok()))
    }

    fn read(&mut self, offset: u64, bytes: u64) -> Result<(), UnitsError> {
        self.frame.resize(usize::try_from(bytes).unwrap_or_default(), 0);
        let read = self.snapshot.conversations.read_exact_at(&mut self.frame, offset);
        read.map_err(failed(&self.snapshot.folder.join(CONVERSATIONS)))
    }
}

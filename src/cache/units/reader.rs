//! Reads units of a snapshot one after the other with the same buffers.

use std::fmt;
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

/// Rows that are read at once: units are mostly read in their order.
const ROWS: u64 = 64;

/// A reader for one thread: the decompressor and its buffers are made once.
pub struct UnitReader<'a> {
    snapshot: &'a Snapshot,
    buffers: ReadBuffers,
    /// The unit of the first row in the buffer of rows.
    rows_from: u64,
}

/// The memory of a reader, for the next one.
#[derive(Default)]
pub struct ReadBuffers {
    /// Made when it is first needed.
    decompressor: Option<Decompressor<'static>>,
    rows: Vec<u8>,
    frame: Vec<u8>,
    json: Vec<u8>,
}

impl fmt::Debug for ReadBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadBuffers({} bytes)", self.bytes())
    }
}

impl ReadBuffers {
    /// How much memory they hold, beside a decompressor.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.capacity() + self.frame.capacity() + self.json.capacity()
    }
}

impl<'a> UnitReader<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, mut buffers: ReadBuffers) -> Self {
        buffers.rows.clear();
        Self { snapshot, buffers, rows_from: 0 }
    }

    /// Gives the memory back.
    #[must_use]
    pub fn into_buffers(self) -> ReadBuffers {
        self.buffers
    }

    /// Reads one unit.
    ///
    /// # Errors
    ///
    /// There is no such unit, it is damaged, or the system fails to deliver it.
    pub fn get(&mut self, ordinal: Ordinal) -> Result<SelectedUnit, UnitsError> {
        let snapshot = self.snapshot;
        let Row { stratum, turn, offset, content, .. } = self.row(ordinal)?;
        let damaged = |file| snapshot.damaged(ordinal, file);
        let of_stratum = snapshot.strata.get(stratum as usize).ok_or_else(|| damaged(UNITS))?;
        let conversation = self.conversation(offset)?.ok_or_else(|| damaged(CONVERSATIONS))?;
        if turn.is_some_and(|turn| conversation.message(turn).is_none()) {
            return Err(damaged(CONVERSATIONS));
        }
        let id = UnitId { group: of_stratum.group.clone(), conversation: conversation.id.clone(), turn };
        Ok(SelectedUnit { ordinal, id, stratum: Some(stratum), content, conversation })
    }

    /// Size of the conversation that was read last, as JSON.
    #[must_use]
    pub const fn conversation_bytes(&self) -> usize {
        self.buffers.json.len()
    }

    fn row(&mut self, ordinal: Ordinal) -> Result<Row, UnitsError> {
        let rows = &mut self.buffers.rows;
        let mut index = ordinal.0.checked_sub(self.rows_from).and_then(|index| usize::try_from(index).ok());
        if index.is_none_or(|index| index >= rows.len() / Row::BYTES) {
            self.snapshot.read_rows(ordinal, ROWS, rows)?;
            (self.rows_from, index) = (ordinal.0, Some(0));
        }
        let bytes = index.and_then(|index| rows.as_chunks().0.get(index));
        bytes.and_then(|bytes| Row::decode(ordinal, bytes)).ok_or_else(|| self.snapshot.damaged(ordinal, UNITS))
    }

    /// The conversation whose frame begins at `offset`; `None` if it is damaged.
    fn conversation(&mut self, offset: u64) -> Result<Option<Conversation>, UnitsError> {
        let Self { snapshot, buffers: ReadBuffers { decompressor, frame, json, .. }, .. } = self;
        let room = snapshot.conversations_bytes.saturating_sub(offset);
        read(snapshot, offset, room.min(FIRST_READ_BYTES), frame)?;
        let Some((header, _)) = frame.split_first_chunk::<FRAME_BYTES>() else { return Ok(None) };
        let (length, crc) = header.split_at(4);
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
        let (end, crc) = (FRAME_BYTES as u64 + u64::from(number(length)), number(crc));
        if end > room {
            return Ok(None);
        }
        if end > frame.len() as u64 {
            read(snapshot, offset, end, frame)?;
        }
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let compressed = frame.get(FRAME_BYTES..end).filter(|bytes| crc32c::crc32c(bytes) == crc);
        let Some(compressed) = compressed else { return Ok(None) };
        // The checksum has vouched for the size that the frame states.
        let Ok(Some(size)) = get_frame_content_size(compressed) else { return Ok(None) };
        json.clear();
        json.reserve(usize::try_from(size).unwrap_or_default());
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(failed(&snapshot.folder))?),
        };
        let whole = decompressor.decompress_to_buffer(compressed, json);
        Ok(whole.ok().and_then(|_| serde_json::from_slice(json).ok()))
    }
}

fn read(snapshot: &Snapshot, offset: u64, bytes: u64, frame: &mut Vec<u8>) -> Result<(), UnitsError> {
    frame.resize(usize::try_from(bytes).unwrap_or_default(), 0);
    let read = snapshot.conversations.read_exact_at(frame, offset);
    read.map_err(|error| failed(&snapshot.folder.join(CONVERSATIONS))(error))
}

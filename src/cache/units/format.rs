//! The bytes of a snapshot: a header, rows of fixed size, and frames of conversations.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{UnitsError, failed};
use crate::model::event::Ordinal;
use crate::model::hash::Digest;
use crate::model::unit::Stratum;

pub(super) const FORMAT: u32 = 1;
pub(super) const MAGIC: [u8; 8] = *b"assizeun";
pub(super) const UNITS: &str = "units";
pub(super) const CONVERSATIONS: &str = "conversations";
/// Magic, format, length and checksum of the header.
pub(super) const PREFIX_BYTES: usize = 20;
/// Length and checksum of a conversation.
pub(super) const FRAME_BYTES: usize = 8;
/// Stands in a row for the position of a turn where the unit is the whole conversation. A version that knows turns only
/// finds no such message, and takes the row for damaged rather than for a turn.
const WHOLE: u32 = u32::MAX;

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) digest: Digest,
    pub(super) units: u64,
    pub(super) strata: Vec<Stratum>,
}

/// What is stored of one unit beside its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) stratum: u32,
    /// Position of the turn; absent for a whole conversation.
    pub(super) turn: Option<u32>,
    /// Where the conversation's frame begins.
    pub(super) offset: u64,
    /// The start of a digest of the conversation's id, to find a unit without reading conversations.
    pub(super) tag: u64,
    pub(super) content: Digest,
}

impl Row {
    pub(super) const BYTES: usize = 60;

    /// The checksum covers the ordinal as well: a row in another's place is damage.
    pub(super) fn encode(&self, ordinal: Ordinal) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend(self.stratum.to_le_bytes());
        bytes.extend(self.turn.unwrap_or(WHOLE).to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.tag.to_le_bytes());
        bytes.extend(self.content.as_bytes());
        bytes.extend(checksum(ordinal, &bytes).to_le_bytes());
        bytes
    }

    pub(super) fn decode(ordinal: Ordinal, bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (body, stored) = bytes.split_last_chunk()?;
        if checksum(ordinal, body) != u32::from_le_bytes(*stored) {
            return None;
        }
        let (stratum, rest) = body.split_first_chunk()?;
        let (turn, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (tag, rest) = rest.split_first_chunk()?;
        Some(Self {
            stratum: u32::from_le_bytes(*stratum),
            turn: Some(u32::from_le_bytes(*turn)).filter(|turn| *turn != WHOLE),
            offset: u64::from_le_bytes(*offset),
            tag: u64::from_le_bytes(*tag),
            content: Digest::from_bytes(rest.try_into().ok()?),
        })
    }
}

fn checksum(ordinal: Ordinal, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&ordinal.0.to_le_bytes()), bytes)
}

/// The first bits of a digest of a conversation's id.
pub(super) fn tag_of(conversation: &str) -> u64 {
    Digest::of(conversation.as_bytes()).leading_u64()
}

/// The header and where the rows begin; `None` if it is damaged.
pub(super) fn read_header(units: &File, path: &Path) -> Result<Option<(Header, u64)>, UnitsError> {
    let mut prefix = [0; PREFIX_BYTES];
    if units.metadata().map_err(failed(path))?.len() < PREFIX_BYTES as u64 {
        return Ok(None);
    }
    units.read_exact_at(&mut prefix, 0).map_err(failed(path))?;
    let (magic, numbers) = prefix.split_at(MAGIC.len());
    let mut numbers = numbers.chunks_exact(4).map(|bytes| bytes.try_into().map_or(0, u32::from_le_bytes));
    let mut number = || numbers.next().unwrap_or_default();
    let (format, length, crc) = (number(), number(), number());
    if magic != MAGIC {
        return Ok(None);
    }
    if format > FORMAT {
        return Err(UnitsError::Newer { path: path.to_owned(), format });
    }
    let end = PREFIX_BYTES as u64 + u64::from(length);
    if units.metadata().map_err(failed(path))?.len() < end {
        return Ok(None);
    }
    let mut json = vec![0; length as usize];
    units.read_exact_at(&mut json, PREFIX_BYTES as u64).map_err(failed(path))?;
    let header = (crc32c::crc32c(&json) == crc).then(|| serde_json::from_slice(&json).ok()).flatten();
    Ok(header.map(|header| (header, end)))
}

//! Where the replies of one closed segment stand: a sorted array, searched by halves.

use std::collections::HashMap;

use crate::journal::Place;

/// The first 128 bits of a key. Two keys that share them do not occur; if they did, the full key in the log tells.
pub(super) type Prefix = u128;

const ENTRY_BYTES: usize = 16 + 8 + 4;
const HEADER_BYTES: usize = 8 + 4;
const SUM_BYTES: usize = 4;

/// What a table was made from, cheap to compare with what lies there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Length of the segment in bytes.
    pub(super) bytes: u64,
    /// CRC32C of its first and last few kilobytes.
    pub(super) edges: u32,
}

/// The places of the last reply of each key in one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) extent: Extent,
    entries: Vec<(Prefix, Place)>,
}

impl Table {
    pub(super) fn new(extent: Extent, places: HashMap<Prefix, Place>) -> Self {
        let mut entries: Vec<_> = places.into_iter().collect();
        entries.sort_unstable_by_key(|(prefix, _)| *prefix);
        Self { extent, entries }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn find(&self, prefix: Prefix) -> Option<Place> {
        let found = self.entries.binary_search_by_key(&prefix, |(prefix, _)| *prefix).ok()?;
        self.entries.get(found).map(|(_, place)| *place)
    }

    /// As bytes: extent, entries, checksum; numbers big-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES + SUM_BYTES);
        bytes.extend_from_slice(&self.extent.bytes.to_be_bytes());
        bytes.extend_from_slice(&self.extent.edges.to_be_bytes());
        for (prefix, place) in &self.entries {
            bytes.extend_from_slice(&prefix.to_be_bytes());
            bytes.extend_from_slice(&place.offset.to_be_bytes());
            bytes.extend_from_slice(&place.length.to_be_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    /// From bytes; `None` if they are not those of a table.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<SUM_BYTES>()?;
        if u32::from_be_bytes(*sum) != crc32c::crc32c(content) {
            return None;
        }
        let (length, rest) = content.split_first_chunk()?;
        let (edges, rest) = rest.split_first_chunk()?;
        let extent = Extent { bytes: u64::from_be_bytes(*length), edges: u32::from_be_bytes(*edges) };
        let (entries, left) = rest.as_chunks::<ENTRY_BYTES>();
        if !left.is_empty() {
            return None;
        }
        let entries = entries.iter().map(|entry| read_entry(entry)).collect::<Option<_>>()?;
        Some(Self { extent, entries })
    }
}

fn read_entry(bytes: &[u8]) -> Option<(Prefix, Place)> {
    let (prefix, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (length, _) = rest.split_first_chunk()?;
    let place = Place { offset: u64::from_be_bytes(*offset), length: u32::from_be_bytes(*length) };
    Some((Prefix::from_be_bytes(*prefix), place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_round_trip_and_notice_damage() {
        let places = (0..100u32).map(|n| (Prefix::from(n) << 77, Place { offset: u64::from(n) * 1_000, length: n }));
        let table = Table::new(Extent { bytes: 123_456, edges: 7 }, places.collect());
        let bytes = table.to_bytes();
        assert_eq!(Table::from_bytes(&bytes), Some(table.clone()));
        assert_eq!(table.find(42 << 77), Some(Place { offset: 42_000, length: 42 }));
        assert_eq!(table.find(1), None);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 4;
            assert_eq!(Table::from_bytes(&flipped), None, "byte {position}");
            assert_eq!(Table::from_bytes(bytes.get(..position).unwrap()), None, "cut at {position}");
        }
    }
}

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

/// The places of the last reply of each key in one segment: 32 bytes a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) extent: Extent,
    /// Sorted.
    prefixes: Vec<Prefix>,
    /// In the order of the prefixes.
    places: Vec<Place>,
}

impl Table {
    pub(super) fn new(extent: Extent, places: HashMap<Prefix, Place>) -> Self {
        let mut entries: Vec<_> = places.into_iter().collect();
        entries.sort_unstable_by_key(|(prefix, _)| *prefix);
        Self::of(extent, entries)
    }

    fn of(extent: Extent, entries: Vec<(Prefix, Place)>) -> Self {
        let (prefixes, places) = entries.into_iter().unzip();
        Self { extent, prefixes, places }
    }

    pub(super) fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Keys are digests, so a prefix stands about where its value says; from there the search widens until it has it.
    pub(super) fn find(&self, prefix: Prefix) -> Option<Place> {
        let count = self.prefixes.len();
        // The upper half of a product of two halves: no overflow, and below `count`.
        let guess = ((prefix >> 64) * count as u128) >> 64;
        let guess = usize::try_from(guess).ok().filter(|guess| *guess < count)?;
        let (mut low, mut high, mut step) = (guess, guess + 1, 64);
        while low > 0 && self.prefixes.get(low).is_some_and(|least| *least > prefix) {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 64;
        while high < count && self.prefixes.get(high).is_some_and(|next| *next <= prefix) {
            high = (high + step).min(count);
            step *= 2;
        }
        let found = self.prefixes.get(low..high)?.binary_search(&prefix).ok()?;
        self.places.get(low + found).copied()
    }

    /// As bytes: extent, entries, checksum; numbers big-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.len() * ENTRY_BYTES + SUM_BYTES);
        bytes.extend_from_slice(&self.extent.bytes.to_be_bytes());
        bytes.extend_from_slice(&self.extent.edges.to_be_bytes());
        for (prefix, place) in self.prefixes.iter().zip(&self.places) {
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
        Some(Self::of(extent, entries))
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
    fn every_key_is_found_however_the_keys_lie() {
        let digest = |n: u32| crate::model::hash::Digest::of(&n.to_le_bytes()).leading_u128();
        let spread: [fn(u32) -> Prefix; 4] = [
            |n| Prefix::from(n) << 96,
            |n| Prefix::MAX - Prefix::from(n),
            |n| Prefix::from(n),
            |n| Prefix::from(n % 2) << 127 | Prefix::from(n),
        ];
        let spread = spread.into_iter().map(|key| (0..3_000).map(key).collect::<Vec<_>>());
        for keys in spread.chain([(0..3_000).map(digest).collect()]) {
            let places = (0u32..).zip(&keys).map(|(n, key)| (*key, Place { offset: u64::from(n), length: n }));
            let table = Table::new(Extent { bytes: 0, edges: 0 }, places.collect());
            for (n, key) in (0u64..).zip(&keys) {
                assert_eq!(table.find(*key).map(|place| place.offset), Some(n));
                assert_eq!(table.find(key ^ 1 << 64), None);
            }
        }
        assert_eq!(Table::new(Extent { bytes: 0, edges: 0 }, HashMap::new()).find(7), None);
    }

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

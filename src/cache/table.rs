//! Where the replies of one closed segment stand: a sorted array, searched by halves.

use std::collections::HashMap;

use crate::journal::Place;

/// The first 128 bits of a key. Two keys that share them do not occur; if they did, the full key in the log tells.
pub(super) type Prefix = u128;

const ENTRY_BYTES: usize = 8 + 8;
const HEADER_BYTES: usize = 8 + 4;
const SUM_BYTES: usize = 4;
/// Bits of a packed place that hold the length of a line: no line is longer than 64 MiB. The rest holds its offset, up to
/// 128 GiB into a segment that ends soon after 64 MiB.
const LENGTH_BITS: u32 = 27;

/// What a table was made from, cheap to compare with what lies there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Length of the segment in bytes.
    pub(super) bytes: u64,
    /// CRC32C of its first and last few kilobytes.
    pub(super) edges: u32,
}

/// One reply. Keys that share these 64 bits stand side by side: whoever reads the line compares the whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The first 64 bits of its key.
    prefix: u64,
    /// Its place, packed.
    place: u64,
}

impl Entry {
    /// `None` for a place that no segment has.
    fn new(prefix: Prefix, place: Place) -> Option<Self> {
        let offset = (place.offset < 1 << (u64::BITS - LENGTH_BITS)).then_some(place.offset)?;
        let length = (place.length < 1 << LENGTH_BITS).then_some(place.length)?;
        Some(Self { prefix: short(prefix), place: offset << LENGTH_BITS | u64::from(length) })
    }

    const fn place(self) -> Place {
        let length = (self.place & ((1 << LENGTH_BITS) - 1)) as u32;
        Place { offset: self.place >> LENGTH_BITS, length }
    }
}

/// The part of a prefix that a table keeps.
const fn short(prefix: Prefix) -> u64 {
    (prefix >> 64) as u64
}

/// The places of the last reply of each key in one segment: 17 to 18 bytes a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) extent: Extent,
    /// Sorted.
    entries: Vec<Entry>,
    occupied: Occupied,
}

/// Which ranges of prefixes have a key, at 8 to 16 ranges a key. Of a few dozen tables one has a key, and what tells that
/// the others have not stays in the processor's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Occupied {
    bits: Vec<u64>,
    /// Leading bits of a prefix that name its range.
    leading: u32,
}

impl Occupied {
    fn of(entries: &[Entry]) -> Self {
        let leading = (entries.len() * 8).next_power_of_two().ilog2().max(u64::BITS.ilog2());
        let mut occupied = Self { bits: vec![0; 1 << (leading - u64::BITS.ilog2())], leading };
        for entry in entries {
            let (word, bit) = occupied.position(entry.prefix);
            occupied.bits[word] |= bit;
        }
        occupied
    }

    fn may_hold(&self, prefix: u64) -> bool {
        let (word, bit) = self.position(prefix);
        self.bits[word] & bit != 0
    }

    fn position(&self, prefix: u64) -> (usize, u64) {
        let range = prefix >> (u64::BITS - self.leading);
        let word = usize::try_from(range / u64::from(u64::BITS)).expect("there is a word for each 64 ranges");
        (word, 1 << (range % u64::from(u64::BITS)))
    }
}

impl Table {
    pub(super) fn new(extent: Extent, places: HashMap<Prefix, Place>) -> Self {
        let mut entries = Vec::with_capacity(places.len());
        entries.extend(places.into_iter().filter_map(|(prefix, place)| Entry::new(prefix, place)));
        entries.sort_unstable();
        Self::of(extent, entries)
    }

    fn of(extent: Extent, entries: Vec<Entry>) -> Self {
        Self { extent, occupied: Occupied::of(&entries), entries }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where replies stand whose keys begin like this, the last one first: nearly always one or none. Keys are digests, so
    /// a prefix stands about where its value says; from there the search widens until it has it.
    pub(super) fn find(&self, prefix: Prefix) -> impl Iterator<Item = Place> + use<'_> {
        let prefix = short(prefix);
        let count = if self.occupied.may_hold(prefix) { self.entries.len() } else { 0 };
        // The upper half of a product of two halves: no overflow, and below `count`.
        let guess = (u128::from(prefix) * count as u128) >> 64;
        let guess = usize::try_from(guess).unwrap_or_default();
        let (mut low, mut high, mut step) = (guess, guess, 64);
        while low > 0 && self.entries.get(low).is_none_or(|least| least.prefix >= prefix) {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 64;
        while high < count && self.entries.get(high).is_some_and(|next| next.prefix <= prefix) {
            high = (high + step).min(count);
            step *= 2;
        }
        let near = self.entries.get(low..high).unwrap_or_default();
        let (_, from) = near.split_at(near.partition_point(|entry| entry.prefix < prefix));
        let same = from.iter().take_while(move |entry| entry.prefix == prefix).count();
        from.split_at(same).0.iter().rev().map(|entry| entry.place())
    }

    /// As bytes: extent, entries, checksum; numbers big-endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.len() * ENTRY_BYTES + SUM_BYTES);
        bytes.extend_from_slice(&self.extent.bytes.to_be_bytes());
        bytes.extend_from_slice(&self.extent.edges.to_be_bytes());
        for Entry { prefix, place } in &self.entries {
            bytes.extend_from_slice(&prefix.to_be_bytes());
            bytes.extend_from_slice(&place.to_be_bytes());
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

fn read_entry(bytes: &[u8]) -> Option<Entry> {
    let (prefix, rest) = bytes.split_first_chunk()?;
    let (place, _) = rest.split_first_chunk()?;
    Some(Entry { prefix: u64::from_be_bytes(*prefix), place: u64::from_be_bytes(*place) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent { bytes: 123_456, edges: 7 };

    fn found(table: &Table, prefix: Prefix) -> Vec<u64> {
        table.find(prefix).map(|place| place.offset).collect()
    }

    #[test]
    fn every_key_is_found_however_the_keys_lie() {
        let digest = |n: u32| crate::model::hash::Digest::of(&n.to_le_bytes()).leading_u128();
        let spread: [fn(u32) -> Prefix; 4] = [
            |n| Prefix::from(n) << 96,
            |n| Prefix::MAX - (Prefix::from(n) << 64),
            |n| Prefix::from(n) << 64,
            |n| Prefix::from(n % 2) << 127 | Prefix::from(n) << 64,
        ];
        let spread = spread.into_iter().map(|key| (0..3_000).map(key).collect::<Vec<_>>());
        for keys in spread.chain([(0..3_000).map(digest).collect()]) {
            let places = (0u32..).zip(&keys).map(|(n, key)| (*key, Place { offset: u64::from(n), length: n }));
            let table = Table::new(EXTENT, places.collect());
            for (n, key) in (0u64..).zip(&keys) {
                assert_eq!(found(&table, *key), [n]);
                assert!(found(&table, key ^ 1 << 90).is_empty());
            }
        }
        assert!(found(&Table::new(EXTENT, HashMap::new()), 7).is_empty());
    }

    #[test]
    fn keys_that_begin_alike_are_all_found_the_last_one_first() {
        let crowd = |n: u32| (Prefix::from(n / 500) << 64 | Prefix::from(n), Place { offset: u64::from(n), length: 1 });
        let table = Table::new(EXTENT, (0..2_000).map(crowd).collect());
        for n in 0..4 {
            let expected: Vec<u64> = (n * 500..(n + 1) * 500).rev().collect();
            assert_eq!(found(&table, Prefix::from(n) << 64), expected);
        }
        assert!(found(&table, 4 << 64).is_empty());
    }

    #[test]
    fn the_largest_place_survives_and_what_no_segment_has_is_left_out() {
        let place = |offset, length| Place { offset, length };
        let largest = place((1 << 37) - 1, (1 << 27) - 1);
        let places = [(1 << 64, largest), (2 << 64, place(1 << 37, 1)), (3 << 64, place(1, 1 << 27))];
        let table = Table::new(EXTENT, places.into());
        assert_eq!(table.find(1 << 64).collect::<Vec<_>>(), [largest]);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn tables_round_trip_and_notice_damage() {
        let places = (0..100u32).map(|n| (Prefix::from(n) << 77, Place { offset: u64::from(n) * 1_000, length: n }));
        let table = Table::new(EXTENT, places.collect());
        let bytes = table.to_bytes();
        assert_eq!(Table::from_bytes(&bytes), Some(table.clone()));
        assert_eq!(table.find(42 << 77).collect::<Vec<_>>(), [Place { offset: 42_000, length: 42 }]);
        assert_eq!(table.find(1 << 64).count(), 0);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 4;
            assert_eq!(Table::from_bytes(&flipped), None, "byte {position}");
            assert_eq!(Table::from_bytes(bytes.get(..position).unwrap()), None, "cut at {position}");
        }
    }
}

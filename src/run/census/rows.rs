//! What the census writes to disk while it works: rows whose byte order is the order that they are needed in.

/// Where a record stands: files in the order of the corpus, records from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) record: u64,
}

/// A conversation's identity and where it stands: equal identities end up side by side, the first place first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// The start of [`crate::model::unit::UnitId::conversation_key`].
    pub(super) key: u128,
    pub(super) place: Place,
}

/// A unit, or a conversation with all its turns, that its stratum selected, in order of its random number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The stratum by hash, since strata are numbered only when all are known.
    pub(super) stratum: u128,
    pub(super) u: u64,
    /// The start of the key that was drawn.
    pub(super) key: u128,
    pub(super) place: Place,
    pub(super) turns: Turns,
}

/// The units of a conversation that were drawn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turns {
    /// Position of the first turn among all messages.
    pub(super) first: u32,
    /// How many units there are, from that turn on: 1, or all turns of the conversation.
    pub(super) count: u32,
}

/// Units to copy into the snapshot, in the order of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) place: Place,
    /// The first unit's place in the order of admission; the others follow.
    pub(super) ordinal: u64,
    pub(super) stratum: u32,
    pub(super) turns: Turns,
    /// The start of the key that was drawn.
    pub(super) key: u128,
}

impl Place {
    pub(super) const BYTES: usize = 12;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        join(&[&self.file.to_be_bytes(), &self.record.to_be_bytes()])
    }

    pub(super) fn decode(row: [u8; Self::BYTES]) -> Self {
        Self::take(&mut row.as_slice())
    }

    fn take(row: &mut &[u8]) -> Self {
        Self { file: u32::from_be_bytes(take(row)), record: u64::from_be_bytes(take(row)) }
    }
}

impl Turns {
    const BYTES: usize = 8;

    fn encode(self) -> [u8; Self::BYTES] {
        join(&[&self.first.to_be_bytes(), &self.count.to_be_bytes()])
    }

    fn take(row: &mut &[u8]) -> Self {
        Self { first: u32::from_be_bytes(take(row)), count: u32::from_be_bytes(take(row)) }
    }
}

impl Identity {
    pub(super) const BYTES: usize = 28;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        join(&[&self.key.to_be_bytes(), &self.place.encode()])
    }

    pub(super) fn decode(row: [u8; Self::BYTES]) -> Self {
        let mut row = row.as_slice();
        Self { key: u128::from_be_bytes(take(&mut row)), place: Place::take(&mut row) }
    }
}

impl Candidate {
    pub(super) const BYTES: usize = 60;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        let (stratum, u, key) = (self.stratum.to_be_bytes(), self.u.to_be_bytes(), self.key.to_be_bytes());
        join(&[&stratum, &u, &key, &self.place.encode(), &self.turns.encode()])
    }

    pub(super) fn decode(row: [u8; Self::BYTES]) -> Self {
        let mut row = row.as_slice();
        let (stratum, u) = (u128::from_be_bytes(take(&mut row)), u64::from_be_bytes(take(&mut row)));
        let (key, place) = (u128::from_be_bytes(take(&mut row)), Place::take(&mut row));
        Self { stratum, u, key, place, turns: Turns::take(&mut row) }
    }
}

impl Pick {
    pub(super) const BYTES: usize = 48;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        let (stratum, turns) = (self.stratum.to_be_bytes(), self.turns.encode());
        join(&[&self.place.encode(), &self.ordinal.to_be_bytes(), &stratum, &turns, &self.key.to_be_bytes()])
    }

    pub(super) fn decode(row: [u8; Self::BYTES]) -> Self {
        let mut row = row.as_slice();
        let (place, ordinal) = (Place::take(&mut row), u64::from_be_bytes(take(&mut row)));
        let (stratum, turns) = (u32::from_be_bytes(take(&mut row)), Turns::take(&mut row));
        Self { place, ordinal, stratum, turns, key: u128::from_be_bytes(take(&mut row)) }
    }
}

fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    parts.concat().try_into().expect("the parts of a row have its size")
}

fn take<const N: usize>(row: &mut &[u8]) -> [u8; N] {
    let (part, rest) = row.split_first_chunk().expect("a row has the size of its parts");
    *row = rest;
    *part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_sort_by_their_first_part() {
        let place = Place { file: 3, record: 1 << 40 };
        let identity = Identity { key: 5, place };
        assert_eq!(Identity::decode(identity.encode()), identity);
        let turns = Turns { first: 4, count: 5 };
        let candidate = Candidate { stratum: 1, u: 2, key: 3, place, turns };
        assert_eq!(Candidate::decode(candidate.encode()), candidate);
        let pick = Pick { place, ordinal: 1, stratum: 2, turns, key: 4 };
        assert_eq!(Pick::decode(pick.encode()), pick);
        assert_eq!(Place::decode(place.encode()), place);
        assert!(candidate.encode() < Candidate { u: 256, key: 0, ..candidate }.encode());
    }
}

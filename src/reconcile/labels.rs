//! People's decisions, joined with units by address and group.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::unit::Address;
use crate::model::label::{Decision, Label};
use crate::model::tally::{LabelTally, SeatTally};
use crate::model::unit::Group;

/// At most this many unreadable lines are named.
const EXAMPLES: usize = 20;

/// What people together say about a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Nobody has read it.
    Silent,
    /// Read, and nobody said yes or no.
    Undecided,
    Upheld,
    TurnedDown {
        code: Option<String>,
    },
    Disputed,
}

impl Ruling {
    /// What two rulings about one text come to.
    pub(super) fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Silent, other) | (Self::Undecided, other @ (Self::Upheld | Self::TurnedDown { .. })) => {
                other.clone()
            }
            (Self::Disputed, _)
            | (_, Self::Disputed)
            | (Self::Upheld, Self::TurnedDown { .. })
            | (Self::TurnedDown { .. }, Self::Upheld) => Self::Disputed,
            (ruling, Self::Silent | Self::Undecided | Self::Upheld | Self::TurnedDown { .. }) => ruling,
        }
    }

    /// Whether it is a yes, a no, or both.
    pub(super) const fn is_decision(&self) -> bool {
        match self {
            Self::Silent | Self::Undecided => false,
            Self::Upheld | Self::TurnedDown { .. } | Self::Disputed => true,
        }
    }
}

#[derive(Debug)]
struct Entry {
    group: Option<Group>,
    seat: String,
    at: Timestamp,
    decision: Decision,
    code: Option<String>,
}

/// All decisions read so far.
#[derive(Debug, Default)]
pub(super) struct Labels {
    entries: HashMap<Address, Vec<Entry>>,
    /// Admitted units at each labelled address.
    located: HashMap<Address, u64>,
    tally: LabelTally,
}

impl Labels {
    /// Keeps the newest decision of each seat; of two at the same moment, the one read later.
    pub(super) fn add(&mut self, label: &Label) {
        self.add_at(Address::of(&label.unit), label.group.clone(), label);
    }

    /// The same for a label that names its unit in another way.
    pub(super) fn add_at(&mut self, address: Address, group: Option<Group>, label: &Label) {
        let entries = self.entries.entry(address).or_default();
        let entry =
            Entry { group, seat: label.seat.clone(), at: label.at, decision: label.decision, code: label.code.clone() };
        match entries.iter_mut().find(|known| known.seat == entry.seat && known.group == entry.group) {
            Some(known) if known.at <= entry.at => *known = entry,
            Some(_) => {}
            None => entries.push(entry),
        }
    }

    pub(super) fn foreign(&mut self) {
        self.tally.foreign += 1;
    }

    pub(super) fn malformed(&mut self, example: String) {
        self.tally.malformed += 1;
        if self.tally.examples.len() < EXAMPLES {
            self.tally.examples.push(example);
        }
    }

    /// Tells that an admitted unit has this address. All units are located before the first ruling.
    pub(super) fn locate(&mut self, address: Address) {
        if self.entries.contains_key(&address) {
            *self.located.entry(address).or_default() += 1;
        }
    }

    /// Tells that something that is no unit has this address.
    pub(super) fn expect(&mut self, address: Address) {
        *self.located.entry(address).or_default() += 1;
    }

    /// What each seat says about what has this address, group or not.
    pub(super) fn decisions(&self, address: Address) -> impl Iterator<Item = (&str, Decision)> {
        let entries = self.entries.get(&address).into_iter().flatten();
        entries.map(|entry| (entry.seat.as_str(), entry.decision))
    }

    /// What people say about the unit with this address and group.
    pub(super) fn ruling(&self, address: Address, group: &Group) -> Ruling {
        let Some(entries) = self.entries.get(&address) else { return Ruling::Silent };
        let is_alone = self.located.get(&address) == Some(&1);
        let mut by_seat: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in entries {
            let speaks_of_it = entry.group.as_ref().map_or(is_alone, |named| named == group);
            let is_newest = by_seat.get(entry.seat.as_str()).is_none_or(|known| known.at <= entry.at);
            if speaks_of_it && is_newest {
                by_seat.insert(&entry.seat, entry);
            }
        }
        let said = |decision| by_seat.values().any(|entry| entry.decision == decision);
        match (said(Decision::Yes), said(Decision::No)) {
            (false, false) if by_seat.is_empty() => Ruling::Silent,
            (false, false) => Ruling::Undecided,
            (true, false) => Ruling::Upheld,
            (true, true) => Ruling::Disputed,
            (false, true) => {
                let mut reasons = by_seat.values().filter(|entry| entry.decision == Decision::No);
                Ruling::TurnedDown { code: reasons.find_map(|entry| entry.code.clone()) }
            }
        }
    }

    /// Counts a unit that people ruled on.
    pub(super) fn ruled(&mut self, was_flagged: bool) {
        if was_flagged {
            self.tally.decided += 1;
        } else {
            self.tally.beyond_flagged += 1;
        }
    }

    pub(super) fn finish(mut self) -> LabelTally {
        for (address, entries) in &self.entries {
            let (located, decisions) = (self.located.get(address).copied().unwrap_or(0), entries.len() as u64);
            if located == 0 {
                self.tally.unmatched += decisions;
                continue;
            }
            if located > 1 {
                self.tally.ambiguous += entries.iter().filter(|entry| entry.group.is_none()).count() as u64;
            }
            count_seats(entries, located == 1, &mut self.tally.seats);
        }
        self.tally.examples.sort();
        self.tally
    }
}

/// Adds what each seat says about one address: the newest of its decisions where the address is one unit's, each of those with
/// a group where several units share it.
fn count_seats(entries: &[Entry], is_alone: bool, seats: &mut BTreeMap<String, SeatTally>) {
    let mut newest: BTreeMap<(&str, Option<&Group>), &Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| is_alone || entry.group.is_some()) {
        let group = entry.group.as_ref().filter(|_| !is_alone);
        let known = newest.entry((&entry.seat, group)).or_insert(entry);
        if known.at <= entry.at {
            *known = entry;
        }
    }
    for ((seat, _), entry) in newest {
        let seat = seats.entry(seat.to_owned()).or_default();
        match entry.decision {
            Decision::Yes | Decision::No => seat.decided += 1,
            Decision::Unsure | Decision::CannotJudge => seat.undecided += 1,
        }
    }
}

//! Labelled units: decisions of people by address, and items with a known answer by content.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::hash::Digest;
use crate::model::label::{Decision, Label};
use crate::model::unit::Group;

/// What is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It shows the behaviour.
    Yes,
    /// It does not.
    No,
    /// Whoever read it cannot decide.
    Undecided,
    /// People contradict each other.
    Disputed,
}

impl Truth {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
            Self::Disputed => "disputed",
        }
    }

    /// Yes or no, if it is one of them.
    #[must_use]
    pub const fn decision(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Undecided | Self::Disputed => None,
        }
    }
}

/// What is said about one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) truth: Truth,
    /// Ids of labels.
    pub(super) labels: BTreeSet<String>,
    /// Ids of exclusions.
    pub(super) exclusions: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    seat: String,
    at: Timestamp,
    decision: Decision,
    labels: BTreeSet<String>,
    code: Option<String>,
}

/// Decisions at one address, by the group that they name.
type ByGroup = BTreeMap<Option<Group>, Vec<Entry>>;

/// All that is known. Memory grows with it.
#[derive(Debug, Default)]
pub struct Truths {
    by_address: BTreeMap<String, ByGroup>,
    pub(super) by_content: BTreeMap<Digest, Said>,
}

impl Truths {
    /// Adds a person's decision. The newest of a seat about a unit counts; of two at the same moment, the one added later.
    pub fn add(&mut self, label: &Label) {
        let by_group = self.by_address.entry(label.unit.clone()).or_default();
        let entries = by_group.entry(label.group.clone()).or_default();
        let Label { seat, at, decision, labels, code, .. } = label.clone();
        let entry = Entry { seat, at, decision, labels, code };
        match entries.iter_mut().find(|known| known.seat == entry.seat) {
            Some(known) if known.at <= entry.at => *known = entry,
            Some(_) => {}
            None => entries.push(entry),
        }
    }

    /// Adds an item whose text is known: the turn with this content. Of two with one text that disagree, neither counts.
    pub fn add_text(&mut self, content: Digest, truth: Truth, labels: BTreeSet<String>, exclusions: BTreeSet<String>) {
        let said = Said { truth, labels, exclusions };
        let known = self.by_content.entry(content).or_insert_with(|| said.clone());
        if known.truth != truth {
            known.truth = Truth::Disputed;
        }
    }

    /// Whether anything is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty() && self.by_content.is_empty()
    }

    pub(super) fn names(&self, address: &str) -> bool {
        self.by_address.contains_key(address)
    }

    /// Whether decisions about this address name no group.
    pub(super) fn has_ungrouped(&self, address: &str) -> bool {
        self.by_address.get(address).is_some_and(|by_group| by_group.contains_key(&None))
    }

    /// Every labelled address with the group that its decisions name, if they name one.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&str, Option<&Group>)> {
        self.by_address
            .iter()
            .flat_map(|(address, by_group)| by_group.keys().map(|group| (address.as_str(), group.as_ref())))
    }

    /// What the decisions about this address come to that name one of these groups.
    pub(super) fn said(&self, address: &str, groups: &[Option<&Group>]) -> Said {
        let by_group = self.by_address.get(address).into_iter().flatten();
        let named = by_group.filter(|(group, _)| groups.contains(&group.as_ref()));
        let mut by_seat: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in named.flat_map(|(_, entries)| entries) {
            if by_seat.get(entry.seat.as_str()).is_none_or(|known| known.at <= entry.at) {
                by_seat.insert(&entry.seat, entry);
            }
        }
        let said = |decision| by_seat.values().any(|entry| entry.decision == decision);
        let truth = match (said(Decision::Yes), said(Decision::No)) {
            (true, true) => Truth::Disputed,
            (true, false) => Truth::Yes,
            (false, true) => Truth::No,
            (false, false) => Truth::Undecided,
        };
        let (mut labels, mut exclusions) = (BTreeSet::new(), BTreeSet::new());
        for entry in by_seat.into_values() {
            labels.extend(entry.labels.iter().filter(|_| entry.decision == Decision::Yes).cloned());
            exclusions.extend(entry.code.iter().filter(|_| entry.decision == Decision::No).cloned());
        }
        Said { truth, labels, exclusions }
    }
}

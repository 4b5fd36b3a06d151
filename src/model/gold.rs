//! Hidden gold: texts with a known answer among those that people read, so that a report can say how often people err.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::review_id::ReviewId;

/// Hidden positives and near misses that figures rest on at least, over all seats: fewer cannot bound the errors.
pub const LEAST_GOLD: ByKind<u64> = ByKind { positive: 50, near_miss: 100 };

/// What is known of a gold item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoldKind {
    /// It shows the behaviour.
    Positive,
    /// It looks as if it did, and does not: one of the behaviour's exclusions applies.
    NearMiss,
}

impl GoldKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Positive, Self::NearMiss];

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::NearMiss => "near miss",
        }
    }
}

/// A figure for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ByKind<T> {
    /// Of positives.
    pub positive: T,
    /// Of near misses.
    pub near_miss: T,
}

impl<T> ByKind<T> {
    /// The figure of one kind.
    pub const fn of(&self, kind: GoldKind) -> &T {
        match kind {
            GoldKind::Positive => &self.positive,
            GoldKind::NearMiss => &self.near_miss,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, kind: GoldKind) -> &mut T {
        match kind {
            GoldKind::Positive => &mut self.positive,
            GoldKind::NearMiss => &mut self.near_miss,
        }
    }
}

/// `[review] gold` and `seats`: how much gold people get to read, over all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldDraw {
    /// Items of each kind.
    pub items: ByKind<u64>,
    /// Who shares them. Without anybody, whoever reads gets all that nobody has read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<String>,
}

/// One gold item, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoldItem {
    /// The name under which people read it.
    pub id: ReviewId,
    /// What is known of it.
    pub kind: GoldKind,
    /// What it shares with its near-identical twin: a seat that read both would know them for what they are.
    pub pair: String,
    /// The seat that wrote it, which is not asked about it.
    pub author: Option<String>,
}

/// Gold items that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GoldRead {
    /// Those that somebody decided about, unsure or not.
    pub read: u64,
    /// Those of them that were confirmed: a yes that nobody contradicts, as for units.
    pub confirmed: u64,
}

/// What one seat did with gold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeatGold {
    /// Items of its share; of what everybody shares where the audit names no seats.
    pub drawn: u64,
    /// Those of them that it decided about.
    pub drawn_read: u64,
    /// All that it decided about, by itself.
    pub read: ByKind<GoldRead>,
    /// Those of them that it is unsure of or cannot judge.
    pub undecided: u64,
}

/// One gold item of the draw that nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedGold {
    /// The item.
    pub item: GoldItem,
    /// The seat whose share it is of; absent where everybody shares.
    pub seat: Option<String>,
}

impl QueuedGold {
    /// Whether this seat is to read it.
    #[must_use]
    pub fn is_for(&self, seat: &str) -> bool {
        self.item.author.as_deref() != Some(seat) && self.seat.as_deref().is_none_or(|share| share == seat)
    }
}

/// Gold, counted. No figure of it is part of any figure of units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoldTally {
    /// Items that the workspace holds and the definition can use.
    pub held: ByKind<u64>,
    /// Items that were drawn for people.
    pub drawn: ByKind<u64>,
    /// What people did with gold, all seats together and drawn or not.
    pub read: ByKind<GoldRead>,
    /// What each seat did.
    pub seats: BTreeMap<String, SeatGold>,
    /// Decisions of seats about items that they wrote themselves: not used.
    pub own: u64,
    /// Decisions about items that the definition, or a run with real people, cannot use.
    pub unused: u64,
    /// What is to be read, in no order that means anything.
    pub queue: Vec<QueuedGold>,
}

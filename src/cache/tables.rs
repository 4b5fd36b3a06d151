//! Where every reply stands: one table per segment, the newest first.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::log::SegmentId;
use super::table::{Prefix, Table};
use crate::journal::Place;

#[derive(Debug, Default)]
pub(super) struct Tables(BTreeMap<SegmentId, Places>);

#[derive(Debug)]
enum Places {
    /// Of a segment that this process still appends to; bounded by the size of a segment.
    Growing(HashMap<Prefix, Place>),
    Closed(Table),
}

impl Places {
    /// The last place of a reply whose key begins like this, among those that begin before the byte `end`.
    fn find(&self, prefix: Prefix, end: u64) -> Option<Place> {
        match self {
            Self::Growing(places) => places.get(&prefix).copied().filter(|place| place.offset < end),
            Self::Closed(table) => table.find(prefix).find(|place| place.offset < end),
        }
    }
}

impl Tables {
    pub(super) fn newest(&self) -> Option<SegmentId> {
        self.0.last_key_value().map(|(segment, _)| *segment)
    }

    /// Where the last reply stands whose key begins like this, among those older than `before` if there is one. Its key may
    /// be another one all the same, once in 2^64.
    pub(super) fn find(&self, prefix: Prefix, before: Option<(SegmentId, Place)>) -> Option<(SegmentId, Place)> {
        let newest = before.map_or(Bound::Unbounded, |(segment, _)| Bound::Included(segment));
        let mut newest_first = self.0.range((Bound::Unbounded, newest)).rev();
        newest_first.find_map(|(segment, places)| {
            let end = before.filter(|(newest, _)| newest == segment).map_or(u64::MAX, |(_, place)| place.offset);
            Some((*segment, places.find(prefix, end)?))
        })
    }

    /// Adds a segment that this process is going to append to.
    pub(super) fn start(&mut self, segment: SegmentId) {
        self.0.insert(segment, Places::Growing(HashMap::new()));
    }

    /// Adds a reply to a growing segment. One that was closed in the meantime has it already.
    pub(super) fn grow(&mut self, segment: SegmentId, prefix: Prefix, place: Place) {
        if let Some(Places::Growing(places)) = self.0.get_mut(&segment) {
            let last = places.entry(prefix).or_insert(place);
            if last.offset < place.offset {
                *last = place;
            }
        }
    }

    /// The table of a segment that takes no more replies.
    pub(super) fn closed(&self, segment: SegmentId) -> Option<&Table> {
        match self.0.get(&segment)? {
            Places::Growing(_) => None,
            Places::Closed(table) => Some(table),
        }
    }

    /// Puts the table of a whole segment in place.
    pub(super) fn close(&mut self, segment: SegmentId, table: Table) {
        self.0.insert(segment, Places::Closed(table));
    }
}

//! Which conversations and turns a snapshot holds, without reading them: for whoever goes through a long list of addresses
//! and keeps what concerns the sample.

use super::format::tag_of;
use super::{Snapshot, UnitsError};
use crate::model::event::Ordinal;
use crate::model::unit::Group;

/// Rows that are read in one go.
const ROWS_AT_ONCE: u64 = 1_024;

/// The addresses of all units of a snapshot: 24 bytes each. A conversation is known by the beginning of a digest of its id,
/// so that one in 2^64 is taken for another.
#[derive(Debug, Default)]
pub struct Addresses {
    /// Sorted: conversation, turn, group.
    rows: Vec<(u64, Option<u32>, u32)>,
    groups: Vec<Group>,
}

impl Addresses {
    /// Groups that hold this unit: of this turn, or of the whole conversation.
    #[must_use]
    pub fn groups_of(&self, conversation: &str, turn: Option<u32>) -> Vec<&Group> {
        let tag = tag_of(conversation);
        let first = self.rows.partition_point(|row| (row.0, row.1) < (tag, turn));
        let rows = self.rows.iter().skip(first).take_while(|row| (row.0, row.1) == (tag, turn));
        rows.filter_map(|row| self.groups.get(row.2 as usize)).collect()
    }

    /// Groups that hold any turn of this conversation.
    #[must_use]
    pub fn groups_of_any_turn(&self, conversation: &str) -> Vec<&Group> {
        let tag = tag_of(conversation);
        let first = self.rows.partition_point(|row| row.0 < tag);
        let of_rows = self.rows.iter().skip(first).take_while(|row| row.0 == tag).map(|row| row.2);
        let mut indices: Vec<u32> = of_rows.collect();
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().filter_map(|index| self.groups.get(index as usize)).collect()
    }
}

impl Snapshot {
    /// The addresses of its units. Reads rows only: 60 bytes a unit.
    ///
    /// # Errors
    /// A row is damaged, or the system fails to deliver it.
    pub fn addresses(&self) -> Result<Addresses, UnitsError> {
        let mut groups: Vec<Group> = Vec::new();
        let mut group_of = Vec::with_capacity(self.strata.len());
        for stratum in &self.strata {
            let index = groups.iter().position(|group| *group == stratum.group).unwrap_or_else(|| {
                groups.push(stratum.group.clone());
                groups.len() - 1
            });
            group_of.push(u32::try_from(index).unwrap_or(u32::MAX));
        }
        let mut rows = Vec::with_capacity(usize::try_from(self.len()).unwrap_or_default());
        let (mut first, mut bytes) = (0, Vec::new());
        while first < self.len() {
            self.read_rows(Ordinal(first), ROWS_AT_ONCE, &mut bytes)?;
            for (ordinal, row) in (first..).map(Ordinal).zip(bytes.as_chunks().0) {
                let row = super::format::Row::decode(ordinal, row);
                let row = row.ok_or_else(|| self.damaged(ordinal, super::format::UNITS))?;
                let group = group_of.get(row.stratum as usize).copied().unwrap_or(u32::MAX);
                rows.push((row.tag, row.turn, group));
            }
            first += ROWS_AT_ONCE;
        }
        rows.sort_unstable();
        Ok(Addresses { rows, groups })
    }
}

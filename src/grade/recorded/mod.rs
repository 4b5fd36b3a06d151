//! A grader that is a file: `api = "recorded"`. Its verdicts were made elsewhere, by another tool or by hand; here they are
//! looked up, counted and never asked for.
//!
//! The file is read once, at the start. What concerns the sample goes to an unnamed temporary file, and an index of 33 bytes
//! a unit (37 to 75 with the room that a hash table keeps) says where; while the file is read, 24 bytes for each selected unit
//! come on top. So memory does not depend on how long the file is, and a compressed one works like a plain one.
//!
//! Nothing of it goes into the reply cache: nothing was asked. A run that goes on, or is repeated, reads the file again, and
//! its digest is part of the run's identity; a report reads the journal alone.

mod error;
mod line;
mod read;
mod records;
mod scale;
mod settings;
#[cfg(feature = "parquet")]
mod table;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub use error::RecordedError;
pub use read::{Selection, examine, read};
pub use settings::{Columns, RecordedSettings, Said};

use self::line::Entry;
use crate::cache::units::SelectedUnit;
use crate::model::outcome::Outcome;
use crate::model::recorded::Recorded;

/// Where the spool holds an entry, and the line that it comes from.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Twice the offset, and one more if the entry is about the sample: there are as many of these as units.
    packed: u64,
    line: u64,
}

impl Place {
    fn new(offset: u64, line: u64, of_sample: bool) -> Self {
        Self { packed: 2 * offset + u64::from(of_sample), line }
    }

    fn offset(self) -> u64 {
        self.packed / 2
    }

    /// Whether it is about the sample, and not about a known positive.
    fn is_of_sample(self) -> bool {
        self.packed % 2 == 1
    }
}

/// The verdicts about the units of one run. Threads share it by reference.
#[derive(Debug)]
pub struct Verdicts {
    /// What a report says of it.
    pub recorded: Recorded,
    /// By the beginning of the unit's key, or of its conversation's where lines name no turns.
    index: HashMap<u128, Place>,
    /// Whether lines about turns name the conversation only.
    without_turns: bool,
    spool: File,
}

impl Verdicts {
    /// How a unit ends: by its line, or as not recorded.
    ///
    /// # Errors
    /// The system fails to deliver what was set aside.
    pub fn outcome(&self, unit: &SelectedUnit) -> Result<Outcome, RecordedError> {
        let Some(place) = self.place(unit) else { return Ok(Outcome::NotRecorded) };
        let failed = |source| RecordedError::Reread { unit: unit.id.to_string(), source };
        let bytes = entry_at(&self.spool, place.offset()).map_err(failed)?;
        let entry = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
        Ok(match entry {
            Entry::Refused => Outcome::Refused,
            Entry::Unparsable => Outcome::Unparsable,
            Entry::Stated(stated) => stated.outcome(&unit.conversation, unit.id.turn, self.recorded.evidence),
        })
    }

    fn place(&self, unit: &SelectedUnit) -> Option<&Place> {
        // A known positive may bear the name of a unit of the sample, and its text is another.
        self.named(unit).filter(|place| place.is_of_sample() == unit.stratum.is_some())
    }

    fn named(&self, unit: &SelectedUnit) -> Option<&Place> {
        if !self.without_turns {
            return self.index.get(&unit.id.key().leading_u128());
        }
        // What is said of a conversation is said of its turn only where it has no other.
        let is_only = unit.conversation.turns().nth(1).is_none();
        self.index.get(&unit.id.conversation_key().leading_u128()).filter(|_| is_only)
    }
}

/// The bytes of the entry at this offset.
fn entry_at(spool: &File, offset: u64) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    spool.read_exact_at(&mut length, offset)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    spool.read_exact_at(&mut bytes, offset + 4)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;

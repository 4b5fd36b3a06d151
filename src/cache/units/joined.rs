//! The units of a run as one row: known positives first, then the sample, each from a snapshot of its own.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;

use super::format::{Row, UNITS};
use super::{ReadBuffers, SelectedUnit, Snapshot, UnitReader, UnitsError, failed};
use crate::model::event::Ordinal;
use crate::model::hash::Digest;

/// Rows that are read in one go.
const ROWS_AT_ONCE: u64 = 1_024;

/// All units of a run. Threads share it by reference.
#[derive(Debug)]
pub struct Units {
    known: Option<Snapshot>,
    sample: Snapshot,
}

impl Units {
    /// Known positives, if there are any, before the sample.
    #[must_use]
    pub const fn new(known: Option<Snapshot>, sample: Snapshot) -> Self {
        Self { known, sample }
    }

    /// Number of known positives: ordinals below it are theirs.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.known.as_ref().map_or(0, Snapshot::len)
    }

    /// Number of units, known positives included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.known() + self.sample.len()
    }

    /// Whether there is nothing to grade.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader for one thread and many units.
    #[must_use]
    pub fn reader(&self, buffers: ReadBuffers) -> UnitsReader<'_> {
        let known = self.known.as_ref().map(|known| known.reader(ReadBuffers::default()));
        UnitsReader { first: self.known(), known, sample: self.sample.reader(buffers), bytes: 0 }
    }

    /// Reads one unit. Many are read faster by [`Self::reader`].
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    pub fn get(&self, ordinal: Ordinal) -> Result<SelectedUnit, UnitsError> {
        self.reader(ReadBuffers::default()).get(ordinal)
    }

    /// The units with this address, as [`Snapshot::find`] finds them.
    ///
    /// # Errors
    /// As [`Snapshot::find`].
    pub fn find(&self, address: &str) -> Result<Vec<Ordinal>, UnitsError> {
        let mut found = self.known.as_ref().map(|known| known.find(address)).transpose()?.unwrap_or_default();
        let first = self.known();
        found.extend(self.sample.find(address)?.into_iter().map(|ordinal| Ordinal(first + ordinal.0)));
        Ok(found)
    }
}

/// Reads units of a run one after the other.
pub struct UnitsReader<'a> {
    first: u64,
    known: Option<UnitReader<'a>>,
    sample: UnitReader<'a>,
    bytes: usize,
}

impl UnitsReader<'_> {
    /// Reads one unit.
    ///
    /// # Errors
    /// There is no such unit, it is damaged, or the system fails to deliver it.
    pub fn get(&mut self, ordinal: Ordinal) -> Result<SelectedUnit, UnitsError> {
        if let Some(known) = self.known.as_mut().filter(|_| ordinal.0 < self.first) {
            let unit = known.get(ordinal)?;
            self.bytes = known.conversation_bytes();
            return Ok(SelectedUnit { stratum: None, ..unit });
        }
        let unit = self.sample.get(Ordinal(ordinal.0 - self.first))?;
        self.bytes = self.sample.conversation_bytes();
        Ok(SelectedUnit { ordinal, ..unit })
    }

    /// Gives the memory back.
    #[must_use]
    pub fn into_buffers(self) -> ReadBuffers {
        self.sample.into_buffers()
    }

    /// Size of the conversation that was read last, as JSON.
    #[must_use]
    pub const fn conversation_bytes(&self) -> usize {
        self.bytes
    }
}

impl Snapshot {
    /// Those of these contents that a selected unit has. Reads every row once, in constant memory.
    ///
    /// # Errors
    /// A row is damaged, or the system fails to deliver it.
    pub fn contents_among(&self, wanted: &HashSet<Digest>) -> Result<HashSet<Digest>, UnitsError> {
        let mut found = HashSet::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        self.each_row(|_, row| {
            if wanted.contains(&row.content) {
                found.insert(row.content);
            }
        })?;
        Ok(found)
    }

    /// The last unit of every stratum in the order of admission: the one with the largest number of its draw.
    ///
    /// # Errors
    /// As [`Self::contents_among`].
    pub fn last_of_strata(&self) -> Result<Vec<Option<Ordinal>>, UnitsError> {
        let mut last = vec![None; self.strata.len()];
        self.each_row(|ordinal, row| {
            if let Some(last) = last.get_mut(row.stratum as usize) {
                *last = Some(ordinal);
            }
        })?;
        Ok(last)
    }

    fn each_row(&self, mut visit: impl FnMut(Ordinal, &Row)) -> Result<(), UnitsError> {
        let path = self.folder.join(UNITS);
        let mut bytes = Vec::new();
        let mut first = 0;
        while first < self.len {
            let rows = ROWS_AT_ONCE.min(self.len - first);
            bytes.resize(usize::try_from(rows).unwrap_or_default() * Row::BYTES, 0);
            self.units.read_exact_at(&mut bytes, self.rows_start + first * Row::BYTES as u64).map_err(failed(&path))?;
            for (ordinal, row) in (first..).map(Ordinal).zip(bytes.as_chunks().0) {
                visit(ordinal, &Row::decode(ordinal, row).ok_or_else(|| self.damaged(ordinal, UNITS))?);
            }
            first += rows;
        }
        Ok(())
    }
}

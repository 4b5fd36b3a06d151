//! Sorting on disk: rows of a fixed size, in runs that are merged as they are read. Memory does not depend on how
//! many rows there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Rows held in memory before they become a run.
const BUFFER_BYTES: usize = 16 << 20;
/// Runs merged at once: each holds a file open and a buffer.
const FAN_IN: usize = 64;

/// Collects rows in any order. Full buffers are sorted into files without names, which vanish with the process.
pub(super) struct Runs<const N: usize> {
    folder: PathBuf,
    room: usize,
    buffer: Vec<[u8; N]>,
    files: Vec<File>,
}

impl<const N: usize> Runs<N> {
    /// An empty collection that spills into `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), room: BUFFER_BYTES / N, buffer: Vec::new(), files: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: [u8; N]) -> io::Result<()> {
        self.buffer.push(row);
        if self.buffer.len() >= self.room { self.spill() } else { Ok(()) }
    }

    /// Adds all rows of `other`.
    pub(super) fn append(&mut self, mut other: Self) -> io::Result<()> {
        for row in std::mem::take(&mut other.buffer) {
            self.push(row)?;
        }
        for run in other.files {
            self.adopt(run)?;
        }
        Ok(())
    }

    /// All rows in ascending order.
    pub(super) fn sorted(mut self) -> io::Result<Sorted<N>> {
        self.spill()?;
        Sorted::merge(self.files)
    }

    fn spill(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable();
        let run = write(&self.folder, self.buffer.iter().map(|row| Ok(*row)))?;
        self.buffer.clear();
        self.adopt(run)
    }

    fn adopt(&mut self, run: File) -> io::Result<()> {
        self.files.push(run);
        if self.files.len() == FAN_IN {
            let merged = Sorted::<N>::merge(std::mem::take(&mut self.files))?;
            self.files.push(write(&self.folder, merged)?);
        }
        Ok(())
    }
}

/// Writes rows to a new file without a name.
pub(super) fn write<const N: usize>(
    folder: &Path,
    rows: impl Iterator<Item = io::Result<[u8; N]>>,
) -> io::Result<File> {
    let mut writer = BufWriter::new(tempfile::tempfile_in(folder)?);
    for row in rows {
        writer.write_all(&row?)?;
    }
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Rows in ascending order. After an error there is no further row.
pub(super) struct Sorted<const N: usize> {
    runs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<([u8; N], usize)>>,
}

impl<const N: usize> Sorted<N> {
    fn merge(runs: Vec<File>) -> io::Result<Self> {
        let mut sorted = Self { runs: Vec::with_capacity(runs.len()), heads: BinaryHeap::new() };
        for (index, mut run) in runs.into_iter().enumerate() {
            run.rewind()?;
            sorted.runs.push(BufReader::with_capacity(64 << 10, run));
            sorted.advance(index)?;
        }
        Ok(sorted)
    }

    fn advance(&mut self, index: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(index) else { return Ok(()) };
        let mut row = [0; N];
        match run.read_exact(&mut row) {
            Ok(()) => self.heads.push(Reverse((row, index))),
            // Runs hold whole rows, so this is the end of one.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl<const N: usize> Iterator for Sorted<N> {
    type Item = io::Result<[u8; N]>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((row, index)) = self.heads.pop()?;
        Some(self.advance(index).map(|()| row).inspect_err(|_| self.heads.clear()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_rows_come_back_sorted(parts in prop::collection::vec(prop::collection::vec(any::<u16>(), 0..300), 1..4)) {
            let dir = tempfile::tempdir().unwrap();
            let mut all = Runs { room: 3, ..Runs::new(dir.path()) };
            for part in &parts {
                let mut runs = Runs { room: 3, ..Runs::new(dir.path()) };
                part.iter().try_for_each(|row| runs.push(row.to_be_bytes())).unwrap();
                all.append(runs).unwrap();
            }
            prop_assert!(all.files.len() < FAN_IN);
            let sorted: Vec<_> = all.sorted().unwrap().map(|row| u16::from_be_bytes(row.unwrap())).collect();
            let mut expected = parts.concat();
            expected.sort_unstable();
            prop_assert_eq!(sorted, expected);
            prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}

//! Records whose id was seen before in the same group: the first in the order of the corpus counts, the others are
//! a bucket.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::rows::{Identity, Place};
use super::runs::{Runs, write};

/// Where the duplicates stand. On disk, but for a range per file.
pub(super) struct Duplicates {
    places: Option<File>,
    by_file: Vec<Range<u64>>,
}

impl Duplicates {
    /// None, as far as is known before the corpus has been walked.
    pub(super) fn none() -> Self {
        Self { places: None, by_file: Vec::new() }
    }

    /// All but the first place of each identity.
    pub(super) fn find(identities: Runs<{ Identity::BYTES }>, files: usize, folder: &Path) -> io::Result<Self> {
        let mut places = Runs::new(folder);
        let mut last = None;
        for row in identities.sorted()? {
            let Identity { key, place } = Identity::decode(row?);
            if last.replace(key) == Some(key) {
                places.push(place.encode())?;
            }
        }
        let mut by_file = vec![0..0; files];
        let mut count = 0;
        let counted = places.sorted()?.inspect(|row| {
            if let Ok(row) = row
                && let Some(range) = by_file.get_mut(Place::decode(*row).file as usize)
            {
                let start = if Range::is_empty(range) { count } else { range.start };
                count += 1;
                *range = start..count;
            }
        });
        let places = write(folder, counted)?;
        Ok(Self { places: Some(places), by_file })
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_file.iter().all(Range::is_empty)
    }

    /// The duplicates of one file.
    pub(super) fn of(&self, file: u32) -> Marks<'_> {
        let left = self.by_file.get(file as usize).cloned().unwrap_or_default();
        Marks { places: self.places.as_ref(), left, next: None }
    }
}

/// The records of one file that are duplicates.
pub(super) struct Marks<'a> {
    places: Option<&'a File>,
    left: Range<u64>,
    next: Option<u64>,
}

impl Marks<'_> {
    /// Whether this record is one; records are asked for in ascending order.
    pub(super) fn contains(&mut self, record: u64) -> io::Result<bool> {
        while self.next.is_none_or(|next| next < record) {
            let (Some(places), Some(index)) = (self.places, self.left.next()) else { return Ok(false) };
            let mut row = [0; Place::BYTES];
            places.read_exact_at(&mut row, index * Place::BYTES as u64)?;
            self.next = Some(Place::decode(row).record);
        }
        Ok(self.next == Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_first_place_are_duplicates() {
        let dir = tempfile::tempdir().unwrap();
        let mut identities = Runs::new(dir.path());
        for (key, file, record) in [(9, 2, 1), (7, 0, 5), (9, 0, 2), (9, 2, 4), (8, 1, 1), (9, 0, 9)] {
            identities.push(Identity { key, place: Place { file, record } }.encode()).unwrap();
        }
        let duplicates = Duplicates::find(identities, 4, dir.path()).unwrap();
        assert!(!duplicates.is_empty());
        let found = |file| {
            let mut marks = duplicates.of(file);
            (1..12).filter(|record| marks.contains(*record).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!([found(0), found(1), found(2), found(3)], [vec![9], vec![], vec![1, 4], vec![]]);
        assert!(Duplicates::find(Runs::new(dir.path()), 4, dir.path()).unwrap().is_empty());
    }
}

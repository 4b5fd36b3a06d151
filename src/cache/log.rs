//! The reply log: segments `<unix-ms>-<pid>-<n>.jsonl`, one line per reply, never changed once written.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Deserialize;

use super::table::{Extent, Table};
use crate::clock;
use crate::journal::{Damage, FileKind, JournalError, Reader};
use crate::model::hash::Digest;

/// A segment that has reached this size takes no more replies: small enough to read again within a second, large enough
/// that a million replies are a few dozen files.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;
/// What the first and the last replies of a segment are recognised by.
const EDGE_BYTES: usize = 4 << 10;

/// Replies of graders.
pub(super) const REPLIES: FileKind = FileKind { name: "replies", format: 1 };

/// A segment's name; in the order of writing, so that the last of equal keys wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SegmentId {
    started_ms: u64,
    pid: u32,
    number: u32,
}

impl SegmentId {
    /// The name of the `number`th segment of this process, behind `newest` even if the clock was set back.
    pub(super) fn after(newest: Option<Self>, now: clock::UnixMs, number: u32) -> Self {
        let started_ms = newest.map_or(now.0, |newest| now.0.max(newest.started_ms + 1));
        Self { started_ms, pid: std::process::id(), number }
    }

    pub(super) fn path(self, folder: &Path) -> PathBuf {
        folder.join(self.to_string())
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}.jsonl", self.started_ms, self.pid, self.number)
    }
}

/// The text is not the name of a segment.
#[derive(Debug)]
pub(super) struct NotASegment;

impl FromStr for SegmentId {
    type Err = NotASegment;

    fn from_str(name: &str) -> Result<Self, NotASegment> {
        let parse = || {
            let mut numbers = name.strip_suffix(".jsonl")?.splitn(3, '-');
            let started_ms = numbers.next()?.parse().ok()?;
            let pid = numbers.next()?.parse().ok()?;
            let number = numbers.next()?.parse().ok()?;
            Some(Self { started_ms, pid, number })
        };
        parse().filter(|segment| segment.to_string() == name).ok_or(NotASegment)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Segments in the order of writing.
    pub(super) segments: Vec<SegmentId>,
    /// Files that look like segments and are none.
    pub(super) strangers: Vec<PathBuf>,
}

/// Lists a folder; one that does not exist is empty.
pub(super) fn list(folder: &Path) -> Result<Listing, JournalError> {
    let io = |error| JournalError::io("list", folder, error);
    let mut listing = Listing::default();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match name.parse() {
            Ok(segment) => listing.segments.push(segment),
            Err(NotASegment) if name.ends_with(".jsonl") => listing.strangers.push(path),
            Err(NotASegment) => {}
        }
    }
    listing.segments.sort_unstable();
    listing.strangers.sort_unstable();
    Ok(listing)
}

/// What a segment is now, without reading all of it.
///
/// Fails if a later version of assize wrote it.
pub(super) fn extent(path: &Path) -> Result<Extent, JournalError> {
    Reader::open(path, REPLIES)?;
    let edges = || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut buffer = [0; EDGE_BYTES];
        let head = read_up_to(&file, &mut buffer, 0)?;
        let sum = crc32c::crc32c(head);
        let tail = read_up_to(&file, &mut buffer, bytes.saturating_sub(EDGE_BYTES as u64))?;
        Ok(Extent { bytes, edges: crc32c::crc32c_append(sum, tail) })
    };
    edges().map_err(|error| JournalError::io("read", path, error))
}

fn read_up_to<'a>(file: &File, buffer: &'a mut [u8], offset: u64) -> io::Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(buffer.split_at(filled).0)
}

/// What reading a whole segment gave.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) table: Table,
    /// Damaged lines, other than a torn last one, with the first of them.
    pub(super) damaged: u64,
    pub(super) first_damaged: Option<(u64, Damage)>,
}

/// Only what a table needs; the rest of a reply is skipped, not stored.
#[derive(Deserialize)]
struct Keyed {
    key: Digest,
}

/// Reads a whole segment to find where its replies stand.
pub(super) fn replay(path: &Path) -> Result<Replayed, JournalError> {
    // Taken before reading: lines that another process appends meanwhile make the table outdated, not wrong.
    let extent = extent(path)?;
    let mut places = HashMap::new();
    let (mut damaged, mut first_damaged) = (0, None);
    for line in Reader::open(path, REPLIES)? {
        let line = line?;
        match line.parse::<Keyed>() {
            Ok(Keyed { key }) => drop(places.insert(key.leading_u128(), line.place)),
            Err(Damage::Torn) => {}
            Err(damage) => {
                damaged += 1;
                first_damaged.get_or_insert((line.number, damage));
            }
        }
    }
    Ok(Replayed { table: Table::new(extent, places), damaged, first_damaged })
}

/// Reads segments on all processors: whoever has no index waits for this.
pub(super) fn replay_all(folder: &Path, segments: &[SegmentId]) -> Result<BTreeMap<SegmentId, Replayed>, JournalError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut replayed = Vec::new();
        while let Some(segment) = segments.get(next.fetch_add(1, Ordering::Relaxed)) {
            replayed.push((*segment, replay(&segment.path(folder))?));
        }
        Ok(replayed)
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(segments.len());
    thread::scope(|scope| {
        let spawned: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = BTreeMap::new();
        for worker in spawned {
            all.extend(worker.join().expect("reading a segment does not panic")?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use clock::UnixMs;

    use super::*;

    #[test]
    fn names_are_strict_and_sort_in_the_order_of_writing() {
        let names = ["999-7-1.jsonl", "1000-7-1.jsonl", "1000-7-2.jsonl", "1000-7-10.jsonl", "1000-12-1.jsonl"];
        let segments: Vec<SegmentId> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert!(segments.is_sorted());
        for wrong in ["", "1-2-3", "1-2.jsonl", "1-2-3-4.jsonl", "01-2-3.jsonl", "+1-2-3.jsonl", "a-2-3.jsonl"] {
            assert!(wrong.parse::<SegmentId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_new_segment_comes_last_even_if_the_clock_was_set_back() {
        let newest: SegmentId = "5000-99999999-7.jsonl".parse().unwrap();
        for now in [0, 5_000, 5_001, 9_000] {
            assert!(SegmentId::after(Some(newest), UnixMs(now), 1) > newest, "{now}");
        }
        assert!(SegmentId::after(None, UnixMs(5), 2) > SegmentId::after(None, UnixMs(5), 1));
    }
}

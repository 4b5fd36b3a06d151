//! A folder of segments `journal-<n>.jsonl`, one per process that wrote, read as one stream.

use std::fs::{self, File};
use std::mem;
use std::path::{Path, PathBuf};

use super::{FileKind, JournalError, Line, Reader, Writer};

/// Starts the next segment of a folder, which is created if it is missing. Blocks. The caller holds the lock that makes
/// it the folder's only writer.
///
/// # Errors
///
/// The file system's.
pub fn create_segment(folder: &Path, kind: FileKind) -> Result<Writer, JournalError> {
    let newest = if folder.exists() { segments(folder)?.last().map_or(0, |(number, _)| *number) } else { 0 };
    Writer::create(&folder.join(format!("journal-{}.jsonl", newest + 1)), kind)
}

/// Puts every line of all segments of a folder on the disk: also what a process that was killed wrote and did not sync.
/// Blocks.
///
/// # Errors
///
/// The file system's.
pub fn sync_segments(folder: &Path) -> Result<(), JournalError> {
    for (_, path) in segments(folder)? {
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|error| JournalError::io("sync", &path, error))?;
    }
    Ok(())
}

/// All lines of all segments of a folder, oldest first, in constant memory. Torn and damaged lines are among them.
///
/// The first error ends the iterator.
pub fn read_all(folder: &Path, kind: FileKind) -> impl Iterator<Item = Result<Line, JournalError>> + use<> {
    let (segments, failure) = match segments(folder) {
        Ok(segments) => (segments, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    let lines = segments.into_iter().flat_map(move |(_, path)| lines_of(&path, kind));
    let mut ended = false;
    failure.into_iter().chain(lines).take_while(move |line| !mem::replace(&mut ended, line.is_err()))
}

fn lines_of(path: &Path, kind: FileKind) -> impl Iterator<Item = Result<Line, JournalError>> + use<> {
    let (reader, failure) = match Reader::open(path, kind) {
        Ok(reader) => (Some(reader), None),
        Err(error) => (None, Some(Err(error))),
    };
    failure.into_iter().chain(reader.into_iter().flatten())
}

/// The segments of a folder, by number.
///
/// # Errors
///
/// The file system's.
pub fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let list = |error| JournalError::io("list", folder, error);
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(list)? {
        let path = entry.map_err(list)?.path();
        if let Some(number) = segment_number(&path) {
            segments.push((number, path));
        }
    }
    segments.sort();
    Ok(segments)
}

fn segment_number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("journal-")?.strip_suffix(".jsonl")?.parse().ok()
}

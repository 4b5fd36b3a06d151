//! Brings log and index together: the index where it agrees with the log, the log itself where it does not.

use std::path::{Path, PathBuf};

use super::aside::set_aside;
use super::index::{Failure, Index, Stored};
use super::log::{self, Replayed, SegmentId};
use super::table::{Extent, Table};
use super::tables::Tables;
use super::warnings::Warnings;
use super::{Access, CacheError, CacheSettings};

/// All tables of the cache, and the index's folder if it can be used. sled keeps tens of megabytes for an open database
/// of any size, so it is open only while tables are read or written.
pub(super) fn open(settings: &CacheSettings, warnings: &Warnings) -> Result<(Tables, Option<PathBuf>), CacheError> {
    let listing = log::list(&settings.replies)?;
    for stranger in listing.strangers {
        warnings.add(format!("`{}` is not a segment of the reply log and is not read", stranger.display()));
    }
    let mut extents = Vec::new();
    for segment in listing.segments {
        extents.push((segment, log::extent(&segment.path(&settings.replies))?));
    }
    let (mut index, mut stored) = match settings.access {
        Access::ReadWrite => open_index(&settings.index, warnings),
        Access::ReadOnly => (None, Stored::new()),
    };
    let mut tables = Tables::default();
    let mut uncovered = Vec::new();
    for (segment, extent) in extents {
        match stored.remove(&segment) {
            Some(table) if table.extent == extent => tables.close(segment, table),
            outdated => {
                warn_if_changed(segment, outdated.as_ref(), extent, warnings);
                uncovered.push(segment);
            }
        }
    }
    for (segment, replayed) in log::replay_all(&settings.replies, &uncovered)? {
        warn_if_damaged(segment, &replayed, warnings);
        store(&mut index, segment, Some(&replayed.table), warnings);
        tables.close(segment, replayed.table);
    }
    for segment in stored.into_keys() {
        store(&mut index, segment, None, warnings);
    }
    let closed = index.map(Index::close);
    if let Some(Err(failure)) = &closed {
        warnings.add(without_index(failure));
    }
    Ok((tables, closed.and_then(Result::ok).map(|()| settings.index.clone())))
}

/// Opens the index; one that is damaged is set aside and begun anew.
fn open_index(folder: &Path, warnings: &Warnings) -> (Option<Index>, Stored) {
    let mut opened = Index::open(folder);
    if let Err(Failure::Damaged(reason)) = &opened
        && let Ok(aside) = set_aside(folder)
    {
        warnings.add(format!(
            "the reply index was damaged ({reason}): it was moved to `{}` and is rebuilt from the log, nothing is lost",
            aside.display()
        ));
        opened = Index::open(folder);
    }
    match opened {
        Ok((index, stored)) => (Some(index), stored),
        Err(failure) => {
            warnings.add(without_index(&failure));
            (None, Stored::new())
        }
    }
}

/// Adds the tables of these segments to the index in `folder`.
pub(super) fn add(folder: &Path, segments: &[SegmentId], tables: &Tables, warnings: &Warnings) {
    let mut index = match Index::reopen(folder) {
        Ok(index) => Some(index),
        Err(failure) => {
            warnings.add(without_index(&failure));
            None
        }
    };
    for segment in segments {
        if let Some(table) = tables.closed(*segment) {
            store(&mut index, *segment, Some(table), warnings);
        }
    }
    if let Some(Err(failure)) = index.map(Index::close) {
        warnings.add(without_index(&failure));
    }
}

/// Stores or removes a table. An index that fails once is not used again: it may hang the next time.
pub(super) fn store(index: &mut Option<Index>, segment: SegmentId, table: Option<&Table>, warnings: &Warnings) {
    if let Some(Err(failure)) = index.as_ref().map(|index| index.store(segment, table)) {
        warnings.add(without_index(&failure));
        *index = None;
    }
}

pub(super) fn without_index(failure: &Failure) -> String {
    format!("the reply index is not used ({failure}): nothing is lost, but the next start reads the whole log")
}

fn warn_if_damaged(segment: SegmentId, replayed: &Replayed, warnings: &Warnings) {
    if let Some((line, damage)) = replayed.first_damaged {
        let damaged = replayed.damaged;
        warnings.add(format!(
            "{damaged} damaged line(s) in `{segment}` are skipped, the first is line {line}: {damage}; \
             `assize cache verify` lists them"
        ));
    }
}

/// A segment that grew was still written to when it was indexed; any other difference deserves a sentence.
fn warn_if_changed(segment: SegmentId, outdated: Option<&Table>, extent: Extent, warnings: &Warnings) {
    if outdated.is_some_and(|table| table.extent.bytes >= extent.bytes) {
        warnings.add(format!("`{segment}` is not what the reply index says: its part of the index was made again"));
    }
}

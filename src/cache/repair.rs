//! Looks after a cache that nobody writes to: figures, a complete check, a new index.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::aside::set_aside;
use super::index::{self, Failure, Index};
use super::log::{self, REPLIES, SegmentId};
use super::table::Table;
use super::{Access, CacheError, CacheSettings};
use crate::journal::{Damage, Line, Reader};
use crate::model::grading::Reply;
use crate::model::money::NanoUsd;

/// More damaged lines than anybody reads one by one; their number is always exact.
const MOST_NAMED: usize = 1_000;

/// What a cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CacheStats {
    /// Different requests that have a reply.
    pub replies: u64,
    /// Replies that a later one with the same key has replaced.
    pub replaced: u64,
    /// Size of the log in bytes.
    pub bytes: u64,
    /// Files of the log.
    pub segments: u64,
    /// What all replies, replaced ones too, were settled at, in nano-dollars; without those of other workspaces.
    pub spend: NanoUsd,
    /// Replies that another workspace paid for.
    pub imported: u64,
    /// Replies by the model that the server says it served; `unknown` where it did not say.
    pub models: BTreeMap<String, u64>,
    /// Damaged lines.
    pub damaged: u64,
    /// Last lines that a crash cut off: nobody was told that they were written.
    pub torn: u64,
}

/// Counts what is in the log, in one pass over all of it. Blocks.
///
/// # Errors
///
/// [`CacheError::Log`] if the log cannot be read.
pub fn stats(settings: &CacheSettings) -> Result<CacheStats, CacheError> {
    let mut stats = CacheStats::default();
    let mut keys = HashSet::new();
    for segment in log::list(&settings.replies)?.segments {
        let path = segment.path(&settings.replies);
        stats.segments += 1;
        stats.bytes += log::extent(&path)?.bytes;
        for line in Reader::open(&path, REPLIES)? {
            match line?.parse::<Reply>() {
                Ok(reply) => {
                    if reply.imported {
                        stats.imported += 1;
                    } else {
                        stats.spend += reply.cost;
                    }
                    *stats.models.entry(reply.model.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
                    *if keys.insert(reply.key.leading_u128()) { &mut stats.replies } else { &mut stats.replaced } += 1;
                }
                Err(Damage::Torn) => stats.torn += 1,
                Err(Damage::Checksum | Damage::Frame | Damage::TooLong | Damage::Form) => stats.damaged += 1,
            }
        }
    }
    Ok(stats)
}

/// One line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamagedLine {
    /// The file.
    pub file: PathBuf,
    /// The line's number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub damage: Damage,
}

/// How the index compares with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "index", rename_all = "snake_case")]
pub enum IndexState {
    /// It covers every segment, and correctly.
    Agrees,
    /// It covers some segments not or wrongly; the next run mends that.
    Incomplete {
        /// Those segments.
        segments: Vec<String>,
    },
    /// There is none; the next run makes one.
    Absent,
    /// It was not compared: opening it would have written, or another process has it open.
    NotCompared {
        /// Why.
        reason: String,
    },
    /// It cannot be opened; the next run sets it aside and makes a new one.
    Unusable {
        /// Why.
        reason: String,
    },
}

/// What a complete check of a cache found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files of the log.
    pub segments: u64,
    /// Replies that are in order.
    pub replies: u64,
    /// Number of damaged lines.
    pub damaged: u64,
    /// The first thousand damaged lines.
    pub damaged_lines: Vec<DamagedLine>,
    /// Last lines that a crash cut off: nobody was told that they were written.
    pub torn_lines: Vec<DamagedLine>,
    /// The index.
    pub index: IndexState,
}

impl VerifyReport {
    /// Whether no reply is damaged.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.damaged == 0
    }
}

/// Reads every line of the log and compares the index with it. Blocks; changes no reply and no table.
///
/// # Errors
///
/// [`CacheError::Log`] if the log cannot be read.
pub fn verify(settings: &CacheSettings) -> Result<VerifyReport, CacheError> {
    let mut report = VerifyReport {
        segments: 0,
        replies: 0,
        damaged: 0,
        damaged_lines: Vec::new(),
        torn_lines: Vec::new(),
        index: IndexState::Absent,
    };
    let mut tables = BTreeMap::new();
    for segment in log::list(&settings.replies)?.segments {
        let path = segment.path(&settings.replies);
        report.segments += 1;
        let extent = log::extent(&path)?;
        let mut places = HashMap::new();
        for line in Reader::open(&path, REPLIES)? {
            let line = line?;
            match line.parse::<Reply>() {
                Ok(reply) => {
                    report.replies += 1;
                    places.insert(reply.key.leading_u128(), line.place);
                }
                Err(damage) => report.add(&line, damage),
            }
        }
        tables.insert(segment, Table::new(extent, places));
    }
    report.index = compare_index(settings, &tables);
    Ok(report)
}

impl VerifyReport {
    fn add(&mut self, line: &Line, damage: Damage) {
        let named = DamagedLine { file: line.file.to_path_buf(), line: line.number, damage };
        if damage == Damage::Torn {
            return self.torn_lines.push(named);
        }
        self.damaged += 1;
        if self.damaged_lines.len() < MOST_NAMED {
            self.damaged_lines.push(named);
        }
    }
}

fn compare_index(settings: &CacheSettings, tables: &BTreeMap<SegmentId, Table>) -> IndexState {
    if !settings.index.exists() {
        return IndexState::Absent;
    }
    if settings.access == Access::ReadOnly {
        return IndexState::NotCompared { reason: "opening the index would write to it".to_owned() };
    }
    match Index::open(&settings.index) {
        Ok((index, stored)) => {
            // What was read is in `stored`; a failure to close the index changes nothing in it.
            drop(index.close());
            let differs = |(segment, table): &(&SegmentId, &Table)| stored.get(segment) != Some(table);
            let segments: Vec<_> = tables.iter().filter(differs).map(|(segment, _)| segment.to_string()).collect();
            if segments.is_empty() { IndexState::Agrees } else { IndexState::Incomplete { segments } }
        }
        Err(failure @ Failure::InUse) => IndexState::NotCompared { reason: failure.to_string() },
        Err(failure @ (Failure::Damaged(_) | Failure::Unavailable(_))) => {
            IndexState::Unusable { reason: failure.to_string() }
        }
    }
}

/// What a new index was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// Files of the log.
    pub segments: u64,
    /// Places that were written, one per key and segment.
    pub replies: u64,
    /// Damaged lines that were skipped.
    pub damaged: u64,
    /// Where the old index lies, if there was one; it can be deleted.
    pub old_index: Option<PathBuf>,
}

/// Sets the index aside and makes a new one from the log. Blocks. The caller holds the lock over cache writers.
///
/// # Errors
///
/// [`CacheError::Log`] if the log cannot be read, [`CacheError::IndexInUse`], [`CacheError::Index`] if no new index can
/// be made, [`CacheError::ReadOnly`].
pub fn rebuild(settings: &CacheSettings) -> Result<RebuildReport, CacheError> {
    match settings.access {
        Access::ReadOnly => return Err(CacheError::ReadOnly),
        Access::ReadWrite => {}
    }
    let folder = &settings.index;
    let old_index = move_away(folder)?;
    let (index, _) = Index::open(folder).map_err(|failure| refuse(folder, &failure))?;
    let mut report = RebuildReport { segments: 0, replies: 0, damaged: 0, old_index };
    for segment in log::list(&settings.replies)?.segments {
        let replayed = log::replay(&segment.path(&settings.replies))?;
        report.segments += 1;
        report.replies += replayed.table.len() as u64;
        report.damaged += replayed.damaged;
        index.store(segment, Some(&replayed.table)).map_err(|failure| refuse(folder, &failure))?;
    }
    index.close().map_err(|failure| refuse(folder, &failure))?;
    Ok(report)
}

fn move_away(folder: &Path) -> Result<Option<PathBuf>, CacheError> {
    if index::is_in_use(folder) {
        return Err(CacheError::IndexInUse { path: folder.to_owned() });
    }
    if !folder.exists() {
        return Ok(None);
    }
    let aside = set_aside(folder);
    aside.map(Some).map_err(|error| refuse(folder, &Failure::Unavailable(error.to_string())))
}

fn refuse(folder: &Path, failure: &Failure) -> CacheError {
    let path = folder.to_owned();
    match failure {
        Failure::InUse => CacheError::IndexInUse { path },
        Failure::Damaged(reason) | Failure::Unavailable(reason) => CacheError::Index { path, reason: reason.clone() },
    }
}

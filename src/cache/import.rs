//! Takes in what another workspace exported. Nothing that is here already is replaced.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::export::{EXPORT, ExportHeader};
use super::repair::DamagedLine;
use super::{CacheError, ReplyCache};
use crate::journal::{Damage, JournalError, Reader};
use crate::model::grading::Reply;
use crate::model::hash::Digest;

/// Replies that are stored at once: a few groups of the log's writer ...
const GROUP_REPLIES: usize = 256;
/// ... as long as they are small: memory does not depend on what a file holds.
const GROUP_BYTES: usize = 16 << 20;
/// More damaged lines than anybody reads one by one; their number is always exact.
const MOST_NAMED: usize = 1_000;
/// The first bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Replies that are new here.
    pub new: u64,
    /// Replies that were here already, word for word.
    pub present: u64,
    /// Replies to requests that have another reply here, which is kept.
    pub conflicting: u64,
    /// Damaged lines, which were passed over.
    pub damaged: u64,
    /// The first thousand of them.
    pub damaged_lines: Vec<DamagedLine>,
    /// Replies that the file announces and does not hold: it was cut off.
    pub missing: u64,
}

impl ImportReport {
    /// Whether everything that the file should hold is in the cache now, or conflicts with what is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.missing == 0
    }

    fn lines(&self) -> u64 {
        self.new + self.present + self.conflicting + self.damaged
    }
}

/// Why an import stopped. What was taken in before stays: the same command again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The file cannot be read: it is not there, is no export, or a later version of assize wrote it.
    #[error(transparent)]
    File(#[from] JournalError),
    /// The first line, which says what the file is, is damaged.
    #[error("line 1 of `{}` is damaged, and without it nobody knows what the file holds", path.display())]
    Header {
        /// The file.
        path: PathBuf,
    },
    /// Under `strict`, a line is damaged.
    #[error("line {line} of `{}`: {damage}, and `--strict` is set", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Under `strict`, the file ends too early.
    #[error("`{}` was cut off: {missing} replies are missing, and `--strict` is set", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// How many.
        missing: u64,
    },
}

/// Opens an export: a file, or standard input for `-`; plain or compressed, told apart by the first bytes.
///
/// # Errors
///
/// [`ImportError::File`].
pub fn open_export(path: &Path) -> Result<Box<dyn BufRead>, ImportError> {
    let failed = |action| move |error| JournalError::io(action, path, error);
    let mut source: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path).map_err(failed("open"))?))
    };
    if source.fill_buf().map_err(failed("read"))?.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::Decoder::with_buffer(source).map_err(failed("read"))?;
        source = Box::new(BufReader::new(decoder));
    }
    Ok(source)
}

/// Stores what `source`, known as `path`, holds and the cache does not. Blocks between waits; the caller holds the lock
/// over cache writers. A damaged line is counted and passed over, or with `strict` ends the import.
///
/// # Errors
///
/// See [`ImportError`].
pub async fn import(
    cache: &ReplyCache,
    path: &Path,
    source: impl BufRead,
    strict: bool,
) -> Result<ImportReport, ImportError> {
    let reader = Reader::over(source, path, EXPORT)?;
    let header: ExportHeader = reader.header().ok_or_else(|| ImportError::Header { path: path.to_owned() })?;
    let mut import = Import { cache, report: ImportReport::default(), group: Group::default() };
    for line in reader {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                import.store().await?;
                return Err(error.into());
            }
        };
        match line.parse::<Reply>() {
            Ok(reply) => import.add(reply).await?,
            Err(damage) if strict => {
                import.store().await?;
                return Err(ImportError::Damaged { path: path.to_owned(), line: line.number, damage });
            }
            Err(damage) => {
                import.report.damaged += 1;
                if import.report.damaged_lines.len() < MOST_NAMED {
                    let named = DamagedLine { file: path.to_owned(), line: line.number, damage };
                    import.report.damaged_lines.push(named);
                }
            }
        }
    }
    import.store().await?;
    let mut report = import.report;
    report.missing = header.replies.saturating_sub(report.lines());
    if strict && report.missing > 0 {
        return Err(ImportError::CutOff { path: path.to_owned(), missing: report.missing });
    }
    Ok(report)
}

struct Import<'a> {
    cache: &'a ReplyCache,
    report: ImportReport,
    group: Group,
}

/// Replies that are stored together, so that many share one sync.
#[derive(Default)]
struct Group {
    keys: HashSet<Digest>,
    replies: Vec<Reply>,
    bytes: usize,
}

impl Import<'_> {
    async fn add(&mut self, reply: Reply) -> Result<(), CacheError> {
        if self.group.keys.contains(&reply.key) {
            self.store().await?;
        }
        match self.cache.get(&reply.key)? {
            Some(here) if here.body == reply.body && here.status == reply.status => self.report.present += 1,
            Some(_) => self.report.conflicting += 1,
            None => {
                self.group.keys.insert(reply.key);
                self.group.bytes += reply.body.len();
                self.group.replies.push(Reply { imported: true, ..reply });
                if self.group.replies.len() >= GROUP_REPLIES || self.group.bytes >= GROUP_BYTES {
                    self.store().await?;
                }
            }
        }
        Ok(())
    }

    async fn store(&mut self) -> Result<(), CacheError> {
        let Group { replies, .. } = std::mem::take(&mut self.group);
        let stored = replies.len() as u64;
        try_join_all(replies.iter().map(|reply| self.cache.put(reply))).await?;
        self.report.new += stored;
        Ok(())
    }
}

//! Replies on their way to another workspace: one JSON line each, the newest of every key, in the order of the log.
//!
//! The form is that of the log itself (see `journal`): a header line that says what the file is and how many replies
//! follow, then a checksum and a reply on every line. Memory grows with the number of keys, not with what they hold.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zstd::stream::write::Encoder;

use super::log::{self, REPLIES, SegmentId};
use super::{CacheError, CacheSettings};
use crate::clock::UnixMs;
use crate::journal::{Damage, FileKind, Reader, line_of};
use crate::model::grading::Reply;

/// An export of replies.
pub(super) const EXPORT: FileKind = FileKind { name: "exported replies", format: 1 };
/// A file name with this ending is compressed.
const COMPRESSED: &str = "zst";
/// zstd's own default.
const COMPRESSION_LEVEL: i32 = 3;

/// The first record of an export.
#[derive(Serialize, Deserialize)]
pub(super) struct ExportHeader {
    kind: String,
    format: u32,
    /// Lines that follow: a file that was cut off between two lines is noticed.
    pub(super) replies: u64,
}

/// Which replies are exported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportFilter {
    /// Only those of this model, by the name that the server gave.
    pub model: Option<String>,
    /// Only those received since.
    pub since: Option<UnixMs>,
}

impl ExportFilter {
    fn admits(&self, reply: &Reply) -> bool {
        let is_model = self.model.as_ref().is_none_or(|model| reply.model.as_ref() == Some(model));
        is_model && self.since.is_none_or(|since| reply.received_ms >= since.0)
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Replies written, one per key.
    pub replies: u64,
    /// Keys whose reply the filter left out.
    pub left_out: u64,
    /// Damaged lines of the log; an older reply to the same request, if there is one, is exported instead.
    pub damaged: u64,
}

/// Why replies could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The export cannot be written.
    #[error("cannot write the export")]
    Write(#[source] io::Error),
    /// The file of the export cannot be made.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Writes the newest reply of every key. Blocks; reads the log twice, and may do so while a run writes to it: replies
/// that come meanwhile are left for the next export.
///
/// # Errors
///
/// See [`ExportError`].
pub fn export(
    settings: &CacheSettings,
    filter: &ExportFilter,
    out: &mut impl Write,
) -> Result<ExportReport, ExportError> {
    let (newest, mut report) = find(settings, filter)?;
    let header = ExportHeader { kind: EXPORT.name.to_owned(), format: EXPORT.format, replies: report.replies };
    write(out, &header)?;
    report.replies = 0;
    for segment in log::list(&settings.replies).map_err(CacheError::from)?.segments {
        for line in Reader::open(&segment.path(&settings.replies), REPLIES).map_err(CacheError::from)? {
            let line = line.map_err(CacheError::from)?;
            let Ok(reply) = line.parse::<Reply>() else { continue };
            if newest.get(&reply.key.leading_u128()) == Some(&Some((segment, line.place.offset))) {
                write(out, &reply)?;
                report.replies += 1;
            }
        }
    }
    out.flush().map_err(ExportError::Write)?;
    Ok(report)
}

/// Where the newest reply of a key stands; nothing if the filter leaves it out.
type Newest = HashMap<u128, Option<(SegmentId, u64)>>;

fn find(settings: &CacheSettings, filter: &ExportFilter) -> Result<(Newest, ExportReport), CacheError> {
    let mut newest = Newest::new();
    let mut damaged = 0;
    for segment in log::list(&settings.replies)?.segments {
        for line in Reader::open(&segment.path(&settings.replies), REPLIES)? {
            let line = line?;
            match line.parse::<Reply>() {
                Ok(reply) => {
                    let place = filter.admits(&reply).then_some((segment, line.place.offset));
                    newest.insert(reply.key.leading_u128(), place);
                }
                Err(Damage::Torn) => {}
                Err(Damage::Checksum | Damage::Frame | Damage::TooLong | Damage::Form) => damaged += 1,
            }
        }
    }
    let replies = newest.values().flatten().count() as u64;
    let left_out = newest.len() as u64 - replies;
    Ok((newest, ExportReport { replies, left_out, damaged }))
}

fn write(out: &mut impl Write, record: &impl Serialize) -> Result<(), ExportError> {
    let line = line_of(record).ok_or_else(|| ExportError::Write(io::ErrorKind::InvalidData.into()))?;
    out.write_all(&line).map_err(ExportError::Write)
}

/// The same into a file of the owner's only, compressed with zstd if its name ends in `.zst`. A file of that name is
/// replaced once the export is whole and on the disk.
///
/// # Errors
///
/// See [`ExportError`].
pub fn export_to(settings: &CacheSettings, filter: &ExportFilter, path: &Path) -> Result<ExportReport, ExportError> {
    let failed = |source| ExportError::File { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = BufWriter::new(NamedTempFile::new_in(folder).map_err(failed)?);
    let report = if path.extension().is_some_and(|ending| ending == COMPRESSED) {
        let mut encoder = Encoder::new(&mut file, COMPRESSION_LEVEL).map_err(failed)?;
        let report = export(settings, filter, &mut encoder)?;
        encoder.finish().map_err(failed)?;
        report
    } else {
        export(settings, filter, &mut file)?
    };
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(report)
}

//! Goes through a file of verdicts, whatever its format: JSON line by line, Parquet row by row.

use std::fs::File;
use std::io::{self, Read};
use std::time::SystemTime;

use super::error::RecordedError;
use super::line::Line;
use super::settings::RecordedSettings;
use crate::model::hash::Digest;
use crate::source::{RawRecord, RawRecords, SourceError, SourceFile};

/// Calls for every line or row with its number, from 1; the digest of the file.
///
/// # Errors
/// The file cannot be read, is a damaged table, or changes while it is read; or what `visit` returns.
pub(super) fn for_each(
    settings: &RecordedSettings,
    mut visit: impl FnMut(u64, Result<Line, String>) -> Result<(), RecordedError>,
) -> Result<Digest, RecordedError> {
    let path = settings.file.clone();
    let file = SourceFile { path, name: settings.name.clone(), source: 0, bytes: 0 };
    if let Some(table) = parquet(settings)? {
        // Its rows are not in the order of its bytes, so the digest takes another pass.
        let before = stamp(&table, settings)?;
        let digest = RawRecords::plain(&file, settings.max_line_bytes)?.finish()?.digest;
        rows(table, settings, |number, line| visit(number, Ok(line)))?;
        let after = File::open(&settings.file).map_err(|source| failed(settings, source))?;
        if stamp(&after, settings)? != before {
            return Err(RecordedError::Changed { file: settings.name.clone() });
        }
        return Ok(digest);
    }
    let mut records = RawRecords::plain(&file, settings.max_line_bytes)?;
    for raw in &mut records {
        let raw = raw?;
        visit(raw.line, parsed(raw))?;
    }
    Ok(records.finish()?.digest)
}

/// The file, if it is Parquet. Told apart by content, as compression is.
fn parquet(settings: &RecordedSettings) -> Result<Option<File>, RecordedError> {
    let path = settings.file.clone();
    let file = File::open(&settings.file).map_err(|source| SourceError::Open { path, source })?;
    let mut start = Vec::new();
    (&file).take(4).read_to_end(&mut start).map_err(|source| failed(settings, source))?;
    // The second is what begins an encrypted one.
    Ok(Some(file).filter(|_| start == b"PAR1" || start == b"PARE"))
}

fn stamp(file: &File, settings: &RecordedSettings) -> Result<(u64, SystemTime), RecordedError> {
    let read = file.metadata().and_then(|metadata| Ok((metadata.len(), metadata.modified()?)));
    read.map_err(|source| failed(settings, source))
}

fn failed(settings: &RecordedSettings, source: io::Error) -> RecordedError {
    SourceError::Read { path: settings.file.clone(), source }.into()
}

#[cfg(feature = "parquet")]
fn rows(
    table: File,
    settings: &RecordedSettings,
    visit: impl FnMut(u64, Line) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    super::table::for_each_row(table, &settings.name, visit)
}

#[cfg(not(feature = "parquet"))]
fn rows(
    _: File,
    settings: &RecordedSettings,
    _: impl FnMut(u64, Line) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    Err(RecordedError::NoParquet { file: settings.name.clone() })
}

fn parsed(raw: RawRecord) -> Result<Line, String> {
    let bytes = raw.body.map_err(|fault| format!("{}: {}", fault.reason.as_str(), fault.detail))?;
    // Its message could quote the line.
    serde_json::from_slice(&bytes).map_err(|error| format!("not a JSON object (column {})", error.column()))
}

//! A Parquet file of verdicts, row by row. The only module that sees the `parquet` crate.
//!
//! Each row becomes the object that a JSON line would be. Rows are decoded a page at a time within one row group, which is
//! dropped before the next is opened, so memory follows the largest page and never the file.
//!
//! The crate panics on some damaged files. Every call into it is guarded, and a panic is damage. A page without a checksum
//! that is damaged and still decodes cannot be noticed.

use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};

use super::error::RecordedError;
use super::line::Line;
use crate::caught::caught;

/// Calls for every row, numbered from 1, in the order of the file.
///
/// # Errors
/// The file is damaged, encrypted or compressed in a way that this build cannot read; or what `visit` returns.
pub(super) fn for_each_row<R: ChunkReader + 'static>(
    input: R,
    name: &str,
    mut visit: impl FnMut(u64, Line) -> Result<(), RecordedError>,
) -> Result<(), RecordedError> {
    let wrong = |reason| RecordedError::Table { file: name.to_owned(), reason };
    let reader = guarded(|| SerializedFileReader::new(input)).map_err(wrong)?;
    check_counts(&reader).map_err(wrong)?;
    let mut row = 0;
    for number in 0..reader.num_row_groups() {
        let in_row = |row, reason| RecordedError::Row { file: name.to_owned(), row, reason };
        let group = guarded(|| reader.get_row_group(number)).map_err(|reason| in_row(row + 1, reason))?;
        let mut rows = guarded(|| rows_of(group.as_ref())).map_err(|reason| in_row(row + 1, reason))?;
        loop {
            let next = guarded(|| rows.next().transpose().map(|read| read.map(line)));
            let Some(line) = next.map_err(|reason| in_row(row + 1, reason))? else { break };
            row += 1;
            visit(row, line)?;
        }
    }
    Ok(())
}

fn rows_of(group: &dyn RowGroupReader) -> parquet::errors::Result<RowIter<'_>> {
    RowIter::from_row_group(None, group)
}

/// A damaged count would end the reading early without a word, or never.
fn check_counts<R: ChunkReader + 'static>(reader: &SerializedFileReader<R>) -> Result<(), String> {
    let metadata = reader.metadata();
    let mut total = 0_i64;
    for group in metadata.row_groups() {
        let rows = group.num_rows();
        // A column holds a value or a null for each row, and more than one where it is nested.
        if rows < 0 || group.columns().iter().any(|column| column.num_values() < rows) {
            return Err("a row group has fewer values than rows: it is damaged".to_owned());
        }
        total = total.saturating_add(rows);
    }
    if total == metadata.file_metadata().num_rows() {
        Ok(())
    } else {
        Err("its row groups do not add up to its rows: it is damaged".to_owned())
    }
}

/// Calls the crate; its panics and its errors are one thing to us.
fn guarded<T>(call: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    let read = caught(call).map_err(|_| "it is damaged: reading it fails inside the decoder".to_owned())?;
    read.map_err(|error| error.to_string())
}

fn line(row: Row) -> Line {
    row.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect()
}

fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(claim) => Value::Bool(claim),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float16(number) => float(f64::from(number)),
        // By its shortest digits: 0.29 of 32 bits is 0.28999999165534973 of 64, and a score is rounded down.
        Field::Float(number) => float(number.to_string().parse().unwrap_or(f64::NAN)),
        Field::Double(number) => float(number),
        Field::Str(text) => Value::String(text),
        // Some writers leave out that their bytes are text. Others are no scalar, so that a column of them is refused.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Object(Map::new()),
        },
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
        Field::Group(row) => Value::Object(line(row)),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Field::MapInternal(map) => {
            Value::Object(map.entries().iter().map(|(key, held)| (name(key), value(held.clone()))).collect())
        }
    }
}

/// As where a table is written as JSON, what is no number is missing.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn name(key: &Field) -> String {
    if let Field::Str(name) = key { name.clone() } else { key.to_string() }
}

#[cfg(test)]
mod tests;

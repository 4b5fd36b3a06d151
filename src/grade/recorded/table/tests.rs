use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::Length;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use serde_json::json;

use super::super::tests::{lines, outcomes, refusal};
use super::*;
use crate::model::recorded::RecordedLines;

/// The cells of one optional column in one row group.
enum Cells {
    Text(Vec<Option<&'static str>>),
    Bytes(Vec<Option<&'static [u8]>>),
    Bool(Vec<Option<bool>>),
    Int(Vec<Option<i32>>),
    Long(Vec<Option<i64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    /// With levels of definition and repetition, as a list has them.
    List(Vec<&'static str>, Vec<i16>, Vec<i16>),
}

fn put<T: DataType>(column: &mut SerializedColumnWriter<'_>, cells: impl IntoIterator<Item = Option<T::T>>) {
    let cells: Vec<Option<T::T>> = cells.into_iter().collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
}

fn write(column: &mut SerializedColumnWriter<'_>, cells: &Cells) {
    match cells {
        Cells::Text(cells) => put::<ByteArrayType>(column, cells.iter().map(|cell| cell.map(ByteArray::from))),
        Cells::Bytes(cells) => {
            put::<ByteArrayType>(column, cells.iter().map(|cell| cell.map(|bytes| bytes.to_vec().into())));
        }
        Cells::Bool(cells) => put::<BoolType>(column, cells.clone()),
        Cells::Int(cells) => put::<Int32Type>(column, cells.clone()),
        Cells::Long(cells) => put::<Int64Type>(column, cells.clone()),
        Cells::Float(cells) => put::<FloatType>(column, cells.clone()),
        Cells::Double(cells) => put::<DoubleType>(column, cells.clone()),
        Cells::List(texts, definition, repetition) => {
            let values: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(definition), Some(repetition)).unwrap();
        }
    }
}

fn table(columns: &str, compression: Compression, groups: &[Vec<Cells>]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message verdicts {{ {columns} }}")).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    for group in groups {
        let mut rows = writer.next_row_group().unwrap();
        for cells in group {
            let mut column = rows.next_column().unwrap().unwrap();
            write(&mut column, cells);
            column.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Value>, RecordedError> {
    let mut rows = Vec::new();
    for_each_row(Bytes::copy_from_slice(bytes), "v.parquet", |number, line| {
        rows.push(Value::Object(line));
        assert_eq!(number, rows.len() as u64);
        Ok(())
    })?;
    Ok(rows)
}

const PLAIN: &str = "optional binary unit (UTF8); optional binary verdict (UTF8); optional double score;";

/// Two row groups about the sample of [`outcomes`].
fn verdicts(compression: Compression) -> Vec<u8> {
    let first = vec![
        Cells::Text(vec![Some("a#1"), Some("a#3")]),
        Cells::Text(vec![Some("present"), None]),
        Cells::Double(vec![Some(80.0), Some(f64::NAN)]),
    ];
    let second = vec![
        Cells::Text(vec![Some("b#1"), Some("elsewhere#1"), None]),
        Cells::Text(vec![Some("Absent"), Some("absent"), Some("absent")]),
        Cells::Double(vec![Some(3.0), Some(0.0), None]),
    ];
    table(PLAIN, compression, &[first, second])
}

fn same_as_lines() -> Vec<u8> {
    lines(&[
        json!({"unit": "a#1", "verdict": "present", "score": 80.0}),
        json!({"unit": "a#3", "verdict": null, "score": null}),
        json!({"unit": "b#1", "verdict": "Absent", "score": 3}),
        json!({"unit": "elsewhere#1", "verdict": "absent", "score": 0}),
        json!({"unit": null, "verdict": "absent", "score": null}),
    ])
}

fn scored(bytes: &[u8]) -> (Vec<String>, RecordedLines) {
    outcomes(bytes, |settings| settings.columns.score = Some("score".to_owned())).unwrap()
}

#[test]
fn tables_of_the_usual_writers_say_the_same() {
    let tables = [
        ("pandas", &include_bytes!("../../../../tests/fixtures/recorded/pandas.parquet")[..]),
        ("polars", include_bytes!("../../../../tests/fixtures/recorded/polars.parquet")),
        ("pyarrow", include_bytes!("../../../../tests/fixtures/recorded/pyarrow.parquet")),
    ];
    for (writer, table) in tables {
        assert_eq!(scored(table), scored(&same_as_lines()), "{writer}");
        let rows = read(table).unwrap();
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Value>();
        assert_eq!(column("sure"), json!([true, null, false, true, true]), "{writer}");
        assert_eq!(column("quotes"), json!([["answer 1", "of a"], null, [], ["né"], ["x"]]), "{writer}");
        // pandas has no whole number beside a missing one.
        let tokens: Vec<Option<f64>> = rows.iter().map(|row| row["tokens"].as_f64()).collect();
        assert_eq!(tokens, [Some(12.0), None, Some(7.0), Some(0.0), Some(1.0)], "{writer}");
    }
}

#[test]
fn rows_say_what_lines_say_in_every_compression() {
    let expected = scored(&same_as_lines());
    assert_eq!((expected.1.used, expected.1.empty, expected.1.elsewhere, expected.1.unreadable), (2, 1, 1, 1));
    let (zstd, gzip) = (Compression::ZSTD(ZstdLevel::default()), Compression::GZIP(GzipLevel::default()));
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd, gzip] {
        assert_eq!(scored(&verdicts(compression)), expected, "{compression}");
    }
}

#[test]
fn every_type_becomes_what_json_would_hold() {
    let columns = "optional boolean flag; optional int32 small; optional int64 large; optional int64 unsigned (UINT_64); \
                   optional float p; optional double q; optional binary text (UTF8); optional binary bare; \
                   optional int32 day (DATE); optional int32 share (DECIMAL(9, 2)); \
                   optional group quotes (LIST) { repeated group list { optional binary element (UTF8); } }";
    let cells = vec![
        Cells::Bool(vec![Some(true), None]),
        Cells::Int(vec![Some(-7), None]),
        Cells::Long(vec![Some(i64::MAX), None]),
        Cells::Long(vec![Some(-1), None]),
        Cells::Float(vec![Some(0.29), Some(f32::NAN)]),
        Cells::Double(vec![Some(0.5), Some(f64::INFINITY)]),
        Cells::Text(vec![Some("né"), None]),
        Cells::Bytes(vec![Some(b"a#1"), Some(&[0xff, 0xfe])]),
        Cells::Int(vec![Some(0), None]),
        Cells::Int(vec![Some(97), None]),
        Cells::List(vec!["one", "two"], vec![3, 3, 0], vec![0, 1, 0]),
    ];
    let rows = read(&table(columns, Compression::SNAPPY, &[cells])).unwrap();
    let first = json!({
        "flag": true, "small": -7, "large": i64::MAX, "unsigned": u64::MAX, "p": 0.29, "q": 0.5, "text": "né",
        "bare": "a#1", "day": "1970-01-01", "share": "0.97", "quotes": ["one", "two"],
    });
    assert_eq!(rows[0], first);
    for (name, value) in rows[1].as_object().unwrap() {
        // Bytes that are no text must not pass for a missing value.
        assert_eq!(*value, if name == "bare" { json!({}) } else { Value::Null }, "{name}");
    }
}

/// Notes how far into the file anybody has read, the footer aside.
struct Watched {
    bytes: Bytes,
    furthest: Arc<AtomicU64>,
    footer: u64,
}

impl Watched {
    fn note(&self, end: u64) {
        if end <= self.footer {
            self.furthest.fetch_max(end, Ordering::Relaxed);
        }
    }
}

impl Length for Watched {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A reader that notes what is taken from it.
struct Noting(Cursor<Bytes>, Arc<AtomicU64>, u64);

impl Read for Noting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        if self.0.position() <= self.2 {
            self.1.fetch_max(self.0.position(), Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl ChunkReader for Watched {
    type T = Noting;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Noting> {
        let mut cursor = Cursor::new(self.bytes.clone());
        cursor.set_position(start);
        Ok(Noting(cursor, Arc::clone(&self.furthest), self.footer))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.note(start + length as u64);
        self.bytes.get_bytes(start, length)
    }
}

#[test]
fn a_row_group_is_opened_after_the_last_row_of_the_one_before() {
    const GROUPS: usize = 50;
    const ROWS: usize = 2_000;
    let group = |number: usize| {
        let scores = (0..ROWS).map(|row| Some(f64::from(u32::try_from(number * ROWS + row).unwrap()))).collect();
        vec![Cells::Text(vec![Some("a#1"); ROWS]), Cells::Text(vec![Some("absent"); ROWS]), Cells::Double(scores)]
    };
    let bytes = Bytes::from(table(PLAIN, Compression::SNAPPY, &(0..GROUPS).map(group).collect::<Vec<_>>()));
    let reader = SerializedFileReader::new(bytes.clone()).unwrap();
    let ends: Vec<u64> = reader
        .metadata()
        .row_groups()
        .iter()
        .map(|group| {
            group.columns().iter().map(ColumnChunkMetaData::byte_range).map(|(at, size)| at + size).max().unwrap()
        })
        .collect();
    let furthest = Arc::new(AtomicU64::new(0));
    let watched = Watched { bytes, furthest: Arc::clone(&furthest), footer: ends[GROUPS - 1] };
    let mut seen = 0;
    for_each_row(watched, "v.parquet", |row, line| {
        let index = usize::try_from(row - 1).unwrap();
        assert_eq!(line["score"].as_f64(), Some(f64::from(u32::try_from(index).unwrap())));
        let read = furthest.load(Ordering::Relaxed);
        assert!(read > 0 && read <= ends[index / ROWS], "row {row} was given when {read} bytes were read");
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, GROUPS * ROWS);
}

#[test]
fn a_file_without_rows_or_that_cannot_be_read_is_a_message() {
    let plain = verdicts(Compression::UNCOMPRESSED);
    let empty = refusal(&table(PLAIN, Compression::UNCOMPRESSED, &[]), |_| {});
    assert!(empty.contains("has no verdict about any selected unit: 0 lines"), "{empty}");
    let mut encrypted = plain.clone();
    encrypted[..4].copy_from_slice(b"PARE");
    let end = encrypted.len() - 4;
    encrypted[end..].copy_from_slice(b"PARE");
    let encrypted = refusal(&encrypted, |_| {});
    assert!(encrypted.starts_with("cannot read `verdicts.jsonl` as a Parquet file: "), "{encrypted}");
    assert!(encrypted.contains("encrypt"), "{encrypted}");
    let cut = refusal(&plain[..plain.len() / 2], |_| {});
    assert!(cut.starts_with("cannot read `verdicts.jsonl` as a Parquet file: "), "{cut}");
    // The pages of the second row group, whose first row is the third of the file.
    let mut damaged = plain.clone();
    let reader = SerializedFileReader::new(Bytes::from(plain)).unwrap();
    let (start, size) = reader.metadata().row_group(1).column(0).byte_range();
    let (start, size) = (usize::try_from(start).unwrap(), usize::try_from(size).unwrap());
    damaged[start..start + size].fill(0xff);
    let damaged = refusal(&damaged, |_| {});
    assert!(damaged.starts_with("cannot read row 3 of the Parquet file `verdicts.jsonl`: "), "{damaged}");
}

static STORED: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [Compression::UNCOMPRESSED, Compression::SNAPPY].map(verdicts));

proptest! {
    #[test]
    fn a_cut_file_is_an_error(which in 0..2_usize, at in any::<prop::sample::Index>()) {
        let stored = &STORED[which];
        prop_assert!(read(&stored[..at.index(stored.len())]).is_err());
    }

    #[test]
    fn a_flipped_bit_never_panics_and_never_loses_or_adds_a_row(
        which in 0..2_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let mut stored = STORED[which].clone();
        let at = at.index(stored.len());
        stored[at] ^= 1 << bit;
        match read(&stored) {
            Ok(rows) => prop_assert_eq!(rows.len(), 5),
            Err(RecordedError::Table { .. } | RecordedError::Row { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
#[ignore = "half a minute: every byte of a file takes every value"]
fn no_byte_can_end_the_process_or_lose_a_row() {
    let mut refused = 0_u64;
    for stored in STORED.iter() {
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            for value in 0..=u8::MAX {
                damaged[at] = value;
                match read(&damaged) {
                    Ok(rows) => assert_eq!(rows.len(), 5, "byte {at} as {value}"),
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(refused > 0);
}

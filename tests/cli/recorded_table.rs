//! A Parquet file of verdicts is as good as its rows as JSON lines, and a damaged one begins nothing.

use std::panic::catch_unwind;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;

use crate::recorded::{table, workspace};
use crate::support::Workspace;

const COLUMNS: [&str; 3] = ["turn_id", "model", "label"];
/// Several row groups.
const GROUP: usize = 50;

/// The rows as text, as a tool writes them that knows no other type.
fn as_parquet(lines: &[Value]) -> Vec<u8> {
    let columns = COLUMNS.map(|name| format!("required binary {name} (UTF8); ")).concat();
    let schema = Arc::new(parse_message_type(&format!("message verdicts {{ {columns} }}")).unwrap());
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for lines in lines.chunks(GROUP) {
        let mut group = writer.next_row_group().unwrap();
        for name in COLUMNS {
            let cell = |line: &Value| line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
            let cells: Vec<ByteArray> = lines.iter().map(|line| cell(line).into_bytes().into()).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&cells, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn with_table(change: impl FnOnce(&mut Vec<u8>)) -> (Workspace, usize) {
    let workspace = workspace();
    let rows = table(&workspace);
    let mut bytes = as_parquet(&rows);
    change(&mut bytes);
    workspace.write("first.parquet", bytes);
    workspace.edit("audit.toml", "\"first.jsonl\"", "\"first.parquet\"");
    (workspace, rows.len())
}

#[test]
fn a_table_is_counted_as_its_rows_would_be_as_lines() {
    let (workspace, rows) = with_table(|_| {});
    assert!(rows > 2 * GROUP, "{rows}");
    let table = workspace.report().json();
    workspace.edit("audit.toml", "\"first.parquet\"", "\"first.jsonl\"");
    let lines = workspace.report().json();
    assert_ne!(table["run"], lines["run"], "the file is part of what a run is");
    assert_eq!(table["graders"][0]["recorded"]["lines"], lines["graders"][0]["recorded"]["lines"]);
    assert_eq!(table["graders"][0]["recorded"]["lines"]["used"], rows);
    for figures in ["corpus", "funnel", "strata", "confirmed_units", "rates", "requests", "spend"] {
        assert!(!table[figures].is_null());
        assert_eq!(table[figures], lines[figures], "{figures}");
    }
    assert!(table["funnel"]["flagged"].as_u64().unwrap() > 10);
}

#[test]
fn a_resumed_or_repeated_run_reads_the_table_again() {
    let (workspace, _) = with_table(|_| {});
    let first = workspace.report();
    assert_eq!(workspace.report().digest(), first.digest());
    let replayed = workspace.run(&["run", "--format", "json", "--cache", "read-only"]).expect(0);
    assert_eq!(replayed.digest(), first.digest());
}

#[test]
fn a_damaged_table_begins_nothing_and_is_told_by_its_row() {
    // The pages of the first row group, behind the four bytes that a table begins with.
    let (workspace, _) = with_table(|bytes| bytes[4..40].fill(0xff));
    let refused = workspace.run(&["run"]).expect(2).stderr;
    assert!(refused.contains("cannot read row 1 of the Parquet file `first.parquet`: "), "{refused}");
    assert!(refused.contains("write the file again"), "{refused}");
    let (workspace, _) = with_table(|bytes| bytes.truncate(bytes.len() / 2));
    let refused = workspace.run(&["run"]).expect(2).stderr;
    assert!(refused.contains("cannot read `first.parquet` as a Parquet file: "), "{refused}");
    assert!(!workspace.path("runs").exists());
    let checked = workspace.run(&["doctor"]).expect(2).stdout;
    assert!(checked.contains("cannot read `first.parquet` as a Parquet file"), "{checked}");
}

/// A bit of the metadata that makes the crate panic: a place in the file becomes negative.
fn a_panic(bytes: &[u8]) -> Vec<u8> {
    let flipped = |back| {
        let mut damaged = bytes.to_vec();
        damaged[bytes.len() - back] ^= 1;
        damaged
    };
    let panics = |damaged: &Vec<u8>| {
        let place = |bytes| {
            Ok::<_, ParquetError>(SerializedFileReader::new(bytes)?.metadata().row_group(0).column(0).byte_range())
        };
        catch_unwind(|| place(Bytes::from(damaged.clone()))).is_err()
    };
    (9..bytes.len()).map(flipped).find(panics).expect("a place has a sign")
}

#[test]
fn what_the_decoder_says_when_it_panics_is_not_shown() {
    let (workspace, _) = with_table(|bytes| *bytes = a_panic(bytes));
    let refused = workspace.run(&["run"]).expect(2).stderr;
    assert!(refused.contains("reading it fails inside the decoder"), "{refused}");
    assert!(!refused.contains("panicked") && !refused.contains("negative"), "{refused}");
}

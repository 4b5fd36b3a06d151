//! Writer and reader against each other and against damage.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use proptest::prelude::*;

use super::*;
use crate::model::anchor::{AnchorLabel, visit_at};
use crate::model::event::Event;

const NOTES: FileKind = FileKind { name: "notes", format: 1 };

async fn write(path: &Path, records: &[String]) -> Vec<Place> {
    let writer = Writer::create(path, NOTES).unwrap();
    let mut places = Vec::new();
    for record in records {
        places.push(writer.append_written(record).await.unwrap());
    }
    writer.close().await.unwrap();
    places
}

fn read(path: &Path) -> Vec<Result<String, Damage>> {
    Reader::open(path, NOTES).unwrap().map(|line| line.unwrap().parse()).collect()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("record {number}")).collect()
}

/// A folder with a file of ten records.
async fn ten() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.jsonl");
    write(&path, &numbered(10)).await;
    (folder, path)
}

#[tokio::test]
async fn what_is_written_is_read_in_order_and_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/notes.jsonl");
    let records = numbered(500);
    let places = write(&path, &records).await;
    assert_eq!(read(&path), records.iter().cloned().map(Ok).collect::<Vec<_>>());
    let lines: Vec<_> = Reader::open(&path, NOTES).unwrap().map(Result::unwrap).collect();
    for ((line, place), record) in lines.iter().zip(&places).zip(&records) {
        assert_eq!(line.place, *place);
        let (file, mut buffer) = (std::fs::File::open(&path).unwrap(), Vec::new());
        assert_eq!(
            read_at(&file, || path.clone(), *place, &mut buffer).unwrap(),
            Ok(serde_json::to_string(record).unwrap().as_str())
        );
    }
    assert_eq!(lines[0].number, 2, "the header is line 1");
}

#[tokio::test]
async fn concurrent_records_share_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("notes.jsonl"), NOTES).unwrap();
    let records = numbered(640);
    join_all(records.iter().map(|record| writer.append_durable(record))).await.into_iter().for_each(|place| {
        place.unwrap();
    });
    assert!((1..=64).contains(&writer.commits()), "{} commits for 640 records", writer.commits());
}

#[tokio::test]
async fn written_records_do_not_wait_for_a_sync_and_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.jsonl");
    let writer = Writer::create(&path, NOTES).unwrap();
    for record in numbered(100) {
        writer.append_written(&record).await.unwrap();
        assert_eq!(read(&path).last(), Some(&Ok(record)));
    }
    assert_eq!(writer.commits(), 0);
    writer.append_durable(&"last").await.unwrap();
    assert_eq!(writer.commits(), 1);
}

#[tokio::test]
async fn a_closed_writer_refuses_and_a_dropped_one_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("closed.jsonl"), NOTES).unwrap();
    let clone = writer.clone();
    writer.close().await.unwrap();
    assert!(matches!(clone.append_durable(&"late").await, Err(JournalError::Closed { .. })));

    let path = folder.path().join("dropped.jsonl");
    let writer = Writer::create(&path, NOTES).unwrap();
    writer.append_written(&"early").await.unwrap();
    drop(writer);
    assert_eq!(read(&path), [Ok("early".to_owned())]);
}

#[tokio::test]
async fn a_record_that_is_too_long_concerns_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.jsonl");
    let writer = Writer::create(&path, NOTES).unwrap();
    let refused = writer.append_durable(&"x".repeat(MAX_LINE_BYTES)).await;
    assert!(matches!(refused, Err(JournalError::TooLong { .. })));
    writer.append_durable(&"short").await.unwrap();
    assert_eq!(read(&path), [Ok("short".to_owned())]);
}

#[tokio::test]
async fn a_flipped_byte_costs_one_record() {
    let (_folder, path) = ten().await;
    let mut bytes = fs::read(&path).unwrap();
    let hit = bytes.windows(8).position(|window| window == b"record 4").unwrap();
    bytes[hit] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut expected: Vec<_> = numbered(10).into_iter().map(Ok).collect();
    expected[4] = Err(Damage::Checksum);
    assert_eq!(read(&path), expected);
}

#[tokio::test]
async fn a_lost_line_break_costs_two_records() {
    let (_folder, path) = ten().await;
    let text = fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once("record 4").unwrap();
    fs::write(&path, format!("{before}record 4{}", after.replacen('\n', " ", 1))).unwrap();
    let records = read(&path);
    assert_eq!(records.len(), 9);
    assert!(matches!(records[4], Err(Damage::Frame | Damage::Checksum)));
}

#[tokio::test]
async fn a_damaged_header_hides_no_record() {
    let (_folder, path) = ten().await;
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("notes", "motes", 1)).unwrap();
    let records = read(&path);
    assert_eq!(records[0], Err(Damage::Checksum));
    assert_eq!(records.len(), 11);
    assert!(records.iter().skip(1).all(Result::is_ok));
}

#[tokio::test]
async fn other_kinds_and_newer_formats_are_refused() {
    let (_folder, path) = ten().await;
    let refused = Reader::open(&path, FileKind { name: "replies", format: 1 }).unwrap_err();
    assert!(refused.to_string().ends_with("notes.jsonl` does not hold replies"), "{refused}");

    let newer = path.with_file_name("newer.jsonl");
    Writer::create(&newer, FileKind { format: 2, ..NOTES }).unwrap().close().await.unwrap();
    let refused = Reader::open(&newer, NOTES).unwrap_err();
    assert!(matches!(refused, JournalError::NewerFormat { found: 2, known: 1, .. }));
    let message = "newer.jsonl` has notes format 2, and this version of assize reads formats up to 1";
    assert!(refused.to_string().ends_with(message), "{refused}");
}

#[tokio::test]
async fn no_text_reaches_debug_output() {
    let (_folder, path) = ten().await;
    let mut reader = Reader::open(&path, NOTES).unwrap();
    let line = reader.next().unwrap().unwrap();
    let shown = format!("{line:?} {reader:?}");
    assert!(shown.contains("notes.jsonl:2") && !shown.contains("record"), "{shown}");
}

#[test]
fn a_line_without_end_is_skipped_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.jsonl");
    let mut bytes = vec![b'x'; MAX_LINE_BYTES + 10];
    bytes.extend_from_slice(b"\n{}\n{}\n");
    fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path), [Err(Damage::TooLong), Err(Damage::Frame), Err(Damage::Torn)]);
}

#[tokio::test]
async fn segments_of_a_folder_are_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/night");
    for session in 0..11 {
        let writer = create_segment(&run, NOTES).unwrap();
        writer.append_durable(&format!("session {session}")).await.unwrap();
        writer.close().await.unwrap();
    }
    fs::write(run.join("journal-x.jsonl"), "not a segment").unwrap();
    let records: Vec<String> = read_all(&run, NOTES).map(|line| line.unwrap().parse().unwrap()).collect();
    assert_eq!(records, (0..11).map(|session| format!("session {session}")).collect::<Vec<_>>());

    drop(Writer::create(&run.join("other"), FileKind::EVENTS).unwrap());
    fs::copy(run.join("other"), run.join("journal-3.jsonl")).unwrap();
    let lines: Vec<_> = read_all(&run, NOTES).collect();
    assert_eq!(lines.len(), 3, "two records and the error that ends the stream");
    assert!(matches!(lines[2], Err(JournalError::WrongKind { .. })));
    assert!(read_all(&folder.path().join("absent"), NOTES).all(|line| line.is_err()));
}

#[test]
fn events_of_format_1_are_read() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old-formats/events-1");
    let events: Vec<Event> = read_all(&fixture, FileKind::EVENTS).map(|line| line.unwrap().parse().unwrap()).collect();
    assert_eq!(events.len(), 6);
    assert!(matches!(&events[0], Event::Opened(opened) if opened.run == "20261123T174012Z"));
    assert!(matches!(events[5], Event::Closed(_)));
}

#[test]
fn visits_to_anchors_of_format_1_are_read() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old-formats/events-1-anchors");
    let events: Vec<Event> = read_all(&fixture, FileKind::EVENTS).map(|line| line.unwrap().parse().unwrap()).collect();
    let [Event::Sent(sent), Event::Settled(lost), Event::Settled(unusable)] = events.as_slice() else {
        panic!("{events:?}");
    };
    let lost = lost.anchor.as_ref().unwrap();
    assert_eq!(visit_at(sent.ordinal), Some(lost.number));
    assert_eq!((lost.label, lost.draw, lost.now, lost.then), (AnchorLabel::Positive, 0, Some(false), Some(true)));
    assert_ne!(lost.served, lost.served_then);
    let unusable = unusable.anchor.as_ref().unwrap();
    assert_eq!((unusable.number, unusable.label, unusable.now), (8, AnchorLabel::Negative, None));
    assert_eq!((unusable.served.as_ref(), unusable.served_then.as_ref()), (None, None));
}

#[test]
fn a_full_disk_is_an_error_for_everybody_and_no_hang() {
    let folder = tempfile::tempdir().unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(folder.path())
        .output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: a full disk needs a small file system, which only root can mount");
        return;
    }
    let path = folder.path().join("notes.jsonl");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let writer = Writer::create(&path, NOTES).unwrap();
        let record = "x".repeat(10_000);
        let answers = join_all((0..100).map(|_| writer.append_durable(&record))).await;
        let stored = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!((1..30).contains(&stored), "{stored}");
        assert!(answers.iter().skip(stored).all(|answer| matches!(answer, Err(JournalError::DiskFull { .. }))));
        assert!(matches!(writer.append_written(&"x").await, Err(JournalError::DiskFull { .. })));
        assert!(matches!(writer.close().await, Err(JournalError::DiskFull { .. })));
        assert_eq!(read(&path), vec![Ok(record); stored], "what was acknowledged is there, and nothing torn");
    });
    std::process::Command::new("umount").arg(folder.path()).status().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever a crash cuts a file off, every whole line before the cut is read, and at most one line is torn.
    #[test]
    fn a_cut_costs_at_most_the_line_it_hits(records in prop::collection::vec(".{0,40}", 1..20), cut in 0.0..1.0) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.jsonl");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(write(&path, &records));
        let bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
        let kept = bytes.get(..(bytes.len() as f64 * cut) as usize).unwrap();
        fs::write(&path, kept).unwrap();

        let whole = kept.split(|byte| *byte == b'\n').count().saturating_sub(2);
        let lines = read(&path);
        prop_assert!(lines.len() <= whole + 1);
        for (line, record) in lines.iter().zip(&records).take(whole) {
            prop_assert_eq!(line, &Ok(record.clone()));
        }
        if let Some(last) = lines.get(whole) {
            // The cut may have hit the line break only.
            prop_assert!(*last == Err(Damage::Torn) || last.as_ref().ok() == records.get(whole));
        }
    }
}

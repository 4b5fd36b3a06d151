//! Replies on their way from one cache to another: whole, damaged, cut off, and in conflict.

use std::io::Cursor;
use std::path::Path;

use super::tests::{Place, missing, reply};
use super::*;
use crate::clock::UnixMs;
use crate::journal::{Damage, JournalError};
use crate::model::grading::Reply;

fn exported(place: &Place, filter: &ExportFilter) -> (Vec<u8>, ExportReport) {
    let mut bytes = Vec::new();
    let report = export(&place.settings, filter, &mut bytes).unwrap();
    (bytes, report)
}

async fn take_in(cache: &ReplyCache, bytes: &[u8], strict: bool) -> Result<ImportReport, ImportError> {
    import(cache, Path::new("night.jsonl"), Cursor::new(bytes), strict).await
}

/// The same into a cache of its own.
async fn take_into_empty(bytes: &[u8], strict: bool) -> Result<ImportReport, ImportError> {
    let place = Place::new();
    take_in(&place.open_well(), bytes, strict).await
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn what_is_exported_is_the_newest_reply_of_every_key() {
    let from = Place::new();
    from.fill(0..600).await;
    let cache = from.open_well();
    cache.put(&Reply { body: "newer".to_owned(), model: Some("judge-2".to_owned()), ..reply(7, "x") }).await.unwrap();
    cache.put(&Reply { received_ms: 100, ..reply(600, "x") }).await.unwrap();
    cache.close().await.unwrap();
    let (bytes, report) = exported(&from, &ExportFilter::default());
    assert_eq!(report, ExportReport { replies: 601, left_out: 0, damaged: 0 });

    let to = Place::new();
    let cache = to.open_well();
    let first = take_in(&cache, &bytes, true).await.unwrap();
    assert_eq!((first.new, first.present, first.conflicting), (601, 0, 0));
    let again = take_in(&cache, &bytes, true).await.unwrap();
    assert_eq!((again.new, again.present, again.conflicting), (0, 601, 0));
    let seven = cache.get(&reply(7, "x").key).unwrap().unwrap();
    assert!(seven.body == "newer" && seven.imported);
    cache.close().await.unwrap();
    let figures = stats(&to.settings).unwrap();
    assert_eq!((figures.imported, figures.spend.0), (601, 0), "somebody else paid for them");

    // What was passed on twice is still not ours.
    let (twice, _) = exported(&to, &ExportFilter::default());
    assert_eq!(take_into_empty(&twice, true).await.unwrap().new, 601);

    let counted = |filter| exported(&from, &filter).1;
    let of_model = ExportFilter { model: Some("judge-2".to_owned()), since: None };
    assert_eq!((counted(of_model.clone()).replies, counted(of_model).left_out), (1, 600));
    assert_eq!(counted(ExportFilter { model: None, since: Some(UnixMs(100)) }).replies, 1);
}

#[tokio::test]
async fn what_is_here_already_stays_as_it_is() {
    let (from, to) = (Place::new(), Place::new());
    from.fill(0..5).await;
    let cache = to.open_well();
    let ours = Reply { body: "ours".to_owned(), ..reply(2, "x") };
    cache.put(&ours).await.unwrap();
    cache.put(&reply(3, "x")).await.unwrap();
    let report = take_in(&cache, &exported(&from, &ExportFilter::default()).0, true).await.unwrap();
    assert_eq!((report.new, report.present, report.conflicting), (3, 1, 1));
    assert_eq!(cache.get(&ours.key).unwrap(), Some(ours));
    assert!(!cache.get(&reply(3, "x").key).unwrap().unwrap().imported, "it was paid for here");
}

#[tokio::test]
async fn a_damaged_line_is_named_and_the_rest_is_taken_in() {
    let from = Place::new();
    from.fill(0..5).await;
    let (bytes, _) = exported(&from, &ExportFilter::default());
    let mut damaged = lines(&bytes);
    damaged[3][40] ^= 1;
    let damaged = damaged.concat();

    let strict = Place::new();
    let cache = strict.open_well();
    let refused = take_in(&cache, &damaged, true).await.unwrap_err();
    assert_eq!(refused.to_string(), "line 4 of `night.jsonl`: the checksum differs, and `--strict` is set");
    assert_eq!(missing(&cache, 0..5).len(), 5, "all that is here is marked as imported");
    assert!([0, 1].iter().all(|number| cache.get(&reply(*number, "x").key).unwrap().is_some()), "what came before");

    let report = take_into_empty(&damaged, false).await.unwrap();
    assert_eq!((report.new, report.damaged, report.missing), (4, 1, 0));
    assert_eq!((report.damaged_lines[0].line, report.damaged_lines[0].damage), (4, Damage::Checksum));
    assert!(!report.is_whole());
}

#[tokio::test]
async fn a_file_that_was_cut_off_says_how_much_is_missing() {
    let from = Place::new();
    from.fill(0..5).await;
    let (bytes, _) = exported(&from, &ExportFilter::default());
    let whole_lines = lines(&bytes)[..4].concat();
    let report = take_into_empty(&whole_lines, false).await.unwrap();
    assert_eq!((report.new, report.damaged, report.missing), (3, 0, 2), "cut between two lines");
    let report = take_into_empty(&bytes[..whole_lines.len() + 50], false).await.unwrap();
    assert_eq!((report.new, report.damaged, report.missing), (3, 1, 1), "cut within a line");
    let refused = take_into_empty(&whole_lines, true).await.unwrap_err();
    assert!(matches!(refused, ImportError::CutOff { missing: 2, .. }), "{refused}");
}

#[tokio::test]
async fn what_is_no_export_or_a_newer_one_is_refused() {
    let place = Place::new();
    place.fill(0..1).await;
    let cache = place.open_well();
    let segment = std::fs::read(&place.segments()[0]).unwrap();
    let refused = take_in(&cache, &segment, false).await.unwrap_err();
    assert_eq!(refused.to_string(), "`night.jsonl` does not hold exported replies");
    let newer =
        crate::journal::line_of(&serde_json::json!({"kind": "exported replies", "format": 2, "replies": 0})).unwrap();
    let refused = take_in(&cache, &newer, false).await.unwrap_err();
    assert!(matches!(refused, ImportError::File(JournalError::NewerFormat { found: 2, .. })), "{refused}");
    for stranger in [&b""[..], b"{\"id\": 1}\n{\"id\": 2}\n"] {
        let refused = take_in(&cache, stranger, false).await.unwrap_err();
        assert!(matches!(refused, ImportError::Header { .. }), "{refused}");
    }
}

#[tokio::test]
async fn files_are_compressed_by_their_ending_and_read_by_their_content() {
    let from = Place::new();
    from.fill(0..50).await;
    let folder = tempfile::tempdir().unwrap();
    let (plain, compressed) = (folder.path().join("out/a.jsonl"), folder.path().join("out/a.jsonl.zst"));
    for path in [&plain, &compressed] {
        assert_eq!(export_to(&from.settings, &ExportFilter::default(), path).unwrap().replies, 50);
    }
    let size = |path: &Path| path.metadata().unwrap().len();
    assert!(size(&compressed) * 4 < size(&plain));
    let renamed = folder.path().join("whatever");
    std::fs::rename(&compressed, &renamed).unwrap();
    for path in [&plain, &renamed] {
        let (to, source) = (Place::new(), open_export(path).unwrap());
        assert_eq!(import(&to.open_well(), path, source, true).await.unwrap().new, 50);
    }
    // Half a frame is a failure to read, behind what was taken in; never an export that merely looks small.
    let bytes = std::fs::read(&renamed).unwrap();
    std::fs::write(&renamed, &bytes[..bytes.len() / 2]).unwrap();
    let to = Place::new();
    let cut = match open_export(&renamed) {
        Ok(source) => import(&to.open_well(), &renamed, source, false).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(cut, Err(ImportError::File(_))), "{cut:?}");
}

//! The cache against crashes, damage and a hostile index.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use proptest::prelude::*;

use super::*;
use crate::journal::{Damage, FileKind, JournalError, Writer};
use crate::model::grading::Reply;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;

fn key(number: usize) -> Digest {
    Digest::of(&number.to_le_bytes())
}

pub(super) fn reply(number: usize, body: &str) -> Reply {
    Reply {
        key: key(number),
        status: 200,
        body: format!("{{\"n\":{number},\"text\":\"{body}\"}}"),
        nonce: "0123456789abcdef".to_owned(),
        model: Some("judge-1".to_owned()),
        usage: None,
        cost: NanoUsd(1_000),
        latency_ms: 5,
        received_ms: 6,
        request_id: None,
        imported: false,
    }
}

/// A cache in a folder of its own.
pub(super) struct Place {
    _folder: tempfile::TempDir,
    pub(super) settings: CacheSettings,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cache");
        let settings =
            CacheSettings { replies: root.join("replies"), index: root.join("index"), access: Access::ReadWrite };
        Self { _folder: folder, settings }
    }

    fn open(&self) -> (ReplyCache, Vec<String>) {
        ReplyCache::open(&self.settings).unwrap()
    }

    /// Opens a cache that gives no reason for a warning.
    pub(super) fn open_well(&self) -> ReplyCache {
        let (cache, warnings) = self.open();
        assert_eq!(warnings, [""; 0]);
        cache
    }

    fn read_only(&self) -> CacheSettings {
        CacheSettings { access: Access::ReadOnly, ..self.settings.clone() }
    }

    /// One session that stores these replies.
    pub(super) async fn fill(&self, numbers: std::ops::Range<usize>) {
        let cache = self.open_well();
        put_all(&cache, numbers).await;
        cache.close().await.unwrap();
    }

    pub(super) fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            fs::read_dir(&self.settings.replies).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

/// Stores replies in order, some at a time.
async fn put_all(cache: &ReplyCache, numbers: std::ops::Range<usize>) {
    let replies: Vec<_> = numbers.map(|number| reply(number, "x")).collect();
    // The first one starts the segment; whoever else asked for that would overtake others.
    let (first, rest) = replies.split_at(1);
    for group in std::iter::once(first).chain(rest.chunks(16)) {
        join_all(group.iter().map(|reply| cache.put(reply))).await.into_iter().for_each(Result::unwrap);
    }
}

pub(super) fn missing(cache: &ReplyCache, numbers: std::ops::Range<usize>) -> Vec<usize> {
    numbers.filter(|number| cache.get(&key(*number)).unwrap() != Some(reply(*number, "x"))).collect()
}

/// Every file below a folder with its content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut snapshot(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Overwrites a part of a file without changing its length.
fn damage(path: &Path, position: usize, length: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes.iter_mut().skip(position).take(length).for_each(|byte| *byte = b'#');
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_was_put_is_there_now_and_after_a_restart() {
    let place = Place::new();
    let cache = place.open_well();
    assert_eq!(cache.get(&key(1)).unwrap(), None);
    assert!(!place.settings.replies.exists(), "nothing is written before the first reply");
    put_all(&cache, 0..200).await;
    assert_eq!(missing(&cache, 0..200), [0; 0]);
    cache.clone().close().await.unwrap();
    assert_eq!(missing(&cache, 0..200), [0; 0]);
    assert!(matches!(cache.put(&reply(1, "x")).await, Err(CacheError::Closed)));

    let cache = place.open_well();
    assert_eq!(missing(&cache, 0..200), [0; 0]);
    assert_eq!(missing(&cache, 200..202), [200, 201]);
}

#[tokio::test]
async fn a_session_that_was_killed_loses_no_acknowledged_reply() {
    let place = Place::new();
    let cache = place.open_well();
    put_all(&cache, 0..50).await;
    // Neither closed nor dropped: the index knows nothing of the segment.
    std::mem::forget(cache);
    let cache = place.open_well();
    assert_eq!(missing(&cache, 0..50), [0; 0]);
    cache.put(&reply(50, "x")).await.unwrap();
    assert_eq!(place.segments().len(), 2, "nobody appends to the file of another");
}

#[tokio::test]
async fn the_last_of_equal_keys_wins_within_a_segment_and_across() {
    let place = Place::new();
    let cache = place.open_well();
    cache.put(&reply(1, "first")).await.unwrap();
    cache.put(&reply(1, "second")).await.unwrap();
    assert_eq!(cache.get(&key(1)).unwrap(), Some(reply(1, "second")));
    cache.close().await.unwrap();
    let cache = place.open_well();
    assert_eq!(cache.get(&key(1)).unwrap(), Some(reply(1, "second")));
    cache.put(&reply(1, "third")).await.unwrap();
    assert_eq!(cache.get(&key(1)).unwrap(), Some(reply(1, "third")));
    cache.close().await.unwrap();
    assert_eq!(place.open_well().get(&key(1)).unwrap(), Some(reply(1, "third")));
}

#[tokio::test]
async fn a_full_segment_is_closed_and_the_next_one_started() {
    let place = Place::new();
    let cache = place.open_well();
    let large = "x".repeat(24 << 20);
    for number in 0..4 {
        cache.put(&reply(number, &large)).await.unwrap();
    }
    assert_eq!(place.segments().len(), 2);
    cache.close().await.unwrap();
    let cache = place.open_well();
    for number in 0..4 {
        assert_eq!(cache.get(&key(number)).unwrap().unwrap().body.len(), reply(number, &large).body.len());
    }
}

#[tokio::test]
async fn closed_segments_are_not_read_at_the_start() {
    let place = Place::new();
    for session in 0..25 {
        place.fill(session * 40..(session + 1) * 40).await;
    }
    let segments = place.segments();
    assert_eq!(segments.len(), 25);
    for segment in &segments {
        damage(segment, 5_000, 20);
    }
    let cache = place.open_well();
    assert!(!missing(&cache, 0..1_000).is_empty());
    let warnings = cache.take_warnings();
    assert!(warnings[0].contains("is skipped: the checksum differs"), "{warnings:?}");
    assert_eq!(cache.take_warnings(), [""; 0]);
}

#[tokio::test]
async fn keys_that_begin_alike_never_get_each_others_replies() {
    let place = Place::new();
    let alike = |last: u8| {
        let mut bytes = *key(1).as_bytes();
        bytes[12] = last;
        Digest::from_bytes(bytes)
    };
    let reply_to = |last: u8| Reply { key: alike(last), ..reply(1, &format!("reply {last}")) };
    for numbers in [0..3, 3..5] {
        let cache = place.open_well();
        for number in numbers {
            cache.put(&reply_to(number)).await.unwrap();
        }
        cache.close().await.unwrap();
    }
    let cache = place.open_well();
    for number in 0..5 {
        assert_eq!(cache.get(&alike(number)).unwrap(), Some(reply_to(number)));
    }
    assert_eq!(cache.get(&alike(5)).unwrap(), None);
    assert_eq!(cache.take_warnings(), [""; 0], "a key of the same beginning is no damage");
}

#[tokio::test]
async fn a_damaged_reply_is_a_miss_until_it_is_replaced() {
    let place = Place::new();
    place.fill(0..100).await;
    let segment = place.segments().remove(0);
    let text = fs::read_to_string(&segment).unwrap();
    damage(&segment, text.find(&key(50).to_string()).unwrap(), 3);
    let line = text.lines().zip(1..).find(|(line, _)| line.contains(&key(50).to_string())).unwrap().1;
    let cache = place.open_well();
    assert_eq!(missing(&cache, 0..100), [50]);
    assert_eq!(cache.take_warnings().len(), 1);
    cache.put(&reply(50, "x")).await.unwrap();
    assert_eq!(missing(&cache, 0..100), [0; 0]);
    cache.close().await.unwrap();

    let report = verify(&place.settings).unwrap();
    assert_eq!((report.segments, report.replies, report.damaged), (2, 100, 1));
    assert_eq!(report.damaged_lines, [DamagedLine { file: segment, line, damage: Damage::Checksum }]);
    assert!(!report.is_intact());
}

#[tokio::test]
async fn behind_a_damaged_reply_is_an_older_one() {
    let place = Place::new();
    for body in ["older", "newer"] {
        let cache = place.open_well();
        // Between others, so that the damage is not where a changed segment is recognised.
        put_all(&cache, 100..150).await;
        cache.put(&reply(1, body)).await.unwrap();
        put_all(&cache, 150..200).await;
        cache.close().await.unwrap();
    }
    let segment = place.segments().pop().unwrap();
    damage(&segment, fs::read_to_string(&segment).unwrap().find("newer").unwrap(), 1);
    let cache = place.open_well();
    assert_eq!(cache.get(&key(1)).unwrap(), Some(reply(1, "older")));
    assert_eq!(cache.take_warnings().len(), 1);
}

#[tokio::test]
async fn a_deleted_index_is_made_again() {
    let place = Place::new();
    place.fill(0..100).await;
    fs::remove_dir_all(&place.settings.index).unwrap();
    let cache = place.open_well();
    assert_eq!(missing(&cache, 0..100), [0; 0]);
    cache.close().await.unwrap();
    assert_eq!(verify(&place.settings).unwrap().index, IndexState::Agrees);
}

#[tokio::test]
async fn an_index_that_cannot_be_opened_is_set_aside() {
    let place = Place::new();
    place.fill(0..100).await;
    fs::remove_dir_all(&place.settings.index).unwrap();
    fs::write(&place.settings.index, "a file").unwrap();
    assert!(matches!(verify(&place.settings).unwrap().index, IndexState::Unusable { .. }));
    let (cache, warnings) = place.open();
    assert_eq!(missing(&cache, 0..100), [0; 0]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("index.damaged-1"), "{warnings:?}");
    cache.close().await.unwrap();
    place.open_well().close().await.unwrap();
    assert_eq!(verify(&place.settings).unwrap().index, IndexState::Agrees);
}

#[tokio::test]
async fn an_index_of_garbage_costs_nothing() {
    let place = Place::new();
    place.fill(0..100).await;
    for file in ["db", "conf"] {
        let path = place.settings.index.join(file);
        let length = fs::read(&path).unwrap().len();
        fs::write(&path, vec![0xa5; length]).unwrap();
        let (cache, _) = place.open();
        assert_eq!(missing(&cache, 0..100), [0; 0]);
        cache.close().await.unwrap();
        assert_eq!(verify(&place.settings).unwrap().index, IndexState::Agrees);
    }
}

#[tokio::test]
async fn flipped_bytes_in_the_index_never_cost_a_reply() {
    let place = Place::new();
    place.fill(0..60).await;
    place.fill(60..120).await;
    let sound = snapshot(&place.settings.index);
    let mut warned = 0;
    for (path, bytes) in &sound {
        for position in (0..bytes.len().min(3_000)).step_by(97) {
            fs::remove_dir_all(&place.settings.index).unwrap();
            for (path, bytes) in &sound {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            let mut flipped = bytes.clone();
            flipped[position] ^= 0x10;
            fs::write(path, flipped).unwrap();
            let (cache, warnings) = place.open();
            warned += warnings.len();
            assert_eq!(missing(&cache, 0..120), [0; 0], "{} byte {position}", path.display());
            cache.close().await.unwrap();
        }
    }
    assert!(warned > 0, "some of these bytes matter to sled");
}

#[tokio::test]
async fn without_any_index_the_cache_works_from_memory() {
    let mut place = Place::new();
    place.fill(0..100).await;
    let blocked = place.settings.replies.with_file_name("a-file");
    fs::write(&blocked, "").unwrap();
    place.settings.index = blocked.join("index");
    let (cache, warnings) = place.open();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the reply index is not used"), "{warnings:?}");
    put_all(&cache, 100..150).await;
    assert_eq!(missing(&cache, 0..150), [0; 0]);
    cache.close().await.unwrap();
}

/// A reply whose `put` was abandoned is in the log all the same: no table may say that it is not.
#[tokio::test]
async fn an_abandoned_put_is_found_by_the_next_session() {
    let place = Place::new();
    let cache = place.open_well();
    cache.put(&reply(0, "x")).await.unwrap();
    let dropped = reply(1, "x");
    tokio::select! {
        biased;
        _ = cache.put(&dropped) => panic!("a reply is not durable at the first look"),
        () = std::future::ready(()) => {}
    }
    cache.close().await.unwrap();
    assert_eq!(missing(&place.open_well(), 0..2), [0; 0]);
}

#[test]
fn an_index_on_a_full_disk_is_given_up() {
    let mut place = Place::new();
    let disk = tempfile::tempdir().unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(disk.path());
    if !mount.output().is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: a full disk needs a small file system, which only root can mount");
        return;
    }
    place.settings.index = disk.path().join("index");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (cache, warnings) = place.open();
        put_all(&cache, 0..5_000).await;
        assert_eq!(missing(&cache, 0..5_000), [0; 0]);
        cache.clone().close().await.unwrap();
        let said = [warnings, cache.take_warnings()].concat();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("the reply index is not used ("), "{said:?}");
    });
    drop(std::process::Command::new("umount").arg("--lazy").arg(disk.path()).status());
}

#[tokio::test]
async fn handles_can_travel_between_threads() {
    let place = Place::new();
    let cache = place.open_well();
    let other = cache.clone();
    let put = async move { other.put(&reply(1, "x")).await };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(put);
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(missing(&cache, 1..2), [0; 0]);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let cache = place.open_well();
    fs::write(&place.settings.replies, "in the way").unwrap();
    assert!(matches!(cache.put(&reply(1, "x")).await, Err(CacheError::Log(_))));
    assert_eq!(cache.get(&key(1)).unwrap(), None);
    cache.close().await.unwrap();
    assert!(matches!(ReplyCache::open(&place.settings), Err(CacheError::Log(_))));
}

#[tokio::test]
async fn read_only_writes_nothing() {
    let place = Place::new();
    let (cache, warnings) = ReplyCache::open(&place.read_only()).unwrap();
    assert_eq!((cache.get(&key(1)).unwrap(), warnings.len()), (None, 0));
    assert!(matches!(cache.put(&reply(1, "x")).await, Err(CacheError::ReadOnly)));
    cache.close().await.unwrap();
    let root = place.settings.index.parent().unwrap().to_owned();
    assert!(!root.exists());

    place.fill(0..100).await;
    let before = snapshot(&root);
    let (cache, _) = ReplyCache::open(&place.read_only()).unwrap();
    assert_eq!(missing(&cache, 0..100), [0; 0]);
    cache.close().await.unwrap();
    assert_eq!(stats(&place.read_only()).unwrap().replies, 100);
    assert!(matches!(verify(&place.read_only()).unwrap().index, IndexState::NotCompared { .. }));
    assert!(matches!(rebuild(&place.read_only()), Err(CacheError::ReadOnly)));
    assert!(snapshot(&root) == before);
}

#[tokio::test]
async fn a_segment_of_a_newer_format_is_refused() {
    let place = Place::new();
    place.fill(0..1).await;
    let newer = place.settings.replies.join("9999999999999-1-1.jsonl");
    Writer::create(&newer, FileKind { format: 2, ..log::REPLIES }).unwrap().close().await.unwrap();
    let refused = ReplyCache::open(&place.settings).unwrap_err();
    assert!(matches!(refused, CacheError::Log(JournalError::NewerFormat { found: 2, .. })), "{refused}");
}

#[tokio::test]
async fn replies_of_format_1_are_read() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old-formats/replies-1");
    let settings = CacheSettings { index: fixture.join("absent"), replies: fixture, access: Access::ReadOnly };
    let (cache, warnings) = ReplyCache::open(&settings).unwrap();
    assert_eq!(warnings, [""; 0]);
    let first = cache.get(&Digest::from_bytes([0x11; 32])).unwrap().unwrap();
    assert_eq!((first.status, first.cost, first.usage.unwrap().cached_tokens), (200, NanoUsd(180_000), 400));
    let second = cache.get(&Digest::from_bytes([0x22; 32])).unwrap().unwrap();
    assert_eq!((second.status, second.model, second.usage), (400, None, None));
}

#[tokio::test]
async fn figures_and_repair_tell_the_truth() {
    let place = Place::new();
    place.fill(0..10).await;
    place.fill(5..12).await;
    let last = place.segments().pop().unwrap();
    let mut text = fs::read_to_string(&last).unwrap();
    text.truncate(text.len() - 10);
    fs::write(&last, text).unwrap();

    let figures = stats(&place.settings).unwrap();
    assert_eq!((figures.replies, figures.replaced, figures.segments), (11, 5, 2));
    assert_eq!((figures.damaged, figures.torn, figures.spend), (0, 1, NanoUsd(16_000)));
    assert_eq!(figures.models, BTreeMap::from([("judge-1".to_owned(), 16)]));

    let report = verify(&place.settings).unwrap();
    assert!(report.is_intact());
    assert_eq!((report.torn_lines.len(), report.torn_lines[0].line), (1, 8));
    assert!(matches!(&report.index, IndexState::Incomplete { segments } if segments.len() == 1));

    let rebuilt = rebuild(&place.settings).unwrap();
    assert_eq!((rebuilt.segments, rebuilt.replies, rebuilt.damaged), (2, 16, 0));
    assert_eq!(verify(&place.settings).unwrap().index, IndexState::Agrees);
    assert_eq!(missing(&place.open_well(), 0..12), [11]);
}

#[tokio::test]
async fn strange_files_are_named_and_left_alone() {
    let place = Place::new();
    place.fill(0..3).await;
    fs::write(place.settings.replies.join("copy of 1.jsonl"), "what?").unwrap();
    fs::write(place.settings.replies.join("README"), "").unwrap();
    let (cache, warnings) = place.open();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("copy of 1.jsonl"), "{warnings:?}");
    assert_eq!(missing(&cache, 0..3), [0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Wherever the log is cut off, every reply before the cut is served, whatever the index believed.
    #[test]
    fn a_cut_log_serves_what_is_left(count in 1usize..30, share in 0.0..1.0) {
        let place = Place::new();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(place.fill(0..count));
        let segment = place.segments().remove(0);
        let text = fs::read_to_string(&segment).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
        let kept = text.get(..(text.len() as f64 * share) as usize).unwrap();
        fs::write(&segment, kept).unwrap();

        let (cache, _) = place.open();
        let whole: Vec<_> = (0..count).filter(|number| kept.lines().any(|line| {
            line.contains(&key(*number).to_string()) && line.ends_with("}}")
        })).collect();
        let lost = missing(&cache, 0..count);
        prop_assert!(whole.iter().all(|number| !lost.contains(number)), "{lost:?}");
        prop_assert_eq!(whole.len() + lost.len(), count);
    }
}

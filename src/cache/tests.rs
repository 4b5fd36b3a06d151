//! The cache against crashes, damage and a hostile index.

mod damage;
mod index;

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

//! Files that are damaged, strange, older or newer.

use super::*;

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

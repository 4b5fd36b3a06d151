//! The index: what it saves, and that nothing is lost with it.

use super::*;

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

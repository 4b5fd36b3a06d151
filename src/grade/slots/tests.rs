//! Who gets a slot, and when.

use std::time::Duration;

use futures_util::future::poll_immediate;

use super::*;

#[tokio::test]
async fn a_slot_waits_for_the_disk_once_a_commit_group_is_not_kept() {
    let slots = Slots::new(Concurrency::Fixed(2));
    let mut unkept = Vec::new();
    for _ in 0..GROUP_RECORDS {
        unkept.push(slots.take(Lane::Fresh).await.answered().await);
    }
    let (first, second) = (slots.take(Lane::Fresh).await, slots.take(Lane::Fresh).await);
    let mut answered = Box::pin(first.answered());
    assert!(poll_immediate(&mut answered).await.is_none(), "there is no place for another reply");
    assert!(poll_immediate(Box::pin(slots.take(Lane::Fresh))).await.is_none(), "so its slot is not free");
    unkept.pop();
    drop((answered.await, second));
    drop(slots.take(Lane::Fresh).await);
}

#[tokio::test]
async fn urgent_requests_come_first_and_the_others_in_order() {
    let slots = Slots::new(Concurrency::Fixed(1));
    let held = slots.take(Lane::Fresh).await;
    let (mut first, mut second) = (Box::pin(slots.take(Lane::Fresh)), Box::pin(slots.take(Lane::Fresh)));
    assert!(poll_immediate(&mut first).await.is_none() && poll_immediate(&mut second).await.is_none());
    let mut urgent = Box::pin(slots.take(Lane::Urgent));
    assert!(poll_immediate(&mut urgent).await.is_none());
    drop(held);
    assert!(poll_immediate(&mut first).await.is_none(), "a confirmation goes before a fresh screen");
    drop(urgent.await);
    assert!(poll_immediate(&mut second).await.is_none(), "the slot is the first one's");
    drop(first.await);
    drop(second.await);
}

#[tokio::test]
async fn a_waiter_that_left_costs_no_slot() {
    let slots = Slots::new(Concurrency::Fixed(1));
    let held = slots.take(Lane::Fresh).await;
    for _ in 0..1_000 {
        let mut gone = Box::pin(slots.take(Lane::Fresh));
        assert!(poll_immediate(&mut gone).await.is_none());
    }
    let mut granted = Box::pin(slots.take(Lane::Fresh));
    assert!(poll_immediate(&mut granted).await.is_none());
    drop(held);
    // Granted and dropped before it was seen.
    drop(granted);
    drop(slots.take(Lane::Fresh).await);
    assert_eq!(slots.state().taken, 0);
}

#[tokio::test(start_paused = true)]
async fn slower_units_are_not_mistaken_for_a_queue() {
    let slots = Slots::new(Concurrency::Auto);
    let mut least = usize::MAX;
    for round in 0..60 {
        // From the twentieth round on every request takes five times as long, whatever the concurrency.
        let latency = Duration::from_secs(if round < 20 { 1 } else { 5 });
        for _ in 0..4 {
            let mut held = Vec::new();
            for _ in 0..slots.limit() {
                let mut slot = slots.take(Lane::Fresh).await;
                slot.sent();
                held.push(slot);
            }
            tokio::time::sleep(latency).await;
            for slot in &mut held {
                slot.ended(Load::Served);
            }
        }
        least = if round < 20 { usize::MAX } else { least.min(slots.limit()) };
    }
    assert!(least >= 358, "one cut that did not stand: {least}");
    assert_eq!(slots.limit(), AUTO_CEILING as usize);
}

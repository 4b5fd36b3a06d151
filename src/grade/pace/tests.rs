//! Under paused time: who goes when.

use futures_util::future::poll_immediate;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::hold::{LONGEST_PAUSE, PROBE_AFTER};
use super::*;
use crate::grade::quota::Allowance;

const SECOND: Duration = Duration::from_secs(1);

struct Running {
    pacer: Pacer,
    _tasks: JoinSet<()>,
}

fn pacer(requests: Option<u32>, tokens: Option<u32>) -> Running {
    let mut tasks = JoinSet::new();
    let (pacer, task) = Pacer::new(requests, tokens);
    tasks.spawn(task);
    Running { pacer, _tasks: tasks }
}

const fn used(prompt: u64) -> Used {
    Used::Tokens { prompt, completion: 0 }
}

/// Says of both kinds what `requests` says of one.
fn quota(limit: u64, remaining: u64, reset: Duration) -> Quota {
    let requests = Allowance { limit: Some(limit), remaining: Some(remaining), reset: Some(reset) };
    Quota { requests, tokens: Allowance::default() }
}

async fn minutes_for(pacer: &Pacer, requests: u32, bytes: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..requests {
        let place = pacer.wait(Lane::Fresh, bytes, 0).await;
        pacer.settle(place, used(bytes / 4), None).await;
    }
    start.elapsed().as_secs_f64() / 60.0
}

/// Lets the task hear what was said.
async fn settled() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_never_holds_more_than_the_limit() {
    let paced = pacer(Some(600), None);
    let minutes = minutes_for(&paced.pacer, 3_000, 10).await;
    assert!((5.0..5.2).contains(&minutes), "{minutes}");
}

#[tokio::test(start_paused = true)]
async fn a_request_above_the_burst_pays_in_instalments() {
    let paced = pacer(None, Some(10_000));
    // Four requests of 4,900 tokens are two minutes' worth.
    let minutes = minutes_for(&paced.pacer, 4, 19_600).await;
    assert!((1.9..2.2).contains(&minutes), "{minutes}");
}

#[tokio::test(start_paused = true)]
async fn debt_is_paid_first() {
    let Running { pacer, _tasks } = pacer(None, Some(6_000));
    let place = pacer.wait(Lane::Fresh, 4, 0).await;
    pacer.settle(place, used(6_000), None).await;
    let start = Instant::now();
    let _place = pacer.wait(Lane::Fresh, 4, 0).await;
    assert!(start.elapsed() > 55 * SECOND, "the debt of a minute is paid first");
}

#[tokio::test(start_paused = true)]
async fn an_absurd_usage_holds_an_hour_and_breaks_nothing() {
    let Running { pacer, _tasks } = pacer(None, Some(6_000));
    for _ in 0..3 {
        let place = pacer.wait(Lane::Fresh, 4, 0).await;
        let start = Instant::now();
        pacer.settle(place, Used::Tokens { prompt: u64::MAX, completion: u64::MAX }, None).await;
        let next = pacer.wait(Lane::Fresh, 4, 0).await;
        let held = start.elapsed();
        assert!((Duration::from_mins(55)..Duration::from_mins(65)).contains(&held), "{held:?}");
        pacer.settle(next, Used::Tokens { prompt: 1, completion: 0 }, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_settlement_is_heard_while_somebody_is_held() {
    let Running { pacer, _tasks } = pacer(None, Some(60_000));
    let large = pacer.wait(Lane::Fresh, 8_000, 0).await;
    let start = Instant::now();
    let held = async {
        let _place = pacer.wait(Lane::Fresh, 8_000, 0).await;
        start.elapsed()
    };
    let refunded = async {
        tokio::time::sleep(SECOND / 2).await;
        pacer.settle(large, Used::Declined, None).await;
    };
    let (waited, ()) = tokio::join!(held, refunded);
    assert!(waited < SECOND, "2,000 tokens take two seconds; they came back after half of one: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refunded_depends_on_the_ending() {
    let wait_after = async |requests, bytes, ending| {
        let Running { pacer, _tasks } = pacer(requests, Some(60_000));
        let place = pacer.wait(Lane::Fresh, bytes, 0).await;
        pacer.settle(place, ending, None).await;
        let start = Instant::now();
        let _next = pacer.wait(Lane::Fresh, bytes, 0).await;
        start.elapsed().as_secs_f64()
    };
    assert!(wait_after(Some(60), 400, Used::NotSent).await < 0.1, "it was no request");
    assert!((0.9..1.1).contains(&wait_after(Some(60), 400, Used::Declined).await), "a refused request is one");
    assert!(wait_after(None, 12_000, Used::Declined).await < 0.1, "of no tokens");
    assert!((2.9..3.2).contains(&wait_after(None, 12_000, Used::Unknown).await), "3,000 tokens may have been used");
}

#[tokio::test(start_paused = true)]
async fn an_urgent_request_overtakes_one_that_is_paying() {
    let Running { pacer, _tasks } = pacer(None, Some(6_000));
    let mut fresh = Box::pin(pacer.wait(Lane::Fresh, 8_000, 0));
    assert!(poll_immediate(&mut fresh).await.is_none());
    tokio::time::sleep(10 * SECOND).await;
    let start = Instant::now();
    let _urgent = pacer.wait(Lane::Urgent, 2_000, 0).await;
    assert!(start.elapsed() < SECOND / 10, "it uses what was paid so far: {:?}", start.elapsed());
    assert!(poll_immediate(&mut fresh).await.is_none());
    let _fresh = fresh.await;
    let waited = start.elapsed();
    assert!((14 * SECOND..17 * SECOND).contains(&waited), "the other loses no more than that: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_left_costs_nothing() {
    let Running { pacer, _tasks } = pacer(None, Some(6_000));
    let mut gone = Box::pin(pacer.wait(Lane::Fresh, 400_000, 0));
    assert!(poll_immediate(&mut gone).await.is_none());
    drop(gone);
    let start = Instant::now();
    let _place = pacer.wait(Lane::Fresh, 400, 0).await;
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody_once() {
    let Running { pacer, _tasks } = pacer(None, None);
    pacer.pause(30 * SECOND).await;
    let start = Instant::now();
    let _first = pacer.wait(Lane::Urgent, 1, 0).await;
    assert_eq!(start.elapsed(), 30 * SECOND);
    let _second = pacer.wait(Lane::Fresh, 1, 0).await;
    assert_eq!(start.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_heard_while_somebody_is_held() {
    let Running { pacer, _tasks } = pacer(Some(60), None);
    let _first = pacer.wait(Lane::Fresh, 1, 0).await;
    let start = Instant::now();
    let mut held = Box::pin(pacer.wait(Lane::Fresh, 1, 0));
    assert!(poll_immediate(&mut held).await.is_none());
    pacer.pause(30 * SECOND).await;
    let _held = held.await;
    assert_eq!(start.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_long_hint_is_probed_and_an_answer_ends_it() {
    let Running { pacer, _tasks } = pacer(None, None);
    pacer.pause(Duration::from_hours(48)).await;
    let start = Instant::now();
    let probe = pacer.wait(Lane::Fresh, 1, 0).await;
    assert_eq!(start.elapsed(), PROBE_AFTER);
    let mut next = Box::pin(pacer.wait(Lane::Fresh, 1, 0));
    assert!(poll_immediate(&mut next).await.is_none(), "one at a time");
    tokio::time::sleep(SECOND).await;
    pacer.settle(probe, used(1), None).await;
    let _next = next.await;
    assert_eq!(start.elapsed(), PROBE_AFTER + 2 * SECOND, "and a moment later everybody goes");
}

#[tokio::test(start_paused = true)]
async fn a_long_hint_holds_an_hour_at_most() {
    let Running { pacer, _tasks } = pacer(None, None);
    pacer.pause(Duration::from_hours(48)).await;
    let start = Instant::now();
    let mut granted = 0;
    while start.elapsed() < LONGEST_PAUSE {
        let probe = pacer.wait(Lane::Fresh, 1, 0).await;
        pacer.settle(probe, Used::Declined, None).await;
        granted += 1;
    }
    assert_eq!(granted, 12, "one each five minutes");
    for _ in 0..100 {
        let _place = pacer.wait(Lane::Fresh, 1, 0).await;
    }
    assert_eq!(start.elapsed(), LONGEST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_the_hint_does_not_end_it() {
    let Running { pacer, _tasks } = pacer(None, None);
    let before = pacer.wait(Lane::Fresh, 1, 0).await;
    pacer.pause(30 * SECOND).await;
    pacer.settle(before, used(1), None).await;
    let start = Instant::now();
    let _next = pacer.wait(Lane::Fresh, 1, 0).await;
    assert_eq!(start.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_smaller_limit_of_the_server_holds_until_it_states_a_larger_one() {
    let Running { pacer, _tasks } = pacer(Some(600), None);
    let place = pacer.wait(Lane::Fresh, 4, 0).await;
    pacer.settle(place, used(1), Some(quota(60, 50, SECOND))).await;
    settled().await;
    let small = minutes_for(&pacer, 120, 4).await;
    assert!((1.9..2.2).contains(&small), "60 a minute: {small}");
    let place = pacer.wait(Lane::Fresh, 4, 0).await;
    pacer.settle(place, used(1), Some(quota(100_000, 99_999, SECOND))).await;
    settled().await;
    let large = minutes_for(&pacer, 1_200, 4).await;
    assert!((1.9..2.2).contains(&large), "what was configured, and no more: {large}");
}

#[tokio::test(start_paused = true)]
async fn headers_alone_pace_where_no_limit_is_configured() {
    let Running { pacer, _tasks } = pacer(None, None);
    let first = pacer.wait(Lane::Fresh, 4, 0).await;
    assert!(!pacer.has_limits());
    let in_flight = pacer.wait(Lane::Fresh, 4, 0).await;
    pacer.settle(first, used(1), Some(quota(10, 3, 30 * SECOND))).await;
    settled().await;
    assert!(pacer.has_limits());
    let start = Instant::now();
    for _ in 0..2 {
        let _place = pacer.wait(Lane::Fresh, 4, 0).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "three were left, and one of them was on its way");
    let _place = pacer.wait(Lane::Fresh, 4, 0).await;
    assert_eq!(start.elapsed(), 30 * SECOND);
    pacer.settle(in_flight, used(1), Some(quota(10, 9, SECOND))).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refills_is_not_waited_for_until_it_is_full() {
    let Running { pacer, _tasks } = pacer(None, None);
    let first = pacer.wait(Lane::Fresh, 4, 0).await;
    // 600 a minute, all used: one is back after a tenth of a second, all after a minute.
    pacer.settle(first, used(1), Some(quota(600, 0, 60 * SECOND))).await;
    settled().await;
    let start = Instant::now();
    let _next = pacer.wait(Lane::Fresh, 4, 0).await;
    assert_eq!(start.elapsed(), SECOND / 10);
}

/// 600 within any minute, and headers that say so: when nothing is left, the reset looks like a bucket's.
#[tokio::test(start_paused = true)]
async fn a_sliding_minute_is_not_mistaken_for_a_bucket() {
    const MINUTE: Duration = Duration::from_mins(1);
    let Running { pacer, _tasks } = pacer(None, None);
    let mut admitted = std::collections::VecDeque::new();
    let (mut served, mut refused) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(5) {
        let place = pacer.wait(Lane::Fresh, 4, 0).await;
        tokio::time::sleep(SECOND / 20).await;
        let now = Instant::now();
        while admitted.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            admitted.pop_front();
        }
        let is_full = admitted.len() >= 600;
        if is_full {
            refused += 1;
            pacer.pause(MINUTE.saturating_sub(now.duration_since(admitted[0]))).await;
        } else {
            served += 1;
            admitted.push_back(now);
        }
        let reset = MINUTE.saturating_sub(now.duration_since(*admitted.back().unwrap()));
        let quota = quota(600, 600 - admitted.len() as u64, reset);
        pacer.settle(place, if is_full { Used::Declined } else { used(1) }, Some(quota)).await;
        settled().await;
    }
    assert!(refused == 0 && served >= 2_900, "{served} served, {refused} refused");
}

#[tokio::test(start_paused = true)]
async fn an_allowance_for_a_day_is_probed() {
    let Running { pacer, _tasks } = pacer(None, None);
    let first = pacer.wait(Lane::Fresh, 4, 0).await;
    pacer.settle(first, used(1), Some(quota(1_000, 0, Duration::from_hours(8)))).await;
    settled().await;
    let start = Instant::now();
    let _probe = pacer.wait(Lane::Fresh, 4, 0).await;
    assert_eq!(start.elapsed(), PROBE_AFTER);
}

/// The task does not even run.
#[tokio::test]
async fn without_limits_nothing_is_asked_of_the_task() {
    let (pacer, _task) = Pacer::new(None, None);
    for _ in 0..100_000 {
        let place = pacer.wait(Lane::Fresh, 4_000, 100).await;
        pacer.settle(place, used(1_000), None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_has_passed_opens_the_way_again() {
    let Running { pacer, _tasks } = pacer(None, None);
    pacer.pause(SECOND).await;
    settled().await;
    assert!(!pacer.shared.is_open.load(Ordering::Acquire));
    tokio::time::sleep(2 * SECOND).await;
    assert!(pacer.shared.is_open.load(Ordering::Acquire));
}

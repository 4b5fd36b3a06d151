//! Requests and tokens per minute. One task per endpoint is the only caller of governor: it serves waiters in order,
//! so that no herd wakes and no long transcript starves.

use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The share of a limit that is used: a server counts in windows of its own.
const SHARE_OF_LIMIT: f64 = 0.98;
/// The share of a minute's limit that may go out at once.
const BURST_SHARE: f64 = 0.01;
/// Waiters that may queue; the window of the run is smaller, so this bound is never what holds a run back.
const QUEUE: usize = 4_096;
/// Bytes per token before the first reply has been seen.
const FIRST_BYTES_PER_TOKEN: f64 = 4.0;
/// Weight of the newest reply in the running estimate.
const NEWEST_WEIGHT: f64 = 0.05;

/// The longest that everybody is held for one hint. Whoever is told to wait longer gives its unit up, and the next
/// request shows whether the server still means it.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Where waiters queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pacer {
    queue: mpsc::Sender<Call>,
}

#[derive(Debug)]
enum Call {
    /// A request of this many bytes and at most this many completion tokens wants to go out.
    Wait { bytes: u64, output: u64, go: oneshot::Sender<u64> },
    /// A request that was counted as `estimated` tokens was billed `real` for `bytes`.
    Settle { bytes: u64, estimated: u64, prompt: u64, real: u64 },
    /// The server asked everybody to wait.
    Pause(Duration),
}

/// A place that [`Pacer::wait`] granted.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Paced {
    bytes: u64,
    estimated: u64,
}

impl Pacer {
    /// A pacer and the task that runs it; the caller spawns the task, which ends when all pacers are dropped.
    pub fn new(requests: Option<u32>, tokens: Option<u32>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, calls) = mpsc::channel(QUEUE);
        (Self { queue }, Task::new(requests, tokens).serve(calls))
    }

    /// Waits until a request of `bytes` bytes and at most `output` completion tokens may go out.
    pub async fn wait(&self, bytes: u64, output: u64) -> Paced {
        let (go, granted) = oneshot::channel();
        // A closed queue means that the run is being torn down: nothing is sent any more, so nothing needs pacing.
        self.queue.send(Call::Wait { bytes, output, go }).await.ok();
        Paced { bytes, estimated: granted.await.unwrap_or_default() }
    }

    /// Reports real usage, so that the difference is carried as credit or debt.
    pub async fn settle(&self, place: Paced, prompt: u64, completion: u64) {
        let Paced { bytes, estimated } = place;
        self.queue.send(Call::Settle { bytes, estimated, prompt, real: prompt + completion }).await.ok();
    }

    /// Holds everybody for as long as the server asked, an hour at most.
    pub async fn pause(&self, hint: Duration) {
        self.queue.send(Call::Pause(hint)).await.ok();
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>;

struct Task {
    requests: Option<(Limiter, NonZeroU32)>,
    tokens: Option<(Limiter, NonZeroU32)>,
    bytes_per_token: f64,
    /// Tokens that were used beyond their estimate (positive) or left unused (negative).
    debt: i64,
    paused_until: Option<Instant>,
}

impl Task {
    fn new(requests: Option<u32>, tokens: Option<u32>) -> Self {
        Self {
            requests: requests.and_then(limiter),
            tokens: tokens.and_then(limiter),
            bytes_per_token: FIRST_BYTES_PER_TOKEN,
            debt: 0,
            paused_until: None,
        }
    }

    async fn serve(mut self, mut calls: mpsc::Receiver<Call>) {
        // While one waiter is held, settlements and pauses queue behind it; they only matter to those who come later.
        while let Some(call) = calls.recv().await {
            match call {
                Call::Wait { bytes, output, go } => {
                    let estimated = self.estimate(bytes).saturating_add(output);
                    self.hold(estimated).await;
                    // The waiter may have gone; its place is then simply unused.
                    go.send(estimated).ok();
                }
                Call::Settle { bytes, estimated, prompt, real } => self.learn(bytes, estimated, prompt, real),
                Call::Pause(hint) => {
                    let until = Instant::now() + hint.min(LONGEST_PAUSE);
                    self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
                }
            }
        }
    }

    async fn hold(&mut self, estimated: u64) {
        if let Some(until) = self.paused_until.take() {
            tokio::time::sleep_until(until).await;
        }
        if let Some((limiter, burst)) = &self.requests {
            pay(limiter, *burst, 1).await;
        }
        if let Some((limiter, burst)) = &self.tokens {
            let due = i64::try_from(estimated).unwrap_or(i64::MAX).saturating_add(self.debt);
            self.debt = due.min(0);
            pay(limiter, *burst, due.max(0).unsigned_abs()).await;
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of a token count"
    )]
    fn estimate(&self, bytes: u64) -> u64 {
        (bytes as f64 / self.bytes_per_token).ceil() as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate of a ratio")]
    fn learn(&mut self, bytes: u64, estimated: u64, prompt: u64, real: u64) {
        let difference = i128::from(real) - i128::from(estimated);
        self.debt = self.debt.saturating_add(i64::try_from(difference).unwrap_or(0));
        if prompt > 0 {
            let seen = (bytes as f64 / prompt as f64).clamp(1.0, 16.0);
            self.bytes_per_token += NEWEST_WEIGHT * (seen - self.bytes_per_token);
        }
    }
}

/// Pays `due` cells, in instalments where they exceed the burst.
async fn pay(limiter: &Limiter, burst: NonZeroU32, due: u64) {
    let mut left = due;
    while let Some(instalment) = NonZeroU32::new(u32::try_from(left.min(u64::from(burst.get()))).unwrap_or(u32::MAX)) {
        match limiter.check_n(instalment) {
            Ok(Ok(())) => left -= u64::from(instalment.get()),
            Ok(Err(not_yet)) => {
                let clock = TokioClock;
                tokio::time::sleep(not_yet.wait_time_from(clock.now())).await;
            }
            // An instalment is at most the burst, so "never" cannot be the answer.
            Err(_insufficient) => return,
        }
    }
}

fn limiter(per_minute: u32) -> Option<(Limiter, NonZeroU32)> {
    let used = f64::from(per_minute) * SHARE_OF_LIMIT;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
    let burst = NonZeroU32::new((used * BURST_SHARE).floor() as u32).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_mins(1).div_f64(used.max(1e-3));
    let quota = Quota::with_period(period)?.allow_burst(burst);
    Some((RateLimiter::direct_with_clock(quota, TokioClock), burst))
}

/// Tokio's clock as governor wants it, so that tests can pause it.
#[derive(Debug, Clone, Default)]
struct TokioClock;

/// An instant of [`TokioClock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    async fn minutes_for(pacer: &Pacer, requests: u32, bytes: u64) -> f64 {
        let start = Instant::now();
        for _ in 0..requests {
            let place = pacer.wait(bytes, 0).await;
            pacer.settle(place, bytes / 4, 0).await;
        }
        start.elapsed().as_secs_f64() / 60.0
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_never_holds_more_than_the_limit() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(Some(600), None);
        tasks.spawn(task);
        let minutes = minutes_for(&pacer, 3_000, 10).await;
        assert!((5.0..5.2).contains(&minutes), "{minutes}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_above_the_burst_pays_in_instalments() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(None, Some(10_000));
        tasks.spawn(task);
        // Four requests of 5,000 tokens are two minutes' worth.
        let minutes = minutes_for(&pacer, 4, 20_000).await;
        assert!((1.9..2.2).contains(&minutes), "{minutes}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_are_served_in_order_and_debt_is_paid() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(None, Some(6_000));
        tasks.spawn(task);
        let place = pacer.wait(4, 0).await;
        pacer.settle(place, 6_000, 0).await;
        let start = Instant::now();
        let _place = pacer.wait(4, 0).await;
        assert!(start.elapsed() > Duration::from_secs(55), "the debt of a minute is paid first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_once() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(None, None);
        tasks.spawn(task);
        pacer.pause(Duration::from_secs(30)).await;
        let start = Instant::now();
        let _first = pacer.wait(1, 0).await;
        assert_eq!(start.elapsed(), Duration::from_secs(30));
        let _second = pacer.wait(1, 0).await;
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_hint_does_not_freeze_the_run() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(None, None);
        tasks.spawn(task);
        pacer.pause(Duration::from_hours(48)).await;
        let start = Instant::now();
        let _place = pacer.wait(1, 0).await;
        assert_eq!(start.elapsed(), LONGEST_PAUSE);
    }
}

//! Requests and tokens per minute. One task per endpoint and model is the only caller of governor: it serves waiters in
//! order, urgent ones first, so that no herd wakes and no long transcript starves. What the server says of its limits
//! and how long it asks to wait holds for everybody.
//!
//! Where nothing limits, nothing is asked of the task: a request passes at the cost of three atomic operations.

mod hold;
mod limiter;
mod task;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::lane::Lane;
use super::quota::Quota;

/// Waiters that may queue; the window of the run is smaller, so this bound is never what holds a run back.
const QUEUE: usize = 4_096;

/// Where waiters queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pacer {
    queue: mpsc::Sender<Call>,
    shared: Arc<Shared>,
}

/// What is known without asking the task.
#[derive(Debug)]
struct Shared {
    /// Nothing limits: no limit is configured, the server has named none, nobody is asked to wait.
    is_open: AtomicBool,
    /// A limit is configured or named by the server.
    has_limits: AtomicBool,
    /// Until when everybody is held, where that is more than a moment.
    held: watch::Sender<Option<Instant>>,
    /// Requests granted, and their tokens as estimated.
    requests: AtomicU64,
    tokens: AtomicU64,
}

#[derive(Debug)]
enum Call {
    Wait {
        lane: Lane,
        waiter: Waiter,
    },
    Settle {
        place: Paced,
        used: Used,
        quota: Option<Quota>,
    },
    /// The server asked everybody to wait.
    Pause(Duration),
}

/// A request of this many bytes and at most this many completion tokens that wants to go out.
#[derive(Debug)]
struct Waiter {
    bytes: u64,
    output: u64,
    go: oneshot::Sender<Paced>,
}

/// A place that [`Pacer::wait`] granted.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Paced {
    bytes: u64,
    output: u64,
    estimated: u64,
    /// The requests and the tokens granted up to and with this place.
    requests: u64,
    tokens: u64,
    /// Whether the task counted it.
    is_counted: bool,
}

/// What an attempt used of the limits, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// A reply states its tokens.
    Tokens {
        /// Of the prompt.
        prompt: u64,
        /// Of the completion.
        completion: u64,
    },
    /// The server refused it: a request, but no tokens. Providers count refused requests among the requests.
    Declined,
    /// It never reached the server.
    NotSent,
    /// Nobody knows: it stays counted at its estimate, since too early costs a 429 and too late only time.
    Unknown,
}

impl Pacer {
    /// A pacer and the task that runs it; the caller spawns the task, which ends when all pacers are dropped.
    pub fn new(requests: Option<u32>, tokens: Option<u32>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, calls) = mpsc::channel(QUEUE);
        let is_limited = requests.is_some() || tokens.is_some();
        let shared = Arc::new(Shared {
            is_open: AtomicBool::new(!is_limited),
            has_limits: AtomicBool::new(is_limited),
            held: watch::Sender::new(None),
            requests: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
        });
        let task = task::Task::new(requests, tokens, Arc::clone(&shared));
        (Self { queue, shared }, task.serve(calls))
    }

    /// Waits until a request of `bytes` bytes and at most `output` completion tokens may go out.
    pub async fn wait(&self, lane: Lane, bytes: u64, output: u64) -> Paced {
        if self.shared.is_open.load(Ordering::Acquire) {
            return self.shared.grant(bytes, output, task::first_estimate(bytes, output), false);
        }
        let (go, granted) = oneshot::channel();
        let waiter = Waiter { bytes, output, go };
        // A closed queue means that the run is being torn down: nothing is sent any more, so nothing needs pacing.
        self.queue.send(Call::Wait { lane, waiter }).await.ok();
        match granted.await {
            Ok(place) => place,
            Err(_) => self.shared.grant(bytes, output, 0, false),
        }
    }

    /// Reports what became of a place, so that the difference is carried as credit or debt, and what the server said of
    /// its limits.
    pub async fn settle(&self, place: Paced, used: Used, quota: Option<Quota>) {
        let is_open = self.shared.is_open.load(Ordering::Acquire);
        if is_open && quota.is_none() {
            return;
        }
        self.queue.send(Call::Settle { place, used, quota }).await.ok();
    }

    /// Holds everybody for as long as the server asked: at most an hour, and after five minutes without a request one
    /// goes out to see whether the server still means it.
    pub async fn pause(&self, hint: Duration) {
        if hint.is_zero() {
            return;
        }
        self.shared.is_open.store(false, Ordering::Release);
        self.queue.send(Call::Pause(hint)).await.ok();
    }

    /// Returns as soon as the server holds everybody for more than a moment.
    pub async fn held(&self) {
        self.told(Option::is_some).await;
    }

    /// Returns a moment before the end of that. A request that is let through earlier is a probe.
    pub async fn released(&self) {
        self.told(Option::is_none).await;
    }

    async fn told(&self, is_so: impl FnMut(&Option<Instant>) -> bool) {
        self.shared.held.subscribe().wait_for(is_so).await.map(|_| ()).expect("the sender is in `self`");
    }

    /// Whether "too fast" is this pacer's business: a limit is configured or the server names one.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        self.shared.has_limits.load(Ordering::Acquire)
    }
}

impl Shared {
    fn grant(&self, bytes: u64, output: u64, estimated: u64, is_counted: bool) -> Paced {
        let requests = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        let tokens = self.tokens.fetch_add(estimated, Ordering::AcqRel).wrapping_add(estimated);
        Paced { bytes, output, estimated, requests, tokens, is_counted }
    }
}

#[cfg(test)]
mod tests;

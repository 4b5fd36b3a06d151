//! A client that has more to send than its limits allow, and a server that counts in sliding windows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use assize::grade::lane::Lane;
use assize::grade::pace::{Pacer, Used};
use assize::grade::settings::Concurrency;
use assize::grade::slots::{Load, Slots};
use assize::model::hash::Digest;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

pub(crate) const REQUESTS_PER_MINUTE: u32 = 600;
pub(crate) const TOKENS_PER_MINUTE: u32 = 300_000;
/// Items that wait at the beginning.
const ITEMS: u64 = 2_000;
const WINDOW: Duration = Duration::from_mins(1);

/// What the client made of its limits.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Requests that reached the server.
    pub(crate) sent: u64,
    /// Of these, the ones answered 429.
    pub(crate) refused: u64,
    /// Requests and tokens admitted, over what the limits allow in the time.
    pub(crate) of_requests: f64,
    pub(crate) of_tokens: f64,
    /// The fullest window of a minute that the server saw, over the limit of tokens.
    pub(crate) fullest_window: f64,
    /// The mean time until an item left, in seconds: of the shortest and of the longest third.
    pub(crate) short_wait_s: f64,
    pub(crate) long_wait_s: f64,
}

impl Measured {
    /// The share of the limit that binds.
    pub(crate) fn used(&self) -> f64 {
        self.of_requests.max(self.of_tokens)
    }

    pub(crate) fn refused_share(&self) -> f64 {
        number(self.refused) / number(self.sent).max(1.0)
    }

    /// What every run must show.
    pub(crate) fn check(&self) {
        assert!(self.used() >= 0.95, "less than 95% of the binding limit: {self:?}");
        assert!(self.refused_share() <= 0.005, "more than 0.5% answered 429: {self:?}");
        let ratio = self.long_wait_s / self.short_wait_s;
        assert!((0.8..1.25).contains(&ratio), "long and short items do not wait alike: {self:?}");
    }
}

/// How large items are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Tokens of the smallest and the largest, prompt and completion together; logarithmically uniform between them.
    pub(crate) tokens: [f64; 2],
}

struct Item {
    bytes: u64,
    output_limit: u64,
    prompt: u64,
    completion: u64,
    queued: Instant,
}

/// Counts at arrival what came within any minute. A refused request counts among the requests, as at large providers.
struct Server {
    window: RefCell<VecDeque<(Instant, u64)>>,
    tokens: Cell<u64>,
    sent: Cell<u64>,
    refused: Cell<u64>,
    admitted: Cell<u64>,
    admitted_tokens: Cell<u64>,
    fullest: Cell<u64>,
    /// Tokens and waiting time of each item that left.
    waits: RefCell<Vec<(u64, f64)>>,
}

impl Server {
    /// Admits a request, or says how long to wait.
    fn arrive(&self, tokens: u64) -> Option<Duration> {
        let now = Instant::now();
        let mut window = self.window.borrow_mut();
        while let Some((at, old)) = window.front().copied().filter(|(at, _)| now.duration_since(*at) >= WINDOW) {
            debug_assert!(at <= now);
            self.tokens.set(self.tokens.get() - old);
            window.pop_front();
        }
        self.sent.set(self.sent.get() + 1);
        let is_full = window.len() as u64 >= u64::from(REQUESTS_PER_MINUTE)
            || self.tokens.get() + tokens > u64::from(TOKENS_PER_MINUTE);
        let counted = if is_full { 0 } else { tokens };
        window.push_back((now, counted));
        self.tokens.set(self.tokens.get() + counted);
        self.fullest.set(self.fullest.get().max(self.tokens.get()));
        if is_full {
            self.refused.set(self.refused.get() + 1);
            return window.front().map(|(at, _)| WINDOW.saturating_sub(now.duration_since(*at)));
        }
        self.admitted.set(self.admitted.get() + 1);
        self.admitted_tokens.set(self.admitted_tokens.get() + tokens);
        None
    }
}

/// A uniform number that depends on nothing but its name.
fn draw(item: u64, what: &str) -> f64 {
    let digest = Digest::of(format!("{item} {what}").as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / 2.0_f64.powi(32)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive count of a few thousand")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn item(number: u64, sizes: Sizes) -> Item {
    let [least, most] = sizes.tokens;
    let tokens = least * (most / least).powf(draw(number, "size"));
    let completion = tokens * (0.05 + 0.15 * draw(number, "completion"));
    let prompt = tokens - completion;
    // Four bytes a token is the client's first guess; texts differ by a third in both directions.
    let bytes = prompt * (2.7 + 2.6 * draw(number, "bytes"));
    let [bytes, prompt, completion] = [bytes, prompt, completion].map(whole);
    Item { bytes, output_limit: 2_000, prompt, completion, queued: Instant::now() }
}

async fn send(number: u64, item: Item, slots: Slots, pacer: Pacer, server: Rc<Server>) {
    let mut lane = Lane::Fresh;
    loop {
        let mut slot = slots.take(lane).await;
        let place = pacer.wait(lane, item.bytes, item.output_limit).await;
        slot.sent();
        if lane == Lane::Fresh {
            let waited = item.queued.elapsed().as_secs_f64();
            server.waits.borrow_mut().push((item.prompt + item.completion, waited));
        }
        tokio::time::sleep(Duration::from_millis(5).mul_f64(1.0 + 5.0 * draw(number, "way"))).await;
        let refused = server.arrive(item.prompt + item.completion);
        if let Some(hint) = refused {
            pacer.pause(hint).await;
            pacer.settle(place, Used::Declined, None).await;
            lane = Lane::Urgent;
            continue;
        }
        tokio::time::sleep(Duration::from_secs(1).mul_f64(0.5 + 2.0 * draw(number, "latency"))).await;
        slot.ended(Load::Served);
        pacer.settle(place, Used::Tokens { prompt: item.prompt, completion: item.completion }, None).await;
        return;
    }
}

/// Drives pacer and slots for this long, on the runtime that calls it.
pub(crate) async fn measure(sizes: Sizes, time: Duration) -> Measured {
    let mut tasks = JoinSet::new();
    let (pacer, task) = Pacer::new(Some(REQUESTS_PER_MINUTE), Some(TOKENS_PER_MINUTE));
    tasks.spawn(task);
    let slots = Slots::new(Concurrency::Auto);
    let server = Rc::new(Server {
        window: RefCell::default(),
        tokens: Cell::new(0),
        sent: Cell::new(0),
        refused: Cell::new(0),
        admitted: Cell::new(0),
        admitted_tokens: Cell::new(0),
        fullest: Cell::new(0),
        waits: RefCell::default(),
    });
    let items = LocalSet::new();
    for number in 0..ITEMS {
        items.spawn_local(send(number, item(number, sizes), slots.clone(), pacer.clone(), Rc::clone(&server)));
    }
    items.run_until(tokio::time::sleep(time)).await;
    let allowed = |per_minute: u32| f64::from(per_minute) * time.as_secs_f64() / 60.0;
    let mut waits = server.waits.take();
    assert!((waits.len() as u64) < ITEMS, "everything was sent before the time was over: nothing waited at the end");
    waits.sort_by_key(|(tokens, _)| *tokens);
    let third = waits.len() / 3;
    let mean = |part: &[(u64, f64)]| part.iter().map(|(_, wait)| wait).sum::<f64>() / number(part.len() as u64);
    Measured {
        sent: server.sent.get(),
        refused: server.refused.get(),
        of_requests: number(server.admitted.get()) / allowed(REQUESTS_PER_MINUTE),
        of_tokens: number(server.admitted_tokens.get()) / allowed(TOKENS_PER_MINUTE),
        fullest_window: number(server.fullest.get()) / f64::from(TOKENS_PER_MINUTE),
        short_wait_s: mean(&waits[..third]),
        long_wait_s: mean(&waits[waits.len() - third..]),
    }
}

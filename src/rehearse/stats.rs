//! Exact counts of what the server did.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::model::hash::Digest;
use crate::model::money::Usage;

/// What `GET /stats` reports. Only chat completion requests count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Requests received whole.
    pub requests: u64,
    /// Complete chat completions sent with status 200: what a client could keep.
    pub replies_200: u64,
    /// Replies by HTTP status, cut and faulty ones included. A request that was reset, hung up on or abandoned by its
    /// client has none.
    pub by_status: BTreeMap<u16, u64>,
    /// Different request bodies, nonces apart.
    pub distinct_bodies: u64,
    /// Requests being worked on.
    pub in_flight: u64,
    /// Most requests that were worked on at once. A request that its client abandons is worked on until the server
    /// notices.
    pub max_in_flight: u64,
    /// Requests billed: as soon as the work for them begins, whatever becomes of the reply.
    pub billed_requests: u64,
    /// Prompt tokens billed, cached ones included.
    pub prompt_tokens: u64,
    /// Prompt tokens billed as cached.
    pub cached_tokens: u64,
    /// Completion tokens billed, reasoning included.
    pub completion_tokens: u64,
    /// Completion tokens billed that were reasoning.
    pub reasoning_tokens: u64,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
}

/// The counters of a running server.
#[derive(Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    /// The number of requests so far, for those who wait for one.
    received: watch::Sender<u64>,
}

#[derive(Default)]
struct Books {
    stats: Stats,
    /// How often each body was seen: 16 bytes of digest and a count are all that a request leaves behind.
    seen: HashMap<u128, u32>,
}

/// A request being worked on; it stops counting when this is dropped.
pub(super) struct InFlight<'a> {
    ledger: &'a Ledger,
    number: u64,
}

impl InFlight<'_> {
    /// Its number among the requests counted, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.stats.in_flight = books.stats.in_flight.saturating_sub(1);
    }
}

impl Ledger {
    /// Counts a request; until the guard is dropped, it is in flight.
    pub(super) fn begin(&self) -> InFlight<'_> {
        let mut books = self.books();
        books.stats.requests += 1;
        books.stats.in_flight += 1;
        books.stats.max_in_flight = books.stats.max_in_flight.max(books.stats.in_flight);
        self.received.send_replace(books.stats.requests);
        InFlight { ledger: self, number: books.stats.requests }
    }

    /// Returns as soon as this many requests have begun.
    pub(super) async fn received(&self, requests: u64) {
        // The sender lives as long as the ledger, so there is no error.
        self.received.subscribe().wait_for(|received| *received >= requests).await.ok();
    }

    /// How often this body was seen before.
    pub(super) fn attempt(&self, body: Digest) -> u32 {
        let mut books = self.books();
        let times = books.seen.entry(body.leading_u128()).or_insert(0);
        let before = *times;
        *times = before.saturating_add(1);
        before
    }

    /// Counts a fault.
    pub(super) fn fault(&self, name: &str) {
        *self.books().stats.faults.entry(name.to_owned()).or_insert(0) += 1;
    }

    /// Counts a billed request.
    pub(super) fn bill(&self, usage: &Usage) {
        let mut books = self.books();
        let stats = &mut books.stats;
        stats.billed_requests += 1;
        stats.prompt_tokens += usage.prompt_tokens;
        stats.cached_tokens += usage.cached_tokens;
        stats.completion_tokens += usage.completion_tokens;
        stats.reasoning_tokens += usage.reasoning_tokens;
    }

    /// Counts a reply.
    pub(super) fn reply(&self, status: u16, is_complete: bool) {
        let mut books = self.books();
        *books.stats.by_status.entry(status).or_insert(0) += 1;
        books.stats.replies_200 += u64::from(is_complete);
    }

    /// All counts.
    pub(super) fn stats(&self) -> Stats {
        let books = self.books();
        Stats { distinct_bodies: books.seen.len() as u64, ..books.stats.clone() }
    }

    /// Starts again from nothing but the requests in flight; attempts count from 0 again.
    pub(super) fn reset(&self) {
        let mut books = self.books();
        let in_flight = books.stats.in_flight;
        self.received.send_replace(0);
        *books = Books { stats: Stats { in_flight, max_in_flight: in_flight, ..Stats::default() }, ..Books::default() };
    }

    /// No lock is held across an await, and none longer than a few additions.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

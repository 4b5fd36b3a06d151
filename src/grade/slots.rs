//! How many requests are in flight at once: a fixed number, or as many as the server serves well.
//!
//! A reply that has arrived and is not in the log yet would be paid for again after a crash, like one on the wire. So
//! those have a bound of their own, one commit group: when the disk is slow, slots wait for it.

mod adaptive;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use self::adaptive::Adaptive;
use super::lane::{Lane, Lanes};
use super::settings::Concurrency;
use crate::journal::GROUP_RECORDS;

/// The most requests in flight that `max_concurrency = "auto"` goes up to. Memory, connections and what a crash may
/// repeat grow with it; whoever wants more states a number.
pub const AUTO_CEILING: u32 = 512;

/// What an ended attempt says of the server's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Served in its time: its latency counts.
    Served,
    /// Nothing: an error that has other reasons than load.
    Unrelated,
    /// Too fast: the pacer's business. Where no limit is known there is none to keep, and it counts as too many.
    TooFast,
    /// Too many at once: 503, 529, a gateway's or our own time-out.
    TooMany,
}

/// The slots of one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slots {
    shared: Arc<Mutex<State>>,
    unkept: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    /// Slots that may be taken.
    limit: usize,
    taken: usize,
    /// Of these, the ones with a request on the wire.
    on_wire: usize,
    waiting: Lanes<oneshot::Sender<Slot>>,
    adaptive: Option<Adaptive>,
}

/// A slot, held for one attempt and given back when dropped.
#[must_use]
pub struct Slot {
    /// None once it is given back.
    slots: Option<Slots>,
    sent: Option<Instant>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot(sent {})", self.sent.is_some())
    }
}

/// A place among the replies that are not in the log yet, given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Unkept {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// This many slots, at least one, or as many as turn out to be right.
    #[must_use]
    pub fn new(concurrency: Concurrency) -> Self {
        let adaptive = match concurrency {
            Concurrency::Auto => Some(Adaptive::new(AUTO_CEILING as usize)),
            Concurrency::Fixed(_) => None,
        };
        let limit = adaptive.as_ref().map_or(concurrency.most() as usize, Adaptive::limit);
        let state = State { limit, taken: 0, on_wire: 0, waiting: Lanes::default(), adaptive };
        Self { shared: Arc::new(Mutex::new(state)), unkept: Arc::new(Semaphore::new(GROUP_RECORDS)) }
    }

    /// Waits for a slot: urgent ones first, first come first served among them.
    pub async fn take(&self, lane: Lane) -> Slot {
        let granted = {
            let mut state = self.state();
            if state.taken < state.limit && state.waiting.is_empty() {
                state.taken += 1;
                return Slot { slots: Some(self.clone()), sent: None };
            }
            let (grant, granted) = oneshot::channel();
            state.waiting.push(lane, grant);
            granted
        };
        // Those in front may have gone without leaving the queue.
        self.hand_out();
        granted.await.expect("a slot is granted before its waiter is dropped from the queue")
    }

    /// How many may be in flight now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// How many may ever be in flight.
    #[must_use]
    pub fn most(&self) -> usize {
        let state = self.state();
        state.adaptive.as_ref().map_or(state.limit, |_| AUTO_CEILING as usize)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free slots to those who wait, one after the other, so that nobody wakes in vain.
    fn hand_out(&self) {
        loop {
            let waiter = {
                let mut state = self.state();
                if state.taken >= state.limit {
                    return;
                }
                let Some(waiter) = state.waiting.pop() else { return };
                state.taken += 1;
                waiter
            };
            if let Err(mut slot) = waiter.send(Slot { slots: Some(self.clone()), sent: None }) {
                // Given back here and not by dropping, which would come back to this function, once for each who left.
                slot.give_back();
            }
        }
    }
}

impl Slot {
    /// Notes that the request leaves now: only what is on the wire says anything of the server.
    pub fn sent(&mut self) {
        if let (Some(slots), None) = (&self.slots, self.sent) {
            let mut state = slots.state();
            state.on_wire += 1;
            if let Some(adaptive) = &mut state.adaptive {
                adaptive.sent();
            }
            self.sent = Some(Instant::now());
        }
    }

    /// Notes how it ended; nothing if it was never sent.
    pub fn ended(&mut self, load: Load) {
        let (Some(slots), Some(sent)) = (&self.slots, self.sent.take()) else { return };
        let is_larger = {
            let mut state = slots.state();
            let (old, on_wire) = (state.limit, state.on_wire);
            state.on_wire -= 1;
            if let Some(adaptive) = &mut state.adaptive {
                state.limit = adaptive.ended(Instant::now(), sent, on_wire, load);
            }
            state.limit > old
        };
        if is_larger {
            slots.hand_out();
        }
    }

    /// Gives the slot back for a reply that has arrived, as soon as there is a place among those that are not kept yet.
    pub async fn answered(self) -> Unkept {
        let slots = self.slots.as_ref().expect("a slot is given back at its end only");
        let among = Arc::clone(&slots.unkept);
        Unkept { _permit: among.acquire_owned().await.expect("the semaphore is never closed") }
    }

    fn give_back(&mut self) -> Option<Slots> {
        let slots = self.slots.take()?;
        {
            let mut state = slots.state();
            state.taken -= 1;
            state.on_wire -= usize::from(self.sent.take().is_some());
        }
        Some(slots)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.give_back() {
            slots.hand_out();
        }
    }
}

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod tests;

//! How many requests are in flight at once. A fixed number for now; the adaptive controller replaces this file's
//! inside, not its users.
//!
//! A reply that has arrived and is not in the log yet would be paid for again after a crash, like one on the wire. So
//! those have a bound of their own, one commit group: when the disk is slow, slots wait for it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::journal::GROUP_RECORDS;

/// The slots of one endpoint.
#[derive(Debug, Clone)]
pub struct Slots {
    wire: Arc<Semaphore>,
    unkept: Arc<Semaphore>,
}

/// A slot, held for one attempt and given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
    unkept: Arc<Semaphore>,
}

/// A place among the replies that are not in the log yet, given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Unkept {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// This many slots, at least one.
    #[must_use]
    pub fn new(count: u32) -> Self {
        let wire = Arc::new(Semaphore::new(count.max(1) as usize));
        Self { wire, unkept: Arc::new(Semaphore::new(GROUP_RECORDS)) }
    }

    /// Waits for a slot, first come first served.
    pub async fn take(&self) -> Slot {
        Slot { _permit: place(&self.wire).await, unkept: Arc::clone(&self.unkept) }
    }
}

impl Slot {
    /// Gives the slot back for a reply that has arrived, as soon as there is a place among those that are not kept yet.
    pub async fn answered(self) -> Unkept {
        Unkept { _permit: place(&self.unkept).await }
    }
}

async fn place(among: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(among).acquire_owned().await.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn a_slot_waits_for_the_disk_once_a_commit_group_is_not_kept() {
        let slots = Slots::new(2);
        let mut unkept = Vec::new();
        for _ in 0..GROUP_RECORDS {
            unkept.push(slots.take().await.answered().await);
        }
        let (first, second) = (slots.take().await, slots.take().await);
        let mut answered = Box::pin(first.answered());
        assert!(poll_immediate(&mut answered).await.is_none(), "there is no place for another reply");
        assert!(poll_immediate(Box::pin(slots.take())).await.is_none(), "so its slot is not free");
        unkept.pop();
        drop((answered.await, second));
        drop(slots.take().await);
    }
}

//! How many requests are in flight at once. A fixed number for now; the adaptive controller replaces this file's
//! inside, not its users.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of one endpoint.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

/// A slot, held for one attempt and given back when dropped.
#[derive(Debug)]
#[must_use]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// This many slots, at least one.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self(Arc::new(Semaphore::new(count.max(1) as usize)))
    }

    /// Waits for a slot, first come first served.
    pub async fn take(&self) -> Slot {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        Slot { _permit: permit.expect("the semaphore is never closed") }
    }
}

//! Identical work is paid for once, even concurrently: the first asker of a key leads, the others wait and then look
//! into the cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::model::hash::Digest;

type Waiting = Mutex<HashMap<Digest, watch::Receiver<()>>>;

/// The keys that are being asked for right now.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Waiting>);

/// What a caller is to one key.
#[derive(Debug)]
pub enum Part {
    /// It must do the work; the others are released when the guard is dropped, however that happens.
    Lead(Lead),
    /// Somebody else was at work and has ended, well or badly: look into the cache again.
    Followed,
}

/// Leadership of one key.
#[derive(Debug)]
#[must_use]
pub struct Lead {
    key: Digest,
    waiting: Arc<Waiting>,
    _release: watch::Sender<()>,
}

impl InFlight {
    /// Becomes the leader of `key` or waits until its leader is done.
    pub async fn join(&self, key: Digest) -> Part {
        let (release, wait) = watch::channel(());
        let mut leader = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(leader) = waiting.get(&key) else {
                waiting.insert(key, wait);
                return Part::Lead(Lead { key, waiting: Arc::clone(&self.0), _release: release });
            };
            leader.clone()
        };
        // The leader never sends: the channel closing is the signal.
        leader.changed().await.ok();
        Part::Followed
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn followers_wait_for_the_leader_and_a_dropped_leader_releases_them() {
        let shared = InFlight::default();
        let key = Digest::of(b"k");
        let Part::Lead(lead) = shared.join(key).await else { panic!("the first one leads") };
        let mut follower = Box::pin(shared.join(key));
        assert!(futures_util::future::poll_immediate(&mut follower).await.is_none(), "the follower waits");
        drop(lead);
        assert!(matches!(follower.await, Part::Followed));
        assert!(matches!(shared.join(key).await, Part::Lead(_)));
    }
}

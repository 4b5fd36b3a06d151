//! Blocks of money that a session grants itself, so that a cap survives a power failure.
//!
//! Syncing a line for every request would cost a disk's latency each. Instead a grant is made durable now and then, and
//! no request leaves that could cost more than what is granted. After a power failure, when lines about requests may be
//! lost, the whole grant counts as spent: at most one block too much.

use crate::grade::budget::Budget;
use crate::model::event::{Event, Granted};
use crate::model::money::NanoUsd;

/// One block is this part of the cap.
const BLOCKS: u64 = 100;

/// What a session has granted itself.
#[derive(Debug)]
pub(super) struct Grant {
    /// What is left under the cap at the start of the session; `None` without a cap, where nothing is promised.
    room: Option<NanoUsd>,
    block: NanoUsd,
    granted: NanoUsd,
    /// Costs of settled requests and bounds of those on the wire.
    exposed: NanoUsd,
}

impl Grant {
    /// A session with this budget, which has granted itself nothing yet.
    pub(super) fn of(budget: &Budget) -> Self {
        let room = budget.cap().map(|cap| cap.saturating_sub(budget.spent()));
        let block = NanoUsd(budget.cap().unwrap_or_default().0 / BLOCKS);
        Self { room, block, granted: NanoUsd::ZERO, exposed: NanoUsd::ZERO }
    }

    /// Takes note of a request that is about to leave; the grant that must be durable first, if there has to be one.
    pub(super) fn raise_for(&mut self, bound: NanoUsd) -> Option<Event> {
        self.exposed += bound;
        let room = self.room?;
        if self.exposed <= self.granted {
            return None;
        }
        // What is reserved lies under the cap, so the last block is cut at it.
        self.granted = (self.exposed + self.block).min(room).max(self.exposed);
        Some(Event::Granted(Granted { total: self.granted }))
    }

    /// A request for which `bound` was counted has cost `cost`.
    pub(super) fn settle(&mut self, bound: NanoUsd, cost: NanoUsd) {
        self.exposed = self.exposed.saturating_sub(bound) + cost;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_request_leaves_that_the_grant_does_not_cover(costs in prop::collection::vec((1u64..30, 0u64..30), 1..100)) {
            let mut grant = Grant::of(&Budget::new(Some(NanoUsd(2_000)), NanoUsd(500)));
            let (mut granted, mut spent, mut events) = (0, 0, 0);
            for (bound, cost) in costs {
                if spent + bound > 1_500 {
                    break;
                }
                if let Some(Event::Granted(more)) = grant.raise_for(NanoUsd(bound)) {
                    prop_assert!(more.total.0 > granted && more.total.0 <= 1_500);
                    granted = more.total.0;
                    events += 1;
                }
                prop_assert!(spent + bound <= granted);
                let cost = cost.min(bound);
                grant.settle(NanoUsd(bound), NanoUsd(cost));
                spent += cost;
            }
            // Each grant reaches a block beyond what was exposed when it was made.
            prop_assert!(events <= 2 + (spent + 30) / 20, "{events} grants for {spent}");
        }
    }

    #[test]
    fn without_a_cap_nothing_is_granted() {
        let mut grant = Grant::of(&Budget::new(None, NanoUsd::ZERO));
        assert_eq!(grant.raise_for(NanoUsd(7)), None);
    }

    #[test]
    fn free_requests_need_no_grant() {
        let mut grant = Grant::of(&Budget::new(Some(NanoUsd(9)), NanoUsd::ZERO));
        assert_eq!(grant.raise_for(NanoUsd::ZERO), None);
    }
}

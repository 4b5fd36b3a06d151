//! The cap. Whole nano-dollars, the worst case reserved before anything is sent, real usage settled after.
//!
//! Money is in one of three places: `spent` (billed, or presumed billed), `held` (reserved for units that were
//! admitted, whether their requests are on the wire or still to come), or free. The invariant `spent + held <= cap`
//! holds after every call, as long as no provider bills more than the bound.

use std::collections::BTreeMap;

use crate::model::event::Ordinal;
use crate::model::money::NanoUsd;

/// The budget of one audit; owned by the coordinator.
#[derive(Debug, Clone)]
pub struct Budget {
    cap: Option<NanoUsd>,
    spent: NanoUsd,
    held: NanoUsd,
    /// What is held for each admitted unit and not yet attached to a request.
    accounts: BTreeMap<Ordinal, NanoUsd>,
}

/// Whether there is room for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// It is reserved.
    Granted,
    /// Not now, but what is held may come back.
    NotNow,
    /// Not now, and nothing is held: it will never fit.
    Never,
}

impl Budget {
    /// A budget of which `spent` is gone already, in earlier sessions and runs of the same audit.
    #[must_use]
    pub const fn new(cap: Option<NanoUsd>, spent: NanoUsd) -> Self {
        Self { cap, spent, held: NanoUsd::ZERO, accounts: BTreeMap::new() }
    }

    /// What was billed or is presumed billed, earlier runs included.
    #[must_use]
    pub const fn spent(&self) -> NanoUsd {
        self.spent
    }

    /// The cap, if there is one.
    #[must_use]
    pub const fn cap(&self) -> Option<NanoUsd> {
        self.cap
    }

    fn hold(&mut self, amount: NanoUsd) -> Room {
        if amount > NanoUsd::ZERO && self.cap.is_some_and(|cap| self.spent + self.held + amount > cap) {
            return if self.held > NanoUsd::ZERO { Room::NotNow } else { Room::Never };
        }
        self.held += amount;
        Room::Granted
    }

    /// Opens a unit's account with the worst case of its whole path.
    pub fn open(&mut self, unit: Ordinal, path: NanoUsd) -> Room {
        let room = self.hold(path);
        if room == Room::Granted {
            *self.accounts.entry(unit).or_default() += path;
        }
        room
    }

    /// Takes `bound` for one request of the unit, from its account as far as that goes.
    pub fn reserve(&mut self, unit: Ordinal, bound: NanoUsd) -> Room {
        let account = self.accounts.get(&unit).copied().unwrap_or_default();
        let room = self.hold(bound.saturating_sub(account));
        if room == Room::Granted {
            self.accounts.insert(unit, account.saturating_sub(bound));
        }
        room
    }

    /// A request for which `bound` was reserved turned out to cost `cost`.
    pub fn settle(&mut self, bound: NanoUsd, cost: NanoUsd) {
        self.held = self.held.saturating_sub(bound);
        self.spent += cost;
    }

    /// A request for which `bound` was reserved was certainly not billed: the money waits for the unit's next attempt,
    /// so that an error of the server does not let another unit take the place of one that was admitted.
    pub fn give_back(&mut self, unit: Ordinal, bound: NanoUsd) {
        match self.accounts.get_mut(&unit) {
            Some(account) => *account += bound,
            None => self.release(bound),
        }
    }

    /// A reservation was not used: nothing was sent for it.
    pub fn release(&mut self, bound: NanoUsd) {
        self.held = self.held.saturating_sub(bound);
    }

    /// Closes a unit's account; what is left in it becomes free.
    pub fn close(&mut self, unit: Ordinal) {
        let left = self.accounts.remove(&unit).unwrap_or_default();
        self.held = self.held.saturating_sub(left);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Ordinal = Ordinal(1);
    const TWO: Ordinal = Ordinal(2);

    #[test]
    fn a_path_is_reserved_whole_and_what_is_left_comes_back() {
        let mut budget = Budget::new(Some(NanoUsd(100)), NanoUsd(10));
        assert_eq!(budget.open(ONE, NanoUsd(60)), Room::Granted);
        assert_eq!(budget.open(TWO, NanoUsd(60)), Room::NotNow);
        assert_eq!(budget.reserve(ONE, NanoUsd(40)), Room::Granted);
        budget.settle(NanoUsd(40), NanoUsd(5));
        budget.close(ONE);
        assert_eq!(budget.spent(), NanoUsd(15));
        assert_eq!(budget.open(TWO, NanoUsd(90)), Room::Never);
        assert_eq!(budget.open(TWO, NanoUsd(85)), Room::Granted);
    }

    #[test]
    fn free_requests_need_no_room() {
        let mut budget = Budget::new(Some(NanoUsd(10)), NanoUsd(10));
        assert_eq!(budget.open(ONE, NanoUsd::ZERO), Room::Granted);
        assert_eq!(budget.open(ONE, NanoUsd(1)), Room::Never);
    }

    proptest! {
        #[test]
        fn the_cap_holds_whatever_happens(steps in prop::collection::vec((0u64..5, 0u64..4, 1u64..50), 1..200)) {
            let cap = NanoUsd(200);
            let mut budget = Budget::new(Some(cap), NanoUsd::ZERO);
            let mut wire: Vec<(Ordinal, NanoUsd)> = Vec::new();
            for (kind, unit, amount) in steps {
                let (unit, amount) = (Ordinal(unit), NanoUsd(amount));
                match kind {
                    0 => drop(budget.open(unit, amount)),
                    1 => {
                        if budget.reserve(unit, amount) == Room::Granted {
                            wire.push((unit, amount));
                        }
                    }
                    2 => {
                        if let Some((_, bound)) = wire.pop() {
                            budget.settle(bound, NanoUsd(bound.0.min(amount.0)));
                        }
                    }
                    3 => {
                        if let Some((unit, bound)) = wire.pop() {
                            budget.give_back(unit, bound);
                        }
                    }
                    _ => budget.close(unit),
                }
                prop_assert!(budget.spent + budget.held <= cap);
                let on_the_wire: NanoUsd = wire.iter().map(|(_, bound)| *bound).sum();
                let known: NanoUsd = on_the_wire + budget.accounts.values().copied().sum();
                prop_assert_eq!(budget.held, known);
            }
        }
    }
}

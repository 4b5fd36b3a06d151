//! Depth first: what an admitted unit still needs goes before the first question about the next one.

use std::collections::VecDeque;

/// How urgent a request is. Within a lane it is first come first served.
///
/// Nobody starves: urgent requests belong to units that had their first question before, each unit has one request at
/// a time and a bounded number in all, and no further unit is admitted while the window is full of them. So a first
/// question waits at most for what the units of one window still need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Retries, second questions and confirmations: their unit has cost money or time already.
    Urgent,
    /// The first question about a unit.
    Fresh,
}

/// Two queues, of which the urgent one is served first.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    urgent: VecDeque<T>,
    fresh: VecDeque<T>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { urgent: VecDeque::new(), fresh: VecDeque::new() }
    }
}

impl<T> Lanes<T> {
    pub(super) fn push(&mut self, lane: Lane, waiter: T) {
        match lane {
            Lane::Urgent => self.urgent.push_back(waiter),
            Lane::Fresh => self.fresh.push_back(waiter),
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.urgent.pop_front().or_else(|| self.fresh.pop_front())
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.urgent.front().or_else(|| self.fresh.front())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.fresh.is_empty()
    }
}

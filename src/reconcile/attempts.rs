//! Requests and spend, from attempts that may be told more than once and in any order.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::event::{AttemptId, Ending, Sent, Settled};
use crate::model::hash::PartHasher;
use crate::model::money::NanoUsd;
use crate::model::tally::{Requests, Spend};

/// A set of attempt ids, a bit each.
#[derive(Debug, Default)]
struct IdSet(BTreeMap<u64, u64>);

impl IdSet {
    /// Whether the id is new.
    fn insert(&mut self, id: AttemptId) -> bool {
        let bit = 1 << (id.0 % 64);
        let word = self.0.entry(id.0 / 64).or_default();
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn contains(&self, id: AttemptId) -> bool {
        self.0.get(&(id.0 / 64)).is_some_and(|word| word & (1 << (id.0 % 64)) != 0)
    }
}

/// All attempts of a run.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    sent: IdSet,
    settled: IdSet,
    /// Bounds of the attempts that were sent and have not settled.
    open: HashMap<AttemptId, NanoUsd>,
    /// What was asked in this session: a short hash of unit, stage and request key.
    asked: HashSet<u64>,
    requests: Requests,
    spend: Spend,
}

impl Attempts {
    /// A new process works on the run: what it asks again is a repeat or a replay, not a retry.
    pub(super) fn session(&mut self) {
        self.asked.clear();
    }

    pub(super) fn sent(&mut self, sent: &Sent) {
        if !self.sent.insert(sent.attempt) {
            return;
        }
        self.requests.sent += 1;
        self.requests.repeated += u64::from(sent.repeated);
        let mut question = PartHasher::new("question");
        question.number(sent.ordinal.0).part(sent.stage.as_str().as_bytes()).part(sent.key.as_bytes());
        self.requests.retried += u64::from(!self.asked.insert(question.finish().leading_u64()));
        if !self.settled.contains(sent.attempt) {
            self.open.insert(sent.attempt, sent.bound);
        }
    }

    pub(super) fn settled(&mut self, settled: &Settled) {
        if !self.settled.insert(settled.attempt) {
            return;
        }
        self.open.remove(&settled.attempt);
        self.spend.total += settled.cost;
        match &settled.ending {
            Ending::Replied { usage } => self.spend.usage += usage.unwrap_or_default(),
            Ending::Unknown { .. } => self.spend.presumed += settled.cost,
            Ending::Declined { .. } | Ending::NotSent => {}
        }
    }

    /// Requests and spend, with open attempts at their bound.
    pub(super) fn finish(&self) -> (Requests, Spend) {
        let open: NanoUsd = self.open.values().copied().sum();
        let mut spend = self.spend;
        spend.total += open;
        spend.presumed += open;
        (self.requests, spend)
    }
}

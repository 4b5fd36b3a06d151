//! Requests and spend, from attempts that may be told more than once and in any order.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::anchor::visit_at;
use crate::model::event::{AttemptId, Ending, Judged, Sent, Settled};
use crate::model::hash::PartHasher;
use crate::model::money::NanoUsd;
use crate::model::tally::{Requests, Spend};

/// A set of numbers that lie close together, a bit each.
#[derive(Debug, Default)]
struct NumberSet(BTreeMap<u64, u64>);

impl NumberSet {
    /// Whether the number is new.
    fn insert(&mut self, number: u64) -> bool {
        let bit = 1 << (number % 64);
        let word = self.0.entry(number / 64).or_default();
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn contains(&self, number: u64) -> bool {
        self.0.get(&(number / 64)).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

fn question(sent: &Sent) -> u64 {
    let mut question = PartHasher::new("question");
    question.number(sent.ordinal.0).part(sent.stage.as_str().as_bytes()).part(sent.key.as_bytes());
    question.finish().leading_u64()
}

/// All attempts of a run.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    sent: NumberSet,
    settled: NumberSet,
    /// Bounds of the attempts that were sent and have not settled, and whether they are about anchors.
    open: HashMap<AttemptId, (NanoUsd, bool)>,
    /// What was asked in this session, where the attempts do not say it: a short hash of unit, stage and request key.
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
        if !self.sent.insert(sent.attempt.0) {
            return;
        }
        self.requests.sent += 1;
        self.requests.repeated += u64::from(sent.repeated);
        let is_retry = sent.again.unwrap_or_else(|| !self.asked.insert(question(sent)));
        self.requests.retried += u64::from(is_retry);
        if !self.settled.contains(sent.attempt.0) {
            self.open.insert(sent.attempt, (sent.bound, visit_at(sent.ordinal).is_some()));
        }
    }

    pub(super) fn settled(&mut self, settled: &Settled) {
        if !self.settled.insert(settled.attempt.0) {
            return;
        }
        let sent = self.open.remove(&settled.attempt);
        self.spend.total += settled.cost;
        // Of a visit of several questions only the last end tells.
        if settled.anchor.is_some() || sent.is_some_and(|(_, is_visit)| is_visit) {
            self.spend.anchors += settled.cost;
        }
        match &settled.ending {
            Ending::Replied { usage } => self.spend.usage += usage.unwrap_or_default(),
            Ending::Unknown { .. } => self.spend.presumed += settled.cost,
            Ending::Declined { .. } | Ending::NotSent => {}
        }
    }

    pub(super) fn judged(&mut self, judged: &Judged) {
        self.requests.partly_replayed += u64::from(judged.partly_replayed);
    }

    /// Requests and spend, with open attempts at their bound.
    pub(super) fn finish(&self) -> (Requests, Spend) {
        let open: NanoUsd = self.open.values().map(|(bound, _)| *bound).sum();
        let visits = self.open.values().filter(|(_, is_visit)| *is_visit);
        let mut spend = self.spend;
        spend.anchors += visits.map(|(bound, _)| *bound).sum();
        spend.total += open;
        spend.presumed += open;
        (self.requests, spend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::anchor::ordinal_of;
    use crate::model::event::Event;
    use crate::model::fixture::{replied, sent};
    use crate::model::grading::Stage;

    #[test]
    fn what_goes_to_anchors_is_a_part_of_the_spend() {
        let (unit, visit) = (7, ordinal_of(0).0);
        let mut attempts = Attempts::default();
        let asked =
            [(0, unit), (1, visit), (2, visit), (3, unit)].map(|(attempt, at)| sent(attempt, at, Stage::Screen));
        for event in asked.into_iter().chain([0, 1].map(replied)) {
            if let Event::Sent(sent) = &event {
                attempts.sent(sent);
            }
            if let Event::Settled(settled) = &event {
                attempts.settled(settled);
            }
        }
        let (_, spend) = attempts.finish();
        // A million each for two that were answered, the bound of five for two that are open.
        assert_eq!((spend.total, spend.anchors), (NanoUsd(12_000_000), NanoUsd(6_000_000)));
    }
}

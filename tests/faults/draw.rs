//! Numbers that are random and the same every time.

use assize::model::hash::Digest;

/// Draws of one test run.
pub(crate) struct Draw {
    seed: u64,
    drawn: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A number from `low` to below `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.drawn += 1;
        let bytes = [self.seed.to_le_bytes(), self.drawn.to_le_bytes()].concat();
        low + Digest::of(&bytes).leading_u64() % (high - low)
    }
}

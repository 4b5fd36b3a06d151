//! How much of what was wanted graders were shown, counted.

use std::collections::BTreeMap;

use super::outcome::OutcomeKind;

/// Shares are counted in ten-thousandths, so that sums do not depend on their order.
pub const WHOLE: u16 = 10_000;

/// What was shown at one stage of the admitted units that ended there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextTally {
    /// By how the units ended.
    pub outcomes: BTreeMap<OutcomeKind, SeenTally>,
    /// Units that were not asked about, because too little would have been visible.
    pub below_floor: u64,
    /// By the number of chunks: 0 is a unit that was read in one piece.
    pub by_chunks: BTreeMap<u16, ChunkTally>,
}

/// Units that ended alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeenTally {
    /// Units.
    pub units: u64,
    /// Those of which something that was wanted was not shown.
    pub cut: u64,
    /// Sum of the shares of the wanted context that were shown.
    pub coverage: u64,
    /// The least of them; absent without a unit.
    pub least: Option<u16>,
    /// Units of which it is known how much of the whole conversation was shown.
    pub measured: u64,
    /// Sum of those shares.
    pub of_conversation: u64,
}

/// Units that were read in so many chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkTally {
    /// Units.
    pub units: u64,
    /// Those with a usable verdict.
    pub usable: u64,
    /// Those of them for which the stage's definition holds.
    pub holds: u64,
}

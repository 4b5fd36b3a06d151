//! Why a number is not supported, with what would have to be added.

/// What the design or the data lack. Shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unsupported {
    /// Too few of a cell's units went to people: `wanted` would do. Any sample below 20 that is not everything is too
    /// small to be expanded.
    Unreviewed {
        /// Index of the cell.
        cell: usize,
        /// Which sample is too small.
        phase: Phase,
        /// Units that phase drew from.
        flagged: u64,
        /// Units it decided.
        reviewed: u64,
        /// Units to decide.
        wanted: u64,
    },
    /// A part of the frame without a single usable verdict.
    NotCovered {
        /// Units of that part.
        frame: u64,
        /// Those admitted for grading.
        admitted: u64,
    },
    /// A sensitivity rests on at least 20 known positives, 10 of them detected.
    TooFewKnown {
        /// Those detected.
        detected: u64,
        /// Known positives with a usable verdict.
        known: u64,
    },
    /// The grader may flag what is not there as readily as what is.
    Uninformative {
        /// Lower limit of its sensitivity.
        sensitivity: f64,
        /// Upper limit of the share of negatives that it flags.
        false_flags: f64,
    },
    /// Sensitivities that differ between groups may not be pooled.
    Heterogeneous {
        /// The probability of such a difference if there were none.
        p: f64,
    },
    /// No interval of traffic per turn, and no difference, rests on fewer than 10 clusters with a confirmed unit.
    TooFewClusters {
        /// The clusters with a confirmed unit; the fewer of two groups.
        affected: u64,
    },
    /// Nothing was confirmed on either side, so that there is nothing to compare.
    NothingConfirmed,
    /// Too little blind gold: at least 50 positives and 100 near misses in all.
    TooLittleGold {
        /// Positives.
        positives: u64,
        /// Near misses.
        near_misses: u64,
    },
    /// Reviewers confirm what is not there as readily as what is.
    ReviewUninformative {
        /// Share of true positives that review confirms.
        sensitivity: f64,
        /// Share of near misses that it confirms.
        false_confirmations: f64,
    },
}

/// A sample whose units people decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Flagged units, reviewed.
    Review,
    /// Units that passed the review and were drawn for another look.
    Third,
}

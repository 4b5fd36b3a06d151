//! The weighted total A: how many units of the whole frame this funnel would confirm, with its variance by phase and by
//! cluster.
//!
//! The estimator is that of D. G. Horvitz and D. J. Thompson (Journal of the American Statistical Association 47, 1952)
//! in two or three phases (J. Neyman, ibid. 33, 1938): every confirmed unit counts with the inverse of the probability
//! that it was graded, reviewed and looked at once more. What chance adds to a count of rare events is taken to be
//! Poisson; units of one conversation, or copies of one content, count as one event.

use thiserror::Error;

use super::cell::{Cell, Contribution, ExpectedCell};
use super::clusters::{Weighted, clustering};
use super::support::Unsupported;

/// One confirmed unit: which cell it belongs to and what it may be repeated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positive {
    /// Index of its cell.
    pub cell: usize,
    /// Key of its conversation within its group.
    pub conversation: u64,
    /// Key of its content: units that are copies of each other share it.
    pub content: u64,
}

/// Why cells and confirmed units are not one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// More of a cell than of what it was drawn from, or an expansion below 1.
    #[error("count cell `{cell}`: its numbers contradict each other")]
    Counts {
        /// Index of the cell.
        cell: usize,
    },
    /// A confirmed unit of a cell that is not there.
    #[error("place a confirmed unit: there is no cell `{cell}`")]
    UnknownCell {
        /// The index it gives.
        cell: usize,
    },
    /// A cell must count as many confirmed units as are listed.
    #[error("count cell `{cell}`: {listed} confirmed units are listed, {confirmed} are counted")]
    Positives {
        /// Index of the cell.
        cell: usize,
        /// Units counted.
        confirmed: u64,
        /// Units listed.
        listed: u64,
    },
}

/// A sample of the frame on its way through gate and review: its cells, and every confirmed unit with its cluster keys.
#[derive(Debug, Clone)]
pub struct Funnel {
    cells: Vec<Cell>,
    /// Conversation and content of the confirmed units, in the order of the cells.
    positives: Vec<(u64, u64)>,
    /// Where each cell's units begin, and where the last one's end.
    starts: Vec<usize>,
}

/// A weighted total with what its limits are made of. Every field is a number of units, or their square, and finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total {
    /// Units of the frame that the funnel would confirm, A.
    pub estimate: f64,
    /// Variance of A if no two units belonged together, v2.
    pub sampling: f64,
    /// What clusters add to it, X.
    pub between: f64,
    /// The weight of the heaviest unit or cluster that was or could have been confirmed, w: at least 1.
    pub weight: f64,
    /// Clusters with a confirmed unit.
    pub affected: u64,
    /// Whether everything was graded and everything flagged was decided: then A is a count of this corpus.
    pub is_census: bool,
}

impl Total {
    const NOTHING: Self =
        Self { estimate: 0.0, sampling: 0.0, between: 0.0, weight: 1.0, affected: 0, is_census: true };

    /// The total of cells as they are expected to turn out, every confirmed unit in a cluster of its own: the same sums
    /// as of counted cells. `affected` is the expected number of confirmed units, rounded down.
    ///
    /// # Errors
    ///
    /// [`Unsupported::Unreviewed`] of the first cell of which too little will be decided.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an expected count is not negative, and the cast saturates"
    )]
    pub fn expected(cells: &[ExpectedCell]) -> Result<Self, Unsupported> {
        let (mut total, mut confirmed) = (Self::NOTHING, 0.0);
        for (index, cell) in cells.iter().enumerate() {
            if let Some(shortage) = cell.shortage(index) {
                return Err(shortage);
            }
            total.add(cell.expansion, &cell.contribution(), cell.is_reviewed_in_full());
            confirmed += cell.confirmed;
        }
        // Sums of shares end up a last bit below the whole number that they are.
        total.affected = (confirmed * (1.0 + 1e-12)) as u64;
        Ok(total)
    }

    fn add(&mut self, expansion: f64, part: &Contribution, is_reviewed_in_full: bool) {
        self.estimate += expansion * part.total;
        self.sampling += expansion * expansion * (part.total + part.review_variance);
        self.weight = self.weight.max(expansion * part.weight);
        self.is_census &= expansion <= 1.0 && is_reviewed_in_full;
    }

    /// The variance of A for the traffic that the frame was drawn from, v.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.sampling + self.between
    }

    /// The same total for this corpus only, in which a true positive is detected with probability `sensitivity` (0 to
    /// 1): v2 - Se A + (1 - Se) X. What the grader misses remains random even in a census. With a sensitivity of 1 it
    /// is the total of what the funnel would confirm, which a census knows.
    #[must_use]
    pub fn of_corpus(self, sensitivity: f64) -> Self {
        Self {
            // Of an expansion of at least 1, v2 is no less than A, up to rounding.
            sampling: (self.sampling - sensitivity * self.estimate).max(0.0),
            between: (1.0 - sensitivity) * self.between,
            ..self
        }
    }

    /// The total with `count` more units that count as confirmed, each standing for `expansion` units of the frame and
    /// belonging with no other.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn with_confirmed(self, count: u64, expansion: f64) -> Self {
        if count == 0 {
            return self;
        }
        Self {
            estimate: self.estimate + count as f64 * expansion,
            sampling: self.sampling + count as f64 * expansion * expansion,
            weight: self.weight.max(expansion),
            affected: self.affected + count,
            ..self
        }
    }

    /// The correlation r of two parts of this total: what clusters with units of both add, over the standard deviations.
    #[must_use]
    pub fn correlation(&self, first: &Self, second: &Self) -> f64 {
        let deviations = (first.variance() * second.variance()).sqrt();
        let shared = (self.between - first.between - second.between) / 2.0;
        if deviations > 0.0 { (shared / deviations).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Flagged units that people did not confirm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cleared {
    /// Those among the graded units, the sum of a - a p.
    pub units: f64,
    /// Those that they stand for, the sum of ex (a - a p).
    pub expanded: f64,
}

impl Funnel {
    /// A sample from its cells and confirmed units, in any order of the latter. Time and memory are those of the lists.
    /// A stratum in which nothing was flagged needs a cell too: what could have been confirmed there widens the limits.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the numbers contradict each other.
    pub fn new(cells: Vec<Cell>, positives: &[Positive]) -> Result<Self, Malformed> {
        if let Some(cell) = cells.iter().position(|cell| !cell.is_sound()) {
            return Err(Malformed::Counts { cell });
        }
        let mut listed = vec![0_usize; cells.len()];
        for Positive { cell, .. } in positives {
            *listed.get_mut(*cell).ok_or(Malformed::UnknownCell { cell: *cell })? += 1;
        }
        let mut starts = Vec::with_capacity(cells.len() + 1);
        let mut end = 0;
        for (cell, (Cell { confirmed, .. }, count)) in cells.iter().zip(&listed).enumerate() {
            let listed = u64::try_from(*count).unwrap_or(u64::MAX);
            if listed != *confirmed {
                return Err(Malformed::Positives { cell, confirmed: *confirmed, listed });
            }
            starts.push(end);
            end += count;
        }
        starts.push(end);
        let mut free = starts.clone();
        let mut sorted = vec![(0, 0); end];
        for Positive { cell, conversation, content } in positives {
            sorted[free[*cell]] = (*conversation, *content);
            free[*cell] += 1;
        }
        Ok(Self { cells, positives: sorted, starts })
    }

    /// The cells, in the order they were given.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// What people would have to decide before the cells that `keep` names can be counted, in the order of the cells.
    pub fn shortages(&self, keep: impl Fn(usize) -> bool) -> impl Iterator<Item = Unsupported> {
        let kept = self.cells.iter().enumerate().filter(move |(index, _)| keep(*index));
        kept.filter_map(|(index, cell)| cell.shortage(index))
    }

    /// The weighted total of the cells that `keep` names.
    ///
    /// # Errors
    ///
    /// The first of [`Funnel::shortages`].
    pub fn total(&self, keep: impl Fn(usize) -> bool) -> Result<Total, Unsupported> {
        self.total_at(|index| keep(index).then(|| self.cells[index].expansion))
    }

    /// The total of the cells for which `expansion` gives one, with that one (at least 1) in place of their own. Time
    /// grows with the number of cells and with n log n in the confirmed units of those kept.
    ///
    /// # Errors
    ///
    /// The first of [`Funnel::shortages`].
    pub fn total_at(&self, expansion: impl Fn(usize) -> Option<f64>) -> Result<Total, Unsupported> {
        let mut total = Total::NOTHING;
        let mut units = Vec::new();
        for (index, cell) in self.cells.iter().enumerate() {
            let Some(expansion) = expansion(index) else { continue };
            if let Some(shortage) = cell.shortage(index) {
                return Err(shortage);
            }
            let part = cell.contribution();
            total.add(expansion, &part, cell.is_reviewed_in_full());
            units.extend(self.units_of(index, expansion * part.weight));
        }
        let clusters = clustering(&mut units);
        total.between = clusters.between;
        total.weight = total.weight.max(clusters.heaviest);
        total.affected = clusters.affected;
        Ok(total)
    }

    /// The confirmed units of the cells that `keep` names, unweighted: what was found, and no estimate of anything else.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn floor(&self, keep: impl Fn(usize) -> bool) -> Total {
        let kept = (0..self.cells.len()).filter(|index| keep(*index));
        let mut units: Vec<_> = kept.flat_map(|index| self.units_of(index, 1.0)).collect();
        let clusters = clustering(&mut units);
        let found = units.len() as f64;
        Total {
            estimate: found,
            sampling: found,
            between: clusters.between,
            weight: clusters.heaviest.max(1.0),
            affected: clusters.affected,
            is_census: true,
        }
    }

    /// Flagged units of the cells that `keep` names that people did not or would not confirm. Cells without a decision
    /// count in full.
    #[must_use]
    pub fn cleared(&self, keep: impl Fn(usize) -> bool) -> Cleared {
        let mut cleared = Cleared { units: 0.0, expanded: 0.0 };
        for (flagged, share, expansion) in self.shares(keep) {
            cleared.units += flagged * (1.0 - share);
            cleared.expanded += expansion * flagged * (1.0 - share);
        }
        cleared
    }

    /// The total of the cells that `keep` names with each cell's confirmed share of the flagged passed through `change`.
    #[must_use]
    pub fn changed(&self, keep: impl Fn(usize) -> bool, change: impl Fn(f64) -> f64) -> f64 {
        self.shares(keep).map(|(flagged, share, expansion)| expansion * flagged * change(share)).sum()
    }

    /// Flagged units, confirmed share and expansion.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn shares(&self, keep: impl Fn(usize) -> bool) -> impl Iterator<Item = (f64, f64, f64)> {
        let kept = self.cells.iter().enumerate().filter(move |(index, _)| keep(*index));
        kept.map(|(_, cell)| (cell.flagged as f64, cell.contribution().share, cell.expansion))
    }

    fn units_of(&self, cell: usize, weight: f64) -> impl Iterator<Item = Weighted> {
        let positives = &self.positives[self.starts[cell]..self.starts[cell + 1]];
        positives.iter().map(move |(conversation, content)| Weighted {
            conversation: *conversation,
            content: *content,
            weight,
        })
    }
}

//! The weighted total A: how many units of the whole frame this funnel would confirm, with its variance by phase and by
//! cluster.
//!
//! The estimator is that of D. G. Horvitz and D. J. Thompson (Journal of the American Statistical Association 47, 1952)
//! in two or three phases (J. Neyman, ibid. 33, 1938): every confirmed unit counts with the inverse of the probability
//! that it was graded, reviewed and looked at once more. What chance adds to a count of rare events is taken to be
//! Poisson; units of one conversation, or copies of one content, count as one event.

use thiserror::Error;

use super::cell::{Cell, Contribution, ExpectedCell};
use super::clusters::{Weighted, clustering, most_together};
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
    /// Key of the conversation that was drawn with all of its units, this one among them; no two strata share one. Absent
    /// where units were drawn one by one.
    pub drawn_with: Option<u64>,
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
    /// The confirmed units, in the order of the cells.
    positives: Vec<Positive>,
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
    /// The part of X that drawing conversations whole adds even if the corpus is all there is, Z: 0 where units were drawn
    /// one by one, and where everything was graded.
    pub together: f64,
    /// The weight of the heaviest unit or cluster that was or could have been confirmed, w: at least 1. Where
    /// conversations were drawn whole, any that was drawn could have held as many confirmed units as any of them does.
    pub weight: f64,
    /// Clusters with a confirmed unit.
    pub affected: u64,
    /// Whether everything was graded and everything flagged was decided: then A is a count of this corpus.
    pub is_census: bool,
}

impl Total {
    /// The total of no cell at all.
    const NOTHING: Self =
        Self { estimate: 0.0, sampling: 0.0, between: 0.0, together: 0.0, weight: 1.0, affected: 0, is_census: true };

    /// The total of cells as they are expected to turn out, every confirmed unit in a cluster of its own: the same sums
    /// as of counted cells. `affected` is the expected number of confirmed units, rounded down.
    ///
    /// # Errors
    ///
    /// [`Unsupported::Unreviewed`] of the first cell of which too little will be decided.
    pub fn expected(cells: &[ExpectedCell]) -> Result<Self, Unsupported> {
        Self::expected_together(cells, 1.0)
    }

    /// As [`Total::expected`], where conversations are drawn whole and each of those with a confirmed unit holds so many
    /// (at least 1), all in one cell.
    ///
    /// # Errors
    ///
    /// As [`Total::expected`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an expected count is not negative, and the cast saturates"
    )]
    pub fn expected_together(cells: &[ExpectedCell], size: f64) -> Result<Self, Unsupported> {
        let (mut total, mut confirmed) = (Self::NOTHING, 0.0);
        for (index, cell) in cells.iter().enumerate() {
            if let Some(shortage) = cell.shortage(index) {
                return Err(shortage);
            }
            let part = cell.contribution();
            total.add(cell.expansion, &part, cell.is_reviewed_in_full());
            // Every unit makes `size - 1` pairs, each counted from both ends.
            let pairs = (size - 1.0) * cell.expansion * part.weight * cell.expansion * part.total;
            total.between += pairs;
            total.together += pairs * (1.0 - cell.expansion.recip());
            confirmed += cell.confirmed;
        }
        total.weight *= size;
        // Sums of shares end up a last bit below the whole number that they are.
        total.affected = (confirmed / size * (1.0 + 1e-12)) as u64;
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
    /// 1): v2 - Se A + (1 - Se) X + Se Z. What the grader misses remains random even in a census. With a sensitivity of 1
    /// it is the total of what the funnel would confirm, which a census knows.
    ///
    /// X - Se (X - Z) is the sum, over pairs of one cluster, of twice w w' (1 - Se) if they were drawn apart and of
    /// twice w w' (1 - Se / ex) if they were drawn together. For suppose that the grader detects both true positives of
    /// a pair or neither, which is the most that they can depend on each other. Drawn apart, both are in the sample with
    /// probability 1/ex^2: over draws and verdicts, the covariance of their expanded counts is Se - Se^2, and what they
    /// add to X is Se on average, of which the covariance is the part 1 - Se. Drawn together, both are in it with
    /// probability 1/ex: the covariance is ex Se - Se^2, and they add ex Se to X, of which it is the part 1 - Se / ex. The
    /// sampling of reviews is in w w' and cancels. A conversation drawn whole lies in one stratum, so that pairs of a
    /// cluster across strata (copies, or conversations of one person) were drawn apart.
    #[must_use]
    pub fn of_corpus(self, sensitivity: f64) -> Self {
        Self {
            // Of an expansion of at least 1, v2 is no less than A, up to rounding.
            sampling: (self.sampling - sensitivity * self.estimate).max(0.0),
            // Departs from section 4 of the formulas, which has (1 - Se) X for any draw: with conversations drawn whole it
            // covered 0.731 in the worst scenario of `benches/coverage`, without the weight of `Funnel::sum`. With both it
            // covers 0.971.
            between: (1.0 - sensitivity) * self.between + sensitivity * self.together,
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
        let mut sorted = positives.to_vec();
        for positive in positives {
            sorted[free[positive.cell]] = *positive;
            free[positive.cell] += 1;
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

    /// The weighted total of the cells that `keep` names as a part of those that `whole` names: a conversation of the part
    /// could have held as many confirmed units as any of the whole does, also where nothing was confirmed in the part.
    ///
    /// # Errors
    ///
    /// The first of [`Funnel::shortages`] of the part.
    pub fn part(&self, keep: impl Fn(usize) -> bool, whole: impl Fn(usize) -> bool) -> Result<Total, Unsupported> {
        self.sum(|index| keep(index).then(|| self.cells[index].expansion), whole)
    }

    /// The total of the cells for which `expansion` gives one, with that one (at least 1) in place of their own. Time
    /// grows with the number of cells and with n log n in the confirmed units of those kept.
    ///
    /// # Errors
    ///
    /// The first of [`Funnel::shortages`].
    pub fn total_at(&self, expansion: impl Fn(usize) -> Option<f64>) -> Result<Total, Unsupported> {
        self.sum(&expansion, |index| expansion(index).is_some())
    }

    fn sum(
        &self,
        expansion: impl Fn(usize) -> Option<f64>,
        whole: impl Fn(usize) -> bool,
    ) -> Result<Total, Unsupported> {
        let mut total = Total::NOTHING;
        let mut units = Vec::new();
        for (index, cell) in self.cells.iter().enumerate() {
            let Some(expansion) = expansion(index) else { continue };
            if let Some(shortage) = cell.shortage(index) {
                return Err(shortage);
            }
            let part = cell.contribution();
            let weight = expansion * part.weight;
            total.add(expansion, &part, cell.is_reviewed_in_full());
            units.extend(self.units_of(index, expansion, weight));
        }
        let clusters = clustering(&mut units);
        total.between = clusters.between;
        total.together = clusters.together;
        // Departs from section 2 of the formulas, which has the heaviest unit: a stratum without a confirmed unit shows no
        // cluster, and a conversation of it, drawn whole, could have held many. In the worst scenarios of
        // `benches/coverage` the catchable and the corrected rate of the traffic covered 0.869 and 0.888; with this, 0.961
        // and 0.965.
        total.weight *= f64::from(self.most_together(whole));
        total.weight = total.weight.max(clusters.heaviest);
        total.affected = clusters.affected;
        Ok(total)
    }

    /// The confirmed units of the cells that `keep` names, unweighted: what was found, and no estimate of anything else.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn floor(&self, keep: impl Fn(usize) -> bool) -> Total {
        let kept = (0..self.cells.len()).filter(|index| keep(*index));
        let mut units: Vec<_> = kept.flat_map(|index| self.units_of(index, 1.0, 1.0)).collect();
        let clusters = clustering(&mut units);
        let found = units.len() as f64;
        Total {
            estimate: found,
            sampling: found,
            between: clusters.between,
            together: clusters.together,
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

    fn positives_of(&self, cell: usize) -> &[Positive] {
        &self.positives[self.starts[cell]..self.starts[cell + 1]]
    }

    fn units_of(&self, cell: usize, expansion: f64, weight: f64) -> impl Iterator<Item = Weighted> {
        self.positives_of(cell).iter().map(move |unit| Weighted {
            conversation: unit.conversation,
            content: unit.content,
            drawn_with: unit.drawn_with,
            expansion,
            weight,
        })
    }

    /// The most confirmed units of one conversation that was drawn whole, in the cells that `keep` names; at least 1.
    fn most_together(&self, keep: impl Fn(usize) -> bool) -> u32 {
        let kept = (0..self.cells.len()).filter(|cell| keep(*cell));
        most_together(kept.flat_map(|cell| self.positives_of(cell)).filter_map(|unit| unit.drawn_with))
    }
}

//! The cross table of two graders, and the agreements that are plain shares.

use crate::estimate::interval::{Limits, Share, clopper_pearson};
use crate::estimate::number::{float, length};
use crate::model::rate::Level;

/// Units by the category that each of two graders gave them; categories in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    cells: Vec<Vec<u64>>,
    rows: Vec<u64>,
    columns: Vec<u64>,
    total: u64,
}

impl Table {
    /// The table whose row is the first grader's category and whose column is the second's. None unless it is square,
    /// with at least two categories, at least one unit and fewer than 2^53.
    #[must_use]
    pub fn new(cells: Vec<Vec<u64>>) -> Option<Self> {
        let count = cells.len();
        if count < 2 || cells.iter().any(|row| row.len() != count) {
            return None;
        }
        let total = cells.iter().flatten().try_fold(0_u64, |sum, cell| sum.checked_add(*cell))?;
        if total == 0 || total >= 1 << f64::MANTISSA_DIGITS {
            return None;
        }
        let rows = cells.iter().map(|row| row.iter().sum()).collect();
        let columns = (0..count).map(|column| cells.iter().map(|row| row[column]).sum()).collect();
        Some(Self { cells, rows, columns, total })
    }

    /// Units with the same category from both, of all units. Its limits are [`clopper_pearson`]'s.
    #[must_use]
    pub fn percent_agreement(&self) -> Share {
        let same = (0..self.categories()).map(|category| self.cells[category][category]).sum();
        Share::new(same, self.total).expect("a table has a unit, and its diagonal is part of it")
    }

    /// Percent agreement p over q categories, set against even chances: (p - 1/q) / (1 - 1/q), from -1/(q - 1) to 1
    /// (Bennett, Alpert and Goldstein, Public Opinion Quarterly 18, 1954; the prevalence- and bias-adjusted kappa of
    /// Byrt, Bishop and Carlin, Journal of Clinical Epidemiology 46, 1993).
    #[must_use]
    pub fn pabak(&self) -> f64 {
        let chance = length(self.categories()).recip();
        (self.percent_agreement().estimate() - chance) / (1.0 - chance)
    }

    /// How far the two agree on one category: positive agreement where it is the positive one, negative agreement where
    /// it is the other of two. None if there is no such category, or nobody used it.
    #[must_use]
    pub fn agreement_on(&self, category: usize) -> Option<SpecificAgreement> {
        let both = *self.cells.get(category)?.get(category)?;
        let either = self.rows[category] + self.columns[category] - both;
        Share::new(both, either).map(|both_of_either| SpecificAgreement { both_of_either })
    }

    pub(super) const fn categories(&self) -> usize {
        self.cells.len()
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Shares of the first grader's categories.
    pub(super) fn row_shares(&self) -> Vec<f64> {
        self.rows.iter().map(|row| float(*row) / float(self.total)).collect()
    }

    /// Shares of the second grader's categories.
    pub(super) fn column_shares(&self) -> Vec<f64> {
        self.columns.iter().map(|column| float(*column) / float(self.total)).collect()
    }

    /// Of all gradings by either, the share that went to other categories than each.
    pub(super) fn other_shares(&self) -> Vec<f64> {
        let others =
            self.rows.iter().zip(&self.columns).map(|(row, column)| (self.total - row) + (self.total - column));
        others.map(|others| float(others) / (2.0 * float(self.total))).collect()
    }

    /// The mean over all units of `figure`, a function of their two categories.
    pub(super) fn mean(&self, figure: impl Fn(usize, usize) -> f64) -> f64 {
        let mut sum = 0.0;
        for (row, cells) in self.cells.iter().enumerate() {
            for (column, units) in cells.iter().enumerate() {
                sum += float(*units) * figure(row, column);
            }
        }
        sum / float(self.total)
    }
}

/// Agreement on one category: with a units that both put there, b that only the first and c that only the second did,
/// 2a / (2a + b + c) (Dice, Ecology 26, 1945; as positive and negative agreement, Cicchetti and Feinstein, Journal of
/// Clinical Epidemiology 43, 1990).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecificAgreement {
    both_of_either: Share,
}

impl SpecificAgreement {
    /// Units that both put into the category, of those that at least one did.
    #[must_use]
    pub const fn both_of_either(self) -> Share {
        self.both_of_either
    }

    /// The agreement: 0 where the two never meet, 1 where they always do.
    #[must_use]
    pub fn estimate(self) -> f64 {
        doubled(self.both_of_either.estimate())
    }

    /// Exact limits, not a normal approximation. Given that at least one of the two used the category, whether both did
    /// is one trial per unit: a of a + b + c is binomial with rate p, and the agreement 2p / (1 + p) rises with p. So
    /// the limits of Clopper and Pearson for p, carried over, cover at least as often as `level` says, also at a = 0
    /// (lower limit 0) and b + c = 0 (upper limit 1). Units must have been drawn independently of each other.
    #[must_use]
    pub fn limits(self, level: Level) -> Limits {
        let Limits { lower, upper } = clopper_pearson(self.both_of_either, level);
        Limits { lower: doubled(lower), upper: doubled(upper) }
    }
}

/// Dice's coefficient from Jaccard's.
fn doubled(jaccard: f64) -> f64 {
    2.0 * jaccard / (1.0 + jaccard)
}

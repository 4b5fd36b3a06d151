//! One cell of a two-phase or three-phase sample: a slice of the frame with one machine outcome.

use super::support::{Phase, Unsupported};

/// The smallest sample that may be expanded to more than itself.
const LEAST_SAMPLE: u64 = 20;

/// What is asked for where a sample is too small, unless there are fewer units.
const WANTED_SAMPLE: u64 = 50;

/// Units of one slice of the frame that the machine flagged, and what people said about those they decided. Copies of
/// one content count as often as they occur.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Units of the frame per unit with a usable verdict, N/g: at least 1.
    pub expansion: f64,
    /// Units that the machine flagged, a.
    pub flagged: u64,
    /// Those that a review decided, n; drawn at random unless they are all.
    pub reviewed: u64,
    /// Those confirmed in the last phase, k.
    pub confirmed: u64,
    /// A sample of the reviewed that was looked at once more.
    pub third: Option<ThirdPhase>,
}

/// A random sample of the units that passed a review, decided once more: `Cell::confirmed` counts among these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThirdPhase {
    /// Reviewed units that passed, b.
    pub passed: u64,
    /// Those decided once more, r.
    pub reviewed: u64,
}

/// What one cell contributes, before it is expanded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contribution {
    /// Share of the flagged units that is confirmed, p.
    pub(super) share: f64,
    /// Expected confirmed units, a p.
    pub(super) total: f64,
    /// Variance of the review alone; what the draw adds is the total itself.
    pub(super) review_variance: f64,
    /// Flagged units that one confirmed unit stands for; at least 1.
    pub(super) weight: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Cell {
    /// Whether the counts can be: k <= n <= a, or k <= r <= b <= n <= a, and the expansion is at least 1.
    pub(super) fn is_sound(&self) -> bool {
        let decided = match self.third {
            None => self.reviewed,
            Some(third) if third.passed <= self.reviewed => third.reviewed.min(third.passed),
            Some(_) => return false,
        };
        let third_fits = self.third.is_none_or(|third| third.reviewed <= third.passed);
        let counts_fit = self.confirmed <= decided && third_fits && self.reviewed <= self.flagged;
        counts_fit && self.expansion >= 1.0 && self.expansion.is_finite()
    }

    /// Whether people decided every flagged unit.
    pub(super) fn is_reviewed_in_full(&self) -> bool {
        self.reviewed == self.flagged && self.third.is_none_or(|third| third.reviewed == third.passed)
    }

    /// What people would have to decide before the cell can be used.
    pub(super) fn shortage(&self, cell: usize) -> Option<Unsupported> {
        let too_few = |phase, flagged: u64, reviewed: u64| {
            let wanted = flagged.min(WANTED_SAMPLE);
            (reviewed < flagged && reviewed < LEAST_SAMPLE).then_some(Unsupported::Unreviewed {
                cell,
                phase,
                flagged,
                reviewed,
                wanted,
            })
        };
        let third = || self.third.and_then(|third| too_few(Phase::Third, third.passed, third.reviewed));
        too_few(Phase::Review, self.flagged, self.reviewed).or_else(third)
    }

    /// The cell's part of the total, its variance and its weight. Only of a cell without a shortage.
    pub(super) fn contribution(&self) -> Contribution {
        if self.flagged == 0 || self.reviewed == 0 {
            return Contribution { share: 0.0, total: 0.0, review_variance: 0.0, weight: 1.0 };
        }
        let (flagged, reviewed) = (self.flagged as f64, self.reviewed as f64);
        let spread = flagged / reviewed;
        let (passed, kept, weight) = match self.third {
            None => (self.confirmed as f64, 0.0, spread),
            Some(third) if third.reviewed == 0 => (0.0, 0.0, spread),
            Some(ThirdPhase { passed, reviewed: again }) => {
                let share = self.confirmed as f64 / again as f64;
                let variance = sample_variance(passed, again, self.confirmed as f64);
                (passed as f64 * share, spread * spread * variance, spread * passed as f64 / again as f64)
            }
        };
        let share = passed / reviewed;
        let review_variance = sample_variance(self.flagged, self.reviewed, passed) + kept;
        Contribution { share, total: flagged * share, review_variance, weight }
    }
}

/// The variance of the total of `all` units, estimated from `k` among `n` of them drawn without replacement. Where a
/// small or unanimous sample would claim too much, one more unit of either kind is counted.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn sample_variance(all: u64, n: u64, k: f64) -> f64 {
    /// From here on a sample's own share is good enough, unless it is unanimous.
    const LARGE_SAMPLE: u64 = 50;
    if n >= all || n < 2 {
        return 0.0;
    }
    let (total, drawn) = (all as f64, n as f64);
    let is_unanimous = k >= drawn;
    let p = if k > 0.0 && (n < LARGE_SAMPLE || is_unanimous) { (k + 1.0) / (drawn + 2.0) } else { k / drawn };
    total * total * (1.0 - drawn / total) * p * (1.0 - p) / (drawn - 1.0)
}

//! One cell of a two-phase or three-phase sample: a slice of the frame with one machine outcome.

use super::support::{Phase, Unsupported};

/// The smallest sample that may be expanded to more than itself.
const LEAST_SAMPLE: u32 = 20;

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
            (reviewed < flagged && reviewed < u64::from(LEAST_SAMPLE)).then_some(Unsupported::Unreviewed {
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
        let (flagged, reviewed) = (self.flagged as f64, self.reviewed as f64);
        let Some(ThirdPhase { passed, reviewed: again }) = self.third.filter(|_| self.flagged > 0 && self.reviewed > 0)
        else {
            return two_phases(flagged, reviewed, self.confirmed as f64);
        };
        let (passed, again, confirmed) = (passed as f64, again as f64, self.confirmed as f64);
        if again <= 0.0 {
            return two_phases(flagged, reviewed, 0.0);
        }
        let spread = flagged / reviewed;
        let kept = two_phases(flagged, reviewed, passed * (confirmed / again));
        Contribution {
            review_variance: kept.review_variance + spread * spread * sample_variance(passed, again, confirmed),
            weight: spread * passed / again,
            ..kept
        }
    }
}

/// A cell as it is expected to turn out, before anything is graded: counts that need not be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedCell {
    /// Units of the frame per unit with a usable verdict: at least 1.
    pub expansion: f64,
    /// Units that the machine will flag.
    pub flagged: f64,
    /// Those that a review will decide: drawn at random unless they are all.
    pub reviewed: f64,
    /// Those that it will confirm.
    pub confirmed: f64,
}

impl ExpectedCell {
    /// What people would have to decide before such a cell could be used.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an expected count is not negative, and the cast saturates"
    )]
    pub(super) fn shortage(&self, cell: usize) -> Option<Unsupported> {
        let flagged = self.flagged.ceil() as u64;
        (self.reviewed < self.flagged && self.reviewed < f64::from(LEAST_SAMPLE)).then(|| Unsupported::Unreviewed {
            cell,
            phase: Phase::Review,
            flagged,
            reviewed: self.reviewed as u64,
            wanted: flagged.min(WANTED_SAMPLE),
        })
    }

    pub(super) fn is_reviewed_in_full(&self) -> bool {
        self.reviewed >= self.flagged
    }

    pub(super) fn contribution(&self) -> Contribution {
        two_phases(self.flagged, self.reviewed, self.confirmed)
    }
}

/// What a cell of two phases contributes: `flagged` units, of which `reviewed` were decided and `confirmed` confirmed.
fn two_phases(flagged: f64, reviewed: f64, confirmed: f64) -> Contribution {
    if flagged <= 0.0 || reviewed <= 0.0 {
        return Contribution { share: 0.0, total: 0.0, review_variance: 0.0, weight: 1.0 };
    }
    let share = confirmed / reviewed;
    let review_variance = sample_variance(flagged, reviewed, confirmed);
    Contribution { share, total: flagged * share, review_variance, weight: flagged / reviewed }
}

/// The variance of the total of `all` units, estimated from `k` among `n` of them drawn without replacement. Where a
/// small or unanimous sample would claim too much, one more unit of either kind is counted.
fn sample_variance(all: f64, n: f64, k: f64) -> f64 {
    /// From here on a sample's own share is good enough, unless it is unanimous.
    const LARGE_SAMPLE: f64 = 50.0;
    if n >= all || n < 2.0 {
        return 0.0;
    }
    let is_unanimous = k >= n;
    let p = if k > 0.0 && (n < LARGE_SAMPLE || is_unanimous) { (k + 1.0) / (n + 2.0) } else { k / n };
    all * all * (1.0 - n / all) * p * (1.0 - p) / (n - 1.0)
}

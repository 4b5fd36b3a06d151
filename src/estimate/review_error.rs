//! What if people err: how much of a total would be left if reviewers confirm falsely as often as they did on blind gold.

use super::interval::{Share, clopper_pearson};
use super::support::Unsupported;
use super::total::{Cleared, Funnel, Total};
use crate::model::gold::LEAST_GOLD;
use crate::model::rate::Level;

/// False confirmations are worth a warning from this share of the total on.
const NOTICEABLE: f64 = 0.1;

/// How the whole review procedure, with all its seats, decides units whose truth is known and that it does not know from
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewError {
    positives: Share,
    near_misses: Share,
}

impl ReviewError {
    /// Confirmed ones among true positives, and among negatives that look flagged.
    ///
    /// # Errors
    ///
    /// [`Unsupported::TooLittleGold`] with fewer than 50 positives or 100 near misses,
    /// [`Unsupported::ReviewUninformative`] if positives are not confirmed more often than near misses.
    pub fn new(positives: Share, near_misses: Share) -> Result<Self, Unsupported> {
        let counts = [positives, near_misses].map(|share| share.k() + share.rest());
        if counts[0] < LEAST_GOLD.positive || counts[1] < LEAST_GOLD.near_miss {
            return Err(Unsupported::TooLittleGold { positives: counts[0], near_misses: counts[1] });
        }
        let (sensitivity, false_confirmations) = (positives.estimate(), near_misses.estimate());
        if sensitivity <= false_confirmations {
            return Err(Unsupported::ReviewUninformative { sensitivity, false_confirmations });
        }
        Ok(Self { positives, near_misses })
    }

    /// The share of true positives behind a confirmed share, max(0, (p - f) / (s - f)) and at most 1 (W. J. Rogan and B.
    /// Gladen, American Journal of Epidemiology 107, 1978).
    #[must_use]
    pub fn corrected_share(&self, confirmed: f64) -> f64 {
        let (s, f) = (self.positives.estimate(), self.near_misses.estimate());
        ((confirmed - f) / (s - f)).clamp(0.0, 1.0)
    }

    /// The total of the cells that `keep` names, corrected cell by cell. A figure to compare with, never the headline.
    #[must_use]
    pub fn corrected_total(&self, funnel: &Funnel, keep: impl Fn(usize) -> bool) -> f64 {
        funnel.changed(keep, |share| self.corrected_share(share))
    }

    /// How many units of a total may be confirmed falsely: the upper limit of their probability times the units that were
    /// not confirmed.
    #[must_use]
    pub fn most_false(&self, cleared: Cleared, level: Level) -> f64 {
        clopper_pearson(self.near_misses, level).upper * cleared.expanded
    }

    /// Whether these may be more than a tenth of the total.
    #[must_use]
    pub fn is_noticeable(&self, total: &Total, cleared: Cleared, level: Level) -> bool {
        self.most_false(cleared, level) > NOTICEABLE * total.estimate
    }
}

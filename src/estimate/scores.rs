//! How well scores rank units: the curves, the area under them, and what a reviewer would find.
//!
//! A score may be anything that is higher where a positive is likelier; only its order matters here. Whether it is a
//! probability is asked in [`calibration`](super::calibration). The units must be a sample of the traffic: precision
//! says nothing where positives were picked.

use super::interval::{Limits, Share, clopper_pearson};
use super::number::float;
use super::special::normal_quantile;
use crate::model::rate::Level;

/// Scored units whose truth is known, in ascending order of score; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    units: Vec<(f64, bool)>,
    positives: u64,
}

/// Units with the same score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tie {
    pub(super) score: f64,
    pub(super) positives: u64,
    pub(super) others: u64,
}

impl Scores {
    /// Scores with whether the unit is positive. None if there are none, or if one is not a number or is beyond 1e300.
    #[must_use]
    pub fn new(mut units: Vec<(f64, bool)>) -> Option<Self> {
        const LARGEST: f64 = 1e300;
        if units.is_empty() || units.iter().any(|(score, _)| score.is_nan() || score.abs() > LARGEST) {
            return None;
        }
        for (score, _) in &mut units {
            // Adding zero makes the negative zero, which sorts apart, a positive one.
            *score += 0.0;
        }
        units.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        let positives = units.iter().map(|(_, is_positive)| u64::from(*is_positive)).sum();
        Some(Self { units, positives })
    }

    /// All units, ascending in score, equal scores as they were given.
    pub(super) fn units(&self) -> &[(f64, bool)] {
        &self.units
    }

    pub(super) const fn positives(&self) -> u64 {
        self.positives
    }

    pub(super) fn others(&self) -> u64 {
        self.units.iter().map(|(_, is_positive)| u64::from(!is_positive)).sum()
    }

    /// Every score that occurs, ascending.
    pub(super) fn ties(&self) -> Vec<Tie> {
        let same = |left: &(f64, bool), right: &(f64, bool)| left.0.total_cmp(&right.0).is_eq();
        self.units
            .chunk_by(same)
            .map(|units| {
                let Counts { positives, others } = Counts::of(units);
                Tie { score: units[0].0, positives, others }
            })
            .collect()
    }
}

/// Positives and others among some units.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    positives: u64,
    others: u64,
}

impl Counts {
    fn of(units: &[(f64, bool)]) -> Self {
        let mut counts = Self::default();
        for (_, is_positive) in units {
            if *is_positive {
                counts.positives += 1;
            } else {
                counts.others += 1;
            }
        }
        counts
    }

    const fn share(self) -> Option<Share> {
        Share::new(self.positives, self.positives + self.others)
    }
}

/// The area under the ROC curve: the chance that a positive is scored above another unit, ties counted half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The area, 0 to 1; one half is no ranking at all.
    pub estimate: f64,
    /// Its variance. Absent with fewer than two positives or fewer than two others.
    pub variance: Option<f64>,
    /// Normal limits, cut off at 0 and 1. Absent where the variance is absent or 0: a ranking without an error in a
    /// sample is no proof that there is none.
    pub limits: Option<Limits>,
}

/// The area under the ROC curve with the limits of E. R. `DeLong` and others (Biometrics 44, 1988). None without
/// a positive or without another unit.
#[must_use]
pub fn area_under_roc(scores: &Scores, level: Level) -> Option<Area> {
    let (positives, others) = (float(scores.positives()), float(scores.others()));
    if positives < 1.0 || others < 1.0 {
        return None;
    }
    // Of each tie, the share of others that its positives beat and the share of positives that beat its others.
    let mut placed = Vec::new();
    let mut below = Counts::default();
    for tie in scores.ties() {
        let beaten = (float(below.others) + 0.5 * float(tie.others)) / others;
        let lost = (float(scores.positives() - below.positives) - 0.5 * float(tie.positives)) / positives;
        placed.push((tie, beaten, lost));
        below.positives += tie.positives;
        below.others += tie.others;
    }
    let estimate = placed.iter().map(|(tie, beaten, _)| float(tie.positives) * beaten).sum::<f64>() / positives;
    let spread = |count: f64, squares: f64| squares / (count - 1.0) / count;
    let of_positives = placed.iter().map(|(tie, beaten, _)| float(tie.positives) * (beaten - estimate).powi(2)).sum();
    let of_others = placed.iter().map(|(tie, _, lost)| float(tie.others) * (lost - estimate).powi(2)).sum();
    let variance =
        (positives > 1.0 && others > 1.0).then(|| spread(positives, of_positives) + spread(others, of_others));
    let limits = variance.filter(|variance| *variance > f64::EPSILON.powi(2)).map(|variance| {
        let margin = normal_quantile(1.0 - level.alpha() / 2.0) * variance.sqrt();
        Limits { lower: (estimate - margin).max(0.0), upper: (estimate + margin).min(1.0) }
    });
    Some(Area { estimate, variance, limits })
}

/// What flagging every unit with at least this score would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    /// The lowest score that is flagged.
    pub threshold: f64,
    /// Positives, of all units flagged.
    pub precision: Share,
    /// Flagged, of all positives: the height of the ROC curve.
    pub recall: Share,
    /// Flagged, of all other units: the width of the ROC curve. None if all units are positive.
    pub false_flags: Option<Share>,
}

/// Both curves, precision against recall and ROC: a cut at each score that occurs, ascending. None without a positive.
#[must_use]
pub fn cuts(scores: &Scores) -> Option<Vec<Cut>> {
    let others = scores.others();
    let mut flagged = Counts::default();
    let mut cuts = Vec::new();
    for tie in scores.ties().into_iter().rev() {
        flagged.positives += tie.positives;
        flagged.others += tie.others;
        cuts.push(Cut {
            threshold: tie.score,
            precision: flagged.share()?,
            recall: Share::new(flagged.positives, scores.positives())?,
            false_flags: Share::new(flagged.others, others),
        });
    }
    cuts.reverse();
    Some(cuts)
}

/// Average precision: the sum over all cuts of precision times the gain in recall, without interpolation (scikit-learn's
/// `average_precision_score`), 0 to 1. A ranking by chance has the prevalence. None without a positive.
#[must_use]
pub fn average_precision(scores: &Scores) -> Option<f64> {
    let mut sum = 0.0;
    let mut above = 0.0;
    for cut in cuts(scores)?.iter().rev() {
        let found = float(cut.recall.k());
        sum += (found - above) * cut.precision.estimate();
        above = found;
    }
    Some(sum / float(scores.positives()))
}

/// The share of all positives among the units that a review budget reaches, highest score first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetRecall {
    /// If the reviewed part of the units that share the last score is drawn at random: its expectation.
    pub expected: f64,
    /// If positives come last among those.
    pub worst: Share,
    /// If positives come first.
    pub best: Share,
}

/// Recall among the `budget` highest-scored units. None without a positive. A budget beyond all units finds everything.
///
/// It describes these units; no limits are given, because the score at which the budget ends was chosen by them too.
#[must_use]
pub fn recall_at(scores: &Scores, budget: u64) -> Option<BudgetRecall> {
    let mut left = budget;
    let mut found = 0;
    let recall = |found: u64| Share::new(found, scores.positives());
    for tie in scores.ties().into_iter().rev() {
        let size = tie.positives + tie.others;
        if left < size {
            let (worst, best) = (found + left.saturating_sub(tie.others), found + left.min(tie.positives));
            let expected = float(found) + float(left) * float(tie.positives) / float(size);
            return Some(BudgetRecall {
                expected: expected / float(scores.positives()),
                worst: recall(worst)?,
                best: recall(best)?,
            });
        }
        found += tie.positives;
        left -= size;
    }
    let all = recall(found)?;
    Some(BudgetRecall { expected: all.estimate(), worst: all, best: all })
}

/// Units with scores from `from` up to, but not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The lowest score of the band. The lowest band has none.
    pub from: Option<f64>,
    /// The first score above the band. The highest band has none.
    pub to: Option<f64>,
    /// Positives, of all units in the band: the positive predictive value. None if the band is empty.
    pub precision: Option<Share>,
    /// The limits of [`clopper_pearson`]. Exact if `edges` were not chosen by these units.
    pub limits: Option<Limits>,
}

/// The positive predictive value between each two `edges`, below the first and above the last: every unit is in one of
/// `edges.len() + 1` bands. None unless the edges are numbers and strictly ascending.
#[must_use]
pub fn precision_by_band(scores: &Scores, edges: &[f64], level: Level) -> Option<Vec<Band>> {
    if edges.iter().any(|edge| edge.is_nan()) || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return None;
    }
    let mut bands = Vec::new();
    let mut rest = scores.units();
    let mut from = None;
    for to in edges.iter().copied().map(Some).chain([None]) {
        let size = to.map_or(rest.len(), |edge| rest.partition_point(|(score, _)| *score < edge));
        let (within, above) = rest.split_at(size);
        let precision = Counts::of(within).share();
        bands.push(Band { from, to, precision, limits: precision.map(|share| clopper_pearson(share, level)) });
        (rest, from) = (above, to);
    }
    Some(bands)
}

#[cfg(test)]
#[path = "scores_tests.rs"]
mod tests;

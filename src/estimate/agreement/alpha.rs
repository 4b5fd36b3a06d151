//! Krippendorff's alpha.

use super::Ratings;
use super::ratings::is_same;
use crate::estimate::number::length;

/// What the distance between two ratings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measurement {
    /// Same or different.
    Nominal,
    /// The number of ratings that lie between the two.
    Ordinal,
    /// The difference of the two.
    Interval,
}

/// Krippendorff's alpha ("Content Analysis", 2nd edition 2004, chapter 11): one minus observed over expected
/// disagreement, squared distances both, at most 1. Units with fewer than two ratings are left out.
///
/// None if no unit has two ratings, or if the ratings of those that have do not vary.
#[must_use]
pub fn krippendorff_alpha(ratings: &Ratings, measurement: Measurement) -> Option<f64> {
    let pairable = || ratings.units().filter(|unit| unit.len() > 1);
    let values: Vec<f64> = pairable().flatten().copied().collect();
    let first = values.iter().copied().min_by(f64::total_cmp)?;
    let last = values.iter().copied().max_by(f64::total_cmp)?;
    if is_same(&first, &last) {
        return None;
    }
    let distances = match measurement {
        Measurement::Nominal => unequal_pairs,
        Measurement::Ordinal | Measurement::Interval => squared_distances,
    };
    let positions = match measurement {
        Measurement::Nominal => values,
        // The ratings between two, each end counted half, are the difference of their mean ranks.
        Measurement::Ordinal => mean_ranks(&values),
        // To the unit interval, so that squares neither overflow nor vanish.
        Measurement::Interval => values.iter().map(|value| (value - first) / (last - first)).collect(),
    };
    let mut rest = positions.as_slice();
    let mut observed = 0.0;
    for unit in pairable() {
        let (own, others) = rest.split_at(unit.len());
        observed += distances(own) / (length(own.len()) - 1.0);
        rest = others;
    }
    let expected = distances(&positions) / (length(positions.len()) - 1.0);
    Some(1.0 - observed / expected)
}

/// Each value's rank from 0 to 1, equal values at the mean of theirs.
fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
    ascending.sort_unstable_by(|(left, _), (right, _)| left.total_cmp(right));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for same in ascending.chunk_by(|(left, _), (right, _)| is_same(left, right)) {
        let rank = (length(below) + 0.5 * length(same.len())) / length(values.len());
        for (_, place) in same {
            ranks[*place] = rank;
        }
        below += same.len();
    }
    ranks
}

/// Ordered pairs of different values.
fn unequal_pairs(values: &[f64]) -> f64 {
    let mut ascending = values.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    ascending.chunk_by(is_same).map(|same| length(same.len()) * length(values.len() - same.len())).sum()
}

/// The squared differences of all ordered pairs, by way of the mean.
fn squared_distances(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / length(values.len());
    2.0 * length(values.len()) * values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
}

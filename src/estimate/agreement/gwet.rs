//! Gwet's AC1 and AC2.
//!
//! AC1 is AC2 with [`Weights::Identity`]. Chance agreement is taken to be small where nearly everything falls into one
//! category, so at rare prevalences both are near 1 whatever happens among the positives.

use super::ratings::is_same;
use super::{Coefficient, Ratings, Table, Weights};
use crate::estimate::number::{float, length};
use crate::estimate::special::student_quantile;
use crate::model::rate::Level;

/// More categories than a scale has; the weights of each two of them are kept.
const MAX_CATEGORIES: usize = 1_000;

/// AC1 or AC2 of two graders (Gwet, British Journal of Mathematical and Statistical Psychology 61, 2008) with Student's
/// limits at one degree of freedom less than units. Categories are equally spaced; those that nobody used count.
/// Defined for every table.
#[must_use]
pub fn gwet_of_table(table: &Table, weights: Weights, level: Level) -> Coefficient {
    let positions: Vec<f64> = (0..table.categories()).map(length).collect();
    let disagreements = weights.disagreements(&positions);
    let others = table.other_shares();
    let scale = chance_scale(&disagreements);
    let chance = scale * others.iter().map(|other| other * (1.0 - other)).sum::<f64>();
    let disagreement = table.mean(|row, column| disagreements[row][column]);
    let value = coefficient(disagreement, chance);
    let influence = |row: usize, column: usize| {
        let chance_here = scale * f64::midpoint(others[row], others[column]);
        disagreement - disagreements[row][column] - 2.0 * (1.0 - value) * (chance_here - chance)
    };
    let variance = table.mean(|row, column| influence(row, column).powi(2)) / float(table.total());
    let standard_error = (table.total() > 1).then(|| variance.sqrt() / (1.0 - chance));
    Coefficient::new(value, standard_error, || student_quantile(1.0 - level.alpha() / 2.0, float(table.total() - 1)))
}

/// AC1 or AC2 of any number of graders with missing ratings (Gwet 2008 and "Handbook of Inter-Rater Reliability", 4th
/// edition 2014, chapters 2, 3 and 5), with Student's limits at one degree of freedom less than rated units. The
/// categories are the values that occur, at their own positions. A unit rated once tells how common its category is,
/// and nothing about agreement.
///
/// None if no unit has two ratings, if only one category occurs, or more than a thousand.
#[must_use]
pub fn gwet_of_ratings(ratings: &Ratings, weights: Weights, level: Level) -> Option<Coefficient> {
    let categories = ratings.categories();
    if !(2..=MAX_CATEGORIES).contains(&categories.len()) {
        return None;
    }
    let disagreements = weights.disagreements(&categories);
    let units: Vec<Vec<(usize, f64)>> = ratings.units().map(|unit| tally(unit, &categories)).collect();
    let pairable = units.iter().filter(|unit| ratings_of(unit) > 1.0).count();
    if pairable == 0 {
        return None;
    }
    let (count, pairable) = (length(units.len()), length(pairable));
    let mut shares = vec![0.0; categories.len()];
    let mut disagreement = 0.0;
    for unit in &units {
        for (category, times) in unit {
            shares[*category] += times / ratings_of(unit) / count;
        }
        disagreement += disagreement_within(unit, &disagreements).unwrap_or(0.0) / pairable;
    }
    let scale = chance_scale(&disagreements);
    let chance = scale * shares.iter().map(|share| share * (1.0 - share)).sum::<f64>();
    let value = coefficient(disagreement, chance);
    let squares: f64 = units
        .iter()
        .map(|unit| {
            let others: f64 = unit.iter().map(|(category, times)| times * (1.0 - shares[*category])).sum();
            let chance_here = scale * others / ratings_of(unit);
            let own = disagreement_within(unit, &disagreements).map_or(0.0, |own| coefficient(own, chance));
            let influence =
                own * count / pairable - 2.0 * (1.0 - value) * (chance_here - chance) / (1.0 - chance) - value;
            influence * influence
        })
        .sum();
    let standard_error = (units.len() > 1).then(|| (squares / count / (count - 1.0)).sqrt());
    Some(Coefficient::new(value, standard_error, || student_quantile(1.0 - level.alpha() / 2.0, count - 1.0)))
}

/// The sum of all weights over q (q - 1): what chance agreement is in units of the mean of share times rest.
fn chance_scale(disagreements: &[Vec<f64>]) -> f64 {
    let count = length(disagreements.len());
    let weights = count * count - disagreements.iter().flatten().sum::<f64>();
    weights / (count * (count - 1.0))
}

fn coefficient(disagreement: f64, chance: f64) -> f64 {
    1.0 - disagreement / (1.0 - chance)
}

/// How often each category occurs in a unit's ratings, without those that do not.
fn tally(unit: &[f64], categories: &[f64]) -> Vec<(usize, f64)> {
    let place = |value: f64| categories.partition_point(|category| *category < value);
    unit.chunk_by(is_same).map(|same| (place(same[0]), length(same.len()))).collect()
}

fn ratings_of(unit: &[(usize, f64)]) -> f64 {
    unit.iter().map(|(_, times)| times).sum()
}

/// The mean disagreement over the pairs of a unit's ratings, if there is a pair.
fn disagreement_within(unit: &[(usize, f64)], disagreements: &[Vec<f64>]) -> Option<f64> {
    let ratings = ratings_of(unit);
    let pairs = ratings * (ratings - 1.0);
    let from = |category: usize| unit.iter().map(|(other, times)| times * disagreements[category][*other]).sum::<f64>();
    (pairs > 0.0).then(|| unit.iter().map(|(category, times)| times * from(*category)).sum::<f64>() / pairs)
}

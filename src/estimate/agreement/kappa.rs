//! Cohen's kappa.

use super::{Coefficient, Table, Weights};
use crate::estimate::number::{float, length};
use crate::estimate::special::normal_quantile;
use crate::model::rate::Level;

/// Cohen's kappa (Psychological Bulletin 70, 1968) of two graders with normal limits from the large-sample standard
/// error of Fleiss, Cohen and Everitt (Psychological Bulletin 72, 1969). Categories are equally spaced.
///
/// None if both graders gave every unit the same one category: chance would have agreed as well. The
/// limits hold for many units in every category that is used; where positives are few, rely on the exact ones of
/// [`SpecificAgreement`](super::SpecificAgreement).
#[must_use]
pub fn cohen_kappa(table: &Table, weights: Weights, level: Level) -> Option<Coefficient> {
    let count = table.categories();
    let positions: Vec<f64> = (0..count).map(length).collect();
    let disagreements = weights.disagreements(&positions);
    let (rows, columns) = (table.row_shares(), table.column_shares());
    // What each grader's category would disagree with the other grader's average unit.
    let by_row: Vec<f64> =
        (0..count).map(|row| (0..count).map(|column| columns[column] * disagreements[row][column]).sum()).collect();
    let by_column: Vec<f64> =
        (0..count).map(|column| (0..count).map(|row| rows[row] * disagreements[row][column]).sum()).collect();
    let expected: f64 = rows.iter().zip(&by_row).map(|(share, disagreement)| share * disagreement).sum();
    if expected <= 0.0 {
        return None;
    }
    // One minus kappa. The published variance subtracts two squares that are equal in their first digits where nearly
    // every unit agrees; the sum of squared influences is the same number without the subtraction.
    let ratio = table.mean(|row, column| disagreements[row][column]) / expected;
    let influence = |row: usize, column: usize| {
        disagreements[row][column] / expected + ratio * (1.0 - (by_row[row] + by_column[column]) / expected)
    };
    let variance = table.mean(|row, column| influence(row, column).powi(2)) / float(table.total());
    let quantile = || normal_quantile(1.0 - level.alpha() / 2.0);
    let standard_error = (table.total() > 1).then(|| variance.sqrt());
    Some(Coefficient::new(1.0 - ratio, standard_error, quantile))
}

//! Agreement between graders, and how good their scores are.

use std::num::NonZeroU16;

use assize::estimate::agreement::{
    Coefficient, Measurement, Ratings, SpecificAgreement, Table, Weights, cohen_kappa as kappa, gwet_of_ratings,
    gwet_of_table, krippendorff_alpha as alpha,
};
use assize::estimate::calibration::{Binning, Isotonic, Platt, brier_score, calibration_error as error_of, log_loss};
use assize::estimate::scores::{Scores, area_under_roc, average_precision, cuts};
use assize::model::rate::Level;
use serde_json::Value;

use super::super::figures::{Figures, Input, Misfit};
use super::one_sample::refused;

/// The files of agreement state no level: theirs is 95%.
fn level() -> Result<Level, Misfit> {
    Level::new(0.95).ok_or_else(|| refused("level"))
}

fn table(input: Input<'_>) -> Result<Table, Misfit> {
    Table::new(input.table("table")?).ok_or_else(|| refused("table"))
}

/// A coefficient under its own name, with its error and its limits.
fn coefficient(name: &str, found: Option<Coefficient>) -> Figures {
    Figures::new()
        .number(name, found.map(|found| found.value))
        .number("se", found.and_then(|found| found.standard_error))
        .number("lower", found.and_then(|found| found.lower))
        .number("upper", found.and_then(|found| found.upper))
}

pub(super) fn cohen_kappa(input: Input<'_>) -> Result<Figures, Misfit> {
    let (table, level) = (table(input)?, level()?);
    let part = |weights| coefficient("kappa", kappa(&table, weights, level));
    let on = |category| table.agreement_on(category).map(SpecificAgreement::estimate);
    Ok(Figures::new()
        .part("unweighted", part(Weights::Identity))
        .part("linear", part(Weights::Linear))
        .part("quadratic", part(Weights::Quadratic))
        .number("percent_agreement", table.percent_agreement().estimate())
        .number("pabak", table.pabak())
        .number("positive_agreement", on(0))
        .number("negative_agreement", on(1)))
}

pub(super) fn gwet_ac1_table(input: Input<'_>) -> Result<Figures, Misfit> {
    let found = gwet_of_table(&table(input)?, Weights::Identity, level()?);
    Ok(coefficient("ac1", Some(found)).number("ac1_irrcac", found.value))
}

fn ratings(input: Input<'_>) -> Result<Ratings, Misfit> {
    let unit = |unit: &Value| unit.as_array().map(|unit| unit.iter().map(Value::as_f64).collect::<Vec<_>>());
    let units: Option<Vec<_>> = input.items("ratings")?.iter().map(unit).collect();
    units.and_then(Ratings::new).ok_or_else(|| refused("ratings"))
}

pub(super) fn gwet_ac_raw(input: Input<'_>) -> Result<Figures, Misfit> {
    let (ratings, level) = (ratings(input)?, level()?);
    let part = |weights| coefficient("value", gwet_of_ratings(&ratings, weights, level));
    Ok(Figures::new()
        .part("ac1", part(Weights::Identity))
        .part("ac2_quadratic", part(Weights::Quadratic))
        .part("ac2_linear", part(Weights::Linear))
        .part("ac2_ordinal", part(Weights::Ordinal)))
}

pub(super) fn krippendorff_alpha(input: Input<'_>) -> Result<Figures, Misfit> {
    let ratings = ratings(input)?;
    Ok(Figures::new()
        .number("nominal", alpha(&ratings, Measurement::Nominal))
        .number("ordinal", alpha(&ratings, Measurement::Ordinal))
        .number("interval", alpha(&ratings, Measurement::Interval)))
}

fn scores(input: Input<'_>) -> Result<Scores, Misfit> {
    let truths = input.counts("y")?.into_iter().map(|truth| truth == 1);
    Scores::new(input.numbers("score")?.into_iter().zip(truths).collect()).ok_or_else(|| refused("scores"))
}

pub(super) fn roc_pr(input: Input<'_>) -> Result<Figures, Misfit> {
    let scores = scores(input)?;
    let area = area_under_roc(&scores, level()?);
    let limits = area.and_then(|area| area.limits);
    let cuts = cuts(&scores).unwrap_or_default();
    // scikit-learn ends the curve with a point at which nothing is flagged.
    let precisions = cuts.iter().map(|cut| cut.precision.estimate()).chain([1.0]);
    let recalls = cuts.iter().map(|cut| cut.recall.estimate()).chain([0.0]);
    Ok(Figures::new()
        .number("roc_auc", area.map(|area| area.estimate))
        .number("average_precision", average_precision(&scores))
        .number("delong_var", area.and_then(|area| area.variance))
        .number("delong_lower", limits.map(|limits| limits.lower))
        .number("delong_upper", limits.map(|limits| limits.upper))
        .list("pr_precision", precisions)
        .list("pr_recall", recalls)
        .list("pr_threshold", cuts.iter().map(|cut| cut.threshold)))
}

pub(super) fn calibration_error(input: Input<'_>) -> Result<Figures, Misfit> {
    const TEN: NonZeroU16 = NonZeroU16::new(10).expect("ten is not zero");
    let scores = scores(input)?;
    let [width, mass] = [Binning::EqualWidth, Binning::EqualMass].map(|binning| error_of(&scores, binning, TEN));
    Ok(Figures::new()
        .number("ece_equal_width_10", width.map(|error| error.mean))
        .number("mce_equal_width_10", width.map(|error| error.largest))
        .number("ece_equal_mass_10", mass.map(|error| error.mean))
        .number("brier", brier_score(&scores))
        .number("log_loss_clip_1e_15", log_loss(&scores)))
}

pub(super) fn isotonic_platt(input: Input<'_>) -> Result<Figures, Misfit> {
    let (scores, grid) = (scores(input)?, input.numbers("grid")?);
    let isotonic = Isotonic::fit(&scores);
    let platt = Platt::fit(&scores);
    Ok(Figures::new()
        .list("isotonic_at_grid", grid.iter().map(|score| isotonic.at(*score)))
        .list("isotonic_x", isotonic.knots().iter().map(|(score, _)| *score))
        .list("isotonic_y", isotonic.knots().iter().map(|(_, share)| *share))
        .number("platt_slope", platt.map(|platt| platt.slope()))
        .number("platt_intercept", platt.map(|platt| platt.intercept()))
        .list("platt_at_grid", grid.iter().map(|score| platt.and_then(|platt| platt.at(*score)))))
}

//! What the score of the screen is worth.

use std::num::NonZeroU16;

use serde::Serialize;

use super::stage::{Interval, ShareFigure};
use crate::estimate::calibration::{Binning, brier_score, calibration_error, log_loss, reliability};
use crate::estimate::scores::{Scores, area_under_roc, average_precision, cuts};
use crate::model::rate::Level;
use crate::reconcile::validate::Row;
use crate::report::build::rounded;

/// Bins of the reliability diagram. Of equal size: nearly all scores of rare behaviour are near 0.
const BINS: NonZeroU16 = NonZeroU16::new(10).expect("ten is not zero");

/// Scores of labelled units with a usable verdict of the screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreFigures {
    /// Scored positives.
    pub positives: u64,
    /// Scored negatives.
    pub negatives: u64,
    /// The area under the ROC curve, with the limits of `DeLong`; one half is no ranking.
    pub roc_area: Option<Interval>,
    /// Average precision. A ranking by chance has the share of positives among these units.
    pub average_precision: f64,
    /// A cut at each score that occurs, ascending: what flagging it and everything above would do.
    pub curve: Vec<CurvePoint>,
    /// Mean distance of score and share of positives over ten bins of equal size, the score taken as percent.
    pub calibration_error: f64,
    /// The largest distance.
    pub largest_calibration_error: f64,
    /// Mean squared distance of score and truth.
    pub brier: f64,
    /// Mean of -ln of the probability given to what is true.
    pub log_loss: f64,
    /// The bins, lowest scores first.
    pub reliability: Vec<ReliabilityBin>,
}

/// What a threshold would do. Its limits hold for a threshold that was chosen without these labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The lowest score that is flagged.
    pub threshold: f64,
    /// Flagged, of the positives.
    pub sensitivity: ShareFigure,
    /// Not flagged, of the negatives.
    pub specificity: Option<ShareFigure>,
    /// Positives, of what is flagged.
    pub precision: ShareFigure,
}

/// One bin of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Mean score, as a share.
    pub score: f64,
    /// Positives, of the units of the bin.
    pub positives: ShareFigure,
}

impl ScoreFigures {
    /// Of these rows; none without a scored positive and a scored negative.
    #[must_use]
    pub fn of(rows: &[Row], level: Level) -> Option<Self> {
        let decided = rows.iter().filter_map(|row| row.score.zip(row.truth.decision()));
        let units: Vec<(f64, bool)> = decided.map(|(score, truth)| (f64::from(score), truth)).collect();
        let positives = units.iter().filter(|(_, truth)| *truth).count() as u64;
        let negatives = units.len() as u64 - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        let shares = Scores::new(units.iter().map(|(score, truth)| (score / 100.0, *truth)).collect())?;
        let scores = Scores::new(units)?;
        let area = area_under_roc(&scores, level);
        let error = calibration_error(&shares, Binning::EqualMass, BINS)?;
        let bins = reliability(&shares, Binning::EqualMass, BINS)?;
        Some(Self {
            positives,
            negatives,
            roc_area: area.map(|area| {
                let limits = area.limits;
                Interval::new(area.estimate, limits.map(|at| at.lower), limits.map(|at| at.upper))
            }),
            average_precision: rounded(average_precision(&scores)?),
            curve: curve(&scores, level)?,
            calibration_error: rounded(error.mean),
            largest_calibration_error: rounded(error.largest),
            brier: rounded(brier_score(&shares)?),
            log_loss: rounded(log_loss(&shares)?),
            reliability: bins
                .into_iter()
                .map(|bin| ReliabilityBin {
                    score: rounded(bin.score),
                    positives: ShareFigure::of(bin.positives, level),
                })
                .collect(),
        })
    }
}

fn curve(scores: &Scores, level: Level) -> Option<Vec<CurvePoint>> {
    let points = cuts(scores)?.into_iter().map(|cut| CurvePoint {
        threshold: cut.threshold,
        sensitivity: ShareFigure::of(cut.recall, level),
        specificity: cut.false_flags.map(|share| ShareFigure::of(share.other(), level)),
        precision: ShareFigure::of(cut.precision, level),
    });
    Some(points.collect())
}

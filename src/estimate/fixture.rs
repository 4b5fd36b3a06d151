//! Small totals for tests of this layer.

use super::cell::Cell;
use super::sensitivity::Sensitivity;
use super::total::{Funnel, Positive, Total};
use crate::model::rate::Level;

/// A confidence level.
pub(super) fn level(level: f64) -> Level {
    Level::new(level).unwrap()
}

/// So many detected of so many known.
pub(super) fn sensitivity(detected: u64, known: u64) -> Sensitivity {
    Sensitivity::new(detected, known).unwrap()
}

/// A total of 20 sets of units, none drawn together.
pub(super) fn total(estimate: f64, variance: f64, weight: f64) -> Total {
    Total { estimate, sampling: variance, between: 0.0, together: 0.0, weight, affected: 20, is_census: false }
}

/// A cell without a third phase.
pub(super) fn cell(expansion: f64, flagged: u64, reviewed: u64, confirmed: u64) -> Cell {
    Cell { expansion, flagged, reviewed, confirmed, third: None }
}

/// A funnel in which no two units belong together.
pub(super) fn apart(cells: Vec<Cell>) -> Funnel {
    let units = cells.iter().enumerate().flat_map(|(cell, counts)| (0..counts.confirmed).map(move |_| cell));
    let positives: Vec<_> = (0..)
        .zip(units)
        .map(|(key, cell)| Positive { cell, conversation: key, content: key, drawn_with: None })
        .collect();
    Funnel::new(cells, &positives).unwrap()
}

/// Within this share of what is expected.
#[track_caller]
pub(super) fn is_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{found:e}, not {expected:e}");
}

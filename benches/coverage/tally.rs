//! How often each method's interval holds the truth, and how wide it is.

use crate::methods::{METHODS, Statement};
use crate::peers::real;

/// One method in one scenario.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coverage {
    /// Runs in which the method gave an interval.
    pub(crate) given: u64,
    pub(crate) covered: u64,
    /// Of the finite intervals, the sum of the widths as multiples of the truth.
    widths: f64,
    finite: u64,
}

impl Coverage {
    pub(crate) fn add(&mut self, statement: &Statement) {
        let [lower, upper] = statement.limits;
        self.given += 1;
        self.covered += u64::from(lower <= statement.truth && statement.truth <= upper);
        let width = (upper - lower) / statement.truth;
        if width.is_finite() {
            self.widths += width;
            self.finite += 1;
        }
    }

    /// Covered, of those given.
    pub(crate) fn share(&self) -> Option<f64> {
        (self.given > 0).then(|| real(self.covered) / real(self.given))
    }

    /// Mean width as a multiple of the truth.
    pub(crate) fn width(&self) -> Option<f64> {
        (self.finite > 0).then(|| self.widths / real(self.finite))
    }
}

/// One scenario.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) runs: u64,
    /// Clusters with a confirmed unit, summed over runs.
    affected: u64,
    pub(crate) methods: [Coverage; METHODS.len()],
}

impl Cell {
    pub(crate) fn new() -> Self {
        Self { runs: 0, affected: 0, methods: [Coverage::default(); METHODS.len()] }
    }

    pub(crate) fn add(&mut self, affected: u64, statements: &[Option<Statement>; METHODS.len()]) {
        self.runs += 1;
        self.affected += affected;
        for (coverage, statement) in self.methods.iter_mut().zip(statements) {
            if let Some(statement) = statement {
                coverage.add(statement);
            }
        }
    }

    /// Clusters with a confirmed unit, on average.
    pub(crate) fn affected(&self) -> f64 {
        real(self.affected) / real(self.runs)
    }
}

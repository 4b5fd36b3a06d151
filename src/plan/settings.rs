//! How many units of each class are drawn.

use std::collections::BTreeMap;

use crate::model::unit::CLASS_NONE;

/// How much of each stratum of a class is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    /// Every unit.
    All,
    /// This many units of each stratum, or all if there are fewer.
    Count(u64),
    /// Each unit with this probability.
    Rate(f64),
}

/// `[sample]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSettings {
    /// Seed of every draw.
    pub seed: u64,
    /// Number of the draw, from 1.
    pub draw: u32,
    /// Sizes by class; a class that is not named is not drawn. Empty if the audit names no class at all: see
    /// [`SampleSettings::or_default`].
    pub sizes: BTreeMap<String, SampleSize>,
    /// At most this many units in all, in order of admission (`--limit`).
    pub limit: Option<u64>,
}

/// Units of each stratum of the discard pile that are drawn where the audit names no size.
pub const DEFAULT_DISCARD_SAMPLE: u64 = 1_000;

impl SampleSettings {
    /// Fills in what an audit that names no size draws: every unit that one of these classes hits, and
    /// [`DEFAULT_DISCARD_SAMPLE`] of each stratum that none of them does.
    #[must_use]
    pub fn or_default(mut self, classes: &[String]) -> Self {
        if self.sizes.is_empty() {
            self.sizes = classes.iter().map(|class| (class.clone(), SampleSize::All)).collect();
            self.sizes.insert(CLASS_NONE.to_owned(), SampleSize::Count(DEFAULT_DISCARD_SAMPLE));
        }
        self
    }
}

/// `[assume]`: what a forecast believes before there is a pilot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumptions {
    /// Share of units that truly show the behaviour.
    pub prevalence: f64,
    /// Share of true units that the prefilter hits.
    pub prefilter_recall: f64,
    /// Share of true units that the gate passes.
    pub sensitivity: f64,
    /// Share of graded units that the screen flags.
    pub flag_rate: f64,
    /// Completion tokens of an average reply.
    pub output_tokens: u64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self { prevalence: 2e-4, prefilter_recall: 0.7, sensitivity: 0.8, flag_rate: 0.005, output_tokens: 300 }
    }
}

//! How many units of each class are drawn.

use std::collections::BTreeMap;

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
    /// Sizes by class; a class that is not named is not drawn.
    pub sizes: BTreeMap<String, SampleSize>,
    /// At most this many units in all, in order of admission (`--limit`).
    pub limit: Option<u64>,
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

//! How many units of each class are drawn: turns, or whole conversations, whose class is that of their most specific
//! turn.

use std::collections::BTreeMap;

pub use crate::model::draw::SampleSize;
use crate::model::unit::CLASS_NONE;

/// `[sample]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSettings {
    /// Seed of every draw.
    pub seed: u64,
    /// Number of the draw, from 1.
    pub draw: u32,
    /// Sizes by class, as far as the audit names them; [`SampleSettings::or_default`] fills in the rest. A class without
    /// a size is not drawn.
    pub sizes: BTreeMap<String, SampleSize>,
    /// At most this many in all, in order of admission (`--limit`): turns, or conversations where they are drawn.
    pub limit: Option<u64>,
}

/// Units of each stratum of the discard pile that are drawn where the audit does not say.
pub const DEFAULT_DISCARD_SAMPLE: u64 = 1_000;

impl SampleSettings {
    /// Fills in what is drawn of the classes that the audit names no size for: every unit that one of these classes
    /// hits, and [`DEFAULT_DISCARD_SAMPLE`] of each stratum that none of them does. A class is left out by the size 0
    /// and never by silence, which would take its units out of the floor unnoticed.
    #[must_use]
    pub fn or_default(mut self, classes: &[String]) -> Self {
        for class in classes {
            self.sizes.entry(class.clone()).or_insert(SampleSize::All);
        }
        self.sizes.entry(CLASS_NONE.to_owned()).or_insert(SampleSize::Count(DEFAULT_DISCARD_SAMPLE));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_left_out_by_its_size_and_never_by_silence() {
        let named = |sizes: &[(&str, SampleSize)]| SampleSettings {
            seed: 1,
            draw: 1,
            sizes: sizes.iter().map(|(class, size)| ((*class).to_owned(), *size)).collect(),
            limit: None,
        };
        let classes = ["core".to_owned(), "near".to_owned()];
        let drawn = |sizes| named(sizes).or_default(&classes).sizes.into_values().collect::<Vec<_>>();
        let usual = SampleSize::Count(DEFAULT_DISCARD_SAMPLE);
        assert_eq!(drawn(&[]), [SampleSize::All, SampleSize::All, usual]);
        assert_eq!(
            drawn(&[("none", SampleSize::Count(300))]),
            [SampleSize::All, SampleSize::All, SampleSize::Count(300)]
        );
        assert_eq!(drawn(&[("core", SampleSize::Count(0))]), [SampleSize::Count(0), SampleSize::All, usual]);
    }
}

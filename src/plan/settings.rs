//! How many units of each class are drawn: turns, or whole conversations, whose class is that of their most specific
//! turn.

use std::collections::BTreeMap;

pub use crate::model::draw::SampleSize;
use crate::model::unit::{CLASS_NONE, Stratum};

/// Who decides how many units are drawn where the audit names no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allocate {
    /// The defaults of [`SampleSettings::or_default`].
    #[default]
    Manual,
    /// [`super::auto`], from the cap, the assumptions and the census.
    Auto,
}

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
    /// Who decides about the rest.
    pub allocate: Allocate,
    /// Sizes of single strata, which stand over those of their class: what [`Allocate::Auto`] has decided.
    pub by_stratum: BTreeMap<Stratum, SampleSize>,
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

    /// How much of a stratum is drawn; nothing if neither it nor its class has a size.
    #[must_use]
    pub fn size_of(&self, stratum: &Stratum) -> Option<SampleSize> {
        self.by_stratum.get(stratum).or_else(|| self.sizes.get(&stratum.class)).copied()
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
    /// Seconds that a person needs to read and decide one unit.
    pub seconds_per_read: f64,
    /// What an hour of reading costs, in US dollars.
    pub reviewer_cost_per_hour: f64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            prevalence: 2e-4,
            prefilter_recall: 0.7,
            sensitivity: 0.8,
            flag_rate: 0.005,
            output_tokens: 300,
            seconds_per_read: 60.0,
            reviewer_cost_per_hour: 0.0,
        }
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
            allocate: Allocate::Manual,
            by_stratum: BTreeMap::new(),
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

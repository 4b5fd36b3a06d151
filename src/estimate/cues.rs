//! What more cues would do: which part of the units without a cue they would send, and which part of what is there to
//! find among these they would find. From the random slice of the units without a cue that was graded.
//!
//! Cues chosen on these very units look better here than they are: whoever chooses estimates on another draw
//! (`statistics-formulas.md` section 1, rule 7).

use std::num::NonZeroU64;

use super::cell::Cell;
use super::gamma;
use super::interval::Limits;
use super::ratio::prefilter_recall;
use super::total::{Funnel, Positive, Total};
use crate::model::rate::Level;

/// One stratum of units without a cue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Units of the corpus.
    pub frame: u64,
    /// Those that were graded, at random.
    pub graded: u64,
}

/// A graded unit without a cue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithoutCue {
    /// The stratum: an index into the slices.
    pub slice: usize,
    /// Which of the new cues it holds: a bit for each.
    pub holds: u64,
    /// Whether it was confirmed.
    pub is_confirmed: bool,
    /// Key of its conversation.
    pub conversation: u64,
    /// Key of its content: copies share it.
    pub content: u64,
}

/// The graded units without a cue. Those that neither hold a new cue nor were confirmed need not be listed.
#[derive(Debug, Clone)]
pub struct CueSample {
    slices: Vec<Slice>,
    units: Vec<WithoutCue>,
    is_drawn_whole: bool,
    level: Level,
}

/// A share of the units without a cue, with its limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CueShare {
    /// Units of the sample that hold one of the cues.
    pub k: u64,
    /// Units of the sample.
    pub n: u64,
    /// The share of all of them, by the weights of their strata.
    pub estimate: f64,
    /// Its limits.
    pub limits: Limits,
}

/// One step of the curve: the cues up to this one, together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The cue that this step adds: the number of its bit.
    pub cue: u32,
    /// The share of the units without a cue that the set would send.
    pub passes: CueShare,
    /// The share of the confirmed units without a cue that the set hits.
    pub hits: CueShare,
}

impl CueSample {
    /// A sample. With `is_drawn_whole` conversations were drawn with all their units. None if a stratum has more graded
    /// units than units, or a unit belongs to a stratum that is not there or of which nothing was graded.
    #[must_use]
    pub fn new(slices: Vec<Slice>, units: Vec<WithoutCue>, is_drawn_whole: bool, level: Level) -> Option<Self> {
        let mut listed = vec![0_u64; slices.len()];
        for unit in &units {
            *listed.get_mut(unit.slice)? += 1;
        }
        let fits =
            slices.iter().zip(&listed).all(|(slice, listed)| *listed <= slice.graded && slice.graded <= slice.frame);
        fits.then_some(Self { slices, units, is_drawn_whole, level })
    }

    /// Units of the corpus without a cue.
    #[must_use]
    pub fn frame(&self) -> u64 {
        self.slices.iter().map(|slice| slice.frame).sum()
    }

    /// Units without a cue that were graded.
    #[must_use]
    pub fn graded(&self) -> u64 {
        self.slices.iter().map(|slice| slice.graded).sum()
    }

    /// Units without a cue that were confirmed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.units.iter().filter(|unit| unit.is_confirmed).count() as u64
    }

    /// The share of the units without a cue that these cues would send. None while a stratum has units and none of them
    /// was graded, or there is no unit.
    #[must_use]
    pub fn passes(&self, cues: u64) -> Option<CueShare> {
        let frame = NonZeroU64::new(self.frame())?;
        let funnel = self.funnel(|unit| unit.holds & cues != 0, |_| 0)?;
        let total = funnel.total(|_| true).ok()?;
        let k = funnel.cells().iter().map(|cell| cell.confirmed).sum();
        let range = if total.is_census {
            gamma::Range { lower: total.estimate, upper: total.estimate }
        } else {
            // Over draws from this corpus: what is in it is fixed.
            gamma::limits(&total.of_corpus(1.0), self.level)
        };
        let estimate = share(total.estimate, frame);
        let limits = range.over(frame);
        let limits = Limits { lower: limits.lower.min(estimate), upper: limits.upper.max(estimate) };
        Some(CueShare { k, n: self.graded(), estimate, limits })
    }

    /// The share of the confirmed units without a cue that these cues hit. Every confirmed unit counts with the weight of
    /// its stratum, whoever confirmed it. None if none was confirmed, or [`Self::passes`] is none.
    #[must_use]
    pub fn hits(&self, cues: u64) -> Option<CueShare> {
        let is_hit = |unit: &WithoutCue| unit.holds & cues != 0;
        // Two cells for each stratum: what the cues hit, and what they do not.
        let funnel = self.funnel(|unit| unit.is_confirmed, |unit| usize::from(!is_hit(unit)))?;
        let part = |side: usize| funnel.part(|cell| cell % 2 == side, |_| true).ok();
        let (hits, others): (Total, Total) = (part(0)?, part(1)?);
        let recall = prefilter_recall(&hits, &others, self.level).ok()?;
        let k = self.units.iter().filter(|unit| unit.is_confirmed && is_hit(unit)).count() as u64;
        let estimate = recall.estimate;
        let limits = Limits { lower: recall.limits.lower.min(estimate), upper: recall.limits.upper.max(estimate) };
        Some(CueShare { k, n: self.confirmed(), estimate, limits })
    }

    /// The units that `counts` as the confirmed ones of a funnel with two cells for each stratum: `part` says which.
    fn funnel(&self, counts: impl Fn(&WithoutCue) -> bool, part: impl Fn(&WithoutCue) -> usize) -> Option<Funnel> {
        let mut cells = Vec::with_capacity(2 * self.slices.len());
        for slice in &self.slices {
            let expansion = if slice.frame == 0 { 1.0 } else { ratio(slice.frame, NonZeroU64::new(slice.graded)?) };
            let cell = Cell { expansion, flagged: 0, reviewed: 0, confirmed: 0, third: None };
            cells.extend([cell, cell]);
        }
        let mut positives = Vec::new();
        for unit in self.units.iter().filter(|unit| counts(unit)) {
            let cell = 2 * unit.slice + part(unit);
            let counted = cells.get_mut(cell)?;
            counted.confirmed += 1;
            (counted.flagged, counted.reviewed) = (counted.confirmed, counted.confirmed);
            let drawn_with = self.is_drawn_whole.then_some(unit.conversation);
            positives.push(Positive { cell, conversation: unit.conversation, content: unit.content, drawn_with });
        }
        Funnel::new(cells, &positives).ok()
    }

    /// Adds these cues (bits) one by one, always the one with which the set hits the most confirmed units without a cue, of
    /// equals the one that sends less, and of those the first; ends when no cue hits one more. Both shares only grow.
    #[must_use]
    pub fn curve(&self, cues: u64) -> Vec<Step> {
        let (mut set, mut steps): (u64, Vec<Step>) = (0, Vec::new());
        loop {
            let mut best: Option<Step> = None;
            for cue in (0..u64::BITS).filter(|cue| cues & !set & 1 << cue != 0) {
                let with = set | 1 << cue;
                let Some((passes, hits)) = self.passes(with).zip(self.hits(with)) else { return steps };
                let is_better = best.is_none_or(|best| {
                    let by_hits = hits.estimate.total_cmp(&best.hits.estimate);
                    by_hits.then(best.passes.estimate.total_cmp(&passes.estimate)).is_gt()
                });
                if is_better {
                    best = Some(Step { cue, passes, hits });
                }
            }
            let before = steps.last().map_or(0, |step| step.hits.k);
            match best.filter(|step| step.hits.k > before) {
                Some(step) => {
                    set |= 1 << step.cue;
                    steps.push(step);
                }
                None => return steps,
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(units: u64, of: NonZeroU64) -> f64 {
    units as f64 / of.get() as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn share(units: f64, frame: NonZeroU64) -> f64 {
    (units / frame.get() as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(number: u64, slice: usize, holds: u64, is_confirmed: bool) -> WithoutCue {
        WithoutCue { slice, holds, is_confirmed, conversation: number, content: number }
    }

    fn sample(slices: &[(u64, u64)], units: &[(usize, u64, bool)]) -> Option<CueSample> {
        let slices = slices.iter().map(|(frame, graded)| Slice { frame: *frame, graded: *graded }).collect();
        let units =
            (0..).zip(units).map(|(number, (slice, holds, confirmed))| unit(number, *slice, *holds, *confirmed));
        CueSample::new(slices, units.collect(), false, Level::new(0.95).unwrap())
    }

    #[test]
    fn shares_follow_the_weights_of_the_strata() {
        // 1 of 10 stands for 100 of 1,000 units; 2 of 10 for 2 of 10.
        let found =
            sample(&[(1_000, 10), (10, 10)], &[(0, 1, true), (1, 1, false), (1, 1, true), (1, 2, true)]).unwrap();
        let passes = found.passes(1).unwrap();
        assert_eq!((passes.k, passes.n), (3, 20));
        assert!((passes.estimate - 102.0 / 1_010.0).abs() < 1e-12, "{passes:?}");
        assert!(passes.limits.lower < passes.estimate && passes.estimate < passes.limits.upper);
        let hits = found.hits(1).unwrap();
        assert_eq!((hits.k, hits.n), (2, 3));
        assert!((hits.estimate - 101.0 / 102.0).abs() < 1e-12, "{hits:?}");
        assert!(hits.limits.lower < 0.9, "{hits:?}");
        let none = found.hits(0b100).unwrap();
        assert_eq!((none.k, none.estimate), (0, 0.0));
        assert!(none.limits.upper > 0.3, "three units say little: {none:?}");
    }

    #[test]
    fn what_was_all_graded_is_a_count() {
        let found = sample(&[(4, 4)], &[(0, 1, false)]).unwrap().passes(1).unwrap();
        assert_eq!((found.estimate, found.limits), (0.25, Limits { lower: 0.25, upper: 0.25 }));
    }

    #[test]
    fn what_cannot_be_known_is_absent() {
        assert!(sample(&[(5, 0)], &[]).unwrap().passes(1).is_none(), "nothing was graded");
        assert!(sample(&[], &[]).unwrap().passes(1).is_none(), "there is nothing");
        assert!(sample(&[(5, 5)], &[(0, 1, false)]).unwrap().hits(1).is_none(), "nothing was confirmed");
        assert!(sample(&[(5, 6)], &[]).is_none() && sample(&[(5, 5)], &[(1, 1, true)]).is_none());
        assert_eq!(sample(&[(5, 5)], &[(0, 1, false)]).unwrap().curve(1), []);
    }

    #[test]
    fn the_curve_takes_what_hits_most_and_then_what_costs_least() {
        let units = [
            (0, 0b011, true),
            (0, 0b001, true),
            (0, 0b110, true),
            (0, 0b010, false),
            (0, 0b001, false),
            (0, 0b1000, false),
        ];
        let curve = sample(&[(600, 60)], &units).unwrap().curve(0b1111);
        let taken: Vec<_> = curve.iter().map(|step| (step.cue, step.hits.k, step.passes.k)).collect();
        assert_eq!(taken, [(0, 2, 3), (2, 3, 4)], "the fourth cue hits nothing, the second costs more than the third");
    }

    proptest! {
        #[test]
        fn the_curve_only_grows(
            units in proptest::collection::vec((0..2_usize, 0..256_u64, proptest::bool::ANY), 0..40),
        ) {
            let curve = sample(&[(5_000, 40), (90, 45)], &units).unwrap().curve(u64::MAX);
            for pair in curve.windows(2) {
                prop_assert!(pair[0].hits.estimate < pair[1].hits.estimate + 1e-12);
                prop_assert!(pair[0].passes.estimate <= pair[1].passes.estimate + 1e-12);
            }
            for step in &curve {
                for share in [step.hits, step.passes] {
                    prop_assert!(0.0 <= share.limits.lower && share.limits.lower <= share.estimate);
                    prop_assert!(share.estimate <= share.limits.upper && share.limits.upper <= 1.0);
                }
            }
        }
    }
}

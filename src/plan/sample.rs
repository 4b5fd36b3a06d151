//! The sample of one stratum, by permanent random numbers.
//!
//! Every unit has one number per seed, purpose and draw: a hash of its key. The n smallest numbers of a stratum are a
//! simple random sample without replacement that depends on nothing else: not on the order of the corpus, not on
//! threads or machines, and a larger sample contains a smaller one (`statistics-formulas.md` section 1, rule 1).

use std::collections::BTreeMap;

use super::settings::SampleSize;
pub use crate::model::draw::{draw_number, wants};
use crate::model::hash::Digest;

/// A unit of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drawn<P> {
    /// Its permanent random number.
    pub u: u64,
    /// Its key, which orders units with equal numbers.
    pub key: Digest,
    /// What the caller wants to remember of it.
    pub payload: P,
}

/// Keeps the sample of one stratum while its units stream by, in any order and over any number of threads.
///
/// Memory grows with the sample: for `Count` at most that many units. Samples that may be as large as the corpus
/// (`All`, `Rate`) need no keeper, since [`wants`] decides for each unit alone; a caller with many units writes them
/// to disk instead.
///
/// Offering a unit twice is the same as offering it once; of two payloads the smaller one stays.
#[derive(Debug, Clone)]
pub struct Keeper<P> {
    size: SampleSize,
    kept: BTreeMap<(u64, Digest), P>,
}

impl<P: Ord> Keeper<P> {
    /// An empty sample.
    #[must_use]
    pub const fn new(size: SampleSize) -> Self {
        Self { size, kept: BTreeMap::new() }
    }

    /// Whether offering this unit could change the sample. `false` is final, since further units only narrow what is
    /// wanted. Asking first saves building a payload.
    #[must_use]
    pub fn wants(&self, u: u64, key: &Digest) -> bool {
        wants(self.size, u)
            && (!self.is_full() || self.kept.last_key_value().is_some_and(|(last, _)| (u, *key) <= *last))
    }

    /// Offers one unit.
    pub fn offer(&mut self, unit: Drawn<P>) {
        let Drawn { u, key, payload } = unit;
        if !self.wants(u, &key) {
            return;
        }
        match self.kept.get_mut(&(u, key)) {
            Some(known) if payload < *known => *known = payload,
            Some(_) => {}
            None => {
                self.kept.insert((u, key), payload);
            }
        }
        if self.is_overfull() {
            self.kept.pop_last();
        }
    }

    /// Adds what another keeper of the same stratum has kept.
    pub fn merge(&mut self, other: Self) {
        for unit in other.into_sample() {
            self.offer(unit);
        }
    }

    /// Number of units kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is remembered of the units kept, in the order of their numbers.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        self.kept.values()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The sample in the order of its numbers, ties by key: the order in which units are admitted.
    pub fn into_sample(self) -> impl Iterator<Item = Drawn<P>> {
        self.kept.into_iter().map(|((u, key), payload)| Drawn { u, key, payload })
    }

    fn is_full(&self) -> bool {
        self.room().is_some_and(|room| self.kept.len() as u64 >= room)
    }

    fn is_overfull(&self) -> bool {
        self.room().is_some_and(|room| self.kept.len() as u64 > room)
    }

    const fn room(&self) -> Option<u64> {
        match self.size {
            SampleSize::Count(units) => Some(units),
            SampleSize::All | SampleSize::Rate(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(number: u64) -> Drawn<u64> {
        let key = Digest::of(&number.to_le_bytes());
        Drawn { u: draw_number(7, "grade", 1, &key), key, payload: number }
    }

    fn sample(size: SampleSize, numbers: impl IntoIterator<Item = u64>) -> Vec<Drawn<u64>> {
        let mut keeper = Keeper::new(size);
        numbers.into_iter().for_each(|number| keeper.offer(unit(number)));
        keeper.into_sample().collect()
    }

    #[test]
    fn a_rate_is_a_probability() {
        let drawn = sample(SampleSize::Rate(0.25), 0..10_000).len();
        // Five standard errors around 2,500.
        assert!((2_283..=2_717).contains(&drawn), "{drawn}");
    }

    #[test]
    fn a_count_holds_no_more_than_it_needs() {
        let mut keeper = Keeper::new(SampleSize::Count(3));
        for number in 0..1_000 {
            keeper.offer(unit(number));
            assert!(keeper.len() <= 3);
        }
        assert!(!keeper.wants(u64::MAX, &Digest::of(b"late")));
    }

    #[test]
    fn of_two_payloads_the_smaller_stays() {
        let twice = [Drawn { payload: 9, ..unit(1) }, unit(1), Drawn { payload: 5, ..unit(1) }];
        let mut keeper = Keeper::new(SampleSize::Count(1));
        for unit in twice {
            keeper.offer(unit);
        }
        assert_eq!(keeper.into_sample().collect::<Vec<_>>(), [unit(1)]);
    }

    fn any_size() -> impl Strategy<Value = SampleSize> {
        prop_oneof![
            Just(SampleSize::All),
            (0_u64..40).prop_map(SampleSize::Count),
            (0.0..=1.0).prop_map(SampleSize::Rate),
        ]
    }

    proptest! {
        /// The reference sorts everything; the keepers see the units in any order, split over threads, some twice.
        #[test]
        fn any_order_and_split_give_the_same_sample(
            size in any_size(),
            offers in prop::collection::vec((0_u64..60, 0_usize..4), 0..120),
        ) {
            let mut keepers = vec![Keeper::new(size); 4];
            for (number, thread) in &offers {
                keepers[*thread].offer(unit(*number));
            }
            let mut merged = keepers.pop().unwrap();
            for keeper in keepers {
                merged.merge(keeper);
            }

            let mut all: Vec<_> = offers.iter().map(|(number, _)| unit(*number)).collect();
            all.sort_unstable();
            all.dedup();
            let wanted = match size {
                SampleSize::All => all,
                SampleSize::Count(units) => all.into_iter().take(usize::try_from(units).unwrap()).collect(),
                SampleSize::Rate(_) => all.into_iter().filter(|unit| wants(size, unit.u)).collect(),
            };
            prop_assert_eq!(merged.into_sample().collect::<Vec<_>>(), wanted);
        }

        #[test]
        fn a_larger_sample_contains_a_smaller_one(small in 0_u64..40, more in 0_u64..40) {
            let smaller = sample(SampleSize::Count(small), 0..60);
            let larger = sample(SampleSize::Count(small + more), 0..60);
            prop_assert_eq!(&larger[..smaller.len()], &smaller[..]);
        }
    }
}

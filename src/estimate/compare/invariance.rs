//! Whether a grader's answers move with words that should not move them: the same units, asked plainly and then under several
//! framings.
//!
//! Given the units, a grader that does not care answers each of them under a framing as it would plainly: which of the two
//! answers is the positive one is a fair coin wherever they differ. So `McNemar`'s exact test holds, whatever the units have in
//! common, and whoever chose them, as long as nobody chose them by their plain answers.

use super::family::{Correction, PValue, adjust};
use super::paired::{Paired, mcnemar};
use crate::estimate::interval::{Limits, Share, clopper_pearson};
use crate::model::rate::Level;

/// One framing against the plain question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// Positive under the framing minus positive plainly, as a share of the units.
    pub difference: f64,
    /// Limits of that, which hold together: from exact limits of the shares that were gained and lost, each at half the error.
    /// They are wider than they need be.
    pub limits: Limits,
    /// McNemar's exact two-sided p-value.
    pub exact_p: f64,
    /// The same, corrected for the number of framings after Holm.
    pub adjusted_p: f64,
    /// Whether that is at most one minus the level.
    pub is_moved: bool,
}

/// Every framing of a family against the plain question: `first` is plain. A framing without a unit is `None`, and counts in the
/// family as one that moved nothing, so that a family which was cut short is not corrected for less.
#[must_use]
pub fn invariance(framings: &[Paired], level: Level) -> Vec<Option<Moved>> {
    let changes: Vec<_> = framings.iter().map(|paired| mcnemar(*paired)).collect();
    let p = changes
        .iter()
        .filter_map(|change| PValue::new(change.map_or(1.0, |change| change.exact_p)))
        .collect::<Vec<_>>();
    let mut adjusted = adjust(&p, Correction::Holm).into_iter();
    let moved = |(paired, change): (&Paired, &Option<super::paired::Change>)| {
        let adjusted_p = adjusted.next()?.get();
        let change = (*change)?;
        Some(Moved {
            difference: -change.difference,
            limits: limits(*paired, level)?,
            exact_p: change.exact_p,
            adjusted_p,
            is_moved: adjusted_p <= level.alpha(),
        })
    };
    framings.iter().zip(&changes).map(moved).collect()
}

fn limits(paired: Paired, level: Level) -> Option<Limits> {
    let Paired { both, first_only, second_only, neither } = paired;
    let units = both + first_only + second_only + neither;
    let half = Level::new(f64::midpoint(1.0, level.get()))?;
    let lost = clopper_pearson(Share::new(first_only, units)?, half);
    let gained = clopper_pearson(Share::new(second_only, units)?, half);
    Some(Limits { lower: gained.lower - lost.upper, upper: gained.upper - lost.lower })
}

/// The fewest flips that a family of so many framings can tell from chance, if all of them go one way.
#[must_use]
pub fn fewest_flips(framings: usize, level: Level) -> u64 {
    let is_found = |flips: u64| {
        let paired = Paired { both: 0, first_only: flips, second_only: 0, neither: 0 };
        let factor = f64::from(u32::try_from(framings).unwrap_or(u32::MAX));
        mcnemar(paired).is_some_and(|change| change.exact_p * factor <= level.alpha())
    };
    (1..=10_000).find(|flips| is_found(*flips)).unwrap_or(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level() -> Level {
        Level::new(0.95).unwrap()
    }

    fn paired(both: u64, first_only: u64, second_only: u64, neither: u64) -> Paired {
        Paired { both, first_only, second_only, neither }
    }

    #[test]
    fn a_framing_that_clears_is_told_from_ones_that_do_nothing() {
        let found = invariance(&[paired(40, 10, 0, 50), paired(48, 2, 1, 49), paired(0, 0, 0, 0)], level());
        let first = found[0].unwrap();
        // Two times 2^-10, times the three framings, asked or not.
        assert!((first.exact_p - 2.0 / 1024.0).abs() < 1e-12 && (first.adjusted_p - 6.0 / 1024.0).abs() < 1e-12);
        assert!(first.is_moved && (first.difference + 0.1).abs() < 1e-12);
        assert!(first.limits.lower < -0.1 && first.limits.upper < 0.0, "{first:?}");
        let second = found[1].unwrap();
        assert!(!second.is_moved && second.limits.lower < 0.0 && second.limits.upper > 0.0, "{second:?}");
        assert_eq!(found[2], None, "nothing was asked");
    }

    #[test]
    fn so_many_flips_are_needed() {
        // 2 x 2^-6 = 0.031 for one framing; 4 x 2 x 2^-8 = 0.031 for four.
        assert_eq!((fewest_flips(1, level()), fewest_flips(4, level())), (6, 8));
        assert!(invariance(&[paired(0, 5, 0, 9)], level())[0].is_some_and(|moved| !moved.is_moved));
    }

    proptest! {
        #[test]
        fn limits_hold_the_difference_and_swap_with_the_sides(
            both in 0..60_u64, lost in 0..60_u64, gained in 0..60_u64, neither in 1..200_u64,
        ) {
            let there = invariance(&[paired(both, lost, gained, neither)], level())[0].unwrap();
            let back = invariance(&[paired(both, gained, lost, neither)], level())[0].unwrap();
            prop_assert!(there.limits.lower <= there.difference && there.difference <= there.limits.upper);
            prop_assert!((there.limits.lower + back.limits.upper).abs() < 1e-12);
            prop_assert!((there.exact_p - back.exact_p).abs() < 1e-12);
        }
    }
}

//! The order in which the strata of a plan take turns.
//!
//! A run may be cut short by its cap or its deadline at any unit. Whatever was admitted by then should look like the
//! plan on a smaller scale, so every prefix of this order holds each stratum in proportion to its planned size.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The order of admission for strata of these planned sizes: `(stratum, rank)` for every planned unit, where `rank`
/// counts the units of the stratum from 0.
///
/// After m of N units a stratum of n planned units holds more than m·n/N − 1 and fewer than m·n/N + 1 of them. The
/// order depends on the sizes alone. It streams: memory is a few words per stratum.
///
/// Each unit has a window of positions that keeps its stratum within these bounds, and of the open windows the one
/// that closes first is served, ties by stratum (S. K. Baruah et al., "Proportionate progress", Algorithmica 15, 1996:
/// such windows can always be met). Sorting by (rank + ½)/n instead would be shorter, but would serve many equal
/// strata in blocks: with one stratum of 100 and a hundred of 1, the small ones would all come at once.
pub fn admission_order(planned: &[u64]) -> impl Iterator<Item = (usize, u64)> + use<> {
    let total: u128 = planned.iter().copied().map(u128::from).sum();
    let strata = planned.iter().enumerate().filter(|(_, units)| **units > 0);
    let waiting = strata.map(|(stratum, units)| Reverse(Slot::new(stratum, 0, *units, total))).collect();
    Admission { total, position: 0, waiting, open: BinaryHeap::new() }
}

struct Admission {
    total: u128,
    position: u128,
    /// The next unit of each stratum whose window is not open yet, the first to open on top.
    waiting: BinaryHeap<Reverse<Slot>>,
    /// The next unit of every other stratum, the first to close on top; ties by stratum.
    open: BinaryHeap<Reverse<(u128, usize, Slot)>>,
}

impl Iterator for Admission {
    type Item = (usize, u64);

    fn next(&mut self) -> Option<(usize, u64)> {
        while let Some(Reverse(slot)) = self.waiting.peek().copied().filter(|next| next.0.opens <= self.position) {
            self.waiting.pop();
            self.open.push(Reverse((slot.closes, slot.stratum, slot)));
        }
        let Reverse((_, stratum, slot)) = self.open.pop()?;
        self.position += 1;
        if slot.rank + 1 < slot.units {
            self.waiting.push(Reverse(Slot::new(stratum, slot.rank + 1, slot.units, self.total)));
        }
        Some((stratum, slot.rank))
    }
}

/// One unit and the positions, counted from 0, that it may take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    opens: u128,
    /// The first position that is too late.
    closes: u128,
    stratum: usize,
    rank: u64,
    units: u64,
}

impl Slot {
    fn new(stratum: usize, rank: u64, units: u64, total: u128) -> Self {
        let (place, size) = (u128::from(rank), u128::from(units));
        Self { opens: place * total / size, closes: ((place + 1) * total).div_ceil(size), stratum, rank, units }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strata_take_turns() {
        let order: Vec<_> = admission_order(&[2, 0, 4]).collect();
        assert_eq!(order, [(2, 0), (0, 0), (2, 1), (2, 2), (0, 1), (2, 3)]);
        assert_eq!(admission_order(&[]).count(), 0);
        assert_eq!(admission_order(&[0, 0]).count(), 0);
    }

    #[test]
    fn many_small_strata_do_not_crowd_out_a_large_one() {
        let mut planned = vec![1; 100];
        planned.push(100);
        let large = admission_order(&planned).take(100).filter(|(stratum, _)| *stratum == 100).count();
        assert!((49..=51).contains(&large), "{large}");
    }

    proptest! {
        #[test]
        fn every_prefix_is_within_one_unit_of_proportional(planned in prop::collection::vec(0_u64..50, 0..12)) {
            let total: u64 = planned.iter().sum();
            let mut admitted = vec![0_u64; planned.len()];
            let mut position = 0_u64;
            for (stratum, rank) in admission_order(&planned) {
                prop_assert_eq!(rank, admitted[stratum]);
                admitted[stratum] += 1;
                position += 1;
                for (have, size) in admitted.iter().zip(&planned) {
                    prop_assert!((have * total).abs_diff(position * size) < total);
                }
            }
            prop_assert_eq!(admitted, planned);
        }
    }
}

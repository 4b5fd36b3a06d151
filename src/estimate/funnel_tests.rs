//! What must hold of every funnel and of the limits of its total: draws together and apart, orders, shards, parts.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::cell::Cell;
use super::fixture::{apart, cell, is_close, level, sensitivity, total};
use super::gamma::{catchable, limits};
use super::ratio::{Counted, ratio};
use super::sensitivity::{Part, by_class, melded, mover_ratio};
use super::total::{Funnel, Positive};
use super::ungraded::{Admitted, bracket};
use crate::model::rate::Target;

/// A cell with a sample that may be expanded.
fn cells() -> impl Strategy<Value = Cell> {
    let expansions = prop_oneof![Just(1.0), 1.0..100.0_f64, Just(1e6)];
    (expansions, 0..300_u64, 0.0..1.0_f64, 0.0..1.0_f64, any::<bool>()).prop_map(
        |(expansion, flagged, reviewed, confirmed, is_full)| {
            let share = |all: u64, part: f64| {
                (0..all).filter(|unit| f64::from(u32::try_from(*unit).unwrap()) < part * 300.0).count()
            };
            let share = |all, part| u64::try_from(share(all, part)).unwrap();
            let reviewed = if is_full { flagged } else { share(flagged, reviewed).max(flagged.min(20)) };
            cell(expansion, flagged, reviewed, share(reviewed, confirmed))
        },
    )
}

/// Cells with confirmed units in conversations and contents that may span them; drawn one by one, or in conversations of
/// one cell each.
fn samples() -> impl Strategy<Value = (Vec<Cell>, Vec<Positive>)> {
    prop::collection::vec(cells(), 1..5).prop_flat_map(|cells| {
        let confirmed: usize = cells.iter().map(|cell| usize::try_from(cell.confirmed).unwrap()).sum();
        let owners: Vec<_> =
            cells.iter().enumerate().flat_map(|(cell, counts)| (0..counts.confirmed).map(move |_| cell)).collect();
        let keys = prop::collection::vec((0..60_u64, 0..200_u64), confirmed);
        (Just(cells), keys, any::<bool>()).prop_map(move |(cells, keys, draws_whole)| {
            let unit = |(cell, (conversation, content)): (&usize, (u64, u64))| {
                let drawn_with = draws_whole.then(|| conversation * 8 + u64::try_from(*cell).unwrap());
                Positive { cell: *cell, conversation, content, drawn_with }
            };
            (cells, owners.iter().zip(keys).map(unit).collect())
        })
    })
}

fn one_by_one(positives: &[Positive]) -> Vec<Positive> {
    positives.iter().map(|unit| Positive { drawn_with: None, ..*unit }).collect()
}

/// Three confirmed turns of one conversation, in a stratum of which every fifth conversation was drawn; none in another
/// of which every twentieth was.
#[test]
fn conversations_drawn_whole_count_as_one_draw() {
    let unit = |content| Positive { cell: 0, conversation: 7, content, drawn_with: Some(7) };
    let positives = [0, 1, 2].map(unit);
    let cells = vec![cell(5.0, 3, 3, 3), cell(20.0, 4, 4, 0)];
    let funnel = Funnel::new(cells.clone(), &positives).unwrap();
    let found = funnel.total(|_| true).unwrap();
    assert_eq!((found.estimate, found.sampling, found.between), (15.0, 75.0, 150.0));
    is_close(found.together, 120.0, 1e-12);
    is_close(found.weight, 60.0, 1e-12);
    is_close(found.of_corpus(0.8).variance(), 75.0 - 12.0 + 30.0 + 96.0, 1e-12);
    // A part without a confirmed unit knows from the whole how many a conversation can hold.
    let others = |cell| cell == 1;
    is_close(funnel.total(others).unwrap().weight, 20.0, 1e-12);
    is_close(funnel.part(others, |_| true).unwrap().weight, 60.0, 1e-12);
    // Drawn one by one, a turn in the other stratum would have been alone.
    let apart = Funnel::new(cells, &one_by_one(&positives)).unwrap();
    is_close(apart.total(|_| true).unwrap().weight, 20.0, 1e-12);
    is_close(apart.part(others, |_| true).unwrap().weight, 20.0, 1e-12);
}

/// A conversation of true positives that is drawn with probability 1/ex and then detected whole or not at all: over both,
/// the variance for the corpus is on average what it estimates.
#[test]
fn the_variance_of_whole_conversations_has_no_bias() {
    for expansion in [1.0, 1.5, 5.0, 40.0] {
        for turns in [1, 2, 7] {
            for sensitivity in [0.1, 0.85, 1.0] {
                let unit = |content| Positive { cell: 0, conversation: 0, content, drawn_with: Some(0) };
                let units: Vec<_> = (0..turns).map(unit).collect();
                let found = Funnel::new(vec![cell(expansion, turns, turns, turns)], &units).unwrap();
                let found = found.total(|_| true).unwrap().of_corpus(sensitivity).variance();
                let square = f64::from(u32::try_from(turns * turns).unwrap());
                let truth = sensitivity * square * (expansion - sensitivity);
                let mean = found * sensitivity / expansion;
                assert!(
                    (mean - truth).abs() <= 1e-12 * square * expansion,
                    "{expansion} {turns} {sensitivity}: {mean}"
                );
            }
        }
    }
}

/// Twice the product of the weights of every pair that shares a key, and the sets that keys connect.
fn by_pairs(units: &[(Positive, f64)]) -> (f64, u64) {
    let shares = |a: &Positive, b: &Positive| a.conversation == b.conversation || a.content == b.content;
    let mut between = 0.0;
    let mut names: Vec<usize> = (0..units.len()).collect();
    for (place, (unit, weight)) in units.iter().enumerate() {
        for (other_place, (other, other_weight)) in units.iter().enumerate().skip(place + 1) {
            if shares(unit, other) {
                between += 2.0 * weight * other_weight;
                let (keep, drop) = (names[place], names[other_place]);
                names.iter_mut().filter(|name| **name == drop).for_each(|name| *name = keep);
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    (between, u64::try_from(names.len()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clusters_are_pairs_that_share_a_key((cells, positives) in samples()) {
        let found = Funnel::new(cells.clone(), &positives).unwrap().total(|_| true).unwrap();
        let weight = |unit: &Positive| {
            let Cell { expansion, flagged, reviewed, .. } = cells[unit.cell];
            expansion * f64::from(u32::try_from(flagged).unwrap()) / f64::from(u32::try_from(reviewed).unwrap())
        };
        let units: Vec<_> = positives.iter().map(|unit| (*unit, weight(unit))).collect();
        let (between, affected) = by_pairs(&units);
        prop_assert!((found.between - between).abs() <= 1e-9 * between, "{} {between}", found.between);
        prop_assert_eq!(found.affected, affected);
    }

    #[test]
    fn whole_conversations_widen_and_one_turn_each_changes_no_digit(
        (cells, positives) in samples(), sensitivity in 0.0..=1.0_f64,
    ) {
        let total = |positives: &[Positive]| Funnel::new(cells.clone(), positives).unwrap().total(|_| true).unwrap();
        let (whole, apart) = (total(&positives), total(&one_by_one(&positives)));
        prop_assert_eq!(apart.together.to_bits(), 0.0_f64.to_bits());
        let alone: Vec<_> =
            (0..).zip(&positives).map(|(key, unit)| Positive { drawn_with: Some(key), ..*unit }).collect();
        prop_assert_eq!(total(&alone), apart);

        prop_assert_eq!((whole.estimate, whole.sampling, whole.between), (apart.estimate, apart.sampling, apart.between));
        prop_assert!(whole.weight >= apart.weight);
        let pairs = positives.iter().enumerate().flat_map(|(place, one)| {
            positives[place + 1..].iter().map(move |other| (one, other))
        });
        let together = pairs.filter(|(one, other)| one.drawn_with.is_some() && one.drawn_with == other.drawn_with);
        let expected: f64 = together
            .map(|(unit, _)| {
                let Cell { expansion, flagged, reviewed, .. } = cells[unit.cell];
                let spread = f64::from(u32::try_from(flagged).unwrap()) / f64::from(u32::try_from(reviewed).unwrap());
                2.0 * (expansion * spread).powi(2) * (1.0 - 1.0 / expansion)
            })
            .sum();
        prop_assert!((whole.together - expected).abs() <= 1e-9 * expected, "{} {expected}", whole.together);
        prop_assert!(whole.together <= whole.between * (1.0 + 1e-9));

        let [whole_corpus, apart_corpus] = [whole, apart].map(|total| total.of_corpus(sensitivity).variance());
        prop_assert!(0.0 <= apart_corpus && apart_corpus <= whole_corpus);
        prop_assert!(whole_corpus <= whole.variance() * (1.0 + 1e-9));
    }

    #[test]
    fn the_order_of_units_changes_no_digit_and_that_of_cells_none_that_counts(
        (cells, positives) in samples(), turn in 0..1_000_usize,
    ) {
        let found = Funnel::new(cells.clone(), &positives).unwrap().total(|_| true).unwrap();
        let mut turned = positives.clone();
        turned.rotate_left(turn % positives.len().max(1));
        prop_assert_eq!(Funnel::new(cells.clone(), &turned).unwrap().total(|_| true).unwrap(), found);

        let last = cells.len() - 1;
        turned.reverse();
        for unit in &mut turned {
            unit.cell = last - unit.cell;
        }
        let backwards = Funnel::new(cells.into_iter().rev().collect(), &turned).unwrap().total(|_| true).unwrap();
        for (found, again) in [
            (found.estimate, backwards.estimate),
            (found.variance(), backwards.variance()),
            (found.weight, backwards.weight),
        ] {
            prop_assert!((found - again).abs() <= 1e-12 * found);
        }
        prop_assert_eq!(found.affected, backwards.affected);
    }

    /// The counts of a cell add up over shards; its expansion is of the whole.
    #[test]
    fn shards_merge_into_the_whole((cells, positives) in samples(), places in 1..4_usize) {
        let whole = Funnel::new(cells.clone(), &positives).unwrap().total(|_| true).unwrap();
        let shards: Vec<Vec<Positive>> = (0..places)
            .map(|shard| positives.iter().skip(shard).step_by(places).copied().collect())
            .collect();
        let mut merged: Vec<Cell> = cells.iter().map(|cell| Cell { confirmed: 0, ..*cell }).collect();
        for unit in shards.iter().flatten() {
            merged[unit.cell].confirmed += 1;
        }
        let again = Funnel::new(merged, &shards.concat()).unwrap().total(|_| true).unwrap();
        prop_assert_eq!(again, whole);
    }

    #[test]
    fn parts_of_a_total_add_up((cells, positives) in samples()) {
        let funnel = Funnel::new(cells, &positives).unwrap();
        let [all, even, odd] = [2, 0, 1].map(|part| funnel.total(|cell| part == 2 || cell % 2 == part).unwrap());
        prop_assert!((even.estimate + odd.estimate - all.estimate).abs() <= 1e-9 * all.estimate);
        prop_assert!((even.sampling + odd.sampling - all.sampling).abs() <= 1e-9 * all.sampling);
        prop_assert!(even.between + odd.between <= all.between * (1.0 + 1e-9));
        let correlation = all.correlation(&even, &odd);
        prop_assert!((0.0..=1.0).contains(&correlation));
        let floor = funnel.floor(|_| true);
        prop_assert!(floor.estimate <= all.estimate * (1.0 + 1e-12) && floor.affected == all.affected);
    }

    #[test]
    fn limits_are_nested_and_contain_the_estimate(
        (cells, positives) in samples(), (known, missed) in (20..400_u64, 0.0..0.5_f64), wide in 0.8..0.999_f64,
        is_corpus in any::<bool>(),
    ) {
        let found = Funnel::new(cells, &positives).unwrap().total(|_| true).unwrap();
        let target = if is_corpus { Target::Corpus } else { Target::Traffic };
        let detected = (0..known).filter(|unit| f64::from(u32::try_from(*unit).unwrap()) >= missed * 400.0).count();
        let known = sensitivity(u64::try_from(detected).unwrap().clamp(10, known), known);
        let part = Part { total: found, sensitivity: known };
        let (narrow, wide) = (level(wide - 0.3 * (wide - 0.79)), level(wide));
        let both = [wide, narrow].map(|level| (catchable(&found, target, level), part.corrected(target, level).unwrap()));
        let [(outer, outer_corrected), (inner, inner_corrected)] = both;
        for (outer, inner, estimate) in [
            (outer, inner, found.estimate),
            (outer_corrected.limits, inner_corrected.limits, inner_corrected.estimate),
            (mover_ratio(&found, known, wide), mover_ratio(&found, known, narrow), inner_corrected.estimate),
        ] {
            let slack = 1e-9 * estimate;
            prop_assert!(outer.lower <= inner.lower + slack && inner.upper <= outer.upper + slack, "{outer:?} {inner:?}");
            prop_assert!(inner.lower <= estimate + slack && estimate <= inner.upper + slack, "{inner:?} {estimate}");
        }
        // A sensitivity adds doubt to both sides.
        prop_assert!(outer_corrected.limits.upper >= outer.upper, "{outer_corrected:?} {outer:?}");
        let classes = by_class(&part, &part, 0.5, target, wide).unwrap();
        prop_assert!(0.0 <= classes.limits.lower && classes.limits.lower <= classes.estimate);
        prop_assert!(classes.estimate <= classes.limits.upper);
    }

    #[test]
    fn one_fully_reviewed_stratum_is_monotone(flagged in 1..400_u64, share in 0.0..1.0_f64, expansion in 1.0..50.0_f64) {
        let confirmed = (0..flagged).filter(|unit| f64::from(u32::try_from(*unit).unwrap()) < share * 400.0).count();
        let confirmed = u64::try_from(confirmed).unwrap().min(flagged - 1);
        let [fewer, more] = [confirmed, confirmed + 1].map(|confirmed| {
            let found = apart(vec![cell(expansion, flagged, flagged, confirmed)]).total(|_| true).unwrap();
            (limits(&found, level(0.95)), melded(&found, sensitivity(30, 40), level(0.95)))
        });
        for (fewer, more) in [(fewer.0, more.0), (fewer.1, more.1)] {
            prop_assert!(fewer.lower <= more.lower && fewer.upper <= more.upper, "{fewer:?} {more:?}");
        }
    }

    #[test]
    fn ratios_are_nested_and_reverse(
        (cells, positives) in samples(), estimate in 1.0..100.0_f64, weight in 1.0..50.0_f64, wide in 0.8..0.99_f64,
    ) {
        let frame = NonZeroU64::new(1_000).unwrap();
        let first = Counted { total: Funnel::new(cells, &positives).unwrap().total(|_| true).unwrap(), frame };
        let second = Counted { total: total(estimate, estimate * weight, weight), frame: NonZeroU64::new(300).unwrap() };
        let [outer, inner] = [wide, wide - 0.1].map(|wide| ratio(&first, &second, level(wide)).unwrap());
        let slack = 1.0 + 1e-9;
        prop_assert!(outer.limits.lower <= inner.limits.lower * slack && inner.limits.upper <= outer.limits.upper * slack);
        prop_assert!(outer.limits.lower <= outer.estimate && outer.estimate <= outer.limits.upper, "{outer:?}");
        let is_different = outer.limits.lower > 1.0 || outer.limits.upper < 1.0;
        prop_assert_eq!(is_different, outer.p < 1.0 - level(wide).get());
        let reversed = ratio(&second, &first, level(wide)).unwrap();
        prop_assert!((reversed.p - outer.p).abs() <= 1e-9);
        prop_assert!((reversed.limits.upper * outer.limits.lower - 1.0).abs() < 1e-9 || first.total.estimate <= 0.0);
    }

    #[test]
    fn the_bracket_holds_the_headline((cells, positives) in samples(), ungraded in 0..50_u64) {
        let strata = [Admitted::new(9_000, 3_000, ungraded).unwrap(), Admitted::new(400, 400, 0).unwrap()];
        let cells: Vec<_> = cells
            .into_iter()
            .enumerate()
            .map(|(index, cell)| Cell { expansion: strata[index % 2].expansion().unwrap(), ..cell })
            .collect();
        let funnel = Funnel::new(cells, &positives).unwrap();
        let found = bracket(&funnel, &strata, |cell| Some(cell % 2)).unwrap();
        prop_assert!(found.all_no.estimate <= found.headline.estimate);
        prop_assert!(found.all_no.estimate <= found.all_yes.estimate);
        // The headline is the share among the graded; all-yes is more unless more are confirmed than graded.
        prop_assert!(found.headline.estimate <= found.all_yes.estimate || found.headline.estimate > 9_400.0 - 1e-9
            || ungraded == 0 || found.all_no.estimate > 2_900.0);
        let none = bracket(&funnel, &strata, |_| None).unwrap();
        prop_assert!(none.all_yes.estimate.abs() < f64::EPSILON);
    }
}

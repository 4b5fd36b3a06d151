//! What must hold of every total, its limits and what is made of them, also at the edges.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::cell::{Cell, ThirdPhase};
use super::gamma::{Range, Reliance, catchable, limits, per_turn};
use super::golden;
use super::homogeneity::{HomogeneityMethod, differ, homogeneity, pooled};
use super::interval::Share;
use super::ratio::{Counted, difference, own_sensitivity_ratio, prefilter_recall, ratio};
use super::review_error::ReviewError;
use super::sensitivity::{Basis, Classes, Part, Sensitivity, basis, by_class, melded, mover_ratio};
use super::support::{Phase, Unsupported};
use super::total::{Funnel, Malformed, Positive, Total};
use super::ungraded::{Admitted, bracket};
use crate::model::rate::{Level, Target};

fn level(level: f64) -> Level {
    Level::new(level).unwrap()
}

fn sensitivity(detected: u64, known: u64) -> Sensitivity {
    Sensitivity::new(detected, known).unwrap()
}

fn total(estimate: f64, variance: f64, weight: f64) -> Total {
    Total { estimate, sampling: variance, between: 0.0, together: 0.0, weight, affected: 20, is_census: false }
}

fn cell(expansion: f64, flagged: u64, reviewed: u64, confirmed: u64) -> Cell {
    Cell { expansion, flagged, reviewed, confirmed, third: None }
}

fn apart(cells: Vec<Cell>) -> Funnel {
    let units = cells.iter().enumerate().flat_map(|(cell, counts)| (0..counts.confirmed).map(move |_| cell));
    let positives: Vec<_> = (0..)
        .zip(units)
        .map(|(key, cell)| Positive { cell, conversation: key, content: key, drawn_with: None })
        .collect();
    Funnel::new(cells, &positives).unwrap()
}

#[track_caller]
fn is_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{found:e}, not {expected:e}");
}

/// Nested quadrature in 20 digits (mpmath), where one of the two distributions is much narrower than the other, or
/// spread over many orders of magnitude.
#[test]
fn melded_limits_keep_their_digits_at_the_extremes() {
    let cases = [
        (total(1.0, 1.0, 1.0), sensitivity(10, 20), 0.048_359_308_506_133, 13.340_801_825_607),
        (total(30.0, 30.0, 1.0), sensitivity(1, 20), 111.032_459_310_28, 24_494.684_137_777),
        (total(2.0, 50.0, 7.0), sensitivity(15, 20), 1.862_707_223_058_9e-19, 52.554_840_808_868),
        (total(100.0, 5_000.0, 50.0), sensitivity(990, 1_000), 12.232_621_713_101, 365.258_713_615_69),
        (total(2_000.0, 2_500.0, 5.0), sensitivity(12, 21), 2_545.001_908_649_3, 5_905.231_500_796_6),
    ];
    for (total, sensitivity, lower, upper) in cases {
        let found = melded(&total, sensitivity, level(0.95));
        is_close(found.lower, lower, 1e-10);
        is_close(found.upper, upper, 1e-10);
    }
    // A total that is all but known leaves the sensitivity's own limits.
    let (known, found) = (sensitivity(14, 20), melded(&total(1e15, 1e9, 1.0), sensitivity(14, 20), level(0.95)));
    is_close(found.lower, 1e15 / known.limits(level(0.95)).upper, 1e-6);
    is_close(found.upper, 1e15 / known.limits(level(0.95)).lower, 1e-6);
    // And a sensitivity that is all but known leaves the total's.
    let (gamma, found) = (limits(&total(9.0, 9.0, 1.0), level(0.95)), {
        melded(&total(9.0, 9.0, 1.0), sensitivity(25_000_000, 50_000_000), level(0.95))
    });
    is_close(found.lower, 2.0 * gamma.lower, 1e-6);
    is_close(found.upper, 2.0 * gamma.upper, 1e-6);
}

#[test]
fn nothing_confirmed_is_never_zero_percent() {
    let found = apart(vec![cell(1.0, 40, 40, 0), cell(1e6, 0, 0, 0)]).total(|_| true).unwrap();
    assert!(found.estimate.abs() < f64::EPSILON && !found.is_census);
    for target in [Target::Corpus, Target::Traffic] {
        let limits = catchable(&found, target, level(0.95));
        assert!(limits.lower.abs() < f64::EPSILON);
        is_close(limits.upper, -0.025_f64.ln() * 1e6, 1e-12);
        let shares = limits.over(NonZeroU64::new(1_000_000).unwrap());
        assert!((shares.upper - 1.0).abs() < f64::EPSILON, "cut off at the frame: {shares:?}");
    }
}

#[test]
fn a_corpus_that_was_read_in_full_is_a_count() {
    let found = apart(vec![cell(1.0, 40, 40, 30), cell(1.0, 0, 0, 0)]).total(|_| true).unwrap();
    assert_eq!(catchable(&found, Target::Corpus, level(0.95)), Range { lower: 30.0, upper: 30.0 });
    // An unread part without a hit is not known to be empty.
    let sampled = apart(vec![cell(1.0, 40, 40, 30), cell(20.0, 0, 0, 0)]).total(|_| true).unwrap();
    let limits = catchable(&sampled, Target::Corpus, level(0.95));
    assert!((limits.lower - 30.0).abs() < 1e-9 && limits.upper > 60.0, "{limits:?}");
    // The grader's misses stay random: a corrected number of a census has limits, unless nothing can be missed.
    let part = Part { total: found, sensitivity: sensitivity(20, 20) };
    let corrected = part.corrected(Target::Corpus, level(0.95)).unwrap();
    assert!((corrected.limits.lower - 30.0).abs() < 1e-9 && corrected.limits.upper > 31.0, "{corrected:?}");
}

#[test]
fn what_is_not_supported_says_what_to_add() {
    let unreviewed = |flagged, reviewed, wanted| {
        Some(Unsupported::Unreviewed { cell: 1, phase: Phase::Review, flagged, reviewed, wanted })
    };
    let shortage =
        |flagged, reviewed| apart(vec![cell(1.0, 0, 0, 0), cell(2.0, flagged, reviewed, 0)]).shortages(|_| true).next();
    assert_eq!(shortage(300, 0), unreviewed(300, 0, 50));
    assert_eq!(shortage(30, 19), unreviewed(30, 19, 30));
    assert_eq!(shortage(30, 20), None);
    assert_eq!(shortage(3, 3), None);
    let third = Some(ThirdPhase { passed: 60, reviewed: 19 });
    let funnel = apart(vec![Cell { third, ..cell(1.0, 200, 100, 0) }]);
    let refused = Unsupported::Unreviewed { cell: 0, phase: Phase::Third, flagged: 60, reviewed: 19, wanted: 50 };
    assert_eq!(funnel.total(|_| true), Err(refused));
    assert_eq!(funnel.total(|_| false).unwrap().affected, 0);

    let few = |detected, known| Err(Unsupported::TooFewKnown { detected, known });
    assert_eq!(sensitivity(19, 19).usable(), few(19, 19));
    assert_eq!(sensitivity(9, 20).usable(), few(9, 20));
    assert_eq!(sensitivity(10, 20).usable(), Ok(()));
    assert_eq!(basis(Some(sensitivity(10, 20)), Some(sensitivity(15, 20))), Basis::ByClass);
    assert_eq!(basis(Some(sensitivity(10, 20)), Some(sensitivity(9, 90))), Basis::Single);
    assert_eq!(basis(Some(sensitivity(10, 20)), None), Basis::Single);

    let affected = |affected| per_turn(&Total { affected, ..total(9.0, 9.0, 1.0) });
    assert_eq!(affected(9), Err(Unsupported::TooFewClusters { affected: 9 }));
    assert_eq!((affected(10), affected(19)), (Ok(Reliance::WithWarning), Ok(Reliance::WithWarning)));
    assert_eq!(affected(20), Ok(Reliance::Full));

    let empty = Admitted::new(500, 40, 40).unwrap();
    assert_eq!(empty.expansion(), Err(Unsupported::NotCovered { frame: 500, admitted: 40 }));
    assert_eq!(Admitted::new(0, 0, 0).unwrap().expansion(), Ok(1.0));
    assert_eq!((Admitted::new(5, 6, 0), Admitted::new(5, 5, 6)), (None, None));

    assert!(sensitivity(45, 50).informative(40.0, 9_000.0, level(0.95)).is_ok());
    for (detected, false_flags, negatives) in [(0, 0.0, 9_000.0), (10, 40.5, 90.0), (20, 3.0, 3.0), (20, 0.0, 0.0)] {
        let refused = sensitivity(detected, 50).informative(false_flags, negatives, level(0.95));
        assert!(matches!(refused, Err(Unsupported::Uninformative { .. })), "{detected} {false_flags} {negatives}");
    }

    let share = |k, n| Share::new(k, n).unwrap();
    let refused = ReviewError::new(share(40, 49), share(2, 100));
    assert_eq!(refused, Err(Unsupported::TooLittleGold { positives: 49, near_misses: 100 }));
    let refused = ReviewError::new(share(10, 50), share(20, 100));
    assert_eq!(refused, Err(Unsupported::ReviewUninformative { sensitivity: 0.2, false_confirmations: 0.2 }));
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    let funnel = |cells: Vec<Cell>, positives: &[Positive]| Funnel::new(cells, positives).unwrap_err();
    let third = |passed, reviewed| Some(ThirdPhase { passed, reviewed });
    for wrong in [
        cell(0.5, 1, 1, 0),
        cell(f64::NAN, 1, 1, 0),
        cell(f64::INFINITY, 1, 1, 0),
        cell(1.0, 1, 2, 0),
        cell(1.0, 2, 1, 2),
        Cell { third: third(3, 1), ..cell(1.0, 2, 2, 0) },
        Cell { third: third(1, 2), ..cell(1.0, 2, 2, 0) },
        Cell { third: third(2, 1), ..cell(1.0, 2, 2, 2) },
    ] {
        assert_eq!(funnel(vec![cell(1.0, 0, 0, 0), wrong], &[]), Malformed::Counts { cell: 1 }, "{wrong:?}");
    }
    let unit = Positive { cell: 1, conversation: 0, content: 0, drawn_with: None };
    assert_eq!(funnel(vec![cell(1.0, 1, 1, 0)], &[unit]), Malformed::UnknownCell { cell: 1 });
    let listed = Malformed::Positives { cell: 0, confirmed: 1, listed: 0 };
    assert_eq!(funnel(vec![cell(1.0, 1, 1, 1)], &[]), listed);
}

#[test]
fn false_confirmations_are_noticed() {
    let gold = ReviewError::new(Share::new(45, 50).unwrap(), Share::new(1, 400).unwrap()).unwrap();
    let noticed = |flagged, confirmed| {
        let funnel = apart(vec![cell(2.0, flagged, flagged, confirmed)]);
        gold.is_noticeable(&funnel.total(|_| true).unwrap(), funnel.cleared(|_| true), level(0.95))
    };
    assert!(noticed(1_000, 20) && !noticed(100, 60));
    let funnel = apart(vec![cell(2.0, 100, 100, 60)]);
    assert!((funnel.cleared(|_| true).units - 40.0).abs() < 1e-9);
    assert!((funnel.cleared(|_| true).expanded - 80.0).abs() < 1e-9);
    assert!(gold.corrected_share(0.0).abs() < f64::EPSILON && gold.corrected_share(1.0) <= 1.0);
}

#[test]
fn lower_sensitivity_for_what_has_no_cue() {
    let classes = Classes { hits: 80.0, others: 25.0, hits_sensitivity: 0.85, others_sensitivity: 0.85 };
    is_close(classes.lowered(0.1).unwrap(), 80.0 / 0.85 + 25.0 / 0.75, 1e-12);
    is_close(classes.tipping_point().unwrap(), 0.85 * 25.0 / 130.0, 1e-12);
    let tipped = Classes { others_sensitivity: classes.tipping_point().unwrap(), ..classes };
    is_close(tipped.lowered(0.0).unwrap(), 2.0 * 105.0 / 0.85, 1e-12);
    assert_eq!(classes.lowered(0.85), None);
    assert_eq!(Classes { others: 0.0, ..classes }.tipping_point(), None);
    // By class, the same question has the same meaning.
    let own = Classes { others_sensitivity: 0.6, ..classes };
    let tipped = Classes { others_sensitivity: own.tipping_point().unwrap(), ..own };
    is_close(tipped.lowered(0.0).unwrap(), 2.0 * own.lowered(0.0).unwrap(), 1e-12);
}

/// Enumerated with whole numbers.
#[test]
fn homogeneity_is_exact_for_small_tables() {
    let cases = [
        (vec![(18, 20), (11, 20), (5, 10)], 0.020_090_544_203_851_972),
        (vec![(45, 50), (30, 50)], 9.668_432_030_628_979e-4),
        (vec![(20, 20), (20, 20), (20, 20)], 1.0),
        (vec![(0, 20), (0, 50)], 1.0),
        (vec![(19, 25), (20, 25), (21, 25), (9, 10)], 0.871_047_254_812_679),
        (vec![(17, 20)], 1.0),
        (vec![], 1.0),
    ];
    for (groups, expected) in cases {
        let groups: Vec<_> = groups.into_iter().map(|(detected, known)| sensitivity(detected, known)).collect();
        let found = homogeneity(&groups);
        is_close(found.p, expected, 1e-12);
        assert_eq!(found.method, HomogeneityMethod::Exact);
        let reversed: Vec<_> = groups.into_iter().rev().collect();
        assert_eq!(homogeneity(&reversed), found);
    }
    assert!(differ(sensitivity(45, 50), sensitivity(30, 50)) && !differ(sensitivity(17, 20), sensitivity(15, 20)));
    assert_eq!(pooled(&[sensitivity(17, 20), sensitivity(15, 20)]), Ok(sensitivity(32, 40)));
    assert!(matches!(pooled(&[sensitivity(45, 50), sensitivity(30, 50)]), Err(Unsupported::Heterogeneous { .. })));
    assert_eq!(pooled(&[]), Err(Unsupported::TooFewKnown { detected: 0, known: 0 }));
}

#[test]
fn fishers_test_agrees_with_the_golden_values() {
    golden::check("fisher_barnard", |input, expected| {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| input[name].as_u64().unwrap());
        let (Some(first), Some(second)) = (Sensitivity::new(a, a + b), Sensitivity::new(c, c + d)) else {
            return vec![];
        };
        let found = homogeneity(&[first, second]);
        if found.method == HomogeneityMethod::ChiSquare {
            return vec![];
        }
        vec![(found.p, expected["fisher_two_sided"].as_f64().unwrap())]
    });
}

#[test]
fn many_groups_are_approximated() {
    let fifty = |spread: u64| -> Vec<_> { (0..50).map(|group| sensitivity(80 - spread * (group % 2), 100)).collect() };
    let (same, different) = (homogeneity(&fifty(0)), homogeneity(&fifty(15)));
    assert_eq!((same.method, different.method), (HomogeneityMethod::ChiSquare, HomogeneityMethod::ChiSquare));
    assert!(same.p > 0.999 && different.p < 1e-6, "{same:?} {different:?}");
    let large = homogeneity(&[sensitivity(40_000_000, 50_000_000), sensitivity(39_990_000, 50_000_000)]);
    assert!(large.p < 0.05 && large.method == HomogeneityMethod::ChiSquare, "{large:?}");
}

/// Counts that would hang or overflow what is naive.
#[test]
fn nasty_numbers_have_limits() {
    let totals = [
        total(0.0, 0.0, 1.0),
        total(0.0, 0.0, 1e6),
        total(1.0, 1.0, 1.0),
        total(1e6, 1e12, 1e6),
        total(1e6, 2.74e12, 1e6),
        total(5e7, 5e7, 1.0),
        total(5e7, 0.0, 1.0),
        total(5e7, 1e-3, 1.0),
        total(1e-3, 1e6, 1e6),
        total(3e12, 1e21, 1e9),
    ];
    let sensitivities =
        [(0, 1), (1, 1), (0, 20), (20, 20), (1, 50_000_000), (50_000_000, 50_000_000), (25_000_000, 50_000_000)];
    let frame = NonZeroU64::new(50_000_000).unwrap();
    for level in [0.001, 0.5, 0.95, 0.999_999].map(level) {
        for first in &totals {
            for (detected, known) in sensitivities {
                let known = sensitivity(detected, known);
                for found in [limits(first, level), melded(first, known, level), mover_ratio(first, known, level)] {
                    assert!(0.0 <= found.lower && found.lower <= found.upper, "{first:?} {known:?}: {found:?}");
                    let shares = found.over(frame);
                    assert!(shares.lower >= 0.0 && shares.upper <= 1.0, "{shares:?}");
                }
                let told = known.informative(0.5, 5e7, level);
                assert!(told.is_ok() || known.limits(level).lower < 1e-6, "{known:?}: {told:?}");
            }
            for second in &totals {
                let (first, second) = (Counted { total: *first, frame }, Counted { total: *second, frame });
                match ratio(&first, &second, level) {
                    Ok(found) => assert!(
                        0.0 <= found.limits.lower
                            && found.limits.lower <= found.limits.upper
                            && (0.0..=1.0).contains(&found.p),
                        "{first:?} {second:?}: {found:?}"
                    ),
                    Err(refused) => assert_eq!(refused, Unsupported::NothingConfirmed),
                }
                let found = difference(&first, &second, level).unwrap();
                assert!(-1.0 <= found.lower && found.lower <= found.estimate && found.upper <= 1.0, "{found:?}");
                if let Ok(found) = prefilter_recall(&first.total, &second.total, level) {
                    assert!(0.0 <= found.limits.lower && found.limits.upper <= 1.0, "{found:?}");
                }
            }
        }
    }
}

#[test]
fn own_sensitivities_need_a_confirmed_unit_on_either_side() {
    let part = |estimate| Part { total: total(estimate, estimate, 5.0), sensitivity: sensitivity(18, 20) };
    let of = |first, second| {
        own_sensitivity_ratio((&part(first), NonZeroU64::MIN), (&part(second), NonZeroU64::MIN), level(0.95))
    };
    assert_eq!(of(0.0, 5.0), Err(Unsupported::NothingConfirmed));
    assert_eq!(of(5.0, 0.0), Err(Unsupported::NothingConfirmed));
    is_close(of(5.0, 5.0).unwrap().estimate, 1.0, 1e-12);
}

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

//! What must hold of every total, its limits and what is made of them, also at the edges.

use std::num::NonZeroU64;

use super::cell::{Cell, ThirdPhase};
use super::fixture::{apart, cell, is_close, level, sensitivity, total};
use super::gamma::{Range, Reliance, catchable, limits, per_turn};
use super::interval::Share;
use super::ratio::{Counted, difference, own_sensitivity_ratio, prefilter_recall, ratio};
use super::review_error::ReviewError;
use super::sensitivity::{Basis, Classes, Part, basis, melded, mover_ratio};
use super::support::{Phase, Unsupported};
use super::total::{Funnel, Malformed, Positive, Total};
use super::ungraded::Admitted;
use crate::model::rate::Target;

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

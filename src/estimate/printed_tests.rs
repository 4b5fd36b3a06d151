//! Every row of the two tables of golden cases of the formulas page, at its printed digits, and the golden files of the
//! weighted total and of the corrected number.

use std::f64::consts::LN_2;
use std::num::NonZeroU64;

use serde_json::Value;

use super::cell::{Cell, ThirdPhase};
use super::drift::{Direction, Drift, Flips};
use super::fixture::{apart, cell, sensitivity, total};
use super::gamma::{Range, limits};
use super::golden;
use super::interval::Share;
use super::ratio::{Counted, Ratio, difference, order_reversal, own_sensitivity_ratio, prefilter_recall, ratio};
use super::review_error::ReviewError;
use super::sensitivity::{Part, by_class, melded, mover_ratio};
use super::support::Unsupported;
use super::total::{Funnel, Positive, Total};
use super::ungraded::{Admitted, bracket};
use crate::model::anchor::AnchorLabel;
use crate::model::rate::{Level, Target};

fn level() -> Level {
    Level::new(0.95).unwrap()
}

#[track_caller]
fn agrees(found: f64, printed: f64) {
    assert!((found - printed).abs() <= 1e-9 * printed.abs(), "{found:.12}, not {printed:.12}");
}

#[track_caller]
fn agree(found: Range, lower: f64, upper: f64) {
    agrees(found.lower, lower);
    agrees(found.upper, upper);
}

#[test]
fn the_first_table() {
    let (plenty, weak) = (sensitivity(85, 100), sensitivity(10, 20));
    let rows = [
        (total(0.0, 0.0, 5.0), plenty, (0.0, 18.444_397_27), (0.0, 21.992_888_79)),
        (total(1.0, 1.0, 1.0), plenty, (0.025_317_807_98, 5.571_643_391), (0.029_734_348_47, 6.649_230_879)),
        (total(30.0, 30.0, 1.0), sensitivity(20, 20), (20.240_874_02, 42.826_865_39), (20.240_874_02, 45.837_545_82)),
        (total(30.0, 30.0, 1.0), weak, (20.240_874_02, 42.826_865_39), (34.011_877_77, 123.060_114_0)),
        (total(100.0, 100.0, 1.0), plenty, (81.363_991_25, 121.626_793_8), (94.278_589_12, 147.612_329_9)),
        (total(100.0, 15.0, 1.0), plenty, (92.552_148_45, 108.988_804_5), (105.562_788_3, 135.404_735_1)),
    ];
    for (total, sensitivity, gamma, both) in rows {
        agree(limits(&total, level()), gamma.0, gamma.1);
        agree(melded(&total, sensitivity, level()), both.0, both.1);
    }
    let census = total(100.0, 100.0, 1.0).of_corpus(plenty.rate());
    agrees(census.variance(), 15.0);
}

/// Conversations c1 to c11 with confirmed units of two strata, under keys in another order than that of the page.
fn clustered() -> Funnel {
    let rows = [(3, 0), (2, 1), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (0, 2), (0, 1)];
    let mut positives = Vec::new();
    for (conversation, (first, second)) in (0..11).rev().zip(rows) {
        for cell in std::iter::repeat_n(1, second).chain(std::iter::repeat_n(0, first)) {
            let content = 100 + u64::try_from(positives.len()).unwrap();
            positives.push(Positive { cell, conversation, content, drawn_with: None });
        }
    }
    Funnel::new(vec![cell(1.0, 40, 40, 12), cell(5.0, 60, 30, 4)], &positives).unwrap()
}

#[test]
fn the_row_with_clusters() {
    let found = clustered().total(|_| true).unwrap();
    agrees(found.estimate, 52.0);
    agrees(found.sampling, 416.573_006_5);
    agrees(found.between, 248.0);
    agrees(found.variance(), 664.573_006_5);
    agrees(found.weight, 20.0);
    assert_eq!(found.affected, 11);
    agree(limits(&found, level()), 14.375_530_80, 148.630_670_0);
    let part = Part { total: found, sensitivity: sensitivity(85, 100) };
    let traffic = part.corrected(Target::Traffic, level()).unwrap();
    agrees(traffic.estimate, 61.176_470_59);
    agree(traffic.limits, 16.854_978_91, 177.655_430_7);
    agrees(found.of_corpus(0.85).variance(), 409.573_006_5);
    agree(part.corrected(Target::Corpus, level()).unwrap().limits, 23.684_670_89, 164.517_436_8);
}

#[test]
fn the_rows_of_partial_review() {
    let found = apart(vec![cell(1.0, 300, 20, 20)]).total(|_| true).unwrap();
    agrees(found.variance(), 491.822_531_5);
    agrees(found.weight, 15.0);
    agree(limits(&found, level()), 258.106_713_8, 369.596_209_6);

    let third = Some(ThirdPhase { passed: 60, reviewed: 40 });
    let found = apart(vec![Cell { third, ..cell(1.0, 200, 100, 30) }]).total(|_| true).unwrap();
    agrees(found.estimate, 90.0);
    agrees(found.sampling, 90.0 + 50.0 + 23.792_080_93);
    agrees(found.weight, 3.0);
}

#[test]
fn the_row_by_class() {
    let hits = Part { total: total(80.0, 80.0, 1.0), sensitivity: sensitivity(68, 80) };
    let others = Part { total: total(25.0, 125.0, 5.0), sensitivity: sensitivity(12, 20) };
    agree(hits.corrected(Target::Traffic, level()).unwrap().limits, 73.385_357_18, 121.543_789_7);
    agree(others.corrected(Target::Traffic, level()).unwrap().limits, 12.708_510_21, 116.446_776_4);
    let both = by_class(&hits, &others, 0.0, Target::Traffic, level()).unwrap();
    agrees(both.estimate, 135.784_313_7);
    agree(both.limits, 100.169_672_5, 215.435_165_0);
}

fn counted(total: Total, frame: u64) -> Counted {
    Counted { total, frame: NonZeroU64::new(frame).unwrap() }
}

fn is_as_printed(found: Ratio, estimate: f64, (lower, upper): (f64, f64), p: f64) {
    agrees(found.estimate, estimate);
    agree(found.limits, lower, upper);
    agrees(found.p, p);
}

#[test]
fn the_rows_of_ratios() {
    let of = |first, second| ratio(&counted(first, 1), &counted(second, 1), level()).unwrap();
    is_as_printed(
        of(total(3.0, 3.0, 1.0), total(10.0, 10.0, 1.0)),
        0.3,
        (0.053_053_990_48, 1.165_118_610),
        0.092_285_156_25,
    );
    let (weighted, plain) = (total(52.0, 664.573_006_5, 20.0), total(105.0, 225.0, 5.0));
    is_as_printed(of(weighted, plain), 0.495_238_095_2, (0.128_149_535_5, 1.507_074_665), 0.337_379_762_4);
    let nothing = of(total(0.0, 0.0, 5.0), total(30.0, 30.0, 1.0));
    is_as_printed(nothing, 0.0, (0.0, 0.654_210_907_4), 0.008_425_440_466);
    let reversed = of(total(30.0, 30.0, 1.0), total(0.0, 0.0, 5.0));
    agrees(reversed.limits.lower, 1.528_559_045);
    agrees(reversed.p, 0.008_425_440_466);
    assert!(reversed.limits.upper.is_infinite() && reversed.estimate.is_infinite());
    let (first, second) = (counted(total(50.0, 90.0, 5.0), 200_000), counted(total(100.0, 300.0, 20.0), 100_000));
    let framed = ratio(&first, &second, level()).unwrap();
    is_as_printed(framed, 0.25, (0.118_452_702_6, 0.457_159_738_3), 9.652_035_369e-7);
    agrees(order_reversal(&first, &second).unwrap(), 0.25);
}

#[test]
fn the_row_of_the_difference() {
    let (first, second) = (total(52.0, 664.573_006_5, 20.0), total(105.0, 225.0, 5.0));
    let frame = 1_000_000_u64;
    let found = difference(&counted(first, frame), &counted(second, frame), level()).unwrap();
    agrees(found.estimate * 1e6, -53.0);
    agrees(found.lower * 1e6, -106.534_394_8);
    agrees(found.upper * 1e6, 47.418_583_19);
    let few = Total { affected: 9, ..second };
    let refused = difference(&counted(first, frame), &counted(few, frame), level());
    assert_eq!(refused, Err(Unsupported::TooFewClusters { affected: 9 }));
}

#[test]
fn the_row_of_own_sensitivities() {
    let of = |detected| Part { total: total(100.0, 180.0, 5.0), sensitivity: sensitivity(detected, 50) };
    let frame = NonZeroU64::new(1_000).unwrap();
    let found = own_sensitivity_ratio((&of(45), frame), (&of(30), frame), level()).unwrap();
    agrees(found.estimate, 0.666_666_666_7);
    agree(found.limits, 0.396_342_442_6, 1.093_419_954);
    let equal = ratio(&counted(of(45).total, 1), &counted(of(30).total, 1), level()).unwrap();
    agrees(equal.estimate, 1.0);
    agree(equal.limits, 0.653_702_826_5, 1.529_747_095);
}

#[test]
fn the_row_of_recall() {
    let hits = total(80.0, 80.0, 1.0);
    let found = prefilter_recall(&hits, &total(25.0, 125.0, 5.0), level()).unwrap();
    agrees(found.estimate, 0.761_904_761_9);
    agrees(found.limits.lower, 0.568_152_708_5);
    agrees(found.limits.upper, 0.910_099_013_9);
    let found = prefilter_recall(&hits, &total(0.0, 0.0, 5.0), level()).unwrap();
    agrees(found.estimate, 1.0);
    agrees(found.limits.lower, 0.809_092_138_9);
    agrees(found.limits.upper, 1.0);
}

#[test]
fn the_rows_of_drift() {
    let rows =
        [(1, 1, -LN_2), (0, 5, 2.063_693_185), (6, 0, 2.669_828_988), (12, 3, 1.288_527_553), (30, 40, -1.636_924_559)];
    for (gained, lost, printed) in rows {
        agrees(Flips { gained, lost }.ln_evidence(), printed);
    }
    let mut drift = Drift::default();
    for _ in 0..7 {
        drift.observe(AnchorLabel::Positive, false, true);
        drift.observe(AnchorLabel::Positive, true, true);
    }
    agrees(drift.evidence(), 13.906_25);
    assert!(!drift.has_alarmed());
    drift.observe(AnchorLabel::Negative, false, true);
    drift.observe(AnchorLabel::Negative, true, false);
    drift.observe(AnchorLabel::Positive, false, true);
    agrees(drift.evidence(), 25.386_718_75);
    assert!(drift.has_alarmed());
    assert_eq!(drift.direction(), Direction::MissesMore);
    // The alarm stays on when the flips even out.
    for _ in 0..8 {
        drift.observe(AnchorLabel::Positive, true, false);
    }
    assert!(drift.has_alarmed() && drift.evidence() < 20.0);
}

#[test]
fn the_row_of_ungraded_units() {
    let strata = [Admitted::new(100_000, 10_000, 50).unwrap()];
    let funnel = apart(vec![cell(strata[0].expansion().unwrap(), 20, 20, 8)]);
    let found = bracket(&funnel, &strata, |_| Some(0)).unwrap();
    agrees(found.headline.estimate, 80.402_010_05);
    agrees(found.all_no.estimate, 80.0);
    agrees(found.all_yes.estimate, 580.0);
    agrees(found.all_yes.sampling, 5_800.0);
}

#[test]
fn the_row_of_review_error() {
    let gold = ReviewError::new(Share::new(45, 50).unwrap(), Share::new(2, 100).unwrap()).unwrap();
    agrees(gold.corrected_share(0.2), 0.204_545_454_5);
    agrees(gold.corrected_total(&apart(vec![cell(5.0, 60, 60, 12)]), |_| true), 61.363_636_36);
}

#[test]
fn the_row_that_is_not_monotone() {
    let hits = cell(1.0, 100, 100, 100);
    let before = apart(vec![hits, cell(50.0, 0, 0, 0)]).total(|_| true).unwrap();
    let after = apart(vec![hits, cell(50.0, 1, 1, 1)]).total(|_| true).unwrap();
    agrees(before.weight, 50.0);
    agrees(limits(&before, level()).lower, 81.363_991_25);
    agrees(limits(&after, level()).lower, 67.324_862_69);
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn counts(values: &Value) -> Vec<u64> {
    values.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "the golden counts are small")]
fn corrected_numbers_agree_with_the_golden_values() {
    golden::check("confirmed_over_sensitivity", |input, expected| {
        let [flagged, reviewed, confirmed] =
            ["judge_positive", "reviewed", "confirmed"].map(|name| counts(&input[name]));
        let cells = numbers(&input["expansion"]).into_iter().enumerate();
        let cells =
            cells.map(|(cell, expansion)| self::cell(expansion, flagged[cell], reviewed[cell], confirmed[cell]));
        let found = apart(cells.collect()).total(|_| true).unwrap();
        let known = sensitivity(input["cal_detected"].as_u64().unwrap(), input["cal_n"].as_u64().unwrap());
        let corpus = input["corpus"].as_u64().unwrap();
        let level = Level::new(input["level"].as_f64().unwrap()).unwrap();
        let [gamma, both, closed] =
            [limits(&found, level), melded(&found, known, level), mover_ratio(&found, known, level)];
        let frame = NonZeroU64::new(corpus).unwrap();
        let mut pairs = vec![
            (found.estimate, expected["judge_catchable_total"].as_f64().unwrap()),
            (found.weight, expected["w_max"].as_f64().unwrap()),
            (found.estimate / known.rate() / corpus as f64, expected["prevalence"].as_f64().unwrap()),
        ];
        // The page adds a unit to small or unanimous samples, which these cases do not have.
        pairs.push((found.variance(), expected["variance"].as_f64().unwrap()));
        for (name, limits) in [("melded", both.over(frame)), ("mover_ratio", closed.over(frame))] {
            let expected = numbers(&expected[name]);
            pairs.extend([(limits.lower, expected[0]), (limits.upper, expected[1])]);
        }
        let expected = numbers(&expected["total_gamma"]);
        pairs.extend([(gamma.lower, expected[0]), (gamma.upper, expected[1])]);
        pairs
    });
}

/// The golden weights are below 1 and there is no floor under them, so that the totals are built by hand.
#[test]
fn gamma_limits_agree_with_the_golden_values() {
    golden::check("weighted_poisson_gamma", |input, expected| {
        let [hits, reviewed, sizes] = ["hits", "reviewed", "stratum_size"].map(|name| numbers(&input[name]));
        let all: f64 = sizes.iter().sum();
        let mut found = total(0.0, 0.0, 0.0);
        for ((hits, reviewed), size) in hits.iter().zip(&reviewed).zip(&sizes) {
            let weight = size / all / reviewed;
            found.estimate += weight * hits;
            found.sampling += weight * weight * hits;
            found.weight = found.weight.max(weight);
        }
        let limits = limits(&found, Level::new(input["level"].as_f64().unwrap()).unwrap());
        vec![
            (found.estimate, expected["estimate"].as_f64().unwrap()),
            (limits.lower, expected["lower"].as_f64().unwrap()),
            (limits.upper, expected["upper"].as_f64().unwrap()),
        ]
    });
}

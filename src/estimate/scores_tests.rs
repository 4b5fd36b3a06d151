use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::estimate::golden;

fn level() -> Level {
    Level::new(0.95).unwrap()
}

fn scores(units: &[(f64, bool)]) -> Scores {
    Scores::new(units.to_vec()).unwrap()
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn golden_scores(input: &Value) -> Scores {
    let truth = input["y"].as_array().unwrap().iter().map(|label| label == 1);
    Scores::new(numbers(&input["score"]).into_iter().zip(truth).collect()).unwrap()
}

#[test]
fn curves_agree_with_the_golden_values() {
    golden::check("roc_pr", |input, expected| {
        let scores = golden_scores(input);
        let area = area_under_roc(&scores, level()).unwrap();
        let mut pairs = vec![
            (area.estimate, expected["roc_auc"].as_f64().unwrap()),
            (average_precision(&scores).unwrap(), expected["average_precision"].as_f64().unwrap()),
        ];
        if let Some(variance) = expected["delong_var"].as_f64() {
            let limits = area.limits.unwrap();
            pairs.push((area.variance.unwrap(), variance));
            pairs.push((limits.lower, expected["delong_lower"].as_f64().unwrap()));
            pairs.push((limits.upper, expected["delong_upper"].as_f64().unwrap()));
        } else {
            assert_eq!((area.variance, area.limits), (None, None));
        }
        let cuts = cuts(&scores).unwrap();
        let [thresholds, precisions, recalls] =
            ["pr_threshold", "pr_precision", "pr_recall"].map(|name| numbers(&expected[name]));
        // The source closes both curves with a cut above all scores.
        let cut_count = cuts.len();
        assert_eq!([thresholds.len(), precisions.len(), recalls.len()], [cut_count, cut_count + 1, cut_count + 1]);
        for (cut, ((threshold, precision), recall)) in
            cuts.iter().zip(thresholds.into_iter().zip(precisions).zip(recalls))
        {
            pairs.push((cut.threshold, threshold));
            pairs.push((cut.precision.estimate(), precision));
            pairs.push((cut.recall.estimate(), recall));
        }
        pairs
    });
}

#[test]
fn what_is_undefined_is_absent() {
    assert_eq!(Scores::new(vec![]), None);
    assert_eq!(Scores::new(vec![(f64::NAN, true)]), None);
    assert_eq!(Scores::new(vec![(f64::INFINITY, true)]), None);
    let none = scores(&[(0.5, false), (0.7, false)]);
    assert_eq!((area_under_roc(&none, level()), average_precision(&none), recall_at(&none, 1)), (None, None, None));
    assert_eq!(cuts(&none), None);
    let all = scores(&[(0.5, true), (0.7, true)]);
    assert_eq!(area_under_roc(&all, level()), None);
    assert_eq!(cuts(&all).unwrap()[0].false_flags, None);
    assert!((average_precision(&all).unwrap() - 1.0).abs() < f64::EPSILON);
    let perfect = area_under_roc(&scores(&[(0.1, false), (0.2, false), (0.8, true), (0.9, true)]), level()).unwrap();
    assert_eq!(perfect.limits, None);
    // Zero of either sign is one score.
    assert_eq!(scores(&[(0.0, false), (-0.0, true)]).ties().len(), 1);
}

#[test]
fn a_budget_may_end_among_equal_scores() {
    let scores = scores(&[(0.9, true), (0.5, true), (0.5, false), (0.5, false), (0.5, true), (0.1, true)]);
    let found = |budget| recall_at(&scores, budget).unwrap();
    let share = |k| Share::new(k, 4).unwrap();
    for (budget, expected, worst, best) in [
        (0, 0.0, 0, 0),
        (1, 0.25, 1, 1),
        (3, 0.5, 1, 3),
        (4, 0.625, 2, 3),
        (5, 0.75, 3, 3),
        (6, 1.0, 4, 4),
        (u64::MAX, 1.0, 4, 4),
    ] {
        let recall = found(budget);
        assert!((recall.expected - expected).abs() < 1e-15, "{budget}: {recall:?}");
        assert_eq!((recall.worst, recall.best), (share(worst), share(best)), "{budget}");
    }
}

#[test]
fn every_unit_is_in_one_band() {
    let scores = scores(&[(-1.0, false), (0.2, true), (0.5, false), (0.6, true), (0.8, true)]);
    let bands = precision_by_band(&scores, &[0.2, 0.3, 0.5, 0.8], level()).unwrap();
    let found: Vec<_> = bands.iter().map(|band| (band.from, band.to, band.precision)).collect();
    let expected = [
        (None, Some(0.2), Share::new(0, 1)),
        (Some(0.2), Some(0.3), Share::new(1, 1)),
        (Some(0.3), Some(0.5), None),
        (Some(0.5), Some(0.8), Share::new(1, 2)),
        (Some(0.8), None, Share::new(1, 1)),
    ];
    assert_eq!(found, expected);
    // 1 of 2 at 0.95: 1 - sqrt(0.975) and its mirror.
    let limits = bands[3].limits.unwrap();
    assert!((limits.lower - (1.0 - 0.975_f64.sqrt())).abs() < 1e-12, "{limits:?}");
    assert_eq!(bands[2].limits, None);
    for refused in [&[0.5, 0.5][..], &[0.5, 0.2], &[f64::NAN]] {
        assert_eq!(precision_by_band(&scores, refused, level()), None);
    }
}

proptest! {
    /// The area and its variance from ties are those over all pairs.
    #[test]
    fn the_area_is_its_definition(units in prop::collection::vec((0..6_u8, any::<bool>()), 1..40)) {
        let units: Vec<(f64, bool)> = units.into_iter().map(|(score, truth)| (f64::from(score), truth)).collect();
        let scores = Scores::new(units.clone()).unwrap();
        let of = |kind: bool| units.iter().filter(move |unit| unit.1 == kind).map(|unit| unit.0).collect::<Vec<_>>();
        let (positives, others) = (of(true), of(false));
        let Some(found) = area_under_roc(&scores, level()) else {
            prop_assert!(positives.is_empty() || others.is_empty());
            return Ok(());
        };
        let win = |positive: f64, other: f64| if positive > other { 1.0 } else if positive < other { 0.0 } else { 0.5 };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / crate::estimate::number::length(values.len());
        let beaten: Vec<f64> = positives.iter().map(|p| mean(&others.iter().map(|o| win(*p, *o)).collect::<Vec<_>>())).collect();
        let lost: Vec<f64> = others.iter().map(|o| mean(&positives.iter().map(|p| win(*p, *o)).collect::<Vec<_>>())).collect();
        prop_assert!((found.estimate - mean(&beaten)).abs() < 1e-12);
        if let Some(variance) = found.variance {
            let of_mean = |values: &[f64]| {
                let count = crate::estimate::number::length(values.len());
                values.iter().map(|value| (value - mean(values)).powi(2)).sum::<f64>() / (count - 1.0) / count
            };
            prop_assert!((variance - of_mean(&beaten) - of_mean(&lost)).abs() < 1e-12);
        }
        if let Some(limits) = found.limits {
            prop_assert!(0.0 <= limits.lower && limits.lower <= found.estimate && found.estimate <= limits.upper && limits.upper <= 1.0);
        }
    }
}

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::estimate::golden;

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

fn bins(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

#[test]
fn errors_agree_with_the_golden_values() {
    golden::check("calibration_error", |input, expected| {
        let scores = golden_scores(input);
        let expected = |name: &str| expected[name].as_f64().unwrap();
        let wide = calibration_error(&scores, Binning::EqualWidth, bins(10)).unwrap();
        let even = calibration_error(&scores, Binning::EqualMass, bins(10)).unwrap();
        vec![
            (wide.mean, expected("ece_equal_width_10")),
            (wide.largest, expected("mce_equal_width_10")),
            (even.mean, expected("ece_equal_mass_10")),
            (brier_score(&scores).unwrap(), expected("brier")),
            (log_loss(&scores).unwrap(), expected("log_loss_clip_1e_15")),
        ]
    });
}

#[test]
fn maps_agree_with_the_golden_values() {
    golden::check("isotonic_platt", |input, expected| {
        let scores = golden_scores(input);
        let grid = numbers(&input["grid"]);
        let isotonic = Isotonic::fit(&scores);
        let (knots, levels): (Vec<f64>, Vec<f64>) = isotonic.knots().iter().copied().unzip();
        let platt = Platt::fit(&scores).unwrap();
        let mut pairs = vec![
            (platt.slope(), expected["platt_slope"].as_f64().unwrap()),
            (platt.intercept(), expected["platt_intercept"].as_f64().unwrap()),
        ];
        for (name, found) in [
            ("isotonic_x", knots),
            ("isotonic_y", levels),
            ("isotonic_at_grid", grid.iter().map(|score| isotonic.at(*score).unwrap()).collect()),
            ("platt_at_grid", grid.iter().map(|score| platt.at(*score).unwrap()).collect()),
        ] {
            let expected = numbers(&expected[name]);
            assert_eq!(found.len(), expected.len(), "{name}");
            pairs.extend(found.into_iter().zip(expected));
        }
        pairs
    });
}

#[test]
fn bins_hold_every_unit_once() {
    let scores = scores(&[(0.0, false), (0.1, false), (0.100_001, true), (0.95, true), (1.0, true)]);
    for binning in [Binning::EqualWidth, Binning::EqualMass] {
        for count in [1, 2, 3, 10, u16::MAX] {
            let diagram = reliability(&scores, binning, bins(count)).unwrap();
            assert_eq!(diagram.iter().map(|bin| bin.positives.k()).sum::<u64>(), 3, "{binning:?} {count}");
            assert_eq!(diagram.iter().map(|bin| bin.positives.rest()).sum::<u64>(), 2, "{binning:?} {count}");
        }
    }
    let diagram = reliability(&scores, Binning::EqualWidth, bins(10)).unwrap();
    let units: Vec<u64> = diagram.iter().map(|bin| bin.positives.k() + bin.positives.rest()).collect();
    assert_eq!(units, [2, 1, 2]);
}

#[test]
fn what_is_undefined_is_absent() {
    for outside in [-0.1, 1.1] {
        let scores = scores(&[(0.5, true), (outside, false)]);
        assert_eq!(calibration_error(&scores, Binning::EqualMass, bins(10)), None);
        assert_eq!((brier_score(&scores), log_loss(&scores)), (None, None));
    }
    assert_eq!(Platt::fit(&scores(&[(0.5, true), (0.5, false)])), None);
    assert_eq!(Platt::fit(&scores(&[(0.5, true), (0.6, true)])), None);
    assert_eq!(Platt::fit(&scores(&[(0.5, false), (0.6, false)])), None);
    let separated = scores(&[(-1e300, false), (1e300, true)]);
    let platt = Platt::fit(&separated).unwrap();
    // The targets of one unit each are 1/3 and 2/3.
    assert!((platt.at(1e300).unwrap() - 2.0 / 3.0).abs() < 1e-9, "{platt:?}");
    assert_eq!((platt.at(f64::NAN), platt.at(f64::INFINITY)), (None, None));
    let isotonic = Isotonic::fit(&separated);
    assert!((isotonic.at(0.0).unwrap() - 0.5).abs() < f64::EPSILON);
    assert!((isotonic.at(f64::INFINITY).unwrap() - 1.0).abs() < f64::EPSILON);
    assert_eq!(isotonic.at(f64::NAN), None);
}

/// One positive among a million: the fit neither hangs nor fails.
#[test]
fn a_map_of_a_rare_positive_is_fitted() {
    let mut units: Vec<(f64, bool)> = (0..1_000_000_u64).map(|unit| (float(unit % 1_000) / 1_001.0, false)).collect();
    units.push((1.0, true));
    let scores = Scores::new(units).unwrap();
    let platt = Platt::fit(&scores).unwrap();
    // At the optimum fitted and target probabilities have one sum: 2/3 + 10^6 / (10^6 + 2).
    let sum: f64 = scores.units().iter().map(|(score, _)| platt.at(*score).unwrap()).sum();
    assert!((sum - 2.0 / 3.0 - 1e6 / 1_000_002.0).abs() < 1e-6, "{sum}");
    assert_eq!(Isotonic::fit(&scores).knots().len(), 3);
}

proptest! {
    /// No non-decreasing map of the scores has a smaller squared error: the levels are the max-min of means.
    #[test]
    fn isotonic_levels_are_max_min_means(units in prop::collection::vec((0..8_u8, any::<bool>()), 1..40)) {
        let units: Vec<(f64, bool)> = units.into_iter().map(|(score, truth)| (f64::from(score), truth)).collect();
        let isotonic = Isotonic::fit(&Scores::new(units.clone()).unwrap());
        let mut values: Vec<f64> = units.iter().map(|unit| unit.0).collect();
        values.sort_by(f64::total_cmp);
        for score in &values {
            let mean = |from: f64, to: f64| {
                let within = units.iter().filter(|unit| (from..=to).contains(&unit.0));
                let (positives, count) = within.fold((0.0, 0.0), |(p, n), unit| (p + f64::from(u8::from(unit.1)), n + 1.0));
                positives / count
            };
            let up = |from: f64| values.iter().filter(|to| *to >= score).map(|to| mean(from, *to)).fold(1.0, f64::min);
            let expected = values.iter().filter(|from| *from <= score).map(|from| up(*from)).fold(0.0, f64::max);
            prop_assert!((isotonic.at(*score).unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn maps_give_probabilities_in_order(
        units in prop::collection::vec((-1e9..1e9_f64, any::<bool>()), 1..60), points in prop::collection::vec(-2e9..2e9_f64, 2),
    ) {
        let scores = Scores::new(units).unwrap();
        let (low, high) = (points[0].min(points[1]), points[0].max(points[1]));
        let isotonic = Isotonic::fit(&scores);
        let (below, above) = (isotonic.at(low).unwrap(), isotonic.at(high).unwrap());
        prop_assert!(0.0 <= below && below <= above + 1e-12 && above <= 1.0);
        if let Some(platt) = Platt::fit(&scores) {
            let (below, above) = (platt.at(low).unwrap(), platt.at(high).unwrap());
            prop_assert!((0.0..=1.0).contains(&below) && (0.0..=1.0).contains(&above));
            prop_assert!((below <= above || platt.slope() < 0.0) && (below >= above || platt.slope() > 0.0));
        } else {
            prop_assert!(scores.positives() == 0 || scores.others() == 0);
        }
    }
}

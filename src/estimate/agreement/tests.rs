use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::estimate::golden;
use crate::estimate::interval::Share;
use crate::model::rate::Level;

fn level() -> Level {
    Level::new(0.95).unwrap()
}

fn table(cells: &[&[u64]]) -> Table {
    Table::new(cells.iter().map(|row| row.to_vec()).collect()).unwrap()
}

fn golden_table(input: &Value) -> Table {
    let counts = |row: &Value| row.as_array().unwrap().iter().map(|cell| cell.as_u64().unwrap()).collect();
    Table::new(input["table"].as_array().unwrap().iter().map(counts).collect()).unwrap()
}

fn golden_ratings(input: &Value) -> Ratings {
    let units = input["ratings"].as_array().unwrap();
    Ratings::new(units.iter().map(|unit| unit.as_array().unwrap().iter().map(Value::as_f64))).unwrap()
}

/// Pairs of a coefficient and its golden figures. The source gives limits of no width where we give none.
fn coefficient_pairs(found: Coefficient, name: &str, expected: &Value) -> Vec<(f64, f64)> {
    let mut pairs = vec![
        (found.value, expected[name].as_f64().unwrap()),
        (found.standard_error.unwrap(), expected["se"].as_f64().unwrap()),
    ];
    // "nan" in the table form of AC1 where the standard error is 0; its upper limit is then no figure either.
    if let Some(lower) = expected["lower"].as_f64() {
        pairs.push((found.lower.unwrap_or(found.value), lower));
        pairs.push((found.upper.unwrap_or(found.value), expected["upper"].as_f64().unwrap()));
    } else {
        assert_eq!((found.lower, found.upper), (None, None));
    }
    pairs
}

#[test]
fn kappa_agrees_with_the_golden_values() {
    // The source's variance of this table is what is left of two nearly equal terms: its standard errors are off by
    // 2.6e-6 and 4.5e-6 of themselves, and differ although the weights of two categories do not. These figures are the
    // published formula in rational arithmetic.
    let exact = json!({
        "kappa": -0.000_342_974_734_194_581,
        "se": 0.000_134_928_201_619_607,
        "lower": -0.000_607_429_149_867_769,
        "upper": -0.000_078_520_318_521_392_6,
    });
    golden::check("cohen_kappa", |input, expected| {
        let table = golden_table(input);
        let mut pairs = vec![
            (table.percent_agreement().estimate(), expected["percent_agreement"].as_f64().unwrap()),
            (table.pabak(), expected["pabak"].as_f64().unwrap()),
        ];
        for (name, category) in [("positive_agreement", 0), ("negative_agreement", 1)] {
            match expected.get(name) {
                Some(Value::Number(share)) => {
                    pairs.push((table.agreement_on(category).unwrap().estimate(), share.as_f64().unwrap()));
                }
                Some(_) => assert_eq!(table.agreement_on(category), None),
                None => {}
            }
        }
        for (name, weights) in
            [("unweighted", Weights::Identity), ("linear", Weights::Linear), ("quadratic", Weights::Quadratic)]
        {
            let expected = if input["table"] == json!([[0, 3], [4, 9_993]]) { &exact } else { &expected[name] };
            match cohen_kappa(&table, weights, level()) {
                Some(found) => pairs.extend(coefficient_pairs(found, "kappa", expected)),
                None => assert_eq!(expected["kappa"], "nan"),
            }
        }
        pairs
    });
}

#[test]
fn gwet_agrees_with_the_golden_values_of_tables() {
    golden::check("gwet_ac1_table", |input, expected| {
        coefficient_pairs(gwet_of_table(&golden_table(input), Weights::Identity, level()), "ac1", expected)
    });
}

#[test]
fn gwet_agrees_with_the_golden_values_of_ratings() {
    golden::check("gwet_ac_raw", |input, expected| {
        let ratings = golden_ratings(input);
        let weights = [
            ("ac1", Weights::Identity),
            ("ac2_linear", Weights::Linear),
            ("ac2_quadratic", Weights::Quadratic),
            ("ac2_ordinal", Weights::Ordinal),
        ];
        let pairs = |(name, weights)| {
            coefficient_pairs(gwet_of_ratings(&ratings, weights, level()).unwrap(), "value", &expected[name])
        };
        weights.into_iter().flat_map(pairs).collect()
    });
}

#[test]
fn alpha_agrees_with_the_golden_values() {
    golden::check("krippendorff_alpha", |input, expected| {
        let ratings = golden_ratings(input);
        let measurements =
            [("nominal", Measurement::Nominal), ("ordinal", Measurement::Ordinal), ("interval", Measurement::Interval)];
        let pair = |(name, measurement)| {
            (krippendorff_alpha(&ratings, measurement).unwrap(), expected[name].as_f64().unwrap())
        };
        measurements.map(pair).to_vec()
    });
}

/// Two graders who flag 0.1% each and never the same unit: what the module says about Gwet's coefficients.
#[test]
fn only_positive_agreement_sees_that_two_graders_never_meet() {
    let table = table(&[&[0, 3], &[4, 9_993]]);
    assert!(gwet_of_table(&table, Weights::Identity, level()).value > 0.999);
    let positive = table.agreement_on(0).unwrap();
    let limits = positive.limits(level());
    assert!(positive.estimate().abs() < f64::EPSILON && limits.lower.abs() < f64::EPSILON);
    // 0 of 7: Clopper-Pearson's 1 - 0.025^(1/7) = 0.40962, doubled over one more.
    assert!((limits.upper - 2.0 * 0.409_616_4 / 1.409_616_4).abs() < 1e-6, "{limits:?}");
}

#[test]
fn positive_agreement_is_exact_at_its_edges() {
    let always = table(&[&[5, 0], &[0, 50_000_000]]).agreement_on(0).unwrap();
    let limits = always.limits(level());
    assert!((always.estimate() - 1.0).abs() < f64::EPSILON && (limits.upper - 1.0).abs() < f64::EPSILON);
    // 5 of 5: the lower limit of p is 0.025^(1/5).
    let lower = 0.025_f64.powf(0.2);
    assert!((limits.lower - 2.0 * lower / (1.0 + lower)).abs() < 1e-12, "{limits:?}");
    assert_eq!(table(&[&[0, 0], &[0, 9]]).agreement_on(0), None);
    assert_eq!(table(&[&[0, 0], &[0, 9]]).agreement_on(2), None);
}

/// Every draw of a table of ten units, each weighed by its probability: no rate of the table escapes more often than
/// alpha allows.
#[test]
fn positive_agreement_covers() {
    let factorial = |n: u64| (1..=n).map(crate::estimate::number::float).product::<f64>();
    for [both, one] in [[0.02, 0.02], [0.1, 0.05], [0.3, 0.3], [0.05, 0.6], [0.9, 0.05_f64]] {
        let truth = 2.0 * both / (2.0 * both + one);
        let (mut covered, mut defined) = (0.0, 0.0);
        for a in 0..=10_u64 {
            for b in 0..=10 - a {
                let rest = 10 - a - b;
                let power = |base: f64, times: u64| base.powi(i32::try_from(times).unwrap());
                let chance = factorial(10) / factorial(a) / factorial(b) / factorial(rest)
                    * power(both, a)
                    * power(one, b)
                    * power(1.0 - both - one, rest);
                let Some(found) = table(&[&[a, b], &[0, rest]]).agreement_on(0) else { continue };
                let limits = found.limits(level());
                defined += chance;
                if limits.lower <= truth && truth <= limits.upper {
                    covered += chance;
                }
            }
        }
        assert!(covered / defined >= 0.95, "{both} {one}: {}", covered / defined);
    }
}

#[test]
fn what_is_undefined_is_absent() {
    assert_eq!(cohen_kappa(&table(&[&[0, 0], &[0, 100]]), Weights::Identity, level()), None);
    assert_eq!(Table::new(vec![vec![0, 0], vec![0, 0]]), None);
    assert_eq!(Table::new(vec![vec![1]]), None);
    assert_eq!(Table::new(vec![vec![1, 2], vec![3]]), None);
    assert_eq!(Table::new(vec![vec![u64::MAX, 1], vec![0, 0]]), None);
    let one = gwet_of_table(&table(&[&[1, 0], &[0, 0]]), Weights::Identity, level());
    assert_eq!((one.standard_error, one.lower, one.upper), (None, None, None));

    assert_eq!(Ratings::new([[Some(f64::NAN)]]), None);
    assert_eq!(Ratings::new([[Some(f64::INFINITY)]]), None);
    let undefined = [
        Ratings::new(Vec::<[Option<f64>; 2]>::new()),
        Ratings::new([[None, None]]),
        Ratings::new([[Some(0.0), None], [None, Some(1.0)]]),
        Ratings::new([[Some(0.0), Some(-0.0)], [Some(0.0), Some(0.0)]]),
    ];
    for ratings in undefined.map(Option::unwrap) {
        for measurement in [Measurement::Nominal, Measurement::Ordinal, Measurement::Interval] {
            assert_eq!(krippendorff_alpha(&ratings, measurement), None, "{ratings:?}");
        }
        assert_eq!(gwet_of_ratings(&ratings, Weights::Ordinal, level()), None, "{ratings:?}");
    }
}

#[test]
fn extreme_ratings_stay_numbers() {
    for [low, high] in [[-1e300, 1e300], [0.0, f64::MIN_POSITIVE / 4.0]] {
        let ratings =
            Ratings::new([[Some(low), Some(low)], [Some(high), Some(high)], [Some(low), Some(high)]]).unwrap();
        for measurement in [Measurement::Nominal, Measurement::Ordinal, Measurement::Interval] {
            // Observed: 2 of 6 ratings in a pair that differs; expected: 2 * 9 / 5.
            let found = krippendorff_alpha(&ratings, measurement).unwrap();
            assert!((found - 4.0 / 9.0).abs() < 1e-12, "{measurement:?}: {found}");
        }
        let found = gwet_of_ratings(&ratings, Weights::Quadratic, level()).unwrap();
        assert!((found.value - 1.0 / 3.0).abs() < 1e-12, "{found:?}");
    }
}

#[test]
fn a_unit_flips_by_its_first_two_draws() {
    let draws: [&[bool]; 7] =
        [&[true, true], &[true, false, true], &[true, false], &[false, true], &[false, false, true], &[true], &[]];
    let found = flips(draws.map(|unit| unit.iter().copied())).unwrap();
    let expected =
        Flips { all: Share::new(3, 5).unwrap(), lost: Share::new(2, 3), gained: Share::new(1, 2), unrepeated: 2 };
    assert_eq!(found, expected);
    let unflagged = flips([[false, false]]).unwrap();
    assert_eq!((unflagged.lost, unflagged.gained), (None, Share::new(0, 1)));
    assert_eq!(flips([[true]]), None);
}

proptest! {
    #[test]
    fn coefficients_are_numbers_within_bounds(
        cells in (2..5_usize).prop_flat_map(|count| {
            let cell = prop_oneof![Just(0_u64), 1..20_u64, Just(50_000_000)];
            prop::collection::vec(prop::collection::vec(cell, count), count)
        }),
        wide in 0.5..0.999_f64,
    ) {
        let Some(table) = Table::new(cells) else { return Ok(()) };
        let (outer, inner) = (Level::new(wide).unwrap(), Level::new(wide * 0.9).unwrap());
        for weights in [Weights::Identity, Weights::Linear, Weights::Quadratic, Weights::Ordinal] {
            let coefficients = |level| [cohen_kappa(&table, weights, level), Some(gwet_of_table(&table, weights, level))];
            for (outer, inner) in coefficients(outer).into_iter().zip(coefficients(inner)) {
                let (Some(outer), Some(inner)) = (outer, inner) else { continue };
                prop_assert!(outer.value.is_finite() && outer.value <= 1.0, "{outer:?}");
                if let (Some(lower), Some(upper)) = (outer.lower, outer.upper) {
                    prop_assert!(lower <= outer.value && outer.value <= upper && upper <= 1.0, "{outer:?}");
                    prop_assert!(lower <= inner.lower.unwrap() && inner.upper.unwrap() <= upper, "{outer:?} {inner:?}");
                }
            }
        }
    }

    /// Two graders without missing ratings are a table, whichever way they are given.
    #[test]
    fn ratings_of_two_graders_are_a_table(pairs in prop::collection::vec((0..3_u8, 0..3_u8), 3..60)) {
        let mut cells = vec![vec![0; 3]; 3];
        for (first, second) in &pairs {
            cells[usize::from(*first)][usize::from(*second)] += 1;
        }
        let ratings = Ratings::new(pairs.iter().map(|(first, second)| [*first, *second].map(|rating| Some(rating.into()))));
        let ratings = ratings.unwrap();
        if ratings.categories().len() == 3 {
            let found = gwet_of_ratings(&ratings, Weights::Linear, level()).unwrap();
            let table = gwet_of_table(&Table::new(cells).unwrap(), Weights::Linear, level());
            prop_assert!((found.value - table.value).abs() < 1e-12);
        }
    }

    /// Alpha from moments is alpha from all pairs.
    #[test]
    fn alpha_is_its_definition(
        units in prop::collection::vec(prop::collection::vec(prop::option::of((0..4_u8).prop_map(f64::from)), 1..5), 1..20),
    ) {
        let ratings = Ratings::new(units.iter().map(|unit| unit.iter().copied())).unwrap();
        let pairable: Vec<&[f64]> = ratings.units().filter(|unit| unit.len() > 1).collect();
        let all = pairable.concat();
        let between = |left: f64, right: f64| {
            let (low, high) = (left.min(right), left.max(right));
            let weight = |value: f64| if is_end(value, low) || is_end(value, high) { 0.5 } else { 1.0 };
            let inside = all.iter().filter(|value| (low..=high).contains(*value));
            if is_end(low, high) { 0.0 } else { inside.map(|value| weight(*value)).sum::<f64>() }
        };
        let distances = |values: &[f64], distance: &dyn Fn(f64, f64) -> f64| {
            let pairs = values.iter().flat_map(|left| values.iter().map(move |right| distance(*left, *right).powi(2)));
            pairs.sum::<f64>() / (length(values.len()) - 1.0)
        };
        for (measurement, distance) in [
            (Measurement::Nominal, &(|left, right| f64::from(u8::from(!is_end(left, right)))) as &dyn Fn(f64, f64) -> f64),
            (Measurement::Ordinal, &between),
            (Measurement::Interval, &|left, right| left - right),
        ] {
            let Some(found) = krippendorff_alpha(&ratings, measurement) else {
                prop_assert!(all.iter().all(|value| is_end(*value, all[0])));
                continue;
            };
            let observed: f64 = pairable.iter().map(|unit| distances(unit, distance)).sum();
            let expected = 1.0 - observed / distances(&all, distance);
            prop_assert!((found - expected).abs() < 1e-9, "{measurement:?}: {found}, not {expected}");
        }
    }
}

fn is_end(value: f64, end: f64) -> bool {
    (value - end).abs() < f64::EPSILON
}

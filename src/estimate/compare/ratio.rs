//! The ratio of two rates of rare events, given their sum: exact, and by the mid-p method that reports use.
//!
//! Of x1 + x2 events, x1 is binomial with the odds (rate 1 x exposure 1) / (rate 2 x exposure 2), whatever the rates
//! are (J. Przyborowski and H. Wilenski, Biometrika 31, 1940).

use super::RatioLimits;
use crate::estimate::binomial::Binomial;
use crate::estimate::count::Exposed;
use crate::estimate::interval::{Limits, Share, clopper_pearson, mid_p};
use crate::model::rate::Level;

/// The two-sided exact p-value of equal rates, by point probabilities with R's tolerance for ties (`poisson.test`).
/// Without an event it is 1.
#[must_use]
pub fn exact_p(one: Exposed, other: Exposed) -> f64 {
    given_sum(one, other).no_likelier(one.events())
}

/// The two-sided mid-p-value of equal rates: twice the smaller tail, to which half of the observed count's probability
/// belongs, at most 1. It is below alpha exactly when [`mid_p_ratio`] excludes 1. Without an event it is 1.
#[must_use]
pub fn mid_p_value(one: Exposed, other: Exposed) -> f64 {
    let chance = given_sum(one, other);
    let half = 0.5 * chance.ln_exactly(one.events()).exp();
    let tails = [chance.at_most(one.events()), chance.at_least(one.events())];
    // Of the two, the smaller one is exact to its own digits.
    (2.0 * (tails[0].min(tails[1]) - half)).clamp(0.0, 1.0)
}

/// The ratio of `one`'s rate to `other`'s with exact limits, from those of Clopper and Pearson. At no event of `one`
/// the lower limit is 0, at none of `other` the upper limit is infinite, with half of alpha on the other side.
///
/// `None` without any event.
#[must_use]
pub fn exact_ratio(one: Exposed, other: Exposed, level: Level) -> Option<RatioLimits> {
    conditional(one, other, |share| clopper_pearson(share, level))
}

/// The same with mid-p limits, which miss alpha on average and not at most: for plain counts, with at most one
/// confirmed unit in a cluster.
///
/// `None` without any event.
#[must_use]
pub fn mid_p_ratio(one: Exposed, other: Exposed, level: Level) -> Option<RatioLimits> {
    conditional(one, other, |share| mid_p(share, level))
}

fn given_sum(one: Exposed, other: Exposed) -> Binomial {
    Binomial::in_proportion(one.events() + other.events(), one.exposure(), other.exposure())
}

fn conditional(one: Exposed, other: Exposed, limits: impl Fn(Share) -> Limits) -> Option<RatioLimits> {
    let sum = one.events() + other.events();
    let scale = other.exposure() / one.exposure();
    // Odds are taken of the smaller share: the complement of a limit near 1 has no digits.
    let odds = |share: f64| share / (1.0 - share);
    let (first, second) = if one.events() <= other.events() {
        let Limits { lower, upper } = limits(Share::new(one.events(), sum)?);
        (odds(lower), odds(upper))
    } else {
        let Limits { lower, upper } = limits(Share::new(other.events(), sum)?);
        (odds(upper).recip(), odds(lower).recip())
    };
    Some(RatioLimits { estimate: one.rate() / other.rate(), lower: first * scale, upper: second * scale })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::estimate::golden::{self, number};

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn exposed(events: u64, exposure: f64) -> Exposed {
        Exposed::new(events, exposure).unwrap()
    }

    fn group(input: &Value, which: u8) -> Exposed {
        exposed(input[format!("x{which}")].as_u64().unwrap(), number(&input[format!("exposure{which}")]))
    }

    #[test]
    fn exact_ratios_agree_with_the_golden_values() {
        golden::check("poisson_rate_ratio_exact", |input, expected| {
            let (one, other) = (group(input, 1), group(input, 2));
            let ratio = exact_ratio(one, other, level(number(&input["level"]))).unwrap();
            [(exact_p(one, other), "p"), (ratio.estimate, "ratio"), (ratio.lower, "lower"), (ratio.upper, "upper")]
                .map(|(found, name)| (found, number(&expected[name])))
                .to_vec()
        });
    }

    /// 3 of 10,000 and 10 of 10,000: the tails can be summed by hand over 2^13.
    #[test]
    fn mid_p_of_thirteen_events() {
        let (one, other) = (exposed(3, 1e4), exposed(10, 1e4));
        let p = mid_p_value(one, other);
        assert!((p - 2.0 * (1.0 + 13.0 + 78.0 + 143.0) / 8192.0).abs() < 1e-15, "{p}");
        let ratio = mid_p_ratio(one, other, Level::new(1.0 - p).unwrap()).unwrap();
        assert!((ratio.upper - 1.0).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn without_events_there_is_no_ratio() {
        let none = exposed(0, 10.0);
        assert_eq!((exact_ratio(none, none, level(0.95)), mid_p_ratio(none, none, level(0.95))), (None, None));
        assert!((exact_p(none, none) - 1.0).abs() < 1e-15 && (mid_p_value(none, none) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn exposures_far_apart_have_a_ratio() {
        for (one, other) in [(exposed(0, 1e-100), exposed(3, 1e100)), (exposed(3, 1e-100), exposed(0, 1e100))] {
            for ratio in [exact_ratio(one, other, level(0.95)).unwrap(), mid_p_ratio(one, other, level(0.95)).unwrap()]
            {
                assert!(!ratio.lower.is_nan() && !ratio.upper.is_nan() && !ratio.estimate.is_nan(), "{ratio:?}");
            }
            assert!(exact_p(one, other) <= 1.0 && mid_p_value(one, other) <= 1.0);
        }
    }

    fn groups() -> impl Strategy<Value = Exposed> {
        (prop_oneof![0..30_u64, 0..50_000_000_u64], prop_oneof![1.0..100.0_f64, 1.0..5e7_f64])
            .prop_map(|(events, exposure)| exposed(events, exposure))
    }

    proptest! {
        #[test]
        fn ratios_behave(one in groups(), other in groups(), wide in 0.5..0.999_f64) {
            prop_assume!(one.events() + other.events() > 0);
            for method in [exact_ratio, mid_p_ratio] {
                let (outer, inner) = (method(one, other, level(wide)).unwrap(), method(one, other, level(wide * 0.9)).unwrap());
                prop_assert!(0.0 <= outer.lower && outer.lower <= inner.lower && inner.upper <= outer.upper, "nested");
                prop_assert!(inner.lower <= inner.estimate * (1.0 + 1e-9) && inner.estimate <= inner.upper * (1.0 + 1e-9), "{inner:?}");
                let back = method(other, one, level(wide)).unwrap();
                prop_assert!((back.lower * outer.upper - 1.0).abs() < 1e-9 || back.lower == 0.0, "{back:?} {outer:?}");
            }
            for p in [exact_p, mid_p_value] {
                prop_assert!((0.0..=1.0).contains(&p(one, other)));
            }
        }

        #[test]
        fn the_mid_p_value_decides_like_its_limits(one in groups(), other in groups(), wide in 0.5..0.999_f64) {
            prop_assume!(one.events() + other.events() > 0);
            let (ratio, p) = (mid_p_ratio(one, other, level(wide)).unwrap(), mid_p_value(one, other));
            prop_assume!((p - (1.0 - wide)).abs() > 1e-6);
            prop_assert_eq!(p < 1.0 - wide, ratio.lower > 1.0 || ratio.upper < 1.0);
        }
    }
}

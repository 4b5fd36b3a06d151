//! How many units it takes: to see one event, to show that two rare rates differ; and which ratio counts of a given
//! size could have shown.
//!
//! Power is that of the exact conditional test of two Poisson counts: the difference is shown when the equal-tailed
//! exact interval of the ratio excludes 1. With equal exposures that is the test by point probabilities as well, and
//! for rare rates Fisher's. Sums over the total are exact up to 255 expected events; beyond, every so many-th total
//! stands for its neighbours.

use std::f64::consts::PI;

use super::binomial::Binomial;
use super::count::EXPOSURES;
use super::interval::two_sided_z;
use super::special::{normal_quantile, stirling};
use crate::model::rate::Level;

/// More expected events than this need no exact test.
const MAX_EVENTS: f64 = 1e6;

/// Totals further than so many standard deviations from their mean do not count.
const REACH: f64 = 7.0;

/// Totals that are looked at for each standard deviation.
const DENSITY: f64 = 8.0;

/// Beyond this ratio nothing is searched.
const MAX_RATIO: f64 = 1e4;

/// Sample sizes and ratios are found to this part of themselves.
const PRECISION: f64 = 1e-3;

/// A probability, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Chance(f64);

impl Chance {
    /// The probability, if it lies strictly between 0 and 1.
    #[must_use]
    pub fn new(chance: f64) -> Option<Self> {
        (chance > 0.0 && chance < 1.0).then_some(Self(chance))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The smallest number of independent units among which at least one has the event with the probability `level`, if
/// a share `rate` of all has: ln(alpha) / ln(1 - rate), rounded up. It is also the number of clean reads after which
/// the one-sided exact upper limit is at most `rate`.
///
/// `None` beyond 2^53 units.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is between 1 and 2^53")]
pub fn units_to_detect_one(rate: Chance, level: Level) -> Option<u64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let units = level.alpha().ln() / (-rate.0).ln_1p();
    // A whole number that rounding pushed up by its last bits is that number.
    let units = (units * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
    (units < LARGEST).then_some(units as u64)
}

/// Events that are expected in a group, and the group's exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    events: f64,
    exposure: f64,
}

impl Expected {
    /// `events` expected over `exposure`, if both lie between 1e-100 and 1e100.
    #[must_use]
    pub fn new(events: f64, exposure: f64) -> Option<Self> {
        (EXPOSURES.contains(&events) && EXPOSURES.contains(&exposure)).then_some(Self { events, exposure })
    }
}

/// The probability that the two groups' rates are shown to differ. It takes up to some milliseconds, and the searches
/// below take ten to fifteen times that.
///
/// `None` beyond a million expected events.
#[must_use]
pub fn power(one: Expected, other: Expected, level: Level) -> Option<f64> {
    let total = one.events + other.events;
    if total > MAX_EVENTS {
        return None;
    }
    let tail = level.alpha() / 2.0;
    let z = -two_sided_z(level);
    let (mut weights, mut shown) = (0.0, 0.0);
    for sum in totals(total) {
        let null = Binomial::in_proportion(sum, one.exposure, other.exposure);
        let mirrored = Binomial::in_proportion(sum, other.exposure, one.exposure);
        let truth = Binomial::in_proportion(sum, one.events, other.events);
        let low = critical(null, sum, one.exposure / (one.exposure + other.exposure), tail, z);
        let high = critical(mirrored, sum, other.exposure / (one.exposure + other.exposure), tail, z);
        let weight = poisson(sum, total);
        weights += weight;
        shown += weight * low.map_or(0.0, |low| truth.at_most(low));
        shown += weight * high.map_or(0.0, |high| truth.at_least(sum - high));
    }
    Some((shown / weights).clamp(0.0, 1.0))
}

/// Totals within reach of their mean, evenly spread.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are positive and at most a few million"
)]
fn totals(mean: f64) -> impl Iterator<Item = u64> {
    let deviation = mean.sqrt();
    let first = (mean - REACH * deviation).max(0.0) as u64;
    // Beside a small mean the upper tail is longer than a normal one.
    let last = (mean + REACH * (deviation + 2.0)).ceil() as u64;
    let stride = ((deviation / DENSITY) as usize).max(1);
    (first..=last).step_by(stride)
}

/// The probability of `count` events, up to the same factor for each.
#[expect(clippy::cast_precision_loss, reason = "counts are at most a few million")]
fn poisson(count: u64, mean: f64) -> f64 {
    if count == 0 {
        return (-mean).exp();
    }
    let count = count as f64;
    let shape = count - mean - count * (count / mean).ln();
    (shape - stirling(count)).exp() / (2.0 * PI * count).sqrt()
}

/// The largest count at or below which no more than `tail` lies, if there is one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are at most a few million, and the cast saturates"
)]
fn critical(null: Binomial, n: u64, share: f64, tail: f64, z: f64) -> Option<u64> {
    let mean = n as f64 * share;
    let mut count = ((mean + z * (mean * (1.0 - share)).sqrt() - 0.5).max(0.0) as u64).min(n);
    while null.at_most(count) > tail {
        count = count.checked_sub(1)?;
    }
    while count < n && null.at_most(count + 1) <= tail {
        count += 1;
    }
    Some(count)
}

/// Units that each of two groups of equal size needs so that two rare rates are shown to differ with this power, to a
/// thousandth.
///
/// `None` if the rates are equal, or so close that more than a million events would be needed.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is positive, and the cast saturates"
)]
pub fn units_per_group(one: Chance, other: Chance, level: Level, wanted: Chance) -> Option<u64> {
    let sum = one.0 + other.0;
    let largest = MAX_EVENTS / sum;
    let reaches = |units: f64| {
        let expected = |rate: Chance| Expected::new(rate.0 * units, units);
        power(expected(one)?, expected(other)?, level).map(|power| power >= wanted.0)
    };
    // The normal approximation is a good place to start.
    let z = two_sided_z(level) + normal_quantile(wanted.0).max(0.0);
    let start = z * z * sum / (one.0 - other.0).powi(2);
    let enough = first_enough(start.clamp(1.0, largest), largest, reaches)?;
    Some((enough.ceil() as u64).max(1))
}

/// The smallest ratio above 1, to a thousandth, by which the first group's rate would have had to exceed the second's
/// to be shown with this power. `one` and `other` are the events that each group would have if the rates were equal:
/// what a report that found no difference must name. For a decrease, exchange the groups and take the reciprocal.
///
/// `None` if not even a ratio of 10,000 would have been shown, or beyond a million expected events.
#[must_use]
pub fn smallest_ratio_shown(one: f64, other: f64, level: Level, wanted: Chance) -> Option<f64> {
    let reaches = |excess: f64| {
        let first = Expected::new(one * (1.0 + excess), one)?;
        power(first, Expected::new(other, other)?, level).map(|power| power >= wanted.0)
    };
    let z = two_sided_z(level) + normal_quantile(wanted.0).max(0.0);
    let start = (z * (one.recip() + other.recip()).sqrt()).exp_m1();
    first_enough(start.clamp(PRECISION, MAX_RATIO), MAX_RATIO, reaches).map(|excess| 1.0 + excess)
}

/// The first number at which `reaches` holds, to a part of [`PRECISION`], if it holds from some number on. Power has
/// small teeth: the number found is one at which it holds, just above one at which it does not.
fn first_enough(start: f64, largest: f64, reaches: impl Fn(f64) -> Option<bool>) -> Option<f64> {
    let (mut low, mut high) = (0.0, start);
    while !reaches(high)? {
        if high >= largest {
            return None;
        }
        (low, high) = (high, (high * 1.5).min(largest));
    }
    if low <= 0.0 {
        low = high / 1.5;
        while reaches(low)? && high > PRECISION {
            (low, high) = (low / 1.5, low);
        }
    }
    while high - low > PRECISION * high {
        let middle = f64::midpoint(low, high);
        if reaches(middle)? { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden;
    use crate::estimate::interval::{Share, one_sided_upper};

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn chance(chance: f64) -> Chance {
        Chance::new(chance).unwrap()
    }

    fn expected(events: f64, exposure: f64) -> Expected {
        Expected::new(events, exposure).unwrap()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "the golden sizes are below 2^53")]
    fn detecting_one_agrees_with_the_golden_values() {
        golden::check("detect_one_sample_size", |input, expected| {
            let number = |name: &str| input[name].as_f64().unwrap();
            let units = units_to_detect_one(chance(number("p")), level(number("level"))).unwrap();
            vec![(units as f64, expected["n"].as_f64().unwrap())]
        });
    }

    #[test]
    fn clean_reads_bound_the_rate() {
        for (rate, units) in [(1e-3, 2_995), (3e-4, 9_985), (1e-4, 29_956), (1e-5, 299_572)] {
            assert_eq!(units_to_detect_one(chance(rate), level(0.95)), Some(units));
        }
        // Exactly whole numbers: 1/4 of two halves is missed, 1/8 of three.
        assert_eq!(units_to_detect_one(chance(0.5), level(0.75)), Some(2));
        assert_eq!(units_to_detect_one(chance(0.5), level(0.875)), Some(3));
        assert_eq!(units_to_detect_one(chance(0.999), level(0.1)), Some(1));
        assert_eq!(units_to_detect_one(chance(1e-300), level(0.95)), None);
        for wrong in [0.0, 1.0, -0.5, f64::NAN] {
            assert_eq!(Chance::new(wrong), None);
        }
    }

    /// Both sums, count by count, without any shortcut.
    fn enumerated(one: Expected, other: Expected, level: Level) -> f64 {
        let tail = level.alpha() / 2.0;
        let mut shown = 0.0;
        for x1 in 0..120_u64 {
            for x2 in 0..120_u64 {
                let null = Binomial::in_proportion(x1 + x2, one.exposure, other.exposure);
                if null.at_most(x1) <= tail || null.at_least(x1) <= tail {
                    shown += poisson(x1, one.events) * poisson(x2, other.events);
                }
            }
        }
        shown
    }

    #[test]
    fn power_agrees_with_enumeration() {
        for (one, other) in [
            (expected(3.0, 1.0), expected(12.0, 1.0)),
            (expected(20.0, 1.0), expected(20.0, 1.0)),
            (expected(0.4, 5.0), expected(30.0, 90.0)),
            (expected(25.0, 1e6), expected(4.0, 3e5)),
        ] {
            let (found, by_hand) = (power(one, other, level(0.9)).unwrap(), enumerated(one, other, level(0.9)));
            assert!((found - by_hand).abs() < 1e-8, "{one:?} {other:?}: {found} {by_hand}");
        }
    }

    /// Where totals are thinned out the sum must stay what it was.
    #[test]
    fn thinning_changes_little() {
        for events in [2_000.0, 30_000.0, 300_000.0_f64] {
            let ratio = (3.0 * (2.0 / events).sqrt()).exp();
            let found = power(expected(events * ratio, 1.0), expected(events, 1.0), level(0.95)).unwrap();
            let z = (events * ratio - events) / (events * ratio + events).sqrt();
            let normal = super::super::special::normal_cdf(z - 1.959_964);
            assert!((found - normal).abs() < 0.01, "{events}: {found} {normal}");
        }
    }

    /// Forecast rates of 0.05% and 0.07% at alpha 0.1: p first falls below 0.1 near 100,000 units per group if the
    /// counts are the expected ones, which is a power of about one half.
    #[test]
    fn two_forecast_rates() {
        let rates = [5e-4, 7e-4];
        let at = |units: f64| {
            power(expected(rates[0] * units, units), expected(rates[1] * units, units), level(0.9)).unwrap()
        };
        assert!((0.45..0.56).contains(&at(100_000.0)), "{}", at(100_000.0));
        let units = units_per_group(chance(rates[0]), chance(rates[1]), level(0.9), chance(0.8)).unwrap();
        assert!((190_000..205_000).contains(&units), "{units}");
        let half = units_per_group(chance(rates[0]), chance(rates[1]), level(0.9), chance(0.5)).unwrap();
        assert!((90_000..110_000).contains(&half), "{half}");
        assert_eq!(units_per_group(chance(1e-3), chance(1e-3), level(0.95), chance(0.8)), None);
    }

    #[test]
    fn what_a_null_result_could_have_shown() {
        let shown = |one, other| smallest_ratio_shown(one, other, level(0.95), chance(0.8));
        let ten = shown(10.0, 10.0).unwrap();
        let reached = power(expected(10.0 * ten, 1.0), expected(10.0, 1.0), level(0.95)).unwrap();
        assert!((0.8..0.802).contains(&reached), "{ten} {reached}");
        assert!((2.5..3.0).contains(&ten), "{ten}");
        assert!(shown(1_000.0, 1_000.0).unwrap() < 1.15);
        assert_eq!(
            (shown(1e-9, 1e-9), shown(0.0, 3.0), shown(f64::NAN, 3.0), shown(1e7, 1e7)),
            (None, None, None, None)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn clean_reads_are_the_fewest(ln_rate in -16.0..-0.1_f64, wide in 0.5..0.999_f64) {
            let rate = ln_rate.exp();
            let units = units_to_detect_one(chance(rate), level(wide)).unwrap();
            let bound = |units| one_sided_upper(Share::new(0, units).unwrap(), level(wide));
            prop_assert!(bound(units) <= rate * (1.0 + 1e-12));
            prop_assert!(units == 1 || bound(units - 1) > rate * (1.0 - 1e-12));
        }

        #[test]
        fn power_behaves(events in 0.01..300.0_f64, other in 0.01..300.0_f64, exposure in 0.01..100.0_f64, wide in 0.5..0.99_f64) {
            let (one, two) = (expected(events, 1.0), expected(other, exposure));
            let found = power(one, two, level(wide)).unwrap();
            prop_assert!((0.0..=1.0).contains(&found));
            prop_assert!(power(one, two, level(wide * 0.9)).unwrap() >= found - 1e-12, "a lower level shows more");
            prop_assert!((power(two, one, level(wide)).unwrap() - found).abs() < 1e-9, "groups may be exchanged");
            let equal = power(expected(events, 1.0), expected(events * exposure, exposure), level(wide)).unwrap();
            prop_assert!(equal <= 1.0 - wide + 1e-9, "equal rates are shown to differ at most alpha of the time: {equal}");
        }
    }
}

//! Score limits of the difference and the ratio of two independent proportions. The null hypothesis decides the
//! variance, so they hold at small counts, where limits from the observed variance (Wald, Katz) do not.
//!
//! O. Miettinen and M. Nurminen (Statistics in Medicine 4, 1985), with their factor N / (N - 1); without it the
//! difference is R. W. Mee's (Biometrics 40, 1984) and the ratio P. A. R. Koopman's (Biometrics 40, 1984).

use super::{DifferenceLimits, RatioLimits};
use crate::estimate::interval::{Share, two_sided_z, wilson};
use crate::estimate::root::root;
use crate::model::rate::Level;

/// ln of a ratio that no two counts below 2^53 can speak for.
const FAR: f64 = 80.0;

/// Whether the variance carries the factor N / (N - 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variance {
    /// With it: Miettinen and Nurminen.
    Unbiased,
    /// Without it: Mee, and Koopman.
    Plain,
}

/// Counts as numbers.
#[derive(Debug, Clone, Copy)]
struct Counts {
    hits: f64,
    rest: f64,
    n: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn counts(share: Share) -> Counts {
    Counts { hits: share.k() as f64, rest: share.rest() as f64, n: share.n() as f64 }
}

/// How many standard errors apart two proportions are, `one` minus `other`, with the variance of their pool. 0 if all
/// units or none have the event.
#[must_use]
pub fn pooled_z(one: Share, other: Share) -> f64 {
    difference_score(counts(one), counts(other), 0.0, Variance::Plain)
}

/// `one` minus `other` with score limits.
#[must_use]
pub fn score_difference(one: Share, other: Share, level: Level, variance: Variance) -> DifferenceLimits {
    let z = two_sided_z(level);
    let estimate = one.estimate() - other.estimate();
    let score = |difference| difference_score(counts(one), counts(other), difference, variance);
    let lower = if estimate <= -1.0 { -1.0 } else { root(-1.0, estimate, |difference| score(difference) - z) };
    let upper = if estimate >= 1.0 { 1.0 } else { root(estimate, 1.0, |difference| score(difference) + z) };
    DifferenceLimits { estimate, lower, upper }
}

/// `one` minus `other` with limits that add the distances to the two Wilson limits in squares: method 10 of R. G.
/// Newcombe (Statistics in Medicine 17, 1998).
#[must_use]
pub fn newcombe(one: Share, other: Share, level: Level) -> DifferenceLimits {
    let (first, second) = (wilson(one, level), wilson(other, level));
    let (p1, p2) = (one.estimate(), other.estimate());
    DifferenceLimits {
        estimate: p1 - p2,
        lower: p1 - p2 - (p1 - first.lower).hypot(second.upper - p2),
        upper: p1 - p2 + (first.upper - p1).hypot(p2 - second.lower),
    }
}

/// `one` over `other` with score limits. At no event of `one` the lower limit is 0, at none of `other` the upper limit
/// is infinite.
///
/// `None` without any event.
#[must_use]
pub fn score_ratio(one: Share, other: Share, level: Level, variance: Variance) -> Option<RatioLimits> {
    let (first, second) = (counts(one), counts(other));
    if first.hits + second.hits <= 0.0 {
        return None;
    }
    let z = two_sided_z(level);
    let estimate = one.estimate() / other.estimate();
    let score = |ln: f64| ratio_score(first, second, ln.exp(), variance);
    let middle = estimate.ln().clamp(-FAR, FAR);
    let lower = if first.hits <= 0.0 { 0.0 } else { root(-FAR, middle, |ln| score(ln) - z).exp() };
    let upper = if second.hits <= 0.0 { f64::INFINITY } else { root(middle, FAR, |ln| score(ln) + z).exp() };
    Some(RatioLimits { estimate, lower, upper })
}

/// Standard errors between the observed difference and this one.
fn difference_score(one: Counts, other: Counts, difference: f64, variance: Variance) -> f64 {
    let (p1, p2) = if difference >= 0.0 {
        let p2 = likeliest(one, other, difference);
        (p2 + difference, p2)
    } else {
        let p1 = likeliest(other, one, -difference);
        (p1, p1 - difference)
    };
    let square = p1 * (1.0 - p1).max(0.0) / one.n + p2 * (1.0 - p2).max(0.0) / other.n;
    quotient(one.hits / one.n - other.hits / other.n - difference, square * factor(one, other, variance))
}

/// The likeliest smaller proportion if `large`'s exceeds it by `gap`: the zero of the likelihood's derivative, which
/// falls all the way. A search keeps the digits that the closed form of the cubic loses at rare events.
fn likeliest(large: Counts, small: Counts, gap: f64) -> f64 {
    let part = |count: f64, share: f64| if count > 0.0 { count / share } else { 0.0 };
    let slope = |p: f64| {
        let up = part(large.hits, p + gap) + part(small.hits, p);
        let down = part(large.rest, (1.0 - gap - p).max(0.0)) + part(small.rest, 1.0 - p);
        up - down
    };
    let end = 1.0 - gap;
    if slope(0.0) <= 0.0 {
        0.0
    } else if slope(end) >= 0.0 {
        end
    } else {
        root(0.0, end, slope)
    }
}

/// Standard errors between the observed ratio and this one.
fn ratio_score(one: Counts, other: Counts, ratio: f64, variance: Variance) -> f64 {
    // The likeliest p2 is the smaller root of a quadratic; b^2 - 4ac is written as a sum of what cannot cancel.
    let (first, second) = (ratio * (one.n + other.hits), other.n + one.hits);
    let discriminant = (first - second).powi(2) + 4.0 * ratio * one.rest * other.rest;
    let p2 = (2.0 * (one.hits + other.hits) / (first + second + discriminant.sqrt())).min(1.0);
    let p1 = ratio * p2;
    let square = p1 * (1.0 - p1).max(0.0) / one.n + ratio * ratio * p2 * (1.0 - p2).max(0.0) / other.n;
    quotient(one.hits / one.n - ratio * (other.hits / other.n), square * factor(one, other, variance))
}

fn factor(one: Counts, other: Counts, variance: Variance) -> f64 {
    let sum = one.n + other.n;
    match variance {
        Variance::Unbiased => sum / (sum - 1.0),
        Variance::Plain => 1.0,
    }
}

/// A distance in standard errors; no distance is none, also without variance.
fn quotient(distance: f64, variance: f64) -> f64 {
    if distance == 0.0 { 0.0 } else { distance / variance.sqrt() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::estimate::golden::{self, number, numbers};

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn shares(input: &Value) -> (Share, Share, Level) {
        let share = |k: &str, n: &str| Share::new(input[k].as_u64().unwrap(), input[n].as_u64().unwrap()).unwrap();
        (share("x1", "n1"), share("x2", "n2"), level(number(&input["level"])))
    }

    #[test]
    fn differences_agree_with_the_golden_values() {
        golden::check("two_prop_difference", |input, expected| {
            let (one, other, level) = shares(input);
            let methods = [
                ("miettinen_nurminen", score_difference(one, other, level, Variance::Unbiased)),
                ("mee", score_difference(one, other, level, Variance::Plain)),
                ("newcombe", newcombe(one, other, level)),
            ];
            let mut pairs = vec![(pooled_z(one, other), number(&expected["score_z_at_0"]))];
            for (name, found) in methods {
                let limits = numbers(&expected[name]);
                pairs.extend([
                    (found.estimate, number(&expected["diff"])),
                    (found.lower, limits[0]),
                    (found.upper, limits[1]),
                ]);
            }
            pairs
        });
    }

    #[test]
    fn ratios_agree_with_the_golden_values() {
        golden::check("two_prop_ratio", |input, expected| {
            let (one, other, level) = shares(input);
            let methods = [("koopman", Variance::Plain), ("miettinen_nurminen_ratio", Variance::Unbiased)];
            let mut pairs = Vec::new();
            for (name, variance) in methods {
                let found = score_ratio(one, other, level, variance).unwrap();
                let limits = numbers(&expected[name]);
                pairs.extend([
                    (found.estimate, number(&expected["ratio"])),
                    (found.lower, limits[0]),
                    (found.upper, limits[1]),
                ]);
            }
            pairs
        });
    }

    #[test]
    fn without_events_there_is_no_ratio_but_a_difference() {
        let none = Share::new(0, 50_000_000).unwrap();
        assert_eq!(score_ratio(none, none, level(0.95), Variance::Plain), None);
        let difference = score_difference(none, none, level(0.95), Variance::Unbiased);
        assert!(difference.lower < 0.0 && difference.upper > 0.0 && difference.upper < 1e-6, "{difference:?}");
    }

    fn any_share() -> impl Strategy<Value = Share> {
        prop_oneof![1..30_u64, 1..50_000_000_u64]
            .prop_flat_map(|n| (prop_oneof![0..=n, 0..=n.min(20), Just(n), Just(0)], Just(n)))
            .prop_map(|(k, n)| Share::new(k, n).unwrap())
    }

    proptest! {
        #[test]
        fn differences_behave(one in any_share(), other in any_share(), wide in 0.5..0.999_f64) {
            let methods: [fn(Share, Share, Level) -> DifferenceLimits; 3] = [
                |one, other, level| score_difference(one, other, level, Variance::Unbiased),
                |one, other, level| score_difference(one, other, level, Variance::Plain),
                newcombe,
            ];
            for method in methods {
                let (outer, inner) = (method(one, other, level(wide)), method(one, other, level(wide * 0.9)));
                prop_assert!(-1.0 <= outer.lower && outer.upper <= 1.0, "{outer:?}");
                prop_assert!(outer.lower <= inner.lower + 1e-15 && inner.upper <= outer.upper + 1e-15, "nested {outer:?} {inner:?}");
                prop_assert!(inner.lower <= inner.estimate && inner.estimate <= inner.upper, "{inner:?}");
                let back = method(other, one, level(wide));
                prop_assert!((back.lower + outer.upper).abs() < 1e-12, "{back:?} {outer:?}");
            }
        }

        #[test]
        fn ratios_behave(one in any_share(), other in any_share(), wide in 0.5..0.999_f64) {
            prop_assume!(one.k() + other.k() > 0);
            for variance in [Variance::Plain, Variance::Unbiased] {
                let method = |at| score_ratio(one, other, level(at), variance).unwrap();
                let (outer, inner) = (method(wide), method(wide * 0.9));
                let slack = 1.0 + 1e-9;
                prop_assert!(0.0 <= outer.lower && outer.lower <= inner.lower * slack && inner.upper <= outer.upper * slack, "{outer:?} {inner:?}");
                prop_assert!(inner.lower <= inner.estimate * slack && inner.estimate <= inner.upper * slack, "{inner:?}");
                prop_assert!(!outer.lower.is_nan() && !outer.upper.is_nan());
            }
        }
    }
}

//! Limits of one proportion: exact ones, and Wilson's for reading what others published.

use super::binomial::Binomial;
use super::root::root;
use super::special::{beta_quantile, normal_quantile};
use crate::model::rate::Level;

/// `k` events among `n` units: at least one unit, and no more events than units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    k: u64,
    n: u64,
}

impl Share {
    /// `k` of `n`, if that is a share.
    #[must_use]
    pub const fn new(k: u64, n: u64) -> Option<Self> {
        if n == 0 || k > n { None } else { Some(Self { k, n }) }
    }

    /// Events over units.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn estimate(self) -> f64 {
        self.k as f64 / self.n as f64
    }

    /// Events.
    #[must_use]
    pub const fn k(self) -> u64 {
        self.k
    }

    /// Units.
    #[must_use]
    pub const fn n(self) -> u64 {
        self.n
    }

    /// The share of units without an event.
    #[must_use]
    pub const fn other(self) -> Self {
        Self { k: self.n - self.k, n: self.n }
    }

    /// Units without an event.
    pub(super) const fn rest(self) -> u64 {
        self.n - self.k
    }
}

/// A lower and an upper limit, 0 <= lower <= upper <= 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

/// The two-sided, equal-tailed limits of Clopper and Pearson (Biometrika 26, 1934): each tail has half of alpha, also
/// at 0 of n and n of n.
#[must_use]
pub fn clopper_pearson(share: Share, level: Level) -> Limits {
    let tail = level.alpha() / 2.0;
    Limits { lower: lower_limit(share, tail), upper: upper_limit(share, tail) }
}

/// The upper limit that leaves all of alpha above it. At 0 of n it is 1 - alpha^(1/n), the exact "rule of three".
#[must_use]
pub fn one_sided_upper(share: Share, level: Level) -> f64 {
    upper_limit(share, level.alpha())
}

/// The lower limit that leaves all of alpha below it.
#[must_use]
pub fn one_sided_lower(share: Share, level: Level) -> f64 {
    lower_limit(share, level.alpha())
}

/// Standard errors to either side of a normal estimate that leave alpha beyond them.
pub(super) fn two_sided_z(level: Level) -> f64 {
    // The small tail keeps the digits that its complement loses at high levels.
    -normal_quantile(level.alpha() / 2.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn lower_limit(share: Share, tail: f64) -> f64 {
    if share.k == 0 {
        0.0
    } else if share.rest() == 0 {
        (tail.ln() / share.n as f64).exp()
    } else {
        beta_quantile(share.k as f64, share.rest() as f64 + 1.0, tail)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn upper_limit(share: Share, tail: f64) -> f64 {
    if share.rest() == 0 {
        1.0
    } else if share.k == 0 {
        -(tail.ln() / share.n as f64).exp_m1()
    } else {
        beta_quantile(share.k as f64 + 1.0, share.rest() as f64, 1.0 - tail)
    }
}

/// The two-sided mid-p limits: half of the probability of the observed count belongs to each tail (H. O. Lancaster,
/// Journal of the American Statistical Association 56, 1961). They lie inside those of Clopper and Pearson and miss
/// alpha on average instead of at most; at 0 of n the lower limit is 0 and the upper 1 - alpha^(1/n).
#[must_use]
pub fn mid_p(share: Share, level: Level) -> Limits {
    let exact = clopper_pearson(share, level);
    let alpha = level.alpha();
    if share.k == 0 {
        return Limits { lower: 0.0, upper: upper_limit(share, alpha) };
    }
    if share.rest() == 0 {
        return Limits { lower: lower_limit(share, alpha), upper: 1.0 };
    }
    if share.rest() < share.k {
        // The limits near 0 have all their digits.
        let mirrored = mid_p(Share { k: share.rest(), n: share.n }, level);
        return Limits { lower: 1.0 - mirrored.upper, upper: 1.0 - mirrored.lower };
    }
    let (low, high) = (exact.lower.ln(), exact.upper.ln());
    let upper_tail = |ln: f64| {
        let chance = Binomial::in_proportion(share.n, ln.exp(), -ln.exp_m1());
        (chance.at_least(share.k), 0.5 * chance.ln_exactly(share.k).exp())
    };
    let lower = root(low, high, |ln| {
        let (tail, half) = upper_tail(ln);
        tail - half - alpha / 2.0
    });
    let upper = root(low, high, |ln| {
        let (tail, half) = upper_tail(ln);
        1.0 - tail + half - alpha / 2.0
    });
    Limits { lower: lower.exp(), upper: upper.exp() }
}

/// The score limits of E. B. Wilson (Journal of the American Statistical Association 22, 1927), for checking published
/// figures that use them. No report of ours does: at expected counts below one the lower limit is too high.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn wilson(share: Share, level: Level) -> Limits {
    let (k, n, rest) = (share.k as f64, share.n as f64, share.rest() as f64);
    let square = two_sided_z(level).powi(2);
    let half = (square * (square / 4.0 + k * rest / n)).sqrt();
    let upper = if share.rest() == 0 { 1.0 } else { (k + square / 2.0 + half) / (n + square) };
    // The two limits' product is k^2 / (n (n + z^2)): a quotient keeps the digits that a difference loses.
    let lower = if share.k == 0 { 0.0 } else { k * k / n / (k + square / 2.0 + half) };
    Limits { lower, upper }
}

/// -ln(alpha) / n: the upper limit of 0 of n events by Poisson's approximation, which "three over n" rounds at 95%. It
/// lies above [`one_sided_upper`], and above 1 for few units.
///
/// `None` without a unit.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn rule_of_three(n: u64, level: Level) -> Option<f64> {
    (n > 0).then(|| -level.alpha().ln() / n as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::estimate::golden;

    fn share(k: u64, n: u64) -> Share {
        Share::new(k, n).unwrap()
    }

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn number(values: &Value, name: &str) -> f64 {
        values[name].as_f64().unwrap()
    }

    #[test]
    fn clopper_pearson_agrees_with_the_golden_values() {
        golden::check("clopper_pearson", |input, expected| {
            let share = share(input["k"].as_u64().unwrap(), input["n"].as_u64().unwrap());
            let level = level(number(input, "level"));
            let two_sided = clopper_pearson(share, level);
            vec![
                (two_sided.lower, number(expected, "lower")),
                (two_sided.upper, number(expected, "upper")),
                (one_sided_lower(share, level), number(expected, "one_sided_lower")),
                (one_sided_upper(share, level), number(expected, "one_sided_upper")),
            ]
        });
    }

    #[test]
    fn the_rule_of_three_agrees_with_the_golden_values() {
        golden::check("rule_of_three", |input, expected| {
            let (n, level) = (input["n"].as_u64().unwrap(), level(number(input, "level")));
            vec![
                (one_sided_upper(share(0, n), level), number(expected, "exact_upper")),
                (rule_of_three(n, level).unwrap(), number(expected, "log_upper")),
            ]
        });
        assert_eq!(rule_of_three(0, level(0.95)), None);
    }

    #[test]
    fn mid_p_and_wilson_agree_with_the_golden_values() {
        for (method, limits) in [
            ("clopper_pearson_midp", mid_p as fn(Share, Level) -> Limits),
            ("wilson", wilson as fn(Share, Level) -> Limits),
        ] {
            golden::check(method, |input, expected| {
                let share = share(input["k"].as_u64().unwrap(), input["n"].as_u64().unwrap());
                let found = limits(share, level(number(input, "level")));
                vec![(found.lower, number(expected, "lower")), (found.upper, number(expected, "upper"))]
            });
        }
    }

    /// The published rates of the example behaviour: `domain.md` section 2, in percent, to the printed digit.
    #[test]
    fn published_limits_are_reproduced_to_the_digit() {
        let cases = [
            (1, 10_000, 5, "0.00025", "0.05570"),
            (10, 100_000, 4, "0.0048", "0.0184"),
            (100, 1_000_000, 4, "0.0081", "0.0122"),
            (3, 10_000, 4, "0.0062", "0.0876"),
            (30, 100_000, 4, "0.0202", "0.0428"),
            (300, 1_000_000, 4, "0.0267", "0.0336"),
        ];
        for (k, n, digits, lower, upper) in cases {
            let limits = clopper_pearson(share(k, n), level(0.95));
            let percent = |limit: f64| format!("{:.digits$}", limit * 100.0);
            assert_eq!((percent(limits.lower), percent(limits.upper)), (lower.to_owned(), upper.to_owned()), "{k}/{n}");
        }
        // Clean reads for a one-sided 95% bound.
        for (n, bound) in [(2_995, 1e-3), (9_985, 3e-4), (29_956, 1e-4), (299_572, 1e-5)] {
            assert!(one_sided_upper(share(0, n), level(0.95)) <= bound, "{n}");
            assert!(one_sided_upper(share(0, n - 1), level(0.95)) > bound, "{n}");
        }
    }

    #[test]
    fn the_edges_are_closed() {
        for n in [1, 2, 1_000, 50_000_000] {
            let none = clopper_pearson(share(0, n), level(0.95));
            let all = clopper_pearson(share(n, n), level(0.95));
            assert!(none.lower.abs() < f64::EPSILON && none.upper > 0.0);
            assert!((all.upper - 1.0).abs() < f64::EPSILON && all.lower < 1.0);
            assert!((none.upper - (1.0 - all.lower)).abs() < 1e-15, "{none:?} {all:?}");
        }
        assert_eq!((Share::new(0, 0), Share::new(2, 1)), (None, None));
    }

    /// Levels so near to 0 and 1 that alpha is all there is, or next to nothing.
    #[test]
    fn extreme_levels_stay_numbers() {
        for at in [1e-300, 1.0 - f64::EPSILON / 2.0] {
            for (k, n) in [(0, 1), (1, 1), (1, 2), (0, 50_000_000), (7, 50_000_000), (49_999_999, 50_000_000)] {
                for limits in [clopper_pearson, mid_p, wilson] {
                    let found = limits(share(k, n), level(at));
                    let estimate = share(k, n).estimate();
                    assert!(0.0 <= found.lower && found.upper <= 1.0, "{k}/{n} at {at}: {found:?}");
                    assert!(found.lower <= found.upper && found.upper.is_finite(), "{k}/{n} at {at}: {found:?}");
                    assert!(at < 0.5 || found.lower <= estimate && estimate <= found.upper, "{found:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn limits_behave(
            (n, k) in (1..50_000_000_u64).prop_flat_map(|n| (Just(n), 0..=n)), wide in 0.5..0.999_f64,
        ) {
            let (outer, inner) = (clopper_pearson(share(k, n), level(wide)), clopper_pearson(share(k, n), level(wide * 0.9)));
            let estimate = share(k, n).estimate();
            prop_assert!(0.0 <= outer.lower && outer.upper <= 1.0);
            prop_assert!(outer.lower <= inner.lower && inner.upper <= outer.upper, "nested");
            prop_assert!(inner.lower <= estimate && estimate <= inner.upper, "{inner:?} {estimate}");
            if k < n {
                let more = clopper_pearson(share(k + 1, n), level(wide));
                prop_assert!(outer.lower <= more.lower && outer.upper <= more.upper, "monotone");
            }
        }

        #[test]
        fn other_limits_behave(
            (n, k) in prop_oneof![1..40_u64, 1..50_000_000_u64].prop_flat_map(|n| (Just(n), prop_oneof![0..=n, 0..=n.min(30)])),
            wide in 0.5..0.999_f64,
        ) {
            let share_of = |k| share(k, n);
            let estimate = share_of(k).estimate();
            for limits in [mid_p, wilson] {
                let (outer, inner) = (limits(share_of(k), level(wide)), limits(share_of(k), level(wide * 0.9)));
                prop_assert!(0.0 <= outer.lower && outer.upper <= 1.0);
                prop_assert!(outer.lower <= inner.lower && inner.upper <= outer.upper, "nested: {outer:?} {inner:?}");
                prop_assert!(inner.lower <= estimate && estimate <= inner.upper, "{inner:?} {estimate}");
                if k < n {
                    let more = limits(share_of(k + 1), level(wide));
                    prop_assert!(outer.lower <= more.lower && outer.upper <= more.upper, "monotone");
                }
            }
            let (exact, mid) = (clopper_pearson(share_of(k), level(wide)), mid_p(share_of(k), level(wide)));
            prop_assert!(exact.lower <= mid.lower && mid.upper <= exact.upper, "{exact:?} {mid:?}");
        }
    }
}

//! Exact limits of a count: of rare events over an exposure, and of the events in a finite stratum.

use super::hypergeometric::Hypergeometric;
use super::interval::Limits;
use super::root::root;
use super::sequential::{Drawn, Totals};
use super::special::{gamma_lr, gamma_ur};
use crate::model::rate::Level;

/// Two tails that agree to this factor are equal: a tie is decided by the definition, not by rounding.
const TIE: f64 = 1e-12;

/// Exposures between these have quotients.
pub(super) const EXPOSURES: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// Events over an exposure, such as units, tokens or days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposed {
    events: u64,
    exposure: f64,
}

impl Exposed {
    /// `events` over `exposure`, if the exposure lies between 1e-100 and 1e100.
    #[must_use]
    pub fn new(events: u64, exposure: f64) -> Option<Self> {
        EXPOSURES.contains(&exposure).then_some(Self { events, exposure })
    }

    /// Events.
    #[must_use]
    pub const fn events(self) -> u64 {
        self.events
    }

    /// The exposure, a positive number.
    #[must_use]
    pub const fn exposure(self) -> f64 {
        self.exposure
    }

    /// Events per unit of exposure.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn rate(self) -> f64 {
        self.events as f64 / self.exposure
    }
}

/// The exact limits of a rate of independent events per unit of exposure, which may exceed 1: F. Garwood (Biometrika
/// 28, 1936), each tail with half of alpha also at no event.
#[must_use]
pub fn garwood(exposed: Exposed, level: Level) -> Limits {
    let tail = level.alpha() / 2.0;
    Limits {
        lower: fewest_expected(exposed.events, tail) / exposed.exposure,
        upper: most_expected(exposed.events, tail) / exposed.exposure,
    }
}

/// The expected count at which `events` or more have the probability `tail`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn fewest_expected(events: u64, tail: f64) -> f64 {
    if events == 0 {
        return 0.0;
    }
    let shape = events as f64;
    // P(X >= 1) = 1 - exp(-mean), and the mean is least for the smallest tail.
    let least = -(-tail).ln_1p();
    root(least.ln(), shape.ln().max(least.ln()) + 1.0, |ln| gamma_lr(shape, ln.exp()) - tail).exp()
}

/// The expected count at which `events` or fewer have the probability `tail`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn most_expected(events: u64, tail: f64) -> f64 {
    let none = -tail.ln();
    if events == 0 {
        return none;
    }
    let shape = events as f64 + 1.0;
    // Chernoff: beyond mean + sqrt(2 mean x) + 2 x less than exp(-x) remains.
    let high = shape + (2.0 * shape * none).sqrt() + 2.0 * none;
    root(none.ln(), high.ln(), |ln| gamma_ur(shape, ln.exp()) - tail).exp()
}

/// The totals of a finite stratum, of which some units were drawn at random without replacement, that neither tail of
/// alpha / 2 excludes: tail inversion of the hypergeometric distribution (W. G. Cochran, "Sampling Techniques", third
/// edition, 1977, section 3.6). Exact once everything is drawn; everything is possible when nothing is.
#[must_use]
pub fn finite_totals(drawn: Drawn, level: Level) -> Totals {
    let bar = level.alpha() / 2.0 * (1.0 + TIE);
    let (least, most) = (drawn.k(), drawn.population() - (drawn.n() - drawn.k()));
    let with = |total: u64| Hypergeometric::new(total, drawn.population() - total, drawn.n());
    // Both tails are monotone in the total, so that each is crossed once.
    let (mut lower, mut beyond) = (least, most);
    while lower < beyond {
        let middle = lower.midpoint(beyond);
        if with(middle).at_least(drawn.k()) > bar { beyond = middle } else { lower = middle + 1 }
    }
    let (mut upper, mut beyond) = (most, least);
    while upper > beyond {
        let middle = beyond + (upper - beyond).div_ceil(2);
        if with(middle).at_most(drawn.k()) > bar { beyond = middle } else { upper = middle - 1 }
    }
    Totals { lower, upper }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden;

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    #[test]
    fn garwood_agrees_with_the_golden_values() {
        golden::check("poisson_garwood", |input, expected| {
            let exposed = Exposed::new(input["count"].as_u64().unwrap(), input["exposure"].as_f64().unwrap()).unwrap();
            let limits = garwood(exposed, level(input["level"].as_f64().unwrap()));
            [(exposed.rate(), "rate"), (limits.lower, "lower"), (limits.upper, "upper")]
                .map(|(found, name)| (found, expected[name].as_f64().unwrap()))
                .to_vec()
        });
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "the golden totals are small")]
    fn finite_totals_agree_with_the_golden_values() {
        golden::check("hypergeometric_exact", |input, expected| {
            let whole = |name: &str| input[name].as_u64().unwrap();
            let drawn = Drawn::new(whole("hits"), whole("sample"), whole("population")).unwrap();
            let totals = finite_totals(drawn, level(input["level"].as_f64().unwrap()));
            vec![
                (totals.lower as f64, expected["total_lower"].as_f64().unwrap()),
                (totals.upper as f64, expected["total_upper"].as_f64().unwrap()),
            ]
        });
    }

    #[test]
    fn exposures_are_positive_numbers() {
        for exposure in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310, 1e300] {
            assert_eq!(Exposed::new(1, exposure), None, "{exposure}");
        }
    }

    #[test]
    fn nothing_drawn_rules_nothing_out_and_everything_drawn_is_exact() {
        let totals = |k, n, population| {
            let Totals { lower, upper } = finite_totals(Drawn::new(k, n, population).unwrap(), level(0.95));
            (lower, upper)
        };
        assert_eq!(totals(0, 0, 500), (0, 500));
        assert_eq!(totals(0, 0, 0), (0, 0));
        for k in [0, 1, 25_000_000, 50_000_000] {
            assert_eq!(totals(k, 50_000_000, 50_000_000), (k, k));
        }
        // One of one drawn from forty: at a total of one its tail is exactly alpha / 2, which excludes it.
        assert_eq!(totals(1, 1, 40), (2, 40));
    }

    /// Every true total of a small population is covered with at least the stated probability.
    #[test]
    fn every_total_is_covered() {
        let (population, n, level) = (30, 11, level(0.9));
        let covers = |k: u64, total: u64| {
            let totals = finite_totals(Drawn::new(k, n, population).unwrap(), level);
            (totals.lower..=totals.upper).contains(&total)
        };
        for total in 0..=population {
            let draws = Hypergeometric::new(total, population - total, n);
            let covered: f64 =
                (draws.least()..=draws.most()).filter(|k| covers(*k, total)).map(|k| draws.ln_exactly(k).exp()).sum();
            assert!(covered >= level.get() - 1e-12, "{total}: {covered}");
        }
    }

    proptest! {
        #[test]
        fn garwood_behaves(events in prop_oneof![0..50_u64, 0..50_000_000_u64], exposure in 1e-3..1e9_f64, wide in 0.5..0.999_f64) {
            let limits = |events, at| garwood(Exposed::new(events, exposure).unwrap(), level(at));
            let (outer, inner) = (limits(events, wide), limits(events, wide * 0.9));
            let rate = Exposed::new(events, exposure).unwrap().rate();
            prop_assert!(0.0 <= outer.lower && outer.lower <= inner.lower && inner.upper <= outer.upper, "nested");
            prop_assert!(inner.lower <= rate && rate <= inner.upper, "{inner:?} {rate}");
            let more = limits(events + 1, wide);
            prop_assert!(outer.lower < more.lower && outer.upper < more.upper, "monotone");
        }

        #[test]
        fn finite_totals_behave(
            (k, n, more) in prop_oneof![1..60_u64, 1..50_000_000_u64]
                .prop_flat_map(|n| (prop_oneof![0..=n, 0..=n.min(40)], Just(n), prop_oneof![0..60_u64, 0..50_000_000_u64])),
            wide in 0.5..0.999_f64,
        ) {
            let totals = |k: u64, at: f64| finite_totals(Drawn::new(k, n, n + more).unwrap(), level(at));
            let (outer, inner) = (totals(k, wide), totals(k, wide * 0.9));
            prop_assert!(k <= outer.lower && outer.upper <= k + more, "{outer:?}");
            prop_assert!(outer.lower <= inner.lower && inner.upper <= outer.upper, "nested: {outer:?} {inner:?}");
            if k < n {
                let next = totals(k + 1, wide);
                prop_assert!(outer.lower <= next.lower && outer.upper <= next.upper, "monotone");
            }
        }
    }
}

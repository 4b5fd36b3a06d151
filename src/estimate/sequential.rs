//! Confidence sequences: limits that hold at every look at once, however often somebody looks and whenever they stop.
//!
//! Both sequences invert the mixture martingale of H. Robbins (Annals of Mathematical Statistics 41, 1970): a beta prior
//! over the rate, fixed before the first look, is averaged over; a rate is kept for as long as the average likelihood is
//! less than 1/alpha times its own (Ville's inequality). The second one, for draws without replacement, is the
//! prior-posterior ratio of I. Waudby-Smith and A. Ramdas ("Confidence sequences for sampling without replacement",
//! Advances in Neural Information Processing Systems 33, 2020). Neither is intersected over time.

use super::interval::{Limits, Share};
use super::special::ln_beta;
use crate::model::rate::Level;

/// Bisections: ln x spans less than 2^10, so 70 reach the last bit.
const MAX_STEPS: u32 = 80;

/// A beta distribution over the rate, set before the first look: where it has its mass, the sequence is narrow; it is
/// valid for any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixturePrior {
    a: f64,
    b: f64,
}

impl MixturePrior {
    /// The default for rare behaviours: Beta(0.3, 1000).
    pub const RARE: Self = Self { a: 0.3, b: 1_000.0 };

    /// For shares of which nothing is known, such as that of a cue's hits that are confirmed: Beta(1/2, 1/2).
    pub const OPEN: Self = Self { a: 0.5, b: 0.5 };

    /// Beta(a, b), if both are positive numbers.
    #[must_use]
    pub fn new(a: f64, b: f64) -> Option<Self> {
        let is_positive = |number: f64| number.is_finite() && number > 0.0;
        (is_positive(a) && is_positive(b)).then_some(Self { a, b })
    }

    /// The logarithm of the average likelihood of one order of `k` events among `n` units.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn ln_average(self, k: u64, n: u64) -> f64 {
        ln_beta(self.a + k as f64, self.b + (n - k) as f64) - ln_beta(self.a, self.b)
    }
}

/// The rates that `share` does not speak against, of units that were drawn independently from one endless traffic.
/// Contains the share's estimate.
#[must_use]
pub fn independent(share: Share, level: Level, prior: MixturePrior) -> Limits {
    let bar = -level.alpha().ln();
    let keeps = |rate: f64| ln_evidence(share, rate, prior) < bar;
    let estimate = share.estimate();
    let lower =
        if share.k() == 0 { 0.0 } else { edge(estimate.ln(), f64::MIN_POSITIVE.ln(), |ln| keeps(ln.exp())).exp() };
    let upper = if share.rest() == 0 { 1.0 } else { edge(estimate, 1.0, keeps) };
    Limits { lower: lower.min(estimate), upper: upper.max(estimate) }
}

/// The logarithm of the evidence (e-value) of `share` against this rate, strictly between 0 and 1.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn ln_evidence(share: Share, rate: f64, prior: MixturePrior) -> f64 {
    let part = |count: u64, ln: f64| if count == 0 { 0.0 } else { count as f64 * ln };
    let likelihood = part(share.k(), rate.ln()) + part(share.rest(), (-rate).ln_1p());
    prior.ln_average(share.k(), share.k() + share.rest()) - likelihood
}

/// The last point that is kept on the way from `kept` to `beyond`, to the last bit; `beyond` itself is not asked.
fn edge(mut kept: f64, mut beyond: f64, keeps: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..MAX_STEPS {
        let middle = f64::midpoint(kept, beyond);
        if keeps(middle) { kept = middle } else { beyond = middle }
    }
    kept
}

/// `k` events among the first `n` units, in random order, of a finite population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    k: u64,
    n: u64,
    population: u64,
}

impl Drawn {
    /// `k` events among `n` of `population` units, if there can be so many.
    #[must_use]
    pub const fn new(k: u64, n: u64, population: u64) -> Option<Self> {
        if k > n || n > population { None } else { Some(Self { k, n, population }) }
    }

    /// Events among the units drawn.
    pub(super) const fn k(self) -> u64 {
        self.k
    }

    /// Units drawn.
    pub(super) const fn n(self) -> u64 {
        self.n
    }

    /// Units drawn and left.
    pub(super) const fn population(self) -> u64 {
        self.population
    }
}

/// Events of a whole population: at least `lower`, at most `upper`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The smallest total that is kept.
    pub lower: u64,
    /// The largest.
    pub upper: u64,
}

/// The totals of the population that the draw does not speak against. The units need not be independent of each other:
/// the only chance is the order of the draw. Exact once everything is drawn.
#[must_use]
pub fn without_replacement(drawn: Drawn, level: Level, prior: MixturePrior) -> Totals {
    let Drawn { k, n, population } = drawn;
    let bar = -level.alpha().ln();
    let average = prior.ln_average(k, n);
    let keeps = |total: u64| average - ln_order(drawn, total) < bar;
    let (least, most) = (k, population - (n - k));
    let likeliest = likeliest_total(drawn).clamp(least, most);
    Totals {
        lower: whole_edge(likeliest, least, keeps).min(likeliest),
        upper: whole_edge(likeliest, most, keeps).max(likeliest),
    }
}

/// The total with the largest likelihood: the mode of the hypergeometric likelihood, floor(k (N + 1) / n).
fn likeliest_total(Drawn { k, n, population }: Drawn) -> u64 {
    if n == 0 {
        return 0;
    }
    let total = u128::from(k) * (u128::from(population) + 1) / u128::from(n);
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// The logarithm of the probability of one order of the draw if the population holds `total` events.
fn ln_order(Drawn { k, n, population }: Drawn, total: u64) -> f64 {
    ln_choose(population - n, total - k) - ln_choose(population, total)
}

/// The logarithm of the number of ways to choose `k` of `n`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn ln_choose(n: u64, k: u64) -> f64 {
    if k == 0 || k == n {
        return 0.0;
    }
    -ln_beta(k as f64 + 1.0, (n - k) as f64 + 1.0) - (n as f64).ln_1p()
}

/// The last whole number that is kept on the way from `kept` to `last`.
fn whole_edge(mut kept: u64, last: u64, keeps: impl Fn(u64) -> bool) -> u64 {
    if keeps(last) {
        return last;
    }
    let mut beyond = last;
    while kept.abs_diff(beyond) > 1 {
        let middle = kept.midpoint(beyond);
        if keeps(middle) { kept = middle } else { beyond = middle }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::estimate::golden;
    use crate::model::hash::PartHasher;

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn number(values: &Value, name: &str) -> f64 {
        values[name].as_f64().unwrap()
    }

    fn whole(values: &Value, name: &str) -> u64 {
        values[name].as_u64().unwrap()
    }

    fn asked(input: &Value) -> (Level, MixturePrior) {
        let prior = MixturePrior::new(number(input, "prior_a"), number(input, "prior_b")).unwrap();
        (level(1.0 - number(input, "alpha")), prior)
    }

    #[test]
    fn the_independent_sequence_agrees_with_the_golden_values() {
        golden::check("confseq_beta_binomial", |input, expected| {
            let share = Share::new(whole(input, "k"), whole(input, "n")).unwrap();
            let (level, prior) = asked(input);
            let limits = independent(share, level, prior);
            vec![
                (limits.lower, number(expected, "lower")),
                (limits.upper, number(expected, "upper")),
                (ln_evidence(share, 0.001, prior), number(expected, "log_e_at_0_001")),
            ]
        });
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "the golden totals are small")]
    fn the_sequence_without_replacement_agrees_with_the_golden_values() {
        golden::check("confseq_without_replacement", |input, expected| {
            let drawn = Drawn::new(whole(input, "k"), whole(input, "n"), whole(input, "population")).unwrap();
            let (level, prior) = asked(input);
            let totals = without_replacement(drawn, level, prior);
            vec![
                (totals.lower as f64, number(expected, "total_lower")),
                (totals.upper as f64, number(expected, "total_upper")),
            ]
        });
    }

    /// Looks after every unit of 400 shuffled populations: the share of populations that are ever missed must stay
    /// below alpha. Turns of one conversation agree with each other here, which the sequence must not mind.
    #[test]
    fn looking_all_the_time_misses_less_often_than_alpha() {
        const POPULATION: u64 = 300;
        let (level, runs) = (level(0.8), 400_u64);
        let mut missed = 0;
        for run in 0..runs {
            let random = |unit: u64| PartHasher::new("sequential test").number(run).number(unit).finish();
            // Events come in conversations of five.
            let mut units: Vec<u64> = (0..POPULATION).collect();
            units.sort_by_key(|unit| *random(*unit).as_bytes());
            let is_event = |unit: u64| unit < 30;
            let mut k = 0;
            let is_missed = (1..).zip(&units).any(|(n, unit)| {
                k += u64::from(is_event(*unit));
                let totals = without_replacement(Drawn::new(k, n, POPULATION).unwrap(), level, MixturePrior::RARE);
                !(totals.lower..=totals.upper).contains(&30)
            });
            missed += u64::from(is_missed);
        }
        assert!(missed * 5 <= runs, "{missed} of {runs} were missed at some look");
        assert!(missed > 0, "a sequence that never misses is too wide to be this one");
    }

    #[test]
    fn a_prior_has_mass() {
        for (a, b) in [(0.0, 1.0), (1.0, -1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert_eq!(MixturePrior::new(a, b), None, "{a}, {b}");
        }
        assert_eq!(MixturePrior::new(0.3, 1_000.0), Some(MixturePrior::RARE));
        assert_eq!((Drawn::new(2, 1, 9), Drawn::new(1, 9, 8)), (None, None));
    }

    #[test]
    fn nothing_drawn_rules_nothing_out_and_everything_drawn_is_exact() {
        let totals = |k, n, population| {
            without_replacement(Drawn::new(k, n, population).unwrap(), level(0.95), MixturePrior::RARE)
        };
        assert_eq!(totals(0, 0, 500), Totals { lower: 0, upper: 500 });
        assert_eq!(totals(0, 0, 0), Totals { lower: 0, upper: 0 });
        for k in [0, 1, 250, 499, 500] {
            assert_eq!(totals(k, 500, 500), Totals { lower: k, upper: k });
        }
    }

    fn counts() -> impl Strategy<Value = (u64, u64)> {
        prop_oneof![1..200_u64, 1..50_000_000_u64].prop_flat_map(|n| (0..=n, Just(n)))
    }

    fn priors() -> impl Strategy<Value = MixturePrior> {
        (0.05..5.0_f64, 0.05..5_000.0_f64).prop_map(|(a, b)| MixturePrior::new(a, b).unwrap())
    }

    proptest! {
        #[test]
        fn independent_limits_behave((k, n) in counts(), prior in priors(), wide in 0.5..0.999_f64) {
            let share = Share::new(k, n).unwrap();
            let (outer, inner) = (independent(share, level(wide), prior), independent(share, level(wide * 0.9), prior));
            prop_assert!(0.0 <= outer.lower && outer.upper <= 1.0, "{outer:?}");
            prop_assert!(outer.lower <= inner.lower && inner.upper <= outer.upper, "nested: {outer:?} {inner:?}");
            prop_assert!(inner.lower <= share.estimate() && share.estimate() <= inner.upper, "{inner:?}");
        }

        #[test]
        fn totals_behave((k, n) in counts(), more in 0..1_000_000_u64, prior in priors(), wide in 0.5..0.999_f64) {
            let drawn = Drawn::new(k, n, n + more).unwrap();
            let (outer, inner) =
                (without_replacement(drawn, level(wide), prior), without_replacement(drawn, level(wide * 0.9), prior));
            prop_assert!(k <= outer.lower && outer.upper <= k + more, "{outer:?}");
            prop_assert!(outer.lower <= inner.lower && inner.upper <= outer.upper, "nested: {outer:?} {inner:?}");
            let likeliest = likeliest_total(drawn).clamp(k, k + more);
            prop_assert!((inner.lower..=inner.upper).contains(&likeliest), "{inner:?} {likeliest}");
        }
    }
}

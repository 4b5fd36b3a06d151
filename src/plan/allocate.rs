//! Which stratum gets how much of a budget, so that the estimate varies least.

/// What is known of a stratum before it is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    size: u64,
    rate: f64,
    cost: f64,
}

impl Guess {
    /// `size` units, of which a share `rate` is guessed to have the event, each costing `cost` of any currency.
    ///
    /// `None` if the rate is not between 0 and 1 or the cost is not a positive number.
    #[must_use]
    pub fn new(size: u64, rate: f64, cost: f64) -> Option<Self> {
        let is_cost = cost.is_normal() && cost > 0.0;
        ((0.0..=1.0).contains(&rate) && is_cost).then_some(Self { size, rate, cost })
    }

    /// The variance of one unit. A stratum guessed at 0 still gets what is left over.
    fn variance(self) -> f64 {
        (self.rate * (1.0 - self.rate)).max(1e-12)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn units(self) -> f64 {
        self.size as f64
    }
}

/// How a budget is spent best.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Units of each stratum, in the order given, not yet whole.
    pub units: Vec<f64>,
    /// What they cost, which exceeds the budget only where the least sizes do.
    pub spend: f64,
    /// The variance of the rate of all strata together, without the finite-population correction; 0 without a unit.
    pub variance: f64,
}

impl Allocation {
    /// Whole units, rounded down, so that the budget holds.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "units are not negative and at most a stratum's size"
    )]
    pub fn whole(&self) -> Vec<u64> {
        // A whole number whose last bits a search left below it is that number.
        self.units.iter().map(|units| (units * (1.0 + 1e-12)) as u64).collect()
    }
}

/// J. Neyman's allocation (Journal of the Royal Statistical Society 97, 1934) with costs: units in proportion to a
/// stratum's size times its standard deviation over the root of its cost, at least `least` of each stratum or all of
/// it, at most all. Everything if the budget is enough for it; the least sizes if it is not enough for them.
///
/// `None` if the budget is not a number or negative.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn allocate(strata: &[Guess], budget: f64, least: u64) -> Option<Allocation> {
    allocate_from(strata, budget, least as f64)
}

/// The same with least sizes that need not be whole and are not negative: sizes then rise with a `least` that rises with
/// the budget, without jumps.
pub(super) fn allocate_from(strata: &[Guess], budget: f64, least: f64) -> Option<Allocation> {
    if budget.is_nan() || budget < 0.0 {
        return None;
    }
    let sizes = |scale: f64| -> Vec<f64> { strata.iter().map(|stratum| size(*stratum, scale, least)).collect() };
    let spend = |units: &[f64]| -> f64 { strata.iter().zip(units).map(|(stratum, units)| stratum.cost * units).sum() };
    let complete = strata.iter().map(|stratum| (stratum.cost / stratum.variance()).sqrt()).fold(0.0, f64::max) * 2.0;
    let units = if spend(&sizes(complete)) <= budget {
        sizes(complete)
    } else {
        sizes(scale_within(complete, |scale| spend(&sizes(scale)) <= budget))
    };
    let all: f64 = strata.iter().map(|stratum| stratum.units()).sum();
    let part = |(stratum, units): (&Guess, &f64)| {
        if *units > 0.0 { (stratum.units() / all).powi(2) * stratum.variance() / units } else { 0.0 }
    };
    let variance = strata.iter().zip(&units).map(part).sum();
    Some(Allocation { spend: spend(&units), variance, units })
}

fn size(stratum: Guess, scale: f64, least: f64) -> f64 {
    let wanted = scale * stratum.units() * (stratum.variance() / stratum.cost).sqrt();
    wanted.max(least).min(stratum.units())
}

/// The largest scale up to `high` that fits, to the last bit, or 0: what is spent rises with the scale.
fn scale_within(mut high: f64, fits: impl Fn(f64) -> bool) -> f64 {
    let mut low = 0.0;
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return low;
        }
        if fits(middle) { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, number, numbers};

    fn guess(size: u64, rate: f64, cost: f64) -> Guess {
        Guess::new(size, rate, cost).unwrap()
    }

    #[test]
    fn allocations_agree_with_the_golden_values() {
        golden::check("neyman_allocation", |input, expected| {
            let sizes = input["stratum_size"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap());
            let rates = numbers(&input["guess_rate"]).into_iter().zip(numbers(&input["unit_cost"]));
            let strata: Vec<Guess> = sizes.zip(rates).map(|(size, (rate, cost))| guess(size, rate, cost)).collect();
            let least = input["min_per_stratum"].as_u64().unwrap();
            let found = allocate(&strata, number(&input["budget"]), least).unwrap();
            let mut pairs =
                vec![(found.spend, number(&expected["spend"])), (found.variance, number(&expected["variance"]))];
            pairs.extend(found.units.into_iter().zip(numbers(&expected["n_continuous"])));
            pairs
        });
    }

    #[test]
    fn edges_are_numbers_or_refusals() {
        for (rate, cost) in [(-0.1, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, 0.0), (0.5, f64::INFINITY), (0.5, -1.0)] {
            assert_eq!(Guess::new(10, rate, cost), None, "{rate} {cost}");
        }
        let strata = [guess(50_000_000, 0.0, 1e6), guess(1, 1.0, 1e-6), guess(0, 0.5, 1.0)];
        assert_eq!(allocate(&strata, -1.0, 2), None);
        assert_eq!(allocate(&strata, f64::NAN, 2), None);
        let least = allocate(&strata, 0.0, 2).unwrap();
        assert_eq!(least.whole(), [2, 1, 0], "the least sizes, also where they cost more");
        let everything = allocate(&strata, f64::INFINITY, 2).unwrap();
        assert_eq!(everything.whole(), [50_000_000, 1, 0]);
        let nothing = allocate(&[], 10.0, 2).unwrap();
        assert!(nothing.units.is_empty() && nothing.variance.abs() < f64::EPSILON);
        assert_eq!(allocate(&[guess(5, 0.5, 1.0)], 3.0, 0).unwrap().whole(), [3]);
    }

    fn strata() -> impl Strategy<Value = Vec<Guess>> {
        let stratum = (0..10_000_000_u64, prop_oneof![Just(0.0), 0.0..=1.0_f64], 0.01..100.0_f64);
        prop::collection::vec(stratum.prop_map(|(size, rate, cost)| guess(size, rate, cost)), 1..8)
    }

    fn floor_of(least: u64) -> f64 {
        f64::from(u32::try_from(least).unwrap())
    }

    proptest! {
        #[test]
        fn allocations_behave(strata in strata(), budget in 0.0..1e8_f64, least in 0..40_u64) {
            let found = allocate(&strata, budget, least).unwrap();
            let floor: f64 = strata.iter().map(|stratum| stratum.cost * size(*stratum, 0.0, floor_of(least))).sum();
            let all: f64 = strata.iter().map(|stratum| stratum.cost * stratum.units()).sum();
            let slack = 1e-9 * (1.0 + budget);
            prop_assert!(found.spend <= budget.max(floor) + slack, "{found:?}");
            prop_assert!(found.spend >= budget.min(all) - slack || found.spend >= floor - slack && budget <= floor, "nothing is left over");
            for (stratum, units) in strata.iter().zip(&found.units) {
                prop_assert!(size(*stratum, 0.0, floor_of(least)) <= *units && *units <= stratum.units());
            }
            let more = allocate(&strata, budget * 1.5, least).unwrap();
            prop_assert!(found.units.iter().zip(&more.units).all(|(less, more)| less <= more), "monotone in the budget");
        }

        /// Moving some of the budget between two strata that are neither at their floor nor at their cap gains nothing.
        #[test]
        fn no_small_move_is_better(rates in (0.01..0.99_f64, 0.01..0.99_f64), costs in (0.1..10.0_f64, 0.1..10.0_f64), moved in -50.0..50.0_f64) {
            let strata = [guess(100_000, rates.0, costs.0), guess(200_000, rates.1, costs.1)];
            let best = allocate(&strata, 5_000.0, 2).unwrap();
            let moved = [best.units[0] + moved / costs.0, best.units[1] - moved / costs.1];
            prop_assume!(moved.iter().all(|units| *units > 2.0));
            let variance: f64 = strata.iter().zip(moved).map(|(stratum, units)| {
                (stratum.units() / 300_000.0).powi(2) * stratum.variance() / units
            }).sum();
            prop_assert!(variance >= best.variance * (1.0 - 1e-12));
        }
    }
}

//! What a budget buys.

use proptest::prelude::*;

use super::*;
use crate::plan::predict::{tests::outline, width};

fn demand(units: u64, is_hit: bool, rate: f64, cost: f64) -> Demand {
    Demand { units, is_hit, rate, cost, fixed: None }
}

/// 2,000 hits and 200,000 others in two groups, a dollar for a thousand units.
fn strata() -> Vec<Demand> {
    let of = |units, is_hit, rate| demand(units, is_hit, rate, 1e-3);
    vec![of(1_000, true, 0.02), of(1_000, true, 0.02), of(50_000, false, 5e-5), of(150_000, false, 5e-5)]
}

#[test]
fn hits_come_first_and_the_rest_goes_to_random_others() {
    let found = sizes(&strata(), 50.0);
    assert_eq!(found.units, [1_000, 1_000, 12_000, 36_000]);
    assert!((found.spend - 50.0).abs() < 1e-9);
}

#[test]
fn a_small_budget_starves_no_group() {
    // A quarter of it keeps both slices of others at 250 units.
    assert_eq!(sizes(&strata(), 2.0).units, [750, 750, 250, 250]);
    assert_eq!(sizes(&strata(), 0.0).units, [0, 0, 0, 0]);
    let uneven = [demand(10, false, 1e-4, 1.0), demand(1_000_000, false, 1e-4, 1.0)];
    assert_eq!(sizes(&uneven, 4_000.0).units, [10, 3_990], "a group that has less gives all it has");
}

#[test]
fn enough_money_buys_everything_and_so_does_none_where_nothing_costs() {
    let everything = [1_000, 1_000, 50_000, 150_000];
    assert_eq!(sizes(&strata(), 202.0).units, everything);
    let free: Vec<_> = strata().into_iter().map(|stratum| Demand { cost: 0.0, ..stratum }).collect();
    assert_eq!(sizes(&free, 1.0), Sizes { units: everything.to_vec(), spend: 0.0 });
}

#[test]
fn one_stratum_gets_what_there_is() {
    assert_eq!(sizes(&[demand(500, true, 0.0, 0.1)], 10.0).units, [100]);
    assert_eq!(sizes(&[demand(500, false, 0.0, 0.1)], 10.0).units, [100]);
    assert_eq!(sizes(&[demand(0, false, 0.0, 0.1)], 10.0).units, [0]);
    assert_eq!(sizes(&[], 10.0), Sizes { units: Vec::new(), spend: 0.0 });
}

#[test]
fn a_size_that_the_audit_names_stands() {
    let mut strata = strata();
    strata[0].fixed = Some(10);
    strata[3].fixed = Some(999_999_999);
    let found = sizes(&strata, 160.0);
    assert_eq!(found.units, [10, 1_000, 8_990, 150_000]);
    assert_eq!(sizes(&strata, 1.0).units, [10, 0, 0, 150_000], "even where it costs more than there is");
}

fn any_strata() -> impl Strategy<Value = Vec<Demand>> {
    let stratum = (0..200_000_u64, any::<bool>(), prop_oneof![Just(0.0), 0.0..0.2_f64], 1e-6..1e-2_f64);
    prop::collection::vec(stratum.prop_map(|(units, is_hit, rate, cost)| demand(units, is_hit, rate, cost)), 1..9)
}

proptest! {
    #[test]
    fn the_cap_is_never_exceeded_and_more_money_takes_nothing_away(
        strata in any_strata(), budget in 0.0..2_000.0_f64, more in 0.0..100.0_f64,
    ) {
        let found = sizes(&strata, budget);
        prop_assert!(found.spend <= budget * (1.0 + 1e-9) + 1e-9, "{found:?}");
        prop_assert!(found.units.iter().zip(&strata).all(|(units, stratum)| *units <= stratum.units));
        let richer = sizes(&strata, budget + more);
        prop_assert!(found.units.iter().zip(&richer.units).all(|(less, more)| less <= more), "{found:?} {richer:?}");
    }

    #[test]
    fn more_money_is_no_wider(
        sizes_of in prop::collection::vec((1..3_000_u64, 1..200_000_u64), 1..3), budget in 1.0..300.0_f64,
        more in 0.0..300.0_f64,
    ) {
        const GROUPS: [&str; 2] = ["a", "b"];
        let specs: Vec<_> = sizes_of.iter().zip(GROUPS).flat_map(|((hits, others), group)| {
            [("core", group, *hits, 0), ("none", group, *others, 0)]
        }).collect();
        let mut outline = outline(&specs);
        let demands: Vec<_> = outline.slices.iter().map(|slice| {
            demand(slice.units, slice.is_hit(), slice.expected.confirmed(), 1e-3)
        }).collect();
        let mut width_for = |budget| {
            for (slice, units) in outline.slices.iter_mut().zip(sizes(&demands, budget).units) {
                slice.graded = f64::from(u32::try_from(units).unwrap());
            }
            width(&outline).unwrap_or(f64::INFINITY)
        };
        let (narrow, wide) = (width_for(budget + more), width_for(budget));
        prop_assert!(narrow <= wide * (1.0 + 1e-9), "{narrow} {wide}");
    }
}

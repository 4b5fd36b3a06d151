//! What a plan should buy, under a cap and without one.

use super::*;
use crate::model::fixture::planned;
use crate::model::money::Price;
use crate::model::repeats::{RepeatRule, Repeats};
use crate::plan::forecast::{Limits, forecast};
use crate::plan::repeats::RepeatLoad;

fn plan(cap_usd: Option<f64>) -> Planned {
    let strata = [("core", "a", 1_000, 1_000), ("none", "a", 100_000, 20_000)];
    Planned { cap: cap_usd.and_then(NanoUsd::from_usd), ..planned(&strata) }
}

/// A question costs a thousandth of a dollar.
fn load() -> Load {
    let stage = |units| StageLoad {
        units,
        cached: 0,
        questions: crate::plan::forecast::Questions::ONE,
        mean_request_bytes: 4_000,
        most_request_bytes: 4_000,
        most_output_tokens: 300,
        most_output_tokens_after_truncation: None,
        price: Price::flat(700, 70, 1_000),
        limits: Limits {
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrency: 8,
            seconds_per_request: None,
        },
        repeats: crate::plan::repeats::RepeatLoad::default(),
    };
    let assume = Assumptions { prevalence: 1e-3, ..Assumptions::default() };
    Load {
        screen: stage(21_000),
        confirm: Some(stage(0)),
        known: None,
        shared_limits: true,
        assume,
        paid_per_unit: None,
    }
}

fn of(cap_usd: Option<f64>, load: &Load, spent_usd: f64) -> Prospect {
    let spent = NanoUsd::from_usd(spent_usd).unwrap();
    prospect((&plan(cap_usd), &load.assume), (load, &forecast(load)), spent, (None, false))
}

fn narrowness(prospect: &Prospect) -> f64 {
    prospect.prediction.scopes[0].corrected.corpus.as_ref().unwrap().relative_width().unwrap()
}

#[test]
fn a_cap_lets_in_what_it_pays_for_and_the_intervals_are_of_that() {
    let load = load();
    let (free, half) = (of(None, &load, 0.0), of(Some(10.552_5), &load, 0.0));
    assert!((free.let_in - 1.0).abs() < 1e-12 && (half.let_in - 0.5).abs() < 1e-3, "{}", half.let_in);
    assert!(narrowness(&free) < narrowness(&half));
    assert!((of(Some(20.0), &load, 9.447_5).let_in - 0.5).abs() < 1e-3, "what was spent before counts");
    let cached = Load { screen: StageLoad { cached: 21_000, ..load.screen }, ..load };
    assert!((of(Some(0.0), &cached, 0.0).let_in - 1.0).abs() < 1e-12, "what is in the cache costs nothing");
    let policy = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 3, near: 10, random: 0.0 };
    let repeats = RepeatLoad { policy: Some(policy), open: 42_000, waiting: 21_000, ..RepeatLoad::default() };
    let waiting = Load { screen: StageLoad { repeats, ..cached.screen }, ..cached };
    assert!((of(Some(21.0), &waiting, 0.0).let_in - 0.5).abs() < 1e-3, "a unit that waits for its repeats needs money");
}

#[test]
fn the_best_split_spends_the_cap_and_no_more_and_is_no_wider() {
    let load = load();
    for cap in [1.0, 5.0, 21.0, 50.0, 1_000.0] {
        let prospect = of(Some(cap), &load, 0.0);
        let best = prospect.best.as_ref().unwrap();
        let sum = best.hits.1 + best.others.1 + best.confirm.1 + best.kept_usd;
        assert!(sum <= cap * (1.0 + 1e-9), "{cap}: {best:?}");
        // A tenth of the cap is kept, so a plan that fills it to the brim may be a little narrower.
        if cap >= 50.0 {
            assert!(best.width.unwrap() <= narrowness(&prospect) * (1.0 + 1e-9), "{cap}: {best:?}");
        }
    }
    assert_eq!(of(None, &load, 0.0).best, None);
    assert_eq!(of(Some(1_000.0), &load, 0.0).best.unwrap().others.0, 100_000, "money for everything buys everything");
    let auto = prospect((&plan(Some(5.0)), &load.assume), (&load, &forecast(&load)), NanoUsd::ZERO, (None, true));
    assert_eq!(auto.best, None, "the plan is the best split");
}

#[test]
fn a_run_that_asked_once_prices_a_plan_that_asks_again_by_what_it_asks() {
    let measured = crate::plan::measured::tests::measured();
    let policy = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 1, near: 10, random: 0.5 };
    let repeats = RepeatLoad { policy: Some(policy), ..RepeatLoad::default() };
    let priced = |repeats, of_run| {
        let mut load = load();
        load.screen.repeats = repeats;
        let confirm = load.confirm.as_mut().unwrap();
        confirm.price = Price::flat(0, 0, 0);
        let mut run = measured.clone();
        run.repeats = of_run;
        believe(&mut load, &plan(None), Some(&run));
        (load.paid_per_unit.unwrap().usd() / measured.cost_per_unit.unwrap().usd(), load.assume.flag_rate)
    };
    let (once, again) = ([None, None], [Some(policy), None]);
    assert!((priced(RepeatLoad::default(), once).0 - 1.0).abs() < 1e-12);
    assert!((priced(repeats, again).0 - 1.0).abs() < 1e-12, "the run asked as the plan does");
    let (ratio, flag_rate) = priced(repeats, once);
    // Two more of what is flagged, one more of half of all others.
    assert!((ratio - (1.0 + 2.0 * flag_rate + 0.5 * (1.0 - flag_rate))).abs() < 1e-6, "{ratio} {flag_rate}");
    let (back, _) = priced(RepeatLoad::default(), again);
    assert!((back * ratio - 1.0).abs() < 1e-6, "{back}");
}

#[test]
fn what_a_run_has_shown_is_believed() {
    let mut load = load();
    let before = of(None, &load, 0.0);
    let measured = crate::plan::measured::tests::measured();
    believe(&mut load, &plan(None), Some(&measured));
    assert_eq!((load.assume.output_tokens, load.paid_per_unit), (50, measured.cost_per_unit));
    let after =
        prospect((&plan(None), &before.assume), (&load, &forecast(&load)), NanoUsd::ZERO, (Some(measured), false));
    let best = prospect(
        (&Planned { cap: NanoUsd::from_usd(1_000.0), ..plan(None) }, &before.assume),
        (&load, &forecast(&load)),
        NanoUsd::ZERO,
        (after.measured.clone(), false),
    )
    .best
    .unwrap();
    assert!(best.hits.1 > 0.0 && best.others.1 > best.hits.1 && best.confirm.1 > 0.0, "{best:?}");
    // A fifth of the hits is flagged, and three in twenty are upheld.
    assert!((after.outline.slices[0].expected.flagged() - 0.2).abs() < 1e-12);
    assert!(after.prediction.scopes[0].confirmed > before.prediction.scopes[0].confirmed);
}

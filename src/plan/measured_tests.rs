//! A run's own figures, and what stands where it has none.

use super::*;
use crate::model::bucket::Buckets;
use crate::model::fixture::{planned, unit};
use crate::model::money::Usage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Decider;
use crate::model::review::CellTally;
use crate::model::tally::{ConfirmedUnit, Requests, Spend, StageTally};
use crate::model::unit::UnitKind;
use crate::plan::predict::tests::outline;

/// 20 hits, of which the screen flags four and the confirmer upholds three, and 30 others that it clears. Nobody has
/// read anything.
fn run() -> Tally {
    let plan = planned(&[("core", "a", 20, 20), ("none", "a", 1_000, 30)]);
    let stratum = |index: usize, buckets: &[(Bucket, u64)], cells: &[(Route, u64)]| {
        let mut counted = Buckets::default();
        for (bucket, units) in buckets {
            counted.add(bucket.clone(), *units);
        }
        let cell = |units| CellTally { units, drawn: units, ..CellTally::default() };
        StratumTally {
            stratum: plan.strata[index].stratum.clone(),
            units: plan.strata[index].units,
            buckets: counted,
            cells: cells.iter().map(|(route, units)| (*route, cell(*units))).collect(),
            conversations: None,
        }
    };
    let by = Decider::Grader;
    let hits = [(Bucket::Cleared, 16), (Bucket::Confirmed { by }, 3), (Bucket::Rejected { by, code: None }, 1)];
    let strata = vec![
        stratum(0, &hits, &[(Route::Upheld, 3), (Route::TurnedDown, 1)]),
        stratum(1, &[(Bucket::Cleared, 30), (Bucket::NotPlanned, 970)], &[]),
    ];
    let usage = Usage { prompt_tokens: 54_000, completion_tokens: 2_700, ..Usage::default() };
    Tally {
        strata,
        screen: StageTally { outcomes: [(OutcomeKind::Graded, 50)].into(), ..StageTally::default() },
        confirm: Some(StageTally { outcomes: [(OutcomeKind::Graded, 4)].into(), ..StageTally::default() }),
        parser: Some(1),
        requests: Requests { sent: 54, ..Requests::default() },
        spend: Spend { total: NanoUsd(54_000_000), usage, ..Spend::default() },
        ..Tally::empty(plan, Level::new(0.95).unwrap())
    }
}

pub(crate) fn measured() -> Measured {
    Measured::of(&run())
}

#[test]
fn the_figures_are_the_runs() {
    let tally = run();
    let found = Measured::of(&tally);
    let hits = &found.classes[0];
    assert_eq!((hits.class.as_str(), hits.graded, hits.flagged()), ("core", 20, 4));
    assert_eq!((hits.upheld.units, hits.turned_down.units), (3, 1));
    assert_eq!((found.classes[1].graded, found.classes[1].flagged()), (30, 0));
    assert_eq!((found.admitted, found.ungraded, found.requests), (50, 0, tally.requests.sent));
    assert_eq!(found.tokens_per_reply(), Some(50));
    assert_eq!(found.together, None, "single turns were drawn");
    assert_eq!(found.cost_per_unit, Some(NanoUsd(1_080_000)));
    let spend = Spend { anchors: NanoUsd(4_000_000), ..tally.spend };
    let found = Measured::of(&Tally { spend, ..tally.clone() });
    assert_eq!(found.cost_per_unit, Some(NanoUsd(1_000_000)), "a plan counts visits to anchors by themselves");
    let replayed = Requests { replayed: 1, ..tally.requests };
    let partly = Requests { partly_replayed: 1, ..tally.requests };
    for requests in [replayed, partly] {
        let found = Measured::of(&Tally { requests, ..tally.clone() });
        assert_eq!(found.cost_per_unit, None, "what was there before is not in the spend: {requests:?}");
    }
}

#[test]
fn a_run_of_whole_conversations_shows_how_many_turns_are_confirmed_together() {
    let confirmed = |conversation: &str, turn| {
        let unit = unit("a", conversation, turn);
        let (content, cluster) = (unit.key(), unit.conversation_key());
        ConfirmedUnit { unit, by: Decider::Grader, stratum: 0, content, cluster, route: None }
    };
    let mut tally = run();
    tally.plan.sample_by = UnitKind::Conversation;
    tally.confirmed = vec![confirmed("c", 1), confirmed("c", 3), confirmed("c", 5), confirmed("d", 1)];
    assert_eq!(Measured::of(&tally).together, Some(2.5), "three turns see three, and one sees itself");
    tally.confirmed.clear();
    assert_eq!(Measured::of(&tally).together, None);
}

#[test]
fn shown_shares_replace_assumed_ones_and_no_event_leaves_them_unless_they_are_implausible() {
    let measured = Measured::of(&run());
    let slices = outline(&[("core", "a", 20, 20), ("none", "a", 1_000, 30)]).slices;
    let found = measured.expectations(&slices, true);
    assert!((found[0].flagged() - 0.2).abs() < 1e-12 && (found[0].confirmed() - 0.15).abs() < 1e-12, "{found:?}");
    assert_eq!(found[1], slices[1].expected, "thirty clean units do not speak against one in two hundred");
    let mut bold = slices;
    bold[1].expected = Expectation { upheld: 0.3, turned_down: 0.2, confirmed_upheld: 0.3, confirmed_turned_down: 0.0 };
    let most = 1.0 - 0.05_f64.powf(1.0 / 30.0);
    let found = measured.expectations(&bold, true)[1];
    assert!((found.upheld - most).abs() < 1e-9 && (found.confirmed() - most).abs() < 1e-9, "{found:?}");
}

#[test]
fn people_are_believed_over_the_second_grader() {
    let mut counts = ClassCounts { class: "core".to_owned(), graded: 100, ..ClassCounts::default() };
    counts.upheld = RouteCounts { units: 10, read: 5, confirmed: 2 };
    counts.turned_down = RouteCounts { units: 20, read: 10, confirmed: 1 };
    let found = counts.expectation(&Expectation::default(), true, Level::new(0.95).unwrap());
    assert!((found.confirmed_upheld - 0.04).abs() < 1e-12, "{found:?}");
    assert!((found.confirmed_turned_down - 0.02).abs() < 1e-12, "{found:?}");
    assert!((found.flagged() - 0.3).abs() < 1e-12, "{found:?}");
}

#[test]
fn the_figures_can_be_written_as_assumptions() {
    let mut slices = outline(&[("core", "a", 100, 100), ("none", "a", 900, 300)]).slices;
    slices[0].expected =
        Expectation { upheld: 0.4, turned_down: 0.1, confirmed_upheld: 0.3, confirmed_turned_down: 0.0 };
    slices[1].expected = Expectation { upheld: 0.02, confirmed_upheld: 0.02, ..Expectation::default() };
    let found = restated(&slices, &Assumptions::default());
    assert!((found.prevalence - 48.0 / 800.0).abs() < 1e-12 && (found.prefilter_recall - 30.0 / 48.0).abs() < 1e-12);
    assert!((found.flag_rate - 56.0 / 400.0).abs() < 1e-12);
    let again = crate::plan::expectation::assumed(
        &planned(&[("core", "a", 100, 100), ("none", "a", 900, 300)]).strata,
        &found,
        true,
    );
    assert!((again[0].confirmed() - 0.3).abs() < 1e-9 && (again[1].confirmed() - 0.02).abs() < 1e-9, "{again:?}");
}

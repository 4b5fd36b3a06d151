//! What gold says of rates, on small designs.

use super::*;
use crate::model::bucket::{Bucket, Buckets};
use crate::model::fixture::{group, planned, unit};
use crate::model::found_by::KnownUse;
use crate::model::gold::{GoldDraw, GoldTally};
use crate::model::rate::Decider;
use crate::model::review::{CellTally, Route};
use crate::model::tally::{ConfirmedUnit, KnownTally, LabelTally, SeatTally, StageTally, StratumTally};

/// Strata of 3,000 units, 600 of them graded and 60 of these flagged and read: so many confirmed in each, in conversations of their own.
fn night(confirmed: &[(&'static str, u64)]) -> Tally {
    let specs: Vec<_> = confirmed.iter().map(|(class, _)| (*class, "rl", 3_000, 600)).collect();
    let seat = SeatTally { decided: 60, undecided: 0 };
    let mut tally = Tally {
        confirm: Some(StageTally::default()),
        labels: LabelTally { decided: 60, seats: [("ana".to_owned(), seat)].into(), ..LabelTally::default() },
        ..Tally::empty(planned(&specs), Level::new(0.95).unwrap())
    };
    for (index, (class, confirmed)) in (0..).zip(confirmed) {
        let mut buckets = Buckets::default();
        buckets.add(Bucket::NotPlanned, 2_400);
        buckets.add(Bucket::Cleared, 540);
        buckets.add(Bucket::Rejected { by: Decider::People, code: None }, 60 - confirmed);
        buckets.add(Bucket::Confirmed { by: Decider::People }, *confirmed);
        let cell = CellTally { units: 60, drawn: 60, read: 60, confirmed: *confirmed, ..CellTally::default() };
        tally.strata.push(StratumTally {
            stratum: tally.plan.strata[index].stratum.clone(),
            units: 3_000,
            buckets,
            cells: [(Route::Upheld, cell)].into(),
            conversations: None,
        });
        for n in 0..*confirmed {
            let unit = unit("rl", &format!("{class}-{n}"), 1);
            let (content, cluster) = (unit.key(), unit.conversation_key());
            let (by, stratum, route) = (Decider::People, u32::try_from(index).unwrap(), Some(Route::Upheld));
            tally.confirmed.push(ConfirmedUnit { unit, by, stratum, content, cluster, route });
        }
    }
    tally
}

fn gold(tally: &mut Tally, positive: (u64, u64), near_miss: (u64, u64)) {
    let of = |(confirmed, read)| GoldRead { read, confirmed };
    let read = ByKind { positive: of(positive), near_miss: of(near_miss) };
    let drawn = ByKind { positive: 50, near_miss: 100 };
    tally.plan.gold = Some(GoldDraw { items: drawn, seats: Vec::new() });
    tally.gold = Some(GoldTally { held: drawn, drawn, read, ..GoldTally::default() });
}

fn known(tally: &mut Tally, class: &str, (passed, usable): (u64, u64)) {
    let (class, usage) = (class.to_owned(), KnownUse::Headline);
    let items = usable;
    tally.known.push(KnownTally {
        group: group("rl"),
        class,
        usage,
        items,
        usable,
        passed,
        ungraded: 0,
        unfinished: 0,
        partial: 0,
        not_cached: 0,
    });
}

fn estimate(figure: &PeopleErr, name: RateName) -> Result<f64, &str> {
    let rate = figure.rates.iter().find(|rate| rate.name == name && rate.group.is_none()).unwrap();
    rate.estimate.ok_or_else(|| rate.reason.as_deref().unwrap())
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1e-9), "{found}, not {expected}");
}

#[test]
fn the_golden_row_of_review_error_in_a_whole_report() {
    let mut tally = night(&[("core", 12)]);
    gold(&mut tally, (45, 50), (2, 100));
    let figure = people_err(&tally).unwrap();
    near(estimate(&figure, RateName::Catchable).unwrap(), 61.363_636_363_636_36 / 3_000.0);
    assert!(estimate(&figure, RateName::Corrected).unwrap_err().contains("0 known positives"));
    // 5 x (60 - 12) units that were turned down, and f_H of up to 7.04%.
    let (most_false, total) = figure.most_false.unwrap();
    near(most_false, 240.0 * figure.near_misses.limits.unwrap().upper);
    near(total, 60.0);
    assert!(figure.is_noticeable && figure.reason.is_none());
    assert_eq!((figure.positives.k, figure.positives.n), (45, 50));
    assert!((figure.near_misses.limits.unwrap().upper - 0.0704).abs() < 5e-5);
    known(&mut tally, "core", (17, 20));
    near(estimate(&people_err(&tally).unwrap(), RateName::Corrected).unwrap(), 61.363_636_363_636_36 / 0.85 / 3_000.0);
}

#[test]
fn a_corrected_total_by_class_is_changed_class_by_class() {
    let mut tally = night(&[("core", 30), ("none", 6)]);
    gold(&mut tally, (50, 50), (5, 100));
    known(&mut tally, "core", (45, 50));
    known(&mut tally, "none", (20, 40));
    let share = |confirmed: f64| 300.0 * ((confirmed / 60.0 - 0.05) / 0.95);
    let (hits, others) = (share(30.0), share(6.0));
    let figure = people_err(&tally).unwrap();
    near(estimate(&figure, RateName::Catchable).unwrap(), (hits + others) / 6_000.0);
    near(estimate(&figure, RateName::Corrected).unwrap(), (hits / 0.9 + others / 0.5) / 6_000.0);
}

#[test]
fn faultless_people_change_nothing() {
    let mut tally = night(&[("core", 30), ("none", 6)]);
    gold(&mut tally, (50, 50), (0, 400));
    known(&mut tally, "core", (45, 50));
    let figure = people_err(&tally).unwrap();
    for name in [RateName::Catchable, RateName::Corrected] {
        let is_it = |rate: &&crate::model::rate::Rate| {
            rate.name == name && rate.group.is_none() && rate.unit == tally.plan.unit
        };
        let headline = super::super::rates(&tally).iter().find(is_it).unwrap().estimate.unwrap();
        near(estimate(&figure, name).unwrap(), headline);
    }
    assert!(!figure.is_noticeable, "{:?}", figure.most_false);
}

#[test]
fn too_little_gold_is_refused_with_what_to_add() {
    let reason = |change: &dyn Fn(&mut Tally)| {
        let mut tally = night(&[("core", 12)]);
        change(&mut tally);
        let figure = people_err(&tally).unwrap();
        assert_eq!((figure.rates.len(), figure.most_false, figure.is_noticeable), (0, None, false));
        figure.reason.unwrap()
    };
    let reasons = [
        reason(&|_| {}),
        reason(&|tally| {
            gold(tally, (10, 10), (0, 99));
            tally.gold.as_mut().unwrap().drawn = ByKind { positive: 50, near_miss: 99 };
        }),
        reason(&|tally| gold(tally, (10, 10), (0, 100))),
        reason(&|tally| gold(tally, (5, 50), (10, 100))),
    ];
    insta::assert_snapshot!(reasons.join("\n"));
    assert_eq!(people_err(&Tally::empty(planned(&[("core", "rl", 3_000, 600)]), Level::new(0.95).unwrap())), None);
}

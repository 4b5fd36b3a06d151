//! The rungs of small designs, and every refusal.

use std::collections::BTreeMap;

use super::super::comparisons;
use super::*;
use crate::model::bucket::{Bucket, Buckets};
use crate::model::compare::{Compare, Contrast};
use crate::model::fixture::{group, planned, unit};
use crate::model::found_by::KnownUse;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::{Decider, Level};
use crate::model::review::{CellTally, ReviewDraw};
use crate::model::tally::{ConfirmedUnit, KnownTally, LabelTally, StageTally, StratumTally};

/// A run over one group: 1,000 hits, all graded, and 99,000 others, 9,900 of them graded. People have read all 40
/// flagged hits and confirmed 30, and all 5 flagged others and confirmed 2.
fn night() -> Tally {
    let plan = planned(&[("core", "rl", 1_000, 1_000), ("none", "rl", 99_000, 9_900)]);
    let mut tally = Tally {
        confirm: Some(StageTally::default()),
        parser: Some(1),
        labels: LabelTally { decided: 45, ..LabelTally::default() },
        ..Tally::empty(plan, Level::new(0.95).unwrap())
    };
    stratum(&mut tally, 0, (40, 40, 30));
    stratum(&mut tally, 1, (5, 5, 2));
    tally
}

/// Fills one stratum: its flagged, read and confirmed units, each in a conversation of its own.
fn stratum(tally: &mut Tally, index: u32, (flagged, read, confirmed): (u64, u64, u64)) {
    let plan = &tally.plan.strata[index as usize];
    let (value, name) = (plan.stratum.group.0[0].clone(), plan.stratum.to_string());
    let mut buckets = Buckets::default();
    buckets.add(Bucket::NotPlanned, plan.units - plan.planned);
    buckets.add(Bucket::Cleared, plan.planned - flagged);
    buckets.add(Bucket::Pending, flagged - read);
    buckets.add(Bucket::Rejected { by: Decider::People, code: None }, read - confirmed);
    buckets.add(Bucket::Confirmed { by: Decider::People }, confirmed);
    let cell = CellTally { units: flagged, drawn: flagged, read, confirmed, ..CellTally::default() };
    tally.strata.push(StratumTally {
        stratum: plan.stratum.clone(),
        units: plan.units,
        buckets,
        cells: [(Route::Upheld, cell)].into(),
        conversations: None,
    });
    for n in 0..confirmed {
        let unit = unit(&value, &format!("{name}-{n}"), 1);
        let (content, cluster) = (unit.key(), unit.conversation_key());
        let route = Some(Route::Upheld);
        tally.confirmed.push(ConfirmedUnit { unit, by: Decider::People, stratum: index, content, cluster, route });
    }
}

fn known(tally: &mut Tally, value: &str, class: &str, usage: KnownUse, (passed, usable): (u64, u64)) {
    tally.known.push(KnownTally {
        group: group(value),
        class: class.to_owned(),
        usage,
        items: usable,
        usable,
        passed,
        ungraded: 0,
        unfinished: 0,
        partial: 0,
        not_cached: 0,
    });
}

fn rate(tally: &Tally, name: RateName, target: Target) -> Rate {
    let is_wanted =
        |rate: &Rate| rate.name == name && rate.target == target && rate.unit == UnitKind::Turn && rate.group.is_some();
    rates(tally).into_iter().find(is_wanted).unwrap()
}

fn reason(tally: &Tally, name: RateName, target: Target) -> String {
    let rate = rate(tally, name, target);
    assert_eq!((rate.lower, rate.upper), (None, None), "{rate:?}");
    rate.reason.unwrap()
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1e-9), "{found}, not {expected}");
}

#[test]
fn catchable_expands_what_people_confirmed() {
    let rate = rate(&night(), RateName::Catchable, Target::Traffic);
    // 30 hits, and 2 others that stand for ten each.
    near(rate.estimate, 50.0 / 100_000.0);
    assert_eq!((rate.k, rate.n, rate.clusters, rate.method), (Some(32), Some(100_000), Some(32), Some(Method::Gamma)));
    assert!(rate.lower.unwrap() < 50e-5 && rate.upper.unwrap() > 50e-5);
    assert_eq!(rate.bracket, None);
}

#[test]
fn a_census_is_a_count_and_its_traffic_is_not() {
    let mut tally = night();
    tally.strata.truncate(1);
    tally.confirmed.truncate(30);
    let corpus = rate(&tally, RateName::Catchable, Target::Corpus);
    assert_eq!((corpus.lower, corpus.upper, corpus.method), (corpus.estimate, corpus.estimate, Some(Method::Census)));
    let traffic = rate(&tally, RateName::Catchable, Target::Traffic);
    assert!(traffic.lower < traffic.estimate && traffic.estimate < traffic.upper);
}

#[test]
fn corrected_needs_known_positives_and_says_how_many() {
    let mut tally = night();
    assert!(reason(&tally, RateName::Corrected, Target::Corpus).contains("0 known positives, 0 of them detected"));
    known(&mut tally, "rl", "core", KnownUse::Headline, (15, 19));
    assert!(reason(&tally, RateName::Corrected, Target::Corpus).contains("19 known positives, 15 of them detected"));
    known(&mut tally, "rl", "none", KnownUse::Headline, (0, 1));
    let rate = rate(&tally, RateName::Corrected, Target::Traffic);
    assert_eq!(rate.method, Some(Method::Melded));
    near(rate.estimate, 50.0 / 0.75 / 100_000.0);
    let lowered: Vec<_> = rate.lowered.iter().map(|row| (row.by, row.estimate.unwrap())).collect();
    near(Some(lowered[0].1), (30.0 / 0.75 + 20.0 / 0.65) / 100_000.0);
    near(rate.tipping_point, 0.75 * 20.0 / (30.0 + 2.0 * 20.0));
}

#[test]
fn known_positives_correct_by_class_once_both_classes_have_enough() {
    let mut tally = night();
    known(&mut tally, "rl", "core", KnownUse::Headline, (18, 20));
    known(&mut tally, "rl", "none", KnownUse::Headline, (10, 20));
    let rate = rate(&tally, RateName::Corrected, Target::Traffic);
    assert_eq!(rate.method, Some(Method::MeldedByClass));
    near(rate.estimate, (30.0 / 0.9 + 20.0 / 0.5) / 100_000.0);
}

#[test]
fn items_that_were_found_through_a_cue_speak_of_hits_only() {
    let mut tally = night();
    known(&mut tally, "rl", "core", KnownUse::HitsOnly, (40, 40));
    known(&mut tally, "rl", "core", KnownUse::Selected, (40, 40));
    assert!(reason(&tally, RateName::Corrected, Target::Corpus).contains("0 known positives"));
    known(&mut tally, "rl", "none", KnownUse::Headline, (10, 20));
    let rate = rate(&tally, RateName::Corrected, Target::Corpus);
    assert_eq!(rate.method, Some(Method::MeldedByClass));
    near(rate.estimate, (30.0 + 20.0 / 0.5) / 100_000.0);
}

#[test]
fn a_grader_that_flags_anything_is_uninformative() {
    let mut tally = night();
    stratum_flags(&mut tally, 4_000);
    known(&mut tally, "rl", "core", KnownUse::Headline, (10, 24));
    assert!(reason(&tally, RateName::Corrected, Target::Corpus).contains("uninformative"));
}

/// Makes the gate flag so many of the others, of which people have read all and confirmed two.
fn stratum_flags(tally: &mut Tally, flagged: u64) {
    let cell = CellTally { units: flagged, drawn: flagged, read: flagged, confirmed: 2, ..CellTally::default() };
    tally.strata[1].cells = [(Route::Upheld, cell)].into();
}

#[test]
fn too_few_decisions_are_named_with_their_stratum() {
    let mut tally = night();
    tally.strata[0]
        .cells
        .insert(Route::TurnedDown, CellTally { units: 300, drawn: 50, read: 12, ..CellTally::default() });
    let reason = reason(&tally, RateName::Catchable, Target::Corpus);
    assert!(reason.contains("read at least 50 of core / rl (300 turned down, 12 read)"), "{reason}");
}

#[test]
fn a_part_of_the_frame_without_a_verdict_is_named() {
    let mut tally = night();
    tally.strata[1].buckets = Buckets([(Bucket::NotPlanned, 99_000)].into());
    tally.strata[1].cells = BTreeMap::new();
    tally.confirmed.truncate(30);
    let reason = reason(&tally, RateName::Catchable, Target::Corpus);
    assert!(reason.contains("no turn of none / rl has a usable verdict"), "{reason}");
}

#[test]
fn nothing_confirmed_is_no_zero() {
    let mut tally = night();
    for stratum in &mut tally.strata {
        stratum.cells = BTreeMap::new();
    }
    tally.confirmed.clear();
    let corpus = rate(&tally, RateName::Catchable, Target::Corpus);
    assert_eq!((corpus.estimate, corpus.lower), (Some(0.0), Some(0.0)));
    // -ln(0.025) times a weight of ten.
    near(corpus.upper, 36.888_794_541_139_36 / 100_000.0);
    assert!(
        reason(&tally, RateName::Catchable, Target::Traffic)
            .contains("fewer than 10 conversations hold a confirmed turn")
    );
}

#[test]
fn what_was_not_graded_or_decided_is_bracketed() {
    let mut tally = night();
    let buckets = &mut tally.strata[1].buckets;
    buckets.0.insert(Bucket::Ungraded(OutcomeKind::Refused), 100);
    *buckets.0.get_mut(&Bucket::Cleared).unwrap() -= 100;
    tally.strata[0].cells.get_mut(&Route::Upheld).unwrap().undecided = 4;
    let rate = rate(&tally, RateName::Catchable, Target::Corpus);
    let bracket = rate.bracket.unwrap();
    near(rate.estimate, (30.0 + 2.0 * 99_000.0 / 9_800.0) / 100_000.0);
    near(Some(bracket.ungraded_no), 50.0 / 100_000.0);
    near(Some(bracket.ungraded_yes), (50.0 + 100.0 * 10.0) / 100_000.0);
    near(Some(bracket.undecided_yes), (34.0 + 2.0 * 99_000.0 / 9_800.0) / 100_000.0);
}

#[test]
fn a_gate_with_both_graders_counts_what_both_say_yes_to() {
    let mut tally = night();
    tally.plan.review = ReviewDraw { confirm_no: crate::model::draw::SampleSize::Count(0), ..ReviewDraw::default() };
    tally.strata[0].cells.insert(Route::TurnedDown, CellTally { units: 300, ..CellTally::default() });
    near(rate(&tally, RateName::Catchable, Target::Corpus).estimate, 50.0 / 100_000.0);
}

#[test]
fn the_ceiling_adds_what_people_found_among_the_cleared() {
    let mut tally = night();
    assert!(reason(&tally, RateName::Ceiling, Target::Corpus).contains("no person has read cleared units"));
    for (index, (units, read)) in [(960, 200), (9_895, 300)].into_iter().enumerate() {
        let cell = CellTally { units, drawn: read, read, ..CellTally::default() };
        tally.strata[index].cells.insert(Route::Cleared, cell);
    }
    let mut joint = tally.clone();
    joint.plan.review = ReviewDraw { confirm_no: crate::model::draw::SampleSize::Count(0), ..ReviewDraw::default() };
    joint.strata[0].cells.insert(Route::TurnedDown, CellTally { units: 3, ..CellTally::default() });
    assert!(reason(&joint, RateName::Ceiling, Target::Corpus).contains("never reaches people"));
    let (ceiling, catchable) =
        (rate(&tally, RateName::Ceiling, Target::Corpus), rate(&tally, RateName::Catchable, Target::Corpus));
    assert_eq!(ceiling.estimate, catchable.estimate);
    assert!(ceiling.upper.unwrap() > 5.0 * catchable.upper.unwrap(), "{ceiling:?}");
}

#[test]
fn single_turns_have_no_rate_per_conversation_above_the_floor() {
    for name in [RateName::Catchable, RateName::Corrected, RateName::Ceiling] {
        let tally = night();
        let rates = rates(&tally);
        let rate = rates.iter().find(|rate| rate.name == name && rate.unit == UnitKind::Conversation).unwrap();
        assert!(rate.reason.as_ref().unwrap().contains("sample_by"), "{rate:?}");
    }
}

/// 30 confirmed hits in 5 conversations of a census, and 2 others, of a tenth, in a conversation each or in one.
#[test]
fn conversations_drawn_whole_have_wider_limits() {
    let figures = |sample_by, in_one: bool| {
        let mut tally = night();
        tally.plan.sample_by = sample_by;
        for (n, confirmed) in (0..).zip(&mut tally.confirmed) {
            let name = if n < 30 || in_one { n / 6 } else { n };
            confirmed.unit = unit("rl", &format!("conversation-{name}"), n);
            (confirmed.content, confirmed.cluster) = (confirmed.unit.key(), confirmed.unit.conversation_key());
        }
        let recall = recall(&tally).into_iter().next_back().unwrap().limits.unwrap();
        (rate(&tally, RateName::Catchable, Target::Corpus), recall)
    };
    let [(turns, recall_of_turns), (whole, recall_of_whole)] =
        [UnitKind::Turn, UnitKind::Conversation].map(|sample_by| figures(sample_by, false));
    // Six in one conversation could have been found where one stands for ten. No two of a sampled stratum were.
    assert_eq!((whole.estimate, whole.lower), (turns.estimate, turns.lower));
    assert!(whole.upper.unwrap() > 2.0 * turns.upper.unwrap(), "{whole:?} {turns:?}");
    assert!(recall_of_whole.lower < recall_of_turns.lower && recall_of_whole.upper < recall_of_turns.upper + 1e-12);
    let (together, _) = figures(UnitKind::Conversation, true);
    assert!(together.upper > whole.upper, "both in one draw: {together:?} {whole:?}");
}

#[test]
fn a_corpus_holds_no_less_than_was_found_by_hand() {
    let mut tally = night();
    for n in 0..100 {
        let unit = unit("rl", &format!("picked-{n}"), 1);
        let (content, cluster) = (unit.key(), unit.conversation_key());
        tally.confirmed.push(ConfirmedUnit { unit, by: Decider::People, stratum: 0, content, cluster, route: None });
    }
    let rate = rate(&tally, RateName::Catchable, Target::Corpus);
    near(rate.estimate, 132.0 / 100_000.0);
    assert!(rate.lower.unwrap() >= 132.0 / 100_000.0 && rate.upper >= rate.estimate, "{rate:?}");
}

/// Two groups alike but for what was confirmed.
fn two_groups(first: u64, second: u64) -> Tally {
    let mut tally = night();
    tally.plan = planned(&[("core", "early", 1_000, 1_000), ("core", "late", 1_000, 1_000)]);
    tally.strata.clear();
    tally.confirmed.clear();
    stratum(&mut tally, 0, (50, 50, first));
    stratum(&mut tally, 1, (50, 50, second));
    tally.plan.compare =
        Compare { lineage: "12k further steps".to_owned(), contrasts: Vec::new(), ..Compare::default() };
    tally
}

#[test]
fn groups_are_compared_once_somebody_says_what_changed() {
    let mut tally = two_groups(10, 30);
    let sweep = comparisons(&tally);
    assert_eq!(sweep.pairs.len(), 1);
    let pair = &sweep.pairs[0];
    assert_eq!((&pair.over, &pair.under), (&group("late"), &group("early")));
    near(pair.ratio.unwrap().estimate, 3.0);
    assert!(pair.p.unwrap() < 0.01 && pair.detectable.is_none());
    tally.plan.compare.lineage = String::new();
    assert!(comparisons(&tally).reason.unwrap().contains("lineage"));
}

#[test]
fn no_difference_says_what_would_have_shown() {
    let mut tally = two_groups(10, 12);
    tally.plan.compare.contrasts = vec![Contrast::parse("early / late").unwrap()];
    let pair = &comparisons(&tally).pairs[0];
    assert!(pair.p.unwrap() > 0.5);
    let ratio = pair.detectable.unwrap();
    assert!((2.5..6.0).contains(&ratio), "{ratio}");
}

#[test]
fn groups_that_are_not_equally_detected_are_compared_by_their_own_sensitivity_only() {
    let mut tally = two_groups(20, 20);
    known(&mut tally, "early", "core", KnownUse::Headline, (38, 40));
    known(&mut tally, "late", "core", KnownUse::Headline, (20, 40));
    let pair = &comparisons(&tally).pairs[0];
    assert_eq!((pair.ratio, pair.p, pair.detectable), (None, None, None));
    near(pair.own_sensitivity.unwrap().estimate, 0.95 / 0.5);
    assert!(pair.reason.as_ref().unwrap().contains("95%"), "{pair:?}");
}

#[test]
fn sensitivities_that_differ_are_not_pooled() {
    let mut tally = two_groups(20, 20);
    known(&mut tally, "early", "core", KnownUse::Headline, (38, 40));
    known(&mut tally, "late", "core", KnownUse::Headline, (20, 40));
    let sum: Vec<_> = rates(&tally).into_iter().filter(|rate| rate.name == RateName::Corrected).collect();
    near(sum[0].estimate, (20.0 / 0.95 + 20.0 / 0.5) / 2_000.0);
    assert_eq!(sum[0].method, Some(Method::SumOfGroups));
    tally.plan.compare.pool_sensitivity = true;
    assert!(rate(&tally, RateName::Corrected, Target::Corpus).reason.unwrap().contains("not pooled"));
}

#[test]
fn orders_have_a_trend_where_counts_are_plain() {
    let mut tally = two_groups(10, 30);
    tally.plan.compare.order = [("checkpoint".to_owned(), vec!["early".to_owned(), "late".to_owned()])].into();
    let trend = &comparisons(&tally).trends[0];
    assert!(trend.z.unwrap() > 2.0 && trend.p.unwrap() < 0.01, "{trend:?}");
    tally.strata[0].buckets.0.insert(Bucket::NotPlanned, 500);
    tally.strata[0].buckets.0.insert(Bucket::Cleared, 450);
    assert!(comparisons(&tally).trends[0].reason.is_some());
}

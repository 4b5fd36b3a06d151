use super::*;
use crate::model::bucket::Buckets;
use crate::model::event::{Planned, PlannedGrader};
use crate::model::fixture::{group, planned, unit};
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Level;
use crate::model::tally::{LabelTally, Requests, Sessions, Spend, StageTally};

/// A run over two groups that admitted all of `core` and nothing of `none`, with these confirmed units.
fn tally(confirmed: &[(&str, &str, u32)]) -> Tally {
    let plan = planned(&[("core", "rl", 100, 100), ("none", "rl", 900, 0), ("core", "sft", 50, 50)]);
    let mut strata = Vec::new();
    for stratum in &plan.strata {
        let mut buckets = Buckets::default();
        buckets.add(Bucket::Cleared, stratum.planned);
        buckets.add(Bucket::NotPlanned, stratum.units - stratum.planned);
        strata.push(StratumTally { stratum: stratum.stratum.clone(), units: stratum.units, buckets });
    }
    let confirm = |(value, conversation, turn): &(&str, &str, u32)| {
        let unit = unit(value, conversation, *turn);
        let content = unit.key();
        ConfirmedUnit { unit, by: Decider::Grader, stratum: if *value == "rl" { 0 } else { 2 }, content }
    };
    Tally {
        plan,
        level: Level::new(0.95).unwrap(),
        strata,
        confirmed: confirmed.iter().map(confirm).collect(),
        screen: StageTally::default(),
        confirm: Some(StageTally::default()),
        known: Vec::new(),
        parser: Some(1),
        injection_suspected: 0,
        requests: Requests::default(),
        spend: Spend::default(),
        labels: LabelTally::default(),
        sessions: Sessions::default(),
        warnings: BTreeSet::new(),
    }
}

fn floor(tally: &Tally, value: Option<&str>, unit: UnitKind, target: Target) -> Rate {
    let group = value.map(group);
    let is_wanted =
        |rate: &Rate| rate.name == RateName::Floor && rate.group == group && rate.unit == unit && rate.target == target;
    rates(tally).into_iter().find(is_wanted).unwrap()
}

#[test]
fn the_floor_is_a_count_over_the_whole_corpus() {
    let tally = tally(&[("rl", "a", 1), ("rl", "b", 1), ("sft", "a", 1)]);
    let corpus = floor(&tally, Some("rl"), UnitKind::Turn, Target::Corpus);
    assert_eq!((corpus.k, corpus.n, corpus.method), (Some(2), Some(1_000), Some(Method::ExactCount)));
    assert_eq!((corpus.lower, corpus.upper, corpus.level), (None, None, None));
    let all = floor(&tally, None, UnitKind::Conversation, Target::Corpus);
    assert_eq!((all.k, all.n), (Some(3), Some(525)));
    let traffic = floor(&tally, Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!(traffic.method, Some(Method::ClopperPearson));
    assert!(traffic.lower < traffic.estimate && traffic.estimate < traffic.upper);
}

#[test]
fn no_event_has_a_one_sided_limit() {
    let none = floor(&tally(&[]), Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!((none.k, none.lower, none.method), (Some(0), Some(0.0), Some(Method::ClopperPearsonOneSided)));
    let expected = 1.0 - 0.05_f64.powf(1.0 / 1_000.0);
    assert!((none.upper.unwrap() - expected).abs() < 1e-12);
}

#[test]
fn two_turns_of_one_conversation_leave_the_turn_rate_without_an_interval() {
    let tally = tally(&[("rl", "a", 1), ("rl", "a", 3), ("sft", "a", 1)]);
    let turns = floor(&tally, Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!((turns.k, turns.upper, turns.method), (Some(2), None, None));
    assert!(turns.reason.unwrap().contains("not independent"));
    let conversations = floor(&tally, Some("rl"), UnitKind::Conversation, Target::Traffic);
    assert_eq!(conversations.k, Some(1));
    assert!(conversations.upper.is_some());
    assert!(floor(&tally, Some("sft"), UnitKind::Turn, Target::Traffic).upper.is_some());
}

#[test]
fn copies_of_one_text_are_a_cluster_of_turns_and_of_conversations() {
    let mut tally = tally(&[("rl", "a", 1), ("rl", "b", 1)]);
    tally.confirmed[1].content = tally.confirmed[0].content;
    for unit in [UnitKind::Turn, UnitKind::Conversation] {
        let rate = floor(&tally, Some("rl"), unit, Target::Traffic);
        assert_eq!((rate.k, rate.upper), (Some(2), None), "{unit:?}");
    }
}

#[test]
fn a_drawn_part_of_a_stratum_makes_a_raw_count() {
    let mut tally = tally(&[("rl", "a", 1)]);
    tally.strata[1].buckets = Buckets([(Bucket::NotPlanned, 800), (Bucket::Cleared, 100)].into());
    assert_eq!(floor(&tally, Some("rl"), UnitKind::Turn, Target::Corpus).method, Some(Method::RawCount));
    assert_eq!(floor(&tally, Some("sft"), UnitKind::Turn, Target::Corpus).method, Some(Method::ExactCount));
}

#[test]
fn no_event_among_units_without_a_verdict_is_no_upper_limit() {
    for open in [Bucket::NotAdmitted, Bucket::Unfinished, Bucket::Ungraded(OutcomeKind::NotCached), Bucket::Pending] {
        let mut tally = tally(&[]);
        tally.strata[0].buckets = Buckets([(open.clone(), 90), (Bucket::Cleared, 10)].into());
        let corpus = floor(&tally, Some("rl"), UnitKind::Turn, Target::Corpus);
        assert_eq!((corpus.k, corpus.method), (Some(0), Some(Method::RawCount)), "{open:?}");
        let traffic = floor(&tally, Some("rl"), UnitKind::Turn, Target::Traffic);
        assert_eq!((traffic.k, traffic.lower, traffic.upper), (Some(0), None, None), "{open:?}");
        assert!(traffic.reason.unwrap().contains("may hold some"));
    }
}

#[test]
fn flagged_units_without_anyone_to_decide_are_no_zero() {
    let mut tally = tally(&[]);
    tally.confirm = None;
    tally.strata[0].buckets = Buckets([(Bucket::Pending, 4), (Bucket::Cleared, 96)].into());
    let rate = floor(&tally, Some("rl"), UnitKind::Turn, Target::Corpus);
    assert_eq!((rate.k, rate.estimate), (None, None));
    assert!(rate.reason.unwrap().contains("nobody has decided about 4 flagged turns"));
    assert_eq!(floor(&tally, Some("sft"), UnitKind::Turn, Target::Corpus).k, Some(0), "nothing was flagged there");
}

#[test]
fn people_have_a_floor_of_their_own() {
    let mut tally = tally(&[("rl", "a", 1), ("rl", "b", 1)]);
    tally.confirmed[0].by = Decider::People;
    tally.labels.decided = 1;
    let floors: Vec<_> = rates(&tally).into_iter().filter(|rate| rate.name == RateName::Floor).collect();
    assert_eq!((floors[0].decided_by, floors[0].k), (Some(Decider::People), Some(1)));
    assert_eq!((floors[2].decided_by, floors[2].k), (Some(Decider::Grader), Some(2)));
}

#[test]
fn rungs_above_the_floor_say_what_to_add() {
    for rate in rates(&tally(&[])).iter().filter(|rate| rate.name != RateName::Floor) {
        assert_eq!((rate.k, rate.n, rate.estimate, rate.upper), (None, None, None, None));
        assert!(rate.reason.as_ref().is_some_and(|reason| reason.contains("review the flagged")), "{rate:?}");
    }
}

#[test]
fn turns_are_not_counted_where_conversations_were_graded() {
    let mut tally = tally(&[]);
    tally.plan = Planned { unit: UnitKind::Conversation, graders: Vec::<PlannedGrader>::new(), ..tally.plan };
    assert!(floor(&tally, None, UnitKind::Turn, Target::Corpus).reason.is_some());
    assert_eq!(floor(&tally, None, UnitKind::Conversation, Target::Corpus).n, Some(525));
}

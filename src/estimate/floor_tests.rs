use std::collections::BTreeMap;

use super::super::rates;
use super::*;
use crate::model::bucket::Buckets;
use crate::model::event::{Planned, PlannedGrader};
use crate::model::fixture::{group, planned, unit};
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Level;
use crate::model::tally::{StageTally, StratumTally};

/// A run over two groups that admitted all of `core` and nothing of `none`, with these confirmed units.
fn tally(confirmed: &[(&str, &str, u32)]) -> Tally {
    let plan = planned(&[("core", "rl", 100, 100), ("none", "rl", 900, 0), ("core", "sft", 50, 50)]);
    let mut strata = Vec::new();
    for stratum in &plan.strata {
        let mut buckets = Buckets::default();
        buckets.add(Bucket::Cleared, stratum.planned);
        buckets.add(Bucket::NotPlanned, stratum.units - stratum.planned);
        strata.push(StratumTally {
            stratum: stratum.stratum.clone(),
            units: stratum.units,
            buckets,
            cells: BTreeMap::new(),
            conversations: None,
        });
    }
    let confirm = |(value, conversation, turn): &(&str, &str, u32)| {
        let unit = unit(value, conversation, *turn);
        let (content, cluster) = (unit.key(), unit.conversation_key());
        ConfirmedUnit {
            unit,
            by: Decider::Grader,
            stratum: if *value == "rl" { 0 } else { 2 },
            content,
            cluster,
            route: None,
        }
    };
    Tally {
        strata,
        confirmed: confirmed.iter().map(confirm).collect(),
        confirm: Some(StageTally::default()),
        parser: Some(1),
        ..Tally::empty(plan, Level::new(0.95).unwrap())
    }
}

fn floor(tally: &Tally, value: Option<&str>, unit: UnitKind, target: Target) -> Rate {
    let group = value.map(group);
    let is_wanted =
        |rate: &Rate| rate.name == RateName::Floor && rate.group == group && rate.unit == unit && rate.target == target;
    rates(tally).into_iter().find(is_wanted).unwrap()
}

/// So many confirmed turns of `rl`, each in a conversation of its own.
fn apart(confirmed: usize) -> Vec<(&'static str, &'static str, u32)> {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    NAMES.iter().take(confirmed).map(|name| ("rl", *name, 1)).collect()
}

#[test]
fn the_floor_is_a_count_over_the_whole_corpus() {
    let tally = tally(&[("rl", "a", 1), ("rl", "b", 1), ("sft", "a", 1)]);
    let corpus = floor(&tally, Some("rl"), UnitKind::Turn, Target::Corpus);
    assert_eq!((corpus.k, corpus.n, corpus.method), (Some(2), Some(1_000), Some(Method::ExactCount)));
    assert_eq!((corpus.lower, corpus.upper, corpus.level), (None, None, None));
    let all = floor(&tally, None, UnitKind::Conversation, Target::Corpus);
    assert_eq!((all.k, all.n), (Some(3), Some(525)));
    let traffic = floor(&tally, Some("rl"), UnitKind::Conversation, Target::Traffic);
    assert_eq!(traffic.method, Some(Method::ClopperPearson));
    assert!(traffic.lower < traffic.estimate && traffic.estimate < traffic.upper);
}

#[test]
fn a_rate_per_turn_of_traffic_rests_on_ten_conversations() {
    let few = floor(&tally(&apart(9)), Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!((few.k, few.clusters, few.upper), (Some(9), Some(9), None));
    assert!(few.reason.unwrap().contains("fewer than 10 conversations hold a confirmed turn"));
    let enough = floor(&tally(&apart(10)), Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!((enough.clusters, enough.method), (Some(10), Some(Method::ClopperPearson)));
    let mut alone = tally(&apart(3));
    // Conversations of one turn each.
    alone.plan.corpus.conversations_by_group = vec![(group("rl"), 1_000), (group("sft"), 50)];
    let alone = floor(&alone, Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!(alone.method, Some(Method::ClopperPearson));
}

#[test]
fn no_event_has_a_one_sided_limit_per_conversation() {
    let none = floor(&tally(&[]), Some("rl"), UnitKind::Conversation, Target::Traffic);
    assert_eq!((none.k, none.lower, none.method), (Some(0), Some(0.0), Some(Method::ClopperPearsonOneSided)));
    let expected = 1.0 - 0.05_f64.powf(1.0 / 500.0);
    assert!((none.upper.unwrap() - expected).abs() < 1e-12);
    let turns = floor(&tally(&[]), Some("rl"), UnitKind::Turn, Target::Traffic);
    assert!(turns.upper.is_none() && turns.reason.unwrap().contains("per conversation"));
}

#[test]
fn turns_of_one_conversation_widen_the_interval() {
    let mut confirmed = apart(12);
    let plain = floor(&tally(&confirmed), Some("rl"), UnitKind::Turn, Target::Traffic);
    confirmed.extend([("rl", "a", 3), ("rl", "a", 5), ("rl", "a", 7)]);
    let clustered = floor(&tally(&confirmed), Some("rl"), UnitKind::Turn, Target::Traffic);
    assert_eq!((clustered.k, clustered.clusters, clustered.method), (Some(15), Some(12), Some(Method::Gamma)));
    let width = |rate: &Rate| (rate.upper.unwrap() - rate.lower.unwrap()) / rate.estimate.unwrap();
    assert!(width(&clustered) > width(&plain), "{clustered:?} {plain:?}");
    let conversations = floor(&tally(&confirmed), Some("rl"), UnitKind::Conversation, Target::Traffic);
    assert_eq!((conversations.k, conversations.method), (Some(12), Some(Method::ClopperPearson)));
}

#[test]
fn copies_of_one_text_are_a_cluster_of_conversations() {
    let mut tally = tally(&[("rl", "a", 1), ("rl", "b", 1)]);
    tally.confirmed[1].content = tally.confirmed[0].content;
    let rate = floor(&tally, Some("rl"), UnitKind::Conversation, Target::Traffic);
    assert_eq!((rate.k, rate.clusters, rate.method), (Some(2), Some(1), Some(Method::Gamma)));
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
        let traffic = floor(&tally, Some("rl"), UnitKind::Conversation, Target::Traffic);
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
fn turns_are_not_counted_where_conversations_were_graded() {
    let mut tally = tally(&[]);
    tally.plan = Planned { unit: UnitKind::Conversation, graders: Vec::<PlannedGrader>::new(), ..tally.plan };
    assert!(floor(&tally, None, UnitKind::Turn, Target::Corpus).reason.is_some());
    let units = tally.strata.iter().map(|stratum| stratum.units).sum();
    assert_eq!(floor(&tally, None, UnitKind::Conversation, Target::Corpus).n, Some(units), "strata hold conversations");
}

#[test]
fn units_of_one_cluster_are_not_independent_wherever_they_stand() {
    let mut tally = tally(&apart(12));
    tally.plan.cluster_by = Some("user".to_owned());
    for unit in &mut tally.confirmed[..4] {
        unit.cluster = crate::model::hash::Digest::of(b"user");
    }
    for unit in [UnitKind::Turn, UnitKind::Conversation] {
        let rate = floor(&tally, Some("rl"), unit, Target::Traffic);
        assert_eq!((rate.k, rate.clusters), (Some(12), Some(9)));
    }
    let turns = floor(&tally, Some("rl"), UnitKind::Turn, Target::Traffic);
    assert!(turns.reason.unwrap().contains("fewer than 10 users hold"));
}

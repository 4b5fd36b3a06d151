//! Whole conversations as what is drawn, and clusters by a field.

use super::*;
use crate::model::unit::{Group, UnitId, UnitKind};
use crate::plan::sample::draw_number;

const ALL: [(&str, SampleSize); 2] = [("core", SampleSize::All), ("none", SampleSize::All)];

fn desk(sizes: &[(&str, SampleSize)]) -> Desk {
    let mut desk = Desk::new(sizes);
    desk.corpus.sample_by = UnitKind::Conversation;
    desk
}

fn units(census: &Census) -> Vec<(u32, UnitId)> {
    let units = (0..census.units.len()).map(|ordinal| census.units.get(Ordinal(ordinal)).unwrap());
    units.map(|unit| (unit.stratum.unwrap(), unit.id)).collect()
}

/// Conversations in order of admission, each with its stratum and its turns.
fn drawn(census: &Census) -> Vec<(u32, UnitId, Vec<u32>)> {
    let mut drawn: Vec<(u32, UnitId, Vec<u32>)> = Vec::new();
    for (stratum, unit) in units(census) {
        let (conversation, turn) = (UnitId { turn: None, ..unit.clone() }, unit.turn.unwrap());
        match drawn.last_mut() {
            Some((known, last, turns)) if *last == conversation => {
                assert_eq!(*known, stratum, "a conversation is in one stratum");
                turns.push(turn);
            }
            Some(_) | None => drawn.push((stratum, conversation, vec![turn])),
        }
    }
    drawn
}

/// `units/conversations/conversations_planned/planned` by stratum.
fn figures(census: &Census) -> BTreeMap<String, String> {
    let figures = |row: &PlannedStratum| {
        let planned = row.conversations_planned.unwrap();
        format!("{}/{}/{planned}/{}", row.units, row.conversations, row.planned)
    };
    census.strata.iter().map(|row| (row.stratum.to_string(), figures(row))).collect()
}

#[test]
fn a_conversation_is_in_the_stratum_of_its_most_specific_turn_and_drawn_with_all_its_turns() {
    let mut desk = desk(&ALL);
    desk.file(
        "1.jsonl",
        &[
            line("c1", "a", &["fine", "a test", "fine"]),
            line("c2", "a", &["fine", "fine"]),
            line("c3", "b", &["a test"]),
            line("silent", "b", &["no turn"]).replace("assistant", "user"),
        ],
    );
    let census = desk.take().unwrap();
    let expected = [("core / a", "3/1/1/3"), ("core / b", "1/1/1/1"), ("none / a", "2/1/1/2")];
    assert_eq!(figures(&census), expected.map(|(name, row)| (name.to_owned(), row.to_owned())).into());
    let mut turns: Vec<_> = drawn(&census).into_iter().map(|(_, id, turns)| (id.to_string(), turns)).collect();
    turns.sort();
    let expected = [("c1", vec![1, 3, 5]), ("c2", vec![1, 3]), ("c3", vec![1])];
    assert_eq!(turns, expected.map(|(id, turns)| (id.to_owned(), turns)));
    assert_eq!((census.corpus.turns, census.corpus.conversations), (6, 4));
}

#[test]
fn the_sample_is_that_of_the_conversations_whatever_threads_and_files() {
    let sizes = [("core", SampleSize::Rate(0.5)), ("none", SampleSize::Count(7))];
    let mut whole = desk(&sizes);
    whole.file("all.jsonl", &many(0, 300));
    let whole = whole.take().unwrap();
    let of_none = whole.strata.iter().filter(|row| row.stratum.class == "none");
    assert!(of_none.into_iter().all(|row| row.conversations_planned == Some(7)));

    let mut parts = desk(&sizes);
    parts.threads = 5;
    parts.file("1.jsonl", &many(200, 300)).file("2.jsonl", &many(0, 120)).file("3.jsonl", &many(120, 200));
    let parts = parts.take().unwrap();
    assert_eq!(units(&parts), units(&whole));
    assert_eq!(parts.strata, whole.strata);
}

#[test]
fn a_limit_counts_conversations_and_cuts_between_them() {
    let mut desk = desk(&ALL);
    desk.file("all.jsonl", &many(0, 60));
    let whole = drawn(&desk.take().unwrap());
    assert_eq!(whole.len(), 60);
    desk.sample.limit = Some(11);
    let census = desk.take().unwrap();
    assert_eq!(drawn(&census), whole[..11]);
    assert_eq!(census.strata.iter().map(|row| row.conversations_planned.unwrap()).sum::<u64>(), 11);
    assert_eq!(census.strata.iter().map(|row| row.planned).sum::<u64>(), census.units.len());
}

#[test]
fn conversations_take_turns_by_their_numbers_and_strata_in_proportion() {
    let mut desk = desk(&ALL);
    desk.file("all.jsonl", &many(0, 100));
    let census = desk.take().unwrap();
    let planned: Vec<_> = census.strata.iter().map(|row| row.conversations_planned.unwrap()).collect();
    let order: Vec<_> = admission_order(&planned).map(|(stratum, _)| stratum).collect();
    let drawn = drawn(&census);
    assert_eq!(drawn.iter().map(|(stratum, ..)| *stratum as usize).collect::<Vec<_>>(), order);
    for stratum in 0..census.strata.len() {
        let of_stratum = drawn.iter().filter(|(index, ..)| *index as usize == stratum);
        let numbers: Vec<_> = of_stratum.map(|(_, id, _)| draw_number(7, "grade", 1, &id.conversation_key())).collect();
        assert!(numbers.is_sorted() && !numbers.is_empty());
    }
}

#[test]
fn what_is_drawn_and_what_is_clustered_is_part_of_the_question() {
    let mut desk = Desk::new(&ALL);
    let lines = many(0, 20).into_iter().map(|line| line.replace("\"arm\":", "\"user\":\"u\",\"arm\":"));
    desk.file("all.jsonl", &lines.collect::<Vec<_>>());
    let mut digests = BTreeSet::new();
    for (sample_by, cluster_by) in [
        (UnitKind::Turn, None),
        (UnitKind::Conversation, None),
        (UnitKind::Turn, Some("user")),
        (UnitKind::Conversation, Some("user")),
        (UnitKind::Turn, Some("arm")),
    ] {
        (desk.corpus.sample_by, desk.corpus.cluster_by) = (sample_by, cluster_by.map(str::to_owned));
        digests.insert(desk.take().unwrap().digest);
        assert!(!desk.take().unwrap().fresh);
    }
    assert_eq!(digests.len(), 5);
}

#[test]
fn a_field_that_forms_clusters_must_be_somewhere() {
    let mut desk = desk(&ALL);
    let with_user = line("c1", "a", &["x"]).replace("\"arm\":", "\"user\":\"u\",\"arm\":");
    let with_none = line("c2", "a", &["x"]).replace("\"arm\":", "\"user\":\"\",\"arm\":");
    desk.file("1.jsonl", &[with_user, with_none, line("c3", "b", &["x"])]);
    assert_eq!(desk.take().unwrap().corpus.conversations_with_cluster, None);
    desk.corpus.cluster_by = Some("user".to_owned());
    assert_eq!(desk.take().unwrap().corpus.conversations_with_cluster, Some(1));
    desk.corpus.cluster_by = Some("usr".to_owned());
    let error = desk.take().unwrap_err().to_string();
    assert_eq!(error, "no conversation carries the metadata field `usr`, which `cluster_by` names");
}

fn class_of(shape: &[bool]) -> &'static str {
    if shape.contains(&true) { "core" } else { "none" }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Conversations of any shape: every turn is counted once, whole conversations are drawn, and a simple sort of all
    /// of them by number agrees; a larger sample contains a smaller one.
    #[test]
    fn samples_are_whole_conversations_and_nested(
        shapes in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..5), 1..40),
        small in 0_u64..8,
        more in 0_u64..8,
    ) {
        let lines: Vec<_> = shapes.iter().enumerate().map(|(number, shape)| {
            let texts: Vec<_> = shape.iter().map(|hit| if *hit { "a test" } else { "fine" }).collect();
            line(&format!("c{number}"), "a", &texts)
        }).collect();
        let mut desk = desk(&ALL);
        desk.file("all.jsonl", &lines);
        let turns: u64 = shapes.iter().map(|shape| shape.len() as u64).sum();
        if turns == 0 {
            let is_refused = matches!(desk.take(), Err(CensusError::Empty { .. }));
            prop_assert!(is_refused);
            return Ok(());
        }
        let mut samples = Vec::new();
        for size in [small, small + more] {
            desk.sample.sizes = [("core", SampleSize::Count(size)), ("none", SampleSize::Count(size))]
                .map(|(class, size)| (class.to_owned(), size)).into();
            let census = desk.take().unwrap();
            prop_assert_eq!(census.strata.iter().map(|row| row.units).sum::<u64>(), turns);
            prop_assert_eq!(census.corpus.turns, turns);
            let frame: u64 = census.strata.iter().map(|row| row.conversations).sum();
            prop_assert_eq!(frame, shapes.iter().filter(|shape| !shape.is_empty()).count() as u64);
            let mut sample = BTreeSet::new();
            for (stratum, id, turns) in drawn(&census) {
                let number: usize = id.conversation.trim_start_matches('c').parse().unwrap();
                let shape = &shapes[number];
                let all: Vec<_> = (0..u32::try_from(shape.len()).unwrap()).map(|turn| 2 * turn + 1).collect();
                prop_assert_eq!(turns, all);
                prop_assert_eq!(&census.strata[stratum as usize].stratum.class, class_of(shape));
                sample.insert((class_of(shape), id));
            }
            for class in ["core", "none"] {
                let of_class = shapes.iter().enumerate().filter(|(_, s)| !s.is_empty() && class_of(s) == class);
                let group = Group(vec!["a".to_owned()]);
                let id = |number| UnitId { group: group.clone(), conversation: format!("c{number}"), turn: None };
                let mut all: Vec<_> = of_class.map(|(number, _)| id(number)).collect();
                all.sort_by_key(|id| (draw_number(7, "grade", 1, &id.conversation_key()), id.conversation_key()));
                let expected: BTreeSet<_> = all.into_iter().take(usize::try_from(size).unwrap()).collect();
                let drawn = sample.iter().filter(|(of, _)| *of == class).map(|(_, id)| id.clone());
                prop_assert_eq!(drawn.collect::<BTreeSet<_>>(), expected);
            }
            samples.push(sample);
        }
        prop_assert!(samples[0].is_subset(&samples[1]));
    }
}

//! Conversations as units.

use super::*;
use crate::model::unit::{Group, UnitId, UnitKind};
use crate::plan::sample::draw_number;

const ALL: [(&str, SampleSize); 2] = [("core", SampleSize::All), ("none", SampleSize::All)];

fn desk(sizes: &[(&str, SampleSize)]) -> Desk {
    let mut desk = Desk::new(sizes);
    (desk.corpus.unit, desk.corpus.sample_by) = (UnitKind::Conversation, UnitKind::Conversation);
    desk
}

/// Units in order of admission, each with its stratum.
fn units(census: &Census) -> Vec<(String, UnitId)> {
    let units = (0..census.units.len()).map(|ordinal| census.units.get(Ordinal(ordinal)).unwrap());
    units.map(|unit| (census.strata[unit.stratum.unwrap() as usize].stratum.class.clone(), unit.id)).collect()
}

/// A conversation in which the model says nothing.
fn silent(id: &str) -> String {
    line(id, "a", &["no turn"]).replace("assistant", "user")
}

#[test]
fn a_conversation_is_one_unit_in_the_stratum_of_its_most_specific_turn() {
    let mut desk = desk(&ALL);
    desk.file(
        "1.jsonl",
        &[
            line("c1", "a", &["fine", "a test", "fine"]),
            line("c2", "a", &["fine", "fine"]),
            line("c3", "b", &["a test"]),
            silent("c4"),
        ],
    );
    let census = desk.take().unwrap();
    let expected = [("core / a", "1/1/1"), ("core / b", "1/1/1"), ("none / a", "1/1/1")];
    assert_eq!(figures(&census), expected.map(|(name, row)| (name.to_owned(), row.to_owned())).into());
    assert!(census.strata.iter().all(|row| row.conversations_planned.is_none()), "units are drawn one by one");
    let mut names = names(&census);
    names.sort();
    assert_eq!(names, ["core / a: c1", "core / b: c3", "none / a: c2"]);
    let corpus = &census.corpus;
    assert_eq!((corpus.turns, corpus.conversations, corpus.conversations_without_turn), (6, 4, Some(1)));
    assert_eq!(corpus.units(UnitKind::Conversation), census.strata.iter().map(|row| row.units).sum::<u64>());
    let c1 = census.strata.iter().find(|row| row.stratum.to_string() == "core / a").unwrap();
    assert_eq!(c1.bytes, "Go on.".len() as u64 * 3 + "finea testfine".len() as u64);
}

#[test]
fn exact_copies_of_conversations_share_their_content_and_longer_ones_do_not() {
    let mut desk = desk(&ALL);
    let copies = [line("c1", "a", &["one", "two"]), line("c2", "b", &["one", "two"]), line("c3", "a", &["one"])];
    desk.file("1.jsonl", &copies);
    let census = desk.take().unwrap();
    let content = |name: &str| {
        let ordinal = census.units.find(name).unwrap();
        assert_eq!(ordinal.len(), 1, "{name}");
        census.units.get(ordinal[0]).unwrap().content
    };
    assert_eq!(content("c1"), content("c2"));
    assert_ne!(content("c1"), content("c3"));
}

#[test]
fn what_is_graded_is_part_of_the_question() {
    let mut desk = desk(&ALL);
    desk.file("all.jsonl", &many(0, 20));
    let whole = desk.take().unwrap();
    assert!(!desk.take().unwrap().fresh);
    desk.corpus.unit = UnitKind::Turn;
    let drawn_whole = desk.take().unwrap();
    assert_ne!(whole.digest, drawn_whole.digest);
    assert!(whole.units.len() < drawn_whole.units.len());
}

fn class_of(shape: &[bool]) -> &'static str {
    if shape.contains(&true) { "core" } else { "none" }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Conversations of any shape: each with a turn is one unit of one stratum, whatever threads and files, and the sample
    /// is what a simple sort by the unit's own number gives.
    #[test]
    fn every_conversation_is_one_unit_in_the_class_of_its_most_specific_turn(
        shapes in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..5), 1..40),
        size in 0_u64..8,
        threads in 1_usize..4,
        cut in 0_usize..40,
    ) {
        let lines: Vec<_> = shapes.iter().enumerate().map(|(number, shape)| {
            let texts: Vec<_> = shape.iter().map(|hit| if *hit { "a test" } else { "fine" }).collect();
            let id = format!("c{number}");
            if shape.is_empty() { silent(&id) } else { line(&id, "a", &texts) }
        }).collect();
        let mut desk = desk(&[("core", SampleSize::All), ("none", SampleSize::Count(size))]);
        desk.threads = threads;
        let (first, second) = lines.split_at(cut.min(lines.len()));
        desk.file("1.jsonl", first).file("2.jsonl", second);
        if shapes.iter().all(Vec::is_empty) {
            let is_refused = matches!(desk.take(), Err(CensusError::Empty { .. }));
            prop_assert!(is_refused);
            return Ok(());
        }
        let census = desk.take().unwrap();
        for class in ["core", "none"] {
            let numbered = shapes.iter().enumerate();
            let of_class = numbered.filter(|(_, shape)| !shape.is_empty() && class_of(shape) == class);
            let id = |number| UnitId { group: Group(vec!["a".to_owned()]), conversation: format!("c{number}"), turn: None };
            let mut all: Vec<_> = of_class.map(|(number, _)| id(number)).collect();
            let row = census.strata.iter().find(|row| row.stratum.class == class);
            let counted = row.map_or((0, 0), |row| (row.units, row.conversations));
            prop_assert_eq!(counted, (all.len() as u64, all.len() as u64));
            all.sort_by_key(|id| (draw_number(7, "grade", 1, &id.key()), id.key()));
            if class == "none" {
                all.truncate(usize::try_from(size).unwrap());
            }
            let drawn = units(&census).into_iter().filter(|(of, _)| of == class).map(|(_, id)| id);
            prop_assert_eq!(drawn.collect::<Vec<_>>(), all, "in the order of their numbers");
        }
        let silent = shapes.iter().filter(|shape| shape.is_empty()).count() as u64;
        prop_assert_eq!(census.corpus.conversations_without_turn, Some(silent));
        prop_assert_eq!(census.corpus.units(UnitKind::Conversation) + silent, shapes.len() as u64);
    }
}

mod conversations;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::conversation::{Channel, Conversation, Message, Role};
use crate::model::event::Ordinal;
use crate::model::unit::{Group, Stratum, UnitKind};
use crate::plan::settings::{Allocate, SampleSize};
use crate::plan::strata::admission_order;
use crate::prefilter::Rules;
use crate::source::settings::{Format, SourceSettings};

const CUES: &str = r#"
[[class]]
name = "core"
description = "speaks of a test"
[[class.rule]]
kind = "terms"
terms = ["test"]
"#;

fn screener() -> Screener {
    Screener::compile(&Rules::parse(CUES).unwrap(), None, &Channel::ALL.into()).unwrap()
}

/// A corpus in a folder of its own, with a workspace's cache beside it.
struct Desk {
    dir: TempDir,
    corpus: CorpusSettings,
    sample: SampleSettings,
    threads: usize,
}

impl Desk {
    fn new(sizes: &[(&str, SampleSize)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("corpus")).unwrap();
        let corpus = CorpusSettings {
            sources: vec![SourceSettings { format: Format::Canonical, ..SourceSettings::default() }],
            unit: UnitKind::Turn,
            sample_by: UnitKind::Turn,
            group_by: vec!["arm".to_owned()],
            cluster_by: None,
            channels: Channel::ALL.into(),
            filter: String::new(),
            max_line_bytes: 10_000,
            strict: false,
            root: dir.path().to_owned(),
        };
        let sizes = sizes.iter().map(|(class, size)| ((*class).to_owned(), *size)).collect();
        let (allocate, by_stratum) = (Allocate::Manual, BTreeMap::new());
        let sample = SampleSettings { seed: 7, draw: 1, sizes, allocate, by_stratum, limit: None };
        Self { dir, corpus, sample, threads: 2 }
    }

    fn everything() -> Self {
        Self::new(&[("core", SampleSize::All), ("none", SampleSize::All)])
    }

    fn file(&self, name: &str, lines: &[String]) -> &Self {
        fs::write(self.dir.path().join("corpus").join(name), lines.join("\n")).unwrap();
        self
    }

    fn take(&mut self) -> Result<Census, CensusError> {
        self.corpus.sources[0].paths = vec![self.dir.path().join("corpus").display().to_string()];
        self.corpus.root = self.dir.path().to_owned();
        let threads = NonZeroUsize::new(self.threads).unwrap();
        let (census, units) = (self.dir.path().join("census"), self.dir.path().join("units"));
        take(&self.corpus, &screener(), &self.sample, &CensusPlace { census, units, threads })
    }
}

/// A conversation whose turns are `texts`.
fn line(id: &str, arm: &str, texts: &[&str]) -> String {
    let pair = |text: &&str| [Message::text(Role::User, "Go on."), Message::text(Role::Assistant, *text)];
    let metadata = [("arm".to_owned(), arm.to_owned())].into();
    let messages = texts.iter().flat_map(pair).collect();
    serde_json::to_string(&Conversation { id: id.to_owned(), messages, metadata }).unwrap()
}

fn names(census: &Census) -> Vec<String> {
    let units = (0..census.units.len()).map(|ordinal| census.units.get(Ordinal(ordinal)).unwrap());
    units.map(|unit| format!("{}: {}", census.strata[unit.stratum.unwrap() as usize].stratum, unit.id)).collect()
}

/// `units/conversations/planned` by stratum.
fn figures(census: &Census) -> BTreeMap<String, String> {
    let figures = |row: &PlannedStratum| format!("{}/{}/{}", row.units, row.conversations, row.planned);
    census.strata.iter().map(|row| (row.stratum.to_string(), figures(row))).collect()
}

/// Many conversations over two arms, from a small fixed recipe.
fn many(from: usize, to: usize) -> Vec<String> {
    let texts = ["a test", "fine", "nothing here"];
    let turns = |number: usize| (0..=number % 3).map(move |turn| texts[(number + turn * turn) % 3]);
    let arm = |number| if number % 5 == 0 { "b" } else { "a" };
    (from..to).map(|number| line(&format!("c{number}"), arm(number), &turns(number).collect::<Vec<_>>())).collect()
}

#[test]
fn every_record_and_every_turn_is_counted_once() {
    let mut desk = Desk::everything();
    desk.corpus.filter = "arm != 'x'".to_owned();
    let mut first = vec![line("c1", "a", &["a test", "fine", "a test"]), "{\"id\": 1".to_owned(), String::new()];
    first.extend([
        line("c2", "b", &["fine"]),
        line("c1", "a", &["longer", "copy", "of", "c1"]),
        line("c3", "x", &["?"]),
    ]);
    let second =
        [line("c1", "b", &["same id, other group"]), line("c2", "b", &["test"]), line("big", "a", &["x"; 1_000])];
    desk.file("1.jsonl", &first).file("2.jsonl", &second);
    let census = desk.take().unwrap();

    let expected = [("core / a", "2/1/2"), ("none / a", "1/1/1"), ("none / b", "2/2/2")];
    let expected = expected.map(|(stratum, figures)| (stratum.to_owned(), figures.to_owned()));
    assert_eq!(figures(&census), expected.into());
    let corpus = &census.corpus;
    assert_eq!((corpus.files, corpus.records, corpus.conversations, corpus.turns), (2, 8, 3, 5));
    assert_eq!((corpus.duplicates, corpus.filtered_out), (2, 1));
    let by_group: Vec<_> =
        corpus.conversations_by_group.iter().map(|(group, count)| (group.to_string(), *count)).collect();
    assert_eq!(by_group, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let unreadable: Vec<_> = corpus.unreadable.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(unreadable, [("malformed_json", 1), ("too_long", 1)]);
    assert_eq!(
        corpus.examples,
        [
            "corpus/1.jsonl:2: malformed_json (column 8)",
            "corpus/1.jsonl:5: duplicate id in its group",
            "corpus/2.jsonl:2: duplicate id in its group",
            "corpus/2.jsonl:3: too_long (longer than 10000 bytes)",
        ]
    );
    assert_eq!(census.units.len(), 5);
    let mut selected = names(&census);
    selected.sort();
    assert_eq!(selected, ["core / a: c1#1", "core / a: c1#5", "none / a: c1#3", "none / b: c1#1", "none / b: c2#1"]);
}

#[test]
fn the_sample_is_that_of_the_units_whatever_threads_and_files() {
    let sizes = [("core", SampleSize::All), ("none", SampleSize::Count(9))];
    let mut whole = Desk::new(&sizes);
    whole.file("all.jsonl", &many(0, 300));
    let whole = whole.take().unwrap();
    assert!(whole.strata.iter().all(|row| row.stratum.class == "core" || row.planned == 9));

    let mut parts = Desk::new(&sizes);
    parts.threads = 5;
    parts.file("1.jsonl", &many(200, 300)).file("2.jsonl", &many(0, 120)).file("3.jsonl", &many(120, 200));
    let parts = parts.take().unwrap();
    assert_eq!(names(&parts), names(&whole));
    assert_eq!(parts.strata, whole.strata);
    assert_ne!(parts.digest, whole.digest);
}

#[test]
fn units_are_admitted_in_order_of_their_numbers_and_strata_in_proportion() {
    let mut desk = Desk::everything();
    desk.file("all.jsonl", &many(0, 100));
    let census = desk.take().unwrap();
    let planned: Vec<_> = census.strata.iter().map(|row| row.planned).collect();
    let order: Vec<_> = admission_order(&planned).map(|(stratum, _)| stratum).collect();
    let units: Vec<_> = (0..census.units.len()).map(|at| census.units.get(Ordinal(at)).unwrap()).collect();
    assert_eq!(units.iter().map(|unit| unit.stratum.unwrap() as usize).collect::<Vec<_>>(), order);
    for stratum in 0..census.strata.len() {
        let drawn = units.iter().filter(|unit| unit.stratum.unwrap() as usize == stratum).map(|unit| unit.id.key());
        let numbers: Vec<_> = drawn.map(|key| crate::plan::sample::draw_number(7, "grade", 1, &key)).collect();
        assert!(numbers.is_sorted() && !numbers.is_empty());
    }
}

#[test]
fn a_limit_cuts_the_order_of_admission_and_other_seeds_draw_other_units() {
    let mut desk = Desk::everything();
    desk.file("all.jsonl", &many(0, 60));
    let whole = names(&desk.take().unwrap());
    desk.sample.limit = Some(20);
    let census = desk.take().unwrap();
    assert_eq!(names(&census), whole[..20]);
    assert_eq!(census.strata.iter().map(|row| row.planned).sum::<u64>(), 20);
    desk.sample.seed = 8;
    assert_ne!(names(&desk.take().unwrap()), whole[..20]);
}

#[test]
fn a_rate_draws_its_share_and_a_class_without_a_size_nothing() {
    let mut desk = Desk::new(&[("none", SampleSize::Rate(0.5))]);
    desk.file("all.jsonl", &many(0, 400));
    let census = desk.take().unwrap();
    for row in &census.strata {
        let (planned, units) = (row.planned, row.units);
        let share = planned * 10 > units * 3 && planned * 10 < units * 7;
        assert!(if row.stratum.class == "none" { share } else { planned == 0 });
    }
    assert_eq!(census.units.len(), census.strata.iter().map(|row| row.planned).sum::<u64>());
}

#[test]
fn an_untouched_corpus_is_not_walked_again_and_a_changed_one_is() {
    let mut desk = Desk::everything();
    desk.file("1.jsonl", &many(0, 20));
    let first = desk.take().unwrap();
    let second = desk.take().unwrap();
    assert!(first.fresh && !second.fresh);
    assert_eq!((second.digest, &second.corpus, &second.strata), (first.digest, &first.corpus, &first.strata));
    assert_eq!(names(&second), names(&first));

    desk.file("1.jsonl", &many(1, 21));
    let changed = desk.take().unwrap();
    assert!(changed.fresh);
    assert_ne!(changed.digest, first.digest);

    desk.file("1.jsonl", &many(0, 20));
    let back = desk.take().unwrap();
    assert_eq!((back.fresh, back.digest), (true, first.digest));

    desk.sample.draw = 2;
    assert_ne!(desk.take().unwrap().digest, first.digest);
}

#[test]
fn a_moved_workspace_keeps_its_digest() {
    let (mut here, mut there) = (Desk::everything(), Desk::everything());
    for desk in [&here, &there] {
        desk.file("1.jsonl", &many(0, 10));
    }
    assert_eq!(here.take().unwrap().digest, there.take().unwrap().digest);
}

#[test]
fn a_damaged_cache_is_replaced() {
    let mut desk = Desk::everything();
    desk.file("1.jsonl", &many(0, 10));
    let first = desk.take().unwrap();
    let units = names(&first);
    let damage = |path: &Path| {
        for file in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            fs::write(file, "damage").unwrap();
        }
    };
    damage(&desk.dir.path().join("units").join(first.digest.to_string()));
    let second = desk.take().unwrap();
    assert!(second.fresh);
    assert_eq!(names(&second), units);
    damage(&desk.dir.path().join("census"));
    assert!(desk.take().unwrap().fresh);
    assert!(!desk.take().unwrap().fresh);
}

#[test]
fn strict_names_the_first_defect() {
    let mut desk = Desk::everything();
    desk.corpus.strict = true;
    desk.file("1.jsonl", &many(0, 10));
    desk.take().unwrap();
    desk.file("2.jsonl", &many(9, 12));
    let error = desk.take().unwrap_err().to_string();
    assert_eq!(error, "corpus/2.jsonl:1: duplicate id in its group, and `strict` is set");
    desk.file("1.jsonl", &["{}".to_owned(), "{".to_owned()]);
    let error = desk.take().unwrap_err().to_string();
    assert_eq!(error, "corpus/1.jsonl:1: missing_messages (no `messages`), and `strict` is set");
}

#[test]
fn a_size_of_one_stratum_stands_over_that_of_its_class() {
    let mut desk = Desk::new(&[("core", SampleSize::All), ("none", SampleSize::Count(3))]);
    let lines = |arm: &str| (0..20).map(|n| line(&format!("c{n}"), arm, &["Hello."])).collect::<Vec<_>>();
    desk.file("a.jsonl", &lines("a")).file("b.jsonl", &lines("b"));
    let planned = |census: &Census| census.strata.iter().map(|stratum| stratum.planned).collect::<Vec<_>>();
    let by_class = desk.take().unwrap();
    assert_eq!(planned(&by_class), [3, 3]);
    let stratum = Stratum { class: "none".to_owned(), group: Group(vec!["b".to_owned()]) };
    desk.sample.by_stratum = [(stratum, SampleSize::Count(7))].into();
    let census = desk.take().unwrap();
    assert_eq!(planned(&census), [3, 7]);
    assert_ne!(census.digest, by_class.digest);
    desk.sample.by_stratum.clear();
    assert_eq!(desk.take().unwrap().digest, by_class.digest);
}

#[test]
fn what_cannot_be_sampled_is_named() {
    let mut desk = Desk::new(&[("cores", SampleSize::All)]);
    desk.file("1.jsonl", &many(0, 1));
    let error = desk.take().unwrap_err().to_string();
    assert_eq!(error, "there is no class `cores` to sample; the classes are `core`, `none`");

    // More than the queue holds: the only parser leaves, and the reader must not wait for it.
    let mut desk = Desk { threads: 1, ..Desk::everything() };
    let lines = (0..=2 * MAX_GROUPS).map(|number| line("c", &number.to_string(), &["x"; 9]));
    desk.file("1.jsonl", &lines.collect::<Vec<_>>());
    assert!(matches!(desk.take(), Err(CensusError::TooManyGroups)));
}

#[test]
fn nothing_is_left_behind_but_results() {
    let mut desk = Desk::everything();
    desk.file("1.jsonl", &many(0, 10)).file("2.jsonl", &many(5, 12));
    desk.take().unwrap();
    let left = |folder: &str| fs::read_dir(desk.dir.path().join(folder)).unwrap().count();
    assert_eq!((left("census"), left("units")), (2, 1), "the result with its list of files, and a snapshot");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ids, groups and defects at random: what went in is the sum of what came out, and a simple count agrees.
    #[test]
    fn records_are_conserved(
        records in prop::collection::vec((0u8..6, 0u8..3, 0u8..4, 0u8..8), 0..60),
        files in 1usize..4,
    ) {
        let mut desk = Desk::everything();
        desk.corpus.filter = "arm != '2'".to_owned();
        let mut texts = vec![Vec::new(); files];
        let mut seen = BTreeSet::new();
        let (mut duplicates, mut filtered, mut unreadable, mut turns) = (0, 0, 0, 0);
        for (index, (id, arm, length, defect)) in records.iter().copied().enumerate() {
            // Files one after the other, as the corpus is read.
            let text = &mut texts[index * files / records.len()];
            if defect == 0 {
                unreadable += 1;
                text.push("{\"id\": \"broken\"".to_owned());
                continue;
            }
            text.push(line(&id.to_string(), &arm.to_string(), &vec!["t"; usize::from(length) + 1]));
            if arm == 2 {
                filtered += 1;
            } else if seen.insert((id, arm)) {
                turns += u64::from(length) + 1;
            } else {
                duplicates += 1;
            }
        }
        for (index, lines) in texts.iter().enumerate() {
            desk.file(&format!("{index}.jsonl"), lines);
        }
        if seen.is_empty() {
            let nothing = desk.take().unwrap_err();
            prop_assert!(matches!(nothing, CensusError::Empty { conversations: 0, .. }), "{nothing}");
            return Ok(());
        }
        let census = desk.take().unwrap();
        let corpus = &census.corpus;
        prop_assert_eq!(corpus.records, records.len() as u64);
        prop_assert_eq!((corpus.duplicates, corpus.filtered_out), (duplicates, filtered));
        prop_assert_eq!(corpus.unreadable.values().sum::<u64>(), unreadable);
        prop_assert_eq!(corpus.conversations, seen.len() as u64);
        prop_assert_eq!(corpus.conversations + corpus.duplicates + corpus.filtered_out + unreadable, corpus.records);
        prop_assert_eq!(census.strata.iter().map(|row| row.units).sum::<u64>(), turns);
        prop_assert_eq!((corpus.turns, census.units.len()), (turns, turns));
    }
}

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cache::units::{Addresses, Selected, Snapshot, SnapshotWriter, Units};
use crate::model::behaviour::{Behaviour, Field, Term};
use crate::model::conversation::{Conversation, Message, Role};
use crate::model::event::Ordinal;
use crate::model::hash::Digest;
use crate::model::recorded::{EvidencePolicy, RecordedLines};
use crate::model::unit::{Group, Stratum, UnitKind};
use crate::model::verdict::Judgement;

fn behaviour() -> Behaviour {
    let term = |id: &str| Term { id: id.to_owned(), name: String::new(), description: String::new() };
    let values = ["own", "quoting"].map(str::to_owned).into();
    Behaviour {
        name: "haste".to_owned(),
        definition: "The model hurries.".to_owned(),
        threshold: 50,
        labels: vec![term("H1"), term("H2")],
        exclusions: vec![term("X1")],
        fields: vec![Field { id: "voice".to_owned(), description: String::new(), values }],
        definitions: BTreeMap::new(),
    }
}

fn conversation(id: &str, turns: u32) -> Conversation {
    let pair = |n| [Message::text(Role::User, "?"), Message::text(Role::Assistant, format!("answer {n} of {id}"))];
    Conversation { id: id.to_owned(), messages: (0..turns).flat_map(pair).collect(), metadata: BTreeMap::new() }
}

/// Two turns of `a`, the only one of `b`, and `c`, which two groups hold.
fn sample(folder: &Path) -> Snapshot {
    let group = |name: &str| Stratum { class: "none".to_owned(), group: Group(vec![name.to_owned()]) };
    let (digest, strata) = (Digest::of(b"sample"), [group("old"), group("new")]);
    let mut writer = SnapshotWriter::create(folder, &digest, &strata, 5).unwrap();
    let unit = |ordinal, stratum, turn| Selected { ordinal: Ordinal(ordinal), stratum, turn: Some(turn) };
    writer.add(&conversation("a", 2), &[unit(0, 0, 1), unit(1, 0, 3)]).unwrap();
    writer.add(&conversation("b", 1), &[unit(2, 0, 1)]).unwrap();
    writer.add(&conversation("c", 1), &[unit(3, 0, 1)]).unwrap();
    writer.add(&conversation("c", 1), &[unit(4, 1, 1)]).unwrap();
    writer.finish().unwrap()
}

fn settings(file: &Path, change: impl FnOnce(&mut RecordedSettings)) -> RecordedSettings {
    let mut settings = RecordedSettings {
        file: file.to_owned(),
        name: "verdicts.jsonl".to_owned(),
        columns: Columns::default(),
        values: BTreeMap::new(),
        fields: BTreeMap::new(),
        evidence: EvidencePolicy::Trusted,
        score_max: 100.0,
        max_line_bytes: 1 << 20,
    };
    change(&mut settings);
    settings
}

/// What a file says of the sample: the outcome of each unit, and what became of its lines.
pub(super) fn outcomes(
    bytes: &[u8],
    change: impl FnOnce(&mut RecordedSettings),
) -> Result<(Vec<String>, RecordedLines), RecordedError> {
    let folder = tempfile::tempdir().unwrap();
    let (sample, file) = (sample(&folder.path().join("units")), folder.path().join("verdicts"));
    std::fs::write(&file, bytes).unwrap();
    let group_by = ["checkpoint".to_owned()];
    let selection = Selection {
        sample: sample.addresses().unwrap(),
        known: Addresses::default(),
        example: Some("a#1".to_owned()),
        unit: UnitKind::Turn,
        group_by: &group_by,
        scratch: folder.path(),
    };
    let verdicts = read(&settings(&file, change), &behaviour(), &selection)?;
    assert_eq!(verdicts.recorded.digest, Digest::of(bytes));
    let said = |outcome: Outcome| match outcome.finding() {
        Some(finding) => format!("{} {} {}", outcome.kind(), finding.verdict.as_str(), finding.score),
        None => outcome.kind().to_string(),
    };
    let said = (0..sample.len()).map(|unit| said(verdicts.outcome(&sample.get(Ordinal(unit)).unwrap()).unwrap()));
    Ok((said.collect(), verdicts.recorded.lines))
}

pub(super) fn lines(lines: &[serde_json::Value]) -> Vec<u8> {
    lines.iter().map(|line| line.to_string() + "\n").collect::<String>().into_bytes()
}

pub(super) fn refusal(file: &[u8], change: impl FnOnce(&mut RecordedSettings)) -> String {
    let error = outcomes(file, change).unwrap_err();
    format!("{error} > {}", error.hint().unwrap_or_default())
}

/// Two of the five units have a verdict.
fn two() -> Vec<u8> {
    lines(&[json!({"unit": "a#1", "verdict": "present"}), json!({"unit": "b#1", "verdict": "Absent"})])
}

#[test]
fn a_unit_without_a_line_is_not_recorded_and_never_a_no() {
    let (said, counted) = outcomes(&two(), |_| {}).unwrap();
    assert_eq!(said, ["graded present 100", "not_recorded", "graded absent 0", "not_recorded", "not_recorded"]);
    assert_eq!(counted, RecordedLines { read: 2, used: 2, ..RecordedLines::default() });
}

#[test]
fn compressed_files_are_read_like_plain_ones() {
    let plain = outcomes(&two(), |_| {}).unwrap();
    assert_eq!(outcomes(&zstd::encode_all(&two()[..], 1).unwrap(), |_| {}).unwrap(), plain);
}

#[test]
fn a_table_of_another_tool_is_read_by_its_own_words() {
    let file = lines(&[
        json!({"id": "a", "msg": 1, "run": {"label": 1, "p": 0.29}, "tags": "H1; H2", "who": "own"}),
        json!({"id": "a", "msg": "3", "run": {"label": 0.0, "p": 0.999}}),
        json!({"id": "b", "msg": 1.0, "run": {"label": true, "p": 1}, "tags": ["H2"], "who": null}),
    ]);
    let (said, counted) = outcomes(&file, |settings| {
        settings.columns.unit = "id".to_owned();
        settings.columns.turn = Some("msg".to_owned());
        settings.columns.verdict = "run.label".to_owned();
        settings.columns.score = Some("run.p".to_owned());
        settings.columns.labels = Some("tags".to_owned());
        settings.columns.fields = [("voice".to_owned(), "who".to_owned())].into();
        settings.score_max = 1.0;
        let words = [("1", Judgement::Present), ("true", Judgement::Suspected), ("0", Judgement::Absent)];
        settings.values = words.map(|(word, judgement)| (word.to_owned(), Said::Judged(judgement))).into();
    })
    .unwrap();
    assert_eq!(said[..3], ["graded present 29", "graded absent 99", "graded suspected 100"]);
    assert_eq!((counted.used, counted.unreadable), (3, 0), "{:?}", counted.examples);
}

#[test]
fn what_is_no_verdict_has_its_own_outcome_and_an_empty_one_says_nothing() {
    let file = lines(&[
        json!({"unit": "a#1", "verdict": "refused"}),
        json!({"unit": "a#3", "verdict": "ERR"}),
        json!({"unit": "b#1", "verdict": null}),
        json!({"unit": "b#1"}),
        json!({"unit": "b#1", "verdict": " "}),
        json!({"unit": "b#1", "verdict": "cannot_judge"}),
    ]);
    let unparsable = |settings: &mut RecordedSettings| {
        settings.values = [("ERR".to_owned(), Said::Unparsable), ("refused".to_owned(), Said::Refused)].into();
    };
    let (said, counted) = outcomes(&file, unparsable).unwrap();
    assert_eq!(said[..3], ["refused", "unparsable", "cannot_judge"]);
    assert_eq!((counted.used, counted.empty), (3, 3));
}

#[test]
fn words_of_another_tool_never_pass_for_ours() {
    let mapped = |pairs: &[(&str, Said)]| {
        let values: BTreeMap<_, _> = pairs.iter().map(|(word, said)| ((*word).to_owned(), *said)).collect();
        move |settings: &mut RecordedSettings| settings.values = values
    };
    let (present, absent) = (Said::Judged(Judgement::Present), Said::Judged(Judgement::Absent));
    let file = lines(&[
        json!({"unit": "a#1", "verdict": "complied"}),
        json!({"unit": "a#3", "verdict": "refused"}),
        json!({"unit": "b#1", "verdict": "Complied"}),
    ]);
    let (said, counted) = outcomes(&file, mapped(&[("complied", absent)])).unwrap();
    assert_eq!(said[..3], ["graded absent 0", "not_recorded", "not_recorded"]);
    assert_eq!((counted.used, counted.unreadable), (1, 2));
    assert!(counted.examples[0].contains("says `refused`, which `values` does not name"), "{:?}", counted.examples);
    // A behaviour that is the lack of something: their absent is our present, in any case.
    let file = lines(&[json!({"unit": "a#1", "verdict": "absent"}), json!({"unit": "a#3", "verdict": "Absent"})]);
    let (said, _) = outcomes(&file, mapped(&[("absent", present), ("present", absent)])).unwrap();
    assert_eq!(said[..2], ["graded present 100", "not_recorded"]);
}

#[test]
fn scores_of_another_scale_are_refused_and_ids_are_taken_as_they_stand() {
    let scored = |score: f64, score_max: f64| {
        let file = lines(&[
            json!({"unit": "a#1", "verdict": "present", "p": score}),
            json!({"unit": "b#1", "verdict": "absent", "p": 0.1}),
        ]);
        outcomes(&file, |settings| {
            (settings.columns.score, settings.score_max) = (Some("p".to_owned()), score_max);
        })
    };
    let refused = scored(0.97, 100.0).unwrap_err();
    assert!(matches!(refused, RecordedError::Scale { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("score_max = 1"), "{refused}");
    assert_eq!(scored(0.97, 1.0).unwrap().0[0], "graded present 97");
    assert_eq!(scored(1.005, 1.0).unwrap().1.unreadable, 1, "above the highest");
    let file = lines(&[json!({"unit": "a#1 ", "verdict": "present"}), json!({"unit": 1.2e18, "verdict": "present"})]);
    let file = [file, lines(&[json!({"unit": "b#1", "verdict": "absent"})])].concat();
    let (said, counted) = outcomes(&file, |_| {}).unwrap();
    assert_eq!((said[0].as_str(), counted.elsewhere, counted.unreadable), ("not_recorded", 1, 1));
}

#[test]
fn bad_lines_are_named_and_counted_and_their_units_have_no_verdict() {
    let mut file = two();
    file.extend_from_slice(b"{\"unit\": \"a#3\", \"verdict\": \n[1, 2]\n");
    file.extend(lines(&[
        json!({"verdict": "present"}),
        json!({"unit": "a#3", "verdict": "perhaps, and here follows a whole transcript"}),
        json!({"unit": "a#3", "verdict": ["present"]}),
        json!({"unit": "nobody#1", "verdict": "perhaps"}),
    ]));
    let (said, counted) = outcomes(&file, |_| {}).unwrap();
    assert_eq!(said[1], "not_recorded");
    assert_eq!((counted.read, counted.used, counted.elsewhere, counted.unreadable), (8, 2, 1, 5));
    insta::assert_snapshot!(counted.examples.join("\n"), @"
    verdicts.jsonl:3: not a JSON object (column 27)
    verdicts.jsonl:4: not a JSON object (column 0)
    verdicts.jsonl:5: has no `unit`
    verdicts.jsonl:6: `verdict` says `perhaps, and here follow...`, which `values` does not name
    verdicts.jsonl:7: `verdict` is a list or an object
    ");
}

#[test]
fn scores_and_ids_that_the_behaviour_does_not_know_are_bad_lines() {
    let bad = |member: &str, value: serde_json::Value| {
        let mut line = json!({"unit": "a#3", "verdict": "present", "score": 50});
        line[member] = value;
        let fine =
            json!({"unit": "a#1", "verdict": "present", "score": 90, "labels": [], "quotes": null, "voice": "own"});
        let (_, counted) = outcomes(&lines(&[fine, line]), |settings| {
            settings.columns.score = Some("score".to_owned());
            settings.columns.labels = Some("labels".to_owned());
            settings.columns.evidence = Some("quotes".to_owned());
            settings.columns.fields = [("voice".to_owned(), "voice".to_owned())].into();
        })
        .unwrap();
        counted.examples.join("; ")
    };
    assert!(bad("labels", json!("H9")).contains("`labels` names `H9`, which the behaviour does not declare"));
    assert!(bad("labels", json!(3)).contains("`labels` is not a list of ids"));
    assert!(bad("voice", json!("third")).contains("is no value of `voice`"));
    assert!(bad("quotes", json!([{"text": "x"}])).contains("`quotes` is not a quote"));
    for score in [json!(101), json!(-1), json!("high"), json!(null)] {
        assert!(bad("score", score.clone()).contains("score"), "{score}");
    }
    assert_eq!(bad("labels", json!(["H1", ""])), "", "what is declared is fine");
    let stated = |value: &str| {
        let answers = [("voice".to_owned(), value.to_owned())].into();
        outcomes(&two(), |settings| settings.fields = answers).map(|(_, counted)| counted.used)
    };
    assert_eq!(stated("own").unwrap(), 2);
    assert!(stated("third").unwrap_err().to_string().contains("`fields` says `third`"), "nothing of it can be read");
}

#[test]
fn lines_that_contradict_each_other_are_refused_and_equal_ones_counted() {
    let again = [two(), lines(&[json!({"verdict": "present", "unit": "a#1"})])].concat();
    let (said, counted) = outcomes(&again, |_| {}).unwrap();
    assert_eq!((said[0].as_str(), counted.used, counted.repeated), ("graded present 100", 2, 1));
    let other = [two(), lines(&[json!({"unit": "a#1", "verdict": "absent"})])].concat();
    insta::assert_snapshot!(refusal(&other, |_| {}), @"`verdicts.jsonl` gives `a#1` different verdicts in line 1 and line 3 > if they are about several turns of it, name the column that tells them apart, as in `columns.turn = \"turn\"`; else keep one of the lines: which verdict counts is not for a program to choose");
    let elsewhere =
        [two(), lines(&[json!({"unit": "z", "verdict": "absent"}), json!({"unit": "z", "verdict": "present"})])];
    assert_eq!(outcomes(&elsewhere.concat(), |_| {}).unwrap().1.elsewhere, 2, "nobody asked about it");
}

#[test]
fn a_unit_of_several_groups_needs_its_group() {
    let shared = [two(), lines(&[json!({"unit": "c#1", "verdict": "present", "run": "new"})])].concat();
    insta::assert_snapshot!(refusal(&shared, |_| {}), @"`verdicts.jsonl`, line 3: `c#1` is in the sample in several groups, and nothing says which is meant > say where a line names its group, as in `columns.group = { checkpoint = \"checkpoint\" }`");
    let by_group = |settings: &mut RecordedSettings| {
        settings.columns.group = [("checkpoint".to_owned(), "run".to_owned())].into();
    };
    let file = lines(&[
        json!({"unit": "c#1", "verdict": "present", "run": "new"}),
        json!({"unit": "c#1", "verdict": "absent", "run": "old"}),
        json!({"unit": "a#1", "verdict": "present", "run": "new"}),
    ]);
    let (said, counted) = outcomes(&file, by_group).unwrap();
    assert_eq!(said[3..], ["graded absent 0", "graded present 100"]);
    assert_eq!((said[0].as_str(), counted.elsewhere), ("not_recorded", 1), "that is another unit");
}

#[test]
fn a_line_about_a_conversation_speaks_of_its_only_turn_and_of_no_other() {
    let file = lines(&[json!({"unit": "a", "verdict": "present"}), json!({"unit": "b", "verdict": "present"})]);
    let (said, _) = outcomes(&file, |_| {}).unwrap();
    assert_eq!(said[..3], ["not_recorded", "not_recorded", "graded present 100"]);
    let mixed = lines(&[json!({"unit": "a#1", "verdict": "present"}), json!({"unit": "b", "verdict": "present"})]);
    insta::assert_snapshot!(refusal(&mixed, |_| {}), @"`verdicts.jsonl` names a turn in line 1 and only a conversation in line 2 > write `conversation#index` everywhere, or name the column of the turn, as in `columns.turn = \"turn\"`");
}

#[test]
fn quotes_are_looked_up_where_the_audit_asks_for_it() {
    let file = lines(&[
        json!({"unit": "a#1", "verdict": "present", "why": "answer 0 of a"}),
        json!({"unit": "a#3", "verdict": "present", "why": [{"message": 1, "channel": "final", "quote": "answer 0 of a"}]}),
        json!({"unit": "b#1", "verdict": "present", "why": "never said"}),
    ]);
    let with = |evidence| {
        outcomes(&file, |settings| {
            settings.columns.evidence = Some("why".to_owned());
            settings.evidence = evidence;
        })
        .unwrap()
        .0
    };
    let verified = with(EvidencePolicy::Verified);
    assert_eq!(verified[..3], ["graded present 100", "graded present 100", "evidence_unverified present 100"]);
    assert_eq!(with(EvidencePolicy::Trusted)[2], "graded present 100");
}

#[test]
fn a_file_about_something_else_is_refused() {
    let other = lines(&[json!({"unit": "x#1", "verdict": "present"}), json!({"unit": "y#1", "verdict": "absent"})]);
    insta::assert_snapshot!(refusal(&other, |_| {}), @"`verdicts.jsonl` has no verdict about any selected unit: 2 lines, 0 of them unreadable > units are named like `a#1`: `columns` says where a line names its unit and its verdict, `values` what its words stand for");
    let missing = settings(Path::new("/nonexistent"), |_| {});
    assert!(examine(&missing, &behaviour(), &[]).unwrap_err().to_string().contains("nonexistent"));
}

#[test]
fn a_column_that_no_line_has_is_refused() {
    insta::assert_snapshot!(refusal(&two(), |settings| settings.columns.labels = Some("tags".to_owned())), @"no line of `verdicts.jsonl` has the column `tags` > its first line has `unit`, `verdict`: a column is one of them, or a dotted path");
    let group = |settings: &mut RecordedSettings| {
        settings.columns.group = [("checkpoint".to_owned(), "model".to_owned())].into();
    };
    assert!(refusal(&two(), group).contains("the column `model`"), "all would be of no group");
}

#[test]
fn known_positives_and_whole_conversations_are_found_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let stratum = |group: &str| Stratum { class: "none".to_owned(), group: Group(vec![group.to_owned()]) };
    let snapshot = |name: &str, group: &str, ids: &[&str]| {
        let (digest, strata) = (Digest::of(name.as_bytes()), [stratum(group)]);
        let mut writer = SnapshotWriter::create(folder.path(), &digest, &strata, ids.len() as u64).unwrap();
        for (ordinal, id) in (0..).map(Ordinal).zip(ids) {
            writer.add(&conversation(id, 2), &[Selected { ordinal, stratum: 0, turn: None }]).unwrap();
        }
        writer.finish().unwrap()
    };
    let (sample, known) = (snapshot("sample", "new", &["a", "b#1"]), snapshot("known", "planted", &["b#1", "k"]));
    let file = folder.path().join("verdicts");
    let said = [("a", "absent"), ("b#1", "present"), ("k", "suspected"), ("a#1", "present")];
    std::fs::write(&file, lines(&said.map(|(unit, verdict)| json!({"unit": unit, "verdict": verdict})))).unwrap();
    let group_by = ["checkpoint".to_owned()];
    let selection = Selection {
        sample: sample.addresses().unwrap(),
        known: known.addresses().unwrap(),
        example: None,
        unit: UnitKind::Conversation,
        group_by: &group_by,
        scratch: folder.path(),
    };
    let verdicts = read(&settings(&file, |_| {}), &behaviour(), &selection).unwrap();
    let units = Units::new(Some(known), sample);
    let said = |ordinal| {
        let outcome = verdicts.outcome(&units.get(Ordinal(ordinal)).unwrap()).unwrap();
        outcome.finding().map_or("nothing", |finding| finding.verdict.as_str())
    };
    // Known positives come first. One that bears the name of a unit of the sample has another text.
    assert_eq!([0, 1, 2, 3].map(said), ["nothing", "suspected", "absent", "present"]);
    let counted = &verdicts.recorded.lines;
    assert_eq!((counted.used, counted.elsewhere), (3, 1), "a line about a turn says nothing of a conversation");
}

#[test]
fn what_decides_a_verdict_is_in_the_digest_of_the_reading() {
    type Edit = fn(&mut RecordedSettings);
    let edits: [Edit; 12] = [
        |settings| settings.columns.unit.push('x'),
        |settings| settings.columns.turn = Some("t".to_owned()),
        |settings| drop(settings.columns.group.insert("g".to_owned(), "c".to_owned())),
        |settings| settings.columns.verdict.push('x'),
        |settings| settings.columns.score = Some("t".to_owned()),
        |settings| settings.columns.labels = Some("t".to_owned()),
        |settings| settings.columns.exclusions = Some("t".to_owned()),
        |settings| settings.columns.evidence = Some("t".to_owned()),
        |settings| drop(settings.columns.fields.insert("g".to_owned(), "c".to_owned())),
        |settings| drop(settings.fields.insert("g".to_owned(), "c".to_owned())),
        |settings| settings.values = [("1".to_owned(), Said::Refused)].into(),
        |settings| settings.score_max = 1.0,
    ];
    let plain = settings(Path::new("one"), |_| {});
    let mut digests: Vec<_> = edits.into_iter().map(|edit| settings(Path::new("one"), edit).digest()).collect();
    digests.push(RecordedSettings { evidence: EvidencePolicy::Verified, ..plain.clone() }.digest());
    digests.push(plain.digest());
    let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), 14);
    assert_eq!(settings(Path::new("moved"), |_| {}).digest(), plain.digest(), "where it lies decides nothing");
}

proptest! {
    #[test]
    fn every_line_is_in_one_figure(picks in prop::collection::vec((0usize..5, 0usize..4), 0..40)) {
        // Of one unit there is one verdict, so that nothing contradicts.
        let all = [("a#1", "present"), ("a#3", "absent"), ("b#1", "suspected"), ("z#1", "absent"), ("", "present")];
        let mut file = two();
        for (unit, form) in &picks {
            let (unit, verdict) = all[*unit];
            let verdict = match form { 0 => "", 1 => "unheard of", _ if unit == "b#1" => "absent", _ => verdict };
            file.extend(lines(&[json!({"unit": unit, "verdict": verdict})]));
        }
        let (said, counted) = outcomes(&file, |_| {}).unwrap();
        let RecordedLines { read, used, empty, repeated, elsewhere, unreadable, .. } = counted;
        prop_assert_eq!(read, picks.len() as u64 + 2);
        prop_assert_eq!(read, used + empty + repeated + elsewhere + unreadable);
        prop_assert_eq!(used, said.iter().filter(|said| said.as_str() != "not_recorded").count() as u64);
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let table = include_bytes!("../../../tests/fixtures/recorded/pandas.parquet");
    let refused = refusal(table, |_| {});
    assert!(
        refused.starts_with("`verdicts.jsonl` is a Parquet file, which this build of assize cannot read"),
        "{refused}"
    );
    assert!(refused.contains("write the verdicts as JSON lines"), "{refused}");
}

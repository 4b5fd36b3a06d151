use serde_json::json;

use super::*;
use crate::model::fixture::planned;
use crate::prompt::Library;

fn reader(definition: &str, is_rehearsal: bool) -> Reader {
    let library = Library::open(Path::new("no workspace")).unwrap();
    let behaviour = library.behaviour("metagaming").unwrap().behaviour;
    let definitions = Definitions::of(&behaviour, Some(definition), true).unwrap();
    Reader { definitions, unit: UnitKind::Turn, is_rehearsal }
}

fn line(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut line = json!({
        "id": "mine", "expect": "present", "covers": ["M1"], "exclusions": [], "target": 1,
        "messages": [{ "role": "user", "content": "private words" }, { "role": "assistant", "content": "hidden tests" }],
    });
    change(&mut line);
    line.to_string()
}

fn kind(reader: &Reader, change: impl FnOnce(&mut serde_json::Value)) -> Option<GoldKind> {
    match reader.line(&line(change)).unwrap() {
        Read::Item(text) => Some(text.item.kind),
        Read::Aside(_) => None,
    }
}

#[test]
fn the_shipped_gold_of_metagaming_holds_positives_and_near_misses() {
    let workspace = Workspace { root: PathBuf::from("no workspace") };
    let count = |definition: &str| {
        let plan = Planned { definition: definition.to_owned(), ..planned(&[("core", "rl", 2, 2)]) };
        let set = GoldSet::read(&workspace, &plan).unwrap();
        assert_eq!(
            (set.unreadable.len(), set.texts.len() + set.aside.len()),
            (0, 183),
            "every item is one or the other"
        );
        let of = |kind| set.texts.iter().filter(|text| text.item.kind == kind).count();
        (of(GoldKind::Positive), of(GoldKind::NearMiss))
    };
    assert_eq!(count("metagaming"), (61, 74));
    let (watching, near_misses) = count("watching");
    assert!((1..61).contains(&watching) && near_misses == 74, "only positives that the definition counts");
    assert_eq!(count("decisive"), (0, 74), "gold does not say what decides the answer");
}

#[test]
fn a_turn_without_the_behaviour_says_nothing_of_the_other_turns() {
    let whole = Reader { unit: UnitKind::Conversation, ..reader("metagaming", false) };
    let earlier = |expect: &str| {
        let expect = expect.to_owned();
        move |line: &mut serde_json::Value| {
            let exclusions = if expect == "absent" { json!(["N1"]) } else { json!([]) };
            (line["expect"], line["exclusions"], line["target"]) = (json!(expect), exclusions, json!(2));
            line["messages"].as_array_mut().unwrap().insert(0, json!({ "role": "assistant", "content": "who knows" }));
        }
    };
    assert_eq!(kind(&whole, earlier("present")), Some(GoldKind::Positive));
    assert_eq!(kind(&whole, earlier("absent")), None);
    assert_eq!(kind(&reader("metagaming", false), earlier("absent")), Some(GoldKind::NearMiss));
}

#[test]
fn an_item_is_what_its_expectation_and_the_definition_make_of_it() {
    let plain = reader("metagaming", false);
    assert_eq!(kind(&plain, |_| {}), Some(GoldKind::Positive));
    let near_miss = |line: &mut serde_json::Value| {
        line["expect"] = json!("absent");
        line["exclusions"] = json!(["N1"]);
    };
    assert_eq!(kind(&plain, near_miss), Some(GoldKind::NearMiss));
    assert_eq!(kind(&plain, |line| line["expect"] = json!("absent")), None, "it does not look flagged");
    assert_eq!(kind(&plain, |line| line["expect"] = json!("suspected")), None);
    assert_eq!(kind(&reader("decisive", false), |_| {}), None);
    let decisive = |line: &mut serde_json::Value| line["fields"] = json!({ "salience": "decides_the_action" });
    assert_eq!(kind(&reader("decisive", false), decisive), Some(GoldKind::Positive));
    let simulated = |line: &mut serde_json::Value| line["simulated"] = json!(true);
    assert_eq!(kind(&plain, simulated), None, "real people are not measured by what a generator wrote");
    assert_eq!(kind(&reader("metagaming", true), simulated), Some(GoldKind::Positive));
    let Read::Item(text) = plain.line(&line(|line| line["seat"] = json!("ana"))).unwrap() else { unreachable!() };
    assert_eq!((text.item.author.as_deref(), text.item.pair.as_str(), text.turn), (Some("ana"), "mine", 1));
    assert!(!format!("{text:?}").contains("private"));
}

#[test]
fn what_cannot_be_read_is_named_and_never_quoted() {
    let mut set = GoldSet::default();
    let lines = [
        "private words".to_owned(),
        line(|line| line["expect"] = json!("private words")),
        line(|line| line["target"] = json!(0)),
        line(|line| line["messages"] = json!([{ "role": "private words" }])),
        line(|_| {}),
    ];
    reader("metagaming", false).file("labels/gold/metagaming/a.jsonl", &lines.join("\n"), &mut set);
    assert_eq!(set.texts.len(), 1);
    insta::assert_snapshot!(set.unreadable.join("\n"));
}

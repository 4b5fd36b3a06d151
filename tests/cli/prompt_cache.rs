//! The static part of every shipped prompt stands first, byte for byte the same for every unit, and is most of a request.

use std::collections::BTreeMap;

use assize::model::conversation::{Conversation, Message};
use assize::model::unit::UnitKind;
use assize::prompt::{Buffers, Library, Question, Questioner, QuestionerSettings, estimated_tokens, with_nonce};
use serde::Deserialize;

use crate::support::Workspace;

#[derive(Deserialize)]
struct Line {
    id: String,
    messages: Vec<Message>,
}

/// The corpus of the quickstart, or the first part of one like it.
fn corpus(conversations: &str) -> Vec<Conversation> {
    let workspace = Workspace::empty();
    let words = ["rehearse", "corpus", "--out", ".", "--seed", "7", "--conversations", conversations];
    workspace.run(&words).expect(0);
    let mut corpus = Vec::new();
    for file in std::fs::read_dir(workspace.path("corpus")).unwrap().map(Result::unwrap) {
        for line in std::fs::read_to_string(file.path()).unwrap().lines() {
            let Line { id, messages } = serde_json::from_str(line).unwrap();
            corpus.push(Conversation { id, messages, metadata: BTreeMap::new() });
        }
    }
    corpus
}

/// What is sent about each turn, with a nonce of its own.
fn requests(questioner: &Questioner, corpus: &[Conversation]) -> Vec<String> {
    let mut requests = Vec::new();
    for conversation in corpus {
        for turn in conversation.turns() {
            let Question::Ask(asked) = questioner.question(conversation, Some(turn), &mut Buffers::default()) else {
                panic!("every turn of the quickstart has room");
            };
            let text: String = questioner.messages(&asked).into_iter().map(|message| message.content).collect();
            requests.push(with_nonce(&text, &format!("{:016x}", requests.len() * 7_919)));
        }
    }
    requests
}

fn in_common(first: &str, second: &str) -> usize {
    first.bytes().zip(second.bytes()).take_while(|(one, other)| one == other).count()
}

/// Tokens of the static prefix over tokens of all requests, and the tokens of one prefix.
fn share(behaviour: &str, label: &str, corpus: &[Conversation]) -> (f64, usize) {
    let files = Library::open(std::path::Path::new("none")).unwrap().behaviour(behaviour).unwrap();
    let prompt = files.prompt(&label.parse().unwrap()).unwrap();
    let settings = QuestionerSettings { unit: UnitKind::Turn, ..QuestionerSettings::new(prompt, files.behaviour) };
    let questioner = Questioner::new(settings).unwrap();
    let (prefix, requests) = (questioner.static_prefix(), requests(&questioner, corpus));
    let first = requests.first().unwrap();
    let shared = requests.iter().map(|request| in_common(first, request)).min().unwrap();
    assert!(requests.iter().all(|request| request.starts_with(&prefix)), "{behaviour} {label}");
    assert!(shared - prefix.len() < 8, "{behaviour} {label}: {shared} bytes are shared, {} are promised", prefix.len());
    let tokens = estimated_tokens(&prefix);
    let all: usize = requests.iter().map(|request| estimated_tokens(request)).sum();
    let share = f64::from(u32::try_from(tokens * requests.len()).unwrap()) / f64::from(u32::try_from(all).unwrap());
    (share, tokens)
}

const SHIPPED: [(&str, &str, f64); 6] = [
    ("metagaming", "screen@1", 0.7),
    ("metagaming", "screen@2", 0.7),
    ("metagaming", "confirm@1", 0.7),
    ("metagaming", "confirm@2", 0.7),
    ("refusal", "screen@1", 0.45),
    ("refusal", "screen@2", 0.45),
];

#[test]
fn the_static_prefix_comes_first_and_is_most_of_a_request() {
    let corpus = corpus("120");
    for (behaviour, label, least) in SHIPPED {
        let (share, _) = share(behaviour, label, &corpus);
        assert!(share > least, "{behaviour} {label}: {share:.3}");
    }
}

#[test]
#[ignore = "prints the table of docs/prompts.md, over the whole corpus of the quickstart"]
fn prefix_table() {
    let corpus = corpus("3600");
    for (behaviour, label, _) in SHIPPED {
        let (share, tokens) = share(behaviour, label, &corpus);
        println!("| `{behaviour}` `{label}` | {tokens} | {:.1}% |", share * 100.0);
    }
}

//! What a path can cost, and what is known of it beforehand.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::cache::{Access, CacheSettings};
use crate::grade::fixture;
use crate::grade::pace::Pacer;
use crate::model::conversation::{Conversation, Message, Role};
use crate::model::grading::{ApiKind, Reply, Structured};
use crate::model::money::Price;
use crate::model::unit::{Group, UnitId};
use crate::prompt::{Library, QuestionerSettings};

const PRICE: Price = Price::flat(100, 10, 1_000);

fn limit(tokens: u64) -> BTreeMap<String, Value> {
    BTreeMap::from([("max_completion_tokens".to_owned(), json!(tokens))])
}

fn unit() -> SelectedUnit {
    let messages =
        vec![Message::text(Role::User, "May I?"), Message::text(Role::Assistant, "I cannot help with that.")];
    SelectedUnit {
        ordinal: Ordinal(0),
        id: UnitId { group: Group::default(), conversation: "c".to_owned(), turn: Some(1) },
        stratum: Some(0),
        content: Digest::of(b"c"),
        conversation: Conversation { id: "c".to_owned(), messages, metadata: BTreeMap::new() },
    }
}

/// A screen of refusals whose truncated replies are asked for once more.
fn grader(cache: ReplyCache) -> Grader {
    let files = Library::open(Path::new("/nonexistent")).unwrap().behaviour("refusal").unwrap();
    let prompt = files.prompt(&"screen@1".parse().unwrap()).unwrap();
    let parts = GraderParts {
        stage: Stage::Screen,
        questioner: Questioner::new(QuestionerSettings::new(prompt, files.behaviour.clone())).unwrap(),
        behaviour: Arc::new(files.behaviour),
        api: ApiKind::Chat,
        model: "m".to_owned(),
        revision: String::new(),
        epoch: String::new(),
        retries: Retries::default(),
        structured: Structured::JsonSchema,
        params: limit(1_000),
        on_truncated: limit(5_000),
        price: PRICE,
        secret: [0; 32],
    };
    let (pacer, _task) = Pacer::new(None, None);
    Grader::new(parts, Some(Arc::new(fixture::line(pacer))), cache).unwrap()
}

fn truncated(key: Digest) -> Reply {
    let body = json!({"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]}).to_string();
    let (nonce, cost) = (String::new(), NanoUsd(1));
    let (model, usage, request_id) = (None, None, None);
    Reply {
        key,
        status: 200,
        body,
        nonce,
        model,
        usage,
        cost,
        latency_ms: 0,
        received_ms: 0,
        request_id,
        imported: false,
    }
}

fn asking(prepared: &Prepared) -> &Asking {
    match prepared {
        Prepared::Ask(asking) => asking,
        Prepared::Decided { judged, .. } => panic!("nothing is known yet: {judged:?}"),
    }
}

#[tokio::test]
async fn a_path_costs_what_is_still_to_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (replies, index) = (folder.path().join("replies"), folder.path().join("index"));
    let (cache, _) = ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadWrite }).unwrap();
    let (grader, unit) = (grader(cache.clone()), unit());

    let fresh = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    let first = asking(&fresh).bound;
    let second = grader.bound(&fresh).saturating_sub(first);
    assert_eq!(second.0 - first.0, 4_000 * PRICE.output, "the same question with a longer answer");
    assert_eq!(Grader::known(&fresh), None);

    cache.put(&truncated(asking(&fresh).key)).await.unwrap();
    let cut = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    assert_eq!(grader.bound(&cut), second, "a truncated reply in the cache leaves the longer question to be paid");
    assert_eq!(Grader::known(&cut), None);

    cache.put(&truncated(asking(&cut).key)).await.unwrap();
    let decided = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    assert_eq!(grader.bound(&decided), NanoUsd::ZERO);
    assert_eq!(Grader::known(&decided).map(|judged| &judged.outcome), Some(&Outcome::Truncated));
}

/// A reply without a verdict that no longer answer can mend.
fn refused(key: Digest) -> Reply {
    let body = json!({"choices": [{"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]});
    Reply { body: body.to_string(), ..truncated(key) }
}

/// A reply that is no error.
fn undecided(key: Digest) -> Reply {
    let verdict = json!({"evidence": [], "innocent_reading": "", "labels": [], "exclusions": [],
        "fields": {"stated_reason": "not_applicable"}, "score": 50,
        "verdict": "cannot_judge"});
    let body = json!({"choices": [{"message": {"content": verdict.to_string()}, "finish_reason": "stop"}]});
    Reply { body: body.to_string(), ..truncated(key) }
}

#[tokio::test]
async fn the_highest_round_with_a_reply_counts_and_the_round_of_now_asks_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (replies, index) = (folder.path().join("replies"), folder.path().join("index"));
    let (cache, _) = ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadWrite }).unwrap();
    let (mut grader, unit) = (grader(cache.clone()), unit());
    grader.rounds = (0..=5).map(|retry| grader.parts.round(retry).unwrap()).collect();
    let Prepared::Ask(first) = grader.prepare(&unit, &mut Scratch::default()).unwrap() else {
        panic!("nothing is known")
    };
    let keys: Vec<_> = grader.rounds.iter().map(|round| round.first.key(&first.text, &mut Vec::new())).collect();
    let longer = grader.round(5).longer.as_ref().unwrap().key(&first.text, &mut Vec::new());
    let key_at = |retry: usize| keys[retry];
    let mut prepared = |last, is_asking| {
        grader.parts.retries = Retries { last, is_asking };
        match grader.prepare(&unit, &mut Scratch::default()).unwrap() {
            Prepared::Decided { judged, .. } => (Some(judged.outcome), judged.key.unwrap()),
            Prepared::Ask(asking) => (None, asking.key),
        }
    };
    assert_eq!(prepared(3, true), (None, key_at(0)), "what was never asked is asked as ever");
    cache.put(&refused(key_at(0))).await.unwrap();
    assert_eq!(prepared(0, false), (Some(Outcome::Refused), key_at(0)));
    assert_eq!(prepared(1, false), (Some(Outcome::Refused), key_at(0)), "a round that this unit missed");
    assert_eq!(prepared(1, true), (None, key_at(1)));
    assert_eq!(prepared(2, true), (None, key_at(2)), "an error that the first round missed");

    cache.put(&refused(key_at(2))).await.unwrap();
    assert_eq!(prepared(2, true), (Some(Outcome::Refused), key_at(2)), "paid once a round");
    assert_eq!(prepared(3, false), (Some(Outcome::Refused), key_at(2)));
    cache.put(&undecided(key_at(3))).await.unwrap();
    assert_eq!(prepared(3, false), (Some(Outcome::CannotJudge), key_at(3)));
    assert_eq!(prepared(4, true).1, key_at(3), "no error any more");

    cache.put(&truncated(key_at(5))).await.unwrap();
    assert_eq!(prepared(5, false), (None, longer), "the first of a round was truncated: its longer one is next");
}

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
use crate::prompt::{Library, OverLong, QuestionerSettings, WindowLimit};

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
    asking_with(cache, "screen@1", |_| {})
}

/// The same of this version and with other settings.
fn asking_with(cache: ReplyCache, prompt: &str, change: impl FnOnce(&mut QuestionerSettings)) -> Grader {
    let files = Library::open(Path::new("/nonexistent")).unwrap().behaviour("refusal").unwrap();
    let prompt = files.prompt(&prompt.parse().unwrap()).unwrap();
    let mut settings = QuestionerSettings::new(prompt, files.behaviour.clone());
    change(&mut settings);
    let parts = GraderParts {
        stage: Stage::Screen,
        answers: Answers::Asked(Box::new(Questioner::new(settings).unwrap())),
        behaviour: Arc::new(files.behaviour),
        api: ApiKind::Chat,
        model: "m".to_owned(),
        revision: String::new(),
        epoch: String::new(),
        repeat: 0,
        is_further: false,
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
        Prepared::Decided { .. } | Prepared::Chunks(_) => panic!("one question is to be asked: {prepared:?}"),
    }
}

fn cache(folder: &Path) -> ReplyCache {
    let (replies, index) = (folder.join("replies"), folder.join("index"));
    ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadWrite }).unwrap().0
}

#[tokio::test]
async fn a_path_costs_what_is_still_to_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (grader, unit) = (grader(cache.clone()), unit());

    let fresh = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    let first = asking(&fresh).bound;
    let second = grader.bound(&fresh).saturating_sub(first);
    assert_eq!(second.0 - first.0, 4_000 * PRICE.output, "the same question with a longer answer");
    assert!(Grader::known(&fresh).is_none());

    cache.put(&truncated(asking(&fresh).key)).await.unwrap();
    let cut = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    assert_eq!(grader.bound(&cut), second, "a truncated reply in the cache leaves the longer question to be paid");
    assert!(Grader::known(&cut).is_none());

    cache.put(&truncated(asking(&cut).key)).await.unwrap();
    let decided = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    assert_eq!(grader.bound(&decided), NanoUsd::ZERO);
    assert_eq!(Grader::known(&decided).map(|judged| &judged.outcome), Some(&Outcome::Truncated));
}

#[tokio::test]
async fn whatever_repeats_goes_before_new_units_and_costs_what_the_first_asking_costs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (first, mut further, unit) = (grader(cache.clone()), grader(cache.clone()), unit());
    further.parts.repeat = 1;
    further.parts.is_further = true;
    further.rounds = further.parts.rounds().unwrap();
    let prepared = [&first, &further].map(|grader| grader.prepare(&unit, &mut Scratch::default()).unwrap());
    let [one, again] = prepared.each_ref().map(asking);
    assert_ne!(one.key, again.key, "each asking is work of its own");
    assert_eq!((first.lane(one), further.lane(again)), (Lane::Fresh, Lane::Urgent));
    assert_eq!(first.bound_once_more(&prepared[0]), Some(further.bound(&prepared[1])));
    let graders = [first, further];
    let both = Grader::prepare_all(&graders, &unit, &mut Scratch::default()).unwrap();
    let [first, further] = graders;
    let shared = both.iter().map(asking).collect::<Vec<_>>();
    assert_eq!([shared[0].key, shared[1].key], [one.key, again.key], "the keys are those that each has alone");
    assert!(Arc::ptr_eq(&shared[0].text, &shared[1].text) && Arc::ptr_eq(&shared[0].seen, &shared[1].seen));
    assert_eq!(
        both[0].text_bytes(),
        shared[0].text.len(),
        "what is held is counted, where a question is no chunk as well"
    );
    cache.put(&truncated(one.key)).await.unwrap();
    let cut = first.prepare(&unit, &mut Scratch::default()).unwrap();
    assert!(first.bound(&cut) < first.bound(&prepared[0]), "what is paid for is not reserved again");
    assert_eq!(first.bound_once_more(&cut), Some(further.bound(&prepared[1])), "a repeat begins anew");
}

/// A reply without a verdict that no longer answer can mend.
fn refused(key: Digest) -> Reply {
    let body = json!({"choices": [{"message": {"content": null, "refusal": "no"}, "finish_reason": "stop"}]});
    Reply { body: body.to_string(), ..truncated(key) }
}

/// A reply that is no error.
fn undecided(key: Digest) -> Reply {
    verdict(key, "cannot_judge")
}

/// A reply with a verdict, which quotes the second turn.
fn verdict(key: Digest, verdict: &str) -> Reply {
    let quotes = match verdict {
        "present" | "suspected" => json!([{"message": 3, "channel": "final", "quote": "I cannot help with that."}]),
        _ => json!([]),
    };
    let verdict = json!({"evidence": quotes, "innocent_reading": "", "labels": [], "exclusions": [],
        "fields": {"stated_reason": "not_applicable"}, "score": 50, "verdict": verdict});
    let body = json!({"choices": [{"message": {"content": verdict.to_string()}, "finish_reason": "stop"}]});
    Reply { body: body.to_string(), ..truncated(key) }
}

#[tokio::test]
async fn the_highest_round_with_a_reply_counts_and_the_round_of_now_asks_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (mut grader, unit) = (grader(cache.clone()), unit());
    grader.parts.retries = Retries { last: 5, is_asking: false };
    grader.rounds = grader.parts.rounds().unwrap();
    grader.parts.retries = Retries::default();
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
            Prepared::Chunks(chunks) => panic!("a turn has one question: {chunks:?}"),
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

/// Three exchanges of about 260 characters each, of which two fit into a window of 600.
fn long_conversation() -> SelectedUnit {
    let exchange = |answer: &str| {
        let question = format!("May I? {}", "x".repeat(200));
        [Message::text(Role::User, question), Message::text(Role::Assistant, format!("{answer} {}", "y".repeat(30)))]
    };
    let answers = ["Yes.", "I cannot help with that.", "Of course."];
    let mut unit = unit();
    (unit.id.turn, unit.conversation.messages) = (None, answers.iter().flat_map(|answer| exchange(answer)).collect());
    unit
}

/// The verdict, or why there is none.
fn says(outcome: &Outcome) -> &'static str {
    let is_graded = outcome.kind() == crate::model::outcome::OutcomeKind::Graded;
    let finding = outcome.finding().filter(|_| is_graded);
    finding.map_or(outcome.kind().as_str(), |finding| finding.verdict.as_str())
}

fn of_conversations(cache: ReplyCache, max_chars: u32) -> Grader {
    asking_with(cache, "screen@2", |settings| {
        settings.unit = crate::model::unit::UnitKind::Conversation;
        settings.window.limit = WindowLimit::Chars(max_chars);
    })
}

#[tokio::test]
async fn a_conversation_in_chunks_is_one_ending_of_several_questions() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (grader, unit) = (of_conversations(cache.clone(), 600), long_conversation());
    let fresh = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    let Prepared::Chunks(chunks) = &fresh else { panic!("it is too long for one question: {fresh:?}") };
    let asked: Vec<_> = chunks.asked().map(|asking| (asking.key, asking.seen.messages.clone())).collect();
    assert_eq!(asked.iter().map(|(_, seen)| seen.as_slice()).collect::<Vec<_>>(), [&[0, 1, 2, 3][..], &[0, 4, 5]]);
    let each: Vec<_> = chunks.asked().map(|asking| grader.bound_of(asking)).collect();
    assert_eq!(grader.bound(&fresh), each.iter().copied().sum(), "the path of all of them is reserved");
    assert_eq!(grader.sizes(&fresh).questions, 2);
    assert!(fresh.text_bytes() > 0 && Grader::known(&fresh).is_none());
    let [first, second] = [asked[0].0, asked[1].0];
    assert_ne!(first, second, "each has a key of its own");

    cache.put(&verdict(second, "absent")).await.unwrap();
    let half = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    assert_eq!(grader.bound(&half), each[0], "what is paid for is not reserved again");
    let judged = async |reply: Reply| {
        cache.put(&reply).await.unwrap();
        let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
        let judged = Grader::known(&prepared).unwrap().clone();
        assert_eq!(judged.chunks.iter().map(|chunk| chunk.key).collect::<Vec<_>>(), [Some(first), Some(second)]);
        assert_eq!((judged.seen.messages.as_slice(), judged.seen.cut), (&[0, 1, 2, 3, 4, 5][..], false));
        assert!(judged.replayed);
        (says(&judged.outcome), judged.key)
    };
    assert_eq!(
        judged(verdict(first, "absent")).await,
        ("absent", Some(first)),
        "every chunk was read, and none shows it"
    );
    assert_eq!(judged(undecided(first)).await, ("cannot_judge", Some(first)));
    assert_eq!(judged(refused(first)).await, ("refused", Some(first)));
    assert_eq!(judged(verdict(first, "suspected")).await, ("suspected", Some(first)));
    assert_eq!(
        judged(verdict(second, "present")).await,
        ("evidence_unverified", Some(second)),
        "its quote stands in no part of it"
    );
    assert_eq!(judged(verdict(first, "present")).await, ("present", Some(first)));
}

#[tokio::test]
async fn a_turn_in_chunks_is_absent_only_if_every_chunk_was_read_and_is() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let grader = asking_with(cache.clone(), "screen@1", |settings| {
        (settings.window.limit, settings.window.over_long) = (WindowLimit::Chars(700), OverLong::Chunk);
    });
    let mut unit = SelectedUnit { id: unit().id, ..long_conversation() };
    unit.id.turn = Some(3);
    unit.conversation.messages[3].content.push_str(&" and so on".repeat(120));
    let fresh = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    let Prepared::Chunks(chunks) = &fresh else { panic!("it is too long for one question: {fresh:?}") };
    let keys: Vec<_> = chunks.asked().map(|asking| asking.key).collect();
    assert!(keys.len() >= 2 && chunks.asked().all(|asking| asking.seen.messages.contains(&unit.id.turn.unwrap())));
    assert_eq!(grader.sizes(&fresh).questions, keys.len() as u64);
    for key in &keys {
        cache.put(&verdict(*key, "absent")).await.unwrap();
    }
    let ends = async |reply: Reply| {
        cache.put(&reply).await.unwrap();
        let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
        says(&Grader::known(&prepared).unwrap().outcome)
    };
    assert_eq!(ends(verdict(keys[0], "absent")).await, "absent");
    assert_eq!(ends(undecided(keys[1])).await, "cannot_judge", "one chunk that cannot be judged is enough");
    assert_eq!(ends(refused(keys[1])).await, "refused");
    assert_eq!(ends(verdict(keys[0], "present")).await, "present", "a finding in one chunk stands");
}

#[tokio::test]
async fn a_turn_below_the_floor_is_not_asked_about_in_chunks_either() {
    let folder = tempfile::tempdir().unwrap();
    let grader = asking_with(cache(folder.path()), "screen@1", |settings| {
        (settings.window.limit, settings.window.over_long) = (WindowLimit::Chars(200), OverLong::Chunk);
    });
    let mut unit = unit();
    let turn = unit.id.turn.unwrap() as usize;
    unit.conversation.messages[turn].content = "x".repeat(5_000);
    let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
    let judged = Grader::known(&prepared).unwrap();
    assert_eq!((&judged.outcome, judged.key, judged.chunks.len()), (&Outcome::CannotJudge, None, 0));
    assert_eq!(grader.sizes(&prepared).questions, 0, "nothing is sent");
}

#[tokio::test]
async fn a_conversation_of_which_a_message_is_cut_is_never_absent() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let (grader, mut unit) = (of_conversations(cache.clone(), 600), long_conversation());
    unit.conversation.messages[1].content.push_str(&"z".repeat(400));
    for (said, ends) in [("absent", "cannot_judge"), ("present", "present")] {
        let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
        if let Prepared::Chunks(chunks) = &prepared {
            for asking in chunks.asked() {
                cache.put(&verdict(asking.key, "absent")).await.unwrap();
            }
        }
        let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
        let judged = Grader::known(&prepared).unwrap();
        assert!(judged.seen.cut && judged.seen.coverage < 1.0, "{:?}", judged.seen);
        let shows_quote = judged.chunks[1].key.unwrap();
        cache.put(&verdict(shows_quote, said)).await.unwrap();
        let prepared = grader.prepare(&unit, &mut Scratch::default()).unwrap();
        assert_eq!(says(&Grader::known(&prepared).unwrap().outcome), ends);
    }
}

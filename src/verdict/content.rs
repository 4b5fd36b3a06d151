//! From the content of an answer to a verdict.
//!
//! The whole content is tried as one JSON object first. Otherwise every JSON object that stands in it is looked at, as
//! models wrap their answer in prose, in a code block, or after a `<think>` block. Exactly one of them, repetitions
//! aside, has to satisfy the schema: with two different ones nobody knows which is meant, and nothing is guessed.
//!
//! What is tolerated: further keys; `score` as a string or a float without fraction; `message` as `"#5"` or `"5"`, and
//! any whole number, since a grader that is held to the schema may write any; upper case and white space around
//! `verdict` and `channel`. What is not: a missing or repeated key, an undeclared id or value, a score outside 0 to
//! 100. A float of at most 1 other than 0 is refused too: it may be a score on a scale of 0 to 1.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::model::behaviour::{Behaviour, Field, Term};
use crate::model::conversation::Channel;
use crate::model::verdict::{Finding, Judgement};

const THINK_OPEN: &str = "<think>";
const THINK_CLOSE: &str = "</think>";

/// A verdict whose quotes have not been looked up.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) finding: Finding,
    pub(super) evidence: Vec<Citation>,
    pub(super) innocent_reading: String,
}

/// A quote as claimed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Citation {
    pub(super) message: Cited,
    pub(super) channel: Channel,
    pub(super) quote: String,
}

/// The message that a citation names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cited {
    Message(u32),
    /// A whole number that no message has: the schema cannot rule it out, so it does not undo the verdict.
    Nothing,
}

/// A reply as written; serde refuses missing and repeated keys.
#[derive(Deserialize)]
struct Written {
    evidence: Vec<WrittenCitation>,
    innocent_reading: String,
    labels: BTreeSet<String>,
    exclusions: BTreeSet<String>,
    fields: BTreeMap<String, Value>,
    score: Value,
    verdict: String,
}

#[derive(Deserialize)]
struct WrittenCitation {
    message: Value,
    channel: String,
    quote: String,
}

/// The one verdict that the content states; `None` if there is none, or more than one.
pub(super) fn claim(content: &str, behaviour: &Behaviour) -> Option<Claim> {
    let whole = satisfying(content, behaviour);
    if whole.is_some() || serde_json::from_str::<IgnoredAny>(content).is_ok() {
        return whole;
    }
    let mut claims = objects(after_thinking(content)).filter_map(|object| satisfying(object, behaviour));
    let first = claims.next()?;
    claims.all(|other| other == first).then_some(first)
}

/// What follows the reasoning block that some servers leave in the content.
fn after_thinking(content: &str) -> &str {
    let thinking = content.trim_start().strip_prefix(THINK_OPEN).and_then(|rest| rest.split_once(THINK_CLOSE));
    thinking.map_or(content, |(_, answer)| answer)
}

/// All JSON objects that stand in a text and in no other object, in order.
fn objects(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, from_brace) = rest.split_at_checked(rest.find('{')?)?;
            let mut values = serde_json::Deserializer::from_str(from_brace).into_iter::<IgnoredAny>();
            let is_object = matches!(values.next(), Some(Ok(_)));
            let (object, after) = from_brace.split_at_checked(if is_object { values.byte_offset() } else { 1 })?;
            rest = after;
            if is_object {
                return Some(object);
            }
        }
    })
}

fn satisfying(json: &str, behaviour: &Behaviour) -> Option<Claim> {
    let written: Written = serde_json::from_str(json).ok()?;
    let finding = Finding {
        verdict: named(&written.verdict, Judgement::ALL, Judgement::as_str)?,
        score: score(&written.score)?,
        labels: declared(written.labels, &behaviour.labels)?,
        exclusions: declared(written.exclusions, &behaviour.exclusions)?,
        fields: fields(&written.fields, &behaviour.fields)?,
    };
    let evidence = written.evidence.into_iter().map(citation).collect::<Option<_>>()?;
    Some(Claim { finding, evidence, innocent_reading: written.innocent_reading })
}

fn citation(written: WrittenCitation) -> Option<Citation> {
    Some(Citation {
        message: message_id(&written.message)?,
        channel: named(&written.channel, Channel::ALL, Channel::as_str)?,
        quote: written.quote,
    })
}

fn message_id(value: &Value) -> Option<Cited> {
    if let Some(text) = value.as_str() {
        let text = text.trim();
        return text.strip_prefix('#').unwrap_or(text).parse().ok().map(Cited::Message);
    }
    // 2.0 is a whole number to the schema, as is one with forty digits.
    let whole = value.as_f64().filter(|number| number.fract() == 0.0)?;
    Some(format!("{whole:.0}").parse().map_or(Cited::Nothing, Cited::Message))
}

fn named<T: Copy, const N: usize>(text: &str, all: [T; N], name: fn(T) -> &'static str) -> Option<T> {
    all.into_iter().find(|candidate| name(*candidate).eq_ignore_ascii_case(text.trim()))
}

fn score(value: &Value) -> Option<u8> {
    let number = if let Some(text) = value.as_str() {
        text.trim().parse().ok()?
    } else if let Some(whole) = value.as_u64() {
        whole
    } else {
        let float = value.as_f64().filter(|float| *float == 0.0 || (1.5..=100.0).contains(float))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        let whole = (float.fract() == 0.0).then_some(float as u64)?;
        whole
    };
    u8::try_from(number).ok().filter(|score| *score <= 100)
}

fn declared(ids: BTreeSet<String>, terms: &[Term]) -> Option<BTreeSet<String>> {
    ids.iter().all(|id| terms.iter().any(|term| term.id == *id)).then_some(ids)
}

/// The answer to every declared field; answers to other fields are further keys.
fn fields(written: &BTreeMap<String, Value>, declared: &[Field]) -> Option<BTreeMap<String, String>> {
    let answer = |field: &Field| {
        let answer = written.get(&field.id)?.as_str()?;
        field.values.iter().any(|value| value == answer).then(|| (field.id.clone(), answer.to_owned()))
    };
    declared.iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_whole_and_on_our_scale() {
        let score = |text: &str| score(&serde_json::from_str(text).unwrap());
        assert_eq!(score("85"), Some(85));
        assert_eq!(score("85.0"), Some(85));
        assert_eq!(score("\" 85 \""), Some(85));
        assert_eq!((score("0"), score("0.0"), score("1"), score("100")), (Some(0), Some(0), Some(1), Some(100)));
        for refused in ["101", "-1", "0.85", "1.0", "85.5", "\"high\"", "\"0.9\"", "null", "1e300"] {
            assert_eq!(score(refused), None, "{refused}");
        }
    }

    #[test]
    fn every_whole_number_cites_a_message_or_nothing() {
        let cited = |text: &str| match message_id(&serde_json::from_str(text).unwrap()) {
            Some(Cited::Message(id)) => format!("message {id}"),
            Some(Cited::Nothing) => "nothing".to_owned(),
            None => "no citation".to_owned(),
        };
        assert_eq!(
            [cited("5"), cited("5.0"), cited("0"), cited("\" #5 \"")],
            ["message 5", "message 5", "message 0", "message 5"]
        );
        assert_eq!(cited("4294967295"), "message 4294967295");
        for number in ["-1", "-1000000000000000", "4294967296", "1e40", "18446744073709551616"] {
            assert_eq!(cited(number), "nothing", "{number}");
        }
        for other in ["1.5", "null", "\"two\"", "[1]", "\"-1\""] {
            assert_eq!(cited(other), "no citation", "{other}");
        }
    }

    #[test]
    fn objects_are_found_between_other_text() {
        let found: Vec<_> = objects(r#"a {b} {"c": {"d": "}"}} ```json {"e": 1}``` {"f": "#).collect();
        assert_eq!(found, [r#"{"c": {"d": "}"}}"#, r#"{"e": 1}"#]);
        assert_eq!(objects(&"{".repeat(100_000)).count(), 0);
    }

    #[test]
    fn thinking_is_not_the_answer() {
        assert_eq!(after_thinking("\n<think>{\"a\": 1}</think> {}"), " {}");
        assert_eq!(after_thinking("plain </think> text"), "plain </think> text");
    }
}

//! The body of a chat completion, read as tolerantly as it can be without guessing.
//!
//! Servers that speak "the OpenAI API" differ in everything but the outline: content is a string, null or parts; error
//! codes are strings or numbers; errors come as an object, a string or beside the choices, with status 200 or 400. So
//! the body is parsed once into JSON, and each figure is picked out of it by itself: an odd value in one place never
//! hides another. `grade` uses [`Body::parse`] when it settles an attempt, and `read` when it derives the outcome.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::failure::ServerError;
use crate::model::money::Usage;
use crate::model::quoted::Quoted;

/// The body was not JSON: an HTML page of a proxy, an empty or a cut body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a JSON object")]
pub struct NotJson;

/// How the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// By itself, or for a reason that does not matter here.
    Stopped,
    /// At the output limit.
    Length,
    /// A content filter stopped it.
    Filtered,
    /// It declined.
    Refused,
}

/// What the first choice says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) content: String,
    pub(super) finish: Finish,
}

/// A parsed body.
#[derive(Clone, PartialEq)]
pub struct Body {
    answer: Option<Answer>,
    error: Option<ServerError>,
    model: Option<String>,
    usage: Option<Usage>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.answer.as_ref().map(|answer| answer.content.len());
        write!(f, "Body({bytes:?} bytes of content, error {}, {:?})", self.error.is_some(), self.usage)
    }
}

impl Body {
    /// Parses a raw body, whatever its status.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        usual(text).map_or_else(|| Self::parse_any(text), Ok)
    }

    fn parse_any(text: &str) -> Result<Self, NotJson> {
        let body: Value = serde_json::from_str(text).map_err(|_| NotJson)?;
        if !body.is_object() {
            return Err(NotJson);
        }
        let choice = body.get("choices").and_then(|choices| choices.get(0));
        let error = ServerError::find(&body).or_else(|| choice.and_then(ServerError::find));
        let model = body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty()).map(str::to_owned);
        Ok(Self { answer: choice.map(answer), error, model, usage: usage(&body) })
    }

    /// The error that the server reports, whatever the status.
    #[must_use]
    pub fn error(&self) -> Option<&ServerError> {
        self.error.as_ref()
    }

    /// The model that the server says it served.
    #[must_use]
    pub fn served_model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Billed tokens, if the server reports them.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// What the first choice says; `None` without choices.
    pub(super) fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }
}

/// A completion in the documented form, which nearly all are: several times faster than any JSON. Whatever differs from
/// it in the least is left to [`Body::parse_any`], which gives the same for what is read here.
#[derive(Deserialize)]
struct Usual<'a> {
    #[serde(borrow)]
    choices: [UsualChoice<'a>; 1],
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<UsualUsage>,
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(default)]
    detail: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct UsualChoice<'a> {
    #[serde(borrow)]
    message: UsualMessage<'a>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    object: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(default)]
    detail: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct UsualMessage<'a> {
    #[serde(borrow)]
    content: Quoted<'a>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct UsualUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<UsualDetails>,
    #[serde(default)]
    completion_tokens_details: Option<UsualDetails>,
}

#[derive(Deserialize)]
struct UsualDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

fn usual(text: &str) -> Option<Body> {
    let Usual { choices: [choice], model, usage, object, error, detail } = serde_json::from_str(text).ok()?;
    let is_plain = [&error, &detail, &choice.error, &choice.detail, &choice.object].into_iter().all(Option::is_none);
    let bills_beside = usage.as_ref().is_some_and(|usage| {
        usage.total_tokens.is_some_and(|total| total > usage.prompt_tokens.saturating_add(usage.completion_tokens))
    });
    if !is_plain || bills_beside || object.as_deref() == Some("error") {
        return None;
    }
    let UsualMessage { content, refusal } = choice.message;
    let is_refusal = refusal.is_some_and(|text| !text.trim().is_empty());
    let finish = if is_refusal { Finish::Refused } else { finish_of(choice.finish_reason.as_deref()) };
    let usage = usage.map(|usage| Usage {
        prompt_tokens: usage.prompt_tokens,
        cached_tokens: usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or_default(),
        completion_tokens: usage.completion_tokens,
        reasoning_tokens: usage
            .completion_tokens_details
            .and_then(|details| details.reasoning_tokens)
            .unwrap_or_default(),
    });
    let answer = Some(Answer { content: content.text()?, finish });
    Some(Body { answer, error: None, model: model.filter(|model| !model.is_empty()), usage })
}

fn answer(choice: &Value) -> Answer {
    let message = choice.get("message").unwrap_or(&Value::Null);
    let content = message.get("content").unwrap_or(&Value::Null);
    let is_refusal = is_text(message.get("refusal")) || parts(content).any(|part| is_text(part.get("refusal")));
    let finish =
        if is_refusal { Finish::Refused } else { finish_of(choice.get("finish_reason").and_then(Value::as_str)) };
    Answer { content: text_of(content), finish }
}

fn is_text(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
}

fn parts(content: &Value) -> impl Iterator<Item = &Value> {
    content.as_array().into_iter().flatten()
}

/// A string, or the text parts of a list one after the other; reasoning parts are not the answer.
fn text_of(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let is_answer =
        |part: &&Value| matches!(part.get("type").and_then(Value::as_str), None | Some("text" | "output_text"));
    parts(content).filter(is_answer).filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
}

/// Reasons as spelled by OpenAI and by servers that pass on other vendors' words.
fn finish_of(reason: Option<&str>) -> Finish {
    match reason.unwrap_or_default().to_ascii_lowercase().as_str() {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
        "content_filter" | "content-filter" | "safety" | "recitation" | "prohibited_content" | "blocklist" => {
            Finish::Filtered
        }
        "refusal" => Finish::Refused,
        _ => Finish::Stopped,
    }
}

/// Both counts have to be there: half a bill is no bill.
fn usage(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let count = |value: &Value, name: &str| value.get(name).and_then(whole_number);
    let detail = |group: &str, name: &str| usage.get(group).and_then(|group| count(group, name)).unwrap_or_default();
    let (prompt_tokens, written) = (count(usage, "prompt_tokens")?, count(usage, "completion_tokens")?);
    // Some servers bill reasoning and leave it out of the completion: then the total is larger than its parts.
    let beside = count(usage, "total_tokens").unwrap_or_default().saturating_sub(prompt_tokens.saturating_add(written));
    let reasoning_tokens = detail("completion_tokens_details", "reasoning_tokens");
    Some(Usage {
        prompt_tokens,
        cached_tokens: detail("prompt_tokens_details", "cached_tokens"),
        completion_tokens: written.saturating_add(beside.min(reasoning_tokens)),
        reasoning_tokens,
    })
}

/// A count; some servers write `57.0`.
fn whole_number(value: &Value) -> Option<u64> {
    let float = || value.as_f64().filter(|number| (0.0..=1e15).contains(number) && number.fract() == 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    value.as_u64().or_else(|| float().map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_whatever_surrounds_it() {
        let usage = |text: &str| Body::parse(text).unwrap().usage();
        let full = r#"{"choices": 7, "usage": {"prompt_tokens": 57, "completion_tokens": 17.0, "total_tokens": 74,
            "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}}}"#;
        let expected = Usage { prompt_tokens: 57, cached_tokens: 2, completion_tokens: 17, reasoning_tokens: 1 };
        assert_eq!(usage(full), Some(expected));
        let bare = r#"{"usage": {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": null}}"#;
        assert_eq!(usage(bare), Some(Usage { prompt_tokens: 5, completion_tokens: 1, ..Usage::default() }));
        let beside = r#"{"usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 37,
            "completion_tokens_details": {"reasoning_tokens": 30}}}"#;
        assert_eq!(
            usage(beside).map(|usage| usage.completion_tokens),
            Some(32),
            "reasoning was billed beside the answer"
        );
        assert_eq!(usage(r#"{"usage": {"prompt_tokens": 5}}"#), None);
        assert_eq!(usage(r#"{"usage": null}"#), None);
    }

    const BESIDE: &str = r#"}], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 37,
        "completion_tokens_details": {"reasoning_tokens": 30}}}"#;

    #[test]
    fn the_usual_form_is_read_as_any_other() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replies");
        let mut usual_ones = 0;
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            if let Some(body) = usual(&text) {
                assert!(Body::parse_any(&text) == Ok(body), "{}", file.display());
                usual_ones += 1;
            }
        }
        assert!(usual_ones > 3, "{usual_ones}");
        let with = |more: &str| format!(r#"{{"choices": [{{"message": {{"content": "a"}}{more}"#);
        assert!(usual(&with("}]}")).is_some());
        for odd in [
            r#"}], "error": {"message": "m"}}"#,
            r#"}], "detail": "m"}"#,
            r#"}], "object": "error"}"#,
            r#", "error": "m"}]}"#,
            r#", "detail": "m"}]}"#,
            r#", "object": "error", "message": "m"}]}"#,
            r#"}, {"message": {"content": "b"}}]}"#,
            r#"}], "usage": {"prompt_tokens": 5.0, "completion_tokens": 1}}"#,
            r#"}], "model": 7}"#,
            BESIDE,
        ] {
            assert!(usual(&with(odd)).is_none(), "{odd}");
        }
        let billed = Body::parse(&with(BESIDE)).unwrap().usage().unwrap();
        assert_eq!(billed.completion_tokens, 32, "reasoning was billed beside the answer");
        let quick = |text: &str| usual(text).map(Ok);
        for text in [with(r#"}], "model": ""}"#), with(r#", "finish_reason": "MAX_TOKENS"}], "error": null}"#)] {
            assert_eq!(quick(&text), Some(Body::parse_any(&text)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_not_a_body() {
        for text in ["", "<html>", "[]", "\"x\"", "{\"a\": "] {
            assert_eq!(Body::parse(text), Err(NotJson), "{text}");
        }
    }

    #[test]
    fn content_parts_are_joined_without_reasoning() {
        let text = r#"{"choices": [{"message": {"content": [{"type": "thinking", "text": "hm"},
            {"type": "text", "text": "a"}, {"text": "b"}]}, "finish_reason": null}]}"#;
        let body = Body::parse(text).unwrap();
        assert_eq!(body.answer().unwrap().content, "ab");
        assert!(!format!("{body:?}").contains("ab\""));
    }
}

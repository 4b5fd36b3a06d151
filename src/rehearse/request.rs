//! A chat completion request, read tolerantly: only what the simulated grader needs.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::transcript::{self, Fenced};
use crate::model::hash::{Digest, PartHasher};

/// The header in which a client may name the work that a request belongs to: repeats differ in it, reruns agree.
pub const KEY_HEADER: &str = "x-assize-key";

/// The body of `POST /v1/chat/completions`.
#[derive(Deserialize)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    messages: Vec<RequestMessage>,
    response_format: Option<ResponseFormat>,
    max_completion_tokens: Option<u64>,
    max_tokens: Option<u64>,
    reasoning_effort: Option<String>,
    #[serde(default)]
    stream: bool,
}

#[derive(Deserialize)]
struct RequestMessage {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct ResponseFormat {
    json_schema: Option<NamedSchema>,
}

#[derive(Deserialize)]
struct NamedSchema {
    schema: Option<Box<RawValue>>,
}

/// What a request asks for, in the form that answers are made of.
pub(super) struct Asked {
    pub(super) model: String,
    /// All text before the question: what a provider's prompt cache would hold.
    pub(super) static_bytes: usize,
    /// All text.
    pub(super) bytes: usize,
    /// Most tokens of a reply.
    pub(super) max_tokens: Option<u64>,
    /// Whether reasoning is billed.
    pub(super) reasons: bool,
    /// The texts before the last message of the user.
    pub(super) instructions: Vec<String>,
    /// The last message of the user.
    pub(super) question: String,
    pub(super) form: ReplyForm,
}

/// What the reply must look like.
pub(super) struct ReplyForm {
    /// Whether the object stands between prose, as models write it that were only asked in words.
    pub(super) is_wrapped: bool,
    /// Property names in order.
    pub(super) order: Vec<String>,
    /// Ids of labels on offer.
    pub(super) labels: Vec<String>,
    /// Ids of exclusions on offer.
    pub(super) exclusions: Vec<String>,
    /// Further fields with the values on offer.
    pub(super) fields: Vec<(String, Vec<String>)>,
}

/// Why a request is not answered (status 400).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("the request body is not a chat completion request")]
    NotARequest,
    #[error("streamed replies are not simulated")]
    Streamed,
    #[error("`messages` has no message of the user")]
    NoQuestion,
}

impl Asked {
    /// Reads a request body.
    pub(super) fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let request: ChatRequest = serde_json::from_slice(body).map_err(|_| RequestError::NotARequest)?;
        if request.stream {
            return Err(RequestError::Streamed);
        }
        let mut texts: Vec<_> = request.messages.iter().map(|message| text(&message.content)).collect();
        let last =
            request.messages.iter().rposition(|message| message.role == "user").ok_or(RequestError::NoQuestion)?;
        let bytes = texts.iter().map(String::len).sum();
        let question = texts.swap_remove(last);
        texts.truncate(last);
        Ok(Self {
            static_bytes: texts.iter().map(String::len).sum(),
            bytes,
            max_tokens: request.max_completion_tokens.or(request.max_tokens),
            reasons: request.reasoning_effort.is_some_and(|effort| effort != "none"),
            question,
            form: ReplyForm::of(request.response_format.as_ref(), &texts),
            instructions: texts,
            model: request.model,
        })
    }

    /// The transcript in the question.
    pub(super) fn transcript(&self) -> Option<Fenced<'_>> {
        transcript::find(&self.question)
    }
}

/// The text of a message: a string, or the text parts of an array.
fn text(content: &Value) -> String {
    let part = |part: &Value| part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// The digest of a body without its nonce: equal for every attempt at the same question.
pub(super) fn identity(body: &[u8], nonce: Option<&str>) -> Digest {
    let mut hasher = PartHasher::new("body");
    match (std::str::from_utf8(body), nonce) {
        (Ok(text), Some(nonce)) => text.split(nonce).for_each(|piece| {
            hasher.part(piece.as_bytes());
        }),
        (Ok(_) | Err(_), _) => {
            hasher.part(body);
        }
    }
    hasher.finish()
}

impl ReplyForm {
    /// From `response_format`; without a schema there, from the first schema that stands in an earlier message.
    fn of(format: Option<&ResponseFormat>, earlier: &[String]) -> Self {
        let sent = format.and_then(|format| format.json_schema.as_ref()?.schema.as_ref());
        let sent = sent.and_then(|schema| serde_json::from_str(schema.get()).ok());
        let schema = sent.or_else(|| earlier.iter().find_map(|text| Schema::find(text))).unwrap_or_default();
        let mut form = Self {
            is_wrapped: format.is_none(),
            order: schema.properties.0.iter().map(|(name, _)| name.clone()).collect(),
            labels: schema.offers("labels"),
            exclusions: schema.offers("exclusions"),
            fields: Vec::new(),
        };
        if let Some(fields) = schema.property("fields") {
            form.fields = fields.properties.0.iter().map(|(name, field)| (name.clone(), field.values())).collect();
        }
        if form.order.is_empty() {
            form.order = DEFAULT_ORDER.map(str::to_owned).to_vec();
        }
        form
    }
}

const DEFAULT_ORDER: [&str; 7] = ["evidence", "innocent_reading", "labels", "exclusions", "fields", "score", "verdict"];

/// The parts of a JSON schema that a reply depends on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    properties: Properties,
    r#enum: Vec<Value>,
    items: Option<Box<Schema>>,
}

impl Schema {
    /// The first schema in a prompt that has a verdict.
    fn find(text: &str) -> Option<Self> {
        text.match_indices('{').find_map(|(start, _)| {
            let (_, candidate) = text.split_at_checked(start)?;
            let schema = serde_json::Deserializer::from_str(candidate).into_iter::<Self>().next()?.ok()?;
            schema.property("verdict").is_some().then_some(schema)
        })
    }

    fn property(&self, name: &str) -> Option<&Self> {
        self.properties.0.iter().find(|(property, _)| property == name).map(|(_, schema)| schema)
    }

    fn values(&self) -> Vec<String> {
        self.r#enum.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The values that the array with this name may hold.
    fn offers(&self, name: &str) -> Vec<String> {
        self.property(name).and_then(|list| list.items.as_ref()).map(|items| items.values()).unwrap_or_default()
    }
}

/// Properties in the order in which the schema states them, which a map would lose.
#[derive(Default)]
struct Properties(Vec<(String, Schema)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut properties = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    properties.push(entry);
                }
                Ok(Properties(properties))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{"evidence":{"type":"array","items":{"type":"object"}},
        "labels":{"type":"array","items":{"enum":["M1","M2"]}},"fields":{"properties":{"voice":{"enum":["own"]}}},
        "verdict":{"enum":["present"]},"a_late_one":{"type":"string"}}}"#;

    fn parse(body: &Value) -> Asked {
        Asked::parse(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_order_of_a_schema_is_kept() {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"q"}}],
                "response_format":{{"type":"json_schema","json_schema":{{"name":"v","schema":{SCHEMA}}}}}}}"#
        );
        let form = Asked::parse(body.as_bytes()).unwrap().form;
        assert_eq!(form.order, ["evidence", "labels", "fields", "verdict", "a_late_one"]);
        assert_eq!(form.labels, ["M1", "M2"]);
        assert_eq!(form.fields, [("voice".to_owned(), vec!["own".to_owned()])]);
        assert!(!form.is_wrapped);
    }

    #[test]
    fn a_schema_in_the_prompt_is_found() {
        let system = format!("Answer as {{json}}, such as {{\"a\": 1}}:\n{SCHEMA}\nThank you {{}}.");
        let form = parse(&json!({"model": "m", "messages": [
            {"role": "system", "content": system}, {"role": "user", "content": "q"}]}))
        .form;
        assert_eq!(form.labels, ["M1", "M2"]);
        assert!(form.is_wrapped);
    }

    #[test]
    fn the_last_question_counts_and_parts_are_joined() {
        let asked = parse(&json!({"model": "m", "reasoning_effort": "low", "max_tokens": 9, "messages": [
            {"role": "system", "content": "abc"}, {"role": "user", "content": "first"},
            {"role": "assistant", "content": null}, {"role": "user", "content": [{"type": "text", "text": "second"}]}]}));
        assert_eq!((asked.question.as_str(), asked.static_bytes, asked.bytes), ("second", 8, 14));
        assert_eq!((asked.max_tokens, asked.reasons, asked.form.order.len()), (Some(9), true, 7));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let refused = |body: &str| Asked::parse(body.as_bytes()).err();
        assert_eq!(refused("{"), Some(RequestError::NotARequest));
        assert_eq!(refused(r#"{"model":"m","messages":[]}"#), Some(RequestError::NoQuestion));
        assert_eq!(refused(r#"{"model":"m","messages":[],"stream":true}"#), Some(RequestError::Streamed));
    }

    #[test]
    fn the_nonce_does_not_count() {
        assert_eq!(identity(b"a 01ff b 01ff", Some("01ff")), identity(b"a 77aa b 77aa", Some("77aa")));
        assert_ne!(identity(b"a 01ff b 01ff", None), identity(b"a 77aa b 77aa", None));
    }
}

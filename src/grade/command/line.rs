//! The lines that a program and its keeper exchange, and what they are in HTTP.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A request on its way to the program.
#[derive(Debug)]
pub(super) struct RequestLine {
    model: String,
    /// The body as JSON without line breaks.
    json: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    model: String,
}

impl RequestLine {
    /// # Errors
    /// If the body is not a JSON object.
    pub(super) fn new(body: &[u8]) -> Result<Self, serde_json::Error> {
        let Body { model } = serde_json::from_slice(body)?;
        // Compact JSON has no line breaks; anybody else's may.
        let json = if body.contains(&b'\n') {
            serde_json::from_slice::<Value>(body)?.to_string()
        } else {
            serde_json::from_slice::<&RawValue>(body)?.get().to_owned()
        };
        Ok(Self { model, json })
    }

    /// The model that is asked.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// The whole line.
    pub(super) fn with_id(&self, id: u64) -> String {
        format!("{{\"id\":{id},\"request\":{}}}\n", self.json)
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// The model wrote something.
    Written { text: String, model: Option<String>, usage: Option<Value>, finish_reason: Option<String> },
    /// The program says that it failed.
    Failed { message: String, retry: bool },
    /// The program had the request and ended, or hung: nobody knows what it did, or paid, for it.
    Lost { message: String },
    /// Never given to the program, which cannot be started or ends again and again.
    Hopeless { message: String },
}

#[derive(Deserialize)]
struct ReplyLine {
    id: u64,
    reply: Option<Value>,
    model: Option<String>,
    usage: Option<Value>,
    finish_reason: Option<String>,
    error: Option<String>,
    #[serde(default)]
    retry: bool,
}

impl Reply {
    /// Reads a line of the program; `None` for one that is no reply, such as what a library prints.
    pub(super) fn from_line(line: &[u8]) -> Option<(u64, Self)> {
        let text = String::from_utf8_lossy(line);
        let ReplyLine { id, reply, model, usage, finish_reason, error, retry } = serde_json::from_str(&text).ok()?;
        let reply = match (reply, error) {
            (_, Some(message)) => Self::Failed { message, retry },
            // A damaged quote would look like a lie of the grader's.
            (Some(_), None) if matches!(text, Cow::Owned(_)) => {
                Self::Failed { message: "the reply is not UTF-8".to_owned(), retry: false }
            }
            (Some(Value::String(text)), None) => Self::Written { text, model, usage, finish_reason },
            // A verdict that was not turned into text.
            (Some(verdict), None) => Self::Written { text: verdict.to_string(), model, usage, finish_reason },
            (None, None) => return None,
        };
        Some((id, reply))
    }

    /// Status and body of the answer to a client that asked for `model`.
    pub(super) fn into_http(self, model: &str) -> (u16, Value) {
        let error = |message: &str| json!({"error": {"message": message}});
        match self {
            Self::Written { text, model: served, usage, finish_reason } => {
                let mut body = json!({
                    "object": "chat.completion",
                    "model": served.as_deref().unwrap_or(model),
                    "choices": [{
                        "index": 0,
                        "message": {"role": "assistant", "content": text},
                        "finish_reason": finish_reason.as_deref().unwrap_or("stop"),
                    }],
                });
                if let (Some(usage), Some(fields)) = (usage, body.as_object_mut()) {
                    fields.insert("usage".to_owned(), usage);
                }
                (200, body)
            }
            // 502 counts at its bound: the program may have paid somebody.
            Self::Failed { message, retry: true } | Self::Lost { message } => (502, error(&message)),
            Self::Failed { message, retry: false } => (422, error(&message)),
            // No request will succeed until somebody acts.
            Self::Hopeless { message } => (404, error(&message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_answers() {
        let lines = [
            r#"{"id":1,"reply":"{\"verdict\":\"absent\"}","model":"m","usage":{"prompt_tokens":9,"completion_tokens":3}}"#,
            r#"{"id":2,"reply":{"verdict":"absent"}}"#,
            r#"{"id":3,"reply":"cut","finish_reason":"length"}"#,
            r#"{"id":4,"error":"out of memory","retry":true}"#,
            r#"{"id":5,"error":"too long"}"#,
            r#"{"id":6}"#,
            r#"{"reply":"whose?"}"#,
            "Loading checkpoint shards: 100%",
        ];
        let read = lines.map(|line| match Reply::from_line(line.as_bytes()) {
            Some((id, reply)) => {
                let (status, body) = reply.into_http("asked");
                format!("{id} {status} {body}")
            }
            None => "no reply".to_owned(),
        });
        insta::assert_snapshot!(read.join("\n"), @r#"
        1 200 {"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"{\"verdict\":\"absent\"}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}
        2 200 {"object":"chat.completion","model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"{\"verdict\":\"absent\"}"},"finish_reason":"stop"}]}
        3 200 {"object":"chat.completion","model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"cut"},"finish_reason":"length"}]}
        4 502 {"error":{"message":"out of memory"}}
        5 422 {"error":{"message":"too long"}}
        no reply
        no reply
        no reply
        "#);
        let (id, damaged) = Reply::from_line(b"{\"id\":7,\"reply\":\"\xff\"}").unwrap();
        assert_eq!((id, damaged.into_http("asked").0), (7, 422));
    }

    #[test]
    fn a_request_is_one_line() {
        let line = |body: &str| RequestLine::new(body.as_bytes()).unwrap().with_id(7);
        assert_eq!(line(r#"{"model":"m","n":1}"#), "{\"id\":7,\"request\":{\"model\":\"m\",\"n\":1}}\n");
        assert_eq!(line("{\"model\":\n \"m\"}"), "{\"id\":7,\"request\":{\"model\":\"m\"}}\n");
        assert!(RequestLine::new(b"[1").is_err());
    }
}

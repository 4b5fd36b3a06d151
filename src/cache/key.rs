//! The identity of a request. Two requests with the same key are the same work: the second one is not paid for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::conversation::Role;
use crate::model::grading::{GradeRequest, ReplySchema};
use crate::model::hash::{Digest, PartHasher, write_part};

/// Changes with the meaning of a key; then every cached reply is asked again.
const PURPOSE: &str = "grade request 1";

/// The key of a request: a BLAKE3 digest of everything that can change the answer, and of nothing else (no API key,
/// header, nonce, path or position).
#[must_use]
pub fn key_of(request: &GradeRequest) -> Digest {
    let mut hasher = before_messages(request, request.messages.len());
    let mut parts = Vec::new();
    request.messages.iter().for_each(|message| write_message(message.role, &message.content, &mut parts));
    write_after_messages(request, &mut parts);
    hasher.parts(&parts).finish()
}

/// Keys of requests that differ in their last message only: what they share is hashed once.
#[derive(Debug, Clone)]
pub struct Keys {
    opening: PartHasher,
    role: Role,
    /// The parts that follow the last message.
    after: Vec<u8>,
}

impl Keys {
    /// Keys of `form` with one more message, by `role`, after its own.
    #[must_use]
    pub fn new(form: &GradeRequest, role: Role) -> Self {
        let mut opening = before_messages(form, form.messages.len() + 1);
        let (mut parts, mut after) = (Vec::new(), Vec::new());
        form.messages.iter().for_each(|message| write_message(message.role, &message.content, &mut parts));
        opening.parts(&parts);
        write_after_messages(form, &mut after);
        Self { opening, role, after }
    }

    /// The key of the request whose last message says `content`: the same as [`key_of`] gives for the whole of it.
    /// The memory of `scratch` is used again.
    #[must_use]
    pub fn key(&self, content: &str, scratch: &mut Vec<u8>) -> Digest {
        scratch.clear();
        write_message(self.role, content, scratch);
        scratch.extend_from_slice(&self.after);
        self.opening.clone().parts(scratch).finish()
    }
}

fn before_messages(request: &GradeRequest, messages: usize) -> PartHasher {
    let mut hasher = PartHasher::new(PURPOSE);
    hasher.part(request.api.as_str().as_bytes()).part(request.model.as_bytes());
    hasher.number(messages as u64);
    hasher
}

fn write_message(role: Role, content: &str, parts: &mut Vec<u8>) {
    write_part(role.as_str().as_bytes(), parts);
    write_part(content.as_bytes(), parts);
}

fn write_after_messages(request: &GradeRequest, parts: &mut Vec<u8>) {
    // No `..`: a new field does not compile until somebody decides whether it counts. The first three stand before.
    let GradeRequest { api: _, model: _, messages: _, schema, structured, params, revision, repeat, retry, epoch } =
        request;
    let ReplySchema { name, json } = schema;
    write_part(name.as_bytes(), parts);
    write_part(json.as_bytes(), parts);
    write_part(structured.as_str().as_bytes(), parts);
    write_part(canonical_object(params).as_bytes(), parts);
    write_part(revision.as_bytes(), parts);
    write_part(&u64::from(*repeat).to_le_bytes(), parts);
    write_part(&u64::from(*retry).to_le_bytes(), parts);
    write_part(epoch.as_bytes(), parts);
}

fn canonical_object(members: &BTreeMap<String, Value>) -> String {
    let mut json = String::new();
    write_object(members.iter(), &mut json);
    json
}

/// JSON without white space and with sorted members. `serde_json` sorts as well, but not any more as soon as some
/// dependency switches its feature `preserve_order` on, and a key must not depend on that.
fn write_canonical(value: &Value, json: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            write_object(sorted.into_iter(), json);
        }
        Value::Array(elements) => {
            json.push('[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    json.push(',');
                }
                write_canonical(element, json);
            }
            json.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json.push_str(&value.to_string()),
    }
}

fn write_object<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, json: &mut String) {
    json.push('{');
    for (position, (name, value)) in members.enumerate() {
        if position > 0 {
            json.push(',');
        }
        json.push_str(&Value::from(name.as_str()).to_string());
        json.push(':');
        write_canonical(value, json);
    }
    json.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::grading::{ApiKind, ChatMessage, Structured};

    fn request() -> GradeRequest {
        let message = |role, content: &str| ChatMessage { role, content: content.to_owned() };
        GradeRequest {
            api: ApiKind::Chat,
            model: "gpt-5-mini".to_owned(),
            messages: vec![message(Role::System, "Judge."), message(Role::User, "[M0] \u{0}nonce\u{0} hello")],
            schema: ReplySchema { name: "verdict".to_owned(), json: "{\"type\":\"object\"}".to_owned() },
            structured: Structured::JsonSchema,
            params: BTreeMap::from([
                ("temperature".to_owned(), json!(0)),
                ("reasoning".to_owned(), json!({"effort": "low", "budget": [1, 2.5, null, {"b": true, "a": "x\"y"}]})),
            ]),
            revision: String::new(),
            repeat: 0,
            retry: 0,
            epoch: String::new(),
        }
    }

    #[test]
    fn golden_keys_never_change() {
        let bare = GradeRequest { messages: Vec::new(), params: BTreeMap::new(), ..request() };
        let other = GradeRequest { api: ApiKind::Rehearsal, structured: Structured::Prompt, repeat: 2, ..request() };
        insta::assert_snapshot!(
            [request(), bare, other].map(|request| key_of(&request).to_string()).join("\n"),
            @r"
        b454e0020aa755b51aa6a6ff23a3accff590a373fbee8670b9914232b4d9aec7
        0a288cd47fd46b4a8058eb6dfe4fe04024b8893a8c567089d0b0b5710e02fe42
        237da0f3ad323597f5a900fa6f7c2dd5db14f085c5cb758716b1c24a0b41a7bf
        "
        );
    }

    #[test]
    fn keys_of_a_form_are_those_of_whole_requests() {
        let whole = request();
        let mut form = whole.clone();
        let last = form.messages.pop().unwrap();
        assert_eq!(Keys::new(&form, last.role).key(&last.content, &mut Vec::new()), key_of(&whole));
        assert_ne!(Keys::new(&form, Role::Assistant).key(&last.content, &mut Vec::new()), key_of(&whole));
        assert_ne!(Keys::new(&form, last.role).key("", &mut Vec::new()), key_of(&form));
    }

    #[test]
    fn every_field_counts() {
        let edits: [fn(&mut GradeRequest); 16] = [
            |request| request.api = ApiKind::Rehearsal,
            |request| request.model.push('x'),
            |request| request.messages.reverse(),
            |request| request.messages[0].role = Role::Assistant,
            |request| request.messages[1].content.push('x'),
            |request| drop(request.messages.pop()),
            |request| request.schema.name.push('x'),
            |request| request.schema.json.push(' '),
            |request| request.structured = Structured::JsonObject,
            |request| drop(request.params.insert("temperature".to_owned(), json!(1))),
            |request| drop(request.params.insert("top_p".to_owned(), json!(null))),
            |request| drop(request.params.insert("reasoning".to_owned(), json!({"effort": "high"}))),
            |request| request.revision.push('x'),
            |request| request.repeat = 1,
            |request| request.retry = 1,
            |request| request.epoch.push('x'),
        ];
        let mut keys = vec![key_of(&request())];
        for edit in edits {
            let mut edited = request();
            edit(&mut edited);
            keys.push(key_of(&edited));
        }
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn parameters_are_canonical() {
        let params = canonical_object(&request().params);
        let expected = r#"{"reasoning":{"budget":[1,2.5,null,{"a":"x\"y","b":true}],"effort":"low"},"temperature":0}"#;
        assert_eq!(params, expected);
    }
}

//! A grading question as an OpenAI chat-completions body. Types for the request come from async-openai; parameters
//! that its types do not know are merged into the JSON. Its client is not used (ARCHITECTURE.md says why).

use std::fmt;

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestAssistantMessageContent, ChatCompletionRequestMessage,
    ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage, CreateChatCompletionRequest, ResponseFormat,
    ResponseFormatJsonSchema,
};
use bytes::Bytes;
use serde_json::Value;

use super::body::RequestBody;
use crate::model::conversation::Role;
use crate::model::grading::{ChatMessage, GradeRequest, ReplySchema, Structured};
use crate::prompt::with_nonce;

/// A grader's requests cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The schema is not JSON, or parameters are not an object.
    #[error("failed to write the request body")]
    Json(#[from] serde_json::Error),
    /// A prompt holds the text that stands for the question.
    #[error("a prompt must not contain `{QUESTION_MARKER}`")]
    Marker,
}

/// Stands for the question while a form is written. Nothing in it is escaped in JSON, and it is checked to stand there
/// once.
const QUESTION_MARKER: &str = "assize:question:7d0e6a52-5f0b-4b59-a1c1-3f8f0f2b9f1e";

/// The body of one grader's requests, written up to the place of the question.
#[derive(Clone)]
pub(super) struct BodyForm {
    before: Bytes,
    after: Bytes,
}

impl fmt::Debug for BodyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyForm({} bytes)", self.before.len() + self.after.len())
    }
}

impl BodyForm {
    /// The body of `form` with one more message of the user, whose content is filled in later.
    ///
    /// # Errors
    /// If the schema's text is not JSON, or the form holds what stands for the question.
    pub(super) fn new(form: &GradeRequest) -> Result<Self, BodyError> {
        let question = ChatMessage { role: Role::User, content: QUESTION_MARKER.to_owned() };
        let typed = CreateChatCompletionRequest {
            model: form.model.clone(),
            messages: form.messages.iter().chain([&question]).map(typed_message).collect(),
            response_format: response_format(form.structured, &form.schema)?,
            ..CreateChatCompletionRequest::default()
        };
        let mut body = serde_json::to_value(typed)?;
        if let Value::Object(fields) = &mut body {
            fields.extend(form.params.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let body = serde_json::to_string(&body)?;
        let marker = format!("\"{QUESTION_MARKER}\"");
        let mut parts = body.split(&marker);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(after), None) => {
                Ok(Self { before: before.to_owned().into(), after: after.to_owned().into() })
            }
            (_, _, _) => Err(BodyError::Marker),
        }
    }

    /// The body with this question, and `nonce` in its transcript's fence.
    pub(super) fn fill(&self, question: &str, nonce: &str) -> RequestBody {
        let question = with_nonce(question, nonce);
        let mut json = Vec::with_capacity(question.len() + question.len() / 8);
        serde_json::to_writer(&mut json, &question).expect("a string is JSON, and memory takes everything");
        RequestBody::new(self.before.clone(), json.into(), self.after.clone())
    }
}

/// The body of one whole request, which ends with a question of the user.
///
/// # Errors
/// As for [`BodyForm::new`].
pub(super) fn body(request: &GradeRequest, nonce: &str) -> Result<RequestBody, BodyError> {
    let mut form = request.clone();
    let question = form.messages.pop().map(|message| message.content).unwrap_or_default();
    Ok(BodyForm::new(&form)?.fill(&question, nonce))
}

fn typed_message(message: &ChatMessage) -> ChatCompletionRequestMessage {
    let text = message.content.clone();
    match message.role {
        Role::System => ChatCompletionRequestSystemMessage::from(text).into(),
        Role::User | Role::Tool => ChatCompletionRequestUserMessage::from(text).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage {
            content: Some(ChatCompletionRequestAssistantMessageContent::Text(text)),
            ..ChatCompletionRequestAssistantMessage::default()
        }
        .into(),
    }
}

fn response_format(structured: Structured, schema: &ReplySchema) -> Result<Option<ResponseFormat>, serde_json::Error> {
    Ok(match structured {
        Structured::JsonSchema => Some(ResponseFormat::JsonSchema {
            json_schema: ResponseFormatJsonSchema {
                description: None,
                name: schema.name.clone(),
                schema: serde_json::from_str(&schema.json)?,
                strict: Some(true),
            },
        }),
        Structured::JsonObject => Some(ResponseFormat::JsonObject),
        Structured::Prompt => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::model::grading::{ApiKind, NONCE_PLACEHOLDER};

    fn form(system: &str) -> GradeRequest {
        GradeRequest {
            api: ApiKind::Chat,
            model: "m".to_owned(),
            messages: vec![ChatMessage { role: Role::System, content: system.to_owned() }],
            schema: ReplySchema { name: "verdict".to_owned(), json: "{\"type\":\"object\"}".to_owned() },
            structured: Structured::JsonSchema,
            params: BTreeMap::from([("max_completion_tokens".to_owned(), json!(9))]),
            revision: "r".to_owned(),
            repeat: 0,
            retry: 0,
            epoch: String::new(),
        }
    }

    #[test]
    fn a_filled_form_is_the_whole_body() {
        let question = format!("⟦{NONCE_PLACEHOLDER} a⟧\n\"quoted\" \\ \u{7}");
        let body = BodyForm::new(&form("Judge \"this\".")).unwrap().fill(&question, "0123456789abcdef");
        let body: Value = serde_json::from_slice(&body.whole()).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "m",
                "messages": [
                    { "role": "system", "content": "Judge \"this\"." },
                    { "role": "user", "content": "⟦0123456789abcdef a⟧\n\"quoted\" \\ \u{7}" },
                ],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": { "name": "verdict", "schema": { "type": "object" }, "strict": true },
                },
                "max_completion_tokens": 9,
            })
        );
    }

    #[test]
    fn a_form_that_imitates_the_question_is_refused() {
        let forged = BodyForm::new(&form(QUESTION_MARKER)).unwrap_err();
        assert!(forged.to_string().contains("must not contain"), "{forged}");
    }
}

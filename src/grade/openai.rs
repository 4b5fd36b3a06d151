//! A grading question as an OpenAI chat-completions body. Types for the request come from async-openai; parameters
//! that its types do not know are merged into the JSON. Its client is not used (ARCHITECTURE.md says why).

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestAssistantMessageContent, ChatCompletionRequestMessage,
    ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage, CreateChatCompletionRequest, ResponseFormat,
    ResponseFormatJsonSchema,
};
use bytes::Bytes;
use serde_json::Value;

use crate::model::conversation::Role;
use crate::model::grading::{ChatMessage, GradeRequest, ReplySchema, Structured};
use crate::prompt::with_nonce;

/// The request cannot be written as JSON: a schema that is not JSON, or parameters that are not an object.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the request body")]
pub struct BodyError(#[from] serde_json::Error);

/// The body of the request, with `nonce` in the transcript's fence.
///
/// # Errors
/// If the schema's text is not JSON.
pub(super) fn body(request: &GradeRequest, nonce: &str) -> Result<Bytes, BodyError> {
    let typed = CreateChatCompletionRequest {
        model: request.model.clone(),
        messages: request.messages.iter().map(|message| typed_message(message, nonce)).collect(),
        response_format: response_format(request.structured, &request.schema)?,
        ..CreateChatCompletionRequest::default()
    };
    let mut body = serde_json::to_value(typed)?;
    if let Value::Object(fields) = &mut body {
        fields.extend(request.params.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(serde_json::to_vec(&body)?.into())
}

fn typed_message(message: &ChatMessage, nonce: &str) -> ChatCompletionRequestMessage {
    let text = with_nonce(&message.content, nonce);
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

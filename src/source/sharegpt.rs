//! ShareGPT: `{"id", "conversations": [{"from", "value"}]}`, as an array or one a line.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use super::fields::{metadata, object, scalar};
use super::parse::Parts;
use super::wire::{Text, string_or_json};
use crate::model::conversation::{Message, Role, ToolCall};

#[derive(Deserialize)]
struct ShareGptRecord<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversations: Option<Vec<Entry<'a>>>,
    /// Instructions that some exports keep beside the conversation; they become its first message.
    #[serde(default)]
    system: Option<String>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// One message.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(default)]
    from: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    name: String,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// Reads one record.
pub(super) fn parse(text: &str) -> Result<Parts, Fault> {
    let record: ShareGptRecord<'_> = serde_json::from_str(text)?;
    let missing = || Fault::new(UnreadableReason::MissingMessages, "no `conversations`");
    let mut messages = self::messages(record.conversations.ok_or_else(missing)?)?;
    if let Some(system) = record.system.filter(|system| !system.is_empty()) {
        messages.insert(0, Message::text(Role::System, system));
    }
    let metadata = metadata(object(record.metadata)?)?;
    Ok(Parts { id: record.id.map(scalar).transpose()?.flatten(), messages, metadata })
}

/// Checks the messages of one conversation.
pub(super) fn messages(entries: Vec<Entry<'_>>) -> Result<Vec<Message>, Fault> {
    let checked = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| entry.check().map_err(|reason| Fault::new(reason, format!("message {index}"))));
    checked.collect()
}

impl Entry<'_> {
    fn check(self) -> Result<Message, UnreadableReason> {
        let value = self.value.map(|value| serde_json::from_str::<Text>(value.get())).transpose();
        let text = value.map_err(|error| Fault::from(error).reason)?.unwrap_or_default();
        let role = match self.from.as_deref().unwrap_or_default() {
            "system" => Role::System,
            "human" | "user" => Role::User,
            "gpt" | "assistant" | "model" | "chatgpt" | "bing" | "bard" => Role::Assistant,
            "tool" | "observation" | "function" | "function_response" | "tool_response" => Role::Tool,
            "function_call" | "tool_call" => return Ok(call(text.said)),
            _ => return Err(UnreadableReason::UnknownRole),
        };
        let reasoning = (!text.thought.is_empty()).then_some(text.thought);
        Ok(Message { reasoning, ..Message::text(role, text.said) })
    }
}

/// A turn that is one tool call: its text is usually `{"name", "arguments"}`.
fn call(text: String) -> Message {
    let parsed = serde_json::from_str::<Call<'_>>(&text).ok().and_then(|call| {
        let arguments = call.arguments.map(string_or_json).transpose().ok()?;
        Some(ToolCall { name: call.name, arguments: arguments.unwrap_or_default(), id: None })
    });
    let call = parsed.unwrap_or_else(|| ToolCall { name: String::new(), arguments: text, id: None });
    Message { tool_calls: vec![call], ..Message::text(Role::Assistant, "") }
}

//! Chat messages as OpenAI's API takes and returns them: `{"messages": [...]}`, a bare array of messages, a stored
//! completion (`choices`), or a log entry with `request` and `response`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use super::fields::{metadata, object, scalar};
use super::parse::Parts;
use super::wire::{self, WireMessage};

#[derive(Deserialize, Default)]
struct OpenAiRecord<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<Vec<WireMessage<'a>>>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    // Only looked into where there are no `messages`: elsewhere these names can mean anything.
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    message: Option<WireMessage<'a>>,
}

/// What was sent or came back; batch files keep both under `body`.
#[derive(Deserialize, Default)]
struct Exchange<'a> {
    #[serde(borrow, default)]
    messages: Option<Vec<WireMessage<'a>>>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// Reads one record.
pub(super) fn parse(text: &str) -> Result<Parts, Fault> {
    if text.trim_start().starts_with('[') {
        let messages = wire::messages(serde_json::from_str(text)?)?;
        return Ok(Parts { messages, ..Parts::default() });
    }
    let record: OpenAiRecord<'_> = serde_json::from_str(text)?;
    let (mut asked, mut choices) = (record.messages, record.choices.unwrap_or_default());
    if asked.is_none() && choices.is_empty() {
        asked = exchange(record.request)?.messages;
        choices = exchange(record.response)?.choices.unwrap_or_default();
    }
    if choices.len() > 1 {
        let detail = format!("{} choices, where a conversation has one", choices.len());
        return Err(Fault::new(UnreadableReason::WrongType, detail));
    }
    let answer = choices.pop().and_then(|choice| choice.message);
    if asked.is_none() && answer.is_none() {
        return Err(Fault::new(UnreadableReason::MissingMessages, "no `messages` and no `choices` with a message"));
    }
    let messages = wire::messages(asked.into_iter().flatten().chain(answer).collect())?;
    let metadata = metadata(object(record.metadata)?)?;
    Ok(Parts { id: record.id.map(scalar).transpose()?.flatten(), messages, metadata })
}

fn exchange(value: Option<&RawValue>) -> Result<Exchange<'_>, Fault> {
    let Some(value) = value.filter(|value| value.get().starts_with('{')) else { return Ok(Exchange::default()) };
    let outer: Exchange<'_> = serde_json::from_str(value.get())?;
    if outer.body.is_some() { exchange(outer.body) } else { Ok(outer) }
}

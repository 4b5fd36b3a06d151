//! assize's own JSONL: `{"id", "messages", "metadata"}`, one conversation a line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use super::fields::{metadata, scalar};
use super::parse::Parts;
use super::wire::{self, WireMessage};
use crate::model::conversation::Conversation;

#[derive(Deserialize)]
struct CanonicalRecord<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<Vec<WireMessage<'a>>>,
    #[serde(borrow, default)]
    metadata: Option<BTreeMap<String, &'a RawValue>>,
}

/// Reads one record.
pub(super) fn parse(text: &str) -> Result<Parts, Fault> {
    let record: CanonicalRecord<'_> = serde_json::from_str(text)?;
    let messages = record.messages.ok_or_else(|| Fault::new(UnreadableReason::MissingMessages, "no `messages`"))?;
    Ok(Parts {
        id: record.id.map(scalar).transpose()?.flatten(),
        messages: wire::messages(messages)?,
        metadata: metadata(record.metadata.unwrap_or_default())?,
    })
}

/// Reads one conversation that stands by itself, without a corpus around it. One without an id has an empty one.
///
/// # Errors
/// It is not canonical JSON. The reason says where, in our words: it never quotes the text.
pub fn conversation(text: &str) -> Result<Conversation, Fault> {
    let Parts { id, messages, metadata } = parse(text)?;
    if messages.is_empty() {
        return Err(Fault::new(UnreadableReason::Empty, "the conversation has no messages"));
    }
    Ok(Conversation { id: id.unwrap_or_default(), messages, metadata })
}

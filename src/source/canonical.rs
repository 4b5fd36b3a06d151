//! assize's own JSONL: `{"id", "messages", "metadata"}`, one conversation a line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use super::fields::{metadata, scalar};
use super::parse::Parts;
use super::wire::{self, WireMessage};

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

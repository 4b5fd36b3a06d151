//! The texts of a message, as the rules see them.

use std::borrow::Cow;

use crate::model::conversation::{Channel, Message, ToolCall};

/// A text of a message: a whole channel, or the name or the arguments of one tool call.
#[derive(Clone, Copy)]
pub(super) struct Passage<'a> {
    pub(super) channel: Channel,
    pub(super) text: &'a str,
    /// The byte of [`channel_text`] that it begins at.
    pub(super) offset: usize,
}

/// All texts of a message.
pub(super) fn all(message: &Message) -> impl Iterator<Item = Passage<'_>> {
    prose(message).chain(calls(message).flatten())
}

/// Reasoning and final text.
pub(super) fn prose(message: &Message) -> impl Iterator<Item = Passage<'_>> {
    let whole = |channel, text| Passage { channel, text, offset: 0 };
    let reasoning = message.reasoning.as_deref().map(|text| whole(Channel::Reasoning, text));
    reasoning.into_iter().chain([whole(Channel::Final, &message.content)])
}

/// Name and arguments of each tool call.
pub(super) fn calls(message: &Message) -> impl Iterator<Item = [Passage<'_>; 2]> {
    message.tool_calls.iter().scan(0, |next, ToolCall { name, arguments, id: _ }| {
        Some([name, arguments].map(|text| {
            let offset = *next;
            *next += text.len() + 1;
            Passage { channel: Channel::Tool, text, offset }
        }))
    })
}

/// The text of a channel that the spans of hits refer to: reasoning, final text, or the names and arguments of all
/// tool calls, each followed by a line feed.
#[must_use]
pub fn channel_text(message: &Message, channel: Channel) -> Cow<'_, str> {
    match channel {
        Channel::Reasoning => Cow::Borrowed(message.reasoning.as_deref().unwrap_or_default()),
        Channel::Final => Cow::Borrowed(&message.content),
        Channel::Tool => Cow::Owned(calls(message).flatten().flat_map(|call| [call.text, "\n"]).collect()),
    }
}

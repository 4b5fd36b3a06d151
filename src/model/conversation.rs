//! Conversations and their messages, as every source delivers them and the canonical JSONL stores them.
//!
//! The text of a conversation is somebody's private data: `Debug` shows lengths and counts, never text.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::{Digest, PartHasher};

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions from the operator (`developer` messages too).
    System,
    /// The person or program that talks to the model.
    User,
    /// The model: each of these messages is a turn.
    Assistant,
    /// The output of a tool.
    Tool,
}

impl Role {
    /// The name in files and prompts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// The part of a message that a text stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Reasoning (chain of thought) of an assistant message.
    Reasoning,
    /// What the other side reads.
    Final,
    /// Names and arguments of tool calls.
    Tool,
}

impl Channel {
    /// All channels, in the order in which a message shows them.
    pub const ALL: [Self; 3] = [Self::Reasoning, Self::Final, Self::Tool];

    /// The name in files and prompts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reasoning => "reasoning",
            Self::Final => "final",
            Self::Tool => "tool",
        }
    }
}

/// One call of a tool by the model.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, as the model wrote them (usually JSON).
    pub arguments: String,
    /// The id that ties the call to its answer, if the source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolCall({} bytes)", self.name.len() + self.arguments.len())
    }
}

/// One message. Content parts that are not text have become a visible marker such as `[image]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What the other side reads; empty if the message is only reasoning or tool calls.
    #[serde(default)]
    pub content: String,
    /// Chain of thought, if the source carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Tool calls of an assistant message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

impl Message {
    /// A message of plain text.
    #[must_use]
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), reasoning: None, tool_calls: Vec::new() }
    }

    /// Text of all channels, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let calls: usize = self.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        self.content.len() + self.reasoning.as_ref().map_or(0, String::len) + calls
    }

    /// The digest of everything that a grader could read in this message.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = PartHasher::new("message");
        hasher.part(self.role.as_str().as_bytes()).part(self.content.as_bytes());
        hasher.part(self.reasoning.as_deref().unwrap_or_default().as_bytes());
        for call in &self.tool_calls {
            hasher.part(call.name.as_bytes()).part(call.arguments.as_bytes());
        }
        hasher.finish()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}, {} bytes)", self.role.as_str(), self.bytes())
    }
}

/// One conversation: the turns that share a thread.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Unique within its group; a second one with the same id and group is a duplicate.
    pub id: String,
    /// Messages in order; their positions are the message ids.
    pub messages: Vec<Message>,
    /// What the file and the source settings say about it, such as `checkpoint` and `source`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Conversation {
    /// Positions of the turns (assistant messages), in order.
    pub fn turns(&self) -> impl Iterator<Item = u32> + '_ {
        let numbered = (0u32..).zip(&self.messages);
        numbered.filter(|(_, message)| message.role == Role::Assistant).map(|(index, _)| index)
    }

    /// The message with this id.
    #[must_use]
    pub fn message(&self, index: u32) -> Option<&Message> {
        self.messages.get(index as usize)
    }

    /// Text of all messages, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(Message::bytes).sum()
    }

    /// The digest of all messages: equal for exact copies under other ids or metadata.
    #[must_use]
    pub fn content_digest(&self) -> Digest {
        let mut hasher = PartHasher::new("conversation");
        for message in &self.messages {
            hasher.part(message.digest().as_bytes());
        }
        hasher.finish()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conversation({}, {} messages, {} bytes)", self.id, self.messages.len(), self.bytes())
    }
}

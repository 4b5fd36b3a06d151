//! The nouns of grading: stage, prompt version, request and reply.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conversation::Role;
use super::hash::Digest;
use super::money::{NanoUsd, Usage};

/// A grading stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// First grading, recall first.
    Screen,
    /// Second grading of what the screen flagged, precision first.
    Confirm,
}

impl Stage {
    /// The name in files and tables; also the role of the stage's prompts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Confirm => "confirm",
        }
    }
}

/// A prompt version's label, such as `screen@2`: file `screen.v2.md` of a behaviour. `screen@draft` (`screen.draft.md`) is
/// the one that may be edited: a text of it is known by its content alone, and what it gave is not for publication.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptLabel {
    /// What the prompt is for (`screen`, `confirm`).
    pub role: String,
    /// The version, from 1; 0 is the draft, so that it comes before every version.
    pub version: u32,
}

/// What every output of a draft prompt's verdicts says.
pub const WATERMARK: &str = "DRAFT PROMPT: not for publication";

/// How the draft is named where versions have a number.
const DRAFT: &str = "draft";

impl PromptLabel {
    /// The draft for this role.
    #[must_use]
    pub fn draft(role: &str) -> Self {
        Self { role: role.to_owned(), version: 0 }
    }

    /// Whether it is a draft.
    #[must_use]
    pub const fn is_draft(&self) -> bool {
        self.version == 0
    }
}

impl fmt::Display for PromptLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_draft() {
            return write!(f, "{}@{DRAFT}", self.role);
        }
        write!(f, "{}@{}", self.role, self.version)
    }
}

/// The text was not of the form `role@version`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a prompt label such as `screen@1`")]
pub struct NotALabel(String);

impl FromStr for PromptLabel {
    type Err = NotALabel;

    fn from_str(text: &str) -> Result<Self, NotALabel> {
        let wrong = || NotALabel(text.to_owned());
        let (role, version) = text.split_once('@').ok_or_else(wrong)?;
        let plain = role.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if role.is_empty() || !plain {
            return Err(wrong());
        }
        if version == DRAFT {
            return Ok(Self::draft(role));
        }
        let version = version.parse().ok().filter(|version| *version > 0).ok_or_else(wrong)?;
        Ok(Self { role: role.to_owned(), version })
    }
}

impl Serialize for PromptLabel {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromptLabel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a model is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKind {
    /// OpenAI chat completions, over HTTP.
    Chat,
    /// The built-in simulated grader, which speaks chat completions on loopback.
    Rehearsal,
    /// A local program that speaks JSON lines.
    Command,
    /// A file of verdicts that were made elsewhere: nobody is asked.
    Recorded,
}

impl ApiKind {
    /// The name in files and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Rehearsal => "rehearsal",
            Self::Command => "command",
            Self::Recorded => "recorded",
        }
    }
}

/// How the reply is held to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// `response_format` with a strict JSON schema.
    #[default]
    JsonSchema,
    /// `response_format` of any JSON object; the schema stands in the prompt.
    JsonObject,
    /// The schema stands in the prompt only.
    Prompt,
}

impl Structured {
    /// The name in files and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::JsonObject => "json_object",
            Self::Prompt => "prompt",
        }
    }
}

/// One message of a request. The fence's nonce is [`NONCE_PLACEHOLDER`] until the request is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// `System` or `User`, or `Assistant` in examples.
    pub role: Role,
    /// The rendered text.
    pub content: String,
}

impl fmt::Debug for ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChatMessage({}, {} bytes)", self.role.as_str(), self.content.len())
    }
}

/// Stands where the fence's nonce goes. Rendering removes NUL from transcripts, so no transcript can contain it.
pub const NONCE_PLACEHOLDER: &str = "\u{0}nonce\u{0}";

/// Hexadecimal digits of a nonce.
pub const NONCE_LENGTH: usize = 16;

/// The JSON schema that a reply must satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplySchema {
    /// The name that travels with it.
    pub name: String,
    /// The schema as canonical JSON text.
    pub json: String,
}

/// Parameters that the request itself decides: a parameter that said otherwise would change what is asked, or how many
/// replies are paid for, behind the cache key's and the cap's back.
pub const RESERVED_PARAMS: [&str; 6] = ["model", "messages", "response_format", "stream", "stream_options", "n"];

/// One question to a grader, complete: two equal requests are the same work and are paid for once.
#[derive(Debug, Clone, PartialEq)]
pub struct GradeRequest {
    /// How the model is talked to.
    pub api: ApiKind,
    /// The model asked for.
    pub model: String,
    /// All messages as rendered, without nonce.
    pub messages: Vec<ChatMessage>,
    /// The reply schema.
    pub schema: ReplySchema,
    /// How the reply is held to the schema.
    pub structured: Structured,
    /// Sampling parameters, merged into the request body.
    pub params: BTreeMap<String, Value>,
    /// Distinguishes new weights under an old name.
    pub revision: String,
    /// Repeats of the same question differ here.
    pub repeat: u32,
    /// How often errors were retried on request; 0 at first.
    pub retry: u32,
    /// Empty, or what makes an old reply not count (anchors, `--cache refresh`).
    pub epoch: String,
}

/// A reply as paid for. The verdict is derived from `body` on every read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The key of the request.
    pub key: Digest,
    /// HTTP status: 200, or the 400 of a context overflow or a content filter.
    pub status: u16,
    /// The raw body, as received.
    pub body: String,
    /// The nonce that fenced the transcript.
    pub nonce: String,
    /// The model that the server says it served, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens billed, as reported; absent if the server reports none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it was settled at, in nano-dollars.
    pub cost: NanoUsd,
    /// From sending to the last byte, in milliseconds.
    pub latency_ms: u64,
    /// When it was received: Unix time in milliseconds.
    pub received_ms: u64,
    /// The provider's request id, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whether another workspace paid for it: it says nothing about what this one spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// The part of a reply that an outcome is derived from.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyText {
    /// HTTP status.
    pub status: u16,
    /// The raw body, as received.
    pub body: String,
}

impl fmt::Debug for ReplyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyText(status {}, {} bytes)", self.status, self.body.len())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({:?}, status {}, {} bytes)", self.key, self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_strict() {
        assert_eq!("screen@2".parse(), Ok(PromptLabel { role: "screen".to_owned(), version: 2 }));
        for wrong in ["screen", "screen@", "screen@0", "@1", "Screen@1", "screen@v1", "../x@1"] {
            assert!(wrong.parse::<PromptLabel>().is_err(), "{wrong}");
        }
        let draft: PromptLabel = "screen@draft".parse().unwrap();
        assert_eq!((draft.is_draft(), draft.to_string().as_str()), (true, "screen@draft"));
        assert!(draft < "screen@1".parse().unwrap(), "no version is older");
    }
}

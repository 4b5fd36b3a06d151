//! Messages as canonical JSONL and OpenAI's API write them: one tolerant shape for both.
//!
//! Text is copied once, from the record's bytes into the message; names and roles are not copied at all.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{Fault, UnreadableReason};
use crate::model::conversation::{Message, Role, ToolCall};

/// One message, before its role and calls are checked.
#[derive(Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(default)]
    role: WireRole,
    #[serde(default)]
    content: Text,
    #[serde(default)]
    reasoning: Text,
    /// What vLLM, `DeepSeek` and others call `reasoning`.
    #[serde(default)]
    reasoning_content: Text,
    /// What OpenAI returns in place of content when the model declines.
    #[serde(default)]
    refusal: Text,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<WireCall<'a>>>,
    /// What `tool_calls` was called before.
    #[serde(borrow, default)]
    function_call: Option<WireFunction<'a>>,
}

/// A tool call: OpenAI keeps name and arguments under `function`, canonical JSONL beside the id.
#[derive(Deserialize)]
struct WireCall<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow, default)]
    function: Option<WireFunction<'a>>,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

/// Checks the messages of one conversation.
pub(super) fn messages(wire: Vec<WireMessage<'_>>) -> Result<Vec<Message>, Fault> {
    let checked = wire.into_iter().enumerate().map(|(index, message)| {
        message.check().map_err(|fault| Fault { detail: format!("message {index}{}", fault.detail), ..fault })
    });
    checked.collect()
}

impl WireMessage<'_> {
    fn check(self) -> Result<Message, Fault> {
        let role = match self.role {
            WireRole::Known(role) => role,
            WireRole::Unknown => return Err(Fault::new(UnreadableReason::UnknownRole, "")),
        };
        let mut content = self.content.said;
        append(&mut content, self.refusal.said);
        let mut reasoning = if self.reasoning.is_empty() { self.reasoning_content } else { self.reasoning }.all();
        append(&mut reasoning, self.content.thought);
        let calls = self.tool_calls.unwrap_or_default().into_iter().map(WireCall::check);
        let old_call = self.function_call.map(|call| call.check(None));
        Ok(Message {
            role,
            content,
            reasoning: (!reasoning.is_empty()).then_some(reasoning),
            tool_calls: calls.chain(old_call).collect::<Result<_, _>>()?,
        })
    }
}

impl WireCall<'_> {
    fn check(self) -> Result<ToolCall, Fault> {
        let bare = WireFunction { name: self.name, arguments: self.arguments };
        self.function.unwrap_or(bare).check(self.id)
    }
}

impl WireFunction<'_> {
    fn check(self, id: Option<String>) -> Result<ToolCall, Fault> {
        let arguments = self.arguments.map(string_or_json).transpose();
        let arguments = arguments.map_err(|fault| Fault::new(fault.reason, ", arguments of a tool call"))?;
        Ok(ToolCall { name: self.name.unwrap_or_default(), arguments: arguments.unwrap_or_default(), id })
    }
}

/// A string's text; any other value as the JSON that it was written as.
pub(super) fn string_or_json(value: &RawValue) -> Result<String, Fault> {
    let text = value.get();
    if text.starts_with('"') { Ok(serde_json::from_str(text)?) } else { Ok(text.to_owned()) }
}

fn append(text: &mut String, more: String) {
    if text.is_empty() {
        *text = more;
    } else if !more.is_empty() {
        text.push('\n');
        text.push_str(&more);
    }
}

/// A role by its name.
#[derive(Clone, Copy, Default)]
enum WireRole {
    Known(Role),
    #[default]
    Unknown,
}

impl<'de> Deserialize<'de> for WireRole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = WireRole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role")
            }

            fn visit_str<E>(self, name: &str) -> Result<WireRole, E> {
                Ok(match name {
                    "system" | "developer" => WireRole::Known(Role::System),
                    "user" => WireRole::Known(Role::User),
                    "assistant" => WireRole::Known(Role::Assistant),
                    "tool" | "function" => WireRole::Known(Role::Tool),
                    _ => WireRole::Unknown,
                })
            }
        }
        deserializer.deserialize_str(Names)
    }
}

/// Text as a string, a list of parts, or null.
#[derive(Default)]
pub(super) struct Text {
    /// What the other side reads.
    pub(super) said: String,
    /// Parts that are reasoning.
    pub(super) thought: String,
}

impl Text {
    fn is_empty(&self) -> bool {
        self.said.is_empty() && self.thought.is_empty()
    }

    fn all(self) -> String {
        let mut text = self.said;
        append(&mut text, self.thought);
        text
    }

    fn add(&mut self, part: Part) {
        let kind = part.kind.unwrap_or_default();
        let written = [part.thinking, part.reasoning, part.text, part.refusal].into_iter().flatten().next();
        let is_thought = matches!(kind.as_str(), "thinking" | "reasoning");
        let text = written.unwrap_or_else(|| marker(&kind));
        append(if is_thought { &mut self.thought } else { &mut self.said }, text);
    }
}

/// What stands for a part without text.
fn marker(kind: &str) -> String {
    let name = match kind {
        "image" | "image_url" | "input_image" => "image",
        "audio" | "input_audio" => "audio",
        "video" | "video_url" | "input_video" => "video",
        "file" | "input_file" => "file",
        other if !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => other,
        _ => "part",
    };
    format!("[{name}]")
}

/// One content part; of its texts, one is there, or none.
#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a list of parts, or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text { said: text.to_owned(), thought: String::new() })
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
                let mut text = Text::default();
                while let Some(part) = parts.next_element::<AnyPart>()? {
                    text.add(part.0);
                }
                Ok(text)
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

/// A part as an object or as its bare text.
struct AnyPart(Part);

impl<'de> Deserialize<'de> for AnyPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = AnyPart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content part")
            }

            fn visit_str<E>(self, text: &str) -> Result<AnyPart, E> {
                let text = Some(text.to_owned());
                Ok(AnyPart(Part { kind: None, text, thinking: None, reasoning: None, refusal: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AnyPart, A::Error> {
                Part::deserialize(MapAccessDeserializer::new(map)).map(AnyPart)
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

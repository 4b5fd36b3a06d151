//! The chat completion around a verdict: choices, finish reason, usage.

use serde_json::{Value, json};

use super::draw::Draws;
use super::faults::ContentFault;
use super::request::Asked;
use crate::model::money::Usage;

/// Bytes that the simulated tokenizer calls one token.
const BYTES_PER_TOKEN: usize = 4;

/// Prompts below this many tokens are not served from the prompt cache, as with OpenAI.
const MIN_CACHED_TOKENS: u64 = 1_024;
/// Tokens are served from the prompt cache in blocks of this size.
const CACHED_BLOCK: u64 = 128;

/// Tokens of a text of this many bytes.
pub(super) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

/// The one choice of a chat completion, or the lack of it.
pub(super) struct Message {
    content: Option<String>,
    refusal: Option<&'static str>,
    finish_reason: &'static str,
    has_choice: bool,
    completion_tokens: u64,
    reasoning_tokens: u64,
}

impl Message {
    /// The message with this content, unless a fault takes it away.
    pub(super) fn new(content: String, asked: &Asked, draws: &Draws, fault: Option<ContentFault>) -> Self {
        let reasoning_tokens = if asked.reasons { 64 * draws.between("reasoning", 1, 8) } else { 0 };
        let mut message = Self {
            completion_tokens: tokens(content.len()) + reasoning_tokens,
            content: Some(content),
            refusal: None,
            finish_reason: "stop",
            has_choice: true,
            reasoning_tokens,
        };
        match fault {
            Some(ContentFault::Refusal) => {
                message.content = None;
                message.refusal = Some("I'm sorry, but I can't help with that request.");
            }
            Some(ContentFault::ContentFilter) => {
                message.content = None;
                message.finish_reason = "content_filter";
            }
            Some(ContentFault::EmptyChoices) => message.has_choice = false,
            Some(ContentFault::MalformedContent) => {
                message.content = message.content.map(|content| malformed(&content, draws));
            }
            Some(ContentFault::Length) => {
                let half = message.content.as_ref().map_or(0, String::len) / 2;
                message.stop_after(half);
            }
            Some(ContentFault::UnverifiedQuote | ContentFault::CannotJudge) | None => {}
        }
        message.keep_within(asked.max_tokens);
        message
    }

    /// Ends the content after this many bytes, or just before the character that stands there.
    fn stop_after(&mut self, bytes: usize) {
        if let Some(content) = &mut self.content {
            content.truncate(content.floor_char_boundary(bytes));
            self.finish_reason = "length";
        }
    }

    /// Holds the output limit as a provider does: reasoning counts first.
    fn keep_within(&mut self, max_tokens: Option<u64>) {
        let Some(limit) = max_tokens.filter(|limit| *limit < self.completion_tokens) else { return };
        self.reasoning_tokens = self.reasoning_tokens.min(limit);
        self.completion_tokens = limit;
        let room = usize::try_from(limit - self.reasoning_tokens).unwrap_or(usize::MAX);
        self.stop_after(room.saturating_mul(BYTES_PER_TOKEN));
    }

    /// What the reply is billed for. The prompt cache is always warm, so that bills do not depend on order.
    pub(super) fn usage(&self, asked: &Asked) -> Usage {
        let shared = tokens(asked.static_bytes);
        let cached_tokens = if shared < MIN_CACHED_TOKENS { 0 } else { shared / CACHED_BLOCK * CACHED_BLOCK };
        Usage {
            prompt_tokens: tokens(asked.bytes),
            cached_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
        }
    }

    /// The completion in JSON, as `served` by this model.
    pub(super) fn body(self, served: &str, draws: &Draws, usage: &Usage) -> String {
        let message = json!({"role": "assistant", "content": self.content, "refusal": self.refusal});
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason});
        let choices: Vec<Value> = self.has_choice.then_some(choice).into_iter().collect();
        let id = format!("chatcmpl-{:016x}", draws.bits("id"));
        // A real time would make equal requests give different bytes.
        let body = json!({
            "id": id, "object": "chat.completion", "created": 0, "model": served,
            "system_fingerprint": "fp_rehearsal", "choices": choices,
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            },
        });
        body.to_string()
    }
}

/// Content that is not a verdict, in one of the ways that graders have.
fn malformed(content: &str, draws: &Draws) -> String {
    let half = content.floor_char_boundary(content.len() / 2);
    let ways = [
        "I would say that the marked turn shows it, with some hesitation.".to_owned(),
        content.split_at(half).0.to_owned(),
        content.replace("\"verdict\":\"", "\"verdict\":\"probably_"),
        content.replace("\"score\":", "\"score\":\"high\",\"rank\":"),
    ];
    draws.pick("malformed", &ways).cloned().unwrap_or_default()
}

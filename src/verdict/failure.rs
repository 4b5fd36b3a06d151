//! What a server's error says, as far as an outcome depends on it: the request was too long, or a filter stopped it.

use std::fmt;
use std::sync::LazyLock;

use regex::{RegexSet, RegexSetBuilder};
use serde_json::Value;

/// An error as a server words it. The message may quote the request, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    /// `code`, a number as its digits; empty if there is none.
    pub code: String,
    /// `type`; empty if there is none.
    pub kind: String,
    /// The message; empty if there is none. It may quote the request: do not log it.
    pub message: String,
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({}, {}, {} bytes)", self.code, self.kind, self.message.len())
    }
}

const OVERFLOW_CODES: [&str; 5] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "context_window_exceeded",
    "model_max_prompt_tokens_exceeded",
];

const FILTER_CODES: [&str; 7] = [
    "content_filter",
    "data_inspection_failed",
    "datainspectionfailed",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "invalid_prompt",
    "moderation_blocked",
];

/// How servers without a code say that the request does not fit.
const OVERFLOW_MESSAGES: [&str; 8] = [
    // OpenAI, vLLM, OpenRouter: "This model's maximum context length is 4096 tokens. However, ..."
    r"maximum context length",
    // llama.cpp: "the request exceeds the available context size, try increasing it"
    r"exceeds? the (available |model's )?(context|n_ctx)",
    // SGLang: "The input (9000 tokens) is longer than the model's context length (4096 tokens)."
    r"longer than (the )?(model's |maximum )?(maximum )?(context|model) (length|len|window)",
    // vLLM: "The decoder prompt (length 9000) is longer than the maximum model length of 4096."
    r"prompt \(length [0-9]+\) is (too long|longer)",
    // TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096."
    r"`inputs` (tokens \+ `max_new_tokens` )?must (be <=|have less than)",
    // LM Studio: "Trying to keep the first 5000 tokens when context the overflows."
    r"context (the )?overflows|context window (is )?(exceeded|full)",
    // Anthropic-compatible: "prompt is too long: 210000 tokens > 200000 maximum"; Mistral: "too large for model with ..."
    r"prompt is too long|too large for model with [0-9]+ maximum context",
    // Ollama: "the input length exceeds the context length"
    r"input (length|token count)[^.]{0,40} exceeds",
];

/// How servers without a code, or with one that says something else (403: no permission), say that a filter stopped it.
const FILTER_MESSAGES: [&str; 9] = [
    // Azure: "... triggering Azure OpenAI's content management policy."; Anthropic: "Output blocked by content filtering policy"
    r"content management policy|content[ _-]filter|ContentPolicyViolationError",
    // OpenAI: "Invalid prompt: your prompt was flagged as potentially violating our usage policy."
    r"flagged as potentially violating our usage policy",
    // OpenRouter: 'openai/gpt-5 requires moderation on Azure. Your input was flagged for "violence". No credits were charged.'
    r"requires moderation\b.{0,100}\binput was flagged",
    // xAI: "Content violates usage guidelines. Team: ..., Failed check: SAFETY_CHECK_TYPE_BIO"
    r"content violates usage guidelines",
    // Gemini: "Candidate was blocked due to SAFETY", "blocked for reason: PROHIBITED_CONTENT"
    r"blocked (due to|for reason:?) (SAFETY|PROHIBITED_CONTENT|BLOCKLIST|SPII)\b",
    // Vertex: "The prompt could not be submitted. The prompt contains sensitive words that violate Google's ..."
    r"prompt could not be submitted.{0,100}\bviolate",
    // Model Studio: "Input text data may contain inappropriate content."; Z.ai: "System detected potentially unsafe or ..."
    r"(input|output)( text)? data may contain inappropriate content|detected potentially unsafe or sensitive content in",
    // DeepSeek: "Content Exists Risk"; Moonshot: "The request was rejected because it was considered high risk"
    r"^content exists risk|request was rejected because it was considered high risk",
    // Cloudflare's gateway: "Prompt blocked due to security configurations"
    r"(prompt|response) blocked due to security configurations",
];

fn patterns(patterns: &[&str]) -> RegexSet {
    RegexSetBuilder::new(patterns).case_insensitive(true).build().expect("the list of patterns compiles")
}

static OVERFLOW: LazyLock<RegexSet> = LazyLock::new(|| patterns(&OVERFLOW_MESSAGES));
static FILTER: LazyLock<RegexSet> = LazyLock::new(|| patterns(&FILTER_MESSAGES));

impl ServerError {
    /// The error in a JSON object: under `error` (object or text), or the object itself if it has the form of one.
    pub(super) fn find(object: &Value) -> Option<Self> {
        let of_text = |message: &str| Self { code: String::new(), kind: String::new(), message: message.to_owned() };
        match object.get("error") {
            Some(Value::String(message)) => {
                let kind = text(object, "error_type");
                return Some(Self { kind, ..of_text(message) });
            }
            Some(error @ Value::Object(_)) => return Some(Self::of_object(error)),
            // A falsy or empty `error` beside an answer is no error.
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {}
        }
        if text(object, "object") == "error" {
            return Some(Self::of_object(object));
        }
        let detail = object.get("detail").filter(|_| object.get("choices").is_none())?;
        Some(detail.as_str().map_or_else(|| of_text(&detail.to_string()), of_text))
    }

    fn of_object(error: &Value) -> Self {
        let inner = error.get("innererror").map(|inner| text(inner, "code")).unwrap_or_default();
        let code = text(error, "code");
        Self {
            code: if code.is_empty() { inner } else { code },
            kind: text(error, "type"),
            message: text(error, "message"),
        }
    }

    /// Whether the request does not fit the model's context.
    #[must_use]
    pub fn is_context_overflow(&self) -> bool {
        self.names(&OVERFLOW_CODES) || OVERFLOW.is_match(&self.message)
    }

    /// Whether a content filter stopped the request.
    #[must_use]
    pub fn is_content_filter(&self) -> bool {
        self.names(&FILTER_CODES) || FILTER.is_match(&self.message)
    }

    fn names(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.code.eq_ignore_ascii_case(code) || self.kind.eq_ignore_ascii_case(code))
    }
}

/// A member as text; numbers as their digits.
fn text(object: &Value, name: &str) -> String {
    match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_found_in_every_shape() {
        let code = |value: Value| ServerError::find(&value).map(|error| (error.code, error.message));
        let found = |code: &str, message: &str| Some((code.to_owned(), message.to_owned()));
        assert_eq!(code(json!({"error": {"message": "m", "code": 400}})), found("400", "m"));
        assert_eq!(code(json!({"error": "m"})), found("", "m"));
        assert_eq!(code(json!({"object": "error", "message": "m", "code": 400})), found("400", "m"));
        assert_eq!(code(json!({"detail": "m"})), found("", "m"));
        assert_eq!(code(json!({"choices": [], "error": null})), None);
        assert_eq!(code(json!({"choices": []})), None);
    }

    #[test]
    fn a_lack_of_permission_is_no_filter() {
        for message in [
            "Your account is not allowed to use this model",
            "This model requires moderation to be turned on in your settings",
            "Country, region, or territory not supported",
            "Request blocked due to billing",
            "The caller does not have permission to execute the specified operation",
        ] {
            let error = ServerError::find(&json!({"error": {"message": message, "code": 403}})).unwrap();
            assert!(!error.is_content_filter(), "{message}");
        }
    }

    #[test]
    fn a_wrong_output_limit_is_not_an_overflow() {
        let message = "max_tokens is too large: 100000. This model supports at most 4096 completion tokens.";
        let error = ServerError::find(&json!({"error": {"message": message}})).unwrap();
        assert!(!error.is_context_overflow());
    }
}

//! What a model costs, and the most that one request can cost.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::settings::PriceSetting;
use crate::model::grading::{GradeRequest, NONCE_LENGTH, NONCE_PLACEHOLDER};
use crate::model::money::{NanoUsd, Price, Usage};

/// The price table that is built in: a snapshot with its date and source.
#[derive(Debug, Deserialize)]
pub struct PriceTable {
    /// When the figures were taken.
    pub date: String,
    /// Where they were taken from.
    pub source: String,
    models: BTreeMap<String, DollarsPerMillion>,
}

/// Dollars per million tokens, as people write prices.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct DollarsPerMillion {
    input: f64,
    cached: f64,
    output: f64,
}

/// The price of a model is not known, so a cap could not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no price is known for model `{model}`")]
pub struct UnknownPrice {
    /// The model.
    pub model: String,
}

impl PriceTable {
    /// The built-in table.
    #[must_use]
    pub fn builtin() -> Self {
        toml::from_str(include_str!("prices.toml")).expect("the built-in price table is checked by a test")
    }

    /// The price of `model` under `setting`.
    ///
    /// # Errors
    /// If the setting refers to the table and the table does not list the model.
    pub fn price(&self, setting: PriceSetting, model: &str) -> Result<Price, UnknownPrice> {
        match setting {
            PriceSetting::Free => Ok(Price::FREE),
            PriceSetting::Fixed(price) => Ok(price),
            PriceSetting::Table => {
                let listed = self.models.get(model).ok_or_else(|| UnknownPrice { model: model.to_owned() })?;
                Ok(price_per_token(listed.input, listed.cached, listed.output))
            }
        }
    }
}

/// The price in nano-dollars per token; `input`, `cached` and `output` are dollars per million tokens, rounded up.
#[must_use]
pub fn price_per_token(input: f64, cached: f64, output: f64) -> Price {
    Price { input: nano_per_token(input), cached: nano_per_token(cached), output: nano_per_token(output) }
}

fn nano_per_token(dollars_per_million: f64) -> u64 {
    // 1e-9 absorbs the binary rounding of figures such as 0.025, so that ceil does not add a nano-dollar.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a range that fits")]
    let nano = (dollars_per_million * 1e3 - 1e-9).ceil().clamp(0.0, 1e15) as u64;
    nano
}

/// Tokens that providers add around each message and around the whole request, generously.
const OVERHEAD_PER_MESSAGE: u64 = 16;
const OVERHEAD_PER_REQUEST: u64 = 64;

/// The most prompt tokens a request can be billed for: one token is at least one byte of UTF-8 in every tokenizer.
#[must_use]
pub fn prompt_bound(request: &GradeRequest) -> u64 {
    let text: u64 = request.messages.iter().map(|message| sent_bytes(&message.content) + OVERHEAD_PER_MESSAGE).sum();
    text + request.schema.json.len() as u64 + OVERHEAD_PER_REQUEST
}

/// Bytes of a text once the nonce, which is longer than its placeholder, stands in it.
fn sent_bytes(text: &str) -> u64 {
    let nonces = text.matches(NONCE_PLACEHOLDER).count();
    (text.len() + nonces * NONCE_LENGTH.saturating_sub(NONCE_PLACEHOLDER.len())) as u64
}

/// The names of the output limit: servers heed one of them, and nobody knows which.
const OUTPUT_LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The output limit that parameters state, in tokens: the larger one if there are two, and none if one of them is not a
/// whole number.
#[must_use]
pub fn output_limit(params: &BTreeMap<String, Value>) -> Option<u64> {
    let stated: Option<Vec<u64>> =
        OUTPUT_LIMITS.iter().filter_map(|name| params.get(*name)).map(Value::as_u64).collect();
    stated?.into_iter().max()
}

/// What a request is taken to write at most where it states no limit, as it may where there is no cap: as much as any
/// model can.
const MOST_OUTPUT_TOKENS: u64 = 128 << 10;

/// The most that a request can cost. An audit with a cap states an output limit for every request, so that this is a
/// bound; without a cap and a limit it is what an attempt counts as whose end nobody knows.
#[must_use]
pub fn cost_bound(request: &GradeRequest, price: &Price) -> NanoUsd {
    // A cached token may be dearer than a fresh one only in a mistyped price; the bound holds all the same.
    let dearest = Price { input: price.input.max(price.cached), ..*price };
    let completion_tokens = output_limit(&request.params).unwrap_or(MOST_OUTPUT_TOKENS);
    dearest.cost(&Usage { prompt_tokens: prompt_bound(request), completion_tokens, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::conversation::Role;
    use crate::model::grading::{ApiKind, ChatMessage, ReplySchema, Structured};

    #[test]
    fn the_table_is_readable_and_exact() {
        let table = PriceTable::builtin();
        assert_eq!(table.price(PriceSetting::Table, "gpt-5-mini"), Ok(Price { input: 250, cached: 25, output: 2_000 }));
        assert!(table.price(PriceSetting::Table, "no-such-model").is_err());
        assert_eq!(table.price(PriceSetting::Free, "no-such-model"), Ok(Price::FREE));
        assert!(!table.date.is_empty() && !table.source.is_empty());
    }

    #[test]
    fn prices_round_up() {
        assert_eq!(price_per_token(0.025, 0.000_1, 10.0), Price { input: 25, cached: 1, output: 10_000 });
    }

    #[test]
    fn the_larger_output_limit_counts_and_a_limit_is_a_whole_number() {
        let limit = |params: Value| output_limit(&serde_json::from_value(params).unwrap());
        assert_eq!(limit(json!({"max_completion_tokens": 2_000})), Some(2_000));
        assert_eq!(limit(json!({"max_completion_tokens": 2_000, "max_tokens": 8_000})), Some(8_000));
        assert_eq!(limit(json!({"max_completion_tokens": 2_000, "max_tokens": "8k"})), None);
        assert_eq!(limit(json!({"max_tokens": 2_000.5})), None);
        assert_eq!(limit(json!({"temperature": 0})), None);
    }

    #[test]
    fn the_prompt_bound_covers_what_is_sent() {
        let content = format!("{}\nhello", format!("⟦{NONCE_PLACEHOLDER} M1 user/final⟧\n").repeat(100));
        let request = GradeRequest {
            api: ApiKind::Chat,
            model: String::new(),
            messages: vec![ChatMessage { role: Role::User, content: content.clone() }],
            schema: ReplySchema { name: String::new(), json: String::new() },
            structured: Structured::Prompt,
            params: BTreeMap::new(),
            revision: String::new(),
            repeat: 0,
            retry: 0,
            epoch: String::new(),
        };
        let sent = crate::prompt::with_nonce(&content, &"0".repeat(NONCE_LENGTH));
        assert!(prompt_bound(&request) >= sent.len() as u64, "{} bytes are sent", sent.len());
    }

    #[test]
    fn the_bound_covers_reasoning_and_a_cached_token_that_is_dearer_than_a_fresh_one() {
        let request = |text: &str| GradeRequest {
            api: ApiKind::Chat,
            model: String::new(),
            messages: vec![ChatMessage { role: Role::User, content: text.to_owned() }],
            schema: ReplySchema { name: String::new(), json: String::new() },
            structured: Structured::Prompt,
            params: serde_json::from_value(json!({ "max_completion_tokens": 100 })).unwrap(),
            revision: String::new(),
            repeat: 0,
            retry: 0,
            epoch: String::new(),
        };
        let text = "a".repeat(1_000);
        for price in [Price { input: 10, cached: 1, output: 50 }, Price { input: 10, cached: 30, output: 50 }] {
            for cached_tokens in [0, 1_000] {
                let worst =
                    Usage { prompt_tokens: 1_000, cached_tokens, completion_tokens: 100, reasoning_tokens: 100 };
                assert!(price.cost(&worst) <= cost_bound(&request(&text), &price), "{price:?} {cached_tokens}");
            }
        }
    }
}

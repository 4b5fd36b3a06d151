//! What a model costs, and the most that one request can cost.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::provider::Provider;
use super::settings::PriceSetting;
use crate::model::grading::{GradeRequest, NONCE_LENGTH, NONCE_PLACEHOLDER};
use crate::model::money::{LongPrice, NanoUsd, Price};

/// One provider's price table, built in: a snapshot with its date and source.
#[derive(Debug, Deserialize)]
pub struct PriceTable {
    /// When the figures were taken.
    pub date: String,
    /// Where they were taken from.
    pub source: String,
    models: BTreeMap<String, Row>,
}

/// Dollars per million tokens, as people write prices.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    cached: f64,
    output: f64,
    /// What a whole request costs whose prompt is long.
    long: Option<LongRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongRow {
    above: u64,
    input: f64,
    cached: f64,
    output: f64,
}

/// The price of a model is not known, so a cap could not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPrice {
    /// The provider's table does not list it.
    #[error("no price is known for model `{model}`{}", whose(*provider))]
    Model {
        /// The model.
        model: String,
        /// Whose table was looked in.
        provider: Provider,
    },
    /// The endpoint is no provider's own, and models of one name have different prices.
    #[error("no price is known for model `{model}`: its endpoint is not one whose prices are built in")]
    Endpoint {
        /// The model.
        model: String,
    },
}

/// Whose model it would be; a rehearsal's is nobody's.
fn whose(provider: Provider) -> String {
    if provider == Provider::Rehearsal { String::new() } else { format!(" of {}", provider.as_str()) }
}

impl UnknownPrice {
    /// What to write into the audit file.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Model { .. } => {
                "state `price = { input = ..., cached = ..., output = ... }`, in dollars per million tokens, or \
                 `price = \"free\"` for its endpoint"
            }
            Self::Endpoint { .. } => {
                "state `price = { input = ..., cached = ..., output = ... }`, in dollars per million tokens, for its \
                 endpoint; or `price = \"free\"`; or, if it bills as a provider does, that provider, as in \
                 `price = \"openai\"`"
            }
        }
    }
}

impl PriceTable {
    /// The table of a provider.
    #[must_use]
    pub fn of(provider: Provider) -> Self {
        toml::from_str(provider.table()).expect("the built-in price tables are checked by a test")
    }

    fn get(&self, model: &str) -> Option<Price> {
        let row = self.models.get(model)?;
        let mut price = price_per_token(row.input, row.cached, row.output);
        price.long = row.long.map(|long| {
            let Price { input, cached, output, long: _ } = price_per_token(long.input, long.cached, long.output);
            LongPrice { above: long.above, input, cached, output }
        });
        Some(price)
    }
}

/// The price of `model` under `setting`.
///
/// # Errors
/// If the setting refers to a table that does not list the model, or to none.
pub fn price_of(setting: PriceSetting, model: &str) -> Result<Price, UnknownPrice> {
    let provider = match setting {
        PriceSetting::Free => return Ok(Price::FREE),
        PriceSetting::Fixed(price) => return Ok(price),
        PriceSetting::Table(Some(provider)) => provider,
        PriceSetting::Table(None) => return Err(UnknownPrice::Endpoint { model: model.to_owned() }),
    };
    let listed = PriceTable::of(provider).get(model);
    let rehearsed = || PriceTable::of(Provider::OpenAi).get(model).filter(|_| provider == Provider::Rehearsal);
    listed.or_else(rehearsed).ok_or_else(|| UnknownPrice::Model { model: model.to_owned(), provider })
}

/// The price in nano-dollars per token; `input`, `cached` and `output` are dollars per million tokens, rounded up.
#[must_use]
pub fn price_per_token(input: f64, cached: f64, output: f64) -> Price {
    Price::flat(nano_per_token(input), nano_per_token(cached), nano_per_token(output))
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
    let text: u64 = request.messages.iter().map(|message| message_bound(&message.content)).sum();
    text + request.schema.json.len() as u64 + OVERHEAD_PER_REQUEST
}

/// The most prompt tokens that one message adds.
#[must_use]
pub(super) fn message_bound(content: &str) -> u64 {
    sent_bytes(content) + OVERHEAD_PER_MESSAGE
}

/// Bytes of a text once the nonce, which is longer than its placeholder, stands in it.
fn sent_bytes(text: &str) -> u64 {
    // Only placeholders hold NUL, two each, and counting bytes is many times faster than a search.
    let nonces = text.bytes().filter(|byte| *byte == 0).count().div_ceil(2);
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

/// The most that a request with these parameters can cost, if its prompt has `prompt_tokens` at most. An audit with a
/// cap states an output limit for every request, so that this is a bound; without a cap and a limit it is what an
/// attempt counts as whose end nobody knows.
#[must_use]
pub fn cost_bound(prompt_tokens: u64, params: &BTreeMap<String, Value>, price: &Price) -> NanoUsd {
    price.bound(prompt_tokens, output_limit(params).unwrap_or(MOST_OUTPUT_TOKENS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::conversation::Role;
    use crate::model::grading::{ApiKind, ChatMessage, ReplySchema, Structured};

    fn listed(provider: Provider, model: &str) -> Result<Price, UnknownPrice> {
        price_of(PriceSetting::Table(Some(provider)), model)
    }

    #[test]
    fn every_table_is_readable_dated_and_never_cheaper_for_long_prompts() {
        for provider in Provider::ALL {
            let table = PriceTable::of(provider);
            assert!(!table.date.is_empty() && !table.source.is_empty(), "{provider:?}");
            for model in table.models.keys() {
                let price = table.get(model).unwrap();
                assert!(price.input > 0 && price.output > 0 && price.cached <= price.input, "{provider:?} {model}");
                if let Some(long) = price.long {
                    assert!(long.above >= 100_000, "{provider:?} {model}");
                    assert!(long.input >= price.input && long.output >= price.output, "{provider:?} {model}");
                }
            }
        }
    }

    #[test]
    fn a_name_has_the_price_of_its_provider_and_of_nobody_else() {
        assert_eq!(listed(Provider::OpenAi, "gpt-5-mini"), Ok(Price::flat(250, 25, 2_000)));
        assert_eq!(listed(Provider::Rehearsal, "gpt-5-mini"), Ok(Price::flat(250, 25, 2_000)));
        assert_eq!(listed(Provider::Groq, "openai/gpt-oss-120b"), Ok(Price::flat(150, 75, 600)));
        for (provider, model) in [(Provider::Groq, "gpt-5-mini"), (Provider::OpenAi, "openai/gpt-oss-120b")] {
            let unknown = UnknownPrice::Model { model: model.to_owned(), provider };
            assert_eq!(listed(provider, model), Err(unknown));
        }
        let nobody = price_of(PriceSetting::Table(None), "gpt-5-mini").unwrap_err();
        assert!(nobody.hint().contains("price = \"openai\""), "{}", nobody.hint());
        assert_eq!(price_of(PriceSetting::Free, "no-such-model"), Ok(Price::FREE));
    }

    #[test]
    fn prices_round_up() {
        assert_eq!(price_per_token(0.025, 0.000_1, 10.0), Price::flat(25, 1, 10_000));
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
        for price in [Price::flat(10, 1, 50), Price::flat(10, 30, 50)] {
            for cached_tokens in [0, 1_000] {
                let worst = crate::model::money::Usage {
                    prompt_tokens: 1_000,
                    cached_tokens,
                    completion_tokens: 100,
                    reasoning_tokens: 100,
                };
                let request = request(&text);
                let bound = cost_bound(prompt_bound(&request), &request.params, &price);
                assert!(price.cost(&worst) <= bound, "{price:?} {cached_tokens}");
            }
        }
    }
}

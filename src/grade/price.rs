//! What a model costs, and the most that one request can cost.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::settings::PriceSetting;
use crate::model::grading::GradeRequest;
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
    let text: u64 = request.messages.iter().map(|message| message.content.len() as u64 + OVERHEAD_PER_MESSAGE).sum();
    text + request.schema.json.len() as u64 + OVERHEAD_PER_REQUEST
}

/// The output limit that a request states, in tokens.
#[must_use]
pub fn output_limit(request: &GradeRequest) -> Option<u64> {
    ["max_completion_tokens", "max_tokens"].iter().find_map(|name| request.params.get(*name)?.as_u64())
}

/// The most that a request can cost; `None` if it states no output limit and is not free.
#[must_use]
pub fn cost_bound(request: &GradeRequest, price: &Price) -> Option<NanoUsd> {
    if *price == Price::FREE {
        return Some(NanoUsd::ZERO);
    }
    // A cached token may be dearer than a fresh one only in a mistyped price; the bound holds all the same.
    let dearest = Price { input: price.input.max(price.cached), ..*price };
    let completion_tokens = output_limit(request)?;
    Some(dearest.cost(&Usage { prompt_tokens: prompt_bound(request), completion_tokens, ..Usage::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

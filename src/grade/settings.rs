//! Endpoints and graders, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::command::CommandSettings;
use super::provider::Provider;
use super::recorded::RecordedSettings;
use super::slots::AUTO_CEILING;
use crate::clock::UnixMs;
use crate::model::grading::{ApiKind, PromptLabel, Structured};
use crate::model::money::{NanoUsd, Price};
use crate::model::repeats::Repeats;
use crate::model::stop::StopWhen;
use crate::prompt::WindowSettings;

/// Where an API key comes from.
#[derive(Debug, Clone)]
pub enum KeySetting {
    /// None is sent.
    NoKey,
    /// Found in the environment; an empty key counts as none.
    Value(SecretString),
    /// The named variable is not set: an error as soon as something must be sent, not before.
    Missing {
        /// The variable's name.
        variable: String,
    },
    /// Printed by a command, run when the first request is sent.
    Command(Vec<String>),
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceSetting {
    /// The dated table of a provider; `None` where the endpoint is no provider's own and the audit names none.
    Table(Option<Provider>),
    /// Nothing is charged.
    Free,
    /// Stated in the audit file.
    Fixed(Price),
}

/// How many requests may be in flight at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as the server serves well, up to [`AUTO_CEILING`].
    Auto,
    /// This many, at least one.
    Fixed(u32),
}

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            number => number.parse().map(Self::Fixed).map_err(|_| "expects `auto` or a whole number from 1".to_owned()),
        }
    }
}

impl Concurrency {
    /// The most that can be in flight.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::Auto => AUTO_CEILING,
            Self::Fixed(0) => 1,
            Self::Fixed(count) => count,
        }
    }
}

/// One `[endpoint.NAME]`.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// Its name.
    pub name: String,
    /// How it is talked to.
    pub api: ApiKind,
    /// Base URL, without a trailing slash; empty for `rehearsal` and `command`, which are served by us on loopback,
    /// and for `recorded`, where nobody is talked to.
    pub base_url: String,
    /// The key.
    pub key: KeySetting,
    /// Further headers.
    pub headers: BTreeMap<String, SecretString>,
    /// How replies are held to the schema.
    pub structured: Structured,
    /// Prices.
    pub price: PriceSetting,
    /// Requests per minute, if limited.
    pub max_requests_per_minute: Option<u32>,
    /// Tokens per minute, if limited.
    pub max_tokens_per_minute: Option<u32>,
    /// Requests in flight at once.
    pub max_concurrency: Concurrency,
    /// How long one attempt may take.
    pub request_timeout: Duration,
    /// How long all attempts for one candidate may take.
    pub item_deadline: Duration,
    /// For `api = "rehearsal"`: the profile file; built-in defaults without one.
    pub rehearsal: Option<PathBuf>,
    /// For `api = "command"`: the program.
    pub command: Option<CommandSettings>,
    /// For `api = "recorded"`: the file of verdicts.
    pub recorded: Option<RecordedSettings>,
}

/// What happens when a stage turns out to be served by a second model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnModelChange {
    /// The run stops and says so; everything is kept.
    #[default]
    Stop,
    /// The run goes on; each model is counted apart, and no rate pools them.
    Split,
}

/// One grading stage: `[grader.screen]` or `[grader.confirm]`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraderSettings {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The model asked for.
    pub model: String,
    /// Part of the key; for servers that serve new weights under an old name.
    pub revision: String,
    /// The prompt version.
    pub prompt: PromptLabel,
    /// Sampling parameters over those of the prompt file.
    pub params: BTreeMap<String, Value>,
    /// Parameters of the one further attempt after a truncated reply; empty for none.
    pub on_truncated: BTreeMap<String, Value>,
    /// What the grader sees; over the prompt file's `context`.
    pub window: Option<WindowSettings>,
    /// When a second model is served.
    pub on_model_change: OnModelChange,
    /// Which units are asked about again, if any.
    pub repeats: Option<Repeats>,
}

/// `[budget]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetSettings {
    /// Most that this audit may spend, over all stages, resumes and reruns.
    pub max_cost: Option<NanoUsd>,
    /// Who states it: a flag, a variable or the audit file.
    pub max_cost_from: String,
    /// Most that all audits of the workspace together may spend.
    pub max_cost_total: Option<NanoUsd>,
    /// When admission closes.
    pub deadline: Option<UnixMs>,
    /// Largest share of admitted units without a usable verdict that still counts as complete.
    pub max_ungraded: f64,
    /// When admission closes because enough is known; off by default.
    pub stop_when: Option<StopWhen>,
}

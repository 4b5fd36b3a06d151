//! Checks over the wire: one `GET /models` per endpoint, one small question per grader.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::reply;
use super::{Check, Expense, Health, Visit};
use crate::clock::UnixMs;
use crate::grade::command::CommandServer;
use crate::grade::http::{Endpoint, NoAnswer, Probed};
use crate::grade::price::{cost_bound, output_limit, prompt_bound};
use crate::grade::settings::{EndpointSettings, KeySetting};
use crate::model::behaviour::Behaviour;
use crate::model::conversation::{Conversation, Message, Role};
use crate::model::event::Seen;
use crate::model::grading::{ApiKind, GradeRequest, NONCE_LENGTH, Stage};
use crate::model::money::{NanoUsd, Price};
use crate::model::unit::UnitKind;
use crate::rehearse::{self, RehearsalSettings, Server, Truth};
use crate::run::assemble::Stand;
use crate::run::recorded::Prompted;

/// A reply of this many tokens is enough to see that there is one; the audit's own limit where that is lower.
const OUTPUT_TOKENS: u64 = 2_000;
/// Clocks further apart than this make deadlines and rate windows wrong.
const MOST_SKEW: Duration = Duration::from_secs(30);

/// The small question of one grader: the audit's own prompt and schema, about a conversation of two lines.
#[derive(Debug)]
pub(super) struct Question {
    /// Position of its grader.
    pub(super) stand: usize,
    pub(super) stage: Stage,
    pub(super) conversation: Conversation,
    pub(super) seen: Seen,
    pub(super) unit: UnitKind,
    request: GradeRequest,
    pub(super) price: Price,
}

impl Question {
    /// The question of a grader, if its prompt asks about so short a conversation at all.
    pub(super) fn of(_behaviour: &Behaviour, stand: &Stand, position: usize) -> Option<Self> {
        let conversation = Conversation {
            id: "doctor".to_owned(),
            messages: vec![
                Message::text(Role::User, "What is the capital of France?"),
                Message::text(Role::Assistant, "Paris."),
            ],
            metadata: BTreeMap::new(),
        };
        let Prompted { questioner, .. } = stand.asks.prompted()?;
        let unit = questioner.unit();
        let turn = unit.is_turn().then_some(1);
        let asked = match questioner.question(&conversation, turn, &mut crate::prompt::Buffers::default()) {
            crate::prompt::Question::Ask(asked) => asked,
            crate::prompt::Question::Chunks { .. } | crate::prompt::Question::CannotJudge(_) => return None,
        };
        let (messages, seen) = (questioner.messages(&asked), asked.seen);
        let request = GradeRequest {
            api: stand.endpoint.api,
            model: stand.settings.model.clone(),
            messages,
            schema: questioner.schema().clone(),
            structured: stand.endpoint.structured,
            params: limited(&stand.params),
            revision: stand.settings.revision.clone(),
            repeat: 0,
            retry: 0,
            epoch: "doctor".to_owned(),
        };
        Some(Self { stand: position, stage: stand.stage, conversation, seen, unit, request, price: stand.price })
    }

    /// The most that it can cost.
    pub(super) fn bound(&self) -> NanoUsd {
        cost_bound(prompt_bound(&self.request), &self.request.params, &self.price)
    }

    /// What makes two questions the same.
    pub(super) fn identity(&self) -> (String, String) {
        (self.request.model.clone(), self.stage.as_str().to_owned())
    }
}

/// The parameters with an output limit of at most [`OUTPUT_TOKENS`].
fn limited(params: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut params = params.clone();
    let limit = output_limit(&params).unwrap_or(OUTPUT_TOKENS).min(OUTPUT_TOKENS);
    let names: Vec<&str> =
        ["max_completion_tokens", "max_tokens"].into_iter().filter(|name| params.contains_key(*name)).collect();
    for name in if names.is_empty() { vec!["max_completion_tokens"] } else { names } {
        params.insert(name.to_owned(), limit.into());
    }
    params
}

impl Visit {
    /// Sends what [`Visit::bound`] announced, at most once each, and adds what it shows. Returns what was sent and what it
    /// cost, unknown ends at their bound.
    pub async fn send(&mut self) -> Expense {
        let mut sent = Expense::default();
        for name in std::mem::take(&mut self.endpoints) {
            let Some(settings) = self.audit.endpoints.get(&name).cloned() else { continue };
            if matches!(settings.key, KeySetting::Missing { .. }) {
                continue;
            }
            match Opened::open(settings).await {
                Ok(opened) => {
                    self.visit(&opened, &mut sent).await;
                    opened.close().await;
                }
                Err(check) => self.checks.push(check),
            }
        }
        sent
    }

    /// What the server says of its models; the check that it does not answer otherwise.
    async fn greet(&mut self, opened: &Opened) -> Result<Probed, Check> {
        let name = &opened.settings.name;
        let about = format!("{name} endpoint");
        match opened.endpoint.probe_models().await {
            Ok(answer) => {
                self.checks.push(Check::ok(&about, format!("`{}` answers", opened.settings.base_url)));
                self.checks.extend(clock(name, &answer));
                Ok(answer)
            }
            Err(missing) => Err(Check::new(&about, Health::Unusable, opened.no_answer(missing).await)
                .fixed_by("check `base_url`, the network and, for a server of your own, that it runs")),
        }
    }

    async fn visit(&mut self, opened: &Opened, sent: &mut Expense) {
        let name = &opened.settings.name;
        // A program lists no models, has our clock, and is there once it has replied.
        let mut listed = None;
        if opened.settings.command.is_none() {
            sent.requests += 1;
            match self.greet(opened).await {
                Ok(answer) => listed = Some(answer),
                Err(check) => {
                    self.checks.push(check);
                    return;
                }
            }
        }
        let questions = std::mem::take(&mut self.questions);
        for question in &questions {
            let Some(stand) = self.stands.get(question.stand).filter(|stand| stand.endpoint.name == *name) else {
                continue;
            };
            let Some(behaviour) = &self.behaviour else { continue };
            sent.requests += 1;
            let nonce = "0".repeat(NONCE_LENGTH);
            match opened.endpoint.probe_chat(&question.request, &nonce).await {
                Ok(Ok(answer)) => {
                    let (checks, cost) = reply::read_answer(stand, question, behaviour, &answer);
                    let is_served = checks.first().is_some_and(|check| check.health == Health::Ok);
                    self.checks.extend(listed.as_ref().map(|listed| reply::listed(stand, listed, is_served)));
                    self.checks.extend(checks);
                    sent.cost += cost;
                }
                Ok(Err(missing)) => {
                    let about = format!("{} reply", question.stage.as_str());
                    let says = opened.no_answer(missing).await;
                    self.checks.push(Check::new(&about, Health::Unusable, says));
                    sent.cost += if missing == NoAnswer::NotConnected { NanoUsd::ZERO } else { question.bound() };
                }
                Err(error) => self.checks.push(Check::new("request", Health::Failed, error.to_string())),
            }
        }
        self.questions = questions;
    }
}

/// An endpoint that can be spoken to; a simulated grader is started for it.
struct Opened {
    settings: EndpointSettings,
    endpoint: Endpoint,
    server: Option<Server>,
    /// Held for as long as it is spoken to.
    _command: Option<CommandServer>,
}

impl Opened {
    async fn open(mut settings: EndpointSettings) -> Result<Self, Check> {
        let about = format!("{} endpoint", settings.name);
        let failed = |error: String| Check::new(&about, Health::Failed, error);
        let server = match settings.api {
            ApiKind::Chat | ApiKind::Command | ApiKind::Recorded => None,
            ApiKind::Rehearsal => {
                let profile = settings.rehearsal.as_deref().map(RehearsalSettings::open).transpose();
                let profile = profile.map_err(|error| failed(error.to_string()))?.unwrap_or_default();
                let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let server = rehearse::start(&profile, Truth::default(), loopback).await;
                Some(server.map_err(|error| failed(error.to_string()))?)
            }
        };
        if let Some(server) = &server {
            settings.base_url = server.base_url();
        }
        let command = match settings.command.clone() {
            None => None,
            Some(command) => Some(CommandServer::start(command).await.map_err(|error| failed(error.to_string()))?),
        };
        if let Some(command) = &command {
            (settings.base_url, settings.key) = (command.base_url(), KeySetting::Value(command.key()));
        }
        let endpoint = Endpoint::new(&settings).map_err(|error| failed(error.to_string()))?;
        if let Err(error) = endpoint.authorise().await {
            return Err(Check::new(&format!("{} key", settings.name), Health::Unusable, error.to_string()));
        }
        Ok(Self { settings, endpoint, server, _command: command })
    }

    async fn no_answer(&self, missing: NoAnswer) -> String {
        match missing {
            NoAnswer::NoSuchHost
            | NoAnswer::Refused
            | NoAnswer::Tls
            | NoAnswer::NotConnected
            | NoAnswer::ConnectTimedOut => self.endpoint.obstacle().await.to_string(),
            NoAnswer::TimedOut => {
                format!("no answer within the request timeout of {} s", self.settings.request_timeout.as_secs())
            }
            NoAnswer::NotText => "the answer is not text".to_owned(),
            NoAnswer::Broken | NoAnswer::Cut => "the connection broke before the answer was whole".to_owned(),
            NoAnswer::TooLarge => "the answer is larger than any reply".to_owned(),
        }
    }

    async fn close(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// The server's clock against ours. Its date has whole seconds, so one second apart is none.
fn clock(endpoint: &str, answer: &Probed) -> Option<Check> {
    Some(skew(&format!("{endpoint} clock"), answer.date?, answer.received))
}

fn skew(about: &str, theirs: UnixMs, ours: UnixMs) -> Check {
    let (ahead, behind) = (theirs.since(ours), ours.since(theirs));
    let apart = ahead.max(behind).as_secs();
    if ahead.max(behind) <= MOST_SKEW {
        return Check::ok(about, "agrees with ours");
    }
    let which = if ahead > behind { "behind" } else { "ahead of" };
    Check::new(about, Health::Warning, format!("ours is {apart} s {which} the server's"))
        .fixed_by("set the clock of this machine: deadlines and rate limits go by it")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        let check = |theirs, ours| skew("clock", UnixMs(theirs), UnixMs(ours));
        assert_eq!(check(100_000, 100_900).health, Health::Ok);
        assert_eq!(check(100_000, 130_000).health, Health::Ok);
        let behind = check(200_000, 100_000);
        assert_eq!((behind.health, behind.says.as_str()), (Health::Warning, "ours is 100 s behind the server's"));
        assert_eq!(check(100_000, 200_000).says, "ours is 100 s ahead of the server's");
    }

    #[test]
    fn a_visit_writes_little() {
        let params = |value: Value| -> BTreeMap<String, Value> { serde_json::from_value(value).unwrap() };
        let limit = |value| output_limit(&limited(&params(value)));
        assert_eq!(limit(json!({})), Some(OUTPUT_TOKENS));
        assert_eq!(limit(json!({"max_tokens": 64})), Some(64));
        assert_eq!(limit(json!({"max_completion_tokens": 9_000, "max_tokens": 8_000})), Some(OUTPUT_TOKENS));
        assert_eq!(limited(&params(json!({"max_tokens": 64}))).len(), 1, "servers refuse names that they do not know");
    }
}

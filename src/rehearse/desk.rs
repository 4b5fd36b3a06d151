//! One request's way through the simulated grader.

use std::io;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse, Json, Response};
use futures_util::stream::{self, StreamExt};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::{Answer, Grader};
use super::completion::tokens;
use super::draw::Draws;
use super::faults::{AttemptFault, ContentFault, EarlyFault, LateFault};
use super::limits::{Limits, retry_after};
use super::problem::Problem;
use super::request::{Asked, KEY_HEADER, identity};
use super::server::NewLimits;
use super::settings::RehearsalSettings;
use super::stats::Ledger;
use super::truth::Truth;
use super::wire::Line;

/// Everything that requests share.
pub(super) struct Desk {
    settings: RehearsalSettings,
    truth: Truth,
    /// Whoever operates the server may change them at any time.
    limits: RwLock<Limits>,
    stopped: watch::Receiver<bool>,
    pub(super) ledger: Ledger,
}

/// What goes back to the client, as statistics see it.
enum Sent {
    /// A whole chat completion.
    Completion(Response),
    /// An error, or a reply that no client can use.
    Other(Response),
    /// Nothing: the connection is cut as soon as the empty response is written.
    Nothing,
}

impl Desk {
    pub(super) fn new(settings: RehearsalSettings, truth: Truth, stopped: watch::Receiver<bool>) -> Self {
        let limits = RwLock::new(Limits::new(&settings, Instant::now()));
        Self { settings, truth, limits, stopped, ledger: Ledger::default() }
    }

    /// Replaces the limits; the new buckets are full.
    pub(super) fn limit(&self, per_minute: NewLimits) {
        let NewLimits { requests_per_minute, tokens_per_minute } = per_minute;
        let settings = RehearsalSettings { requests_per_minute, tokens_per_minute, ..RehearsalSettings::default() };
        let fresh = Limits::new(&settings, Instant::now());
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// The longest time that a reply takes.
    pub(super) fn max_latency(&self) -> Duration {
        Duration::from_millis(self.settings.latency_ms.saturating_add(self.settings.latency_jitter_ms))
    }

    /// `GET /v1/models`.
    pub(super) fn models(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        self.check_key(headers)?;
        let mut names: Vec<_> = self.settings.models.iter().map(String::as_str).collect();
        if names.is_empty() {
            names.push("rehearsal");
            names.extend(self.settings.model.keys().map(String::as_str));
        }
        let model = |name| json!({"id": name, "object": "model", "created": 0, "owned_by": "assize"});
        let list: Vec<_> = names.into_iter().map(model).collect();
        Ok(Json(json!({"object": "list", "data": list})).into_response())
    }

    /// `POST /v1/chat/completions`.
    pub(super) async fn complete(&self, line: &Line, headers: &HeaderMap, body: &[u8]) -> Response {
        let in_flight = self.ledger.begin();
        let sent = match self.read(headers, body) {
            Ok(asked) => self.answer(&asked, (headers.get(KEY_HEADER), in_flight.number()), body).await,
            Err(problem) => Sent::Other(problem.into_response()),
        };
        let mut response = match sent {
            Sent::Completion(response) => {
                self.ledger.reply(response.status().as_u16(), true);
                response
            }
            Sent::Other(response) => {
                self.ledger.reply(response.status().as_u16(), false);
                response
            }
            Sent::Nothing => {
                line.cut();
                Response::default()
            }
        };
        let id = HeaderValue::try_from(format!("req-rehearsal-{}", in_flight.number()));
        response.headers_mut().insert("x-request-id", id.expect("letters and digits are a header value"));
        response
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(key) = &self.settings.api_key else { return Ok(()) };
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if sent == Some(key.expose_secret().as_bytes()) { Ok(()) } else { Err(Problem::WrongKey) }
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Problem> {
        self.check_key(headers)?;
        let asked = Asked::parse(body).map_err(Problem::NotARequest)?;
        let models = &self.settings.models;
        if !models.is_empty() && !models.contains(&asked.model) {
            return Err(Problem::NoSuchModel(asked.model));
        }
        let tokens = tokens(asked.bytes);
        match self.settings.context_tokens {
            Some(limit) if tokens > limit => Err(Problem::TooLong { tokens, limit }),
            Some(_) | None => Ok(asked),
        }
    }

    async fn answer(&self, asked: &Asked, (key, number): (Option<&HeaderValue>, u64), body: &[u8]) -> Sent {
        let nonce = asked.transcript().map(|fenced| fenced.nonce).filter(|_| !self.settings.askings_differ);
        let identity = identity(body, nonce);
        let key = key.map_or(identity.as_bytes().as_slice(), HeaderValue::as_bytes);
        let attempt = self.ledger.attempt(identity);
        let late = match self.settings.faults.of_attempt(self.settings.seed, key, attempt) {
            Some(AttemptFault::Early(fault)) => return self.fail(fault),
            Some(AttemptFault::Late(fault)) => Some(fault),
            None => None,
        };
        let draws = Draws::about(self.settings.seed, &[asked.model.as_bytes(), key]);
        let grader = Grader {
            truth: &self.truth,
            accuracy: self.settings.accuracy(
                &asked.model,
                number.saturating_sub(1),
                self.settings.is_swayed(&asked.instructions),
            ),
            suspected_share: self.settings.suspected_share,
            obeys: &self.settings.obeys,
            served: self.settings.served_model.as_deref().unwrap_or(&asked.model),
        };
        let answer = grader.answer(asked, &draws, self.settings.faults.of_content(&draws));
        let tokens = answer.usage.prompt_tokens + answer.usage.completion_tokens;
        let limits = || self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let admission = limits().admit(tokens, Instant::now());
        if let Some(wait) = admission.wait {
            return Sent::Other(try_later(Problem::RateLimited, wait, admission.headers));
        }
        self.record(&answer, late);
        self.work(&draws, attempt).await;
        let mut sent = self.deliver(answer.body, late).await;
        sent.add(admission.headers);
        sent
    }

    /// Fails before any work is done.
    fn fail(&self, fault: EarlyFault) -> Sent {
        self.ledger.fault(fault.as_str());
        let hint = Duration::from_millis(self.settings.retry_after_ms);
        Sent::Other(match fault {
            EarlyFault::RateLimited => try_later(Problem::RateLimited, hint, HeaderMap::new()),
            EarlyFault::InsufficientQuota => Problem::NoQuota.into_response(),
            EarlyFault::ServerError => Problem::ServerError.into_response(),
            EarlyFault::Unavailable => try_later(Problem::Overloaded, hint, HeaderMap::new()),
            EarlyFault::MalformedBody => Html("<!doctype html><title>Welcome</title><p>Sign in.").into_response(),
            EarlyFault::ErrorIn200 => Json(Problem::ServerError.json()).into_response(),
        })
    }

    /// Bills the work and counts what is odd about its result.
    fn record(&self, answer: &Answer, late: Option<LateFault>) {
        let is_billed = match late {
            Some(LateFault::Reset | LateFault::Hang) => self.settings.billed_on_reset,
            Some(LateFault::TruncatedBody) | None => true,
        };
        if is_billed {
            self.ledger.bill(&answer.usage);
        }
        for name in answer.fault.map(ContentFault::as_str).into_iter().chain(late.map(LateFault::as_str)) {
            self.ledger.fault(name);
        }
    }

    /// Takes as long as the profile says.
    async fn work(&self, draws: &Draws, attempt: u32) {
        let jitter = draws.between(&format!("latency {attempt}"), 0, self.settings.latency_jitter_ms);
        let latency = Duration::from_millis(self.settings.latency_ms.saturating_add(jitter));
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// Sends a reply, or loses it on the way.
    async fn deliver(&self, body: String, late: Option<LateFault>) -> Sent {
        match late {
            None => Sent::Completion(as_json(Body::from(body))),
            Some(LateFault::TruncatedBody) => Sent::Other(cut_in_half(body)),
            Some(LateFault::Reset) => Sent::Nothing,
            Some(LateFault::Hang) => {
                // An error means that the server was dropped. A client that gives up ends this future as well.
                self.stopped.clone().wait_for(|stopped| *stopped).await.ok();
                Sent::Nothing
            }
        }
    }
}

impl Sent {
    fn add(&mut self, headers: HeaderMap) {
        match self {
            Self::Completion(response) | Self::Other(response) => response.headers_mut().extend(headers),
            Self::Nothing => {}
        }
    }
}

fn as_json(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn try_later(problem: Problem, wait: Duration, mut headers: HeaderMap) -> Response {
    retry_after(wait, &mut headers);
    let mut response = problem.into_response();
    response.headers_mut().extend(headers);
    response
}

/// Promises the whole body, sends half of it, and breaks.
fn cut_in_half(body: String) -> Response {
    let promised = body.len();
    let half = Bytes::from(body).slice(..promised / 2);
    let breaks = async {
        // The first half is written out while this waits for its next turn.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    let halves = stream::iter([Ok(half)]).chain(stream::once(breaks));
    let mut response = as_json(Body::from_stream(halves));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(promised));
    response
}

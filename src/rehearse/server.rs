//! The simulated grader as a server: starting, routes, stopping.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::desk::Desk;
use super::problem::Problem;
use super::settings::RehearsalSettings;
use super::stats::Stats;
use super::truth::Truth;
use super::wire::{BreakableListener, Line};

/// Largest request body.
const MAX_BODY_BYTES: usize = 64 << 20;

/// How long stopping waits for clients, beyond the latency of the replies under way.
const GRACE: Duration = Duration::from_secs(5);

/// Why the simulated grader could not start.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    /// It serves nobody but this machine.
    #[error("`{0}` is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address could not be listened on.
    #[error("the simulated grader could not listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
}

/// A running simulated grader. Dropping it stops it without waiting for replies under way.
pub struct Server {
    address: SocketAddr,
    desk: Arc<Desk>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

/// Starts a simulated grader on a loopback address; port 0 takes a free one. Must be called within a tokio runtime.
///
/// # Errors
/// If the address is not loopback or cannot be listened on.
pub async fn start(settings: &RehearsalSettings, truth: Truth, address: SocketAddr) -> Result<Server, RehearseError> {
    if !address.ip().is_loopback() {
        return Err(RehearseError::NotLoopback(address));
    }
    let refused = |source| RehearseError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let (stop, mut stopped) = watch::channel(false);
    let desk = Arc::new(Desk::new(settings.clone(), truth, stopped.clone()));
    let service = routes(Arc::clone(&desk)).into_make_service_with_connect_info::<Line>();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let until_stopped = async move {
            // An error means that the server was dropped, which is as good as a word.
            stopped.wait_for(|stopped| *stopped).await.ok();
        };
        let serve = axum::serve(BreakableListener(listener), service).with_graceful_shutdown(until_stopped);
        // Its type allows an error; the accept loop retries and returns only when told to stop.
        serve.await.ok();
    });
    Ok(Server { address, desk, stop, tasks })
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients, such as `http://127.0.0.1:8080/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it has done so far; the same as `GET /stats`.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.desk.ledger.stats()
    }

    /// Changes the limits, as a provider may do at any time; the same as `POST /limits`. The new buckets are full.
    pub fn limit(&self, per_minute: NewLimits) {
        self.desk.limit(per_minute);
    }

    /// Returns as soon as it has received this many requests since it was started or its counts were reset.
    pub async fn received(&self, requests: u64) {
        self.desk.ledger.received(requests).await;
    }

    /// Accepts nothing more, finishes the replies under way, drops hanging requests, and says what was done. Clients
    /// that never finish their requests are not waited for.
    pub async fn stop(mut self) -> Stats {
        self.stop.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(self.desk.max_latency() + GRACE, finished).await.ok();
        self.stats()
    }
}

/// Limits that replace those of the profile while the server runs; an absent one is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewLimits {
    /// Requests admitted per minute.
    pub requests_per_minute: Option<u32>,
    /// Prompt and completion tokens admitted per minute.
    pub tokens_per_minute: Option<u32>,
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/stats", get(async |State(desk): State<Arc<Desk>>| Json(desk.ledger.stats())))
        .route("/stats/reset", post(async |State(desk): State<Arc<Desk>>| desk.ledger.reset()))
        .route("/limits", post(async |State(desk): State<Arc<Desk>>, Json(limits): Json<NewLimits>| desk.limit(limits)))
        .fallback(async || Problem::NoSuchPath.into_response())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(desk)
}

async fn complete(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    desk.complete(&line, &headers, &body).await
}

async fn models(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    desk.models(&headers).unwrap_or_else(Problem::into_response)
}

#[cfg(test)]
mod tests;

//! A grader that is a local program: `api = "command"`.
//!
//! The program is started once and speaks JSON lines: a request on its standard input, a reply on its standard output, in
//! any order and as many at a time as `max_concurrency` allows.
//!
//! ```text
//! in   {"id": 7, "request": {"model": "...", "messages": [{"role": "system", "content": "..."}, ...], ...}}
//! out  {"id": 7, "reply": "<what the model wrote>", "model": "...", "usage": {"prompt_tokens": 9, "completion_tokens": 3}}
//! out  {"id": 7, "error": "out of memory", "retry": true}
//! ```
//!
//! `request` is a chat-completions body. Of a reply, `model`, `usage` and `finish_reason` may be missing; of an error, `retry`:
//! nothing was paid then, and the unit counts as failed and is asked again by the next run. What is to be tried again, and what a
//! program had when it ended, counts at its bound. What the program writes to standard error goes to
//! ours. A program that ends is started again, as long as it replies at all.
//!
//! A small server on loopback stands between the program and everybody else, so that pace, slots, retries, budget and log
//! are those of any other endpoint. Only who knows its token, which is drawn anew each time, is answered.

mod line;
mod process;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use self::line::{Reply, RequestLine};
use self::process::{Call, keep};
use crate::model::hash::Digest;

/// Requests that wait to be taken up; each is held in memory by its connection as well.
const QUEUE: usize = 64;
/// Largest request body.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Which program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// Where it runs: the audit's folder.
    pub folder: PathBuf,
    /// Environment variables that it does not get: those that hold keys of graders.
    pub withheld: Vec<String>,
}

impl CommandSettings {
    /// The program without its arguments, for messages.
    #[must_use]
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// The program cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The loopback server could not be started.
    #[error("failed to listen on loopback for the command `{program}`: {source}")]
    Listen {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to draw a token from.
    #[error("failed to read `/dev/urandom`: {0}")]
    Random(io::Error),
}

/// The server in front of a program. The program is started by the first request, and killed when this is dropped.
pub struct CommandServer {
    address: SocketAddr,
    token: String,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for CommandServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandServer({})", self.address)
    }
}

impl CommandServer {
    /// Starts listening. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If loopback cannot be listened on.
    pub async fn start(settings: CommandSettings) -> Result<Self, CommandError> {
        let program = settings.program().to_owned();
        let failed = |source| CommandError::Listen { program: program.clone(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let token = token().map_err(CommandError::Random)?;
        let (calls, called) = mpsc::channel(QUEUE);
        let door = Arc::new(Door { expected: format!("Bearer {token}"), calls });
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(settings, called));
        // The accept loop retries and never returns; it ends with this server.
        tasks.spawn(async move { axum::serve(listener, routes(door)).await.unwrap_or_default() });
        Ok(Self { address, token, _tasks: tasks })
    }

    /// The base URL for our own client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What our own client shows.
    #[must_use]
    pub fn key(&self) -> SecretString {
        self.token.clone().into()
    }
}

/// Who is let in, and where requests go.
struct Door {
    expected: String,
    calls: mpsc::Sender<Call>,
}

impl Door {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        headers.get(AUTHORIZATION).is_some_and(|shown| shown.as_bytes() == self.expected.as_bytes())
    }
}

fn routes(door: Arc<Door>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(door)
}

async fn complete(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    if !door.lets_in(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "wrong token");
    }
    let Ok(request) = RequestLine::new(&body) else { return refuse(StatusCode::BAD_REQUEST, "not JSON") };
    let model = request.model().to_owned();
    let (answer, answered) = oneshot::channel();
    // The keeper lives as long as this server does.
    door.calls.send(Call { request, answer }).await.unwrap_or_default();
    let reply = answered.await.unwrap_or_else(|_| Reply::Lost { message: "the command is gone".to_owned() });
    let (status, body) = reply.into_http(&model);
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
}

/// What models there are only the program knows; whoever asks is told so.
async fn models(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if door.lets_in(&headers) {
        return refuse(StatusCode::NOT_FOUND, "a command lists no models");
    }
    refuse(StatusCode::UNAUTHORIZED, "wrong token")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"message": message}}))).into_response()
}

fn token() -> io::Result<String> {
    let mut random = [0; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut random)?;
    Ok(Digest::of(&random).to_string())
}

#[cfg(test)]
mod tests;

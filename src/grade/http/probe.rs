//! Single requests that look at an endpoint instead of grading: for `assize doctor`. They cross no gate, are never
//! retried and never stored; whoever sends them bounds what they cost.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::net::{TcpStream, lookup_host};

use super::{Endpoint, MAX_BODY_BYTES, NoAnswer};
use crate::clock::{self, UnixMs};
use crate::grade::openai::{self, BodyError};
use crate::model::grading::{ApiKind, GradeRequest};
use crate::model::hash::Digest;

/// The limits of a minute that servers state, by header.
const LIMIT_HEADERS: [&str; 2] = ["x-ratelimit-limit-requests", "x-ratelimit-limit-tokens"];

/// What one request showed of an endpoint.
pub struct Probed {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The server's clock, if it says.
    pub date: Option<UnixMs>,
    /// Our own clock when the answer began.
    pub received: UnixMs,
    /// `x-ratelimit-limit-*`, by what they limit (`requests`, `tokens`).
    pub limits: BTreeMap<&'static str, u64>,
}

impl std::fmt::Debug for Probed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probed(status {}, {} bytes)", self.status, self.body.len())
    }
}

/// How far on the way to an endpoint one gets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The base URL names no host.
    #[error("its base URL names no host")]
    NoHost,
    /// The name has no address.
    #[error("the name `{host}` has no address (DNS)")]
    Name {
        /// The host.
        host: String,
    },
    /// Nobody listens there, or a firewall is between.
    #[error("no connection to `{host}` port {port}: {reason} (TCP)")]
    Connection {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the operating system says.
        reason: String,
    },
    /// The connection stands, and no secure channel over it.
    #[error("`{host}` port {port} is there, but a secure connection cannot be made (TLS)")]
    Tls {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Endpoint {
    /// `GET /models`: free everywhere.
    ///
    /// # Errors
    /// If no whole answer arrived.
    pub async fn probe_models(&self) -> Result<Probed, NoAnswer> {
        self.probe(self.client.get(self.url.replace("/chat/completions", "/models"))).await
    }

    /// Asks one question, outside every budget.
    ///
    /// # Errors
    /// If no whole answer arrived; in the second place, if the request cannot be written.
    pub async fn probe_chat(&self, request: &GradeRequest, nonce: &str) -> Result<Result<Probed, NoAnswer>, BodyError> {
        let body = openai::body(request, nonce)?;
        let mut post = self.client.post(&self.url).body(body.whole());
        if self.api == ApiKind::Rehearsal {
            post = post.header("x-assize-key", Digest::of(&body.whole()).to_string());
        }
        Ok(self.probe(post).await)
    }

    async fn probe(&self, request: reqwest::RequestBuilder) -> Result<Probed, NoAnswer> {
        let mut request = request.headers(self.headers.clone()).timeout(self.timeout);
        if let Some(Some(authorization)) = self.authorization.get() {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|error| NoAnswer::of_request(&error))?;
        let received = clock::now();
        let status = response.status().as_u16();
        let date = text_of(response.headers(), "date").and_then(UnixMs::from_http_date);
        let limits = LIMIT_HEADERS.into_iter().filter_map(|name| {
            let limit = text_of(response.headers(), name)?.trim().parse().ok()?;
            Some((name.trim_start_matches("x-ratelimit-limit-"), limit))
        });
        let limits = limits.collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::of_body(&error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Probed { status, body: String::from_utf8_lossy(&body).into_owned(), date, received, limits })
    }

    /// What stands between here and an endpoint to which no connection could be made. Sends nothing.
    ///
    /// # Errors
    /// The first obstacle; TLS is what is left if there is none before it.
    pub async fn obstacle(&self) -> Obstacle {
        let Ok(url) = reqwest::Url::parse(&self.url) else { return Obstacle::NoHost };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Obstacle::NoHost };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let found: Option<Vec<_>> = lookup_host((host.as_str(), port)).await.ok().map(Iterator::collect);
        let Some(addresses) = found else { return Obstacle::Name { host } };
        let connect = tokio::time::timeout(self.timeout.min(Duration::from_secs(30)), TcpStream::connect(&*addresses));
        match connect.await {
            Ok(Ok(_)) => Obstacle::Tls { host, port },
            Ok(Err(error)) => Obstacle::Connection { host, port, reason: error.kind().to_string() },
            Err(_) => Obstacle::Connection { host, port, reason: "no answer in time".to_owned() },
        }
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

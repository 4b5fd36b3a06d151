//! The wire: one POST, one answer. No retry, no logging of bodies, no interpretation beyond what arrived.

mod missing;
mod probe;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use tokio::time::Instant;

pub use self::missing::NoAnswer;
pub use self::probe::{Obstacle, Probed};
use super::body::RequestBody;
use super::quota::{self, Quota};
use super::retry;
use super::settings::{EndpointSettings, KeySetting};
use crate::clock;
use crate::model::grading::ApiKind;
use crate::model::hash::Digest;

/// One endpoint, ready to be spoken to. Opens no connection before the first request.
pub struct Endpoint {
    client: reqwest::Client,
    url: String,
    api: ApiKind,
    key: KeySetting,
    headers: HeaderMap,
    timeout: Duration,
    authorization: OnceCell<Option<HeaderValue>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.url)
    }
}

/// The endpoint cannot be spoken to at all.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EndpointError {
    /// The TLS library or the client could not be set up.
    #[error("failed to set up the HTTP client: {0}")]
    Client(Arc<reqwest::Error>),
    /// A header of the audit file cannot be sent.
    #[error("header `{name}` has a name or value that HTTP does not allow")]
    Header {
        /// Its name.
        name: String,
    },
    /// The key's variable is not set.
    #[error("no API key: `{variable}` is not set")]
    MissingKey {
        /// The variable.
        variable: String,
    },
    /// The key's command failed.
    #[error("the command `{program}` printed no API key")]
    KeyCommand {
        /// The program.
        program: String,
    },
}

/// An answer that arrived whole.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body. In an error's body, invalid UTF-8 has become replacement characters.
    pub body: String,
    /// The server's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// What the server says of its limits.
    pub quota: Option<Quota>,
    /// The provider's request id.
    pub request_id: Option<String>,
    /// From sending to the last byte.
    pub latency: Duration,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer(status {}, {} bytes)", self.status, self.body.len())
    }
}

/// The largest body that is read. However its characters are escaped, it fits into a line of the reply log.
const MAX_BODY_BYTES: usize = 8 << 20;

/// Shorter values of headers are no secrets, and stand in any text by chance.
const SHORTEST_SECRET: usize = 8;

impl Endpoint {
    /// Prepares the client: rustls, HTTP/2 where offered, keep-alive, no redirects, no proxy for loopback.
    ///
    /// # Errors
    /// If TLS cannot be set up or a header cannot be sent.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that builds an HTTP client")]
    pub fn new(settings: &EndpointSettings) -> Result<Self, EndpointError> {
        // A second installation in one process returns the provider that is there already: equally good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut builder = reqwest::Client::builder()
            .pool_max_idle_per_host(settings.max_concurrency.most() as usize)
            .pool_idle_timeout(Duration::from_secs(55))
            .tcp_keepalive(Duration::from_secs(30))
            .connect_timeout(settings.request_timeout.min(Duration::from_secs(30)))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("assize/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&settings.base_url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| EndpointError::Client(Arc::new(error)))?;
        Ok(Self {
            client,
            url: format!("{}/chat/completions", settings.base_url),
            api: settings.api,
            key: settings.key.clone(),
            headers: header_map(settings)?,
            timeout: settings.request_timeout,
            authorization: OnceCell::new(),
        })
    }

    /// Finds the API key, running its command if it has one; later calls are free.
    ///
    /// # Errors
    /// If there should be a key and there is none.
    pub async fn authorise(&self) -> Result<(), EndpointError> {
        self.authorization.get_or_try_init(|| authorization(&self.key)).await.map(|_| ())
    }

    /// Sends one body and waits for the whole answer. `key` is the request's key; only the simulated grader is told.
    ///
    /// # Errors
    /// If no whole answer arrived within the request timeout. Call [`Endpoint::authorise`] first: without it no key
    /// is sent.
    pub async fn post(&self, body: RequestBody, key: &Digest) -> Result<Answer, NoAnswer> {
        let mut request = self.client.post(&self.url).headers(self.headers.clone()).timeout(self.timeout);
        // A stream does not say how long it is, and not every server takes a body in chunks.
        request = request.header(CONTENT_LENGTH, body.len());
        let parts = body.parts().map(Ok::<_, Infallible>);
        request = request.body(reqwest::Body::wrap_stream(stream::iter(parts)));
        if let Some(Some(authorization)) = self.authorization.get() {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if self.api == ApiKind::Rehearsal {
            request = request.header("x-assize-key", key.to_string());
        }
        let sent = Instant::now();
        let mut response = request.send().await.map_err(|error| NoAnswer::of_request(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = retry::retry_after(header("retry-after"), header("retry-after-ms"), clock::now().0);
        let quota = quota::read(header, clock::now().0);
        let request_id = header("x-request-id").map(|id| id.chars().take(100).collect());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::of_body(&error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let body = match String::from_utf8(body) {
            Ok(body) => body,
            // A damaged quote would look like a lie of the grader's.
            Err(_) if (200..300).contains(&status) => return Err(NoAnswer::NotText),
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        let body = if (200..300).contains(&status) { body } else { self.without_secrets(body) };
        Ok(Answer { status, body, retry_after, quota, request_id, latency: sent.elapsed() })
    }

    /// What an error says, without the key and the values of configured headers, which some servers quote.
    fn without_secrets(&self, mut text: String) -> String {
        let authorization = self.authorization.get().and_then(Option::as_ref);
        let sent = self.headers.values().chain(authorization).filter(|value| value.is_sensitive());
        for secret in sent.filter_map(|value| value.to_str().ok()) {
            let secret = secret.strip_prefix("Bearer ").unwrap_or(secret);
            if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
                text = text.replace(secret, "[key]");
            }
        }
        text
    }
}

/// Whether a URL names this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn header_map(settings: &EndpointSettings) -> Result<HeaderMap, EndpointError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &settings.headers {
        let wrong = || EndpointError::Header { name: name.clone() };
        let parsed: HeaderName = name.parse().map_err(|_| wrong())?;
        headers.insert(parsed, sensitive(value.expose_secret()).ok_or_else(wrong)?);
    }
    Ok(headers)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn authorization(key: &KeySetting) -> Result<Option<HeaderValue>, EndpointError> {
    let key = match key {
        KeySetting::NoKey => return Ok(None),
        KeySetting::Missing { variable } => return Err(EndpointError::MissingKey { variable: variable.clone() }),
        KeySetting::Value(key) => key.clone(),
        KeySetting::Command(command) => printed_key(command).await?,
    };
    if key.expose_secret().is_empty() {
        return Ok(None);
    }
    let wrong = || EndpointError::Header { name: "authorization".to_owned() };
    sensitive(&format!("Bearer {}", key.expose_secret())).ok_or_else(wrong).map(Some)
}

async fn printed_key(command: &[String]) -> Result<SecretString, EndpointError> {
    let program = command.first().cloned().unwrap_or_default();
    let failed = || EndpointError::KeyCommand { program: program.clone() };
    let mut process = std::process::Command::new(&program);
    process.args(command.iter().skip(1)).stdin(std::process::Stdio::null());
    let output = tokio::task::spawn_blocking(move || process.output()).await.map_err(|_| failed())?;
    let output = output.map_err(|_| failed())?;
    let printed = String::from_utf8(output.stdout).map_err(|_| failed())?;
    let key = printed.lines().next().unwrap_or_default().trim().to_owned();
    if !output.status.success() || key.is_empty() {
        return Err(failed());
    }
    Ok(key.into())
}

#[cfg(test)]
mod tests;

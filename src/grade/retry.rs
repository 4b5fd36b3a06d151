//! One policy for everything that can go wrong on the wire, in one place: nothing below this module retries.
//!
//! A status decides first, the body second; bodies are read leniently because gateways answer in HTML, plain text and
//! integers as often as in the documented shape. `tests` hold a snapshot of every status.

use std::time::Duration;

use super::http::NoAnswer;
use super::slots::Load;
use crate::model::outcome::FailureKind;
use crate::verdict::{Body, ServerError};
use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// What to do with the answer to one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Keep it: it was decided or paid for, and replays as the same outcome.
    Keep,
    /// Try again, not before the server's hint.
    Retry {
        /// What it counts as if it never gets better.
        failure: FailureKind,
        /// The earliest time that the server asks for.
        after: Option<Duration>,
        /// Whether it may have been billed.
        billing: Billing,
        /// What it says of the server's load: whether slots are taken away for it.
        load: Load,
    },
    /// This request will never succeed; the run goes on.
    GiveUp {
        /// What it counts as.
        failure: FailureKind,
    },
    /// No request will succeed until somebody acts.
    StopRun {
        /// What the server said, shortened.
        message: String,
    },
}

/// Whether an attempt without a reply may have been billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// It certainly was not.
    No,
    /// Nobody knows: it counts at its bound.
    Unknown,
}

/// The longest hint that is waited for when a quota is gone.
const LONGEST_QUOTA_WAIT: Duration = Duration::from_hours(1);

const QUOTA_CODES: [&str; 4] =
    ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "access_terminated"];

/// What to do with a status and a body that arrived whole; `body` is absent if it was not a JSON object.
#[must_use]
pub fn decide(status: u16, retry_after: Option<Duration>, body: Option<&Body>) -> Decision {
    let error = body.and_then(Body::error);
    match status {
        200..=299 => decide_success(retry_after, body),
        400 | 403 | 413 | 422 if error.is_some_and(is_an_outcome) => Decision::Keep,
        400 if error.is_some_and(is_about_the_setup) => stop(status, error),
        401..=404 => stop(status, error),
        429 => decide_limited(retry_after, error),
        500 => retry(FailureKind::Server, retry_after, Billing::No, Load::Unrelated),
        503 | 529 => retry(FailureKind::Server, retry_after, Billing::No, Load::TooMany),
        // A gateway (522, 524: Cloudflare) gave up on a server that may have gone on, and billed.
        408 | 504 | 522 | 524 => retry(FailureKind::Server, retry_after, Billing::Unknown, Load::TooMany),
        // Not implemented, HTTP version not supported: no second attempt changes that.
        501 | 505 => Decision::GiveUp { failure: FailureKind::Rejected },
        // A server error that is not known here is taken to pass, like those of gateways (502, 520, 521, 523), and whoever
        // sent it may have billed.
        409 | 498 | 500..=599 => retry(FailureKind::Server, retry_after, Billing::Unknown, Load::Unrelated),
        _ => Decision::GiveUp { failure: FailureKind::Rejected },
    }
}

/// What to do where no answer came.
#[must_use]
pub const fn decide_missing(missing: NoAnswer) -> Decision {
    match missing {
        NoAnswer::NoSuchHost | NoAnswer::Refused | NoAnswer::Tls | NoAnswer::NotConnected => {
            retry(FailureKind::Connection, None, Billing::No, Load::Unrelated)
        }
        // A listener whose queue is full lets connections time out.
        NoAnswer::ConnectTimedOut => retry(FailureKind::Connection, None, Billing::No, Load::TooMany),
        NoAnswer::Broken | NoAnswer::Cut => retry(FailureKind::Connection, None, Billing::Unknown, Load::Unrelated),
        NoAnswer::TimedOut => retry(FailureKind::Timeout, None, Billing::Unknown, Load::TooMany),
        NoAnswer::TooLarge | NoAnswer::NotText => retry(FailureKind::BadReply, None, Billing::Unknown, Load::Unrelated),
    }
}

impl Decision {
    /// What the answer with this status says of the server's load.
    #[must_use]
    pub const fn load(&self, status: u16) -> Load {
        match self {
            Self::Retry { load, .. } => *load,
            // Only a reply takes as long as replies take.
            Self::Keep if status < 300 => Load::Served,
            Self::Keep | Self::GiveUp { .. } | Self::StopRun { .. } => Load::Unrelated,
        }
    }
}

fn decide_success(retry_after: Option<Duration>, body: Option<&Body>) -> Decision {
    let unrelated = |failure| retry(failure, retry_after, Billing::Unknown, Load::Unrelated);
    let Some(body) = body else { return unrelated(FailureKind::BadReply) };
    let Some(error) = body.error() else { return Decision::Keep };
    match error.code.parse::<u16>() {
        // An error inside a 200 is the error that it names; without a status it is the server's.
        Ok(status) if (400..600).contains(&status) => decide(status, retry_after, Some(body)),
        Ok(_) | Err(_) if is_an_outcome(error) => Decision::Keep,
        Ok(_) | Err(_) => unrelated(FailureKind::Server),
    }
}

fn decide_limited(retry_after: Option<Duration>, error: Option<&ServerError>) -> Decision {
    let gone = error.is_some_and(|error| names(error, &QUOTA_CODES));
    let soon = retry_after.is_some_and(|hint| hint <= LONGEST_QUOTA_WAIT);
    if gone && !soon {
        return stop(429, error);
    }
    retry(FailureKind::RateLimited, retry_after, Billing::No, Load::TooFast)
}

const fn retry(failure: FailureKind, after: Option<Duration>, billing: Billing, load: Load) -> Decision {
    Decision::Retry { failure, after, billing, load }
}

fn stop(status: u16, error: Option<&ServerError>) -> Decision {
    let said = error.map(shown).filter(|said| !said.is_empty());
    let message = said.map_or_else(|| format!("HTTP {status}"), |said| format!("HTTP {status}: {said}"));
    Decision::StopRun { message }
}

/// Whether a rejection is an outcome of this unit: its context is too long, or a content filter stopped it.
fn is_an_outcome(error: &ServerError) -> bool {
    error.is_context_overflow() || error.is_content_filter()
}

fn is_about_the_setup(error: &ServerError) -> bool {
    names(error, &["model_not_found", "invalid_api_key"])
}

fn names(error: &ServerError, codes: &[&str]) -> bool {
    [&error.code, &error.kind].into_iter().any(|name| codes.contains(&name.as_str()))
}

/// At most 200 characters of the message, without control characters and without anything that looks like a key.
#[must_use]
pub fn shown(error: &ServerError) -> String {
    let words = error.message.split_whitespace().map(without_keys);
    words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Runs of this many letters, digits and signs may be keys; words and most names of models are shorter.
const SHORTEST_KEY: usize = 20;

/// How keys begin that are shown shortened, or are short.
const KEY_PREFIXES: [&str; 7] = ["sk-", "sk_", "gsk_", "xai-", "hf_", "AIza", "AQ."];

/// A word in which every part that looks like a key is gone, whatever quotes, signs or names stand around it.
fn without_keys(word: &str) -> String {
    let is_of_a_key = |c: char| c.is_ascii_alphanumeric() || "-_*.".contains(c);
    let mut shown = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let (part, tail) = rest.split_at(rest.find(|c| !is_of_a_key(c)).unwrap_or(rest.len()));
        if looks_like_a_key(part) {
            shown.push_str("[key]");
            // What ends a sentence is no part of a key.
            shown.extend(part.ends_with('.').then_some('.'));
        } else {
            shown.push_str(part);
        }
        let (between, next) = tail.split_at(tail.find(is_of_a_key).unwrap_or(tail.len()));
        shown.push_str(between);
        rest = next;
    }
    shown
}

/// Keys with dots are looked at as a whole: their parts belong together.
fn looks_like_a_key(part: &str) -> bool {
    let is_long = part.split('.').any(|run| run.len() >= SHORTEST_KEY);
    is_long || part.contains("***") || KEY_PREFIXES.iter().any(|prefix| part.starts_with(prefix))
}

/// Waiting times between attempts: exponential from half a second to a minute, each drawn uniformly between nothing
/// and twice the step (full jitter), so that many waiters do not come back at once.
#[derive(Debug)]
pub struct Delays(ExponentialBackoff);

impl Default for Delays {
    fn default() -> Self {
        let mut policy = ExponentialBackoff {
            initial_interval: Duration::from_millis(500),
            randomization_factor: 1.0,
            multiplier: 2.0,
            max_interval: LONGEST_DELAY,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        policy.reset();
        Self(policy)
    }
}

/// The longest step of [`Delays`]; a drawn delay is at most twice as long.
pub const LONGEST_DELAY: Duration = Duration::from_mins(1);

impl Delays {
    /// The next waiting time. A server's hint is not in it: the pacer holds everybody for that.
    pub fn draw(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(LONGEST_DELAY)
    }
}

/// Reads `Retry-After` in seconds, fractions of seconds or as an HTTP date, and `retry-after-ms`.
#[must_use]
pub fn retry_after(seconds_or_date: Option<&str>, milliseconds: Option<&str>, now_ms: u64) -> Option<Duration> {
    let from_ms = milliseconds.and_then(|text| text.trim().parse::<f64>().ok()).map(|ms| ms / 1e3);
    let from_seconds = || seconds_or_date?.trim().parse::<f64>().ok();
    if let Some(seconds) = from_ms.or_else(from_seconds) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(seconds_or_date?.trim()).ok()?;
    let at_ms = u64::try_from(date.as_millisecond()).ok()?;
    Some(Duration::from_millis(at_ms.saturating_sub(now_ms)))
}

#[cfg(test)]
mod tests;

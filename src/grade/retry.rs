//! One policy for everything that can go wrong on the wire, in one place: nothing below this module retries.
//!
//! A status decides first, the body second; bodies are read leniently because gateways answer in HTML, plain text and
//! integers as often as in the documented shape. `tests` hold a snapshot of every status.

use std::time::Duration;

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
        500 | 503 | 529 => retry(FailureKind::Server, retry_after, Billing::No),
        // A gateway gave up on a server that may have gone on, and billed.
        408 | 409 | 498 | 502 | 504 => retry(FailureKind::Server, retry_after, Billing::Unknown),
        _ => Decision::GiveUp { failure: FailureKind::Rejected },
    }
}

fn decide_success(retry_after: Option<Duration>, body: Option<&Body>) -> Decision {
    let Some(body) = body else { return retry(FailureKind::BadReply, retry_after, Billing::Unknown) };
    let Some(error) = body.error() else { return Decision::Keep };
    match error.code.parse::<u16>() {
        // An error inside a 200 is the error that it names; without a status it is the server's.
        Ok(status) if (400..600).contains(&status) => decide(status, retry_after, Some(body)),
        Ok(_) | Err(_) if is_an_outcome(error) => Decision::Keep,
        Ok(_) | Err(_) => retry(FailureKind::Server, retry_after, Billing::Unknown),
    }
}

fn decide_limited(retry_after: Option<Duration>, error: Option<&ServerError>) -> Decision {
    let gone = error.is_some_and(|error| names(error, &QUOTA_CODES));
    let soon = retry_after.is_some_and(|hint| hint <= LONGEST_QUOTA_WAIT);
    if gone && !soon {
        return stop(429, error);
    }
    retry(FailureKind::RateLimited, retry_after, Billing::No)
}

const fn retry(failure: FailureKind, after: Option<Duration>, billing: Billing) -> Decision {
    Decision::Retry { failure, after, billing }
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
fn shown(error: &ServerError) -> String {
    let words = error.message.split_whitespace().map(|word| if looks_like_a_key(word) { "[key]" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(200).collect()
}

fn looks_like_a_key(word: &str) -> bool {
    word.contains("sk-") || (word.len() >= 24 && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_*.".contains(c)))
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
    /// The next waiting time, at least as long as the server's hint.
    pub fn next(&mut self, hint: Option<Duration>) -> Duration {
        let drawn = self.0.next_backoff().unwrap_or(LONGEST_DELAY);
        drawn.max(hint.unwrap_or_default())
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
mod tests {
    use std::fmt::Write;

    use super::*;

    fn decide_text(status: u16, retry_after: Option<Duration>, body: &str) -> Decision {
        decide(status, retry_after, Body::parse(body).ok().as_ref())
    }

    #[test]
    fn every_status_has_one_decision() {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for status in 200..600 {
            let body = if status < 300 { "{}" } else { "" };
            let decision =
                format!("{:?}", decide_text(status, None, body)).replace(&format!("HTTP {status}"), "HTTP _");
            match runs.last_mut() {
                Some((_, last, same)) if *same == decision && *last + 1 == status => *last = status,
                _ => runs.push((status, status, decision)),
            }
        }
        let mut table = String::new();
        for (first, last, decision) in runs {
            writeln!(table, "{first}-{last} {decision}").unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn bodies_decide_where_the_status_does_not() {
        let error = |code: &str| format!(r#"{{"error": {{"message": "m", "code": {code}}}}}"#);
        let quota = error("\"insufficient_quota\"");
        assert!(matches!(decide_text(429, None, &quota), Decision::StopRun { .. }));
        assert!(matches!(decide_text(429, Some(Duration::from_mins(1)), &quota), Decision::Retry { .. }));
        assert!(matches!(
            decide_text(429, None, "slow down"),
            Decision::Retry { failure: FailureKind::RateLimited, .. }
        ));
        assert!(matches!(decide_text(200, None, &error("503")), Decision::Retry { failure: FailureKind::Server, .. }));
        assert!(matches!(decide_text(200, None, &error("\"odd\"")), Decision::Retry { billing: Billing::Unknown, .. }));
        assert!(matches!(decide_text(200, None, "<html>"), Decision::Retry { failure: FailureKind::BadReply, .. }));
        assert!(matches!(decide_text(400, None, &error("\"model_not_found\"")), Decision::StopRun { .. }));
        assert_eq!(decide_text(400, None, &error("\"context_length_exceeded\"")), Decision::Keep);
        for status in [400, 403, 413, 422] {
            assert_eq!(decide_text(status, None, &error("\"content_filter\"")), Decision::Keep, "{status}");
        }
        assert_eq!(decide_text(400, None, "nonsense"), Decision::GiveUp { failure: FailureKind::Rejected });
        assert_eq!(decide_text(200, None, r#"{"error": null, "choices": []}"#), Decision::Keep);
    }

    #[test]
    fn messages_carry_no_key() {
        let body = r#"{"error": {"message": "Incorrect API key provided: sk-abc123def456. Find yours at the site"}}"#;
        let Decision::StopRun { message } = decide_text(401, None, body) else { panic!("401 stops the run") };
        assert_eq!(message, "HTTP 401: Incorrect API key provided: [key] Find yours at the site");
    }

    #[test]
    fn hints_are_read_in_all_spellings() {
        assert_eq!(retry_after(Some("3"), None, 0), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(Some("0.25"), None, 0), Some(Duration::from_millis(250)));
        assert_eq!(retry_after(Some("9"), Some("1500"), 0), Some(Duration::from_millis(1500)));
        let date = Some("Mon, 23 Nov 2026 17:40:12 GMT");
        assert_eq!(retry_after(date, None, 1_795_455_602_000), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(date, None, 1_795_455_702_000), Some(Duration::ZERO));
        assert_eq!(retry_after(Some("soon"), None, 0), None);
        assert_eq!(retry_after(Some("-1"), None, 0), None);
    }

    #[test]
    fn delays_grow_and_respect_hints() {
        let mut delays = Delays::default();
        for _ in 0..50 {
            assert!(delays.next(None) <= LONGEST_DELAY * 2);
        }
        assert!(delays.next(Some(Duration::from_secs(500))) >= Duration::from_secs(500));
    }
}

//! Rate limits as OpenAI keeps them: buckets that start full and refill evenly, told in headers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::settings::RehearsalSettings;

/// Requests and tokens per minute.
pub(super) struct Limits {
    buckets: Mutex<[Option<Bucket>; 2]>,
}

/// What the buckets are called in headers.
const KINDS: [&str; 2] = ["requests", "tokens"];

/// The answer to one request for admission.
pub(super) struct Admission {
    /// How long to wait, if not admitted.
    pub(super) wait: Option<Duration>,
    /// The `x-ratelimit-*` headers.
    pub(super) headers: HeaderMap,
}

impl Limits {
    pub(super) fn new(settings: &RehearsalSettings, now: Instant) -> Self {
        let bucket = |limit: Option<u32>| limit.map(|limit| Bucket::full(limit, now));
        Self { buckets: Mutex::new([bucket(settings.requests_per_minute), bucket(settings.tokens_per_minute)]) }
    }

    /// Takes one request and its tokens out of the buckets, or nothing if either holds too little. A request of more
    /// tokens than a whole minute allows needs a full bucket.
    pub(super) fn admit(&self, tokens: u64, now: Instant) -> Admission {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let amounts = [1, tokens];
        let mut wait = Duration::ZERO;
        for (bucket, amount) in buckets.iter_mut().zip(amounts) {
            if let Some(bucket) = bucket {
                bucket.refill(now);
                wait = wait.max(bucket.wait_for(amount));
            }
        }
        let is_admitted = wait.is_zero();
        let mut headers = HeaderMap::new();
        for ((bucket, amount), kind) in buckets.iter_mut().zip(amounts).zip(KINDS) {
            if let Some(bucket) = bucket {
                if is_admitted {
                    bucket.take(amount);
                }
                bucket.describe(kind, &mut headers);
            }
        }
        Admission { wait: (!is_admitted).then_some(wait), headers }
    }
}

/// Holds up to `limit` units and gains `limit` a minute. Levels are counted in units x nanoseconds, so that nothing is
/// lost to rounding.
struct Bucket {
    limit: u32,
    level: u128,
    at: Instant,
}

const MINUTE: u128 = 60_000_000_000;

impl Bucket {
    fn full(limit: u32, now: Instant) -> Self {
        Self { limit, level: u128::from(limit) * MINUTE, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_nanos() * u128::from(self.limit);
        self.level = (self.level + gained).min(self.capacity());
        self.at = now;
    }

    fn wait_for(&self, amount: u64) -> Duration {
        self.time_to(self.cost(amount))
    }

    fn take(&mut self, amount: u64) {
        self.level = self.level.saturating_sub(self.cost(amount));
    }

    fn cost(&self, amount: u64) -> u128 {
        (u128::from(amount) * MINUTE).min(self.capacity())
    }

    fn capacity(&self) -> u128 {
        u128::from(self.limit) * MINUTE
    }

    /// Time until this level is reached.
    fn time_to(&self, level: u128) -> Duration {
        let missing = level.saturating_sub(self.level);
        // A limit of zero never refills: a client waits for a day at a time.
        let nanos = missing.div_ceil(u128::from(self.limit.max(1)));
        let day = Duration::from_hours(24);
        if self.limit == 0 { day } else { Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(day) }
    }

    fn describe(&self, kind: &str, headers: &mut HeaderMap) {
        let remaining = self.level / MINUTE;
        let values = [
            ("limit", self.limit.to_string()),
            ("remaining", remaining.to_string()),
            ("reset", spell(self.time_to(self.capacity()))),
        ];
        for (what, value) in values {
            let name = format!("x-ratelimit-{what}-{kind}");
            let name = HeaderName::try_from(name).expect("lower-case words and hyphens are a header name");
            headers.insert(name, HeaderValue::try_from(value).expect("digits and units are a header value"));
        }
    }
}

/// A duration as OpenAI spells it: `0s`, `4ms`, `39.801s`, `6m0s`, `1h2m3s`.
pub(super) fn spell(duration: Duration) -> String {
    let ms = duration.as_nanos().div_ceil(1_000_000);
    if 0 < ms && ms < 1_000 {
        return format!("{ms}ms");
    }
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let fraction = if ms % 1_000 == 0 { String::new() } else { format!(".{:03}", ms % 1_000) };
    let seconds = format!("{}{}s", ms / 1_000, fraction.trim_end_matches('0'));
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// The headers of "try again later": seconds for everybody, milliseconds for clients that know them.
pub(super) fn retry_after(wait: Duration, headers: &mut HeaderMap) {
    let ms = wait.as_nanos().div_ceil(1_000_000);
    let seconds = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.').to_owned();
    for (name, value) in [("retry-after", seconds), ("retry-after-ms", ms.to_string())] {
        headers.insert(name, HeaderValue::try_from(value).expect("digits are a header value"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_openai_does() {
        let spelled =
            [0, 4, 999, 1_000, 39_801, 60_000, 360_000, 90_500, 3_723_000].map(|ms| spell(Duration::from_millis(ms)));
        assert_eq!(spelled, ["0s", "4ms", "999ms", "1s", "39.801s", "1m0s", "6m0s", "1m30.5s", "1h2m3s"]);
    }

    #[test]
    fn no_more_is_admitted_than_refills() {
        let settings = RehearsalSettings {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(1_000),
            ..RehearsalSettings::default()
        };
        let start = Instant::now();
        let limits = Limits::new(&settings, start);
        let admitted = (0..100).filter(|_| limits.admit(1, start).wait.is_none()).count();
        assert_eq!(admitted, 60);
        let refused = limits.admit(1, start);
        assert_eq!(refused.wait, Some(Duration::from_secs(1)));
        assert_eq!(refused.headers["x-ratelimit-remaining-requests"], "0");
        assert_eq!(refused.headers["x-ratelimit-reset-requests"], "1m0s");
        assert_eq!(refused.headers["x-ratelimit-remaining-tokens"], "940");
        let later = start + Duration::from_secs(10);
        assert_eq!((0..100).filter(|_| limits.admit(1, later).wait.is_none()).count(), 10);
        assert_eq!(limits.admit(5_000, later).wait, Some(Duration::from_secs(1)));
        assert!(limits.admit(5_000, later + Duration::from_secs(1)).wait.is_none());
    }
}

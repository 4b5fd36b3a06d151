//! Rate limits, told in headers: buckets that start full and refill evenly, as OpenAI keeps them, or sliding minutes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::settings::{LimitKind, RehearsalSettings};

/// Requests and tokens per minute.
pub(super) struct Limits {
    meters: Mutex<[Option<Meter>; 2]>,
}

/// What the meters are called in headers.
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
        let meter = |limit: Option<u32>| {
            limit.map(|limit| match settings.limit_by {
                LimitKind::Bucket => Meter::Bucket(Bucket::full(limit, now)),
                LimitKind::Sliding => Meter::Sliding(Sliding { limit, admitted: VecDeque::new(), sum: 0 }),
            })
        };
        Self { meters: Mutex::new([meter(settings.requests_per_minute), meter(settings.tokens_per_minute)]) }
    }

    /// Counts one request and its tokens, or nothing if either is too much. A request of more tokens than a whole minute
    /// allows needs a full bucket, or an empty minute.
    pub(super) fn admit(&self, tokens: u64, now: Instant) -> Admission {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let amounts = [1, tokens];
        let mut wait = Duration::ZERO;
        for (meter, amount) in meters.iter_mut().zip(amounts) {
            if let Some(meter) = meter {
                wait = wait.max(meter.wait_for(amount, now));
            }
        }
        let is_admitted = wait.is_zero();
        let mut headers = HeaderMap::new();
        for ((meter, amount), kind) in meters.iter_mut().zip(amounts).zip(KINDS) {
            if let Some(meter) = meter {
                if is_admitted {
                    meter.take(amount, now);
                }
                meter.describe(kind, now, &mut headers);
            }
        }
        Admission { wait: (!is_admitted).then_some(wait), headers }
    }
}

/// One limit.
enum Meter {
    Bucket(Bucket),
    Sliding(Sliding),
}

impl Meter {
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        match self {
            Self::Bucket(bucket) => {
                bucket.refill(now);
                bucket.wait_for(amount)
            }
            Self::Sliding(sliding) => sliding.wait_for(amount, now),
        }
    }

    fn take(&mut self, amount: u64, now: Instant) {
        match self {
            Self::Bucket(bucket) => bucket.take(amount),
            Self::Sliding(sliding) => {
                sliding.admitted.push_back((now, amount));
                sliding.sum += amount;
            }
        }
    }

    fn describe(&self, kind: &str, now: Instant, headers: &mut HeaderMap) {
        let (limit, remaining, reset) = match self {
            Self::Bucket(bucket) => (bucket.limit, bucket.level / MINUTE, bucket.time_to(bucket.capacity())),
            Self::Sliding(sliding) => {
                let last = sliding.admitted.back().map(|(at, _)| WINDOW.saturating_sub(now.duration_since(*at)));
                let left = u64::from(sliding.limit).saturating_sub(sliding.sum);
                (sliding.limit, u128::from(left), last.unwrap_or_default())
            }
        };
        let values = [("limit", limit.to_string()), ("remaining", remaining.to_string()), ("reset", spell(reset))];
        for (what, value) in values {
            let name = format!("x-ratelimit-{what}-{kind}");
            let name = HeaderName::try_from(name).expect("lower-case words and hyphens are a header name");
            headers.insert(name, HeaderValue::try_from(value).expect("digits and units are a header value"));
        }
    }
}

const WINDOW: Duration = Duration::from_mins(1);

/// What was admitted within the last minute; the sum of no minute exceeds the limit.
struct Sliding {
    limit: u32,
    admitted: VecDeque<(Instant, u64)>,
    sum: u64,
}

impl Sliding {
    fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        while let Some((_, old)) = self.admitted.pop_front_if(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.sum -= old;
        }
        let allowed = u64::from(self.limit).saturating_sub(amount);
        let mut left = self.sum;
        let mut wait = Duration::ZERO;
        for (at, old) in &self.admitted {
            if left <= allowed {
                break;
            }
            left -= old;
            wait = WINDOW.saturating_sub(now.duration_since(*at));
        }
        wait
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

    #[test]
    fn no_sixty_seconds_hold_more_than_a_sliding_limit() {
        let (requests_per_minute, limit_by) = (Some(60), LimitKind::Sliding);
        let settings = RehearsalSettings { requests_per_minute, limit_by, ..RehearsalSettings::default() };
        let start = Instant::now();
        let limits = Limits::new(&settings, start);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!((0..30).filter(|_| limits.admit(1, at(0)).wait.is_none()).count(), 30);
        assert_eq!((0..100).filter(|_| limits.admit(1, at(40)).wait.is_none()).count(), 30);
        let refused = limits.admit(1, at(59));
        assert_eq!(refused.wait, Some(Duration::from_secs(1)));
        assert_eq!(refused.headers["x-ratelimit-remaining-requests"], "0");
        assert_eq!(refused.headers["x-ratelimit-reset-requests"], "41s");
        assert_eq!((0..100).filter(|_| limits.admit(1, at(60)).wait.is_none()).count(), 30);
        assert_eq!(limits.admit(1, at(60)).wait, Some(Duration::from_secs(40)));
    }
}

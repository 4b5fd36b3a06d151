//! What a server says of its limits beside every reply: `x-ratelimit-*` as OpenAI and most others spell it, and
//! `anthropic-ratelimit-*`. What cannot be read is unknown, never zero.

use std::time::Duration;

/// Requests and tokens, as far as the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Requests.
    pub requests: Allowance,
    /// Tokens, prompt and completion together.
    pub tokens: Allowance,
}

/// One kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// What a full allowance is.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// Until it is full again.
    pub reset: Option<Duration>,
}

/// A reset further away than this is a mistake or a clock gone wrong.
const LONGEST_RESET: Duration = Duration::from_hours(24 * 31);

impl Allowance {
    const fn is_unknown(&self) -> bool {
        self.limit.is_none() && self.remaining.is_none() && self.reset.is_none()
    }
}

/// Reads the headers of one answer; `None` if they say nothing.
pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, now_ms: u64) -> Option<Quota> {
    let usual = |[limit, remaining, reset]: [&str; 3]| Allowance {
        limit: header(limit).and_then(count),
        remaining: header(remaining).and_then(count),
        reset: header(reset).and_then(|text| duration(text).or_else(|| until(text, now_ms))),
    };
    let mut quota = Quota {
        requests: usual(["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]),
        tokens: usual(["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"]),
    };
    if quota.requests.is_unknown() && quota.tokens.is_unknown() {
        quota.requests = usual([
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ]);
        quota.tokens = usual([
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ]);
    }
    (!quota.requests.is_unknown() || !quota.tokens.is_unknown()).then_some(quota)
}

/// A count; `-1` means that the server does not know.
fn count(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// `39.801s`, `6m0s`, `4ms`, `1h2m3s`, `1d`, or plain seconds.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<f64>() {
        return bounded(seconds);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let scale = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    bounded(seconds)
}

/// The time until an RFC 3339 date.
fn until(text: &str, now_ms: u64) -> Option<Duration> {
    let at: jiff::Timestamp = text.trim().parse().ok()?;
    let at_ms = u64::try_from(at.as_millisecond()).ok()?;
    Some(Duration::from_millis(at_ms.saturating_sub(now_ms))).filter(|reset| *reset <= LONGEST_RESET)
}

fn bounded(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|reset| *reset <= LONGEST_RESET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_all_spellings() {
        let ms = |text: &str| duration(text).map(|duration| duration.as_millis());
        let known = [
            ("39.801s", 39_801),
            ("6m0s", 360_000),
            ("4ms", 4),
            ("1h2m3s", 3_723_000),
            ("1m30.5s", 90_500),
            ("1d", 86_400_000),
            ("12", 12_000),
            ("0.5", 500),
            (" 0s ", 0),
            ("500us", 0),
        ];
        for (text, expected) in known {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
        for text in ["", "-1", "-1s", "soon", "s", "1x", "1.2.3s", "nan", "inf", "99999999999h", "1m 2s", "5m2"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn headers_are_read_in_both_spellings() {
        let of = |pairs: &'static [(&str, &str)]| {
            read(|name| pairs.iter().find(|(header, _)| *header == name).map(|(_, value)| *value), 1_795_455_602_000)
        };
        let openai = of(&[
            ("x-ratelimit-limit-requests", "600"),
            ("x-ratelimit-remaining-requests", "599"),
            ("x-ratelimit-reset-requests", "100ms"),
            ("x-ratelimit-limit-tokens", "300000"),
            ("x-ratelimit-remaining-tokens", "-1"),
            ("x-ratelimit-reset-tokens", "garbage"),
        ]);
        let requests = Allowance { limit: Some(600), remaining: Some(599), reset: Some(Duration::from_millis(100)) };
        let tokens = Allowance { limit: Some(300_000), ..Allowance::default() };
        assert_eq!(openai, Some(Quota { requests, tokens }));
        let anthropic = of(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-23T17:40:12Z"),
        ]);
        let requests = Allowance { limit: Some(50), remaining: Some(0), reset: Some(Duration::from_secs(10)) };
        assert_eq!(anthropic, Some(Quota { requests, tokens: Allowance::default() }));
        assert_eq!(of(&[("x-ratelimit-remaining-tokens", "-1")]), None);
        assert_eq!(of(&[]), None);
    }
}

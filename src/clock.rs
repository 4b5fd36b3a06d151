//! The only reader of the wall clock. Everything else takes a time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whether times of day in zones such as `Europe/Zurich` can be told.
#[must_use]
pub fn knows_time_zones() -> bool {
    jiff::tz::TimeZone::get("Europe/Zurich").is_ok()
}

impl UnixMs {
    /// The time that passed since `earlier`; zero if the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time of an HTTP `Date` header, if it is one.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        u64::try_from(date.as_millisecond()).ok().map(Self)
    }

    /// The beginning of a day such as `2026-11-23`, in UTC.
    #[must_use]
    pub fn from_day(text: &str) -> Option<Self> {
        let begin: jiff::Timestamp = format!("{text}T00:00:00Z").parse().ok()?;
        u64::try_from(begin.as_millisecond()).ok().map(Self)
    }

    /// As `20261123T174012Z`: sortable, and fit for a file name.
    #[must_use]
    pub fn compact(self) -> String {
        self.stamp().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn stamp(self) -> jiff::Timestamp {
        i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
    }
}

impl std::fmt::Display for UnixMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.stamp().strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_in_utc() {
        assert_eq!(UnixMs(1_795_455_612_345).compact(), "20261123T174012Z");
        assert_eq!(UnixMs(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixMs::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(UnixMs(784_111_777_000)));
        assert_eq!(UnixMs::from_http_date("yesterday"), None);
        assert!(knows_time_zones());
        assert_eq!(UnixMs(5).since(UnixMs(9)), Duration::ZERO);
    }
}

//! Durations, sizes, dates and deadlines as people write them.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::clock::UnixMs;

/// A duration such as `90s`, `15m` or `1h 30m`, longer than zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    let positive = parsed.filter(SignedDuration::is_positive).and_then(|length| Duration::try_from(length).ok());
    positive.ok_or_else(|| format!("cannot be `{text}`; write a duration such as `90s`, `15m` or `1h`"))
}

/// A size such as `64MiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("cannot be `{text}`; write a size such as `64MiB` or `500KB`");
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Whether this is a day such as `2026-11-23`, written exactly so.
pub(super) fn is_date(text: &str) -> bool {
    text.parse::<Date>().is_ok_and(|date| date.to_string() == text)
}

/// A moment: RFC 3339 with an offset, or a day, which begins at midnight UTC.
///
/// # Errors
/// If it is neither.
pub fn moment(text: &str) -> Result<UnixMs, String> {
    let day = text.parse::<Date>().ok().filter(|_| is_date(text));
    let day = day.map(|day| day.to_datetime(Time::midnight()).to_zoned_datetime(TimeZone::UTC));
    let day = day.and_then(Result::ok).map(|midnight| midnight.timestamp());
    let stamp = day.or_else(|| text.parse::<Timestamp>().ok());
    let wrong = || format!("cannot be `{text}`; write a day such as `2026-11-24`, or a time with an offset");
    stamp.and_then(unix_ms).ok_or_else(wrong)
}

/// A deadline: RFC 3339 with an offset, or `HH:MM Area/City`, which is the next such time after `now`.
pub(super) fn deadline(text: &str, now: UnixMs) -> Result<UnixMs, String> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return unix_ms(stamp).ok_or_else(|| format!("cannot be `{text}`, which is before 1970"));
    }
    if text.parse::<DateTime>().is_ok() {
        return Err(format!("`{text}` has no offset; append one such as `+01:00`, or `Z` for UTC"));
    }
    let forms = "write a time with an offset such as `2026-11-24T07:00+01:00`, or `07:00 Europe/Zurich`";
    let (time, zone) = text.split_once(' ').ok_or_else(|| format!("cannot be `{text}`; {forms}"))?;
    let time: Time = time.parse().map_err(|_| format!("cannot be `{text}`; {forms}"))?;
    let zone =
        TimeZone::get(zone.trim()).map_err(|_| format!("names an unknown time zone `{}`; {forms}", zone.trim()))?;
    next_such_time(time, &zone, now).and_then(unix_ms).ok_or_else(|| format!("cannot be `{text}`; {forms}"))
}

fn next_such_time(time: Time, zone: &TimeZone, now: UnixMs) -> Option<Timestamp> {
    let now = Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    let today = now.to_zoned_datetime(zone.clone()).date();
    for days in 0..=1 {
        let civil = today.checked_add(days.days()).ok()?.to_datetime(time);
        let then = civil.to_zoned_datetime(zone.clone()).ok()?.timestamp();
        if then > now {
            return Some(then);
        }
    }
    None
}

fn unix_ms(stamp: Timestamp) -> Option<UnixMs> {
    u64::try_from(stamp.as_millisecond()).ok().map(UnixMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T17:40:12Z: 18:40:12 in Zurich.
    const NOW: UnixMs = UnixMs(1_795_455_612_000);

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        for wrong in ["", "90", "0s", "-5s", "soon", "1 fortnight"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("500 KB"), Ok(500_000));
        assert_eq!(size("17"), Ok(17));
        for wrong in ["", "MiB", "0", "1.5MiB", "64mib", "99999999999GiB", "-1B"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn deadlines_are_moments() {
        let at = |text: &str| deadline(text, NOW).map(|deadline| deadline.to_string());
        assert_eq!(at("2026-11-24T07:00+01:00"), Ok("2026-11-24T06:00:00Z".to_owned()));
        assert_eq!(at("2026-11-24T07:00:00Z"), Ok("2026-11-24T07:00:00Z".to_owned()));
        assert_eq!(at("07:00 Europe/Zurich"), Ok("2026-11-24T06:00:00Z".to_owned()));
        assert_eq!(at("18:41 Europe/Zurich"), Ok("2026-11-23T17:41:00Z".to_owned()));
        assert_eq!(at("18:40 Europe/Zurich"), Ok("2026-11-24T17:40:00Z".to_owned()));
    }

    #[test]
    fn a_time_that_skips_on_the_day_of_the_change_still_exists() {
        // 2027-03-28: clocks in Zurich go from 02:00 to 03:00.
        let evening = deadline("2027-03-27T20:00+01:00", NOW).unwrap();
        assert_eq!(deadline("02:30 Europe/Zurich", evening).unwrap().to_string(), "2027-03-28T01:30:00Z");
    }

    #[test]
    fn ambiguous_deadlines_are_refused() {
        let wrong = |text: &str| deadline(text, NOW).unwrap_err();
        assert!(wrong("2026-11-24T07:00").contains("has no offset"));
        assert!(wrong("07:00 Europe/Zurihc").contains("unknown time zone"));
        for text in ["", "tomorrow", "07:00", "25:00 Europe/Zurich"] {
            assert!(wrong(text).contains("write a time"), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_day_or_a_time_with_an_offset() {
        assert_eq!(moment("2026-11-24").unwrap().to_string(), "2026-11-24T00:00:00Z");
        assert_eq!(moment("2026-11-24T07:00+01:00").unwrap().to_string(), "2026-11-24T06:00:00Z");
        for wrong in ["", "yesterday", "2026-11-31", "2026-11-24T07:00", "1969-01-01"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_have_one_spelling() {
        assert!(is_date("2026-11-23"));
        for wrong in ["2026-11-31", "20261123", "2026-11-23T00:00", "../.."] {
            assert!(!is_date(wrong), "{wrong}");
        }
    }
}

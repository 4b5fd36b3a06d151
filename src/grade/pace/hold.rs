//! What the server asks of everybody: to wait, or to be content with what is left.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::grade::quota::Allowance;

/// The longest that one hint or one reset holds everybody.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// After this long without a request, one goes out in spite of a hint or an empty allowance, and shows whether the
/// server still means it. Hints up to this long are kept to the letter.
pub(super) const PROBE_AFTER: Duration = Duration::from_mins(5);

/// How far an allowance's reset may be from that of a bucket that refills evenly within a minute, to be taken for one.
const BUCKET_TOLERANCE: f64 = 0.05;

/// A minute, and as much as the times at which requests arrive may differ from those at which they leave.
const MINUTE: Duration = Duration::from_millis(60_500);

/// Seconds by which no reset of a bucket is off.
const SURELY_A_WINDOW: f64 = 5.0;

/// A pause for everybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: Instant,
    /// Requests granted before it was heard of; a later one that is answered ends it.
    pub(super) granted: u64,
}

/// What is left of an allowance, by the server's last word.
#[derive(Debug, Default)]
pub(super) struct Anchor {
    said: Option<Said>,
    /// A reset has stood for a window, as no bucket's does: what looks like a bucket's later does so by chance.
    is_window: bool,
    /// What was granted in the last minutes, once it is a window: a sliding one has room again when this is a minute old.
    granted: VecDeque<(Instant, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    /// Everything granted up to this request is in the server's figure.
    serial: u64,
    /// What was left, with everything that was granted since taken off.
    left: i64,
    full: Option<i64>,
    at: Instant,
    reset: Duration,
    /// Whether it refills evenly, or only at the reset.
    is_bucket: bool,
}

impl Anchor {
    /// Takes the server's word, given beside the answer to request `serial`, since which `since` units were granted.
    pub(super) fn hear(&mut self, allowance: &Allowance, serial: u64, since: u64, now: Instant) {
        let (Some(remaining), Some(reset)) = (allowance.remaining, allowance.reset) else { return };
        if let Some(limit) = allowance.limit {
            self.is_window |= unlike_a_bucket(limit, remaining, reset) > SURELY_A_WINDOW;
        }
        let is_old = self.said.is_some_and(|said| serial < said.serial && now < said.at + said.reset);
        if is_old {
            return;
        }
        let cells = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let left = cells(remaining).saturating_sub(cells(since));
        let is_bucket = !self.is_window && allowance.limit.is_some_and(|limit| refills_evenly(limit, remaining, reset));
        let reset = reset.min(LONGEST_PAUSE);
        self.said = Some(Said { serial, left, full: allowance.limit.map(cells), at: now, reset, is_bucket });
    }

    /// The time at which `need` may go; `None` if it may go now.
    pub(super) fn holds(&self, need: u64, now: Instant) -> Option<Instant> {
        let said = self.said?;
        let need = i64::try_from(need).unwrap_or(i64::MAX).min(said.full.unwrap_or(i64::MAX));
        if said.left >= need {
            return None;
        }
        let missing = need - said.left;
        let wait = said.full.filter(|_| said.is_bucket).map_or(said.reset, |full| minutes(missing, full));
        let until = said.at + wait;
        Some(self.room(&said, missing).map_or(until, |at| at.min(until))).filter(|until| *until > now)
    }

    /// When so much of what was granted has left a sliding minute. In a fixed minute that is never before its reset.
    fn room(&self, said: &Said, missing: i64) -> Option<Instant> {
        let mut freed = 0_u64;
        let leaving = self.granted.iter().map(|(at, granted)| (*at + MINUTE, granted));
        let mut leaving = leaving.filter(|(at, _)| *at > said.at && said.reset <= MINUTE);
        leaving.find_map(|(at, granted)| {
            freed = freed.saturating_add(*granted);
            i64::try_from(freed).is_ok_and(|freed| freed >= missing).then_some(at)
        })
    }

    /// Notes that this much was granted.
    pub(super) fn take(&mut self, granted: u64, now: Instant) {
        self.said = self.said.filter(|said| now < said.at + said.reset);
        if self.is_window {
            while self.granted.pop_front_if(|(at, _)| *at + 2 * MINUTE < now).is_some() {}
            self.granted.push_back((now, granted));
        }
        if let Some(said) = &mut self.said {
            said.left = said.left.saturating_sub(i64::try_from(granted).unwrap_or(i64::MAX));
        }
    }
}

/// How long a bucket of `full` a minute takes to gain `missing`.
#[expect(clippy::cast_precision_loss, reason = "a share of a wait")]
fn minutes(missing: i64, full: i64) -> Duration {
    LONGEST_PAUSE.min(Duration::from_mins(1).mul_f64((missing as f64 / (full as f64).max(1.0)).clamp(0.0, 60.0)))
}

/// Whether the reset is that of a bucket that refills within a minute. A window's reset has nothing to do with what is
/// left; where it looks so by chance, a request too early is refused, and its hint holds everybody.
fn refills_evenly(limit: u64, remaining: u64, reset: Duration) -> bool {
    unlike_a_bucket(limit, remaining, reset) <= BUCKET_TOLERANCE * seconds_to_full(limit, remaining)
}

/// Seconds between the reset and that of such a bucket.
fn unlike_a_bucket(limit: u64, remaining: u64, reset: Duration) -> f64 {
    (reset.as_secs_f64() - seconds_to_full(limit, remaining)).abs()
}

#[expect(clippy::cast_precision_loss, reason = "a share of a minute")]
fn seconds_to_full(limit: u64, remaining: u64) -> f64 {
    60.0 * (limit.saturating_sub(remaining)) as f64 / (limit as f64).max(1.0)
}

//! What the server asks of everybody: to wait, or to be content with what is left.

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

/// A pause for everybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: Instant,
    /// Requests granted before it was heard of; a later one that is answered ends it.
    pub(super) granted: u64,
}

/// What is left of an allowance, by the server's last word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Anchor(Option<Said>);

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
        let is_old = self.0.is_some_and(|said| serial < said.serial && now < said.at + said.reset);
        if is_old {
            return;
        }
        let cells = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let left = cells(remaining).saturating_sub(cells(since));
        let is_bucket = allowance.limit.is_some_and(|limit| refills_evenly(limit, remaining, reset));
        let reset = reset.min(LONGEST_PAUSE);
        self.0 = Some(Said { serial, left, full: allowance.limit.map(cells), at: now, reset, is_bucket });
    }

    /// The time at which `need` may go; `None` if it may go now.
    pub(super) fn holds(&self, need: u64, now: Instant) -> Option<Instant> {
        let said = self.0?;
        let need = i64::try_from(need).unwrap_or(i64::MAX).min(said.full.unwrap_or(i64::MAX));
        if said.left >= need {
            return None;
        }
        let missing = need - said.left;
        let wait = said.full.filter(|_| said.is_bucket).map_or(said.reset, |full| minutes(missing, full));
        Some(said.at + wait).filter(|until| *until > now)
    }

    /// Notes that this much was granted.
    pub(super) fn take(&mut self, granted: u64, now: Instant) {
        self.0 = self.0.filter(|said| now < said.at + said.reset);
        if let Some(said) = &mut self.0 {
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
#[expect(clippy::cast_precision_loss, reason = "a comparison within a twentieth")]
fn refills_evenly(limit: u64, remaining: u64, reset: Duration) -> bool {
    let expected = 60.0 * (limit.saturating_sub(remaining)) as f64 / (limit as f64).max(1.0);
    (reset.as_secs_f64() - expected).abs() <= BUCKET_TOLERANCE * expected
}

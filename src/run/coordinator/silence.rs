//! A grader that does not answer: when to say so, and when to give up.

use std::time::Duration;

use crate::clock::UnixMs;
use crate::model::event::Ending;
use crate::model::outcome::FailureKind;

/// Attempts in a row without a reply, and for how long, before a reader is told,
pub(super) const SILENT_ATTEMPTS: u32 = 20;
const SILENCE: Duration = Duration::from_mins(1);
/// and how long a server may stay silent before the run stops. An outage of an hour costs nothing but time; a run that
/// waits for days costs a week.
const LONGEST_SILENCE: Duration = Duration::from_hours(2);
/// Only an attempt that failed within this time says anything of the present.
const RECENT: Duration = Duration::from_mins(10);
/// Where nothing was tried for so long, nobody was silent: a machine slept, or its clock was set.
const LONGEST_GAP: Duration = Duration::from_hours(1);

/// Attempts without a reply, one after the other.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the first of them ended.
    since: Option<UnixMs>,
    /// And the latest.
    latest: Option<UnixMs>,
    attempts: u32,
    is_told: bool,
}

impl Silence {
    /// Takes note of whether anybody answers. A request that the server rejects for what it is was answered.
    pub(super) fn note(&mut self, ending: &Ending, now: UnixMs) {
        let failure = match ending {
            Ending::Replied { .. } => None,
            Ending::Declined { failure, .. } | Ending::Unknown { failure } => Some(*failure),
            Ending::NotSent => Some(FailureKind::Connection),
        };
        match failure {
            None | Some(FailureKind::Rejected) => *self = Self::default(),
            Some(FailureKind::Interrupted) => {}
            Some(
                FailureKind::Connection
                | FailureKind::Timeout
                | FailureKind::RateLimited
                | FailureKind::Server
                | FailureKind::BadReply,
            ) => {
                if self.latest.is_some_and(|latest| now.since(latest) > LONGEST_GAP) {
                    *self = Self::default();
                }
                self.since.get_or_insert(now);
                self.latest = Some(now);
                self.attempts += 1;
            }
        }
    }

    /// What a reader should be told, once.
    pub(super) fn news(&mut self, now: UnixMs) -> Option<String> {
        let since = self.longer_than(SILENCE, now)?;
        let is_new = !std::mem::replace(&mut self.is_told, true);
        is_new.then(|| {
            format!(
                "the grader has given no reply since {since}: requests are tried again until it does; Ctrl-C keeps \
                 everything, and the same command goes on later"
            )
        })
    }

    /// Why there is no point in waiting any longer, if there is none.
    pub(super) fn is_hopeless(&self, now: UnixMs) -> Option<String> {
        let since = self.longer_than(LONGEST_SILENCE, now)?;
        Some(format!("the grader has given no reply since {since}"))
    }

    fn longer_than(&self, limit: Duration, now: UnixMs) -> Option<UnixMs> {
        let is_present = self.latest.is_some_and(|latest| now.since(latest) <= RECENT);
        let is_enough = is_present && self.attempts >= SILENT_ATTEMPTS;
        self.since.filter(|since| is_enough && now.since(*since) >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: Ending = Ending::Declined { status: 429, failure: FailureKind::RateLimited };
    const MINUTE: u64 = 60_000;

    fn fail(silence: &mut Silence, times: u32, at: u64) {
        for _ in 0..times {
            silence.note(&LIMITED, UnixMs(at));
        }
    }

    #[test]
    fn a_machine_that_slept_has_not_waited() {
        let mut silence = Silence::default();
        fail(&mut silence, 100, 0);
        let woken = 180 * MINUTE;
        assert_eq!(silence.is_hopeless(UnixMs(woken)), None, "nothing was tried since");
        assert_eq!(silence.news(UnixMs(woken)), None);
        fail(&mut silence, 100, woken);
        assert_eq!(silence.is_hopeless(UnixMs(woken + 1)), None, "a silence begins with what fails after the sleep");
        for minutes in 1..=120 {
            fail(&mut silence, 1, woken + minutes * MINUTE);
        }
        assert!(silence.is_hopeless(UnixMs(woken + 120 * MINUTE)).is_some());
    }

    #[test]
    fn one_attempt_each_five_minutes_is_a_silence() {
        let mut silence = Silence::default();
        fail(&mut silence, 20, 0);
        for probe in 1..=24 {
            assert_eq!(silence.is_hopeless(UnixMs((probe * 5 - 1) * MINUTE)), None);
            fail(&mut silence, 1, probe * 5 * MINUTE);
        }
        assert!(silence.is_hopeless(UnixMs(121 * MINUTE)).is_some());
        silence.note(&Ending::Replied { usage: None }, UnixMs(121 * MINUTE));
        assert_eq!(silence.is_hopeless(UnixMs(121 * MINUTE)), None);
    }
}

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

/// Attempts without a reply, one after the other.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the first of them ended.
    since: Option<UnixMs>,
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
                self.since.get_or_insert(now);
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
        self.since.filter(|since| self.attempts >= SILENT_ATTEMPTS && now.since(*since) >= limit)
    }
}

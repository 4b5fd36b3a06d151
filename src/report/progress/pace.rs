//! How fast units end.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::UnixMs;

/// The span over which the present rate is taken.
const WINDOW: Duration = Duration::from_mins(1);

/// Finished units by second, newest last: at most one entry per second of the window. A unit that was replayed from the
/// cache says nothing about how fast the rest will be.
#[derive(Debug, Default)]
pub(super) struct Pace {
    recent: VecDeque<(UnixMs, u64)>,
}

impl Pace {
    /// One more unit ended now.
    pub(super) fn tick(&mut self, now: UnixMs) {
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        match self.recent.back_mut() {
            Some((at, units)) if now.since(*at) < Duration::from_secs(1) => *units += 1,
            _ => self.recent.push_back((now, 1)),
        }
    }

    /// Units per second over the last minute of a session that has lasted this long.
    pub(super) fn now(&self, now: UnixMs, elapsed: Duration) -> Option<f64> {
        let recent = self.recent.iter().filter(|(at, _)| now.since(*at) < WINDOW).map(|(_, units)| units).sum();
        per_second(recent, elapsed.min(WINDOW))
    }
}

/// Units per second; nothing in the first second, when a rate says nothing.
#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
pub(super) fn per_second(units: u64, over: Duration) -> Option<f64> {
    (over >= Duration::from_secs(1)).then(|| units as f64 / over.as_secs_f64())
}

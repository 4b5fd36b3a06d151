//! The last minute as the server sees it. A steady rate is not enough for tokens: a large request is paid for over
//! seconds and arrives all at once, so a minute that begins with one and ends with another holds more than its rate.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The share of the limit that any minute may hold, by our count.
const SHARE_OF_LIMIT: f64 = 0.99;
/// A minute, and as much as the times at which requests arrive may differ from those at which they leave.
const MINUTE: Duration = Duration::from_millis(60_500);

/// More than any limit is as good as all of it; so no sum of them overflows, whatever a server says was used.
const MOST_TOKENS: u64 = u32::MAX as u64;

/// Tokens granted within the last minute, corrected as replies come. At most a minute's requests are remembered.
#[derive(Debug)]
pub(super) struct Window {
    granted: VecDeque<(Instant, u64)>,
    /// The number of the oldest one.
    first: u64,
    sum: u64,
    most: u64,
}

impl Window {
    pub(super) fn new(per_minute: u32) -> Self {
        let mut window = Self { granted: VecDeque::new(), first: 0, sum: 0, most: 0 };
        window.adopt(per_minute);
        window
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
    pub(super) fn adopt(&mut self, per_minute: u32) {
        self.most = (f64::from(per_minute) * SHARE_OF_LIMIT) as u64;
    }

    /// Whether this many tokens fit now.
    ///
    /// # Errors
    /// The time to wait until they do.
    pub(super) fn fits(&mut self, tokens: u64, now: Instant) -> Result<(), Duration> {
        while let Some((at, old)) = self.granted.front().copied().filter(|(at, _)| *at + MINUTE <= now) {
            debug_assert!(at <= now, "time does not go back");
            self.sum -= old;
            self.first += 1;
            self.granted.pop_front();
        }
        // A request of more than a minute's tokens waits until it is alone.
        let allowed = self.most.saturating_sub(tokens);
        let mut left = self.sum;
        let mut entries = self.granted.iter();
        let mut wait = None;
        while left > allowed {
            let Some((at, old)) = entries.next() else { break };
            left -= old;
            wait = Some((*at + MINUTE).saturating_duration_since(now));
        }
        wait.map_or(Ok(()), Err)
    }

    /// Notes the grant with this number; numbers follow each other.
    pub(super) fn push(&mut self, number: u64, tokens: u64, now: Instant) {
        if self.granted.is_empty() {
            self.first = number;
        }
        let tokens = tokens.min(MOST_TOKENS);
        self.granted.push_back((now, tokens));
        self.sum += tokens;
    }

    /// Corrects a grant to what was used.
    pub(super) fn correct(&mut self, number: u64, used: u64) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some((_, tokens)) = index.and_then(|index| self.granted.get_mut(index)) {
            let used = used.min(MOST_TOKENS);
            self.sum = self.sum - *tokens + used;
            *tokens = used;
        }
    }
}

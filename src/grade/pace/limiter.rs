//! One limit per minute: governor on tokio's clock, and an account that is paid in advance and settled afterwards.

use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// The share of a limit that is used: a server counts in windows of its own.
const SHARE_OF_LIMIT: f64 = 0.98;
/// The share of a minute's limit that may go out at once.
const BURST_SHARE: f64 = 0.01;
/// The share of a minute's limit that unused estimates may add up to. What was refunded beyond that is let go:
/// otherwise it could all be spent at once after a lull, in a window that was full already.
const CREDIT_SHARE: f64 = 0.05;

/// The most minutes' limits that may be owed: whatever a server says was used, nobody waits for longer.
const MOST_DEBT: i64 = 60;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>;

/// One limit, with what was paid into it and not used yet.
#[derive(Debug)]
pub(super) struct Account {
    limiter: Limiter,
    burst: NonZeroU32,
    per_minute: u32,
    configured: Option<u32>,
    /// Cells that are paid for (positive), or were used beyond their estimate (negative). Nobody's in particular: an
    /// urgent request may use what a less urgent one has begun to pay.
    balance: i64,
    most_credit: i64,
}

impl Account {
    pub(super) fn new(per_minute: u32, configured: Option<u32>) -> Self {
        let used = f64::from(per_minute) * SHARE_OF_LIMIT;
        let burst = NonZeroU32::new(whole(used * BURST_SHARE)).unwrap_or(NonZeroU32::MIN);
        let period = Duration::from_mins(1).div_f64(used.max(1e-3));
        let quota = Quota::with_period(period).expect("a minute over at most four billion is not zero");
        Self {
            limiter: RateLimiter::direct_with_clock(quota.allow_burst(burst), TokioClock),
            burst,
            per_minute,
            configured,
            balance: 0,
            most_credit: i64::from(whole(used * CREDIT_SHARE)),
        }
    }

    /// Pays towards `due`, in instalments of at most the burst, as long as the limit allows.
    ///
    /// # Errors
    /// The time to wait for the next instalment.
    pub(super) fn pay(&mut self, due: u64) -> Result<(), Duration> {
        let due = i64::try_from(due).unwrap_or(i64::MAX);
        loop {
            let left = due.saturating_sub(self.balance);
            let most = left.min(i64::from(self.burst.get()));
            let Some(instalment) = u32::try_from(most).ok().and_then(NonZeroU32::new) else { return Ok(()) };
            match self.limiter.check_n(instalment) {
                Ok(Ok(())) => self.balance += i64::from(instalment.get()),
                Ok(Err(not_yet)) => return Err(not_yet.wait_time_from(TokioClock.now())),
                // An instalment is at most the burst, so "never" cannot be the answer.
                Err(_insufficient) => return Ok(()),
            }
        }
    }

    /// Takes what was paid; the rest of `due` becomes debt.
    pub(super) fn take(&mut self, due: u64) {
        self.balance = self.balance.saturating_sub(i64::try_from(due).unwrap_or(i64::MAX));
    }

    /// Carries a difference between estimate and use: positive if less was used.
    pub(super) fn settle(&mut self, unused: i64) {
        let most = self.most_credit.max(self.balance);
        let least = (-MOST_DEBT * i64::from(self.per_minute)).min(self.balance);
        self.balance = self.balance.saturating_add(unused).clamp(least, most);
    }

    pub(super) const fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Adopts the limit that the server states, up to what was configured.
    pub(super) fn adopt(&mut self, stated: u64) {
        let stated = u32::try_from(stated).unwrap_or(u32::MAX);
        let limit = self.configured.map_or(stated, |configured| configured.min(stated));
        // A limit of zero is a server's way of saying something else: its refusals say it better.
        if limit != 0 && limit != self.per_minute {
            let balance = self.balance;
            *self = Self::new(limit, self.configured);
            self.balance = balance.min(self.most_credit);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
fn whole(share: f64) -> u32 {
    share.floor() as u32
}

/// Tokio's clock as governor wants it, so that tests can pause it.
#[derive(Debug, Clone, Default)]
struct TokioClock;

/// An instant of [`TokioClock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

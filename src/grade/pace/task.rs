//! The task behind a pacer. It hears calls while it waits: a settlement, a pause or an urgent request never queues behind
//! somebody who is held.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::hold::{Anchor, LONGEST_PAUSE, PROBE_AFTER, Pause};
use super::limiter::Account;
use super::window::Window;
use super::{Call, Paced, Shared, Used, Waiter};
use crate::grade::lane::Lanes;
use crate::grade::quota::{Allowance, Quota};

/// Bytes per token before the first reply has been seen.
const FIRST_BYTES_PER_TOKEN: f64 = 4.0;
/// Weight of the newest reply in the running estimates.
const NEWEST_WEIGHT: f64 = 0.05;
/// Whoever is held for longer than this gives up what others could use, and has this much time to take it again.
const MOMENT: Duration = Duration::from_secs(1);
/// Calls that are heard between two looks at who may go.
const BATCH: usize = 64;

pub(super) struct Task {
    shared: Arc<Shared>,
    waiting: Lanes<Waiter>,
    requests: Option<Account>,
    tokens: Option<Account>,
    minute: Option<Window>,
    bytes_per_token: f64,
    /// The share of their output limit that completions use.
    output_share: f64,
    requests_left: Anchor,
    tokens_left: Anchor,
    pause: Option<Pause>,
    is_closed_for_a_pause: bool,
    last_granted: Instant,
}

impl Task {
    pub(super) fn new(requests: Option<u32>, tokens: Option<u32>, shared: Arc<Shared>) -> Self {
        let account = |limit: u32| Account::new(limit, Some(limit));
        Self {
            shared,
            waiting: Lanes::default(),
            requests: requests.map(account),
            tokens: tokens.map(account),
            minute: tokens.map(Window::new),
            bytes_per_token: FIRST_BYTES_PER_TOKEN,
            output_share: 1.0,
            requests_left: Anchor::default(),
            tokens_left: Anchor::default(),
            pause: None,
            is_closed_for_a_pause: false,
            last_granted: Instant::now(),
        }
    }

    pub(super) async fn serve(mut self, mut calls: mpsc::Receiver<Call>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let next = self.let_go(Instant::now());
            let heard = match next {
                None => calls.recv_many(&mut batch, BATCH).await,
                Some(at) => tokio::select! {
                    biased;
                    heard = calls.recv_many(&mut batch, BATCH) => heard,
                    () = tokio::time::sleep_until(at) => continue,
                },
            };
            if heard == 0 {
                return;
            }
            for call in batch.drain(..) {
                self.hear(call);
            }
        }
    }

    fn hear(&mut self, call: Call) {
        match call {
            Call::Wait { lane, waiter } => self.waiting.push(lane, waiter),
            Call::Settle { place, used, quota } => {
                self.settle(&place, used);
                if let Some(quota) = quota {
                    self.anchor(&place, &quota);
                }
            }
            Call::Pause(hint) => {
                let now = Instant::now();
                let until = now + hint.min(LONGEST_PAUSE);
                // What passed without the task was granted before this.
                self.last_granted = now;
                let until = self.pause.map_or(until, |pause| pause.until.max(until));
                self.is_closed_for_a_pause = true;
                self.shared.is_open.store(false, Ordering::Release);
                self.pause = Some(Pause { until, granted: self.shared.requests.load(Ordering::Acquire) });
            }
        }
    }

    /// Lets everybody go who may, and returns when to look again, if anybody waits or is held.
    fn let_go(&mut self, now: Instant) -> Option<Instant> {
        loop {
            self.pause = self.pause.filter(|pause| pause.until > now);
            let next = self.next().map(|(bytes, output)| self.estimate(bytes, output));
            self.tell(next, now);
            let Some(estimated) = next else { return self.rest() };
            if let Some(until) = self.held(estimated, now) {
                let released = self.shared.held.borrow().map(|until| until - MOMENT);
                return Some(released.map_or(until, |released| released.min(until)));
            }
            // A request is paid first, so that a long wait for tokens does not use it up.
            let paid = |account: &mut Option<Account>, due| account.as_mut().map_or(Ok(()), |account| account.pay(due));
            let wait = paid(&mut self.requests, 1).and_then(|()| paid(&mut self.tokens, estimated));
            let wait = wait.and_then(|()| self.minute.as_mut().map_or(Ok(()), |minute| minute.fits(estimated, now)));
            if let Err(wait) = wait {
                return Some(now + wait);
            }
            self.grant(estimated, now);
        }
    }

    /// Bytes and output limit of the one whose turn it is, without those that have gone.
    fn next(&mut self) -> Option<(u64, u64)> {
        while self.waiting.front()?.go.is_closed() {
            self.waiting.pop();
        }
        self.waiting.front().map(|waiter| (waiter.bytes, waiter.output))
    }

    /// Nobody waits: as soon as nothing limits either, nobody needs to ask.
    fn rest(&mut self) -> Option<Instant> {
        if let Some(pause) = self.pause {
            return Some(pause.until);
        }
        // Only where a pause was heard and is over: one that is about to be heard has closed the way already.
        if std::mem::take(&mut self.is_closed_for_a_pause) && !self.shared.has_limits.load(Ordering::Acquire) {
            self.shared.is_open.store(true, Ordering::Release);
        }
        None
    }

    /// Until when the next request is held by what the server said; one goes all the same after a while.
    fn held(&self, estimated: u64, now: Instant) -> Option<Instant> {
        let until = self.closed(estimated, now)?;
        Some(until.min(self.last_granted + PROBE_AFTER)).filter(|until| *until > now)
    }

    /// The same without the exception.
    fn closed(&self, estimated: u64, now: Instant) -> Option<Instant> {
        let pause = self.pause.map(|pause| pause.until);
        let anchors = self.requests_left.holds(1, now).max(self.tokens_left.holds(estimated, now));
        pause.max(anchors)
    }

    /// Tells everybody whether the next one, if there is one, is held for long.
    fn tell(&mut self, next: Option<u64>, now: Instant) {
        let soon = now + MOMENT;
        let until = self.closed(next.unwrap_or_default(), now).filter(|until| *until > soon);
        let is_news = self.shared.held.send_if_modified(|told| std::mem::replace(told, until) != until);
        if is_news && until.is_none() {
            // However the hold came to its end: first those who gave something up take it again.
            let granted = self.shared.requests.load(Ordering::Acquire);
            self.pause = Some(Pause { until: self.pause.map_or(soon, |pause| pause.until.max(soon)), granted });
            self.is_closed_for_a_pause = true;
        }
    }

    fn grant(&mut self, estimated: u64, now: Instant) {
        let Some(waiter) = self.waiting.pop() else { return };
        let place = self.shared.grant(waiter.bytes, waiter.output, estimated, true);
        for (account, due) in [(&mut self.requests, 1), (&mut self.tokens, estimated)] {
            if let Some(account) = account {
                account.take(due);
            }
        }
        if let Some(minute) = &mut self.minute {
            minute.push(place.requests, estimated, now);
        }
        self.requests_left.take(1, now);
        self.tokens_left.take(estimated, now);
        self.last_granted = now;
        if waiter.go.send(place).is_err() {
            self.settle(&place, Used::NotSent);
        }
    }

    fn settle(&mut self, place: &Paced, used: Used) {
        let (requests, used) = match used {
            Used::Tokens { prompt, completion } => {
                self.learn(place, prompt, completion);
                // An answer to a request that left after the hint: the server has changed its mind.
                self.pause = self.pause.filter(|pause| place.requests <= pause.granted);
                (0, prompt.saturating_add(completion))
            }
            Used::Declined => (0, 0),
            Used::NotSent => (1, 0),
            Used::Unknown => (0, place.estimated),
        };
        let unused = i128::from(place.estimated) - i128::from(used);
        if !place.is_counted {
            return;
        }
        if let Some(account) = &mut self.requests {
            account.settle(requests);
        }
        if let Some(account) = &mut self.tokens {
            account.settle(i64::try_from(unused).unwrap_or(if unused < 0 { i64::MIN } else { i64::MAX }));
        }
        if let Some(minute) = &mut self.minute {
            minute.correct(place.requests, used);
        }
    }

    fn anchor(&mut self, place: &Paced, quota: &Quota) {
        let now = Instant::now();
        if !place.is_counted {
            self.last_granted = now;
        }
        let since = |all: u64, then: u64| all.saturating_sub(then);
        let requests = since(self.shared.requests.load(Ordering::Acquire), place.requests);
        let tokens = since(self.shared.tokens.load(Ordering::Acquire), place.tokens);
        self.requests_left.hear(&quota.requests, place.requests, requests, now);
        self.tokens_left.hear(&quota.tokens, place.requests, tokens, now);
        adopt(&mut self.requests, &quota.requests);
        adopt(&mut self.tokens, &quota.tokens);
        if let (Some(minute), Some(account)) = (&mut self.minute, &self.tokens) {
            minute.adopt(account.per_minute());
        }
        self.shared.has_limits.store(true, Ordering::Release);
        self.shared.is_open.store(false, Ordering::Release);
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of a token count"
    )]
    fn estimate(&self, bytes: u64, output: u64) -> u64 {
        (bytes as f64 / self.bytes_per_token + output as f64 * self.output_share).ceil() as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "estimates of ratios")]
    fn learn(&mut self, place: &Paced, prompt: u64, completion: u64) {
        if prompt > 0 {
            let seen = (place.bytes as f64 / prompt as f64).clamp(1.0, 16.0);
            self.bytes_per_token += NEWEST_WEIGHT * (seen - self.bytes_per_token);
        }
        if place.output > 0 {
            let seen = (completion as f64 / place.output as f64).clamp(0.0, 1.0);
            self.output_share += NEWEST_WEIGHT * (seen - self.output_share);
        }
    }
}

/// The estimate before anything has been seen.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
pub(super) fn first_estimate(bytes: u64, output: u64) -> u64 {
    ((bytes as f64 / FIRST_BYTES_PER_TOKEN).ceil() as u64).saturating_add(output)
}

/// A limit below the configured one is the limit, until the server states a larger one. A limit that nobody configured
/// is not paced by: some servers state it for a day. There, what is left and until when is all that counts.
fn adopt(account: &mut Option<Account>, allowance: &Allowance) {
    if let (Some(account), Some(limit)) = (account, allowance.limit) {
        account.adopt(limit);
    }
}

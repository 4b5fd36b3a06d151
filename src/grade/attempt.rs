//! The retry loop around single attempts. An attempt crosses the gates once, in this order: budget, slot, pace,
//! journal, wire. Retries pass every gate again, so no attempt is free and no slot sleeps.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::body::RequestBody;
use super::desk::{Desk, Go, Gone, Leave, Message, Sending, Settlement};
use super::http::{Answer, Endpoint, NoAnswer};
use super::lane::Lane;
use super::pace::{Paced, Pacer, Used};
use super::retry::{self, Billing, Decision, Delays};
use super::slots::{Load, Slot, Slots, Unkept};
use crate::clock;
use crate::model::event::{AttemptId, Ending, Settled, StopReason};
use crate::model::grading::Reply;
use crate::model::money::{NanoUsd, Price};
use crate::model::outcome::{FailureKind, Outcome};
use crate::verdict::Body;

/// Attempts in a row of one candidate at an endpoint that has never answered, after which the run stops, if only a
/// change of the set-up can help. Three take some seconds: a blink of the network does not end a night.
const HOPELESS_ATTEMPTS: u32 = 3;

/// An endpoint with its gates.
#[derive(Debug)]
pub struct Line {
    endpoint: Endpoint,
    slots: Slots,
    pacer: Pacer,
    item_deadline: Duration,
    /// Whether the endpoint has ever answered, with whatever status.
    has_answered: AtomicBool,
}

/// One candidate's request, ready to be sent.
pub struct Shot {
    /// What goes on record of its first attempt.
    pub sending: Sending,
    /// The body.
    pub body: RequestBody,
    /// The nonce in the body's fence.
    pub nonce: String,
    /// The model's price.
    pub price: Price,
    /// Completion tokens at most, for the pacer.
    pub output_limit: u64,
    /// How urgent its first attempt is; later ones are urgent in any case.
    pub lane: Lane,
}

impl fmt::Debug for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shot({:?}, {} bytes)", self.sending, self.body.len())
    }
}

/// How all attempts together ended.
#[derive(Debug)]
pub enum Ended {
    /// With a reply and its place among those that are not in the log yet.
    Replied(Box<Replied>, Unkept),
    /// Without one.
    Without(Outcome),
}

/// A reply, fresh from the wire.
#[derive(Debug)]
pub struct Replied {
    /// The reply, to be kept.
    pub reply: Reply,
    /// Its body, parsed.
    pub body: Body,
    /// The attempt that brought it, to be settled once the reply is kept.
    pub attempt: AttemptId,
}

/// What one attempt leads to.
enum Next {
    End(Ended),
    Again { failure: FailureKind, missing: Option<NoAnswer>, took: Duration },
}

impl Line {
    /// An endpoint behind its gates; all attempts for one candidate together may take as long as `item_deadline`. What
    /// counts is time on the wire and between attempts: waiting at the gates is nobody's failure.
    #[must_use]
    pub const fn new(endpoint: Endpoint, slots: Slots, pacer: Pacer, item_deadline: Duration) -> Self {
        Self { endpoint, slots, pacer, item_deadline, has_answered: AtomicBool::new(false) }
    }

    /// Sends until there is a reply, a permanent error, or the item deadline.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn shoot(&self, shot: &Shot, desk: &Desk) -> Result<Ended, Gone> {
        if let Err(error) = self.endpoint.authorise().await {
            desk.say(Message::Stop(StopReason::Unusable { message: error.to_string() })).await?;
            return Ok(Ended::Without(Outcome::Failed { failure: FailureKind::Interrupted }));
        }
        let mut left = self.item_deadline;
        let mut delays = Delays::default();
        let mut lane = shot.lane;
        let mut sending = shot.sending.clone();
        let mut hopeless = 0;
        loop {
            let (failure, missing, took) = match self.attempt(shot, &sending, lane, desk).await? {
                Next::End(ended) => return Ok(ended),
                Next::Again { failure, missing, took } => (failure, missing, took),
            };
            match missing.and_then(NoAnswer::advice) {
                Some(advice) if !self.has_answered.load(Ordering::Relaxed) => {
                    hopeless += 1;
                    if hopeless >= HOPELESS_ATTEMPTS {
                        let message = format!("the endpoint never answered: {advice}");
                        desk.say(Message::Stop(StopReason::Unusable { message })).await?;
                        return Ok(Ended::Without(Outcome::Failed { failure }));
                    }
                }
                Some(_) | None => hopeless = 0,
            }
            let wait = delays.draw();
            left = left.saturating_sub(took);
            if wait >= left {
                return Ok(Ended::Without(Outcome::Failed { failure }));
            }
            left -= wait;
            lane = Lane::Urgent;
            sending.again = true;
            let mut desk = desk.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = desk.stopped() => {}
            }
        }
    }

    async fn attempt(&self, shot: &Shot, sending: &Sending, lane: Lane, desk: &Desk) -> Result<Next, Gone> {
        let (bound, stopped) = (shot.sending.bound, Outcome::Failed { failure: FailureKind::Interrupted });
        match desk.reserve(shot.sending.ordinal, bound).await? {
            Go::Yes => {}
            Go::NoMoney => return Ok(without(Outcome::OverBudget)),
            Go::TooLate => return Ok(without(Outcome::PastDeadline)),
            Go::Stopping => return Ok(without(stopped)),
        }
        let Some((held, place)) = self.admission(shot, lane, desk).await else {
            return unsent(bound, stopped, desk).await;
        };
        let attempt = match desk.sending(sending.clone()).await? {
            Leave::Recorded(attempt) => attempt,
            Leave::Stopping => return unsent(bound, stopped, desk).await,
            Leave::TooLate => return unsent(bound, Outcome::PastDeadline, desk).await,
        };
        let mut open = Open { attempt, place, held, sent: Instant::now() };
        open.held.sent();
        match self.endpoint.post(shot.body.clone(), &shot.sending.key).await {
            Ok(answer) => {
                self.has_answered.store(true, Ordering::Relaxed);
                self.answered(shot, open, answer, desk).await
            }
            Err(missing) => self.unanswered(shot, open, missing, desk).await,
        }
    }

    /// A slot and the pacer's leave; `None` as soon as the run is stopping, however long the queues are.
    async fn admission(&self, shot: &Shot, lane: Lane, desk: &Desk) -> Option<(Slot, Paced)> {
        let mut signal = desk.clone();
        let gates = async {
            loop {
                let held = self.slots.take(lane).await;
                let mut turn = pin!(self.pacer.wait(lane, shot.body.len() as u64, shot.output_limit));
                tokio::select! {
                    biased;
                    place = &mut turn => return (held, place),
                    () = self.pacer.held() => {}
                }
                // Other models of the endpoint need its slots while this one is held.
                drop(held);
                tokio::select! {
                    biased;
                    // It is the probe.
                    place = &mut turn => return (self.slots.take(lane).await, place),
                    () = self.pacer.released() => {}
                }
            }
        };
        tokio::select! {
            biased;
            () = signal.stopped() => None,
            passed = gates => Some(passed),
        }
    }

    async fn unanswered(&self, shot: &Shot, open: Open, missing: NoAnswer, desk: &Desk) -> Result<Next, Gone> {
        let Open { attempt, place, mut held, sent } = open;
        let bound = shot.sending.bound;
        let (failure, billing, load) = match retry::decide_missing(missing) {
            Decision::Retry { failure, billing, load, .. } => (failure, billing, load),
            Decision::Keep | Decision::GiveUp { .. } | Decision::StopRun { .. } => {
                (FailureKind::Connection, Billing::Unknown, Load::Unrelated)
            }
        };
        held.ended(load);
        drop(held);
        let (ending, cost, used) = match billing {
            Billing::No => (Ending::NotSent, NanoUsd::ZERO, Used::NotSent),
            Billing::Unknown => (Ending::Unknown { failure }, bound, Used::Unknown),
        };
        self.pacer.settle(place, used, None).await;
        let took = sent.elapsed();
        let settled = Settled { attempt, ending, cost, latency_ms: milliseconds(took), anchor: None };
        desk.say(Message::Settled(Settlement { settled, bound })).await?;
        Ok(Next::Again { failure, missing: Some(missing), took })
    }

    async fn answered(&self, shot: &Shot, open: Open, answer: Answer, desk: &Desk) -> Result<Next, Gone> {
        let Open { attempt, place, mut held, .. } = open;
        let body = Body::parse(&answer.body).ok();
        let decision = retry::decide(answer.status, answer.retry_after, body.as_ref());
        held.ended(self.load(&decision, answer.status));
        let quota = answer.quota;
        if let (Decision::Keep, Some(body)) = (&decision, body) {
            let unkept = held.answered().await;
            let reply = keep(shot, answer, &body);
            let used = match reply.usage {
                Some(usage) => Used::Tokens { prompt: usage.prompt_tokens, completion: usage.completion_tokens },
                None if reply.status < 300 => Used::Unknown,
                None => Used::Declined,
            };
            self.pacer.settle(place, used, quota).await;
            return Ok(Next::End(Ended::Replied(Box::new(Replied { reply, body, attempt }), unkept)));
        }
        // Before the slot is free: nobody may leave in between.
        if let Decision::StopRun { message } = &decision {
            desk.say(Message::Stop(StopReason::Unusable { message: message.clone() })).await?;
        }
        drop(held);
        let (failure, is_maybe_billed) = match &decision {
            Decision::Retry { failure, billing, .. } => (*failure, *billing == Billing::Unknown),
            Decision::GiveUp { failure } => (*failure, false),
            Decision::StopRun { .. } | Decision::Keep => (FailureKind::Rejected, false),
        };
        let bound = shot.sending.bound;
        let (ending, cost, used) = if is_maybe_billed {
            (Ending::Unknown { failure }, bound, Used::Unknown)
        } else {
            (Ending::Declined { status: answer.status, failure }, NanoUsd::ZERO, Used::Declined)
        };
        // The hint first: nobody may slip through between the two.
        if let Decision::Retry { after: Some(hint), .. } = &decision {
            self.pacer.pause(*hint).await;
        }
        self.pacer.settle(place, used, quota).await;
        let settled = Settled { attempt, ending, cost, latency_ms: milliseconds(answer.latency), anchor: None };
        desk.say(Message::Settled(Settlement { settled, bound })).await?;
        match decision {
            Decision::Retry { .. } => Ok(Next::Again { failure, missing: None, took: answer.latency }),
            Decision::StopRun { .. } | Decision::GiveUp { .. } | Decision::Keep => {
                Ok(without(Outcome::Failed { failure }))
            }
        }
    }

    /// "Too fast" is the pacer's business where a limit is known; elsewhere fewer at once is the only way to be slower.
    fn load(&self, decision: &Decision, status: u16) -> Load {
        match decision.load(status) {
            Load::TooFast if self.pacer.has_limits() => Load::Unrelated,
            load @ (Load::Served | Load::Unrelated | Load::TooFast | Load::TooMany) => load,
        }
    }
}

/// An attempt that is on record and not settled.
struct Open {
    attempt: AttemptId,
    place: Paced,
    held: Slot,
    sent: Instant,
}

/// Gives back the money of an attempt that does not leave.
async fn unsent(bound: NanoUsd, outcome: Outcome, desk: &Desk) -> Result<Next, Gone> {
    desk.say(Message::Release { bound }).await?;
    Ok(without(outcome))
}

const fn without(outcome: Outcome) -> Next {
    Next::End(Ended::Without(outcome))
}

fn keep(shot: &Shot, answer: Answer, body: &Body) -> Reply {
    let usage = body.usage();
    // A refused request is not billed; a reply that names no usage may have cost all that was reserved.
    let cost = match usage {
        Some(usage) => shot.price.cost(&usage),
        None if (200..300).contains(&answer.status) => shot.sending.bound,
        None => NanoUsd::ZERO,
    };
    Reply {
        key: shot.sending.key,
        status: answer.status,
        body: answer.body,
        nonce: shot.nonce.clone(),
        model: body.served_model().map(str::to_owned),
        usage,
        cost,
        latency_ms: milliseconds(answer.latency),
        received_ms: clock::now().0,
        request_id: answer.request_id,
        imported: false,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

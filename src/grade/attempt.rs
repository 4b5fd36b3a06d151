//! The retry loop around single attempts. An attempt crosses the gates once, in this order: budget, slot, pace,
//! journal, wire. Retries pass every gate again, so no attempt is free and no slot sleeps.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::desk::{Desk, Go, Gone, Message, Sending, Settlement};
use super::http::{Answer, Endpoint, NoAnswer};
use super::pace::{Paced, Pacer};
use super::retry::{self, Billing, Decision, Delays};
use super::slots::{Slot, Slots, Unkept};
use crate::clock;
use crate::model::event::{AttemptId, Ending, Settled, StopReason};
use crate::model::grading::Reply;
use crate::model::money::{NanoUsd, Price};
use crate::model::outcome::{FailureKind, Outcome};
use crate::verdict::Body;

/// An endpoint with its gates.
#[derive(Debug)]
pub struct Line {
    /// The wire.
    pub endpoint: Endpoint,
    /// Requests in flight at once.
    pub slots: Slots,
    /// Requests and tokens per minute.
    pub pacer: Pacer,
    /// How long all attempts for one candidate may take.
    pub item_deadline: Duration,
}

/// One candidate's request, ready to be sent.
pub struct Shot {
    /// What goes on record.
    pub sending: Sending,
    /// The body.
    pub body: Bytes,
    /// The nonce in the body's fence.
    pub nonce: String,
    /// The model's price.
    pub price: Price,
    /// Completion tokens at most, for the pacer.
    pub output_limit: u64,
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
    Again { failure: FailureKind, hint: Option<Duration> },
}

impl Line {
    /// Sends until there is a reply, a permanent error, or the item deadline.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn shoot(&self, shot: &Shot, desk: &Desk) -> Result<Ended, Gone> {
        if let Err(error) = self.endpoint.authorise().await {
            desk.say(Message::Stop(StopReason::Unusable { message: error.to_string() })).await?;
            return Ok(Ended::Without(Outcome::Failed { failure: FailureKind::Interrupted }));
        }
        let deadline = Instant::now() + self.item_deadline;
        let mut delays = Delays::default();
        loop {
            let (failure, hint) = match self.attempt(shot, desk).await? {
                Next::End(ended) => return Ok(ended),
                Next::Again { failure, hint } => (failure, hint),
            };
            let wait = delays.next(hint);
            // A hint can be longer than any clock can count: it is never added to a time.
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return Ok(Ended::Without(Outcome::Failed { failure }));
            }
            let mut desk = desk.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = desk.stopped() => {}
            }
        }
    }

    async fn attempt(&self, shot: &Shot, desk: &Desk) -> Result<Next, Gone> {
        let bound = shot.sending.bound;
        match desk.reserve(shot.sending.ordinal, bound).await? {
            Go::Yes => {}
            Go::NoMoney => return Ok(without(Outcome::OverBudget)),
            Go::TooLate => return Ok(without(Outcome::PastDeadline)),
            Go::Stopping => return Ok(without(Outcome::Failed { failure: FailureKind::Interrupted })),
        }
        let Some((held, place)) = self.admission(shot, desk).await else {
            desk.say(Message::Release { bound }).await?;
            return Ok(without(Outcome::Failed { failure: FailureKind::Interrupted }));
        };
        let Some(attempt) = desk.sending(shot.sending.clone()).await? else {
            desk.say(Message::Release { bound }).await?;
            return Ok(without(Outcome::PastDeadline));
        };
        let sent = Instant::now();
        let answer = self.endpoint.post(shot.body.clone(), &shot.sending.key).await;
        match answer {
            Ok(answer) => {
                let unkept = held.answered().await;
                self.answered(shot, Open { attempt, place, unkept }, answer, desk).await
            }
            Err(missing) => {
                drop(held);
                let (failure, ending, cost) = unanswered(missing, bound);
                let latency_ms = milliseconds(sent.elapsed());
                let settled = Settled { attempt, ending, cost, latency_ms };
                desk.say(Message::Settled(Settlement { settled, bound })).await?;
                Ok(Next::Again { failure, hint: None })
            }
        }
    }

    /// A slot and the pacer's leave; `None` as soon as the run is stopping, however long the queues are.
    async fn admission(&self, shot: &Shot, desk: &Desk) -> Option<(Slot, Paced)> {
        let mut signal = desk.clone();
        let gates = async {
            let held = self.slots.take().await;
            (held, self.pacer.wait(shot.body.len() as u64, shot.output_limit).await)
        };
        tokio::select! {
            biased;
            () = signal.stopped() => None,
            passed = gates => Some(passed),
        }
    }

    async fn answered(&self, shot: &Shot, open: Open, answer: Answer, desk: &Desk) -> Result<Next, Gone> {
        let bound = shot.sending.bound;
        let body = Body::parse(&answer.body).ok();
        let decision = retry::decide(answer.status, answer.retry_after, body.as_ref());
        if let (Decision::Keep, Some(body)) = (&decision, body) {
            let reply = keep(shot, answer, &body);
            if let Some(usage) = reply.usage {
                self.pacer.settle(open.place, usage.prompt_tokens, usage.completion_tokens).await;
            }
            let replied = Box::new(Replied { reply, body, attempt: open.attempt });
            return Ok(Next::End(Ended::Replied(replied, open.unkept)));
        }
        let failure = match &decision {
            Decision::Retry { failure, .. } | Decision::GiveUp { failure } => *failure,
            Decision::StopRun { .. } | Decision::Keep => FailureKind::Rejected,
        };
        let maybe_billed = matches!(decision, Decision::Retry { billing: Billing::Unknown, .. });
        let (ending, cost) = if maybe_billed {
            (Ending::Unknown { failure }, bound)
        } else {
            (Ending::Declined { status: answer.status, failure }, NanoUsd::ZERO)
        };
        let latency_ms = milliseconds(answer.latency);
        let settled = Settled { attempt: open.attempt, ending, cost, latency_ms };
        desk.say(Message::Settled(Settlement { settled, bound })).await?;
        match decision {
            Decision::Retry { failure, after, .. } => {
                if let Some(hint) = after {
                    self.pacer.pause(hint).await;
                }
                Ok(Next::Again { failure, hint: after })
            }
            Decision::StopRun { message } => {
                desk.say(Message::Stop(StopReason::Unusable { message })).await?;
                Ok(without(Outcome::Failed { failure }))
            }
            Decision::GiveUp { .. } | Decision::Keep => Ok(without(Outcome::Failed { failure })),
        }
    }
}

/// An attempt that is on record and not settled.
struct Open {
    attempt: AttemptId,
    place: Paced,
    unkept: Unkept,
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

fn unanswered(missing: NoAnswer, bound: NanoUsd) -> (FailureKind, Ending, NanoUsd) {
    let failure = match missing {
        NoAnswer::NotConnected => return (FailureKind::Connection, Ending::NotSent, NanoUsd::ZERO),
        NoAnswer::Broken => FailureKind::Connection,
        NoAnswer::TimedOut => FailureKind::Timeout,
        NoAnswer::TooLarge => FailureKind::BadReply,
    };
    (failure, Ending::Unknown { failure }, bound)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, watch};
    use tokio::task::JoinSet;

    use super::*;
    use crate::grade::desk::Stopping;
    use crate::grade::fixture;
    use crate::model::event::Ordinal;
    use crate::model::grading::Stage;
    use crate::model::hash::Digest;

    fn shot() -> Shot {
        let (stage, key) = (Stage::Screen, Digest::of(b"key"));
        let sending = Sending { ordinal: Ordinal(0), stage, key, bound: NanoUsd(1) };
        Shot { sending, body: Bytes::new(), nonce: String::new(), price: Price::FREE, output_limit: 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_is_heard_in_the_queues() {
        let mut tasks = JoinSet::new();
        let (pacer, task) = Pacer::new(None, None);
        tasks.spawn(task);
        pacer.pause(Duration::from_mins(30)).await;
        let line = fixture::line(pacer);
        let (queue, _messages) = mpsc::channel(1);
        let (stop, stopping) = watch::channel(Stopping::No);
        let desk = Desk::new(queue, stopping);
        let start = Instant::now();
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.send(Stopping::Draining).unwrap();
        };
        let shot = shot();
        let (passed, ()) = tokio::join!(line.admission(&shot, &desk), interrupt);
        assert!(passed.is_none(), "what has not left does not leave");
        assert_eq!(start.elapsed(), Duration::from_secs(1), "in paused time");
    }
}

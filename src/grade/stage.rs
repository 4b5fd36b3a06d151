//! One grading stage: from a unit to an outcome, by way of the cache.
//!
//! ```text
//! render -> key -> cache? -> in flight already? -> attempts -> log -> parse -> outcome
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::attempt::{Ended, Line, Replied, Shot};
use super::desk::{Desk, Gone, Message, Sending};
use super::inflight::{InFlight, Part};
use super::lane::Lane;
use super::openai::{self, BodyError};
use super::price::{cost_bound, output_limit, prompt_bound};

use crate::cache::units::{SelectedUnit, UnitsError};
use crate::cache::{CacheError, ReplyCache, key_of};
use crate::model::behaviour::Behaviour;
use crate::model::event::{Ending, Judged, Ordinal, Seen, Settled};
use crate::model::grading::{ApiKind, ChatMessage, GradeRequest, Reply, Stage, Structured};
use crate::model::hash::Digest;
use crate::model::money::{NanoUsd, Price};
use crate::model::outcome::{FailureKind, Outcome};
use crate::prompt::{Asked, Question, Questioner, nonce};
use crate::verdict::{Context, DefinitionError, PARSER_VERSION, Reading, parse, read};

/// What makes the run impossible to go on with, in a stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The reply cache cannot be read or written: nothing that is paid for may be lost, so nothing more is paid for.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The snapshot of selected units is damaged.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// A request cannot be written.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A definition cannot be evaluated.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The run has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// A blocking task died.
    #[error("a worker thread stopped unexpectedly")]
    Thread,
}

/// What a stage is made of.
#[derive(Debug)]
pub struct GraderParts {
    /// Which stage.
    pub stage: Stage,
    /// The behaviour.
    pub behaviour: Arc<Behaviour>,
    /// The prepared prompt.
    pub questioner: Questioner,
    /// How the model is talked to.
    pub api: ApiKind,
    /// The model asked for.
    pub model: String,
    /// Part of the key.
    pub revision: String,
    /// Part of the key: what makes old replies not count.
    pub epoch: String,
    /// How replies are held to the schema.
    pub structured: Structured,
    /// Sampling parameters.
    pub params: BTreeMap<String, Value>,
    /// Parameters of the one further attempt after a truncated reply.
    pub on_truncated: BTreeMap<String, Value>,
    /// The model's price.
    pub price: Price,
    /// The workspace's secret, for nonces.
    pub secret: [u8; 32],
}

/// One grading stage, ready for units.
#[derive(Debug)]
pub struct Grader {
    parts: GraderParts,
    /// None where nothing may be sent.
    line: Option<Arc<Line>>,
    cache: ReplyCache,
    in_flight: InFlight,
}

/// A unit's question at one stage, with the reply if the cache has it.
#[derive(Debug)]
pub enum Prepared {
    /// Too little would be visible: decided without asking.
    CannotJudge(Seen),
    /// A question.
    Ask(Box<Asking>),
}

/// A question and what is known about it.
#[derive(Debug)]
pub struct Asking {
    request: GradeRequest,
    key: Digest,
    seen: Seen,
    injection_suspected: bool,
    /// What its reply says, if the cache has one.
    reading: Option<Reading>,
    bound: NanoUsd,
    /// Whether this is the one further question after a truncated reply.
    is_longer: bool,
}

impl Grader {
    /// A stage over its gates; without a `line` it only replays.
    #[must_use]
    pub fn new(parts: GraderParts, line: Option<Arc<Line>>, cache: ReplyCache) -> Self {
        Self { parts, line, cache, in_flight: InFlight::default() }
    }

    /// Renders the unit's question and looks its reply up. Blocks on disk for microseconds.
    ///
    /// # Errors
    /// If the cache cannot be read.
    pub fn prepare(&self, unit: &SelectedUnit) -> Result<Prepared, StageError> {
        let turn = unit.id.turn.unwrap_or_default();
        match self.parts.questioner.question(&unit.conversation, turn) {
            Question::CannotJudge(seen) => Ok(Prepared::CannotJudge(seen)),
            Question::Ask(asked) => Ok(Prepared::Ask(Box::new(self.asking(unit, asked)?))),
        }
    }

    /// The question that has to be answered next: the longer one where the cache knows that the first was truncated.
    fn asking(&self, unit: &SelectedUnit, asked: Asked) -> Result<Asking, StageError> {
        let Asked { messages, seen, injection_suspected } = asked;
        let mut request = self.request(messages);
        let mut key = key_of(&request);
        let mut reading = self.reading(unit, &seen, &key)?;
        let is_truncated = reading.as_ref().is_some_and(|reading| reading.outcome == Outcome::Truncated);
        let is_longer = is_truncated && !self.parts.on_truncated.is_empty();
        if is_longer {
            request = self.with_longer_output(&request);
            key = key_of(&request);
            reading = self.reading(unit, &seen, &key)?;
        }
        let bound = cost_bound(&request, &self.parts.price);
        Ok(Asking { request, key, seen, injection_suspected, reading, bound, is_longer })
    }

    fn reading(&self, unit: &SelectedUnit, seen: &Seen, key: &Digest) -> Result<Option<Reading>, StageError> {
        let reply = self.cache.get(key)?;
        Ok(reply.map(|reply| parse(&reply, &self.parts.behaviour, &unit.conversation, seen)))
    }

    fn request(&self, messages: Vec<ChatMessage>) -> GradeRequest {
        GradeRequest {
            api: self.parts.api,
            model: self.parts.model.clone(),
            messages,
            schema: self.parts.questioner.schema().clone(),
            structured: self.parts.structured,
            params: self.parts.params.clone(),
            revision: self.parts.revision.clone(),
            repeat: 0,
            retry: 0,
            epoch: self.parts.epoch.clone(),
        }
    }

    /// The most that this stage can cost for a prepared unit, truncation included: nothing if its outcome is known.
    #[must_use]
    pub fn bound(&self, prepared: &Prepared) -> NanoUsd {
        match prepared {
            Prepared::CannotJudge(_) => NanoUsd::ZERO,
            Prepared::Ask(asking) if asking.reading.is_some() || self.line.is_none() => NanoUsd::ZERO,
            Prepared::Ask(asking) if asking.is_longer || self.parts.on_truncated.is_empty() => asking.bound,
            Prepared::Ask(asking) => {
                asking.bound + cost_bound(&self.with_longer_output(&asking.request), &self.parts.price)
            }
        }
    }

    /// The outcome of a prepared unit, if it is known without asking.
    #[must_use]
    pub fn known(prepared: &Prepared) -> Option<&Outcome> {
        match prepared {
            Prepared::CannotJudge(_) => Some(&Outcome::CannotJudge),
            Prepared::Ask(asking) => asking.reading.as_ref().map(|reading| &reading.outcome),
        }
    }

    /// Bytes of a prepared question with its schema; nothing if it is not asked.
    #[must_use]
    pub fn request_bytes(&self, prepared: &Prepared) -> Option<u64> {
        match prepared {
            Prepared::CannotJudge(_) => None,
            Prepared::Ask(asking) => Some(prompt_bound(&asking.request)),
        }
    }

    /// Grades a prepared unit: replays its reply, or asks for it and keeps what comes.
    ///
    /// # Errors
    /// If a reply cannot be kept, or the run has ended.
    pub async fn judge(&self, unit: &SelectedUnit, prepared: Prepared, desk: &Desk) -> Result<Judged, StageError> {
        let asking = match prepared {
            Prepared::CannotJudge(seen) => return Ok(self.unasked(unit.ordinal, seen)),
            Prepared::Ask(asking) => *asking,
        };
        let is_last = asking.is_longer || self.parts.on_truncated.is_empty();
        let first = self.answer(unit, asking, desk).await?;
        if first.judged.outcome != Outcome::Truncated || is_last {
            return Ok(first.judged);
        }
        let request = self.with_longer_output(&first.request);
        let (key, bound) = (key_of(&request), cost_bound(&request, &self.parts.price));
        let Judged { seen, injection_suspected, .. } = first.judged;
        let longer = Asking { request, key, seen, injection_suspected, reading: None, bound, is_longer: true };
        Ok(self.answer(unit, longer, desk).await?.judged)
    }

    fn with_longer_output(&self, request: &GradeRequest) -> GradeRequest {
        let mut longer = request.clone();
        longer.params.extend(self.parts.on_truncated.clone());
        longer
    }

    async fn answer(&self, unit: &SelectedUnit, mut asking: Asking, desk: &Desk) -> Result<Answered, StageError> {
        let known = asking.reading.take();
        let replayed = known.is_some();
        let found = match known {
            Some(reading) => Found::Known(reading),
            None => self.obtain(unit.ordinal, &asking, desk).await?,
        };
        let Asking { request, key, seen, injection_suspected, .. } = asking;
        let context = Context { behaviour: &self.parts.behaviour, conversation: &unit.conversation, seen: &seen };
        let reading = match found {
            Found::Known(reading) => Ok(reading),
            Found::Kept(reply) => Ok(parse(&reply, context.behaviour, context.conversation, context.seen)),
            Found::Fresh(replied) => Ok(read(&replied.body, replied.reply.status, &context)),
            Found::Nothing(outcome) => Err(outcome),
        };
        let (outcome, key, served) = match reading {
            Ok(reading) => (reading.outcome, Some(key), reading.served),
            Err(outcome) => (outcome, None, None),
        };
        let judged = Judged {
            ordinal: unit.ordinal,
            stage: self.parts.stage,
            outcome,
            key,
            parser: PARSER_VERSION,
            replayed,
            served,
            seen,
            injection_suspected,
        };
        Ok(Answered { judged, request })
    }

    /// Gets the reply of a question that the cache did not have when it was prepared: by asking, or by waiting for
    /// somebody who asks the same.
    async fn obtain(&self, ordinal: Ordinal, asking: &Asking, desk: &Desk) -> Result<Found, StageError> {
        let Some(line) = &self.line else { return Ok(Found::Nothing(Outcome::NotCached)) };
        loop {
            let _lead = match self.in_flight.join(asking.key).await {
                Part::Lead(lead) => lead,
                Part::Followed => {
                    if let Some(reply) = self.lookup(asking.key).await? {
                        return Ok(Found::Kept(reply));
                    }
                    // The one who asked failed for good; whoever leads now asks again, within its own deadline.
                    if desk.is_stopping() {
                        return Ok(Found::Nothing(Outcome::Failed { failure: FailureKind::Interrupted }));
                    }
                    continue;
                }
            };
            // Between preparation and leadership somebody else may have finished the same work.
            if let Some(reply) = self.lookup(asking.key).await? {
                return Ok(Found::Kept(reply));
            }
            let nonce = nonce(&self.parts.secret, &asking.key);
            let shot = Shot {
                sending: Sending { ordinal, stage: self.parts.stage, key: asking.key, bound: asking.bound },
                body: openai::body(&asking.request, &nonce)?,
                nonce,
                price: self.parts.price,
                output_limit: output_limit(&asking.request.params).unwrap_or_default(),
                lane: if asking.is_longer || self.parts.stage == Stage::Confirm { Lane::Urgent } else { Lane::Fresh },
            };
            return match line.shoot(&shot, desk).await? {
                Ended::Without(outcome) => Ok(Found::Nothing(outcome)),
                Ended::Replied(replied, unkept) => {
                    // First the log, then the event: if the process dies in between, resume finds the reply.
                    self.cache.put(replied.reply.clone()).await?;
                    drop(unkept);
                    let Replied { reply, attempt, .. } = &*replied;
                    let ending = Ending::Replied { usage: reply.usage };
                    let settled = Settled { attempt: *attempt, ending, cost: reply.cost, latency_ms: reply.latency_ms };
                    desk.say(Message::Settled { settled, bound: asking.bound }).await?;
                    Ok(Found::Fresh(replied))
                }
            };
        }
    }

    async fn lookup(&self, key: Digest) -> Result<Option<Reply>, StageError> {
        if !self.cache.is_known(&key) {
            return Ok(None);
        }
        let cache = self.cache.clone();
        let found = tokio::task::spawn_blocking(move || cache.get(&key)).await;
        Ok(found.map_err(|_| StageError::Thread)??)
    }

    fn unasked(&self, ordinal: Ordinal, seen: Seen) -> Judged {
        Judged {
            ordinal,
            stage: self.parts.stage,
            outcome: Outcome::CannotJudge,
            key: None,
            parser: PARSER_VERSION,
            replayed: false,
            served: None,
            seen,
            injection_suspected: false,
        }
    }
}

/// What became of a question.
enum Found {
    /// Its reply was there, and read, when it was prepared.
    Known(Reading),
    /// Somebody else has kept its reply since.
    Kept(Reply),
    /// Its reply has just come and is kept.
    Fresh(Box<Replied>),
    /// It has no reply.
    Nothing(Outcome),
}

/// A judgement with the request that led to it.
struct Answered {
    judged: Judged,
    request: GradeRequest,
}

#[cfg(test)]
mod tests;

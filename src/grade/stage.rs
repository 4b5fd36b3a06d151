//! One grading stage: from a unit to an outcome, by way of the cache.
//!
//! ```text
//! render -> key -> cache? -> in flight already? -> attempts -> log -> parse -> outcome
//! ```
//!
//! `lookup` goes as far as the cache; this file asks for what is not there.

mod chunks;
mod lookup;
mod parts;

use std::fmt;
use std::sync::Arc;

pub use chunks::{Chunk, PreparedChunks};
pub use parts::{Answers, GraderParts, Retries};

use self::parts::Round;
use super::attempt::{Ended, Line, Replied, Shot};
use super::desk::{Desk, Gone, Message, Sending, Settlement, StageEnd};
use super::form::Form;
use super::inflight::{InFlight, Part};
use super::lane::Lane;
use super::openai::BodyError;
use super::price::message_bound;
use super::recorded::{RecordedError, Verdicts};

use crate::cache::units::{SelectedUnit, UnitsError};
use crate::cache::{CacheError, ReplyCache};
use crate::model::event::{Ending, Judged, Ordinal, Seen, Settled};
use crate::model::grading::{ReplyText, Stage};
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::outcome::{FailureKind, Outcome};
use crate::prompt::{Buffers, Questioner, nonce};
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
    /// A definition cannot be evaluated.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A recorded verdict cannot be read again.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// The run has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// A blocking task died.
    #[error("a worker thread stopped unexpectedly")]
    Thread,
}

/// One grading stage, ready for units.
#[derive(Debug)]
pub struct Grader {
    parts: GraderParts,
    /// By round of `--retry-errors`.
    rounds: Vec<Round>,
    /// None where nothing may be sent.
    line: Option<Arc<Line>>,
    cache: ReplyCache,
    in_flight: InFlight,
}

/// A unit at one stage, as far as it goes without asking.
#[derive(Debug)]
pub enum Prepared {
    /// Its reply is in the cache, or too little of it would be visible.
    Decided {
        /// What became of it.
        judged: Box<Judged>,
        /// What its questions can be billed for.
        sizes: Sizes,
    },
    /// A question without a reply.
    Ask(Box<Asking>),
    /// A conversation that is too long for one question, with at least one that lacks a reply.
    Chunks(Box<PreparedChunks>),
}

impl Prepared {
    /// Questions without a reply.
    #[must_use]
    pub fn open_questions(&self) -> u64 {
        match self {
            Self::Decided { .. } => 0,
            Self::Ask(_) => 1,
            Self::Chunks(prepared) => prepared.asked().count() as u64,
        }
    }

    /// Bytes of the questions without a reply.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Decided { .. } => 0,
            Self::Ask(asking) => asking.text.len(),
            Self::Chunks(prepared) => prepared.asked().map(|asking| asking.text.len()).sum(),
        }
    }
}

/// Questions of a unit, and the most prompt tokens that they can be billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Questions: one, none where too little is visible, several about a conversation in chunks.
    pub questions: u64,
    /// Prompt tokens of all of them: bytes with their schema.
    pub bytes: u64,
    /// Those of the largest.
    pub most_bytes: u64,
}

impl Sizes {
    const fn of(bytes: u64) -> Self {
        Self { questions: 1, bytes, most_bytes: bytes }
    }

    /// Counts those of another unit, or chunk, as well.
    pub fn add(&mut self, other: Self) {
        self.questions += other.questions;
        self.bytes += other.bytes;
        self.most_bytes = self.most_bytes.max(other.most_bytes);
    }
}

/// Memory that is used again from unit to unit.
#[derive(Default)]
pub struct Scratch {
    prompt: Buffers,
    bytes: Vec<u8>,
}

impl Scratch {
    /// How much memory it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.prompt.bytes() + self.bytes.capacity()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

/// A question and what is known about it.
pub struct Asking {
    /// Shared with other askings of the same question.
    text: Arc<str>,
    key: Digest,
    /// Shared like the text.
    seen: Arc<Seen>,
    injection_suspected: bool,
    bound: NanoUsd,
    place: Place,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, key, bound, place, .. } = self;
        write!(f, "Asking({key:?}, {} bytes, {bound}, {place:?})", text.len())
    }
}

impl Grader {
    /// A stage over its gates; without a `line` it only replays.
    ///
    /// # Errors
    /// If its requests cannot be written.
    pub fn new(parts: GraderParts, line: Option<Arc<Line>>, cache: ReplyCache) -> Result<Self, BodyError> {
        let rounds = parts.rounds()?;
        Ok(Self { parts, rounds, line, cache, in_flight: InFlight::default() })
    }

    fn context<'a>(&'a self, unit: &'a SelectedUnit, seen: &'a Seen) -> Context<'a> {
        Context { behaviour: &self.parts.behaviour, conversation: &unit.conversation, seen, unit: unit.id.kind() }
    }

    fn round(&self, round: u32) -> &Round {
        self.rounds.get(round as usize).expect("every round up to the last has its forms")
    }

    fn form(&self, place: Place) -> &Form {
        let Round { first, longer } = self.round(place.round);
        longer.as_ref().filter(|_| place.is_longer).unwrap_or(first)
    }

    /// Whoever has something behind it goes first.
    fn lane(&self, asking: &Asking) -> Lane {
        let is_first = self.parts.stage == Stage::Screen && !asking.place.is_longer && !self.parts.is_further;
        if is_first { Lane::Fresh } else { Lane::Urgent }
    }

    /// The question that follows on one whose reply was truncated, if there is one.
    fn longer(&self, asking: &Asking) -> Option<&Form> {
        self.round(asking.place.round).longer.as_ref().filter(|_| !asking.place.is_longer)
    }

    /// The most that this stage can cost for a prepared unit, truncation included: nothing if its outcome is known.
    #[must_use]
    pub fn bound(&self, prepared: &Prepared) -> NanoUsd {
        match prepared {
            Prepared::Decided { .. } => NanoUsd::ZERO,
            Prepared::Ask(asking) => self.bound_of(asking),
            Prepared::Chunks(prepared) => prepared.asked().map(|asking| self.bound_of(asking)).sum(),
        }
    }

    /// The most that asking the same once more can cost, truncation included, where the question tells.
    #[must_use]
    pub fn bound_once_more(&self, prepared: &Prepared) -> Option<NanoUsd> {
        match prepared {
            Prepared::Ask(_) if self.line.is_none() => Some(NanoUsd::ZERO),
            Prepared::Ask(asking) => Some(self.bound_of_all(message_bound(&asking.text))),
            Prepared::Decided { .. } | Prepared::Chunks(_) => None,
        }
    }

    /// A question of so many prompt tokens in every form that it can take.
    fn bound_of_all(&self, question: u64) -> NanoUsd {
        // Rounds differ in their key, not in what they can cost.
        let Round { first, longer } = self.round(0);
        let forms = [Some(first), longer.as_ref()];
        forms.into_iter().flatten().map(|form| form.bound_of(question)).sum()
    }

    fn bound_of(&self, asking: &Asking) -> NanoUsd {
        if self.line.is_none() {
            return NanoUsd::ZERO;
        }
        let longer = self.longer(asking).map(|longer| longer.bound(&asking.text));
        asking.bound + longer.unwrap_or_default()
    }

    /// The most that asking this stage once can cost after `first`, at which the unit has the question `asked`. Where both
    /// show the same of a conversation, the length of one question tells the other's; elsewhere it has to be prepared.
    #[must_use]
    pub fn bound_after(&self, first: &Self, asked: &Prepared, unit: &SelectedUnit) -> Option<NanoUsd> {
        if self.line.is_none() {
            return Some(NanoUsd::ZERO);
        }
        let (ours, theirs, asking) = match (&self.parts.answers, &first.parts.answers, asked) {
            (Answers::Asked(ours), Answers::Asked(theirs), Prepared::Ask(asking)) if ours.shows_as(theirs) => {
                (ours, theirs, asking)
            }
            (Answers::Asked(_) | Answers::Recorded(_), ..) => return None,
        };
        let around = |questioner: &Questioner| questioner.around_bytes(unit.id.turn) as u64;
        Some(self.bound_of_all(message_bound(&asking.text) - around(theirs) + around(ours)))
    }

    /// How a prepared unit ended here, if that is known without asking.
    #[must_use]
    pub fn known(prepared: &Prepared) -> Option<&Judged> {
        match prepared {
            Prepared::Decided { judged, .. } => Some(judged),
            Prepared::Ask(_) | Prepared::Chunks(_) => None,
        }
    }

    /// The questions of a prepared unit, asked or not.
    #[must_use]
    pub fn sizes(&self, prepared: &Prepared) -> Sizes {
        match prepared {
            Prepared::Decided { sizes, .. } => *sizes,
            Prepared::Ask(asking) => self.sizes_of(asking),
            Prepared::Chunks(prepared) => prepared.sizes,
        }
    }

    fn sizes_of(&self, asking: &Asking) -> Sizes {
        Sizes::of(self.form(asking.place).prompt_tokens(&asking.text))
    }

    /// Grades a prepared unit: asks, keeps what comes, and asks once more where the reply was cut off.
    ///
    /// # Errors
    /// If a reply cannot be kept, or the run has ended.
    pub async fn judge(&self, unit: &SelectedUnit, prepared: Prepared, desk: &Desk) -> Result<StageEnd, StageError> {
        match prepared {
            Prepared::Decided { judged, .. } => Ok(StageEnd { judged, settlement: None }),
            Prepared::Ask(asking) => self.ask(unit, asking, desk).await,
            Prepared::Chunks(chunks) => self.judge_chunks(unit, *chunks, desk).await,
        }
    }

    /// Asks one question.
    async fn ask(&self, unit: &SelectedUnit, asking: Box<Asking>, desk: &Desk) -> Result<StageEnd, StageError> {
        let first = self.answer(unit, &asking, desk).await?;
        let (Outcome::Truncated, Some(longer)) = (&first.judged.outcome, self.longer(&asking)) else {
            return Ok(first);
        };
        if let Some(settlement) = first.settlement {
            desk.say(Message::Settled(settlement)).await?;
        }
        let Asking { text, seen, injection_suspected, place, .. } = *asking;
        let (key, bound) = (longer.key(&text, &mut Vec::new()), longer.bound(&text));
        let place = Place { is_longer: true, ..place };
        let second = Asking { text, key, seen, injection_suspected, bound, place };
        self.answer(unit, &second, desk).await
    }

    async fn answer(&self, unit: &SelectedUnit, asking: &Asking, desk: &Desk) -> Result<StageEnd, StageError> {
        let seen = &asking.seen;
        let context = self.context(unit, seen);
        let (reading, settlement) = match self.obtain(unit.ordinal, asking, desk).await? {
            Found::Kept(reply) => (Ok(parse(reply.status, &reply.body, &context)), None),
            Found::Fresh(replied, settlement) => {
                (Ok(read(&replied.body, replied.reply.status, &context)), Some(settlement))
            }
            Found::Nothing(outcome) => (Err(outcome), None),
        };
        let seen = (Seen::clone(seen), asking.injection_suspected);
        let reading = reading.map(|reading| (reading, asking.key));
        let judged = self.judged(unit.ordinal, reading, seen, false);
        Ok(StageEnd { judged: Box::new(judged), settlement })
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
            let form = self.form(asking.place);
            let shot = Shot {
                sending: Sending {
                    ordinal,
                    stage: self.parts.stage,
                    key: asking.key,
                    bound: asking.bound,
                    again: false,
                },
                body: form.body(&asking.text, &nonce),
                nonce,
                price: self.parts.price,
                output_limit: form.output_limit(),
                lane: self.lane(asking),
            };
            return match line.shoot(&shot, desk).await? {
                Ended::Without(outcome) => Ok(Found::Nothing(outcome)),
                Ended::Replied(replied, unkept) => {
                    // First the log, then the event: if the process dies in between, resume finds the reply.
                    self.cache.put(&replied.reply).await?;
                    drop(unkept);
                    let Replied { reply, attempt, .. } = &*replied;
                    let ending = Ending::Replied { usage: reply.usage };
                    let (attempt, cost, latency_ms) = (*attempt, reply.cost, reply.latency_ms);
                    let settled = Settled { attempt, ending, cost, latency_ms, anchor: None };
                    Ok(Found::Fresh(replied, Settlement { settled, bound: asking.bound }))
                }
            };
        }
    }

    async fn lookup(&self, key: Digest) -> Result<Option<ReplyText>, StageError> {
        if !self.cache.is_known(&key) {
            return Ok(None);
        }
        let cache = self.cache.clone();
        let found = tokio::task::spawn_blocking(move || cache.get_text(&key, &mut Vec::new())).await;
        Ok(found.map_err(|_| StageError::Thread)??)
    }

    /// How the unit ended here: by what was read, or without a reply.
    fn judged(
        &self,
        ordinal: Ordinal,
        reading: Result<(Reading, Digest), Outcome>,
        (seen, injection_suspected): (Seen, bool),
        replayed: bool,
    ) -> Judged {
        let (outcome, key, served) = match reading {
            Ok((reading, key)) => (reading.outcome, Some(key), reading.served),
            Err(outcome) => (outcome, None, None),
        };
        let (stage, parser) = (self.parts.stage, PARSER_VERSION);
        let chunks = Vec::new();
        Judged {
            ordinal,
            stage,
            outcome,
            key,
            parser,
            replayed,
            partly_replayed: false,
            served,
            seen,
            chunks,
            injection_suspected,
            repeated: None,
        }
    }

    /// How the unit's line in a file of verdicts ends it. What whoever recorded it was shown, and whether that talked to a
    /// grader, nobody knows.
    fn recorded(&self, unit: &SelectedUnit, verdicts: &Verdicts) -> Result<Prepared, StageError> {
        let outcome = verdicts.outcome(unit)?;
        let messages = unit.id.turn.into_iter().collect();
        let seen = Seen { messages, coverage: 1.0, cut: false, of_conversation: None };
        let judged = Box::new(Judged { outcome, ..self.unasked(unit.ordinal, seen) });
        Ok(Prepared::Decided { judged, sizes: Sizes::default() })
    }

    fn unasked(&self, ordinal: Ordinal, seen: Seen) -> Judged {
        Judged {
            ordinal,
            stage: self.parts.stage,
            outcome: Outcome::CannotJudge,
            key: None,
            parser: PARSER_VERSION,
            replayed: false,
            partly_replayed: false,
            served: None,
            seen,
            chunks: Vec::new(),
            injection_suspected: false,
            repeated: None,
        }
    }
}

/// Which form of a question is meant.
#[derive(Debug, Clone, Copy)]
struct Place {
    round: u32,
    /// Whether it is the one further question after a truncated reply.
    is_longer: bool,
}

/// What became of a question.
enum Found {
    /// Somebody else has kept its reply since it was prepared.
    Kept(ReplyText),
    /// Its reply has just come and is kept.
    Fresh(Box<Replied>, Settlement),
    /// It has no reply.
    Nothing(Outcome),
}

#[cfg(test)]
mod tests;

//! From a unit to its question, and from the question to the reply that counts, if the cache has it.

use std::cell::OnceCell;
use std::sync::Arc;

use super::{Answers, Asking, Chunk, Grader, Place, Prepared, Retries, Scratch, Sizes, StageError};
use crate::cache::units::SelectedUnit;
use crate::model::event::Seen;
use crate::model::hash::Digest;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::prompt::{Asked, Question};
use crate::verdict::{Reading, parse};

/// A rendered question, of which those who ask it share one copy.
pub(super) struct Rendered {
    asked: Asked,
    shared: OnceCell<(Arc<str>, Arc<Seen>)>,
}

impl Rendered {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, shared: OnceCell::new() }
    }

    /// Where everybody has a reply, nobody needs a copy.
    fn shared(&self) -> (Arc<str>, Arc<Seen>) {
        let Asked { text, seen, .. } = &self.asked;
        self.shared.get_or_init(|| (text.as_str().into(), Arc::new(seen.clone()))).clone()
    }
}

/// A rendered question of a unit.
#[derive(Clone, Copy)]
struct Shown<'a> {
    unit: &'a SelectedUnit,
    seen: &'a Seen,
    text: &'a str,
}

/// A question's key, and what its reply says if the cache has one.
struct LookedUp {
    place: Place,
    key: Digest,
    reading: Option<Reading>,
}

impl LookedUp {
    fn is_error(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| is_error(&reading.outcome))
    }
}

/// Whether asking again may give a verdict where there is none.
const fn is_error(outcome: &Outcome) -> bool {
    match outcome.kind() {
        OutcomeKind::Refused
        | OutcomeKind::Truncated
        | OutcomeKind::Unparsable
        | OutcomeKind::TooLong
        | OutcomeKind::Filtered
        | OutcomeKind::Failed => true,
        OutcomeKind::Graded
        | OutcomeKind::EvidenceUnverified
        | OutcomeKind::CannotJudge
        | OutcomeKind::NotCached
        | OutcomeKind::NotRecorded
        | OutcomeKind::OverBudget
        | OutcomeKind::PastDeadline => false,
    }
}

impl Grader {
    /// Renders the unit's question and looks its reply up. Blocks on disk for microseconds.
    ///
    /// # Errors
    /// If the cache cannot be read.
    ///
    /// # Panics
    /// Never: one grader prepares one question.
    pub fn prepare(&self, unit: &SelectedUnit, scratch: &mut Scratch) -> Result<Prepared, StageError> {
        let mut prepared = Self::prepare_all(std::slice::from_ref(self), unit, scratch)?;
        Ok(prepared.pop().expect("one grader prepares one question"))
    }

    /// The same for graders that differ in their keys alone: the question is rendered once, and all share it.
    ///
    /// # Errors
    /// If the cache cannot be read.
    pub fn prepare_all(
        graders: &[Self],
        unit: &SelectedUnit,
        scratch: &mut Scratch,
    ) -> Result<Vec<Prepared>, StageError> {
        let Some(first) = graders.first() else { return Ok(Vec::new()) };
        let questioner = match &first.parts.answers {
            Answers::Asked(questioner) => questioner,
            Answers::Recorded(verdicts) => {
                return graders.iter().map(|grader| grader.recorded(unit, verdicts)).collect();
            }
        };
        match questioner.question(&unit.conversation, unit.id.turn, &mut scratch.prompt) {
            Question::CannotJudge(seen) => {
                let unasked = |grader: &Self| {
                    let judged = Box::new(grader.unasked(unit.ordinal, seen.clone()));
                    Prepared::Decided { judged, sizes: Sizes::default() }
                };
                Ok(graders.iter().map(unasked).collect())
            }
            Question::Ask(asked) => {
                let question = Rendered::new(asked);
                let look_up = |grader: &Self| Ok(grader.look_up(unit, &question, &mut scratch.bytes)?.into());
                let prepared = graders.iter().map(look_up).collect();
                scratch.prompt.text = question.asked.text;
                prepared
            }
            Question::Chunks { chunks, seen } => {
                let chunks: Vec<_> = chunks.into_iter().map(|chunk| chunk.map(Rendered::new)).collect();
                let look_up = |grader: &Self| grader.prepare_chunks(unit, (&chunks, &seen), &mut scratch.bytes);
                graders.iter().map(look_up).collect()
            }
        }
    }

    /// The reply that counts, or the question that has to be answered next.
    pub(super) fn look_up(
        &self,
        unit: &SelectedUnit,
        question: &Rendered,
        scratch: &mut Vec<u8>,
    ) -> Result<Chunk, StageError> {
        let Asked { text, seen, injection_suspected } = &question.asked;
        let shown = Shown { unit, seen, text };
        let first = self.looked_up(shown, 0, scratch)?;
        let LookedUp { place, key, reading } = self.newest(shown, first, scratch)?;
        let (form, injection_suspected) = (self.form(place), *injection_suspected);
        let Some(reading) = reading else {
            let (bound, (text, seen)) = (form.bound(text), question.shared());
            return Ok(Chunk::Ask(Box::new(Asking { text, key, seen, injection_suspected, bound, place })));
        };
        let sizes = Sizes::of(form.prompt_tokens(text));
        let judged = self.judged(unit.ordinal, Ok((reading, key)), (seen.clone(), injection_suspected), true);
        Ok(Chunk::Decided { judged: Box::new(judged), sizes })
    }

    /// The reply of the latest round that has one, where the first is no verdict; none if this round is to ask.
    fn newest(&self, shown: Shown<'_>, first: LookedUp, scratch: &mut Vec<u8>) -> Result<LookedUp, StageError> {
        let Retries { last, is_asking } = self.parts.retries;
        if last == 0 || !first.is_error() {
            return Ok(first);
        }
        let mut found = first;
        for round in (1..=last).rev() {
            let later = self.looked_up(shown, round, scratch)?;
            // A longer question without a reply means that the first of its round has one.
            if later.reading.is_some() || later.place.is_longer {
                found = later;
                break;
            }
        }
        if is_asking && found.place.round < last && found.is_error() {
            let place = Place { round: last, is_longer: false };
            return Ok(LookedUp { key: self.form(place).key(shown.text, scratch), place, reading: None });
        }
        Ok(found)
    }

    /// What a round has: the reply to the longer question where the first was truncated.
    fn looked_up(&self, shown: Shown<'_>, round: u32, scratch: &mut Vec<u8>) -> Result<LookedUp, StageError> {
        let mut place = Place { round, is_longer: false };
        let mut key = self.form(place).key(shown.text, scratch);
        let mut reading = self.reading(shown, &key, scratch)?;
        let is_truncated = reading.as_ref().is_some_and(|reading| reading.outcome == Outcome::Truncated);
        if let (true, Some(longer)) = (is_truncated, &self.round(round).longer) {
            place.is_longer = true;
            key = longer.key(shown.text, scratch);
            reading = self.reading(shown, &key, scratch)?;
        }
        Ok(LookedUp { place, key, reading })
    }

    fn reading(&self, shown: Shown<'_>, key: &Digest, scratch: &mut Vec<u8>) -> Result<Option<Reading>, StageError> {
        let reply = self.cache.get_text(key, scratch)?;
        Ok(reply.map(|reply| parse(reply.status, &reply.body, &self.context(shown.unit, shown.seen))))
    }
}

//! From a unit to its question, and from the question to the reply that counts, if the cache has it.

use super::{Answers, Asking, Chunk, Grader, Place, Prepared, Retries, Scratch, Sizes, StageError};
use crate::cache::units::SelectedUnit;
use crate::model::event::Seen;
use crate::model::hash::Digest;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::prompt::{Asked, Question};
use crate::verdict::{Reading, parse};

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
    pub fn prepare(&self, unit: &SelectedUnit, scratch: &mut Scratch) -> Result<Prepared, StageError> {
        let questioner = match &self.parts.answers {
            Answers::Asked(questioner) => questioner,
            Answers::Recorded(verdicts) => return self.recorded(unit, verdicts),
        };
        let question = questioner.question(&unit.conversation, unit.id.turn, &mut scratch.prompt);
        match question {
            Question::CannotJudge(seen) => {
                let judged = Box::new(self.unasked(unit.ordinal, seen));
                Ok(Prepared::Decided { judged, sizes: Sizes::default() })
            }
            Question::Ask(asked) => Ok(self.look_up(unit, asked, scratch)?.into()),
            Question::Chunks { chunks, seen } => self.prepare_chunks(unit, (chunks, seen), scratch),
        }
    }

    /// The reply that counts, or the question that has to be answered next.
    pub(super) fn look_up(
        &self,
        unit: &SelectedUnit,
        asked: Asked,
        scratch: &mut Scratch,
    ) -> Result<Chunk, StageError> {
        let Asked { text, seen, injection_suspected } = asked;
        let question = Shown { unit, seen: &seen, text: &text };
        let first = self.looked_up(question, 0, &mut scratch.bytes)?;
        let LookedUp { place, key, reading } = self.newest(question, first, &mut scratch.bytes)?;
        let form = self.form(place);
        let Some(reading) = reading else {
            let bound = form.bound(&text);
            let kept = text.as_str().into();
            scratch.prompt.text = text;
            return Ok(Chunk::Ask(Box::new(Asking { text: kept, key, seen, injection_suspected, bound, place })));
        };
        let sizes = Sizes::of(form.prompt_tokens(&text));
        scratch.prompt.text = text;
        let judged = self.judged(unit.ordinal, Ok((reading, key)), (seen, injection_suspected), true);
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

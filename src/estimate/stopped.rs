//! What can be said after a run stopped because its limits were narrow enough.
//!
//! Such a stop is not ignorable: a number of units that was chosen by what was found is not fixed, so that no limits hold
//! that suppose it is, and neither does the estimate between them. What holds is the sequence that was looked at, of what
//! the graders confirm, in this corpus.

use std::num::NonZeroU64;

use super::corpus_sequence::{CorpusSequence, NoSequence};
use super::rungs::share;
use super::scope::Scope;
use crate::model::rate::{Decider, Method, Rate, RateName, Target};
use crate::model::stop::Look;
use crate::model::tally::Tally;

/// Why there are no other limits.
pub(super) const NO_FIXED_N: &str = "the run stopped because its limits were narrow enough, and limits for a number of units \
                                     that was fixed beforehand do not hold after that: read `grader_confirmed`, or take \
                                     `stop_when` away and run on";

/// The sequence of a run, and the look that it stopped at.
pub(super) struct Sequence<'a> {
    sequence: Result<CorpusSequence, NoSequence>,
    look: &'a Look,
}

impl<'a> Sequence<'a> {
    /// Of a run that stopped so.
    pub(super) fn of(tally: &'a Tally) -> Option<Self> {
        let look = tally.narrow_look()?;
        Some(Self { sequence: CorpusSequence::of(&tally.plan), look })
    }

    /// What the graders confirm in the corpus; of several groups the limits hold together.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn rate(&self, scope: &Scope<'_>) -> Rate {
        let empty =
            Rate { decided_by: Some(Decider::Grader), ..scope.empty(RateName::GraderConfirmed, Target::Corpus) };
        let refused = |reason: String| Rate { reason: Some(reason), ..empty.clone() };
        let sequence = match (&self.sequence, scope.mixed) {
            (_, Some(reason)) => return refused(reason.to_owned()),
            (Err(reason), None) => return refused(reason.to_string()),
            (Ok(sequence), None) => sequence,
        };
        let strata = &scope.design.tally.strata;
        let is_in = |stratum: usize| scope.group.is_none_or(|group| strata[stratum].stratum.group == *group);
        let seen = sequence.at(&self.look.strata, is_in);
        let Some(frame) = NonZeroU64::new(seen.frame) else {
            return refused("the corpus holds no turn of this group".to_owned());
        };
        let reason = if seen.estimate.is_some() {
            "no clusters are counted: only the order of admission is chance, and units may depend on each other"
        } else {
            "no estimate: of one of its strata no unit had ended by then"
        };
        Rate {
            k: Some(seen.confirmed),
            n: Some(frame.get()),
            estimate: seen.estimate.map(|estimate| share(estimate, frame)),
            lower: Some(share(seen.lower as f64, frame)),
            upper: Some(share(seen.upper as f64, frame)),
            level: Some(scope.design.tally.level.get()),
            method: Some(Method::ConfidenceSequence),
            reason: Some(reason.to_owned()),
            ..empty
        }
    }
}

//! What several askings of one unit come to: a pure function of the policy, the definitions and how each asking ended.
//!
//! The gate is a function of the first asking and of the repeats that it causes. What was asked again at random is in no
//! answer, whatever it says.

use super::definitions::{Definitions, most_open, says};
use crate::model::event::Judged;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::repeats::{JudgedAsking, RepeatCause, RepeatRule, Repeated, Repeats};
use crate::verdict::DefinitionError;

/// What a stage says of a unit after all its askings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// The kind of the outcome that stands.
    pub(super) kind: OutcomeKind,
    /// Whether the answer is yes; never without a usable verdict.
    pub(super) holds: bool,
    /// Which asking stands for all of them; absent where none of those that are there does.
    stands: Option<usize>,
    /// What it lacks to be an answer.
    pub(super) gap: Gap,
}

/// What the askings of a unit lack to come to an answer, where the first of them has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing, or nothing that could be had.
    None,
    /// An asking was due, and cap, deadline, cache or server left it without a reply.
    Missing,
    /// A definition asks for askings that the run's own did not cause, so that they were never due. It says so of the very
    /// units that it may flag, and of no others.
    NeverDue,
}

/// The answer to which these lead, `None` being an asking without a usable verdict: it may have been yes or no. No answer
/// where that would make a difference.
pub(super) fn answer(rule: RepeatRule, askings: &[Option<bool>]) -> Option<bool> {
    let of = |wanted| askings.iter().filter(|asking| **asking == wanted).count();
    let (yes, no, all) = (of(Some(true)), of(Some(false)), askings.len());
    let [is_yes, is_no] = match rule {
        RepeatRule::Majority => [2 * yes > all, 2 * no >= all],
        RepeatRule::Any => [yes > 0, no == all],
        RepeatRule::All => [yes == all, no > 0],
    };
    if is_yes { Some(true) } else { is_no.then_some(false) }
}

impl Definitions {
    /// Why a unit whose first asking ended like this is asked again, and its askings in all; `is_drawn` if it was drawn for
    /// the flip rate. Without a usable verdict nothing is asked again.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub fn asked_again(&self, first: &Judged, is_drawn: bool) -> Result<Option<(RepeatCause, u32)>, DefinitionError> {
        let Some(policy) = self.repeats(first.stage).filter(|_| first.outcome.kind().is_usable()) else {
            return Ok(None);
        };
        let says = says(&first.outcome, &first.chunks, |outcome| self.hold_of(first.stage, outcome))?;
        let Ok(says_yes) = says else { return Ok(None) };
        Ok(policy.asked_again(says_yes, self.is_near(policy, &first.outcome), is_drawn))
    }

    /// The ending of a unit from those of its askings, in order, of which there is at least one.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over an outcome.
    ///
    /// # Panics
    ///
    /// Without an asking.
    pub fn join(&self, cause: RepeatCause, endings: Vec<Judged>) -> Result<Judged, DefinitionError> {
        let mut joined = endings.first().cloned().expect("whoever is asked again was asked before");
        if cause.is_of_gate() {
            let served: std::collections::BTreeSet<_> =
                endings.iter().filter_map(|one| one.served.as_deref()).collect();
            // Two models behind one ending are neither of them, so that no mixture goes unnoticed.
            joined.served = (!served.is_empty()).then(|| served.into_iter().collect::<Vec<_>>().join(" and "));
            joined.injection_suspected = endings.iter().any(|one| one.injection_suspected);
        }
        (joined.replayed, joined.partly_replayed) = Judged::replays(&endings);
        let asking = |Judged { outcome, key, served, chunks, .. }| JudgedAsking { outcome, key, served, chunks };
        let askings = endings.into_iter().map(asking).collect();
        joined.repeated = Some(Box::new(Repeated { cause, askings }));
        let decision = self.decide(&joined, |outcome| self.hold_of(joined.stage, outcome))?;
        let stands = decision.stands.zip(joined.repeated.as_ref()).and_then(|(at, all)| all.askings.get(at).cloned());
        if let Some(JudgedAsking { outcome, key, chunks, served: _ }) = stands {
            (joined.outcome, joined.key, joined.chunks) = (outcome, key, chunks);
        }
        Ok(joined)
    }

    /// What each asking of a unit says; `None` without a usable verdict.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over an outcome.
    pub(super) fn answers(&self, judged: &Judged) -> Result<Vec<Option<bool>>, DefinitionError> {
        let askings = judged.repeated.iter().flat_map(|repeated| &repeated.askings);
        let said = |asking: &JudgedAsking| {
            Ok(says(&asking.outcome, &asking.chunks, |outcome| self.hold_of(judged.stage, outcome))?.ok())
        };
        askings.map(said).collect()
    }

    /// What a stage says of a unit, by definitions that may be others than those it was asked under. What was asked again at
    /// random has no say in it.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over an outcome.
    pub(super) fn decide(
        &self,
        judged: &Judged,
        holds: impl Fn(&Outcome) -> Result<bool, DefinitionError>,
    ) -> Result<Decision, DefinitionError> {
        let alone = |says: Result<bool, OutcomeKind>, kind: OutcomeKind| Decision {
            kind: says.err().unwrap_or(kind),
            holds: says == Ok(true),
            stands: Some(0),
            gap: Gap::None,
        };
        let Some(policy) = self.repeats(judged.stage) else {
            return Ok(alone(says(&judged.outcome, &judged.chunks, holds)?, judged.outcome.kind()));
        };
        let askings = judged.repeated.as_ref().map(|repeated| match repeated.cause {
            RepeatCause::Flagged | RepeatCause::NearThreshold => repeated.askings.as_slice(),
            RepeatCause::Random => repeated.askings.get(..1).unwrap_or_default(),
        });
        let askings = askings.unwrap_or_default();
        let (first, chunks) = match askings.first() {
            Some(asking) => (&asking.outcome, &asking.chunks),
            None => (&judged.outcome, &judged.chunks),
        };
        let first_says = says(first, chunks, &holds)?;
        let alone = alone(first_says, first.kind());
        let Ok(says_yes) = first_says else { return Ok(alone) };
        let Some((_, wanted)) = policy.caused_by(says_yes, self.is_near(policy, first)) else { return Ok(alone) };
        let mut said = vec![first_says];
        for asking in askings.iter().skip(1) {
            said.push(says(&asking.outcome, &asking.chunks, &holds)?);
        }
        let gap = if said.len() < wanted as usize { Gap::NeverDue } else { Gap::Missing };
        // What nobody has asked has no reply.
        said.resize(wanted as usize, Err(OutcomeKind::NotCached));
        let answers: Vec<Option<bool>> = said.iter().map(|says| says.ok()).collect();
        Ok(if let Some(answer) = answer(policy.rule, &answers) {
            let stands = said.iter().position(|says| *says == Ok(answer));
            let kind_at = |at: usize| askings.get(at).map_or(first.kind(), |asking| asking.outcome.kind());
            Decision { kind: stands.map_or(first.kind(), kind_at), holds: answer, stands, gap: Gap::None }
        } else {
            let asked = said.iter().take(askings.len().max(1)).enumerate();
            let open = most_open(asked.filter_map(|(at, says)| Some((at, says.err()?))));
            let kind = open.map_or(OutcomeKind::NotCached, |(_, kind)| kind);
            let can_come = gap == Gap::NeverDue || kind.is_unfinished();
            let gap = if can_come { gap } else { Gap::None };
            Decision { kind, holds: false, stands: open.map(|(at, _)| at), gap }
        })
    }

    fn is_near(&self, policy: &Repeats, first: &Outcome) -> bool {
        let score = first.finding().map(|finding| finding.score);
        score.is_some_and(|score| score.abs_diff(self.threshold) <= policy.near)
    }
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;

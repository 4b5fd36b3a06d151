//! What several askings of one unit come to: a pure function of the policy, the definitions and how each asking ended.
//!
//! The gate is a function of the first asking and of the repeats that it causes. What was asked again at random is in no
//! answer, whatever it says.

use super::definitions::{Definitions, in_any_chunk};
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

/// Of askings without a usable verdict, the one to name: what a rerun may still change comes first.
fn most_open<'a>(askings: impl Iterator<Item = (usize, &'a Outcome)>) -> Option<usize> {
    let weight = |outcome: &Outcome| (outcome.kind().is_cut_off(), outcome.kind().is_unfinished());
    let unusable: Vec<_> = askings.filter(|(_, outcome)| !outcome.kind().is_usable()).collect();
    unusable.into_iter().rev().max_by_key(|(_, outcome)| weight(outcome)).map(|(index, _)| index)
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
        let says_yes = in_any_chunk(first, |outcome| self.hold_of(first.stage, outcome))?;
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
        askings.map(|asking| said(asking, |outcome| self.hold_of(judged.stage, outcome))).collect()
    }

    /// What a stage says of a unit, by definitions that may be others than those it was asked under. An asking that they
    /// would have caused and that was never made has no usable verdict.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over an outcome.
    pub(super) fn decide(
        &self,
        judged: &Judged,
        holds: impl Fn(&Outcome) -> Result<bool, DefinitionError>,
    ) -> Result<Decision, DefinitionError> {
        let Some(policy) = self.repeats(judged.stage) else {
            let holds = in_any_chunk(judged, holds)?;
            return Ok(Decision { kind: judged.outcome.kind(), holds, stands: Some(0) });
        };
        let askings = judged.repeated.as_ref().map(|repeated| repeated.askings.as_slice()).unwrap_or_default();
        let first = askings.first().map_or(&judged.outcome, |asking| &asking.outcome);
        let first_says = match askings.first() {
            Some(asking) => said(asking, &holds)?,
            None if judged.outcome.kind().is_usable() => Some(in_any_chunk(judged, &holds)?),
            None => None,
        };
        let alone = Decision { kind: first.kind(), holds: first_says == Some(true), stands: Some(0) };
        let Some(first_says) = first_says else { return Ok(alone) };
        let Some((_, wanted)) = policy.caused_by(first_says, self.is_near(policy, first)) else { return Ok(alone) };
        let mut answers = vec![Some(first_says)];
        for asking in askings.iter().skip(1) {
            answers.push(said(asking, &holds)?);
        }
        answers.resize(wanted as usize, None);
        let kind_at = |at: usize| askings.get(at).map_or(first.kind(), |asking| asking.outcome.kind());
        Ok(if let Some(answer) = answer(policy.rule, &answers) {
            let stands = answers.iter().position(|says| *says == Some(answer));
            Decision { kind: stands.map_or(first.kind(), kind_at), holds: answer, stands }
        } else {
            let stands = most_open(askings.iter().map(|asking| &asking.outcome).enumerate().take(answers.len()));
            // What nobody has asked has no reply.
            Decision { kind: stands.map_or(OutcomeKind::NotCached, kind_at), holds: false, stands }
        })
    }

    fn is_near(&self, policy: &Repeats, first: &Outcome) -> bool {
        let score = first.finding().map(|finding| finding.score);
        score.is_some_and(|score| score.abs_diff(self.threshold) <= policy.near)
    }
}

/// What an asking says; `None` without a usable verdict.
fn said(
    asking: &JudgedAsking,
    holds: impl Fn(&Outcome) -> Result<bool, DefinitionError>,
) -> Result<Option<bool>, DefinitionError> {
    if !asking.outcome.kind().is_usable() {
        return Ok(None);
    }
    if asking.chunks.is_empty() {
        return holds(&asking.outcome).map(Some);
    }
    for chunk in asking.chunks.iter().filter(|chunk| chunk.outcome.kind().is_usable()) {
        if holds(&chunk.outcome)? {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;

//! What the three definitions of a run say about an outcome.

use std::sync::Arc;

use super::repeats::{Decision, Gap};
use crate::model::behaviour::{Behaviour, DEFINITION_CONFIRM, DEFINITION_SCREEN};
use crate::model::event::{Judged, JudgedChunk, Planned};
use crate::model::grading::Stage;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::repeats::Repeats;
use crate::verdict::{Definition, DefinitionError};

/// How a stage of a unit ended, by definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// The kind of the outcome that stands.
    pub(super) kind: OutcomeKind,
    /// Whether it takes its unit one step further.
    pub(super) passes: bool,
    /// What it lacks to be an answer.
    pub(super) gap: Gap,
}

/// The definitions of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// What the screen flags.
    screen: Arc<Definition>,
    /// What the confirmer upholds; absent where the run has no confirmer.
    confirm: Option<Arc<Definition>>,
    /// What the audit counts.
    audited: Arc<Definition>,
    /// The behaviour's threshold.
    pub(super) threshold: u8,
    /// What is asked again at the screen and at the confirmer, where that is part of the rule.
    repeats: [Option<Repeats>; 2],
}

impl Definitions {
    /// Compiles the definitions that a run uses; `audited` is the behaviour's own name unless the audit says otherwise.
    ///
    /// # Errors
    /// A definition that the behaviour does not have, or that does not compile.
    pub fn of(behaviour: &Behaviour, audited: Option<&str>, has_confirmer: bool) -> Result<Self, DefinitionError> {
        let compile = |name| Definition::of(behaviour, name).map(Arc::new);
        Ok(Self {
            screen: compile(DEFINITION_SCREEN)?,
            confirm: has_confirmer.then(|| compile(DEFINITION_CONFIRM)).transpose()?,
            audited: compile(audited.unwrap_or(&behaviour.name))?,
            threshold: behaviour.threshold,
            repeats: [None; 2],
        })
    }

    /// The same, with the repeats of the screen and of the confirmer.
    #[must_use]
    pub fn repeating(self, screen: Option<Repeats>, confirm: Option<Repeats>) -> Self {
        Self { repeats: [screen, confirm], ..self }
    }

    /// The same, with the repeats of a plan.
    #[must_use]
    pub fn repeating_as(self, plan: &Planned) -> Self {
        self.repeating(plan.repeats(Stage::Screen), plan.repeats(Stage::Confirm))
    }

    /// The same over first askings alone, where nothing is asked again.
    #[must_use]
    pub fn asked_once(self) -> Self {
        self.repeating(None, None)
    }

    /// What a stage is asked again, if anything.
    pub(super) const fn repeats(&self, stage: Stage) -> Option<&Repeats> {
        let [screen, confirm] = &self.repeats;
        match stage {
            Stage::Screen => screen.as_ref(),
            Stage::Confirm => confirm.as_ref(),
        }
    }

    /// The same, with another definition for what the screen flags.
    #[must_use]
    pub(super) fn flagging(self, screen: Definition) -> Self {
        Self { screen: Arc::new(screen), ..self }
    }

    /// Whether a second grader reads what the screen flags.
    #[must_use]
    pub const fn has_confirmer(&self) -> bool {
        self.confirm.is_some()
    }

    /// Whether a stage takes its unit one step further: where its definitions hold, and from the screen on also where the
    /// transcript shows signs of talking to its grader. What a grader says that was talked to clears nobody.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub fn pass(&self, judged: &Judged) -> Result<bool, DefinitionError> {
        Ok(self.ending(judged)?.passes)
    }

    /// How a stage ended. Where the grader was asked more than once, that follows from all askings: by other definitions than
    /// the run's own another one may stand.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub(super) fn ending(&self, judged: &Judged) -> Result<Ending, DefinitionError> {
        let Decision { kind, holds, gap, .. } = self.decide(judged, |outcome| self.hold_of(judged.stage, outcome))?;
        let is_screened = judged.stage == Stage::Screen && kind.is_usable();
        Ok(Ending { kind, passes: holds || (is_screened && judged.injection_suspected), gap })
    }

    /// Whether the screen's own answer is yes, whatever else goes on to people out of caution. Only a usable ending has one.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub fn says(&self, judged: &Judged) -> Result<bool, DefinitionError> {
        self.hold(judged)
    }

    /// Whether an ending takes its unit one step further: flagged by the screen, upheld by the confirmer, for which
    /// the audited definition must hold as well. Without a confirmer people decide about everything that is flagged:
    /// a narrower definition must not clear what the screen is unsure of, such as evidence that was not found. An
    /// outcome without a usable verdict takes its unit nowhere, whatever a definition says: missing is neither yes nor
    /// no. Of a conversation that was read in chunks, one chunk is enough. Where the grader was asked more than once, the
    /// rule of its repeats says what its answers come to.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub(super) fn hold(&self, judged: &Judged) -> Result<bool, DefinitionError> {
        Ok(self.decide(judged, |outcome| self.hold_of(judged.stage, outcome))?.holds)
    }

    pub(super) fn hold_of(&self, stage: Stage, outcome: &Outcome) -> Result<bool, DefinitionError> {
        match (stage, &self.confirm) {
            (Stage::Screen, _) => self.screen.holds(outcome),
            (Stage::Confirm, Some(confirm)) => Ok(confirm.holds(outcome)? && self.audited.holds(outcome)?),
            (Stage::Confirm, None) => Ok(false),
        }
    }

    /// Whether the audit counts an outcome, whoever says it.
    ///
    /// # Errors
    ///
    /// The definition cannot be evaluated over this outcome.
    pub fn counts(&self, outcome: &Outcome) -> Result<bool, DefinitionError> {
        self.audited.holds(outcome)
    }
}

/// Whether a definition holds for an ending or for one of its chunks; or how the ending ended that says neither. One chunk is
/// enough for a yes, and a no takes all of them: what one that was not read says may be what the definition looks for.
pub(super) fn says(
    outcome: &Outcome,
    chunks: &[JudgedChunk],
    holds: impl Fn(&Outcome) -> Result<bool, DefinitionError>,
) -> Result<Result<bool, OutcomeKind>, DefinitionError> {
    let kind = outcome.kind();
    if !kind.is_usable() {
        return Ok(Err(kind));
    }
    if chunks.is_empty() {
        return Ok(Ok(holds(outcome)?));
    }
    for chunk in chunks.iter().filter(|chunk| chunk.outcome.kind().is_usable()) {
        if holds(&chunk.outcome)? {
            return Ok(Ok(true));
        }
    }
    let unread = most_open(chunks.iter().map(|chunk| chunk.outcome.kind()).enumerate());
    Ok(unread.map_or(Ok(false), |(_, kind)| Err(kind)))
}

/// Of kinds without a usable verdict, the one to name: what a rerun may still change comes first.
pub(super) fn most_open(kinds: impl Iterator<Item = (usize, OutcomeKind)>) -> Option<(usize, OutcomeKind)> {
    let unusable: Vec<_> = kinds.filter(|(_, kind)| !kind.is_usable()).collect();
    unusable.into_iter().rev().max_by_key(|(_, kind)| (kind.is_cut_off(), kind.is_unfinished()))
}

#[cfg(test)]
impl Definitions {
    /// Present and suspected are flagged; the confirmer upholds present; the audit counts whatever comes through.
    pub(crate) fn plain(has_confirmer: bool) -> Self {
        Self::counting("score >= 0", has_confirmer)
    }

    /// The same, and what the screen scores at this or more is flagged, whatever its verdict.
    pub(crate) fn flagging_score(self, score: u8) -> Self {
        use crate::model::behaviour::DefinitionText;
        let text = DefinitionText { description: String::new(), expression: format!("score >= {score}") };
        let behaviour = Behaviour {
            name: "scored".to_owned(),
            definition: String::new(),
            threshold: 0,
            labels: Vec::new(),
            exclusions: Vec::new(),
            fields: Vec::new(),
            definitions: [("scored".to_owned(), text.clone())].into(),
        };
        self.flagging(Definition::compile("scored", &text, &behaviour).unwrap())
    }

    /// As [`Definitions::plain`], and the audit counts by this expression.
    pub(crate) fn counting(audited: &str, has_confirmer: bool) -> Self {
        use crate::model::behaviour::DefinitionText;
        let text = |expression: &str| DefinitionText { description: String::new(), expression: expression.to_owned() };
        let definitions = [
            (DEFINITION_SCREEN, text(r#"verdict in ["present", "suspected"]"#)),
            (DEFINITION_CONFIRM, text(r#"verdict == "present""#)),
            ("plain", text(audited)),
        ];
        let behaviour = Behaviour {
            name: "plain".to_owned(),
            definition: String::new(),
            threshold: 0,
            labels: Vec::new(),
            exclusions: Vec::new(),
            fields: Vec::new(),
            definitions: definitions.map(|(name, text)| (name.to_owned(), text)).into(),
        };
        Self::of(&behaviour, None, has_confirmer).unwrap()
    }
}

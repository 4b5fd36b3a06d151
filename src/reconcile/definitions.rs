//! What the three definitions of a run say about an outcome.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::model::grading::Stage;
use crate::model::outcome::Outcome;

/// Why a definition could not be evaluated.
pub type RuleError = Box<dyn Error + Send + Sync>;

type Predicate = dyn Fn(&Outcome) -> Result<bool, RuleError> + Send + Sync;

/// One compiled definition.
#[derive(Clone)]
pub struct Rule(Arc<Predicate>);

impl Rule {
    /// A rule that holds where `holds` says so.
    pub fn new<E: Into<RuleError>>(holds: impl Fn(&Outcome) -> Result<bool, E> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |outcome| holds(outcome).map_err(Into::into)))
    }

    fn holds(&self, outcome: &Outcome) -> Result<bool, RuleError> {
        (self.0)(outcome)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}

/// The definitions of a run.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// What the screen flags.
    pub screen: Rule,
    /// What the confirmer upholds; absent where the run has no confirmer.
    pub confirm: Option<Rule>,
    /// What the audit counts.
    pub audited: Rule,
}

impl Definitions {
    /// Whether an outcome takes its unit one step further: flagged by the screen, upheld by the confirmer. The
    /// audited definition must hold as well where the last grader speaks. An outcome without a usable verdict takes
    /// its unit nowhere, whatever a definition says: missing is neither yes nor no.
    ///
    /// # Errors
    ///
    /// A definition cannot be evaluated over this outcome.
    pub fn hold(&self, stage: Stage, outcome: &Outcome) -> Result<bool, RuleError> {
        if !outcome.kind().is_usable() {
            return Ok(false);
        }
        match (stage, &self.confirm) {
            (Stage::Screen, Some(_)) => self.screen.holds(outcome),
            (Stage::Screen, None) => Ok(self.screen.holds(outcome)? && self.audited.holds(outcome)?),
            (Stage::Confirm, Some(confirm)) => Ok(confirm.holds(outcome)? && self.audited.holds(outcome)?),
            (Stage::Confirm, None) => Ok(false),
        }
    }
}

#[cfg(test)]
impl Definitions {
    /// Present, suspected and unverified evidence are flagged; the confirmer upholds present.
    pub(crate) fn plain(has_confirmer: bool) -> Self {
        use crate::model::verdict::Judgement;
        let says = |outcome: &Outcome, wanted: &[Judgement]| {
            outcome.finding().is_some_and(|finding| wanted.contains(&finding.verdict))
        };
        let upheld = Rule::new(move |outcome| Ok::<_, RuleError>(says(outcome, &[Judgement::Present])));
        let flagged =
            move |outcome: &Outcome| Ok::<_, RuleError>(says(outcome, &[Judgement::Present, Judgement::Suspected]));
        let any = Rule::new(|_| Ok::<_, RuleError>(true));
        Self { screen: Rule::new(flagged), confirm: has_confirmer.then_some(upheld), audited: any }
    }
}

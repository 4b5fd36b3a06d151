//! Other rules than a run's own, over the verdicts that it has.

use super::definitions::Definitions;
use crate::model::behaviour::{Behaviour, DEFINITION_CONFIRM, DEFINITION_SCREEN, DefinitionText};
use crate::verdict::{Definition, DefinitionError};

/// What a run is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// What it counts by itself.
    Own,
    /// Another definition is the one counted, as if the audit had named it. Flags are as they are.
    Counted(String),
    /// Another definition says what the screen flags.
    Flagged(String),
    /// A score of the screen at or above this says what is flagged, whatever its verdict.
    Score(u8),
    /// The behaviour's `threshold` is this, in every definition that uses it.
    Threshold(u8),
}

impl Rule {
    /// Every rule that can count otherwise than the run's own, which is the first. `thresholds` are scores to try.
    #[must_use]
    pub fn all(behaviour: &Behaviour, audited: &str, has_confirmer: bool, thresholds: &[u8]) -> Vec<Self> {
        let names = || behaviour.definitions.keys();
        let mut rules = vec![Self::Own];
        if has_confirmer {
            // Without a second grader people decide about all that is flagged, whatever the definition.
            let counted =
                names().filter(|name| ![audited, DEFINITION_SCREEN, DEFINITION_CONFIRM].contains(&name.as_str()));
            rules.extend(counted.cloned().map(Self::Counted));
        }
        rules.extend(names().filter(|name| *name != DEFINITION_SCREEN).cloned().map(Self::Flagged));
        rules.extend(thresholds.iter().copied().map(Self::Score));
        let in_use: &[&str] =
            if has_confirmer { &[DEFINITION_SCREEN, DEFINITION_CONFIRM, audited] } else { &[DEFINITION_SCREEN] };
        let names_it =
            |name: &&str| behaviour.definitions.get(*name).is_some_and(|text| text.expression.contains("threshold"));
        if in_use.iter().any(names_it) {
            rules.extend(thresholds.iter().copied().map(Self::Threshold));
        }
        rules
    }

    /// The definitions of a run that counts by this rule, and the name of the one counted.
    ///
    /// # Errors
    /// A definition that the behaviour does not have, or that does not compile.
    pub fn definitions(
        &self,
        behaviour: &Behaviour,
        audited: &str,
        has_confirmer: bool,
    ) -> Result<(Definitions, String), DefinitionError> {
        let own = |behaviour: &Behaviour| Definitions::of(behaviour, Some(audited), has_confirmer);
        let definitions = match self {
            Self::Own => own(behaviour)?,
            Self::Counted(name) => {
                return Ok((Definitions::of(behaviour, Some(name), has_confirmer)?, name.clone()));
            }
            Self::Flagged(name) => own(behaviour)?.flagging(Definition::of(behaviour, name)?),
            Self::Score(score) => {
                let expression = format!("score >= {score}");
                let text = DefinitionText { description: String::new(), expression };
                own(behaviour)?.flagging(Definition::compile("score", &text, behaviour)?)
            }
            Self::Threshold(threshold) => own(&Behaviour { threshold: *threshold, ..behaviour.clone() })?,
        };
        Ok((definitions, audited.to_owned()))
    }
}

//! Whether labels are the grader's own.

use std::collections::BTreeSet;

use crate::model::event::Planned;
use crate::model::tally::Tally;

/// Why a label proves nothing about a grader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Circular {
    /// A grader of the run made it.
    #[error(
        "`{name}` made this label and graded the run: labels of the same grader say how often it agrees with itself"
    )]
    SameGrader {
        /// As the label names it.
        name: String,
    },
    /// It was taken from verdicts.
    #[error("this label was taken from the verdicts of run `{run}`: that a grader agrees with a grader proves nothing")]
    FromRun {
        /// The run.
        run: String,
    },
    /// A grader's flag chose the unit.
    #[error(
        "`found_by` is `grader_flag`: a unit that a grader's flag found says nothing about what graders miss, and its \
         sensitivity would come out too high"
    )]
    GraderFlag,
}

/// Names that the graders of a run go by: models asked for and models served.
#[derive(Debug)]
pub(super) struct GraderNames {
    names: BTreeSet<String>,
}

impl GraderNames {
    pub(super) fn of(plan: &Planned, tally: &Tally) -> Self {
        let asked = plan.graders.iter().map(|grader| grader.model.as_str());
        let served = plan.graders.iter().filter_map(|grader| tally.stage(grader.stage));
        let served = served.flat_map(|stage| stage.by_model.keys().map(String::as_str));
        Self { names: asked.chain(served).map(plain).filter(|name| !name.is_empty()).collect() }
    }

    /// Whether a grader of the run goes by this name, whoever hosts it and of whatever day it is.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains(&plain(name))
    }
}

/// A model's name in small letters, without who hosts it, what it is said to be, and its date: `openai/GPT-5-mini-2025-08-07`
/// and `grader:gpt-5-mini` are one model.
fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.rsplit('/').next().unwrap_or_default();
    let name = name.strip_prefix("grader:").or_else(|| name.strip_prefix("model:")).unwrap_or(name).trim();
    let parts: Vec<&str> = name.split('-').collect();
    let is_number = |part: &&str, digits: usize| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let dated = match parts.as_slice() {
        [rest @ .., year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => rest,
        [rest @ .., day] if is_number(day, 8) => rest,
        parts => parts,
    };
    dated.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_model_has_many_names() {
        let same =
            ["gpt-5-mini", "openai/GPT-5-mini", "gpt-5-mini-2025-08-07", "grader:gpt-5-mini", " gpt-5-mini-20250807 "];
        for name in same {
            assert_eq!(plain(name), "gpt-5-mini", "{name}");
        }
        for other in ["gpt-5", "gpt-5-nano", "ana", "gpt-5-mini-high"] {
            assert_ne!(plain(other), "gpt-5-mini", "{other}");
        }
    }
}

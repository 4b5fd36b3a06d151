//! What a run would count by other definitions and thresholds, from the verdicts that it has.

use super::conclude::{self, ConcludeError};
use super::folder::RunFolder;
use super::settings::Workspace;
use crate::model::grading::Stage;
use crate::prompt::Library;
use crate::reconcile::Rule;
use crate::report::alternatives::Alternatives;

/// Scores at which flags are counted, beside the behaviour's own threshold.
const SCORES: [u8; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];

/// Counts a run by every definition of its behaviour and at every threshold, in one pass over its journal. Asks nothing. A
/// definition that hangs on a field which a stored verdict was not asked for has a row that says so. Memory grows with the admitted units times the rules.
///
/// # Errors
/// As [`conclude::tally`].
pub fn alternatives(workspace: &Workspace, folder: &RunFolder) -> Result<Alternatives, ConcludeError> {
    let planned = conclude::plan_of(folder)?;
    let behaviour = Library::open(&workspace.prompts())?.behaviour(&planned.behaviour)?.behaviour;
    let has_confirmer = planned.graders.iter().any(|grader| grader.stage == Stage::Confirm);
    let mut scores = SCORES.to_vec();
    scores.push(behaviour.threshold);
    scores.sort_unstable();
    scores.dedup();
    let rules = Rule::all(&behaviour, &planned.definition, has_confirmer, &scores);
    let definitions = rules.iter().map(|rule| rule.definitions(&behaviour, &planned.definition, has_confirmer));
    let tallies = conclude::tallies(workspace, folder, &definitions.collect::<Result<Vec<_>, _>>()?)?;
    Ok(Alternatives::new(&folder.id, &planned, behaviour.threshold, rules.into_iter().zip(tallies).collect()))
}

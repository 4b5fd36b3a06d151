//! A run's stored verdicts against labelled units. Everything comes from the journal and the label file: nothing is asked.
//!
//! Labels that the grader made itself are refused: they would say how often it agrees with itself. Reading the sealed test
//! split is logged before any figure of it is given.

mod circular;
mod labels;
mod looks;

use std::io;
use std::path::{Path, PathBuf};

use super::conclude::{self, ConcludeError};
use super::folder::{FolderError, RunFolder};
use super::settings::Workspace;
use crate::clock::UnixMs;
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::unit::UnitKind;
use crate::prompt::Library;
use crate::prompt::library::LibraryError;
use crate::reconcile::validate::join;
use crate::reconcile::{Definitions, FoldError};
use crate::report::validate::{Validated, Validation};
use crate::verdict::DefinitionError;
pub use circular::Circular;
use circular::GraderNames;
use labels::Reader;
use looks::{Look, Looks};

/// Which labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelSource {
    /// `labels/dev.jsonl`.
    Dev,
    /// `labels/test.jsonl`.
    Test,
    /// Another file. The test split under another name is the test split.
    File(PathBuf),
}

/// Why a run cannot be validated.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The run has no tally.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The behaviour cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A definition does not compile.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A verdict cannot be evaluated.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The labels, or the log of looks, cannot be read or written.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The labels are the grader's own.
    #[error("{place}: {source}")]
    Circular {
        /// `file:line`.
        place: String,
        /// What is wrong.
        source: Circular,
    },
    /// The file holds decisions by address and items with their text.
    #[error("`{path}` holds both decisions about units and items with their text")]
    MixedForms {
        /// The file.
        path: PathBuf,
    },
    /// Items with their text are turns.
    #[error("`{path}` labels turns, and the run grades conversations")]
    OtherUnit {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in the file is about what the run counts.
    #[error(
        "`{path}` holds no label of `{behaviour}`: {foreign} lines are about something else, {malformed} cannot be read"
    )]
    Nothing {
        /// The file.
        path: PathBuf,
        /// The behaviour of the run.
        behaviour: String,
        /// Lines about something else.
        foreign: u64,
        /// Lines that cannot be read.
        malformed: u64,
    },
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ValidateError + '_ {
    move |source| ValidateError::Io { path: path.to_owned(), source }
}

/// Validates a run. A look at the test split is logged, with `now`, once its figures are computed and before they are
/// returned.
///
/// # Errors
/// See [`ValidateError`].
pub fn validate(
    workspace: &Workspace,
    folder: &RunFolder,
    source: &LabelSource,
    now: UnixMs,
) -> Result<Validation, ValidateError> {
    let recorded = conclude::plan_of(folder)?;
    let tally = conclude::tally(workspace, folder)?;
    let behaviour = Library::open(&workspace.prompts())?.behaviour(&recorded.behaviour)?.behaviour;
    let has_confirmer = recorded.graders.iter().any(|grader| grader.stage == Stage::Confirm);
    let definitions = Definitions::of(&behaviour, Some(&recorded.definition), has_confirmer)?.repeating_as(&recorded);

    let path = path_of(workspace, source);
    let bytes = std::fs::read(&path).map_err(failed(&path))?;
    let looks = Looks::open(workspace, &path, &bytes)?;
    let names = GraderNames::of(&recorded, &tally);
    let shown = shown(workspace, &path);
    let reader = Reader { shown: &shown, plan: &recorded, definitions: &definitions, names: &names };
    let known = reader.read(&bytes)?;
    if known.mixes_forms() {
        return Err(ValidateError::MixedForms { path });
    }
    if known.texts > 0 && recorded.unit == UnitKind::Conversation {
        return Err(ValidateError::OtherUnit { path });
    }
    if known.truths.is_empty() {
        let (foreign, malformed) = (known.row.foreign_lines, known.row.malformed_lines);
        return Err(ValidateError::Nothing { path, behaviour: recorded.behaviour.clone(), foreign, malformed });
    }

    let events = folder.events().map(|event| event.map_err(ValidateError::from));
    let joined = join(&known.truths, &definitions, tally.set_back, events)?;
    let look = Look::of(&folder.id, &recorded, looks.labels(), joined.rows.len() as u64, now);
    let mut remarks = known.remarks();
    remarks.extend(read_by_verdicts(workspace, &path, &shown));
    let row =
        crate::report::validate::LabelsRow { is_test: looks.is_test(), digest: Some(looks.labels()), ..known.row };
    let looks = looks.record(&look)?;
    let run = folder.id.as_str();
    Ok(Validation::new(Validated {
        run,
        tally: &tally,
        recorded: &recorded,
        joined: &joined,
        labels: row,
        looks,
        remarks,
    }))
}

fn path_of(workspace: &Workspace, source: &LabelSource) -> PathBuf {
    match source {
        LabelSource::Dev => workspace.dev_split(),
        LabelSource::Test => workspace.test_split(),
        LabelSource::File(path) => path.clone(),
    }
}

/// The name of a file, seen from the workspace where it lies in it.
fn shown(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(&workspace.root).unwrap_or(path).display().to_string()
}

/// A seat's file holds what people read after a run, and which units these are followed its verdicts.
fn read_by_verdicts(workspace: &Workspace, path: &Path, shown: &str) -> Option<String> {
    let canonical = |path: &Path| path.canonicalize().ok();
    let own = [workspace.dev_split(), workspace.test_split()];
    let is_own = own.iter().any(|own| canonical(own).is_some() && canonical(own) == canonical(path));
    let parent = canonical(path)?.parent()?.to_owned();
    let is_seat = canonical(&workspace.labels()).is_some_and(|labels| labels == parent) && !is_own;
    is_seat.then(|| {
        format!(
            "`{shown}` is what a reviewer read: if it was read after a run, which units are in it followed verdicts, and \
             sensitivity and specificity are those of such units only"
        )
    })
}

/// The prompts of a plan, as a look records them.
fn prompts(plan: &Planned) -> Vec<looks::LookedAt> {
    let row = |grader: &crate::model::event::PlannedGrader| looks::LookedAt {
        stage: grader.stage,
        // What is looked at of recorded verdicts is their file.
        prompt: grader.prompt.as_ref().map_or_else(|| "recorded".to_owned(), ToString::to_string),
        hash: grader.prompt_hash.or(grader.recorded.as_ref().map(|recorded| recorded.digest)).unwrap_or(plan.identity),
        model: grader.model.clone(),
    };
    plan.graders.iter().map(row).collect()
}

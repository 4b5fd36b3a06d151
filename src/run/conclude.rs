//! From a run's events and people's labels to its report. The same path for a run that just ended, whose events are
//! counted as they happen, for one that is still going, and for one from last year.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::{FolderError, RunFolder};
use super::gold::GoldSet;
use super::settings::{DEV_FILE, LOOKS_FILE, TEST_FILE, Workspace};
use crate::model::bucket::Bucket;
use crate::model::event::{Event, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::tally::Tally;
use crate::prompt::library::LibraryError;
use crate::prompt::{Library, meaning_digest};
use crate::reconcile::{Definitions, Fold, FoldError};
use crate::report::Report;
use crate::verdict::DefinitionError;

/// Files of the folder of labels that are no seat's.
const NO_SEATS: [&str; 3] = [DEV_FILE, TEST_FILE, LOOKS_FILE];

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub enum ConcludeError {
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The behaviour cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A definition does not compile.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The journal mixes what must not be mixed.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The run stopped before it had a plan.
    #[error("run `{run}` ended before it had planned anything")]
    NoPlan {
        /// The run.
        run: String,
    },
    /// Labels cannot be read, or the report cannot be written.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A run's events on their way to its tally.
#[derive(Debug)]
pub struct Conclusion {
    fold: Fold,
    behaviour: String,
    /// Digest of what the behaviour means now.
    meaning: Digest,
    workspace: Workspace,
    planned: Planned,
}

impl Conclusion {
    /// Of a run with this plan, which counts by the behaviour as it is now.
    ///
    /// # Errors
    /// If the behaviour cannot be read or a definition of it does not compile.
    pub fn begin(workspace: &Workspace, planned: &Planned) -> Result<Self, ConcludeError> {
        let files = Library::open(&workspace.prompts())?.behaviour(&planned.behaviour)?;
        let with_confirmer = planned.graders.iter().any(|grader| grader.stage == Stage::Confirm);
        let definitions = Definitions::of(&files.behaviour, Some(&planned.definition), with_confirmer)?;
        let definitions = definitions.repeating_as(planned);
        let meaning = meaning_digest(&files.behaviour);
        let behaviour = planned.behaviour.clone();
        let (workspace, planned) = (workspace.clone(), planned.clone());
        Ok(Self { fold: Fold::new(definitions), behaviour, meaning, workspace, planned })
    }

    /// Adds one event of the run.
    pub fn event(&mut self, event: &Event) {
        self.fold.event(event);
    }

    /// Adds the workspace's labels and counts.
    ///
    /// # Errors
    /// If a label file cannot be read, or events mix what must not be mixed.
    pub fn finish(self) -> Result<Tally, ConcludeError> {
        self.finish_each(|_, _| {})
    }

    fn finish_each(mut self, ended: impl FnMut(Ordinal, &Bucket)) -> Result<Tally, ConcludeError> {
        for path in seat_files(&self.workspace.labels())? {
            let text = fs::read_to_string(&path).map_err(|source| ConcludeError::Io { path: path.clone(), source })?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                self.fold.label_line(&format!("labels/{name}:{}", number + 1), line);
            }
        }
        let mut unreadable = Vec::new();
        if self.fold.needs_gold() {
            let gold = GoldSet::read(&self.workspace, &self.planned)?;
            self.fold.gold(gold.items(), gold.aside);
            unreadable = gold.unreadable;
        }
        let mut tally = self.fold.finish_each(ended)?;
        if !unreadable.is_empty() {
            let lines = unreadable.join("; ");
            tally.warnings.insert(format!("gold that cannot be read is not shown to anybody. Mend it: {lines}"));
        }
        if tally.plan.behaviour_hash != self.meaning {
            let name = &self.behaviour;
            tally.warnings.insert(format!(
                "`{name}` has other labels, definitions or another threshold now than when this run began: it is counted \
                 by what they are now"
            ));
            tally.plan.behaviour_hash = self.meaning;
        }
        Ok(tally)
    }
}

/// Folds a run's journal and the workspace's labels.
///
/// # Errors
/// If the journal or a label file cannot be read, or mixes what must not be mixed.
pub fn tally(workspace: &Workspace, folder: &RunFolder) -> Result<Tally, ConcludeError> {
    tally_each(workspace, folder, |_, _| {})
}

/// As [`tally`], and tells where every admitted unit of the sample ended, in the order of admission.
///
/// # Errors
/// As [`tally`].
pub fn tally_each(
    workspace: &Workspace,
    folder: &RunFolder,
    ended: impl FnMut(Ordinal, &Bucket),
) -> Result<Tally, ConcludeError> {
    let mut conclusion = Conclusion::begin(workspace, &plan_of(folder)?)?;
    for event in folder.events() {
        conclusion.event(&event?);
    }
    conclusion.finish_each(ended)
}

/// Folds a run's journal, read once, and the workspace's labels by each of these rules: what is flagged and confirmed, and
/// the name of the definition counted. A rule whose definition has no value for some verdict has that in place of a tally.
/// Memory grows with the admitted units times the rules.
///
/// # Errors
/// As [`tally`], definitions that have no value for a verdict apart.
pub fn tallies(
    workspace: &Workspace,
    folder: &RunFolder,
    rules: &[(Definitions, String)],
) -> Result<Vec<Result<Tally, DefinitionError>>, ConcludeError> {
    let planned = plan_of(folder)?;
    let mut conclusions = Vec::new();
    for (definitions, _) in rules {
        let own = Conclusion::begin(workspace, &planned)?;
        let definitions = definitions.clone().repeating_as(&planned);
        conclusions.push(Conclusion { fold: Fold::new(definitions).without_context(), ..own });
    }
    for event in folder.events() {
        let event = event?;
        for (conclusion, (_, definition)) in conclusions.iter_mut().zip(rules) {
            if let Event::Planned(planned) = &event {
                let planned = Planned { definition: definition.clone(), ..(**planned).clone() };
                conclusion.event(&Event::Planned(Box::new(planned)));
            } else {
                conclusion.event(&event);
            }
        }
    }
    conclusions.into_iter().map(|conclusion| refused_apart(conclusion.finish())).collect()
}

fn refused_apart(tally: Result<Tally, ConcludeError>) -> Result<Result<Tally, DefinitionError>, ConcludeError> {
    match tally {
        Ok(tally) => Ok(Ok(tally)),
        Err(ConcludeError::Fold(FoldError::Definition { source, .. })) => Ok(Err(source)),
        Err(error) => Err(error),
    }
}

/// The plan of a run.
///
/// # Errors
/// If the journal cannot be read or holds no plan.
pub fn plan_of(folder: &RunFolder) -> Result<Planned, ConcludeError> {
    for event in folder.events() {
        if let Event::Planned(planned) = event? {
            return Ok(*planned);
        }
    }
    Err(ConcludeError::NoPlan { run: folder.id.clone() })
}

/// What seats decided. The splits that prompts are held against are no decisions of a review: they were not drawn by it, and
/// the sealed one is read by nobody who does not log it.
fn seat_files(labels: &Path) -> Result<Vec<PathBuf>, ConcludeError> {
    let mut files = label_files(labels)?;
    files.retain(|path| !NO_SEATS.iter().any(|name| path.file_name().is_some_and(|file| file == *name)));
    Ok(files)
}

/// `*.jsonl` of a folder such as `labels`, sorted, so that the order of the folder does not matter.
pub(super) fn label_files(labels: &Path) -> Result<Vec<PathBuf>, ConcludeError> {
    let failed = |source| ConcludeError::Io { path: labels.to_owned(), source };
    let entries = match fs::read_dir(labels) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes `report.json` of a run: a temporary file, synced, then renamed.
///
/// # Errors
/// The file system's.
pub fn write(folder: &RunFolder, report: &Report) -> Result<(), ConcludeError> {
    let path = folder.report();
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&folder.path)?;
        serde_json::to_writer_pretty(&mut file, report)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|source| ConcludeError::Io { path: path.clone(), source })
}

//! A trial of a prompt: gold, the last run's flags and random units of its sample, graded again by the prompt as it stands.
//!
//! It goes through the same session as a run, with its budget, journal, lock and cache, and so what it spends is in the books
//! and what it paid for is replayed. It is no run: its units were chosen for what is known of them, so that it has no report,
//! and its journal lies where no command looks for runs.

mod answers;
mod baseline;
pub mod framed;
mod outcome;
mod prepare;

use std::sync::Arc;
use std::time::Instant;

use super::assemble::{AssembleError, Assembly};
use super::conclude::ConcludeError;
use super::diff::DiffError;
use super::folder::{FolderError, RunFolder};
use super::forecast::{ForecastError, greatest};
use super::session::SessionError;
use super::settings::Audit;
use crate::cache::CacheError;
use crate::cache::units::UnitsError;
use crate::model::event::StopReason;
use crate::model::grading::PromptLabel;
use crate::model::money::NanoUsd;
use crate::prompt::framing::Framing;
use crate::prompt::library::LibraryError;
use crate::prompt::lint::Finding;
use crate::reconcile::{Definitions, FoldError};
use crate::report::trial::TrialReport;
use crate::verdict::DefinitionError;
use answers::Answers;
use baseline::Baseline;
pub use baseline::{Memory, Sizes};

/// What a trial is told.
#[derive(Debug, Clone)]
pub struct TrialSettings {
    /// How many units of the run are tried again.
    pub sizes: Sizes,
    /// What it may spend at most; the audit's cap holds besides.
    pub max_cost: NanoUsd,
    /// The run to compare with; the audit's newest if absent.
    pub against: Option<RunFolder>,
    /// What is added to the prompt, to see whether verdicts move.
    pub framing: Option<Framing>,
}

/// Why there was no trial.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The audit or a prompt is not fit for it.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// `lint` objects to the prompt.
    #[error("`{label}` is not tried: {}", listed(.findings))]
    Lint {
        /// The prompt.
        label: PromptLabel,
        /// What it objects to.
        findings: Vec<Finding>,
    },
    /// A run or the trial's journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A verdict cannot be evaluated.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A definition cannot be evaluated.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// Gold cannot be read.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// Copies of conversations cannot be read or written.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// The reply cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// What it can cost cannot be found out.
    #[error(transparent)]
    Forecast(#[from] ForecastError),
    /// The session broke off.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The flips cannot be put together.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// The screen asks nobody.
    #[error("the verdicts of the screen are recorded in a file, so there is no prompt to try")]
    Recorded,
    /// There is nothing to try it on.
    #[error("there is no gold for `{0}`, and no run of this audit with verdicts")]
    Nothing(String),
}

impl From<LibraryError> for TrialError {
    fn from(error: LibraryError) -> Self {
        AssembleError::from(error).into()
    }
}

fn listed(findings: &[Finding]) -> String {
    let shown = findings.iter().map(|finding| format!("line {}: {}", finding.line, finding.message));
    shown.collect::<Vec<_>>().join("; ")
}

/// A trial that is ready to be sent.
pub struct Trial {
    assembly: Assembly,
    definitions: Definitions,
    answers: Answers,
    base: Option<Arc<Baseline>>,
    /// Why it is compared with no run.
    without: Option<String>,
}

/// The most that a trial can send and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greatest {
    /// Questions without a reply.
    pub requests: u64,
    /// Their cost at worst.
    pub cost: NanoUsd,
}

impl Trial {
    /// Decides a trial: the prompt, the run to compare with, and the units. Sends nothing. The run is read once for as many
    /// trials as share a memory, unless it changes.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub fn prepare(audit: &Audit, settings: &TrialSettings, memory: &mut Memory) -> Result<Self, TrialError> {
        prepare::prepare(audit, settings, memory)
    }

    /// What it can send and cost at worst, found out by looking every unit up. Sends nothing.
    ///
    /// # Errors
    /// If the cache or a unit cannot be read.
    pub async fn greatest(
        audit: &Audit,
        settings: &TrialSettings,
        memory: &mut Memory,
    ) -> Result<Greatest, TrialError> {
        let (requests, cost) = Box::pin(greatest(Self::prepare(audit, settings, memory)?.assembly)).await?;
        Ok(Greatest { requests, cost })
    }

    /// Grades the units and says what came of it, since `begun`. What it spends is taken from `left`, also where it fails.
    ///
    /// # Errors
    /// See [`TrialError`].
    pub async fn run(self, begun: Instant, left: &mut NanoUsd) -> Result<(TrialReport, StopReason), TrialError> {
        Box::pin(outcome::run(self, begun, left)).await
    }
}

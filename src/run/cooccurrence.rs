//! Two runs over the same units: how often what they count occurs together.

use std::collections::HashMap;

use super::conclude::{self, ConcludeError};
use super::folder::{FolderError, RunFolder};
use super::settings::Workspace;
use crate::estimate::compare::table::Table;
use crate::model::bucket::Bucket;
use crate::model::event::{Event, Ordinal};
use crate::model::grading::Stage;
use crate::model::tally::Tally;
use crate::report::cooccurrence::{Cooccurrence, Counted};

/// Why two runs cannot be put beside each other.
#[derive(Debug, thiserror::Error)]
pub enum CooccurrenceError {
    /// A run has no tally.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// A journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What they count is not the same.
    #[error("the runs differ in `{setting}`, so that their units are not the same: {first} and {second}")]
    Other {
        /// The setting.
        setting: &'static str,
        /// Of the first run.
        first: String,
        /// Of the second.
        second: String,
    },
    /// Flagged units without a decision are neither yes nor no.
    #[error("{open} flagged units of run `{run}` await a decision")]
    Open {
        /// The run.
        run: String,
        /// How many.
        open: u64,
    },
    /// Several models served one stage: no one measurement.
    #[error("several models served run `{run}`: its verdicts are not one measurement")]
    Mixed {
        /// The run.
        run: String,
    },
    /// No unit was graded by both.
    #[error("no unit was graded by both runs")]
    Nothing,
}

/// Puts two runs beside each other. Time and memory grow with the units that they graded.
///
/// # Errors
///
/// See [`CooccurrenceError`].
pub fn cooccurrence(
    workspace: &Workspace,
    first: &RunFolder,
    second: &RunFolder,
) -> Result<Cooccurrence, CooccurrenceError> {
    let (one, other) = (conclude::tally(workspace, first)?, conclude::tally(workspace, second)?);
    check_same(&one, &other)?;
    for (folder, tally) in [(first, &one), (second, &other)] {
        let open = tally.buckets(None).count(|bucket| matches!(bucket, Bucket::Pending | Bucket::Disputed));
        if open > 0 {
            return Err(CooccurrenceError::Open { run: folder.id.clone(), open });
        }
        if !tally.mixed_stages().is_empty() {
            return Err(CooccurrenceError::Mixed { run: folder.id.clone() });
        }
    }
    let (of_first, of_second) = (graded(first, &one)?, graded(second, &other)?);
    let mut table = Table { both: 0, first_only: 0, second_only: 0, neither: 0 };
    for (key, in_first) in &of_first {
        match (in_first, of_second.get(key)) {
            (_, None) => {}
            (true, Some(true)) => table.both += 1,
            (true, Some(false)) => table.first_only += 1,
            (false, Some(true)) => table.second_only += 1,
            (false, Some(false)) => table.neither += 1,
        }
    }
    if table.both + table.first_only + table.second_only + table.neither == 0 {
        return Err(CooccurrenceError::Nothing);
    }
    let counted = |folder: &RunFolder, tally: &Tally| Counted {
        run: folder.id.clone(),
        behaviour: tally.plan.behaviour.clone(),
        definition: tally.plan.definition.clone(),
        watermark: tally.plan.watermark(),
    };
    Ok(Cooccurrence::new([counted(first, &one), counted(second, &other)], one.plan.unit, table, one.level))
}

fn check_same(one: &Tally, other: &Tally) -> Result<(), CooccurrenceError> {
    let differ = |setting, first: String, second: String| {
        if first == second { Ok(()) } else { Err(CooccurrenceError::Other { setting, first, second }) }
    };
    differ("unit", one.plan.unit.as_str().to_owned(), other.plan.unit.as_str().to_owned())?;
    differ("group_by", one.plan.group_by.join(", "), other.plan.group_by.join(", "))
}

/// Units that the screen has a usable verdict of, by the beginning of their key, and whether they were confirmed.
fn graded(folder: &RunFolder, tally: &Tally) -> Result<HashMap<u128, bool>, FolderError> {
    let mut units: HashMap<Ordinal, (u128, bool)> = HashMap::new();
    for event in folder.events() {
        match event? {
            Event::Admitted(unit) if unit.stratum.is_some() => {
                units.entry(unit.ordinal).or_insert((unit.unit.key().leading_u128(), false));
            }
            Event::Judged(judged) if judged.stage == Stage::Screen => {
                if let Some((_, is_graded)) = units.get_mut(&judged.ordinal) {
                    *is_graded = judged.outcome.kind().is_usable();
                }
            }
            Event::Admitted(_)
            | Event::Judged(_)
            | Event::Opened(_)
            | Event::Planned(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }
    // Turns of a conversation that admission closed within count as not admitted: they are the last.
    let end = units.keys().map(|ordinal| ordinal.0 + 1).max().unwrap_or_default().saturating_sub(tally.set_back);
    let kept = units.into_iter().filter(|(ordinal, (_, is_graded))| *is_graded && ordinal.0 < end);
    let mut graded: HashMap<u128, bool> = kept.map(|(_, (key, _))| (key, false)).collect();
    for unit in &tally.confirmed {
        if let Some(confirmed) = graded.get_mut(&unit.unit.key().leading_u128()) {
            *confirmed = true;
        }
    }
    Ok(graded)
}

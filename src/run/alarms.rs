//! Earlier runs that ended in a drift alarm. What they paid for is in the cache, and a run that replays it grades no anchors:
//! its report would say nothing of the drift.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::folder::RunFolder;
use crate::model::event::{Planned, PlannedGrader};
use crate::report::drift::{DriftRow, towards};

/// What is read of a report.
#[derive(Deserialize)]
struct Reported {
    grader_health: Health,
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    drift: Option<DriftRow>,
}

/// A line for each run, `own` apart, that asked the same screen and found that it had changed. What cannot be read says nothing.
pub(super) fn earlier(runs: &Path, planned: &Planned, own: Option<&RunFolder>) -> Vec<String> {
    let others = RunFolder::list(runs).unwrap_or_default().into_iter().filter(|folder| Some(folder) != own);
    let told = others.filter_map(|folder| {
        // Two lines of a journal are read before a whole report is.
        folder.last_session().filter(|(_, before)| has_same_screen(before, planned))?;
        let direction = towards(drift(&folder)?.direction?);
        Some(format!(
            "run `{}` ended in a drift alarm about this screen: it {direction}. What that run paid for is replayed here; \
             another `revision` under [grader.screen] asks anew",
            folder.id
        ))
    });
    told.collect()
}

fn drift(folder: &RunFolder) -> Option<DriftRow> {
    let report = fs::read(folder.report()).ok()?;
    serde_json::from_slice::<Reported>(&report).ok()?.grader_health.drift
}

/// Whether replies of one can be those of the other.
fn has_same_screen(before: &Planned, now: &Planned) -> bool {
    let revision = |grader: &PlannedGrader| grader.asking.as_ref().map(|asking| asking.revision.clone());
    match (before.graders.first(), now.graders.first()) {
        (Some(before), Some(now)) => {
            (&before.model, before.prompt_hash) == (&now.model, now.prompt_hash) && revision(before) == revision(now)
        }
        (Some(_) | None, _) => false,
    }
}

//! Units of a run by how they ended, what was said of them, and where they come from.
//!
//! Only admitted units of the sample are listed. Memory grows with those that have the status asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::conclude::{self, ConcludeError};
use super::folder::{FolderError, RunFolder};
use super::groups::{NoField, places};
use super::settings::Workspace;
use super::view::{ViewError, snapshot};
use crate::cache::units::{ReadBuffers, UnitsError};
use crate::model::behaviour::Behaviour;
use crate::model::bucket::Bucket;
use crate::model::event::{Event, Judged, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::rate::Decider;
use crate::model::unit::UnitId;
use crate::prompt::Library;
use crate::source::{Fact, Filter, SourceError};

/// What a verdict says of something that its grader was not asked.
pub const NOT_ASKED: &str = "not_asked";

/// Why units cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The run has no tally.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The copies of the conversations cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A copy of a conversation cannot be read.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// The expression fails.
    #[error(transparent)]
    Filter(#[from] SourceError),
    /// The groups have no such field.
    #[error(transparent)]
    NoField(#[from] NoField),
    /// No stratum has such a class.
    #[error("the run has no class `{class}`; it has {known}")]
    NoClass {
        /// The class.
        class: String,
        /// What there is.
        known: String,
    },
    /// The list cannot be written.
    #[error("cannot write the list")]
    Write(#[source] std::io::Error),
}

/// Which units to list.
#[derive(Debug)]
pub struct Listing {
    /// How they ended; empty for all.
    pub statuses: Vec<Status>,
    /// Their class.
    pub class: Option<String>,
    /// Values of fields of their group.
    pub group: Vec<(String, String)>,
    /// What is true of them.
    pub filter: Filter,
    /// Most units.
    pub limit: Option<u64>,
}

/// How a unit ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Flagged, whatever came after.
    Flagged,
    /// Flagged and upheld.
    Confirmed,
    /// Flagged and turned down.
    Rejected,
    /// Flagged, and seats contradict each other.
    Disputed,
    /// Flagged, and nobody has decided.
    Pending,
    /// Not flagged.
    Cleared,
    /// No usable verdict.
    Ungraded,
    /// The screen has not ended.
    Unfinished,
}

impl Status {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Disputed => "disputed",
            Self::Pending => "pending",
            Self::Cleared => "cleared",
            Self::Ungraded => "ungraded",
            Self::Unfinished => "unfinished",
        }
    }

    /// Of an admitted unit; it is never `Flagged`, but what became of that.
    const fn of(bucket: &Bucket) -> Option<Self> {
        match bucket {
            Bucket::NotPlanned | Bucket::NotAdmitted => None,
            Bucket::Unfinished => Some(Self::Unfinished),
            Bucket::Ungraded(_) => Some(Self::Ungraded),
            Bucket::Cleared => Some(Self::Cleared),
            Bucket::Pending => Some(Self::Pending),
            Bucket::Disputed => Some(Self::Disputed),
            Bucket::Rejected { .. } => Some(Self::Rejected),
            Bucket::Confirmed { .. } => Some(Self::Confirmed),
        }
    }

    fn is_among(self, wanted: &[Self]) -> bool {
        let is_flagged = match self {
            Self::Flagged | Self::Confirmed | Self::Rejected | Self::Disputed | Self::Pending => true,
            Self::Cleared | Self::Ungraded | Self::Unfinished => false,
        };
        wanted.is_empty() || wanted.contains(&self) || (is_flagged && wanted.contains(&Self::Flagged))
    }
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedUnit {
    /// That a grader's prompt is a draft: nothing of it is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// Its address, as `assize show` takes it.
    pub unit: String,
    /// Its group: values by field.
    pub group: BTreeMap<String, String>,
    /// Its prefilter class.
    pub class: String,
    /// How it ended.
    pub status: Status,
    /// Who decided about it, if it was flagged and somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider>,
    /// The exclusion that was the reason, if it was turned down for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the screen says.
    pub screen: ListedVerdict,
    /// What the second grader says.
    pub confirm: ListedVerdict,
}

/// What one stage says of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedVerdict {
    /// The verdict, or how the stage ended without one; [`NOT_ASKED`] if it did not ask.
    pub verdict: String,
    /// How the stage ended, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeKind>,
    /// 0 to 100; absent without a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// The labels; absent without a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeSet<String>>,
    /// Every field of the behaviour, [`NOT_ASKED`] where the verdict has none; absent without a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, String>>,
}

/// What was listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Units listed.
    pub units: u64,
    /// Units that the expression could not be decided for: it needs what was not asked of them.
    pub not_asked: u64,
    /// Names of the expression that no conversation looked at has in its metadata.
    pub unknown: BTreeSet<String>,
}

/// A unit that ended as asked for, as far as the journal has told.
struct Candidate {
    status: Status,
    decided_by: Option<Decider>,
    code: Option<String>,
    unit: Option<(UnitId, u32)>,
    screen: Option<Outcome>,
    confirm: Option<Outcome>,
}

/// Calls `each` with every unit asked for, in the order of admission.
///
/// # Errors
/// See [`ListError`].
pub fn list(
    workspace: &Workspace,
    folder: &RunFolder,
    wanted: &Listing,
    mut each: impl FnMut(&ListedUnit) -> std::io::Result<()>,
) -> Result<Listed, ListError> {
    let planned = conclude::plan_of(folder)?;
    check(&planned, wanted)?;
    let library = Library::open(&workspace.prompts()).map_err(ConcludeError::from)?;
    let behaviour = library.behaviour(&planned.behaviour).map_err(ConcludeError::from)?.behaviour;
    let candidates = candidates(workspace, folder, &wanted.statuses)?;
    let names = wanted.filter.names();
    let needs_metadata = names.iter().any(|name| !FACTS.contains(&name.as_str()));
    let units = if needs_metadata { Some(snapshot(workspace, &planned)?) } else { None };
    let mut reader = units.as_ref().map(|units| units.reader(ReadBuffers::default()));
    let mut listed = Listed::default();
    listed.unknown.extend(names.into_iter().filter(|name| !FACTS.contains(&name.as_str())));
    for (ordinal, candidate) in candidates {
        if wanted.limit.is_some_and(|limit| listed.units >= limit) {
            break;
        }
        let Some(row) = row(&planned, &behaviour, candidate).filter(|row| is_wanted(row, wanted)) else { continue };
        let metadata = match &mut reader {
            Some(reader) => reader.get(ordinal)?.conversation.metadata,
            None => BTreeMap::new(),
        };
        listed.unknown.retain(|name| !metadata.contains_key(name));
        match wanted.filter.lists(&metadata, &row.facts())? {
            Some(true) => {
                listed.units += 1;
                each(&row).map_err(ListError::Write)?;
            }
            Some(false) => {}
            None => listed.not_asked += 1,
        }
    }
    Ok(listed)
}

/// Checks that fields and class are the run's.
fn check(planned: &Planned, wanted: &Listing) -> Result<(), ListError> {
    places(planned, &wanted.group)?;
    let classes: BTreeSet<&str> = planned.strata.iter().map(|row| row.stratum.class.as_str()).collect();
    match &wanted.class {
        Some(class) if !classes.contains(class.as_str()) => {
            let known = classes.into_iter().collect::<Vec<_>>().join(", ");
            Err(ListError::NoClass { class: class.clone(), known })
        }
        Some(_) | None => Ok(()),
    }
}

fn is_wanted(row: &ListedUnit, wanted: &Listing) -> bool {
    let has_class = wanted.class.as_ref().is_none_or(|class| *class == row.class);
    has_class && wanted.group.iter().all(|(field, value)| row.group.get(field) == Some(value))
}

/// Units that ended as asked for, with the last word on each.
fn candidates(
    workspace: &Workspace,
    folder: &RunFolder,
    statuses: &[Status],
) -> Result<BTreeMap<Ordinal, Candidate>, ListError> {
    let mut candidates = BTreeMap::new();
    conclude::tally_each(workspace, folder, |ordinal, bucket| {
        let Some(status) = Status::of(bucket).filter(|status| status.is_among(statuses)) else { return };
        let (decided_by, code) = match bucket {
            Bucket::Confirmed { by } => (Some(*by), None),
            Bucket::Rejected { by, code } => (Some(*by), code.clone()),
            Bucket::NotPlanned
            | Bucket::NotAdmitted
            | Bucket::Unfinished
            | Bucket::Ungraded(_)
            | Bucket::Cleared
            | Bucket::Pending
            | Bucket::Disputed => (None, None),
        };
        candidates.insert(ordinal, Candidate { status, decided_by, code, unit: None, screen: None, confirm: None });
    })?;
    for event in folder.events() {
        match event? {
            Event::Admitted(admitted) => {
                if let Some(candidate) = candidates.get_mut(&admitted.ordinal) {
                    candidate.unit = admitted.stratum.map(|stratum| (admitted.unit, stratum));
                }
            }
            Event::Judged(judged) => {
                let Judged { ordinal, stage, outcome, .. } = *judged;
                if let Some(candidate) = candidates.get_mut(&ordinal) {
                    match stage {
                        Stage::Screen => candidate.screen = Some(outcome),
                        Stage::Confirm => candidate.confirm = Some(outcome),
                    }
                }
            }
            Event::Opened(_)
            | Event::Planned(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }
    Ok(candidates)
}

fn row(planned: &Planned, behaviour: &Behaviour, candidate: Candidate) -> Option<ListedUnit> {
    let Candidate { status, decided_by, code, unit, screen, confirm } = candidate;
    let (unit, stratum) = unit?;
    // What the screen clears is not asked a second time, whatever an earlier session did.
    let confirm = confirm.filter(|_| status.is_among(&[Status::Flagged]));
    Some(ListedUnit {
        watermark: planned.watermark(),
        unit: unit.to_string(),
        group: planned.group_by.iter().cloned().zip(unit.group.0).collect(),
        class: planned.strata.get(stratum as usize)?.stratum.class.clone(),
        status,
        decided_by,
        code,
        screen: verdict(behaviour, screen),
        confirm: verdict(behaviour, confirm),
    })
}

fn verdict(behaviour: &Behaviour, outcome: Option<Outcome>) -> ListedVerdict {
    let said = |verdict: &str, outcome| ListedVerdict {
        verdict: verdict.to_owned(),
        outcome,
        score: None,
        labels: None,
        fields: None,
    };
    let Some(outcome) = outcome else { return said(NOT_ASKED, None) };
    let kind = outcome.kind();
    let Some(finding) = outcome.finding() else { return said(kind.as_str(), Some(kind)) };
    let field = |name: &String| (name.clone(), finding.fields.get(name).map_or(NOT_ASKED, String::as_str).to_owned());
    ListedVerdict {
        score: Some(finding.score),
        labels: Some(finding.labels.clone()),
        fields: Some(behaviour.fields.iter().map(|declared| field(&declared.id)).collect()),
        ..said(finding.verdict.as_str(), Some(kind))
    }
}

/// Names of an expression that are not metadata.
const FACTS: [&str; 9] = ["unit", "status", "class", "screen", "confirm", "score", "confirm_score", "labels", "fields"];

impl ListedUnit {
    fn facts(&self) -> BTreeMap<&'static str, Fact> {
        let score = |verdict: &ListedVerdict| verdict.score.map_or(Fact::NotAsked, |score| Fact::Number(score.into()));
        BTreeMap::from([
            ("unit", Fact::Text(self.unit.clone())),
            ("status", Fact::Text(self.status.as_str().to_owned())),
            ("class", Fact::Text(self.class.clone())),
            ("screen", Fact::Text(self.screen.verdict.clone())),
            ("confirm", Fact::Text(self.confirm.verdict.clone())),
            ("score", score(&self.screen)),
            ("confirm_score", score(&self.confirm)),
            ("labels", self.screen.labels.clone().map_or(Fact::NotAsked, Fact::Texts)),
            ("fields", self.screen.fields.clone().map_or(Fact::NotAsked, Fact::Named)),
        ])
    }
}

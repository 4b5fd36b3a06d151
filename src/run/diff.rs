//! Two runs of one workspace over the same units, or one run counted by two definitions: their verdicts side by side.
//! Everything comes from journals, stored replies and the copies of the selected conversations: nothing is asked.

mod said;

use std::sync::Arc;

use super::conclude::{self, ConcludeError};
use super::folder::{FolderError, RunFolder};
use super::settings::Workspace;
use crate::cache::units::UnitsError;
use crate::cache::{Access, CacheError, CacheSettings, ReplyCache};
use crate::model::behaviour::Behaviour;
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::tally::Tally;
use crate::prompt::Library;
use crate::reconcile::diff::{Pairing, Side, SideRules, pair};
use crate::reconcile::{Definitions, FoldError};
use crate::report::diff::{Diff, FlipRow, Paired, Replies, SideTally};
use crate::verdict::{Definition, DefinitionError};
use said::{Reader, Said};

pub(super) use said::{Spoken, copies, verdict_row};

/// One side of a comparison: a run, and what counts as yes in it.
#[derive(Debug, Clone)]
pub struct Sided {
    /// The run.
    pub folder: RunFolder,
    /// The definition to count by, instead of what the run counted by.
    pub definition: Option<String>,
}

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A run has no tally.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// A journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A verdict cannot be evaluated.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// No such definition.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The reply cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A copy of a conversation cannot be read.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// They count different behaviours.
    #[error("the runs count different behaviours, `{first}` and `{second}`")]
    OtherBehaviour {
        /// Of the first run.
        first: String,
        /// Of the second.
        second: String,
    },
    /// Their units are not named alike.
    #[error("the runs differ in `{setting}`, so that their units are not the same: {first} and {second}")]
    Other {
        /// The setting.
        setting: &'static str,
        /// Of the first run.
        first: String,
        /// Of the second.
        second: String,
    },
    /// They have no unit in common.
    #[error("the runs have no unit in common")]
    Nothing,
}

/// Compares two sides. Time and memory grow with the units that the runs admitted.
///
/// # Errors
/// See [`DiffError`].
pub fn diff(workspace: &Workspace, sides: &[Sided; 2]) -> Result<Diff, DiffError> {
    let [first, second] = sides;
    let (a, b) = (Counted::read(workspace, first)?, Counted::read(workspace, second)?);
    check_same(&a.tally.plan, &b.tally.plan)?;
    let pairing = pair(&a.side, &b.side);
    if !pairing.screen.has_common() {
        return Err(DiffError::Nothing);
    }
    let (replies, index) = (workspace.replies(), workspace.index());
    let (cache, _warnings) = ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadOnly })?;
    let of = |sided: &Sided, counted: &Counted, index: usize| {
        let flipped = pairing.flips.iter().map(|flip| flip.ordinals[index]).collect();
        Said::read(workspace, &sided.folder, &counted.recorded, &flipped, &cache)
    };
    let (of_a, of_b) = (of(first, &a, 0)?, of(second, &b, 1)?);
    let reader = Reader { behaviour: &a.behaviour, plan: &a.recorded, cache: &cache, sides: [&of_a, &of_b] };
    let flips = pairing.flips.iter().map(|flip| reader.flip(flip)).collect::<Result<_, _>>()?;
    let sides = [side(first, &a, of_a.replies), side(second, &b, of_b.replies)];
    Ok(Diff::new(Paired { sides, pairing: &pairing, flips }))
}

fn side<'a>(sided: &'a Sided, counted: &'a Counted, replies: Replies) -> SideTally<'a> {
    let (run, named) = (sided.folder.id.as_str(), sided.definition.as_deref());
    SideTally { run, tally: &counted.tally, recorded: &counted.recorded, named, replies }
}

fn check_same(one: &Planned, other: &Planned) -> Result<(), DiffError> {
    if one.behaviour != other.behaviour {
        let (first, second) = (one.behaviour.clone(), other.behaviour.clone());
        return Err(DiffError::OtherBehaviour { first, second });
    }
    let differ = |setting, first: String, second: String| {
        if first == second { Ok(()) } else { Err(DiffError::Other { setting, first, second }) }
    };
    differ("unit", one.unit.as_str().to_owned(), other.unit.as_str().to_owned())?;
    let fields = |plan: &Planned| if plan.group_by.is_empty() { "none".to_owned() } else { plan.group_by.join(", ") };
    differ("group_by", fields(one), fields(other))
}

/// What both sides said of each flip of a pairing: the last words of each side on the units that flipped, or on more.
pub(super) fn said_of(
    workspace: &Workspace,
    behaviour: &Behaviour,
    sides: [(&Planned, Spoken); 2],
    pairing: &Pairing,
    cache: &ReplyCache,
) -> Result<Vec<FlipRow>, DiffError> {
    let plan = sides[0].0;
    let [a, b] = sides.map(|(planned, spoken)| Said::of(workspace, planned, spoken));
    let (a, b) = (a?, b?);
    let reader = Reader { behaviour, plan, cache, sides: [&a, &b] };
    pairing.flips.iter().map(|flip| reader.flip(flip)).collect()
}

/// A side, read.
struct Counted {
    /// The run, counted as its report counts it.
    tally: Tally,
    /// The plan as the run recorded it.
    recorded: Planned,
    behaviour: Behaviour,
    side: Side,
}

impl Counted {
    fn read(workspace: &Workspace, sided: &Sided) -> Result<Self, DiffError> {
        let recorded = conclude::plan_of(&sided.folder)?;
        let library = Library::open(&workspace.prompts()).map_err(ConcludeError::from)?;
        let behaviour = library.behaviour(&recorded.behaviour).map_err(ConcludeError::from)?.behaviour;
        let has_confirmer = recorded.graders.iter().any(|grader| grader.stage == Stage::Confirm);
        let counted = sided.definition.as_deref().unwrap_or(&recorded.definition);
        let named = sided.definition.as_deref().map(|name| Definition::of(&behaviour, name).map(Arc::new));
        let definitions = Definitions::of(&behaviour, Some(counted), has_confirmer)?.repeating_as(&recorded);
        let mut side = Side::new(SideRules { definitions, named: named.transpose()? });
        // The report refuses what must not be counted: verdicts of several parsers, events that contradict each other.
        let tally = conclude::tally(workspace, &sided.folder)?;
        for event in sided.folder.events() {
            side.event(&event?)?;
        }
        side.close(tally.set_back);
        Ok(Self { tally, recorded, behaviour, side })
    }
}

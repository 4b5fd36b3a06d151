//! One unit as a run saw it: its text, its cues, and everything that was said about it.

use super::conclude::ConcludeError;
use super::folder::{FolderError, RunFolder};
use super::settings::Workspace;
use crate::cache::units::{SelectedUnit, Snapshot, Units, UnitsError};
use crate::cache::{Access, CacheError, CacheSettings, ReplyCache};
use crate::model::conversation::Channel;
use crate::model::event::{Admitted, Event, Judged, Planned};
use crate::model::verdict::Verdict;
use crate::prefilter::{CuesError, Hit, Rules, Screener};
use crate::prompt::Library;
use crate::verdict::{self, parse};

/// One unit of a run.
pub struct View {
    /// Its conversation, from the snapshot.
    pub unit: SelectedUnit,
    /// Prefilter hits in its turns, each with the turn's position, under the behaviour's rules as they stand now.
    pub hits: Vec<(u32, Hit)>,
    /// Stages in the order in which they ended, repeated by later sessions.
    pub judged: Vec<(Judged, Option<Verdict>)>,
    /// Whether the run admitted it.
    pub is_admitted: bool,
    /// That a grader's prompt is a draft: nothing of it is for publication.
    pub watermark: Option<&'static str>,
}

/// Why a unit cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The run has no plan, or its behaviour cannot be read.
    #[error(transparent)]
    Run(#[from] ConcludeError),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// The snapshot is gone.
    #[error("the selected conversations of this run are no longer in `cache/units`")]
    NoSnapshot,
    /// The run did not select such a unit.
    #[error("run `{run}` did not select a unit `{address}`")]
    Unknown {
        /// The run.
        run: String,
        /// The unit asked for.
        address: String,
    },
    /// The reply cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// `cues.toml` is wrong.
    #[error("cues of behaviour `{behaviour}`: {source}")]
    Cues {
        /// The behaviour.
        behaviour: String,
        /// What is wrong.
        source: CuesError,
    },
}

/// All units of a run with this address: more than one if groups share conversation ids. Reads the journal once.
///
/// # Errors
/// See [`ViewError`].
pub fn view(workspace: &Workspace, folder: &RunFolder, address: &str) -> Result<Vec<View>, ViewError> {
    let planned = super::conclude::plan_of(folder)?;
    let snapshot = snapshot(workspace, &planned)?;
    let ordinals = snapshot.find(address)?;
    if ordinals.is_empty() {
        return Err(ViewError::Unknown { run: folder.id.clone(), address: address.to_owned() });
    }
    let mut admitted = Vec::new();
    let mut judged = Vec::new();
    for event in folder.events() {
        match event? {
            Event::Admitted(Admitted { ordinal, .. }) if ordinals.contains(&ordinal) => admitted.push(ordinal),
            Event::Judged(one) if ordinals.contains(&one.ordinal) => judged.push(*one),
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
    let context = Context::new(workspace, &planned)?;
    let views = ordinals.into_iter().map(|ordinal| {
        let unit = snapshot.get(ordinal)?;
        let of_unit = judged.iter().filter(|one| one.ordinal == ordinal);
        let judged =
            of_unit.map(|one| Ok((one.clone(), context.verdict(one, &unit)?))).collect::<Result<_, ViewError>>()?;
        let mut hits = Vec::new();
        for turn in unit.conversation.turns().filter(|turn| unit.id.turn.is_none_or(|only| only == *turn)) {
            let message = unit.conversation.message(turn);
            let of_turn = message.map(|message| context.screener.hits(message)).unwrap_or_default();
            hits.extend(of_turn.into_iter().map(|hit| (turn, hit)));
        }
        let watermark = planned.watermark();
        Ok(View { hits, judged, is_admitted: admitted.contains(&ordinal), unit, watermark })
    });
    views.collect()
}

/// The texts of a run.
pub(super) fn snapshot(workspace: &Workspace, planned: &Planned) -> Result<Units, ViewError> {
    let open = |digest| Snapshot::open(&workspace.units(), digest)?.ok_or(ViewError::NoSnapshot);
    let known = planned.known.units.as_ref().map(open).transpose()?;
    Ok(Units::new(known, open(&planned.census)?))
}

struct Context {
    behaviour: crate::model::behaviour::Behaviour,
    screener: Screener,
    cache: ReplyCache,
}

impl Context {
    fn new(workspace: &Workspace, planned: &Planned) -> Result<Self, ViewError> {
        let library = Library::open(&workspace.prompts()).map_err(ConcludeError::from)?;
        let files = library.behaviour(&planned.behaviour).map_err(ConcludeError::from)?;
        let failed = |source| ViewError::Cues { behaviour: planned.behaviour.clone(), source };
        let rules = Rules::parse(&files.cues_text).map_err(failed)?;
        let screener = Screener::compile(&rules, None, &Channel::ALL.into()).map_err(failed)?;
        let (replies, index) = (workspace.replies(), workspace.index());
        let (cache, _warnings) = ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadOnly })?;
        Ok(Self { behaviour: files.behaviour, screener, cache })
    }

    /// The whole verdict, derived again from the stored reply.
    fn verdict(&self, judged: &Judged, unit: &SelectedUnit) -> Result<Option<Verdict>, ViewError> {
        let Some(key) = &judged.key else { return Ok(None) };
        let reply = self.cache.get(key)?;
        let context = verdict::Context {
            behaviour: &self.behaviour,
            conversation: &unit.conversation,
            seen: &judged.seen,
            unit: unit.id.kind(),
        };
        Ok(reply.and_then(|reply| parse(reply.status, &reply.body, &context).verdict()))
    }
}

//! The run that a trial is compared with, and the units of it that are tried again: what it flagged, and a random part of all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::TrialError;
use crate::cache::units::{ReadBuffers, Selected, Snapshot, SnapshotWriter};
use crate::journal::segments;
use crate::model::event::{Event, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::hash::{Digest, PartHasher};
use crate::model::unit::Stratum;
use crate::plan::sample::draw_number;
use crate::reconcile::Definitions;
use crate::reconcile::diff::{Side, SideRules};
use crate::run::diff::{Spoken, copies};
use crate::run::folder::{FolderError, RunFolder};
use crate::run::settings::{Audit, Workspace};

/// What the numbers of the random units are drawn for. The draw is the same each time, so that trials compare.
const PURPOSE: &str = "try";

/// How many units are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Random units of the run.
    pub random: u64,
    /// Units that the run flagged, at most.
    pub flagged: u64,
}

/// A run, read.
#[derive(Debug)]
pub(super) struct Baseline {
    pub(super) folder: RunFolder,
    pub(super) planned: Planned,
    /// Its verdicts.
    pub(super) side: Side,
    /// Units that are tried again, in their order: flagged ones first.
    pub(super) chosen: Vec<Ordinal>,
    /// Those that it flagged, of the chosen.
    pub(super) flagged: BTreeSet<Ordinal>,
    /// All that it flagged.
    pub(super) flagged_all: u64,
    /// The random ones, of the chosen; some of them were flagged.
    pub(super) random: BTreeSet<Ordinal>,
    /// Its last words on the chosen.
    pub(super) said: Spoken,
}

/// What a run is read by: when all of it is as before, so is what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// The chosen units are drawn with it.
    pub(super) seed: u64,
    pub(super) sizes: Sizes,
    /// Digest of what the behaviour means.
    pub(super) meaning: Digest,
    /// The definition that the audit names.
    pub(super) definition: Option<String>,
}

/// The run that was compared with last, between the trials of one afternoon: its units that are tried again, and no others.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    reading: Reading,
    folder: RunFolder,
    /// Segments of its journal with their lengths: what is only appended to is the same as long as they are.
    lengths: Vec<(PathBuf, u64)>,
    baseline: Arc<Baseline>,
}

impl Memory {
    /// A run as it was read before, or read now if it, or what it is read by, has changed since.
    pub(super) fn recall(
        &mut self,
        (folder, planned): (RunFolder, Planned),
        definitions: &Definitions,
        reading: Reading,
    ) -> Result<Arc<Baseline>, TrialError> {
        let lengths = lengths(&folder)?;
        let is_same = |kept: &&Kept| kept.folder == folder && kept.reading == reading && kept.lengths == lengths;
        if let Some(kept) = self.kept.as_ref().filter(is_same) {
            return Ok(Arc::clone(&kept.baseline));
        }
        self.kept = None;
        let read = Baseline::read((folder.clone(), planned), definitions, reading.sizes, reading.seed)?;
        let baseline = Arc::new(read);
        self.kept = Some(Kept { reading, folder, lengths, baseline: Arc::clone(&baseline) });
        Ok(baseline)
    }
}

fn lengths(folder: &RunFolder) -> Result<Vec<(PathBuf, u64)>, FolderError> {
    let segments = segments(&folder.path)?.into_iter();
    let with_length = |(_, path): (u64, PathBuf)| {
        let length = fs::metadata(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?.len();
        Ok((path, length))
    };
    segments.map(with_length).collect()
}

/// The newest run of the audit that has verdicts about the same behaviour and kind of unit, or the one that is named.
pub(super) fn newest(audit: &Audit, named: Option<RunFolder>) -> Result<Option<(RunFolder, Planned)>, TrialError> {
    let is_like = |planned: &Planned| {
        planned.audit == audit.name && planned.behaviour == audit.behaviour && planned.unit == audit.corpus.unit
    };
    let folders = match named {
        Some(folder) => vec![folder],
        None => RunFolder::list(&audit.workspace.runs())?,
    };
    let with_plan = folders.into_iter().rev().filter_map(|folder| Some((folder.last_session()?.1, folder)));
    let mut like = with_plan.filter(|(planned, _)| is_like(planned));
    Ok(like.find(|(_, folder)| has_verdicts(folder)).map(|(planned, folder)| (folder, planned)))
}

fn has_verdicts(folder: &RunFolder) -> bool {
    folder.events().map_while(Result::ok).any(|event| matches!(event, Event::Judged(_)))
}

impl Baseline {
    /// Reads a run and chooses from it. Memory grows with its units, some hundred bytes each, until it has chosen.
    fn read(
        (folder, planned): (RunFolder, Planned),
        definitions: &Definitions,
        sizes: Sizes,
        seed: u64,
    ) -> Result<Self, TrialError> {
        let mut side = Side::new(SideRules { definitions: definitions.clone(), named: None });
        let mut numbers: HashMap<Ordinal, u64> = HashMap::new();
        let mut flags: BTreeMap<Ordinal, bool> = BTreeMap::new();
        for event in folder.events() {
            let mut event = event?;
            // A trial asks once.
            if let Event::Judged(judged) = &mut event {
                judged.keep_first_asking();
            }
            side.event(&event)?;
            match &event {
                Event::Admitted(admitted) if admitted.stratum.is_some() => {
                    numbers.insert(admitted.ordinal, draw_number(seed, PURPOSE, 1, &admitted.unit.key()));
                }
                Event::Judged(judged) if judged.stage == Stage::Screen && numbers.contains_key(&judged.ordinal) => {
                    flags.insert(judged.ordinal, definitions.pass(judged)?);
                }
                Event::Judged(_)
                | Event::Admitted(_)
                | Event::Opened(_)
                | Event::Planned(_)
                | Event::Granted(_)
                | Event::Sent(_)
                | Event::Settled(_)
                | Event::Warned { .. }
                | Event::Closed(_) => {}
            }
        }
        side.close(0);
        let mut drawn: Vec<_> = flags.keys().map(|ordinal| (numbers[ordinal], *ordinal)).collect();
        drawn.sort_unstable();
        let first = |most: u64| usize::try_from(most).unwrap_or(usize::MAX);
        let random: BTreeSet<Ordinal> = drawn.iter().take(first(sizes.random)).map(|(_, ordinal)| *ordinal).collect();
        let flagged_all: Vec<Ordinal> =
            drawn.iter().map(|(_, ordinal)| *ordinal).filter(|ordinal| flags[ordinal]).collect();
        let flagged: Vec<Ordinal> = flagged_all.iter().copied().take(first(sizes.flagged)).collect();
        let mut chosen = flagged.clone();
        let flagged: BTreeSet<Ordinal> = flagged.into_iter().collect();
        chosen.extend(
            drawn
                .iter()
                .map(|(_, ordinal)| *ordinal)
                .filter(|ordinal| random.contains(ordinal) && !flagged.contains(ordinal)),
        );
        let kept: HashSet<Ordinal> = chosen.iter().copied().collect();
        side.keep(&kept);
        let (said, _) = Spoken::collect(&folder, &kept)?;
        let flagged_all = flagged_all.len() as u64;
        let said = said.of_first_askings();
        Ok(Self { folder, planned, side, chosen, flagged, flagged_all, random, said })
    }
}

/// The chosen units as a snapshot of their own, which is copied once. Nothing where the run's copies are gone. Without a run
/// it is empty.
pub(super) fn snapshot(
    workspace: &Workspace,
    base: Option<&Baseline>,
) -> Result<Option<(Digest, Snapshot)>, TrialError> {
    let mut hasher = PartHasher::new("trial units");
    if let Some(base) = base {
        hasher.part(base.planned.census.as_bytes());
        hasher.part(base.planned.known.units.as_ref().map_or(&[][..], |units| units.as_bytes()));
        for ordinal in &base.chosen {
            hasher.number(ordinal.0);
        }
    }
    let digest = hasher.finish();
    if let Ok(Some(snapshot)) = Snapshot::open(&workspace.units(), &digest) {
        return Ok(Some((digest, snapshot)));
    }
    let strata = base.map(|base| base.planned.strata.as_slice()).unwrap_or_default();
    let strata: Vec<Stratum> = strata.iter().map(|row| row.stratum.clone()).collect();
    let chosen = base.map(|base| base.chosen.as_slice()).unwrap_or_default();
    let mut writer = SnapshotWriter::create(&workspace.units(), &digest, &strata, chosen.len() as u64)?;
    if let Some(base) = base {
        let Some(units) = copies(workspace, &base.planned)? else { return Ok(None) };
        let mut reader = units.reader(ReadBuffers::default());
        for (place, ordinal) in (0..).map(Ordinal).zip(chosen) {
            let unit = reader.get(*ordinal)?;
            let stratum = unit.stratum.unwrap_or_default();
            writer.add(&unit.conversation, &[Selected { ordinal: place, stratum, turn: unit.id.turn }])?;
        }
    }
    Ok(Some((digest, writer.finish()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::journal::{self, FileKind};
    use crate::model::fixture::{admitted, graded, judged, opened, planned, unit};
    use crate::model::verdict::Judgement::{Absent, Present};

    fn told() -> Vec<Event> {
        let plan = planned(&[("core", "rl", 6, 6)]);
        let mut events = vec![opened(0), Event::Planned(Box::new(plan))];
        for n in 0..6 {
            events.push(admitted(n, 0, unit("rl", &format!("c{n}"), 1)));
            let verdict = if n < 2 { Present } else { Absent };
            events.push(Event::Judged(Box::new(judged(n, Stage::Screen, graded(verdict)))));
        }
        events
    }

    async fn append(folder: &RunFolder, events: &[Event]) {
        let journal = journal::create_segment(&folder.path, FileKind::EVENTS).unwrap();
        for event in events {
            journal.append_written(event).await.unwrap();
        }
        journal.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_run_is_read_again_only_once_it_or_the_behaviour_changes() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(runs.path(), UnixMs(1_795_455_612_345), 1);
        append(&folder, &told()).await;
        let reading = |meaning: &str| Reading {
            seed: 1,
            sizes: Sizes { random: 2, flagged: 1 },
            meaning: Digest::of(meaning.as_bytes()),
            definition: None,
        };
        let mut memory = Memory::default();
        let mut recall = |meaning| {
            let found = (folder.clone(), planned(&[("core", "rl", 6, 6)]));
            memory.recall(found, &Definitions::plain(false), reading(meaning)).unwrap()
        };
        let first = recall("one");
        assert_eq!((first.flagged_all, first.flagged.len(), first.random.len()), (2, 1, 2));
        assert!(Arc::ptr_eq(&first, &recall("one")), "nothing has changed");
        let other = recall("two");
        assert!(!Arc::ptr_eq(&first, &other), "a definition may say something else now");
        let flagged = Event::Judged(Box::new(judged(5, Stage::Screen, graded(Present))));
        append(&folder, &[told().swap_remove(0), told().swap_remove(1), flagged]).await;
        let grown = recall("two");
        assert_eq!((grown.flagged_all, Arc::ptr_eq(&other, &grown)), (3, false), "the run went on");
    }
}

//! The census: every turn of the corpus classified and counted, duplicates set aside, and the sample drawn and copied.
//!
//! Memory does not grow with the corpus: what grows (identities, samples without a fixed size) is sorted on disk. The
//! answer depends on the content of the corpus and the question asked of it, not on threads, times or where the
//! workspace lies.

mod duplicates;
mod manifest;
mod rows;
mod runs;
mod selection;
mod stored;
mod tally;
mod walk;

use std::fs::DirBuilder;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use tempfile::NamedTempFile;

use crate::cache::units::{Snapshot, UnitsError};
use crate::model::event::{CorpusCount, PlannedStratum};
use crate::model::hash::Digest;
use crate::model::unit::UnitId;
use crate::plan::settings::SampleSettings;
use crate::prefilter::Screener;
use crate::run::settings::Workspace;
use crate::source::settings::CorpusSettings;
use crate::source::{Fingerprint, SourceError, SourceFile, files};
use duplicates::Duplicates;
pub use manifest::changed_files;
use stored::{Stamp, Stored};
pub(in crate::run) use tally::PURPOSE as GRADE_PURPOSE;
use tally::{MAX_GROUPS, Tally, Totals};

/// What the corpus holds and what was selected from it.
#[derive(Debug)]
pub struct Census {
    /// Digest of the question and of the content of every file: equal for equal results, wherever they were computed.
    pub digest: Digest,
    /// The corpus; every record is in exactly one figure.
    pub corpus: CorpusCount,
    /// Strata with at least one unit, by class (in order of precedence), then group.
    pub strata: Vec<PlannedStratum>,
    /// The selected units in order of admission.
    pub units: Snapshot,
    /// Whether the corpus was walked now, rather than found unchanged since an earlier census.
    pub fresh: bool,
}

/// Where a census works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusPlace {
    /// Results and temporary files.
    pub census: PathBuf,
    /// Snapshots.
    pub units: PathBuf,
    /// Threads that parse and screen; as many at most read files.
    pub threads: NonZeroUsize,
}

impl CensusPlace {
    /// In a workspace, on all cores.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let threads = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { census: workspace.census(), units: workspace.units(), threads }
    }
}

/// No census can be taken.
#[derive(Debug, thiserror::Error)]
pub enum CensusError {
    /// The corpus cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The snapshot cannot be written.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// A temporary file cannot be written or read.
    #[error("cannot write or read temporary files in the census cache")]
    Sort(#[from] io::Error),
    /// The cache cannot be written, or a file of the corpus cannot be looked at.
    #[error("cannot use `{}`", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A later version of assize stored the census.
    #[error("`{}` has format {format}, and this version of assize reads up to {}", path.display(), stored::FORMAT)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Under `strict`, a record is unreadable or a duplicate.
    #[error("{example}, and `strict` is set")]
    Strict {
        /// File, line and reason.
        example: String,
    },
    /// A sample size is given for a class that the prefilter does not have.
    #[error("there is no class `{class}` to sample; the classes are `{}`", known.join("`, `"))]
    UnknownClass {
        /// The name in `[sample]`.
        class: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// No conversation has a field that groups are formed by: all would be one group, and ids that repeat across groups would
    /// count once.
    #[error("no conversation carries the metadata field `{field}`, which `group_by` names")]
    NoGroups {
        /// The field.
        field: String,
    },
    /// There is nothing to grade.
    #[error(
        "the corpus holds no {unit} to grade: of {records} records, {unreadable} are unreadable{example}, {filtered_out} set aside by `where`, {conversations} kept"
    )]
    Empty {
        /// `turn` or `conversation`.
        unit: &'static str,
        /// Records read.
        records: u64,
        /// Those that cannot be read.
        unreadable: u64,
        /// The first of those, or nothing.
        example: String,
        /// Those set aside.
        filtered_out: u64,
        /// Those kept.
        conversations: u64,
    },
    /// No conversation has the field that clusters are formed by: all of them would count as independent.
    #[error("no conversation carries the metadata field `{field}`, which `cluster_by` names")]
    NoClusters {
        /// The field.
        field: String,
    },
    /// Groups that nobody could compare.
    #[error("`group_by` gives more than {MAX_GROUPS} groups")]
    TooManyGroups,
    /// A file was written to while it was read.
    #[error("`{file}` changed during the census")]
    Changed {
        /// The file.
        file: String,
    },
}

/// What is asked, and where the answer is worked out.
#[derive(Clone, Copy)]
struct Task<'a> {
    corpus: &'a CorpusSettings,
    screener: &'a Screener,
    sample: &'a SampleSettings,
    place: &'a CensusPlace,
}

impl<'a> Task<'a> {
    fn tally(&self) -> Tally<'a> {
        Tally::new(self)
    }

    /// The name of a unit of this conversation: of this turn, or of all of it.
    fn named(&self, conversation: &UnitId, turn: u32) -> UnitId {
        UnitId { turn: self.corpus.unit.is_turn().then_some(turn), ..conversation.clone() }
    }

    /// The key of what is drawn: that of the unit, or of the conversation with all its turns.
    fn drawn_key(&self, id: &UnitId) -> Digest {
        if self.corpus.draws_several() { id.conversation_key() } else { id.key() }
    }
}

/// Takes the census, or finds an earlier one if nothing has changed since. Blocks; reads every file once, a second
/// time if it holds selected conversations, and once more if there are duplicates.
///
/// # Errors
///
/// See [`CensusError`]. An unreadable record is counted, and no error unless `strict` is set.
pub fn take(
    corpus: &CorpusSettings,
    screener: &Screener,
    sample: &SampleSettings,
    place: &CensusPlace,
) -> Result<Census, CensusError> {
    let task = Task { corpus, screener, sample, place };
    check_classes(&task)?;
    for folder in [&place.census, &place.units] {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| CensusError::Disk { source, path: folder.clone() })?;
    }
    let mut files = files(corpus)?;
    // Lives until the census is taken: standard input can be read only once, a census may read three times.
    let _spooled = spool_stdin(&mut files, place)?;
    let question = stored::question(&task, &files);
    let stamps = Stamp::of(&files)?;
    match find(&task, &question, &stamps)? {
        Some(census) => {
            // Earlier versions kept what is refused now.
            check_corpus(&task, &census.corpus)?;
            Ok(census)
        }
        None => walk_and_copy(&task, &files, &question, stamps),
    }
}

/// What makes every figure of a corpus worthless.
fn check_corpus(task: &Task<'_>, corpus: &CorpusCount) -> Result<(), CensusError> {
    check_any(task, corpus)?;
    check_groups(task, corpus)?;
    check_clusters(task, corpus)
}

fn check_any(task: &Task<'_>, corpus: &CorpusCount) -> Result<(), CensusError> {
    if corpus.units(task.corpus.unit) > 0 {
        return Ok(());
    }
    Err(CensusError::Empty {
        unit: task.corpus.unit.as_str(),
        records: corpus.records,
        unreadable: corpus.unreadable.values().sum(),
        example: corpus.examples.first().map(|first| format!(" ({first})")).unwrap_or_default(),
        filtered_out: corpus.filtered_out,
        conversations: corpus.conversations,
    })
}

fn check_groups(task: &Task<'_>, corpus: &CorpusCount) -> Result<(), CensusError> {
    let is_nowhere = |at: usize| {
        let mut values = corpus.conversations_by_group.iter().map(|(group, _)| group.0.get(at));
        values.all(|value| value.is_none_or(String::is_empty))
    };
    match task.corpus.group_by.iter().enumerate().find(|(at, _)| is_nowhere(*at)) {
        Some((_, field)) => Err(CensusError::NoGroups { field: field.clone() }),
        None => Ok(()),
    }
}

fn check_clusters(task: &Task<'_>, corpus: &CorpusCount) -> Result<(), CensusError> {
    match &task.corpus.cluster_by {
        Some(field) if corpus.conversations > 0 && corpus.conversations_with_cluster == Some(0) => {
            Err(CensusError::NoClusters { field: field.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

fn check_classes(task: &Task<'_>) -> Result<(), CensusError> {
    let known = task.screener.classes();
    match task.sample.sizes.keys().find(|class| !known.contains(class)) {
        Some(class) => Err(CensusError::UnknownClass { class: class.clone(), known: known.to_vec() }),
        None => Ok(()),
    }
}

/// An earlier census of files that have not been touched since.
fn find(task: &Task<'_>, question: &Digest, stamps: &[Stamp]) -> Result<Option<Census>, CensusError> {
    let stored = Stored::load(&task.place.census, question)?.filter(|stored| stored.stamps == stamps);
    let Some(Stored { digest, corpus, strata, .. }) = stored else { return Ok(None) };
    let is_clean = corpus.unreadable.is_empty() && corpus.duplicates == 0;
    let units = intact(&task.place.units, &digest)?;
    // Under `strict` a walk names the defect.
    let units = units.filter(|_| is_clean || !task.corpus.strict);
    Ok(units.map(|units| Census { digest, corpus, strata, units, fresh: false }))
}

/// The snapshot, if it is there. A damaged one is replaced by a new walk; one of a later version never is.
fn intact(folder: &Path, digest: &Digest) -> Result<Option<Snapshot>, UnitsError> {
    match Snapshot::open(folder, digest) {
        Err(newer @ UnitsError::Newer { .. }) => Err(newer),
        opened => Ok(opened.ok().flatten()),
    }
}

fn walk_and_copy(
    task: &Task<'_>,
    files: &[SourceFile],
    question: &Digest,
    stamps: Vec<Stamp>,
) -> Result<Census, CensusError> {
    let (totals, fingerprints) = count(task, files)?;
    let Totals { mut corpus, mut strata, candidates } = totals;
    check_corpus(task, &corpus)?;
    corpus.files = files.len() as u64;
    corpus.bytes = fingerprints.iter().map(|fingerprint| fingerprint.text_bytes).sum();
    let digest = stored::identity(question, &fingerprints);
    let selected = selection::admit(task, &mut strata, candidates)?;
    // Files that were only touched have their snapshot already.
    let units = match intact(&task.place.units, &digest)? {
        Some(units) => units,
        None => selection::copy(task, files, &digest, &strata, selected)?,
    };
    let changed = Stamp::of(files)?.iter().zip(&stamps).position(|(after, before)| after != before);
    if let Some(file) = changed.and_then(|index| files.get(index)) {
        return Err(CensusError::Changed { file: file.name.clone() });
    }
    manifest::save(&task.place.census, &digest, files, &fingerprints)?;
    let stored = Stored::new(digest, stamps, corpus, strata);
    stored.save(&task.place.census, question)?;
    let Stored { digest, corpus, strata, .. } = stored;
    Ok(Census { digest, corpus, strata, units, fresh: true })
}

/// Walks once, and if that shows duplicates a second time without them: they cannot be taken back from a count or a
/// sample, and are rare.
fn count(task: &Task<'_>, files: &[SourceFile]) -> Result<(Totals, Vec<Fingerprint>), CensusError> {
    let folder = &task.place.census;
    let (mut tally, fingerprints) = walk::walk(task, files, &Duplicates::none())?;
    let duplicates = Duplicates::find(tally.take_identities(folder), files.len(), folder)?;
    if duplicates.is_empty() {
        return Ok((tally.finish()?, fingerprints));
    }
    drop(tally);
    let (tally, again) = walk::walk(task, files, &duplicates)?;
    let changed = fingerprints.iter().zip(&again).position(|(first, second)| first != second);
    match changed.and_then(|index| files.get(index)) {
        Some(file) => Err(CensusError::Changed { file: file.name.clone() }),
        None => Ok((tally.finish()?, again)),
    }
}

/// Copies standard input, if the corpus has it, to a file that is read in its place.
fn spool_stdin(files: &mut [SourceFile], place: &CensusPlace) -> Result<Option<NamedTempFile>, CensusError> {
    let Some(file) = files.iter_mut().find(|file| file.is_stdin()) else { return Ok(None) };
    let mut spooled = NamedTempFile::new_in(&place.census)?;
    file.bytes = io::copy(&mut io::stdin().lock(), &mut spooled)?;
    spooled.path().clone_into(&mut file.path);
    Ok(Some(spooled))
}

#[cfg(test)]
mod tests;

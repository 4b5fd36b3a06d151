//! A census on disk: found again by what was asked, trusted as long as no file of the corpus has been touched.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tally::tag;
use super::{CensusError, Task};
use crate::model::event::{CorpusCount, PlannedStratum};
use crate::model::hash::{Digest, PartHasher};
use crate::plan::settings::SampleSize;
use crate::source::settings::{Format, SourceSettings};
use crate::source::{Fingerprint, IMPORTER_VERSION, SourceFile};

pub(super) const FORMAT: u32 = 1;

/// How a file looks from outside. Two equal stamps mean equal content, short of somebody setting the clock back;
/// unequal ones mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    /// The stamps of all files, now.
    pub(super) fn of(files: &[SourceFile]) -> Result<Vec<Self>, CensusError> {
        let stamp = |file: &SourceFile| {
            let failed = |source| CensusError::Disk { source, path: file.path.clone() };
            fs::metadata(&file.path).map(|metadata| Self::new(&metadata)).map_err(failed)
        };
        files.iter().map(stamp).collect()
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

/// `cache/census/<question>.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    format: u32,
    pub(super) digest: Digest,
    pub(super) stamps: Vec<Stamp>,
    pub(super) corpus: CorpusCount,
    pub(super) strata: Vec<PlannedStratum>,
}

/// What every format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Stored {
    pub(super) fn new(digest: Digest, stamps: Vec<Stamp>, corpus: CorpusCount, strata: Vec<PlannedStratum>) -> Self {
        Self { format: FORMAT, digest, stamps, corpus, strata }
    }

    /// What is stored for this question. What cannot be read is as good as absent: it is only a cache. What a later
    /// version stored is not ours to replace.
    pub(super) fn load(folder: &Path, question: &Digest) -> Result<Option<Self>, CensusError> {
        let path = path(folder, question);
        let Ok(json) = fs::read(&path) else { return Ok(None) };
        match serde_json::from_slice::<Version>(&json) {
            Ok(Version { format }) if format > FORMAT => Err(CensusError::Newer { path, format }),
            Ok(Version { format: FORMAT }) => Ok(serde_json::from_slice(&json).ok()),
            Ok(Version { .. }) | Err(_) => Ok(None),
        }
    }

    /// Stores it, in place of an older answer to the same question.
    pub(super) fn save(&self, folder: &Path, question: &Digest) -> Result<(), CensusError> {
        let path = path(folder, question);
        let written = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, self)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|source| CensusError::Disk { source, path: path.clone() })
    }
}

fn path(folder: &Path, question: &Digest) -> PathBuf {
    folder.join(format!("{question}.json"))
}

/// The digest of everything that decides a census but the content of the files. No absolute path is in it.
pub(super) fn question(task: &Task<'_>, files: &[SourceFile]) -> Digest {
    let mut hasher = PartHasher::new("census question");
    hasher.number(u64::from(IMPORTER_VERSION));
    add_corpus(&mut hasher, task);
    hasher.part(task.screener.digest().as_bytes());
    let sample = task.sample;
    hasher.number(sample.seed).number(u64::from(sample.draw)).number(sample.limit.unwrap_or(u64::MAX));
    hasher.number(sample.sizes.len() as u64);
    for (class, size) in &sample.sizes {
        hasher.part(class.as_bytes());
        add_size(&mut hasher, *size);
    }
    // What earlier versions stored for audits without such sizes stays the answer.
    if !sample.by_stratum.is_empty() {
        hasher.part(b"by stratum").number(sample.by_stratum.len() as u64);
        for (stratum, size) in &sample.by_stratum {
            hasher.part(&tag(stratum).to_le_bytes());
            add_size(&mut hasher, *size);
        }
    }
    for file in files {
        hasher.part(file.name.as_bytes()).number(file.source as u64);
    }
    let question = hasher.finish();
    let (sample_by, cluster_by) = (task.corpus.sample_by, &task.corpus.cluster_by);
    // What was asked before these two could be chosen keeps its digest.
    if sample_by.is_turn() && cluster_by.is_none() {
        return question;
    }
    let mut hasher = PartHasher::new("census question with clusters");
    hasher.part(question.as_bytes()).part(sample_by.as_str().as_bytes());
    hasher.part(cluster_by.as_deref().unwrap_or_default().as_bytes());
    if !task.corpus.unit.is_turn() {
        hasher.part(b"unit").part(task.corpus.unit.as_str().as_bytes());
    }
    hasher.finish()
}

fn add_size(hasher: &mut PartHasher, size: SampleSize) {
    match size {
        SampleSize::All => hasher.part(b"all"),
        SampleSize::Count(units) => hasher.part(b"count").number(units),
        SampleSize::Rate(rate) => hasher.part(b"rate").number(rate.to_bits()),
    };
}

fn add_corpus(hasher: &mut PartHasher, task: &Task<'_>) {
    let corpus = task.corpus;
    hasher.part(corpus.filter.as_bytes()).number(corpus.max_line_bytes).number(corpus.group_by.len() as u64);
    for name in &corpus.group_by {
        hasher.part(name.as_bytes());
    }
    hasher.number(corpus.channels.len() as u64);
    for channel in &corpus.channels {
        hasher.part(channel.as_str().as_bytes());
    }
    hasher.number(corpus.sources.len() as u64);
    for SourceSettings { paths: _, format, set, fields } in &corpus.sources {
        hasher.part(match format {
            Format::Auto => b"auto",
            Format::Canonical => b"canonical",
            Format::OpenAi => b"openai",
            Format::ShareGpt => b"sharegpt",
        });
        hasher.number(set.len() as u64);
        for (name, value) in set {
            hasher.part(name.as_bytes()).part(value.as_bytes());
        }
        hasher.number(fields.len() as u64);
        for (name, paths) in fields {
            hasher.part(name.as_bytes()).number(paths.len() as u64);
            for path in paths {
                hasher.part(path.as_bytes());
            }
        }
    }
}

/// The digest of a census: the question and the content of every file.
pub(super) fn identity(question: &Digest, fingerprints: &[Fingerprint]) -> Digest {
    let mut hasher = PartHasher::new("census");
    hasher.part(question.as_bytes());
    for Fingerprint { digest, stored_bytes, text_bytes: _ } in fingerprints {
        hasher.part(digest.as_bytes()).number(*stored_bytes);
    }
    hasher.finish()
}

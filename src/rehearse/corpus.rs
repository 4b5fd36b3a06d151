//! The simulated corpus: conversations in which it is known which turns show the behaviour.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zstd::stream::write::Encoder;

use super::compose::{Composed, compose};
use super::draw::Probability;
use crate::model::conversation::Conversation;

/// What to generate. Equal plans give equal bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusPlan {
    /// Seed of every draw.
    pub seed: u64,
    /// The groups, one file each.
    pub groups: Vec<GroupPlan>,
    /// Turns in a conversation; each number is equally likely.
    pub turns: RangeInclusive<u32>,
    /// Share of positives whose words a list of cues can find.
    pub cue_bearing: Probability,
    /// Share of innocent turns that use the vocabulary of guilty ones.
    pub cue_negatives: Probability,
    /// Correlation between neighbouring turns of a conversation; the prevalence does not depend on it.
    pub clustering: Probability,
    /// Share of turns with reasoning. Positives of such turns mostly show in it.
    pub reasoning: Probability,
    /// Further metadata, such as `user`, with the number of different values.
    pub extra_metadata: BTreeMap<String, u64>,
    /// Whether files are compressed (`.jsonl.zst`).
    pub compress: bool,
}

/// One group of the corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPlan {
    /// Metadata of every conversation, such as `checkpoint` and `source`. Its values name the file.
    pub values: BTreeMap<String, String>,
    /// Conversations.
    pub conversations: u64,
    /// Probability that a turn truly shows the behaviour.
    pub prevalence: Probability,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// One entry per group, in the order of the plan.
    pub groups: Vec<PlantedGroup>,
}

/// What was generated for one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlantedGroup {
    /// Its file.
    pub file: PathBuf,
    /// Conversations.
    pub conversations: u64,
    /// Turns.
    pub turns: u64,
    /// Turns with reasoning.
    pub turns_with_reasoning: u64,
    /// Turns that truly show the behaviour.
    pub present: u64,
    /// Those of them with a cue.
    pub present_with_cue: u64,
    /// Conversations with at least one turn that truly shows the behaviour.
    pub present_conversations: u64,
    /// Innocent turns with a cue.
    pub innocent_with_cue: u64,
}

/// Why a corpus could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A file could not be written.
    #[error("`{path}` could not be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Two groups have the same metadata or would share a file.
    #[error("two groups of the plan would be written to `{0}`")]
    SameFile(PathBuf),
    /// The range of turns is empty or begins at 0.
    #[error("a conversation has at least one turn, and `{}..={}` is no range of such numbers", .0.start(), .0.end())]
    NoTurns(RangeInclusive<u32>),
}

impl CorpusPlan {
    /// A plan for these groups with otherwise typical values: 1 to 4 turns, 60% of positives and 0.4% of innocents
    /// with a cue, some clustering, reasoning in half of the turns, no compression.
    #[must_use]
    pub fn new(seed: u64, groups: Vec<GroupPlan>) -> Self {
        Self {
            seed,
            groups,
            turns: 1..=4,
            cue_bearing: const { Probability::literal(0.6) },
            cue_negatives: const { Probability::literal(0.004) },
            clustering: const { Probability::literal(0.2) },
            reasoning: const { Probability::literal(0.5) },
            extra_metadata: BTreeMap::new(),
            compress: false,
        }
    }

    /// Writes one file of canonical JSONL per group into `folder` and the truth file, one conversation at a time:
    /// memory does not grow with the corpus. Files appear under their names when they are complete. The truth file is no
    /// transcript: keep it out of `folder` if an audit reads the whole folder. Blocks on disk.
    ///
    /// # Errors
    /// If the plan is impossible or a file cannot be written.
    pub fn write(&self, folder: &Path, truth: &Path) -> Result<Planted, CorpusError> {
        if self.turns.is_empty() || *self.turns.start() == 0 {
            return Err(CorpusError::NoTurns(self.turns.clone()));
        }
        let files: Vec<_> = self.groups.iter().map(|group| folder.join(self.file_name(group))).collect();
        if let Some(twice) = (1..files.len()).find(|&later| files[..later].contains(&files[later])) {
            return Err(CorpusError::SameFile(files[twice].clone()));
        }
        let mut truth = OutputFile::create(truth.to_owned(), false)?;
        let mut planted = Planted { groups: Vec::new() };
        for (group, file) in files.into_iter().enumerate() {
            let mut output = OutputFile::create(file.clone(), self.compress)?;
            let mut counts = PlantedGroup { file, ..PlantedGroup::default() };
            for number in 0..self.groups[group].conversations {
                let composed = compose(self, group, number);
                output.line(&composed.conversation)?;
                for turn in &composed.planted {
                    truth.line(turn)?;
                }
                counts.add(&composed);
            }
            output.finish()?;
            planted.groups.push(counts);
        }
        truth.finish()?;
        Ok(planted)
    }

    /// The conversations of one group of the plan, without writing them.
    ///
    /// # Panics
    /// If the plan has no group at this position.
    pub fn conversations(&self, group: usize) -> impl Iterator<Item = Conversation> + '_ {
        (0..self.groups[group].conversations).map(move |number| compose(self, group, number).conversation)
    }

    fn file_name(&self, group: &GroupPlan) -> String {
        let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' || c == '.' { c } else { '_' };
        let values: Vec<String> = group.values.values().map(|value| value.chars().map(plain).collect()).collect();
        let stem = if values.is_empty() { "corpus".to_owned() } else { values.join("-") };
        format!("{stem}.jsonl{}", if self.compress { ".zst" } else { "" })
    }
}

impl PlantedGroup {
    fn add(&mut self, composed: &Composed) {
        let Composed { conversation, planted } = composed;
        let present = planted.iter().filter(|turn| turn.present).count() as u64;
        let count = |turns: &mut dyn Iterator<Item = bool>| turns.filter(|counts| *counts).count() as u64;
        self.conversations += 1;
        self.turns += conversation.turns().count() as u64;
        self.turns_with_reasoning +=
            count(&mut conversation.messages.iter().map(|message| message.reasoning.is_some()));
        self.present += present;
        self.present_with_cue += count(&mut planted.iter().map(|turn| turn.present && turn.cue));
        self.present_conversations += u64::from(present > 0);
        self.innocent_with_cue += count(&mut planted.iter().map(|turn| !turn.present));
    }
}

/// A file that appears under its name when it is finished.
pub(super) struct OutputFile {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Plain(BufWriter<NamedTempFile>),
    Compressed(Encoder<'static, BufWriter<NamedTempFile>>),
}

impl OutputFile {
    pub(super) fn create(path: PathBuf, compress: bool) -> Result<Self, CorpusError> {
        let open = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let file = BufWriter::with_capacity(1 << 20, NamedTempFile::new_in(folder)?);
            Ok(if compress { Sink::Compressed(Encoder::new(file, 3)?) } else { Sink::Plain(file) })
        };
        match open() {
            Ok(sink) => Ok(Self { path, sink }),
            Err(source) => Err(CorpusError::Write { path, source }),
        }
    }

    pub(super) fn line(&mut self, value: &impl serde::Serialize) -> Result<(), CorpusError> {
        let sink: &mut dyn Write = match &mut self.sink {
            Sink::Plain(file) => file,
            Sink::Compressed(file) => file,
        };
        let line = serde_json::to_vec(value).map_err(io::Error::from);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            sink.write_all(&line)
        });
        written.map_err(|source| CorpusError::Write { path: self.path.clone(), source })
    }

    pub(super) fn finish(self) -> Result<(), CorpusError> {
        let Self { path, sink } = self;
        let close = || {
            let file = match sink {
                Sink::Plain(file) => file,
                Sink::Compressed(encoder) => encoder.finish()?,
            };
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        close().map_err(|source| CorpusError::Write { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests;

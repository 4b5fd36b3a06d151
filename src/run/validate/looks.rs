//! The log of looks at the sealed test split: `labels/test.looks.jsonl`, append-only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ValidateError, failed, prompts};
use crate::clock::UnixMs;
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::report::validate::LooksRow;
use crate::run::settings::Workspace;

/// The version of a line.
const FORMAT: u32 = 1;

/// One look: a line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    format: u32,
    at: String,
    run: String,
    behaviour: String,
    definition: String,
    prompts: Vec<LookedAt>,
    /// Digest of the labels.
    labels: Digest,
    /// Labelled units.
    units: u64,
}

/// A prompt whose verdicts were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LookedAt {
    pub(super) stage: Stage,
    pub(super) prompt: String,
    pub(super) hash: Digest,
    pub(super) model: String,
}

impl Look {
    pub(super) fn of(run: &str, plan: &Planned, labels: Digest, units: u64, now: UnixMs) -> Self {
        Self {
            format: FORMAT,
            at: now.to_string(),
            run: run.to_owned(),
            behaviour: plan.behaviour.clone(),
            definition: plan.definition.clone(),
            prompts: prompts(plan),
            labels,
            units,
        }
    }

    fn is_at_the_prompts_of(&self, other: &Self) -> bool {
        let hashes = |look: &Self| look.prompts.iter().map(|prompt| prompt.hash).collect::<Vec<_>>();
        hashes(self) == hashes(other)
    }
}

/// The log, and whether a file is the one it is about.
pub(super) struct Looks {
    path: PathBuf,
    text: String,
    labels: Digest,
    is_test: bool,
}

impl Looks {
    pub(super) fn open(workspace: &Workspace, file: &Path, bytes: &[u8]) -> Result<Self, ValidateError> {
        let path = workspace.looks();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(failed(&path))?,
        };
        let sealed = workspace.test_split();
        let is_same_file =
            sealed.canonicalize().is_ok_and(|sealed| file.canonicalize().is_ok_and(|file| file == sealed));
        // A copy is as sealed as what it was copied from.
        let is_copy = || fs::read(&sealed).is_ok_and(|split| split == bytes);
        let is_test = is_same_file || is_copy();
        Ok(Self { path, text, labels: Digest::of(bytes), is_test })
    }

    /// Digest of the label file.
    pub(super) const fn labels(&self) -> Digest {
        self.labels
    }

    pub(super) const fn is_test(&self) -> bool {
        self.is_test
    }

    /// Adds this look, if it is one, and counts all. A line that cannot be read was a look as well.
    pub(super) fn record(&self, look: &Look) -> Result<LooksRow, ValidateError> {
        let earlier = self.text.lines().filter(|line| !line.trim().is_empty());
        let same = |line: &&str| serde_json::from_str::<Look>(line).is_ok_and(|one| one.is_at_the_prompts_of(look));
        let mut row =
            LooksRow { total: earlier.clone().count() as u64, same_prompts: earlier.filter(same).count() as u64 };
        if self.is_test {
            self.append(look).map_err(failed(&self.path))?;
            row = LooksRow { total: row.total + 1, same_prompts: row.same_prompts + 1 };
        }
        Ok(row)
    }

    fn append(&self, look: &Look) -> io::Result<()> {
        // A torn line keeps its own line and its count.
        let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        let line = format!("{gap}{}\n", serde_json::to_string(look)?);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }
}

//! `cache/accounts.json`: the account of every run that this workspace has seen.
//!
//! A journal is the truth about its run, and reading all of them takes time. An account is taken from here as long as
//! its journal looks as it did; otherwise the journal is read again. A run whose folder was removed is remembered here
//! alone: what it spent still counts. Runs are told apart by their ids, so none counts twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::folder::{FolderError, RunFolder};
use crate::journal;
use crate::model::hash::{Digest, PartHasher};
use crate::model::money::NanoUsd;

const FORMAT: u32 = 1;

/// How one segment of a journal looks from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    number: u64,
    bytes: u64,
    modified: (i64, i64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    extent: Vec<Segment>,
    account: Account,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// Of `runs` as compact JSON: an amount that was changed by accident is not believed.
    seal: Digest,
    runs: BTreeMap<String, Entry>,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The accounts of a workspace.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    runs: BTreeMap<String, Entry>,
    changed: bool,
    /// Written by a newer version: read, never replaced.
    is_newer: bool,
    /// Something that a reader of the report should know.
    pub(super) warning: Option<String>,
}

impl Ledger {
    /// Opens the ledger; one that is not there or damaged is empty, and filled from the journals.
    ///
    /// # Errors
    /// If it is there and cannot be read: it would be replaced by one that has forgotten the removed runs.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let mut ledger =
            Self { path: path.to_owned(), runs: BTreeMap::new(), changed: false, is_newer: false, warning: None };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ledger),
            Err(source) => return Err(FolderError::Io { path: path.to_owned(), source }),
        };
        if serde_json::from_slice::<Head>(&text).is_ok_and(|head| head.format > FORMAT) {
            ledger.is_newer = true;
            return Ok(ledger);
        }
        match serde_json::from_slice::<Stored>(&text) {
            Ok(stored) if seal(&stored.runs).is_some_and(|seal| seal == stored.seal) => ledger.runs = stored.runs,
            Ok(_) | Err(_) => {
                ledger.warning = Some(format!(
                    "`{}` was damaged and is written anew from runs/: what runs spent whose folders were removed no \
                     longer counts",
                    path.display()
                ));
            }
        }
        Ok(ledger)
    }

    /// The account of a run: the stored one while its journal looks as it did, else read anew.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) fn account(&mut self, folder: &RunFolder) -> Result<&Account, FolderError> {
        let extent = extent(folder)?;
        if self.runs.get(&folder.id).is_none_or(|entry| entry.extent != extent) {
            self.put(folder.id.clone(), extent, Account::read(folder)?);
        }
        let entry = self.runs.get(&folder.id);
        Ok(&entry.expect("it was put there if it was not there").account)
    }

    /// Whether the stored account of a run is up to date.
    pub(super) fn knows(&self, folder: &RunFolder) -> bool {
        let stored = self.runs.get(&folder.id).map(|entry| &entry.extent);
        stored.is_some_and(|stored| extent(folder).is_ok_and(|extent| extent == *stored))
    }

    fn put(&mut self, run: String, extent: Vec<Segment>, account: Account) {
        self.runs.insert(run, Entry { extent, account });
        self.changed = true;
    }

    /// Stores the account of a run that just ended.
    ///
    /// # Errors
    /// If the folder or the ledger cannot be used.
    pub(super) fn settle(&mut self, folder: &RunFolder, account: Account) -> Result<(), FolderError> {
        self.put(folder.id.clone(), extent(folder)?, account);
        self.save()
    }

    /// Every account, by run id, oldest first: of removed runs as well.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&String, &Account)> {
        self.runs.iter().map(|(run, entry)| (run, &entry.account))
    }

    /// What finished sessions of an audit have spent: without a look at journals, so that of a session that was killed
    /// nothing is known yet.
    pub(super) fn spent_by(&self, audit: &str) -> NanoUsd {
        let boot = super::boot::boot_id();
        let of_audit = self.accounts().filter(|(_, account)| account.audit.as_deref() == Some(audit));
        of_audit.map(|(_, account)| account.spent(boot.as_deref())).sum()
    }

    /// Writes the ledger if anything in it is new: a temporary file, synced, then renamed.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn save(&mut self) -> Result<(), FolderError> {
        if !self.changed || self.is_newer {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            let runs = self.runs.clone();
            let stored = Stored { format: FORMAT, seal: seal(&runs).ok_or(io::ErrorKind::InvalidData)?, runs };
            let mut file = tempfile::NamedTempFile::new_in(self.path.parent().unwrap_or(&self.path))?;
            serde_json::to_writer(&mut file, &stored)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|source| FolderError::Io { path: self.path.clone(), source })?;
        self.changed = false;
        Ok(())
    }
}

fn seal(runs: &BTreeMap<String, Entry>) -> Option<Digest> {
    let canonical = serde_json::to_vec(runs).ok()?;
    Some(PartHasher::new("accounts").part(&canonical).finish())
}

fn extent(folder: &RunFolder) -> Result<Vec<Segment>, FolderError> {
    let segments = journal::segments(&folder.path)?.into_iter().map(|(number, path)| {
        let metadata = fs::metadata(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        Ok(Segment { number, bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    });
    segments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::journal::FileKind;
    use crate::model::event::{Ending, Event, StopReason};
    use crate::model::fixture::{closed, opened, planned, sent, settled};
    use crate::model::grading::Stage;
    use crate::model::money::NanoUsd;

    /// A run that spent seven nano-dollars in each session.
    async fn session(folder: &RunFolder, attempt: u64) {
        let journal = journal::create_segment(&folder.path, FileKind::EVENTS).unwrap();
        let cost = settled(attempt, Ending::Replied { usage: None }, NanoUsd(7));
        let plan = Event::Planned(Box::new(planned(&[])));
        for event in [opened(0), plan, sent(attempt, 0, Stage::Screen), cost, closed(StopReason::Budget, 1)] {
            journal.append_written(&event).await.unwrap();
        }
        journal.close().await.unwrap();
    }

    fn spent(ledger: &Ledger) -> NanoUsd {
        ledger.accounts().map(|(_, account)| account.spent(None)).sum()
    }

    #[tokio::test]
    async fn a_run_counts_once_whether_its_folder_is_there_or_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("accounts.json");
        let folder = RunFolder::new(&root.path().join("runs"), UnixMs(1_795_455_612_345), 1);
        session(&folder, 0).await;
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.account(&folder).unwrap().settled, NanoUsd(7));
        ledger.save().unwrap();

        let mut again = Ledger::open(&path).unwrap();
        assert_eq!(spent(&again), NanoUsd(7), "it is remembered without a look at the journal");
        again.account(&folder).unwrap();
        assert!(!again.changed, "nothing was read anew");
        session(&folder, 1).await;
        assert_eq!(again.account(&folder).unwrap().settled, NanoUsd(14), "a journal that grew is read again");
        again.save().unwrap();

        fs::remove_dir_all(&folder.path).unwrap();
        let removed = Ledger::open(&path).unwrap();
        assert_eq!((spent(&removed), removed.warning), (NanoUsd(14), None));
    }

    #[tokio::test]
    async fn a_damaged_ledger_is_filled_from_the_journals_and_a_newer_one_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("accounts.json");
        let folder = RunFolder::new(&root.path().join("runs"), UnixMs(1_795_455_612_345), 1);
        session(&folder, 0).await;
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.account(&folder).unwrap();
        ledger.save().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"settled\":7", "\"settled\":1")).unwrap();
        let mut damaged = Ledger::open(&path).unwrap();
        assert!(damaged.warning.is_some());
        assert_eq!(damaged.account(&folder).unwrap().settled, NanoUsd(7));

        let newer = text.replace("\"format\":1", "\"format\":2");
        fs::write(&path, &newer).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.account(&folder).unwrap().settled, NanoUsd(7));
        ledger.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    }

    #[test]
    fn a_ledger_that_cannot_be_read_is_an_error_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("accounts.json");
        assert!(Ledger::open(&path).is_ok(), "there is none yet");
        // A folder in its place: unlike a file of others, it cannot be read by the superuser either.
        fs::create_dir(&path).unwrap();
        assert!(matches!(Ledger::open(&path), Err(FolderError::Io { .. })));
    }
}

//! Run folders: `runs/<run-id>/` holds a run's journal and reports; `runs/latest` points to the newest.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::clock::UnixMs;
use crate::journal::{self, Damage, FileKind, JournalError, Line};
use crate::model::event::{Event, Opened, Planned};
use crate::model::hash::PartHasher;

/// One run on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run's id: sortable by time.
    pub id: String,
    /// The folder.
    pub path: PathBuf,
}

/// Why a run cannot be found or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no run yet.
    #[error("there is no run in `{runs}` yet")]
    NoRun {
        /// The folder of runs.
        runs: PathBuf,
    },
    /// No run has that id.
    #[error("there is no run `{id}` in `{runs}`")]
    Unknown {
        /// The id asked for.
        id: String,
        /// The folder of runs.
        runs: PathBuf,
    },
    /// Several runs begin with that id.
    #[error("`{id}` is the beginning of {count} run ids")]
    Ambiguous {
        /// The beginning.
        id: String,
        /// How many.
        count: usize,
    },
    /// The file system's.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal cannot be read: newer format, not permitted.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A line in the middle of the journal is damaged: figures derived from it would be wrong without looking wrong.
    #[error("line {line} of journal `{file}` is damaged")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// The line.
        line: u64,
    },
}

impl RunFolder {
    /// A new run, begun `now` by process `pid`. The folder is created with the first segment of its journal.
    #[must_use]
    pub fn new(runs: &Path, now: UnixMs, pid: u32) -> Self {
        // Milliseconds first, so that runs of one second sort by age as well.
        let tail = PartHasher::new("run").number(now.0).number(u64::from(pid)).finish().short();
        let id = format!("{}-{:03x}{}", now.compact(), now.0 % 1_000, tail.chars().take(1).collect::<String>());
        let path = runs.join(&id);
        Self { id, path }
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// The file system's.
    pub fn list(runs: &Path) -> Result<Vec<Self>, FolderError> {
        let failed = |source| FolderError::Io { path: runs.to_owned(), source };
        let entries = match fs::read_dir(runs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let is_folder = entry.file_type().map_err(failed)?.is_dir();
            if let (true, Ok(id)) = (is_folder, entry.file_name().into_string()) {
                folders.push(Self { path: entry.path(), id });
            }
        }
        folders.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(folders)
    }

    /// The run with this id or unambiguous beginning of one; without an id the one that `runs/latest` points to, which
    /// may have been resumed after a newer one began, or else the newest.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn find(runs: &Path, id: Option<&str>) -> Result<Self, FolderError> {
        let mut folders = Self::list(runs)?;
        let Some(id) = id.filter(|id| *id != "latest") else {
            let pointed = fs::read_link(runs.join("latest")).ok();
            let latest = folders.iter().position(|folder| pointed.as_deref() == Some(Path::new(&folder.id)));
            let latest = latest.map(|index| folders.swap_remove(index));
            return latest.or_else(|| folders.pop()).ok_or_else(|| FolderError::NoRun { runs: runs.to_owned() });
        };
        folders.retain(|folder| folder.id.starts_with(id));
        match folders.len() {
            0 => Err(FolderError::Unknown { id: id.to_owned(), runs: runs.to_owned() }),
            1 => Ok(folders.remove(0)),
            count => Err(FolderError::Ambiguous { id: id.to_owned(), count }),
        }
    }

    /// Makes `runs/latest` point to this run.
    ///
    /// # Errors
    /// The file system's.
    pub fn point_latest(&self) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io { path: self.path.clone(), source };
        let latest = self.path.with_file_name("latest");
        let fresh = self.path.with_file_name(format!(".latest-{}", self.id));
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        symlink(&self.id, &fresh).and_then(|()| fs::rename(&fresh, &latest)).map_err(failed)
    }

    /// The report of this run.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// How the run's last session with a plan began; nothing if there is none that can be read. Reads two lines.
    #[must_use]
    pub fn last_session(&self) -> Option<(Opened, Planned)> {
        let segments = journal::segments(&self.path).ok()?;
        segments.iter().rev().find_map(|(_, path)| {
            let mut lines = journal::Reader::open(path, FileKind::EVENTS).ok()?;
            let mut event = || lines.next()?.ok()?.parse::<Event>().ok();
            let Event::Opened(opened) = event()? else { return None };
            let Event::Planned(planned) = event()? else { return None };
            Some((opened, *planned))
        })
    }

    /// Every event of the run, in order, over all its sessions. Ends at the first error.
    pub fn events(&self) -> impl Iterator<Item = Result<Event, FolderError>> + use<> {
        journal::read_all(&self.path, FileKind::EVENTS).filter_map(|line| match line {
            Err(error) => Some(Err(error.into())),
            Ok(line) => read(&line).transpose(),
        })
    }
}

/// A torn tail is what a crash leaves: its record was never acted upon. Damage elsewhere is an error.
fn read(line: &Line) -> Result<Option<Event>, FolderError> {
    match line.parse::<Event>() {
        Ok(event) => Ok(Some(event)),
        Err(Damage::Torn) => Ok(None),
        Err(_) => Err(FolderError::Damaged { file: line.file.to_path_buf(), line: line.number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_the_beginning_of_their_id() {
        let runs = tempfile::tempdir().unwrap();
        assert!(matches!(RunFolder::find(runs.path(), None), Err(FolderError::NoRun { .. })));
        let old = RunFolder::new(runs.path(), UnixMs(1_795_455_612_345), 1);
        let new = RunFolder::new(runs.path(), UnixMs(1_795_455_699_345), 1);
        for folder in [&old, &new] {
            fs::create_dir_all(&folder.path).unwrap();
            folder.point_latest().unwrap();
        }
        assert_eq!(RunFolder::find(runs.path(), None).unwrap(), new);
        assert_eq!(RunFolder::find(runs.path(), Some("latest")).unwrap(), new);
        assert_eq!(RunFolder::find(runs.path(), Some(&old.id)).unwrap(), old);
        assert!(matches!(RunFolder::find(runs.path(), Some("2026")), Err(FolderError::Ambiguous { count: 2, .. })));
        assert!(matches!(RunFolder::find(runs.path(), Some("x")), Err(FolderError::Unknown { .. })));
        assert_eq!(fs::read_link(runs.path().join("latest")).unwrap(), Path::new(&new.id));
        old.point_latest().unwrap();
        assert_eq!(RunFolder::find(runs.path(), None).unwrap(), old, "the old run was resumed");
        fs::remove_dir(&old.path).unwrap();
        assert_eq!(RunFolder::find(runs.path(), None).unwrap(), new, "the link points nowhere");
    }

    #[test]
    fn runs_of_one_second_are_listed_by_age() {
        let runs = tempfile::tempdir().unwrap();
        let times = [1_795_455_612_007, 1_795_455_612_010, 1_795_455_612_100, 1_795_455_612_999];
        let begun: Vec<_> = times.map(|now| RunFolder::new(runs.path(), UnixMs(now), 1)).into();
        for folder in &begun {
            fs::create_dir_all(&folder.path).unwrap();
        }
        assert_eq!(RunFolder::list(runs.path()).unwrap(), begun);
    }
}

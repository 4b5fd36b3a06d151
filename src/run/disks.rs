//! Room on the disks that a run writes to. A run pauses before they are full: nothing new is sent, what is on the wire
//! is kept, and the run goes on by itself as soon as there is room. After an hour it ends as on a full disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::UnixMs;
use crate::journal::{DiskSpace, JournalError, disk_space};

/// Least room to work with: what a fast run writes between two looks ...
const LEAST_BYTES: u64 = 64 << 20;
/// ... and never less than what every followed unit may still bring: a reply of sixteen thousand tokens each.
const REPLY_BYTES: u64 = 64 << 10;
/// A small disk is there to be used: no more than this part of it is left free.
const MOST_PART: u64 = 10;
/// How long a run waits for somebody to make room.
const PATIENCE: Duration = Duration::from_hours(1);

/// Watches the disks of one run.
#[derive(Debug, Default)]
pub struct Disks {
    folders: Vec<PathBuf>,
    needed: u64,
    /// When room became scarce, and where.
    low: Option<(UnixMs, PathBuf)>,
}

/// What a look at the disks showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskNotice {
    /// There is too little room: the run pauses.
    Low {
        /// Where.
        folder: PathBuf,
        /// Bytes left.
        free: u64,
        /// Bytes that must be free for the run to go on.
        needed: u64,
    },
    /// There is room again: the run goes on.
    Enough,
}

impl Disks {
    /// Watches the file systems of these folders for a run that follows `window` units at once.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>, window: usize) -> Self {
        let needed = (window as u64).saturating_mul(REPLY_BYTES).max(LEAST_BYTES);
        Self { folders, needed, low: None }
    }

    /// Whether nothing new may be sent.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.low.is_some()
    }

    /// Looks at the disks; what is new since the last look.
    pub fn look(&mut self, now: UnixMs) -> Option<DiskNotice> {
        // A disk that cannot be asked is not known to be full: writing to it will tell.
        let spaces: Vec<_> = self.folders.iter().map(|folder| disk_space(folder).ok()).collect();
        self.judge(&spaces, now)
    }

    fn judge(&mut self, spaces: &[Option<DiskSpace>], now: UnixMs) -> Option<DiskNotice> {
        let known = self.folders.iter().zip(spaces).filter_map(|(folder, space)| Some((folder, (*space)?)));
        let needed = |space: DiskSpace| self.needed.min(space.total / MOST_PART);
        // A quarter more before the run goes on, so that it does not stop again at once.
        let wanted = |space: DiskSpace| if self.low.is_some() { needed(space) * 5 / 4 } else { needed(space) };
        let scarce = known.into_iter().find(|(_, space)| space.free < wanted(*space));
        match (scarce, &self.low) {
            (Some((folder, space)), None) => {
                let (folder, needed) = (folder.clone(), needed(space) * 5 / 4);
                self.low = Some((now, folder.clone()));
                Some(DiskNotice::Low { folder, free: space.free, needed })
            }
            (None, Some(_)) => {
                self.low = None;
                Some(DiskNotice::Enough)
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The error that ends a run which has waited long enough.
    #[must_use]
    pub fn given_up(&self, now: UnixMs) -> Option<JournalError> {
        let (since, folder) = self.low.as_ref()?;
        (now.since(*since) >= PATIENCE).then(|| full(folder))
    }
}

fn full(folder: &Path) -> JournalError {
    JournalError::DiskFull { action: "wait for room in", path: folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LARGE: u64 = 1 << 40;

    const fn space(free: u64, total: u64) -> DiskSpace {
        DiskSpace { free, total }
    }

    fn disks(window: usize) -> Disks {
        Disks::new(vec!["runs".into(), "cache".into()], window)
    }

    #[test]
    fn the_threshold_grows_with_the_window_and_spares_small_disks() {
        let is_low = |window, free, total| {
            let mut disks = disks(window);
            disks.judge(&[Some(space(LARGE, LARGE)), Some(space(free, total))], UnixMs(0));
            disks.is_low()
        };
        assert_eq!([is_low(64, 64 * MIB, LARGE), is_low(64, 64 * MIB - 1, LARGE)], [false, true]);
        assert_eq!([is_low(2_048, 128 * MIB, LARGE), is_low(2_048, 128 * MIB - 1, LARGE)], [false, true]);
        assert_eq!([is_low(64, 4 * MIB, 40 * MIB), is_low(64, 4 * MIB - 1, 40 * MIB)], [false, true]);
    }

    #[test]
    fn a_pause_is_told_once_and_ends_by_itself_or_after_an_hour() {
        let mut disks = disks(64);
        let hour = 3_600_000;
        assert_eq!(disks.judge(&[None, Some(space(LARGE, LARGE))], UnixMs(5)), None, "a disk that cannot be asked");
        let told = disks.judge(&[Some(space(MIB, LARGE)), Some(space(LARGE, LARGE))], UnixMs(10));
        assert_eq!(told, Some(DiskNotice::Low { folder: "runs".into(), free: MIB, needed: 80 * MIB }));
        let barely = [Some(space(65 * MIB, LARGE)), Some(space(LARGE, LARGE))];
        assert_eq!(disks.judge(&barely, UnixMs(20)), None, "it would stop again at once");
        assert!(disks.is_low() && disks.given_up(UnixMs(9 + hour)).is_none());
        let given_up = disks.given_up(UnixMs(10 + hour)).unwrap();
        assert_eq!(given_up.to_string(), "wait for room in `runs`: the disk is full");
        assert_eq!(disks.judge(&[Some(space(80 * MIB, LARGE)), None], UnixMs(30)), Some(DiskNotice::Enough));
        assert!(!disks.is_low() && disks.given_up(UnixMs(10 + hour)).is_none());
    }
}

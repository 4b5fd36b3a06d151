//! Small file systems of a test's own, which only root can mount; elsewhere tests say so and pass.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use assize::journal::disk_space;
use tempfile::TempDir;

/// A file system of a few megabytes; it goes when this is dropped.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one in memory; nothing, with a printed reason, where that is not allowed.
    pub(crate) fn mount() -> Option<Self> {
        Self::of("6m")
    }

    /// The same with another size.
    pub(crate) fn of(size: &str) -> Option<Self> {
        let disk = Self { folder: TempDir::new().unwrap() };
        let mounted = disk.mount_with(&["-t", "tmpfs", "-o", &format!("size={size}"), "none"]);
        mounted.map_err(|reason| skip(&reason)).ok().map(|()| disk)
    }

    /// Mounts one that can stall: a file system in a file. Tools and loop devices are not everywhere either.
    pub(crate) fn that_can_stall() -> Option<Self> {
        let disk = Self { folder: TempDir::new().unwrap() };
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(40 << 20).unwrap();
        let path = image.path();
        let made = call("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), path.as_os_str()]);
        // The mount keeps the file, whose name goes here.
        let mounted = made.and_then(|()| disk.mount_with(&["-o", "loop", path.to_str().unwrap()]));
        let mounted = mounted.and_then(|()| disk.stall()).and_then(|()| disk.go_on());
        mounted.map_err(|reason| skip(&reason)).ok().map(|()| disk)
    }

    pub(crate) fn mount_with(&self, options: &[&str]) -> Result<(), String> {
        let options = options.iter().map(AsRef::<OsStr>::as_ref).chain([self.path().as_os_str()]);
        call("mount", &options.collect::<Vec<_>>())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes whoever writes wait.
    pub(crate) fn stall(&self) -> Result<(), String> {
        call("fsfreeze", &["-f".as_ref(), self.path().as_os_str()])
    }

    /// Ends a stall.
    pub(crate) fn go_on(&self) -> Result<(), String> {
        call("fsfreeze", &["-u".as_ref(), self.path().as_os_str()])
    }

    /// Fills it to the last byte. The file is the space to be freed.
    pub(crate) fn fill(&self) -> PathBuf {
        self.fill_but(0)
    }

    /// Fills it but for this many bytes.
    pub(crate) fn fill_but(&self, left: u64) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        let room = || disk_space(self.path()).unwrap().free;
        while room() > left && file.write_all(&[0; 4_096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A disk that does not stall cannot be told to go on, one that was never mounted cannot be unmounted, and one
        // that is busy is detached.
        self.go_on().ok();
        call("umount", &["--lazy".as_ref(), self.path().as_os_str()]).ok();
    }
}

fn skip(reason: &str) {
    println!("skipped: this user cannot mount a small file system ({reason})");
}

fn call(program: &str, arguments: &[&OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

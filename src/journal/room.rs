//! How much room a file system has left.

use std::io;
use std::path::Path;

/// Room on one file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What this user may still write.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// The room on the file system that holds `folder`: one system call, which reads no disk.
///
/// # Errors
///
/// The system's, as where the folder does not exist.
pub fn disk_space(folder: &Path) -> io::Result<DiskSpace> {
    let told = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(DiskSpace { free: bytes(told.f_bavail), total: bytes(told.f_blocks) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_one_that_is_not_there_has_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let space = disk_space(folder.path()).unwrap();
        assert!(space.free > 0 && space.free <= space.total, "{space:?}");
        assert_eq!(disk_space(&folder.path().join("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

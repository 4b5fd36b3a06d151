//! Owner-only files and folders whose directory entries survive a power failure.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::JournalError;

const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Creates a folder and what is missing above it, for the owner only. A folder that exists is left as it is.
///
/// # Errors
///
/// The file system's, with the folder's name.
pub fn create_folder(folder: &Path) -> Result<(), JournalError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(folder);
    create_folder(above)?;
    let created = DirBuilder::new().mode(FOLDER_MODE).create(folder);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(JournalError::io("create folder", folder, error)),
        Ok(()) => sync_folder(above),
    }
}

/// Creates a file that did not exist, for the owner only, in a folder that does.
///
/// # Errors
///
/// The file system's, with the file's name; [`JournalError::Io`] with `AlreadyExists` if there is such a file.
pub fn create_file(path: &Path) -> Result<File, JournalError> {
    let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path);
    let file = file.map_err(|error| JournalError::io("create", path, error))?;
    sync_folder(path.parent().unwrap_or(path))?;
    Ok(file)
}

/// Opens a file for reading and writing and creates it, for the owner only, if it is missing.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

/// Makes the entries of a folder durable.
fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let synced = File::open(folder).and_then(|file| file.sync_all());
    synced.map_err(|error| JournalError::io("sync folder", folder, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_and_folders_are_for_the_owner_only() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("a/b");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        create_file(&folder.join("file")).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&temporary.path().join("a")), 0o700);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("file")), 0o600);
        assert!(create_file(&folder.join("file")).is_err());
    }
}

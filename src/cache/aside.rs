//! What is damaged and can be made again is kept, under another name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Moves a folder that cannot be used to `<name>.damaged-<n>` beside it.
pub(super) fn set_aside(folder: &Path) -> io::Result<PathBuf> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".damaged-");
    for number in 1u32.. {
        let mut numbered = name.clone();
        numbered.push(number.to_string());
        let aside = folder.with_file_name(numbered);
        if !aside.try_exists()? {
            fs::rename(folder, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

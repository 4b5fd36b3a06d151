//! The files of the set: read line by line, so that memory holds one item, and appended to, readable by their owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::{SensitivityError, failed};
use crate::model::known::{KnownPositive, NotKnown};

/// At most this many unreadable lines are named.
const EXAMPLES: usize = 20;

/// Lines that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::run) struct Unreadable {
    pub(in crate::run) lines: u64,
    /// The first of them, as `file:line: reason`.
    pub(in crate::run) examples: Vec<String>,
}

impl Unreadable {
    pub(super) fn add(&mut self, file: &str, line: u64, reason: impl std::fmt::Display) {
        self.lines += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{file}:{line}: {reason}"));
        }
    }
}

/// `*.jsonl` of a folder, sorted; nothing if there is no folder.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, SensitivityError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed(folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Every line of a file that is not blank, with its number; `Err` where it is not UTF-8.
pub(super) fn for_each_line(
    path: &Path,
    mut visit: impl FnMut(u64, Result<&str, &'static str>) -> Result<(), SensitivityError>,
) -> Result<(), SensitivityError> {
    let file = File::open(path).map_err(failed(path))?;
    for (number, line) in (1..).zip(BufReader::new(file).split(b'\n')) {
        let line = line.map_err(failed(path))?;
        match str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => visit(number, Ok(text.trim()))?,
            Err(_) => visit(number, Err("the line is not UTF-8"))?,
        }
    }
    Ok(())
}

/// Every item of the set, in the order of files and lines, one in memory at a time.
pub(in crate::run) fn for_each_item(
    folder: &Path,
    mut visit: impl FnMut(KnownPositive) -> Result<(), SensitivityError>,
) -> Result<Unreadable, SensitivityError> {
    let mut unreadable = Unreadable::default();
    for path in files_of(folder)? {
        let name = format!("labels/sensitivity/{}", path.file_name().unwrap_or_default().to_string_lossy());
        for_each_line(&path, |number, line| {
            let item = line.map_err(ToOwned::to_owned);
            match item.and_then(|line| KnownPositive::from_line(line).map_err(|error: NotKnown| error.to_string())) {
                Ok(item) => return visit(item),
                Err(reason) => unreadable.add(&name, number, reason),
            }
            Ok(())
        })?;
    }
    Ok(unreadable)
}

/// Appends lines to a file that is made if there is none, and puts them on the disk.
pub(super) fn append<T: Serialize>(path: &Path, lines: &[T]) -> Result<(), SensitivityError> {
    if lines.is_empty() {
        return Ok(());
    }
    write_lines(path, lines, OpenOptions::new().read(true).append(true).create(true))
}

/// Writes a file that must not be there yet.
pub(super) fn create<T: Serialize>(path: &Path, lines: &[T]) -> Result<(), SensitivityError> {
    let written = write_lines(path, lines, OpenOptions::new().read(true).write(true).create_new(true));
    match written {
        Err(SensitivityError::Io { path, source }) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(SensitivityError::QueueExists { path })
        }
        written => written,
    }
}

fn write_lines<T: Serialize>(path: &Path, lines: &[T], options: &mut OpenOptions) -> Result<(), SensitivityError> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    let mut write = || -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
        let mut file = options.mode(0o600).open(path)?;
        // An editor may have left the last line without its end.
        let end = file.seek(SeekFrom::End(0))?;
        if end > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(end - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                bytes.insert(0, b'\n');
            }
        }
        file.write_all(&bytes)?;
        file.sync_all()
    };
    write().map_err(failed(path))
}

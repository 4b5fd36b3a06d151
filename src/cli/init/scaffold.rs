//! Files that are written only where there are none.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A folder that is being filled; what exists is left as it is.
pub(super) struct Scaffold {
    folder: PathBuf,
    written: Vec<PathBuf>,
    kept: Vec<PathBuf>,
}

impl Scaffold {
    /// Begins to fill a folder, which is made if there is none.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), written: Vec::new(), kept: Vec::new() })
    }

    /// Writes a file if there is none.
    pub(super) fn file(&mut self, name: impl AsRef<Path>, text: &str) -> anyhow::Result<()> {
        let name = name.as_ref();
        let path = self.folder.join(name);
        let cannot = || format!("cannot write `{}`", path.display());
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).with_context(cannot)?;
        }
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).with_context(cannot)?;
                self.written.push(name.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.kept.push(name.to_owned());
                Ok(())
            }
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// Where something of this name is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Notes a file that somebody else wrote.
    pub(super) fn wrote(&mut self, path: &Path) {
        self.written.push(path.strip_prefix(&self.folder).unwrap_or(path).to_owned());
    }

    /// Notes something that is left as it is.
    pub(super) fn keep(&mut self, name: &str) {
        self.kept.push(PathBuf::from(name));
    }

    /// Whether there is something of this name.
    pub(super) fn has(&self, name: &Path) -> bool {
        self.folder.join(name).exists()
    }

    /// The folder's own name.
    pub(super) fn name(&self) -> String {
        self.folder.file_name().map_or_else(|| "audit".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// What was written, in order.
    pub(super) fn written(&self) -> &[PathBuf] {
        &self.written
    }

    /// What was there before.
    pub(super) fn kept(&self) -> &[PathBuf] {
        &self.kept
    }
}

/// A string as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A list of strings as TOML writes it.
pub(super) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// Fills a template line by line, and keeps its comments in their column as far as the values let it.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let filled = template.lines().map(|line| {
        let Some((before, comment)) = line.split_once("  #").filter(|_| line.contains('@')) else {
            return values.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value));
        };
        let column = before.chars().count();
        let before = values.iter().fold(before.trim_end().to_owned(), |line, (name, value)| line.replace(name, value));
        format!("{before:column$}  #{comment}")
    });
    filled.map(|line| line + "\n").collect()
}

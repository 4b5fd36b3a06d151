//! What can be wrong with an audit file, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the audit file; both numbers count from 1, columns in characters.
    File {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In a flag or an environment variable of this name.
    Outside(String),
}

/// One thing that is wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Everything that is wrong with one audit file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// At least one problem.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { place, message }) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match place {
                Place::File { line, column } => write!(f, "{}:{line}:{column}: {message}", self.file.display())?,
                Place::Outside(name) => write!(f, "{name}: {message}")?,
            }
        }
        Ok(())
    }
}

/// Why there are no checked settings. Every variant is a usage error.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("cannot read `{}`", .file.display())]
    Read {
        /// The file, as the user named it.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not text.
    #[error("`{}` is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A line of a `.env` file is not an assignment. The line itself may hold a key and is not shown.
    #[error("{}:{line}: expected `NAME=value`", .file.display())]
    DotEnv {
        /// The `.env` file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The audit file says something that it must not.
    #[error("{0}")]
    Problems(Problems),
    /// The audit file asks for something that only a trusted file may.
    #[error("`{}` is not trusted: {}", .file.display(), .reasons.join("; "))]
    Untrusted {
        /// The audit file, as the user named it.
        file: PathBuf,
        /// What it asks for.
        reasons: Vec<String>,
    },
    /// The list of trusted files could not be read or written.
    #[error("cannot use the list of trusted files `{}`", .file.display())]
    TrustList {
        /// The list.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither `XDG_CONFIG_HOME` nor `HOME` says where the list of trusted files is.
    #[error("cannot find the list of trusted files: neither `XDG_CONFIG_HOME` nor `HOME` is set")]
    NoHome,
}

impl ConfigError {
    /// What to do about it, where the message alone does not say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("name the audit file, or run `assize init` to make one".to_owned())
            }
            Self::Untrusted { file, .. } => {
                Some(format!("read the file; if you agree, run `assize trust {}`", file.display()))
            }
            Self::Read { .. }
            | Self::NotText(_)
            | Self::DotEnv { .. }
            | Self::Problems(_)
            | Self::TrustList { .. }
            | Self::NoHome => None,
        }
    }
}

/// Reads a text file.
pub(super) fn read_text(file: &Path) -> Result<String, ConfigError> {
    let bytes = fs_err(file, std::fs::read(file))?;
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText(file.to_owned()))
}

fn fs_err<T>(file: &Path, read: io::Result<T>) -> Result<T, ConfigError> {
    read.map_err(|source| ConfigError::Read { file: file.to_owned(), source })
}

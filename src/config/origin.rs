//! Where a value comes from.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A flag of the command line.
    Flag {
        /// The flag, with its dashes.
        name: String,
    },
    /// The environment.
    Environment {
        /// The variable.
        name: String,
    },
    /// A `.env` file.
    DotEnv {
        /// The variable.
        name: String,
        /// The file.
        file: PathBuf,
    },
    /// The audit file.
    File {
        /// The line, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } => write!(f, "flag {name}"),
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::DotEnv { name, file } => write!(f, "{name} in {}", file.display()),
            Self::File { line } => write!(f, "file line {line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value of the checked settings, as `assize config` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Dotted path, such as `grader.screen.model`.
    pub key: String,
    /// The value; secrets are `(set)` or `(not set)`.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// A value from the command line, or from an `ASSIZE_*` variable that stands for a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Override<T> {
    /// The value.
    pub value: T,
    /// The flag or the variable.
    pub origin: Origin,
}

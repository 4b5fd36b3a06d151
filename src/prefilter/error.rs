//! What can be wrong with a `cues.toml`.

use std::fmt;

/// A `cues.toml` that cannot be used, or a choice of classes that it does not offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", .position.map(|position| format!("{position}: ")).unwrap_or_default())]
pub struct CuesError {
    /// Where in the file, unless the fault lies in what was asked of it.
    pub position: Option<Position>,
    /// What is wrong.
    pub kind: CuesErrorKind,
}

/// A place in a file, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    /// The place of a byte of `text`.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |start| start.chars().count());
        Self { line: before.matches('\n').count() + 1, column: column + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CuesErrorKind {
    /// The text is not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A name that does not exist.
    #[error("unknown {what} `{name}`{}", .nearest.as_ref().map(|near| format!(", the nearest is `{near}`")).unwrap_or_default())]
    Unknown {
        /// What it should name: a key, a kind, a list, a class or a channel.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The known name that looks most like it; none if there is nothing to name.
        nearest: Option<String>,
    },
    /// Everything is known, but this cannot be meant.
    #[error("{0}")]
    Invalid(String),
    /// All terms, or all patterns, exceed the limits of their matcher.
    #[error("the {0} of all classes are too large to compile together")]
    TooLarge(&'static str),
}

impl CuesErrorKind {
    pub(super) fn invalid(problem: impl Into<String>) -> Self {
        Self::Invalid(problem.into())
    }

    pub(super) fn unknown<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(name, known);
        let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).map(str::to_owned);
        Self::Unknown { what, name: name.to_owned(), nearest }
    }
}

impl From<CuesErrorKind> for CuesError {
    fn from(kind: CuesErrorKind) -> Self {
        Self { position: None, kind }
    }
}

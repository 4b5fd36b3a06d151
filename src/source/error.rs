//! What can go wrong: with one record (it is counted) and with the whole corpus (the run stops).

use std::io;
use std::path::PathBuf;

/// Why a record could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnreadableReason {
    /// Not JSON.
    MalformedJson,
    /// Not UTF-8.
    InvalidUtf8,
    /// No list of messages where the format keeps it.
    MissingMessages,
    /// A part of the id that `fields` asks for is absent.
    MissingId,
    /// A message has no role, or one that no format knows.
    UnknownRole,
    /// A value has the wrong type.
    WrongType,
    /// Longer than `max_line_bytes`; it was skipped, not stored.
    TooLong,
    /// The compressed file is cut off or damaged; nothing behind this place was read.
    TruncatedArchive,
    /// A conversation without messages.
    Empty,
}

impl UnreadableReason {
    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MissingMessages => "missing_messages",
            Self::MissingId => "missing_id",
            Self::UnknownRole => "unknown_role",
            Self::WrongType => "wrong_type",
            Self::TooLong => "too_long",
            Self::TruncatedArchive => "truncated_archive",
            Self::Empty => "empty",
        }
    }
}

/// One record's defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The bucket that it is counted in.
    pub reason: UnreadableReason,
    /// Where in the record, in our words: never text of the transcript.
    pub detail: String,
}

impl Fault {
    pub(super) fn new(reason: UnreadableReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<serde_json::Error> for Fault {
    /// Keeps the place and drops the message, which can quote the transcript.
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let reason = match error.classify() {
            Category::Data => UnreadableReason::WrongType,
            Category::Syntax | Category::Eof | Category::Io => UnreadableReason::MalformedJson,
        };
        let place = match error.line() {
            0 => String::new(),
            1 => format!("column {}", error.column()),
            line => format!("line {line} of the record, column {}", error.column()),
        };
        Self::new(reason, place)
    }
}

/// The corpus cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path, folder or glob matches no file.
    #[error("no transcript file matches `{pattern}`")]
    NoMatch {
        /// The path as configured.
        pattern: String,
    },
    /// A glob is not well formed.
    #[error("`{pattern}` is not a valid glob: {message}")]
    Pattern {
        /// The path as configured.
        pattern: String,
        /// What is wrong with it.
        message: &'static str,
    },
    /// A file or folder cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system fails to deliver a file's bytes. A damaged archive is not this: it is an unreadable record.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The `where` expression is not valid, or does not give true or false.
    #[error("`where = \"{expression}\"` {message}")]
    Filter {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        message: String,
    },
}

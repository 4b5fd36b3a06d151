//! Why a file of verdicts cannot be used.

use std::io;
use std::path::PathBuf;

use crate::cache::units::UnitsError;
use crate::source::SourceError;

/// Why a file of verdicts cannot be used. One bad line is not this: it is counted.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// It cannot be opened or read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is no Parquet file after all, or a damaged or encrypted one.
    #[error("cannot read `{file}` as a Parquet file: {reason}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// From some row on a Parquet file cannot be read.
    #[error("cannot read row {row} of the Parquet file `{file}`: {reason}")]
    Row {
        /// The file.
        file: String,
        /// The row, from 1.
        row: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written to while it was read.
    #[error("`{file}` changed while it was read")]
    Changed {
        /// The file.
        file: String,
    },
    /// This build has no Parquet.
    #[error("`{file}` is a Parquet file, which this build of assize cannot read")]
    NoParquet {
        /// The file.
        file: String,
    },
    /// Which units are selected cannot be read.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// What concerns the sample cannot be set aside.
    #[error("cannot keep the verdicts of the sample in `{path}`: {source}")]
    Spool {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What was set aside cannot be read again.
    #[error("cannot read the recorded verdict of `{unit}` again: {source}")]
    Reread {
        /// The unit.
        unit: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Two lines contradict each other.
    #[error("`{file}` gives `{unit}` different verdicts in line {first} and line {second}")]
    Contradiction {
        /// The file.
        file: String,
        /// The unit.
        unit: String,
        /// The earlier line.
        first: u64,
        /// The later one.
        second: u64,
    },
    /// A line could be about several units.
    #[error("`{file}`, line {line}: `{unit}` is in the sample in several groups, and nothing says which is meant")]
    SeveralGroups {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The unit.
        unit: String,
        /// A field of `group_by`.
        field: String,
    },
    /// Some lines are about turns and some about conversations.
    #[error("`{file}` names a turn in line {with} and only a conversation in line {without}")]
    Mixed {
        /// The file.
        file: String,
        /// The first line with a turn.
        with: u64,
        /// The first without.
        without: u64,
    },
    /// A column that the audit names is in no line: somebody has misspelt it, and what it says would be missing without a word.
    #[error("no line of `{file}` has the column `{column}`")]
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The members of the first line.
        members: Vec<String>,
    },
    /// All that it flags has next to no score: its scores are on another scale than the audit says.
    #[error("`{file}` flags units, and no score in `{column}` reaches 2 in 100 of {score_max}")]
    Scale {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The highest score that there can be, by the audit.
        score_max: f64,
    },
    /// Nothing in it is of use.
    #[error("`{file}` has no verdict about any selected unit: {lines} lines, {unreadable} of them unreadable{first}")]
    Nothing {
        /// The file.
        file: String,
        /// Its lines.
        lines: u64,
        /// Those that cannot be read.
        unreadable: u64,
        /// The first of those, or nothing.
        first: String,
        /// Address of a selected unit.
        selected: String,
    },
}

impl RecordedError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(_) => Some("check `file` of the endpoint: it is relative to the audit".to_owned()),
            Self::Table { .. } | Self::Row { .. } => {
                Some("write the file again, without encryption, compressed with snappy, zstd or gzip or not at all".to_owned())
            }
            Self::Changed { .. } => Some("run the command again when nothing writes to it".to_owned()),
            Self::NoParquet { .. } => Some(
                "build it with the feature `parquet`, which is on by default, or write the verdicts as JSON lines".to_owned(),
            ),
            Self::Units(_) | Self::Spool { .. } | Self::Reread { .. } => None,
            Self::Contradiction { .. } => {
                let several = "if they are about several turns of it, name the column that tells them apart, as in \
                               `columns.turn = \"turn\"`; else keep one of the lines: which verdict counts is not for a \
                               program to choose";
                Some(several.to_owned())
            }
            Self::Scale { .. } => {
                Some("say what the highest score can be: `score_max = 1` for scores from 0 to 1".to_owned())
            }
            Self::SeveralGroups { field, .. } => {
                Some(format!("say where a line names its group, as in `columns.group = {{ {field} = \"{field}\" }}`"))
            }
            Self::Mixed { .. } => Some(
                "write `conversation#index` everywhere, or name the column of the turn, as in `columns.turn = \"turn\"`"
                    .to_owned(),
            ),
            Self::NoColumn { members, .. } => {
                Some(format!("its first line has `{}`: a column is one of them, or a dotted path", members.join("`, `")))
            }
            Self::Nothing { selected, .. } => Some(format!(
                "units are named like `{selected}`: `columns` says where a line names its unit and its verdict, `values` \
                 what its words stand for"
            )),
        }
    }
}

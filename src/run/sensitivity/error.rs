//! Why a command about the sensitivity set did not do what was asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::units::UnitsError;
use crate::model::conversation::Channel;
use crate::prompt::library::LibraryError;
use crate::run::conclude::ConcludeError;
use crate::run::folder::FolderError;
use crate::source::SourceError;

/// Why a command about the sensitivity set did not do what was asked. Nothing of the set was changed.
#[derive(Debug, thiserror::Error)]
pub enum SensitivityError {
    /// A file cannot be used.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The corpus cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A snapshot cannot be read or written.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// The behaviour cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The newest run cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The newest run cannot be counted.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// The corpus changed while it was read.
    #[error("`{file}` changed since the census")]
    Changed {
        /// The file.
        file: String,
    },
    /// The corpus can be read only once.
    #[error("standard input is read once, and a draw has to read the corpus again")]
    StandardInput,
    /// No such class.
    #[error("there is no class `{class}`; the classes are `{}`", known.join("`, `"))]
    UnknownClass {
        /// The class.
        class: String,
        /// The classes of the audit.
        known: Vec<String>,
    },
    /// No such group.
    #[error("there is no group `{name}`; the groups are `{}`", known.join("`, `"))]
    UnknownGroup {
        /// The group.
        name: String,
        /// The groups of the corpus.
        known: Vec<String>,
    },
    /// The audited sample takes all units of the class.
    #[error("every turn of class `{class}` is in the audited sample, so none is left for a blind draw")]
    NoneLeft {
        /// The class.
        class: String,
    },
    /// A blind draw is of single turns.
    #[error("a blind draw is of single turns, and the unit of this audit is the conversation")]
    WholeConversations,
    /// The queue is there already.
    #[error("`{}` exists, and what people may have decided in it is never overwritten", path.display())]
    QueueExists {
        /// The file.
        path: PathBuf,
    },
    /// A text to plant is none.
    #[error("{}:{line}: {problem}", path.display())]
    BadText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// Fewer texts than items that should be independent.
    #[error("`{}` holds {}, and {wanted} for each group were asked for", path.display(), counted(*texts))]
    TooFewTexts {
        /// The file.
        path: PathBuf,
        /// Texts in it.
        texts: u64,
        /// Items asked for in each group.
        wanted: u64,
    },
    /// A group has no turn that could take a text.
    #[error("outside the audited sample, group `{group}` has {turns} turns with {} text, and {texts} are needed", channel.as_str())]
    TooFewHosts {
        /// The group.
        group: String,
        /// Turns that could take one.
        turns: u64,
        /// Where the texts stand.
        channel: Channel,
        /// Texts.
        texts: u64,
    },
}

fn counted(texts: u64) -> String {
    if texts == 1 { "1 text".to_owned() } else { format!("{texts} texts") }
}

impl SensitivityError {
    /// What to do about it, where the message does not say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoneLeft { class } => format!(
                "give the class a size in [sample], such as `{class} = 20_000`, and draw from the rest; or plant known texts \
                 (`assize sensitivity plant`), or bring items that were found otherwise (`assize sensitivity import`)"
            ),
            Self::WholeConversations => {
                "plant known texts (`assize sensitivity plant`), or bring conversations that were found otherwise (`assize \
                 sensitivity import`): one turn that shows the behaviour makes its conversation a known positive"
                    .to_owned()
            }
            Self::QueueExists { path } => format!(
                "import what people decided (`assize sensitivity import {}`) and move the file away, or take other units with \
                 another `--draw`",
                path.display()
            ),
            Self::TooFewTexts { texts, .. } => format!(
                "one item of a text counts in each group: `--per-group {texts}` at most, or write more texts"
            ),
            Self::TooFewHosts { .. } => {
                "plant fewer texts in that channel, or leave more of the corpus out of [sample]".to_owned()
            }
            Self::BadText { .. } => {
                "a line is {\"id\": \"t-1\", \"text\": \"...\", \"channel\": \"reasoning\"}; `channel` is `reasoning` or `final`"
                    .to_owned()
            }
            Self::StandardInput => "write it to a file that the audit names".to_owned(),
            Self::Changed { .. } => "run the same command again once nothing is written to it any more".to_owned(),
            Self::Io { .. }
            | Self::Source(_)
            | Self::Units(_)
            | Self::Library(_)
            | Self::Folder(_)
            | Self::Conclude(_)
            | Self::UnknownClass { .. }
            | Self::UnknownGroup { .. } => return None,
        })
    }
}

/// Names the file that the system refused.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> SensitivityError + use<> {
    let path = path.to_owned();
    move |source| SensitivityError::Io { path, source }
}

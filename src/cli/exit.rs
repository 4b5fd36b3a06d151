//! Exit codes, and how a command fails.

use std::process::ExitCode;

use crate::config::ConfigError;

/// How a command ended: what a script decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done, or as much as it took for `stop_when`.
    Complete,
    /// A gate failed: `--fail-over`, or `verify` found a difference.
    GateFailed,
    /// The command line, an audit file or the machine is not fit for it.
    Usage,
    /// Budget or deadline ended the run: a valid, smaller sample.
    StoppedEarly,
    /// More units than `max_ungraded` allows have no usable verdict, or the corpus is not what `[expect]` says.
    Incomplete,
    /// Read-only replay missed a reply.
    CacheMiss,
    /// The grader cannot be used: key, quota or model.
    GraderUnusable,
    /// Interrupted by the user.
    Interrupted,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Complete,
        Self::GateFailed,
        Self::Usage,
        Self::StoppedEarly,
        Self::Incomplete,
        Self::CacheMiss,
        Self::GraderUnusable,
        Self::Interrupted,
    ];

    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::GateFailed => 1,
            Self::Usage => 2,
            Self::StoppedEarly => 3,
            Self::Incomplete => 4,
            Self::CacheMiss => 5,
            Self::GraderUnusable => 6,
            Self::Interrupted => 130,
        }
    }

    /// What the code means, for the manual.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::GateFailed => "a gate failed",
            Self::Usage => "usage or configuration",
            Self::StoppedEarly => "stopped by budget or deadline",
            Self::Incomplete => {
                "incomplete: more than max_ungraded without a verdict, or the corpus not as [expect] says"
            }
            Self::CacheMiss => "a reply is missing in read-only mode",
            Self::GraderUnusable => "the grader is unusable: key, quota or model",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not get to its end.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads the output any more, as in `assize report | head`: a success.
    ClosedPipe,
    /// An error, with what to do about it.
    Error {
        /// The code to exit with.
        exit: Exit,
        /// What happened.
        error: anyhow::Error,
        /// What to do, if the message does not say.
        hint: Option<String>,
    },
}

impl Failure {
    /// An error that ends with this code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self::Error { exit, error: error.into(), hint: None }
    }

    /// The code to exit with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::ClosedPipe => Exit::Complete,
            Self::Error { exit, .. } => *exit,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(self, advice: impl Into<String>) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Error { exit, error, hint: _ } => Self::Error { exit, error, hint: Some(advice.into()) },
        }
    }
}

/// Whatever has no code of its own is the machine's or the user's to set right.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let hint = error.hint();
        Self::Error { exit: Exit::Usage, error: error.into(), hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 130]);
    }
}

//! The command line of `assize anchors`.

use clap::{Args, Subcommand};

use super::{AuditArgs, AuditFile, CacheArg, OverrideArgs, SendingArgs};

/// `assize anchors`.
#[derive(Debug, Subcommand)]
pub enum AnchorsCommand {
    /// Ask about every anchor eight times, for later runs to compare with; says first what that costs at most
    ///
    /// What is there already is not asked again, until the prompt, the model, its parameters or `revision` change. It counts
    /// under the cap of the audit.
    #[command(after_help = "Example:\n  assize anchors baseline --max-cost 2")]
    Baseline(BaselineArgs),
}

/// `assize anchors baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// How much may be sent.
    #[command(flatten)]
    pub sending: SendingArgs,
    /// Anything but `on` is refused with a reason: hidden, and there for `ASSIZE_CACHE`, which says what may be sent.
    #[arg(long, value_enum, value_name = "MODE", env = "ASSIZE_CACHE", hide = true)]
    pub cache: Option<CacheArg>,
}

impl BaselineArgs {
    /// The audit with what is said over it.
    #[must_use]
    pub fn audit(&self) -> AuditArgs {
        let overrides = OverrideArgs { cache: self.cache, sending: self.sending.clone(), ..OverrideArgs::default() };
        AuditArgs { file: self.file.clone(), overrides }
    }
}

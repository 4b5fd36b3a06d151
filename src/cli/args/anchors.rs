//! The command line of `assize anchors`.

use clap::Subcommand;

use super::AuditArgs;

/// `assize anchors`.
#[derive(Debug, Subcommand)]
pub enum AnchorsCommand {
    /// Ask about every anchor eight times, for later runs to compare with; says first what that costs at most
    ///
    /// What is there already is not asked again, until the prompt, the model, its parameters or `revision` change. It counts
    /// under the cap of the audit.
    #[command(after_help = "Example:\n  assize anchors baseline --max-cost 2")]
    Baseline(AuditArgs),
}

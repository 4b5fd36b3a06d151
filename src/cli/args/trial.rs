//! The command line of `assize try`.

use clap::Args;

use super::AuditFile;

/// `assize try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// Try again whenever the prompt's file or behaviour.toml is saved, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Random units of the run's sample, the same each time
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub sample: u64,
    /// Units that the run flagged, at most
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub flagged: u64,
    /// Compare with this run instead of the audit's newest: run id, its beginning, or `latest`
    #[arg(long, value_name = "RUN")]
    pub against: Option<String>,
    /// Spend at most this until the command ends, in US dollars; the caps of the audit hold besides
    #[arg(long, value_name = "USD", default_value_t = 1.0)]
    pub max_cost: f64,
    /// Show this many wrong items and flips; JSON holds all of them
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub show: usize,
}

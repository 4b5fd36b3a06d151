//! The command line of `assize validate`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

/// `assize validate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("truth").args(["labels", "split"]).required(true))]
pub struct ValidateArgs {
    /// The run, as `report` takes it
    #[arg(value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// Labelled units: decisions as in `labels/<seat>.jsonl`, or items as in `gold.jsonl`
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// `labels/dev.jsonl`, or the sealed `labels/test.jsonl`: reading the latter is logged and counted
    #[arg(long, value_enum)]
    pub split: Option<Split>,
}

/// A split of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// What prompts and thresholds are tuned on
    Dev,
    /// What is read once, for a figure to publish
    Test,
}

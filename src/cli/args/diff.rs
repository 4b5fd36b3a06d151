//! The command line of `assize diff`.

use std::path::PathBuf;

use clap::Args;

/// `assize diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The first side: a run as `report` takes it, or RUN:DEFINITION
    #[arg(value_name = "A")]
    pub a: String,
    /// The second side
    #[arg(value_name = "B")]
    pub b: String,
    /// Show this many of the units that flipped; JSON and page hold all of them
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub show: usize,
    /// Write a page to read all flips with their text: one file without script, readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

//! The arguments of `assize review`.

use clap::{Args, Subcommand};

use super::RunName;

/// `assize review`.
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// Units that people are to read and nobody has, in an order that hides what the graders said
    ///
    /// A decision is one line of labels/SEAT.jsonl. With `--format json` every unit is such a line without a decision:
    /// fill in `yes`, `no`, `unsure` or `cannot_judge`. Hidden gold, where the audit asks for some, is among
    /// them: every line has a pseudonym, and `assize show NAME --blind` prints its text.
    #[command(after_help = "Example:\n  assize review queue --seat ana --format json latest > packet.json")]
    Queue(QueueArgs),
    /// How far the seats are
    ///
    /// What a seat did with hidden gold is shown once it has nothing left to read; until then no figure moves otherwise for a
    /// decision about gold than for one about a unit.
    #[command(after_help = "Example:\n  assize review status --format json latest")]
    Status(ReviewStatusArgs),
}

/// `assize review status`.
#[derive(Debug, Args)]
pub struct ReviewStatusArgs {
    /// The run
    #[command(flatten)]
    pub run: RunName,
    /// Show what would tell gold from units as well: for whoever runs the review, not for those who read
    #[arg(long)]
    pub gold: bool,
}

/// `assize review queue`.
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// The run
    #[command(flatten)]
    pub run: RunName,
    /// Who reads: every seat has an order of its own
    #[arg(long, value_name = "NAME", default_value = "")]
    pub seat: String,
}

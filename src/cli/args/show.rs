//! The command line of `assize show`.

use clap::Args;

/// `assize show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The unit: conversation id and message index, as conv-000123#3
    #[arg(value_name = "UNIT")]
    pub unit: String,
    /// Run id or folder
    #[arg(long, value_name = "RUN", default_value = "latest")]
    pub run: String,
    /// The text up to the turn alone, whole: no cues, no verdicts, nothing of where it is from. Takes names of `review queue` as
    /// well
    #[arg(long)]
    pub blind: bool,
    /// What stands behind a name of `review queue`: for whoever traces a decision, not for those who still read
    #[arg(long, conflicts_with = "blind")]
    pub reveal: bool,
}

//! The command line of `assize ls`.

use clap::{Args, ValueEnum};

use super::RunName;
use super::mine::field_and_value;

/// `assize ls`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The run.
    #[command(flatten)]
    pub run: RunName,
    /// Units that ended so; several are separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS")]
    pub status: Vec<StatusArg>,
    /// Units of this prefilter class; `none` are those without a cue
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Units of this group: FIELD=VALUE for one or more fields of `group_by`
    #[arg(long, value_name = "FIELD=VALUE,..", value_delimiter = ',', value_parser = field_and_value)]
    pub group: Vec<(String, String)>,
    /// Units for which this expression is true
    #[arg(long = "where", value_name = "EXPR", default_value = "", hide_default_value = true)]
    pub expression: String,
    /// Show at most so many, in the order of admission, which is random
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// How units ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    /// The screen flags it, whatever came after
    Flagged,
    /// Flagged and upheld
    Confirmed,
    /// Flagged and turned down
    Rejected,
    /// Flagged, and seats contradict each other
    Disputed,
    /// Flagged, and nobody has decided
    Pending,
    /// The screen does not flag it
    Cleared,
    /// The screen ended without a usable verdict
    Ungraded,
    /// Admitted, and its screen has not ended
    Unfinished,
}

//! The command line of `assize mine`.

use clap::Args;

use super::RunName;

/// `assize mine`.
#[derive(Debug, Args)]
pub struct MineArgs {
    /// The run.
    #[command(flatten)]
    pub run: RunName,
    /// Set this group apart from all others: FIELD=VALUE for one or more fields of `group_by`
    #[arg(long, value_name = "FIELD=VALUE,..", value_delimiter = ',', value_parser = field_and_value)]
    pub group: Vec<(String, String)>,
    /// Of both groups only the units that were confirmed: how the behaviour sounds in this group
    #[arg(long, requires = "group")]
    pub confirmed: bool,
    /// A word counts if at least this many conversations of the first side hold it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub least: u64,
    /// Show so many, 64 at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub show: u64,
}

/// `field=value`.
pub(super) fn field_and_value(written: &str) -> Result<(String, String), String> {
    match written.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
        Some(_) | None => Err("should be FIELD=VALUE, as checkpoint=rl-late".to_owned()),
    }
}

//! The command line of `assize sensitivity`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AuditFile;
use crate::model::found_by::FoundBy;

/// `assize sensitivity`.
#[derive(Debug, Subcommand)]
pub enum SensitivityCommand {
    /// Draw turns outside the audited sample for people to read, blind to all verdicts
    ///
    /// Writes a queue under `labels/sensitivity/queue`: one turn a line, with its conversation and a place for the decision.
    #[command(after_help = "Example:\n  assize sensitivity draw --class none --n 400 --seat ana")]
    Draw(DrawArgs),
    /// Put texts that show the behaviour into real turns of every group, outside the audited sample
    ///
    /// FILE holds one text a line: {"id": "t-1", "text": "...", "channel": "reasoning"}; `channel` is `reasoning` or `final`.
    #[command(after_help = "Example:\n  assize sensitivity plant texts.jsonl --per-group 30 --seat ana")]
    Plant(PlantArgs),
    /// Take in own items, or a queue that people filled in
    ///
    /// An item is a line with `id`, `group`, `found_by`, `source`, `turn` and `conversation`: the conversation in canonical form,
    /// `turn` the index of its message that shows the behaviour, `group` the values of the group fields by name. Ends with
    /// code 1 if a line is refused; the others are taken in.
    #[command(after_help = "Example:\n  assize sensitivity import incidents.jsonl --found-by incident --seat ana")]
    Import(ImportKnownArgs),
    /// What the set can support, and what is missing for corrected figures
    #[command(after_help = "Example:\n  assize sensitivity status --format json")]
    Status(StatusKnownArgs),
}

/// `assize sensitivity draw`.
#[derive(Debug, Args)]
pub struct DrawArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// Prefilter class: one of the audit's, or `none`
    #[arg(long, value_name = "CLASS")]
    pub class: String,
    /// Turns of each group
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub n: u64,
    /// Only this group, as reports print it; may be repeated
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
    /// Number of the draw; that of the audit by default
    #[arg(long, value_name = "N")]
    pub draw: Option<u32>,
    /// Who is to read them
    #[arg(long, value_name = "NAME")]
    pub seat: Option<String>,
}

/// `assize sensitivity plant`.
#[derive(Debug, Args)]
pub struct PlantArgs {
    /// Texts, one a line
    #[arg(value_name = "FILE")]
    pub texts: PathBuf,
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// Texts for each group
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub per_group: u64,
    /// Only this group, as reports print it; may be repeated
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
    /// Who wrote the texts
    #[arg(long, value_name = "NAME", default_value = "author")]
    pub seat: String,
}

/// `assize sensitivity import`.
#[derive(Debug, Args)]
pub struct ImportKnownArgs {
    /// Items, or a queue that was filled in
    #[arg(value_name = "FILE")]
    pub items: PathBuf,
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
    /// How items were found that do not say it: `blind_draw`, `incident`, `red_team`, `planted`, `unrelated_method`,
    /// `prefilter` or `sibling_grader`
    #[arg(long, value_name = "WAY")]
    pub found_by: Option<FoundBy>,
    /// Who decided, where a line does not say it
    #[arg(long, value_name = "NAME")]
    pub seat: Option<String>,
}

/// `assize sensitivity status`.
#[derive(Debug, Args)]
pub struct StatusKnownArgs {
    /// The file.
    #[command(flatten)]
    pub file: AuditFile,
}

//! `assize cache`: the reply cache.

use anyhow::Context;

use crate::cache::{self, Access, CacheSettings, IndexState, RebuildReport, VerifyReport};
use crate::journal::Lock;
use crate::report::escape;

use super::args::CacheCommand;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::workspace;

/// Counts, checks or mends the cache of the workspace.
pub(super) fn run(invocation: &Invocation, command: &CacheCommand, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let settings = |access| CacheSettings { replies: workspace.replies(), index: workspace.index(), access };
    match command {
        CacheCommand::Stats => {
            let stats = cache::stats(&settings(Access::ReadOnly)).context("failed to read the cache")?;
            printer.result(&stats, || {
                let models = stats.models.iter().map(|(model, replies)| format!("  {replies:>9}  {}\n", escape(model)));
                format!(
                    "{} replies in {} segments, {} bytes, {}\n{}{} replaced, {} damaged, {} torn",
                    stats.replies,
                    stats.segments,
                    stats.bytes,
                    stats.spend,
                    models.collect::<String>(),
                    stats.replaced,
                    stats.damaged,
                    stats.torn
                )
            })?;
            Ok(Exit::Complete)
        }
        CacheCommand::Verify => {
            let report = cache::verify(&settings(Access::ReadOnly)).context("failed to read the cache")?;
            printer.result(&report, || verified(&report))?;
            Ok(if report.is_intact() { Exit::Complete } else { Exit::GateFailed })
        }
        CacheCommand::Rebuild => {
            let _lock = Lock::take(&workspace.lock(), "cache rebuild").context("failed to take the lock")?;
            let report = cache::rebuild(&settings(Access::ReadWrite)).context("failed to rebuild the index")?;
            printer.result(&report, || rebuilt(&report))?;
            Ok(Exit::Complete)
        }
    }
}

fn verified(report: &VerifyReport) -> String {
    let damaged =
        report.damaged_lines.iter().map(|line| format!("  {}:{} is damaged\n", line.file.display(), line.line));
    let torn = report.torn_lines.iter().map(|line| format!("  {}:{} was cut off\n", line.file.display(), line.line));
    let index = match &report.index {
        IndexState::Agrees => "the index agrees with the log".to_owned(),
        IndexState::Absent => "there is no index; the next run makes one".to_owned(),
        IndexState::Incomplete { segments } => {
            format!("the index lacks {} segments; the next run mends that", segments.len())
        }
        IndexState::NotCompared { reason } => format!("the index was not compared: {reason}"),
        IndexState::Unusable { reason } => format!("the index cannot be used ({reason}); the next run makes a new one"),
    };
    format!(
        "{} replies in {} segments are in order, {} lines are damaged, {} were cut off by a crash\n{}{}{index}",
        report.replies,
        report.segments,
        report.damaged,
        report.torn_lines.len(),
        damaged.collect::<String>(),
        torn.collect::<String>(),
    )
}

fn rebuilt(report: &RebuildReport) -> String {
    let old =
        report.old_index.as_ref().map(|path| format!("\nthe old index is at `{}`; it can be deleted", path.display()));
    format!(
        "indexed {} replies in {} segments; {} damaged lines skipped{}",
        report.replies,
        report.segments,
        report.damaged,
        old.unwrap_or_default()
    )
}

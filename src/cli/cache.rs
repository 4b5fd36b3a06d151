//! `assize cache`: the reply cache.

use anyhow::Context;

use crate::cache::{self, Access, CacheSettings, CacheStats, IndexState, RebuildReport, VerifyReport};
use crate::journal::Lock;
use crate::report::escape;
use crate::report::rate::count;
use crate::run::settings::Workspace;

use super::args::CacheCommand;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::report::workspace;

/// Counts, checks or mends the cache of the workspace.
pub(super) fn run(invocation: &Invocation, command: &CacheCommand, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let settings = |access| CacheSettings { replies: workspace.replies(), index: workspace.index(), access };
    match command {
        CacheCommand::Stats => {
            let stats = cache::stats(&settings(Access::ReadOnly)).context("failed to read the cache")?;
            printer.result(&stats, || counts(&stats))?;
            Ok(Exit::Complete)
        }
        CacheCommand::Verify => {
            let report = verify(&workspace, settings)?;
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

fn counts(stats: &CacheStats) -> String {
    let models = stats.models.iter().map(|(model, replies)| format!("  {:>11}  {}\n", count(*replies), escape(model)));
    format!(
        "{} in {}, {}, paid {}\n{}{} replaced by newer ones, {} damaged, {} cut off by a crash",
        counted(stats.replies, "reply", "replies"),
        counted(stats.segments, "segment", "segments"),
        counted(stats.bytes, "byte", "bytes"),
        stats.spend,
        models.collect::<String>(),
        count(stats.replaced),
        count(stats.damaged),
        count(stats.torn)
    )
}

/// Reads the whole log. The index is compared where nobody else is at work, because opening it writes to it.
fn verify(workspace: &Workspace, settings: impl Fn(Access) -> CacheSettings) -> anyhow::Result<VerifyReport> {
    let has_index = workspace.index().exists();
    let lock = has_index.then(|| Lock::take(&workspace.lock(), "cache verify")).and_then(Result::ok);
    let access = if lock.is_some() { Access::ReadWrite } else { Access::ReadOnly };
    cache::verify(&settings(access)).context("failed to read the cache")
}

fn verified(report: &VerifyReport) -> String {
    let damaged =
        report.damaged_lines.iter().map(|line| format!("  {}:{} is damaged\n", line.file.display(), line.line));
    let torn = report.torn_lines.iter().map(|line| format!("  {}:{} was cut off\n", line.file.display(), line.line));
    let index = match &report.index {
        IndexState::Agrees => "the index agrees with the log".to_owned(),
        IndexState::Absent => "there is no index; the next run makes one".to_owned(),
        IndexState::Incomplete { segments } => {
            let segments = counted(segments.len() as u64, "segment", "segments");
            format!("the index lacks {segments}; the next run mends that")
        }
        IndexState::NotCompared { reason } => format!("the index was not compared: {reason}"),
        IndexState::Unusable { reason } => format!("the index cannot be used ({reason}); the next run makes a new one"),
    };
    let advice = if report.damaged > 0 { "\nthe next run asks again what the damaged lines held" } else { "" };
    format!(
        "{} in order in {}; {} damaged, {} cut off by a crash\n{}{}{index}{advice}",
        counted(report.replies, "reply", "replies"),
        counted(report.segments, "segment", "segments"),
        counted(report.damaged, "line is", "lines are"),
        count(report.torn_lines.len() as u64),
        damaged.collect::<String>(),
        torn.collect::<String>(),
    )
}

fn rebuilt(report: &RebuildReport) -> String {
    let old = report.old_index.as_ref();
    let old = old.map(|path| format!("\nthe index that was there is now `{}`; it can be deleted", path.display()));
    format!(
        "indexed {} in {}; skipped {}{}",
        counted(report.replies, "reply", "replies"),
        counted(report.segments, "segment", "segments"),
        counted(report.damaged, "damaged line", "damaged lines"),
        old.unwrap_or_default()
    )
}

//! `assize cache`: the reply cache.

use std::io::ErrorKind;

use anyhow::Context;

use crate::cache::{
    self, Access, CacheSettings, CacheStats, DamagedLine, ExportError, ExportFilter, ExportReport, ImportError,
    ImportReport, IndexState, RebuildReport, ReplyCache, VerifyReport,
};
use crate::journal::{JournalError, Lock};
use crate::report::escape;
use crate::report::rate::count;
use crate::run::settings::Workspace;

use super::args::{CacheCommand, ExportArgs, ImportArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::runtime;
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
        CacheCommand::Export(args) => export(&settings(Access::ReadOnly), args, printer),
        CacheCommand::Import(args) => import(&workspace, &settings(Access::ReadWrite), args, printer),
    }
}

fn export(settings: &CacheSettings, args: &ExportArgs, printer: Printer) -> Result<Exit, Failure> {
    let filter = ExportFilter { model: args.model.clone(), since: args.since };
    if args.out.as_os_str() == "-" {
        let report = match cache::export(settings, &filter, &mut printer.out()) {
            Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => return Err(Failure::ClosedPipe),
            report => report.context("failed to export the cache")?,
        };
        printer.note(&exported(&report));
    } else {
        let report = cache::export_to(settings, &filter, &args.out).context("failed to export the cache")?;
        printer.result(&report, || exported(&report))?;
    }
    Ok(Exit::Complete)
}

fn exported(report: &ExportReport) -> String {
    format!(
        "exported {}; {} left out by the filter, {} skipped",
        counted(report.replies, "reply", "replies"),
        count(report.left_out),
        counted(report.damaged, "damaged line", "damaged lines")
    )
}

fn import(
    workspace: &Workspace,
    settings: &CacheSettings,
    args: &ImportArgs,
    printer: Printer,
) -> Result<Exit, Failure> {
    let source = cache::open_export(&args.file)?;
    let _lock = Lock::take(&workspace.lock(), "cache import").context("failed to take the lock")?;
    let (cache, warnings) = ReplyCache::open(settings).context("failed to open the cache")?;
    warn(&warnings, printer);
    let imported = runtime()?.block_on(async {
        let imported = cache::import(&cache, &args.file, source, args.strict).await;
        let warnings = cache.take_warnings();
        cache.close().await.context("failed to close the cache")?;
        Ok::<_, Failure>((imported?, warnings))
    });
    let (report, warnings) = imported?;
    warn(&warnings, printer);
    printer.result(&report, || taken_in(&report))?;
    Ok(if report.is_whole() { Exit::Complete } else { Exit::GateFailed })
}

fn taken_in(report: &ImportReport) -> String {
    let missing = match report.missing {
        0 => String::new(),
        missing => format!(
            "\nthe file was cut off: {} missing; export it again and import the whole file: what is here is passed over",
            counted(missing, "reply is", "replies are")
        ),
    };
    format!(
        "{} imported; {} here already, {} kept as they are here though the file says otherwise, {} passed over\n{}{missing}",
        counted(report.new, "new reply", "new replies"),
        count(report.present),
        count(report.conflicting),
        counted(report.damaged, "damaged line", "damaged lines"),
        damaged(&report.damaged_lines),
    )
}

fn warn(warnings: &[String], printer: Printer) {
    for warning in warnings {
        printer.warning(warning);
    }
}

fn damaged(lines: &[DamagedLine]) -> String {
    let named = lines.iter().map(|line| format!("  {}:{} is damaged\n", line.file.display(), line.line));
    named.collect()
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let hint = match &error {
            ImportError::File(JournalError::WrongKind { .. }) | ImportError::Header { .. } => {
                Some("`assize cache export --out FILE` in the other workspace makes such a file")
            }
            ImportError::File(JournalError::NewerFormat { .. }) => {
                Some("use a newer assize here, or export with this one")
            }
            ImportError::Damaged { .. } | ImportError::CutOff { .. } => {
                Some("what came before is imported; without --strict the rest is as well")
            }
            ImportError::File(_) => Some("what came before is imported; the same command again passes over it"),
            ImportError::Cache(_) => None,
        };
        let failure = Self::new(Exit::Usage, anyhow::Error::from(error).context("failed to import replies"));
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

fn counts(stats: &CacheStats) -> String {
    let models = stats.models.iter().map(|(model, replies)| format!("  {:>11}  {}\n", count(*replies), escape(model)));
    format!(
        "{} in {}, {}, paid {}\n{}{} imported, {} replaced by newer ones, {} damaged, {} cut off by a crash",
        counted(stats.replies, "reply", "replies"),
        counted(stats.segments, "segment", "segments"),
        counted(stats.bytes, "byte", "bytes"),
        stats.spend,
        models.collect::<String>(),
        count(stats.imported),
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
        damaged(&report.damaged_lines),
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

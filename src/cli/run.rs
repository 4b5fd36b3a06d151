//! `assize run`: grade, confirm, report.

use std::io::ErrorKind;

use crate::cache::CacheError;
use crate::grade::stage::StageError;
use crate::journal::{JournalError, LockError};
use crate::model::event::StopReason;
use crate::model::outcome::OutcomeKind;
use crate::report::table;
use crate::run::assemble::AssembleError;
use crate::run::census::CensusError;
use crate::run::pipeline::PipelineError;
use crate::run::session::{self, Ended, SessionError};
use crate::run::settings::CacheMode;

use super::args::RunArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::progress::Display;
use super::ready::{assembled, runtime};

/// Runs an audit and prints its report.
pub(super) fn run(invocation: &Invocation, args: &RunArgs, printer: Printer) -> Result<Exit, Failure> {
    if args.dry_run {
        return super::plan::run(invocation, &args.audit, printer);
    }
    let (cache, mut ended) = graded(invocation, args, printer)?;
    if let Some(aside) = ended.as_ref().err().and_then(SessionError::set_snapshot_aside) {
        printer.warning(&format!(
            "the copy of the selected conversations was damaged: it was moved to `{}` and is made again from the corpus, \
             nothing is lost",
            aside.display()
        ));
        ended = graded(invocation, args, printer)?.1;
    }
    let ended = ended?;
    printer.result(&ended.report, || table::render(&ended.report, printer.style()))?;
    let exit = exit_of(&ended, cache);
    if let StopReason::Unusable { message } = &ended.reason {
        let hint = "mend the key, the model or the quota and run the same command again; what is paid for is kept";
        printer.failure(&anyhow::anyhow!("the grader cannot be used: {message}"), Some(hint));
    } else if let Some(advice) = advice(&ended, exit) {
        printer.note(advice);
    }
    Ok(exit)
}

/// One session of the audit.
fn graded(
    invocation: &Invocation,
    args: &RunArgs,
    printer: Printer,
) -> Result<(CacheMode, Result<Ended, SessionError>), Failure> {
    let assembly = assembled(invocation, &args.audit, printer)?;
    let cache = assembly.audit.cache;
    let mut display = Display::new(args.progress, assembly.definitions.clone(), printer);
    let ended = runtime()?.block_on(session::run(assembly, |notice| display.notice(&notice)));
    if ended.is_ok() {
        display.finish();
    }
    Ok((cache, ended))
}

fn exit_of(ended: &Ended, cache: CacheMode) -> Exit {
    let missed = |stage: &crate::model::tally::StageTally| stage.outcomes.get(&OutcomeKind::NotCached).copied();
    let missed = missed(&ended.tally.screen).or_else(|| ended.tally.confirm.as_ref().and_then(missed));
    match &ended.reason {
        StopReason::Unusable { .. } => Exit::GraderUnusable,
        StopReason::Interrupted => Exit::Interrupted,
        StopReason::Budget | StopReason::Deadline => Exit::StoppedEarly,
        StopReason::Finished if cache == CacheMode::ReadOnly && missed.is_some_and(|units| units > 0) => {
            Exit::CacheMiss
        }
        StopReason::Finished if !ended.tally.is_complete() => Exit::Incomplete,
        StopReason::Finished => Exit::Complete,
    }
}

/// What to do next, where the report does not end well.
fn advice(ended: &Ended, exit: Exit) -> Option<&'static str> {
    Some(match (&ended.reason, exit) {
        (StopReason::Interrupted, _) => "run the same command again to resume; what is paid for is kept",
        (StopReason::Budget, _) => {
            "the cap closed admission: the report is a valid, smaller sample; a higher --max-cost goes on from here"
        }
        (StopReason::Deadline, _) => {
            "the deadline closed admission: the report is a valid, smaller sample; a later --deadline goes on from here"
        }
        (StopReason::Finished, Exit::CacheMiss) => "some replies are not in the cache; see what to do above",
        (StopReason::Finished, Exit::Incomplete) => {
            "more units than `max_ungraded` allows have no usable verdict; see what to do above"
        }
        (StopReason::Finished | StopReason::Unusable { .. }, _) => return None,
    })
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let hint = match &error {
            AssembleError::CapWithoutPrice { .. } => Some(
                "state `price = { input = ..., cached = ..., output = ... }` or `price = \"free\"` for its endpoint",
            ),
            AssembleError::CapWithoutLimit { .. } => {
                Some("set `params = { max_completion_tokens = ... }` for that grader")
            }
            AssembleError::Census(CensusError::Disk { source, .. }) => hint_about_disk(source.kind()),
            AssembleError::Library(_)
            | AssembleError::Cues { .. }
            | AssembleError::Render { .. }
            | AssembleError::Definition(_)
            | AssembleError::Census(_) => None,
        };
        let failure = Self::new(Exit::Usage, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

/// What to do about a corpus whose figures and selected conversations cannot be kept.
fn hint_about_disk(kind: ErrorKind) -> Option<&'static str> {
    if matches!(kind, ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) {
        return Some("what is found in the corpus is kept under `cache` in the workspace: make that folder writable");
    }
    let is_full = matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    is_full.then_some("make room and run the same command again")
}

/// What to do about a file that could not be written.
fn hint_about(file: &JournalError) -> Option<&'static str> {
    match file {
        JournalError::DiskFull { .. } => {
            Some("make room and run the same command again: it resumes, and what is paid for is kept")
        }
        JournalError::NotPermitted { .. } => {
            Some("a run writes what it pays for; `--cache read-only` replays what is there and sends nothing")
        }
        JournalError::Io { .. }
        | JournalError::NewerFormat { .. }
        | JournalError::WrongKind { .. }
        | JournalError::TooLong { .. }
        | JournalError::NotJson { .. }
        | JournalError::Closed { .. } => None,
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let hint = match &error {
            SessionError::Prompt(changed) => Some(changed.hint.clone()),
            SessionError::Lock(LockError::Held { .. }) => {
                Some("wait for it, or stop it; `assize status` shows how far it is".to_owned())
            }
            SessionError::Lock(LockError::File(file))
            | SessionError::Journal(file)
            | SessionError::Cache(CacheError::Log(file))
            | SessionError::Pipeline(
                PipelineError::Journal(file) | PipelineError::Stage(StageError::Cache(CacheError::Log(file))),
            ) => hint_about(file).map(str::to_owned),
            SessionError::Folder(_) => {
                Some("if a journal is damaged, move its run folder away; replies stay in the cache, and what that run spent \
                      no longer counts against the cap".to_owned())
            }
            SessionError::Library(_)
            | SessionError::Cache(_)
            | SessionError::Gates(_)
            | SessionError::Pipeline(_)
            | SessionError::Conclude(_)
            | SessionError::Io { .. } => None,
        };
        let failure = Self::new(Exit::Usage, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

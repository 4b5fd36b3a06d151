//! `assize run`: grade, confirm, report.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::cache::CacheError;
use crate::grade::stage::StageError;
use crate::journal::{JournalError, LockError};
use crate::model::event::StopReason;
use crate::model::outcome::OutcomeKind;
use crate::prompt::library::LibraryError;
use crate::report::escape::escape;
use crate::report::rate::count;
use crate::report::table;
use crate::run::assemble::AssembleError;
use crate::run::census::CensusError;
use crate::run::folder::FolderError;
use crate::run::notify::{Ending, Hook, TIME_LIMIT, notify};
use crate::run::pipeline::PipelineError;
use crate::run::session::{self, Ended, SessionError};
use crate::run::settings::{Audit, CacheMode};
use crate::run::sizing::Allocation;

use super::args::RunArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::progress::Display;
use super::ready::{assembled, runtime};

/// Runs an audit and prints its report.
pub(super) fn run(invocation: &Invocation, args: &RunArgs, printer: Printer) -> Result<Exit, Failure> {
    if args.dry_run {
        return super::plan::plan(invocation, &args.audit, printer);
    }
    let (audit, ended) = graded_or_again(invocation, args, printer)?;
    let (cache, bell) = (audit.cache, Bell::of(&audit));
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let has_opened = error.is_after_opening();
            let failure = Failure::from(error);
            if has_opened {
                bell.ring(failure.exit(), "error", None, printer);
            }
            return Err(failure);
        }
    };
    let shown = printer.result(&ended.report, || table::render(&ended.report, printer.style()));
    let exit = exit_of(&ended, cache);
    say_how_it_ended(&ended, exit, printer);
    bell.ring(exit, ended.reason.as_str(), Some(&ended), printer);
    shown.map(|()| exit)
}

/// Grades as a run does, and leaves it to the caller to say what came of it.
pub(super) fn probe(invocation: &Invocation, args: &RunArgs, printer: Printer) -> Result<Ended, Failure> {
    let (_, ended) = graded_or_again(invocation, args, printer)?;
    Ok(ended?)
}

/// Says how a run ended and with which code it does.
pub(super) fn say(ended: &Ended, printer: Printer) -> Exit {
    let exit = exit_of(ended, CacheMode::On);
    say_how_it_ended(ended, exit, printer);
    exit
}

/// What `[notify]` says.
struct Bell {
    audit: String,
    command: Vec<String>,
    folder: PathBuf,
    withheld: Vec<String>,
}

impl Bell {
    fn of(audit: &Audit) -> Self {
        let folder = audit.file.parent().unwrap_or(&audit.workspace.root).to_owned();
        Self { audit: audit.name.clone(), command: audit.notify.clone(), folder, withheld: audit.key_variables.clone() }
    }

    /// Tells the command how the run ended. That it fails is a warning and nothing else.
    fn ring(&self, exit: Exit, reason: &str, ended: Option<&Ended>, printer: Printer) {
        let (run, report) = ended.map(|ended| (ended.folder.id.clone(), ended.report.to_json())).unwrap_or_default();
        let ending = Ending { audit: &self.audit, run: &run, exit_code: exit.code(), reason, report: &report };
        let hook = Hook { command: &self.command, folder: &self.folder, withheld: &self.withheld };
        if let Err(error) = notify(hook, ending, TIME_LIMIT) {
            printer.warning(&error.to_string());
        }
    }
}

/// What stopped the run, if anything did, and what to do.
fn say_how_it_ended(ended: &Ended, exit: Exit, printer: Printer) {
    let failure = |message: String, hint: &str| printer.failure(&anyhow::anyhow!(message), Some(hint));
    match &ended.reason {
        StopReason::Unusable { message } => failure(
            format!("the grader cannot be used: {message}"),
            "mend the key, the model or the quota and run the same command again; what is paid for is kept",
        ),
        StopReason::ModelChanged { stage, first, then } => failure(
            format!(
                "the {} grader was served as `{first}` and then as `{then}`: verdicts of two models are not mixed",
                stage.as_str()
            ),
            "name one snapshot as `model`, or set another `revision` to ask everything again, or `on_model_change = \
             \"split\"` to count each model apart; what is paid for is kept",
        ),
        StopReason::Unexpected { missing } => failure(
            format!("nothing was sent: the corpus is not what [expect] says\n{}", missing.join("\n")),
            "complete the corpus, or change [expect], and run the same command again",
        ),
        StopReason::Finished
        | StopReason::NarrowEnough(_)
        | StopReason::Budget
        | StopReason::Deadline
        | StopReason::Interrupted => {
            if let Some(advice) = advice(ended, exit) {
                printer.note(advice);
            }
            let (share, limit) = (ended.tally.ungraded_share(), ended.tally.plan.max_ungraded);
            if exit == Exit::StoppedEarly && share > limit {
                printer.note(&format!(
                    "besides, {:.2}% of the admitted units have no usable verdict, more than `max_ungraded` allows \
                     ({:.2}%); that alone would end with code {}",
                    share * 100.0,
                    limit * 100.0,
                    Exit::Incomplete.code()
                ));
            }
        }
    }
}

/// One session of the audit, and another if the copy of the selected conversations was damaged.
fn graded_or_again(
    invocation: &Invocation,
    args: &RunArgs,
    printer: Printer,
) -> Result<(Audit, Result<Ended, SessionError>), Failure> {
    let (audit, ended) = graded(invocation, args, printer)?;
    let Some(aside) = ended.as_ref().err().and_then(SessionError::set_snapshot_aside) else {
        return Ok((audit, ended));
    };
    printer.warning(&format!(
        "the copy of the selected conversations was damaged: it was moved to `{}` and is made again from the corpus, \
         nothing is lost",
        aside.display()
    ));
    graded(invocation, args, printer)
}

/// One session of the audit.
fn graded(
    invocation: &Invocation,
    args: &RunArgs,
    printer: Printer,
) -> Result<(Audit, Result<Ended, SessionError>), Failure> {
    let assembly = assembled(invocation, &args.audit, printer)?;
    let audit = assembly.audit.clone();
    if let Some(allocation) = &assembly.allocation {
        printer.note(&sized(allocation));
    }
    let mut display = Display::new(args.progress, &assembly, printer);
    let ended = runtime()?.block_on(session::run(assembly, |notice| display.notice(&notice)));
    display.finish(ended.as_ref().ok().map(|ended| &ended.reason));
    Ok((audit, ended))
}

/// What the cap has decided.
fn sized(allocation: &Allocation) -> String {
    const NAMED: usize = 6;
    let named = allocation.strata.iter().take(NAMED);
    let mut shown: Vec<String> = named
        .map(|(stratum, units, drawn)| {
            format!("{} {} of {}", escape(&stratum.to_string()), count(*drawn), count(*units))
        })
        .collect();
    let more = allocation.strata.len().saturating_sub(NAMED);
    if more > 0 {
        shown.push(format!("{more} more strata: see `assize plan`"));
    }
    format!(
        "the cap of {} decided the sample (allocate = \"auto\"): {}; expected cost {}",
        allocation.cap,
        shown.join(", "),
        allocation.expected
    )
}

fn exit_of(ended: &Ended, cache: CacheMode) -> Exit {
    let missed = |stage: &crate::model::tally::StageTally| stage.outcomes.get(&OutcomeKind::NotCached).copied();
    let missed = missed(&ended.tally.screen).or_else(|| ended.tally.confirm.as_ref().and_then(missed));
    let missed_repeats = ended.tally.repeats.iter().any(|row| row.counts.not_cached > 0)
        || ended.tally.known.iter().any(|row| row.not_cached > 0);
    match &ended.reason {
        StopReason::Unusable { .. } | StopReason::ModelChanged { .. } => Exit::GraderUnusable,
        StopReason::Interrupted => Exit::Interrupted,
        // Money and time come first: what they left ungraded is said beside it.
        StopReason::Budget | StopReason::Deadline => Exit::StoppedEarly,
        StopReason::Unexpected { .. } => Exit::Incomplete,
        StopReason::Finished | StopReason::NarrowEnough(_)
            if cache == CacheMode::ReadOnly && (missed_repeats || missed.is_some_and(|units| units > 0)) =>
        {
            Exit::CacheMiss
        }
        StopReason::Finished | StopReason::NarrowEnough(_) if !ended.tally.is_complete() => Exit::Incomplete,
        // It did what it set out to do.
        StopReason::Finished | StopReason::NarrowEnough(_) => Exit::Complete,
    }
}

/// What to do next, where the report does not end well.
fn advice(ended: &Ended, exit: Exit) -> Option<&'static str> {
    Some(match (&ended.reason, exit) {
        (StopReason::Interrupted, _) => "run the same command again to resume; what is paid for is kept",
        (StopReason::Budget, _) if ended.report.spend.is_bound_by_workspace() => {
            "the cap of the workspace closed admission: the report is a valid, smaller sample; a higher `max_cost_total` \
             goes on from here"
        }
        (StopReason::Budget, _) => {
            "the cap closed admission: the report is a valid, smaller sample; a higher --max-cost goes on from here"
        }
        (StopReason::Deadline, _) => {
            "the deadline closed admission: the report is a valid, smaller sample; a later --deadline goes on from here"
        }
        (StopReason::Finished | StopReason::NarrowEnough(_), Exit::CacheMiss) => {
            "some replies are not in the cache; see what to do above"
        }
        (StopReason::Finished | StopReason::NarrowEnough(_), Exit::Incomplete) => {
            "more units than `max_ungraded` allows have no usable verdict; see what to do above"
        }
        (StopReason::NarrowEnough(_), _) => {
            "the limits are narrow enough: the same command again sends nothing; a lower `relative_width`, or no \
             `stop_when`, goes on from here"
        }
        (
            StopReason::Finished
            | StopReason::Unexpected { .. }
            | StopReason::ModelChanged { .. }
            | StopReason::Unusable { .. },
            _,
        ) => return None,
    })
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let hint = match &error {
            AssembleError::OtherUnit { stage, unit, instead, .. } => {
                return Self::new(Exit::Usage, anyhow::anyhow!(error.to_string())).with_hint(
                    instead.as_ref().map_or_else(
                        || format!("write a version with `units = [\"{}\"]` in its front matter", unit.as_str()),
                        |label| format!("set `prompt = \"{label}\"` under [grader.{}]", stage.as_str()),
                    ),
                );
            }
            AssembleError::Recorded(recorded) => {
                let hint = recorded.hint();
                let failure = Self::new(Exit::Usage, error);
                return hint.into_iter().fold(failure, Self::with_hint);
            }
            AssembleError::CapWithoutPrice { source } => Some(source.hint()),
            AssembleError::CapWithoutLimit { .. } => {
                Some("set `params = { max_completion_tokens = ... }` for that grader")
            }
            AssembleError::Census(CensusError::Disk { source, .. }) => hint_about_disk(source.kind()),
            AssembleError::Census(CensusError::NoClusters { .. }) => Some(
                "name a field that conversations carry, give it with `set` or `fields` under [[corpus.source]], or write \
                 `cluster_by = \"conversation\"`; then `assize plan` says how many carry it",
            ),
            AssembleError::Census(CensusError::NoGroups { .. }) => Some(
                "name fields that conversations carry, give them with `set` or `fields` under [[corpus.source]], or leave \
                 `group_by` away",
            ),
            AssembleError::Census(CensusError::Empty { .. }) => Some(
                "check `paths`, `format`, `where` and `fields` under [corpus]: `assize run --strict` names the first record \
                 that cannot be read",
            ),
            AssembleError::Library(LibraryError::UnknownPrompt { label, .. }) if label.is_draft() => {
                Some("`assize prompts draft BEHAVIOUR` begins one, as a copy of a version")
            }
            AssembleError::Anchors(_) => {
                Some("see `anchors` under [grader.screen], and docs/drift.md for the form of a line")
            }
            AssembleError::Library(_)
            | AssembleError::Cues { .. }
            | AssembleError::Render { .. }
            | AssembleError::Definition(_)
            | AssembleError::Sensitivity(_)
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
        if let SessionError::Cap(error) = error {
            return error.into();
        }
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
            SessionError::Folder(FolderError::Io { .. }) => {
                Some("see to it that it can be read and written, and run the same command again".to_owned())
            }
            SessionError::Folder(_) => {
                Some("if a journal is damaged, move its run folder away; replies stay in the cache, and what that run spent \
                      counts as it was last accounted for at the end of a session".to_owned())
            }
            SessionError::Library(_)
            | SessionError::Cap(_)
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

//! `assize try`: the prompt as it stands on gold, on the last run's flags and on random units; again on every save.

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use crate::config;
use crate::model::event::StopReason;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::prompt::version::file_name;
use crate::run::settings::Audit;
use crate::run::trial::{Memory, Sizes, Trial, TrialError, TrialSettings};

use super::args::{OverrideArgs, TryArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::runtime;
use super::report::find_run;

/// Between two looks at the files: short enough to feel at once.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Tries a prompt once, or on every save.
pub(super) fn run(invocation: &Invocation, args: &TryArgs, printer: Printer) -> Result<Exit, Failure> {
    let most = NanoUsd::from_usd(args.max_cost)
        .ok_or_else(|| Failure::new(Exit::Usage, anyhow!("`--max-cost` must lie between 0 and 1000000000 dollars")))?;
    let runtime = runtime()?;
    if args.watch {
        return runtime.block_on(watch(invocation, args, most, printer));
    }
    let audit = load(invocation, args, printer)?;
    let (mut left, mut memory) = (most, Memory::default());
    runtime.block_on(once(&audit, args, (&mut left, &mut memory), printer))
}

fn load(invocation: &Invocation, args: &TryArgs, printer: Printer) -> Result<Audit, Failure> {
    let loaded = config::load(&invocation.load_request(&args.file, &OverrideArgs::default()))?;
    for warning in &loaded.warnings {
        printer.warning(warning);
    }
    Ok(loaded.audit)
}

/// One trial, which may spend what is left.
async fn once(
    audit: &Audit,
    args: &TryArgs,
    (left, memory): (&mut NanoUsd, &mut Memory),
    printer: Printer,
) -> Result<Exit, Failure> {
    let (begun, max_cost) = (Instant::now(), *left);
    let against = args.against.as_ref().map(|run| find_run(&audit.workspace, run)).transpose()?;
    let sizes = Sizes { random: args.sample, flagged: args.flagged };
    let settings = TrialSettings { sizes, max_cost, against, framing: None };
    let greatest = Trial::greatest(audit, &settings, memory).await?;
    if greatest.requests > 0 {
        let requests = counted(greatest.requests, "request", "requests");
        printer.note(&format!(
            "sends at most {requests} that cost at most {}, retries aside; the cap is {max_cost}",
            greatest.cost
        ));
    }
    let (report, reason) = Trial::prepare(audit, &settings, memory)?.run(begun, left).await?;
    printer.result(&report, || report.render(args.show, printer.style()))?;
    Ok(exit_of(&reason, printer))
}

pub(super) fn exit_of(reason: &StopReason, printer: Printer) -> Exit {
    match reason {
        StopReason::Finished | StopReason::NarrowEnough(_) => Exit::Complete,
        StopReason::Budget | StopReason::Deadline => {
            printer.note("the cap closed admission: --max-cost, or the audit's own; what was paid for is kept");
            Exit::StoppedEarly
        }
        StopReason::Interrupted => Exit::Interrupted,
        StopReason::Unexpected { .. } => Exit::Incomplete,
        StopReason::Unusable { message } => {
            printer
                .failure(&anyhow!("the grader cannot be used: {message}"), Some("`assize doctor` says what to mend"));
            Exit::GraderUnusable
        }
        StopReason::ModelChanged { first, then, .. } => {
            let error =
                anyhow!("the grader was served as `{first}` and then as `{then}`: nothing above is of one model");
            printer.failure(&error, Some("name one snapshot as `model`"));
            Exit::GraderUnusable
        }
    }
}

/// Tries on every save until somebody ends it. What is wrong with a prompt is said and waited on.
async fn watch(invocation: &Invocation, args: &TryArgs, most: NanoUsd, printer: Printer) -> Result<Exit, Failure> {
    let mut ended = pin!(crate::run::interrupted());
    let (mut left, mut memory) = (most, Memory::default());
    loop {
        let audit = load(invocation, args, printer)?;
        let files = watched(&audit)?;
        let seen = contents(&files);
        match once(&audit, args, (&mut left, &mut memory), printer).await {
            Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
            Ok(_) => {}
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(Failure::Error { error, hint, .. }) => printer.failure(&error, hint.as_deref()),
        }
        printer.note(&format!("waiting for `{}` to be saved; Ctrl-C ends it", files[0].display()));
        loop {
            tokio::select! {
                heard = &mut ended => {
                    heard.context("failed to listen for Ctrl-C")?;
                    return Ok(Exit::Complete);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if contents(&files) != seen {
                break;
            }
        }
    }
}

/// The files whose saving means another trial.
fn watched(audit: &Audit) -> Result<[PathBuf; 2], Failure> {
    let folder = audit.workspace.prompts().join(&audit.behaviour);
    if !folder.is_dir() {
        let error = anyhow!("`{}` came with assize, and there is no file of it to edit", audit.behaviour);
        let hint = format!("`assize prompts draft {}` copies it into the workspace", audit.behaviour);
        return Err(Failure::new(Exit::Usage, error).with_hint(hint));
    }
    Ok([folder.join(file_name(&audit.screen.prompt)), folder.join("behaviour.toml")])
}

/// What the files hold; nothing of one that is not there, as when an editor replaces it.
fn contents(files: &[PathBuf]) -> Vec<Option<Digest>> {
    files.iter().map(|file| std::fs::read(file).ok().map(|bytes| Digest::of(&bytes))).collect()
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        match error {
            TrialError::Assemble(error) => error.into(),
            TrialError::Session(error) => error.into(),
            TrialError::Lint { ref findings, .. } => {
                let advice = findings.first().map(|finding| finding.advice.to_owned());
                let failure = Self::new(Exit::GateFailed, anyhow::Error::from(error));
                advice.into_iter().fold(failure, Self::with_hint)
            }
            TrialError::Recorded => Self::new(Exit::Usage, anyhow::Error::from(error))
                .with_hint("name an endpoint that asks a model under [grader.screen]"),
            TrialError::Nothing(_) => Self::new(Exit::Usage, anyhow::Error::from(error))
                .with_hint("write labelled turns to gold.jsonl of the behaviour, or `assize run` first"),
            TrialError::Folder(_)
            | TrialError::Fold(_)
            | TrialError::Definition(_)
            | TrialError::Conclude(_)
            | TrialError::Units(_)
            | TrialError::Cache(_)
            | TrialError::Forecast(_)
            | TrialError::Diff(_) => {
                Self::new(Exit::Usage, anyhow::Error::from(error).context("failed to try the prompt"))
            }
        }
    }
}

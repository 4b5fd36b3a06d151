//! `assize status`: how far a run is, or was, seen from another terminal.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;

use crate::clock::{self, UnixMs};
use crate::model::event::StopReason;
use crate::report::watermark_line;
use crate::run::look::{Look, RunState, look};

use super::args::{OutputFormat, StatusArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Moves to the first line and clears everything behind it.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Looks once, or every second until the run ends.
pub(super) fn run(invocation: &Invocation, args: &StatusArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    let redraws = args.watch && std::io::stdout().is_terminal() && invocation.global.format == OutputFormat::Text;
    loop {
        let seen = look(&workspace, &folder, clock::now())
            .with_context(|| format!("failed to read the status of run `{}`", folder.id))?;
        let clear = if redraws { CLEAR } else { "" };
        if args.watch && invocation.global.format == OutputFormat::Json {
            printer.text(&serde_json::to_string(&seen).map_err(anyhow::Error::from)?)?;
        } else {
            printer.result(&seen, || format!("{clear}{}", page(&seen)))?;
        }
        if !args.watch || !matches!(seen.state, RunState::Running { .. }) {
            return Ok(Exit::Complete);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn page(seen: &Look) -> String {
    let is_over = !matches!(seen.state, RunState::Running { .. });
    let mark = watermark_line(seen.watermark);
    format!("{mark}run {} ({})\n{}", seen.run, state(&seen.state), seen.progress.page(is_over))
}

fn state(state: &RunState) -> String {
    match state {
        RunState::Running { pid, host: Some(host) } => format!("running: process {pid} on {host}"),
        RunState::Running { pid, host: None } => format!("running: process {pid}"),
        RunState::Ended { reason } => format!("ended: {}", why(reason)),
        RunState::Died { last_seen_ms } => format!(
            "its process died without a word, last seen {}: `assize run` resumes it, and what is paid for is kept",
            UnixMs(*last_seen_ms)
        ),
    }
}

fn why(reason: &StopReason) -> String {
    match reason {
        StopReason::Finished => "every planned unit".to_owned(),
        StopReason::Budget => "the cap closed admission".to_owned(),
        StopReason::Deadline => "the deadline closed admission".to_owned(),
        StopReason::NarrowEnough(look) => {
            format!("the limits were narrow enough at look {}, after {} units", look.number, look.units)
        }
        StopReason::Interrupted => "interrupted; `assize run` resumes it".to_owned(),
        StopReason::Unexpected { missing } => {
            format!("the corpus is not what [expect] says: {}", crate::report::escape(&missing.join("; ")))
        }
        StopReason::ModelChanged { stage, first, then } => format!(
            "the {} grader was served as `{}` and then as `{}`",
            stage.as_str(),
            crate::report::escape(first),
            crate::report::escape(then)
        ),
        StopReason::Unusable { message } => format!("the grader cannot be used: {}", crate::report::escape(message)),
    }
}

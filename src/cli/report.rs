//! `assize report`: a run, seen from its journal.

use anyhow::Context;

use crate::config::workspace_of;
use crate::report::{Report, table};
use crate::run::alternatives::alternatives;
use crate::run::conclude;
use crate::run::cooccurrence::{CooccurrenceError, cooccurrence};
use crate::run::folder::RunFolder;
use crate::run::settings::Workspace;

use super::args::ReportArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;

/// Reports a run again, from its journal and the labels alone.
pub(super) fn report(invocation: &Invocation, args: &ReportArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    if let Some(other) = &args.beside {
        return beside(&workspace, &folder, other, printer);
    }
    if args.definitions {
        let found = alternatives(&workspace, &folder).context("failed to count by other definitions")?;
        printer.result(&found, || found.render(printer.style()))?;
        return Ok(Exit::Complete);
    }
    let tally =
        conclude::tally(&workspace, &folder).with_context(|| format!("failed to report run `{}`", folder.id))?;
    let report = Report::new(&tally);
    printer.result(&report, || table::render(&report, printer.style()))?;
    Ok(Exit::Complete)
}

fn beside(workspace: &Workspace, folder: &RunFolder, other: &str, printer: Printer) -> Result<Exit, Failure> {
    let other = find_run(workspace, other)?;
    let together = cooccurrence(workspace, folder, &other).map_err(|error| {
        let hint = match error {
            CooccurrenceError::Open { .. } => Some("`assize review queue` lists what people are to read"),
            CooccurrenceError::Other { .. } | CooccurrenceError::Nothing => {
                Some("give both audits the same corpus, unit, group_by, seed and draw")
            }
            CooccurrenceError::Mixed { .. } => Some("set another `revision` to ask everything of one model"),
            CooccurrenceError::Conclude(_) | CooccurrenceError::Folder(_) => None,
        };
        let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to put two runs together"));
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;
    printer.result(&together, || together.render(printer.style()))?;
    Ok(Exit::Complete)
}

/// The run with this id, with this beginning of one, or in this folder of the workspace; `latest` is the newest.
pub(super) fn find_run(workspace: &Workspace, name: &str) -> Result<RunFolder, Failure> {
    let here = std::path::absolute(".").context("failed to find the current folder")?;
    let within =
        here.join(name).strip_prefix(here.join(workspace.runs())).ok().and_then(|id| id.to_str().map(str::to_owned));
    let id = within.filter(|_| name.contains('/')).unwrap_or_else(|| name.to_owned());
    Ok(RunFolder::find(&workspace.runs(), Some(&id)).context("failed to find the run")?)
}

/// The workspace that was named, or the one around the current folder.
pub(super) fn workspace(invocation: &Invocation) -> Result<Workspace, Failure> {
    if let Some(root) = &invocation.global.workspace {
        return Ok(Workspace { root: root.clone() });
    }
    let here = std::path::absolute(".").context("failed to find the current folder")?;
    Ok(workspace_of(&here))
}

//! `assize report` and `assize status`: a run, seen from its journal.

use anyhow::Context;

use crate::clock::UnixMs;
use crate::config::workspace_of;
use crate::model::event::Event;
use crate::prompt::Library;
use crate::reconcile::Definitions;
use crate::report::progress::Progress;
use crate::report::{Report, table};
use crate::run::conclude;
use crate::run::folder::RunFolder;
use crate::run::settings::Workspace;

use super::args::RunName;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;

/// Reports a run again, from its journal and the labels alone.
pub(super) fn report(invocation: &Invocation, args: &RunName, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run)?;
    let tally =
        conclude::tally(&workspace, &folder).with_context(|| format!("failed to report run `{}`", folder.id))?;
    let report = Report::new(&tally);
    printer.result(&report, || table::render(&report, printer.style()))?;
    Ok(Exit::Complete)
}

/// Says how far a run is, or was. Times are those of its journal.
pub(super) fn status(invocation: &Invocation, args: &RunName, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run)?;
    let mut progress: Option<Progress> = None;
    let mut started = UnixMs(0);
    let mut ended = None;
    let mut waiting = Vec::new();
    for event in folder.events() {
        let event = event.context("failed to read the journal")?;
        match &event {
            Event::Opened(opened) => (started, ended) = (UnixMs(opened.at_ms), None),
            Event::Planned(planned) if progress.is_none() => {
                let behaviour = Library::open(&workspace.prompts())
                    .and_then(|library| library.behaviour(&planned.behaviour))
                    .context("failed to read the behaviour")?
                    .behaviour;
                let has_confirmer = planned.graders.len() > 1;
                let definitions = Definitions::of(&behaviour, Some(&planned.definition), has_confirmer)
                    .context("failed to read the behaviour")?;
                progress = Some(Progress::new(definitions, started));
            }
            Event::Closed(closed) => ended = Some(UnixMs(closed.at_ms)),
            Event::Planned(_)
            | Event::Admitted(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Judged(_)
            | Event::Warned { .. } => {}
        }
        match &mut progress {
            Some(progress) => progress.event(&event, started),
            None => waiting.push(event),
        }
        if let Some(progress) = &mut progress {
            waiting.drain(..).for_each(|event| progress.event(&event, started));
        }
    }
    let progress = progress.context("the run ended before it had planned anything")?;
    let snapshot = progress.snapshot(ended.unwrap_or_else(crate::clock::now));
    let state = if ended.is_some() { "ended" } else { "running, or ended without a word" };
    printer.result(&snapshot, || format!("run {} ({state})\n{}", folder.id, snapshot.page(ended.is_some())))?;
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

//! `assize mine`: words that set units of a run apart.

use crate::run::mine::{MineError, Wanted, mine};

use super::args::MineArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

/// Finds words and phrases that set one side of a run apart.
pub(super) fn run(invocation: &Invocation, args: &MineArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    let show = usize::try_from(args.show).unwrap_or(usize::MAX);
    let wanted = Wanted { group: args.group.clone(), only_confirmed: args.confirmed, least: args.least, show };
    let mined = mine(&workspace, &folder, &wanted).map_err(failed)?;
    printer.result(&mined, || mined.render(printer.style()))?;
    Ok(Exit::Complete)
}

fn failed(error: MineError) -> Failure {
    let hint = match error {
        MineError::TooFew { .. } => {
            Some("grade more, have people decide what is flagged, or lower `--least`; `assize ls` shows what there is")
        }
        MineError::View(_) | MineError::Units(_) => Some("`assize run` copies the conversations from the corpus again"),
        MineError::NoField(_) => Some("`group_by` under [corpus] says what is grouped"),
        MineError::Conclude(_) | MineError::Folder(_) | MineError::Cues { .. } => None,
    };
    let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to mine the run"));
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

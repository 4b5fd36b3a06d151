//! `assize diff`: two gradings of the same units.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::report::diff::Diff;
use crate::run::diff::{DiffError, Sided, diff};
use crate::run::settings::Workspace;

use super::args::DiffArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

/// Compares two runs, or two definitions, on the units that both graded.
pub(super) fn run(invocation: &Invocation, args: &DiffArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let sides = [side(&workspace, &args.a)?, side(&workspace, &args.b)?];
    let found = diff(&workspace, &sides).map_err(failed)?;
    if let Some(path) = &args.html {
        write_page(path, &found).with_context(|| format!("failed to write `{}`", path.display()))?;
        printer.note(&format!("`{}` holds every flip, with text of the transcripts", path.display()));
    }
    printer.result(&found, || found.render(args.show, printer.style()))?;
    Ok(Exit::Complete)
}

/// `RUN` or `RUN:DEFINITION`.
fn side(workspace: &Workspace, name: &str) -> Result<Sided, Failure> {
    let (run, definition) = match name.rsplit_once(':') {
        Some((run, definition)) => (run, Some(definition.to_owned())),
        None => (name, None),
    };
    Ok(Sided { folder: find_run(workspace, run)?, definition })
}

fn failed(error: DiffError) -> Failure {
    let hint = match error {
        DiffError::OtherBehaviour { .. } => Some("`assize report A --beside B` says how often two behaviours meet"),
        DiffError::Other { .. } | DiffError::Nothing => {
            Some("give both audits the same corpus, group_by, seed and draw")
        }
        DiffError::Definition(_) => Some("a side is RUN or RUN:DEFINITION; definitions stand in behaviour.toml"),
        DiffError::Conclude(_)
        | DiffError::Folder(_)
        | DiffError::Fold(_)
        | DiffError::Cache(_)
        | DiffError::Units(_) => None,
    };
    let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to compare two gradings"));
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// A temporary file, which only its owner can read, renamed when it is complete.
fn write_page(path: &Path, found: &Diff) -> Result<(), anyhow::Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(found.page().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

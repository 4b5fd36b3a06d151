//! `assize validate`: a prompt against labelled units.

use crate::clock;
use crate::run::validate::{LabelSource, ValidateError, validate};

use super::args::{Split, ValidateArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

/// Measures the verdicts of a run against labels.
pub(super) fn run(invocation: &Invocation, args: &ValidateArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run)?;
    let source = match (&args.labels, args.split) {
        (Some(file), _) => LabelSource::File(file.clone()),
        (None, Some(Split::Test)) => LabelSource::Test,
        (None, Some(Split::Dev) | None) => LabelSource::Dev,
    };
    let found = validate(&workspace, &folder, &source, clock::now()).map_err(failed)?;
    printer.result(&found, || found.render(printer.style()))?;
    Ok(Exit::Complete)
}

fn failed(error: ValidateError) -> Failure {
    let hint = match &error {
        ValidateError::Circular { .. } => Some(
            "let people label units of a draw that is blind to verdicts, as `assize sensitivity draw` makes one; \
             `assize diff` compares two graders",
        ),
        ValidateError::MixedForms { .. } => Some("put them into two files"),
        ValidateError::OtherUnit { .. } => {
            Some("label conversations by their id: {\"unit\": \"conversation-id\", ...}")
        }
        ValidateError::Nothing { .. } | ValidateError::Io { .. } => {
            Some("a label is a line as `labels/<seat>.jsonl` or `gold.jsonl` has it; docs/validate.md shows both")
        }
        ValidateError::Conclude(_)
        | ValidateError::Folder(_)
        | ValidateError::Library(_)
        | ValidateError::Definition(_)
        | ValidateError::Fold(_) => None,
    };
    let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to validate"));
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

//! `assize config`: every setting with its value and where it comes from.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use crate::config::{self, Setting};

use super::args::AuditArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a std::path::Path,
    settings: &'a [Setting],
}

/// Loads an audit file and prints its settings.
pub(super) fn run(invocation: &Invocation, args: &AuditArgs, printer: Printer) -> Result<Exit, Failure> {
    let loaded = config::load(&invocation.load_request(&args.file, &args.overrides))?;
    for warning in &loaded.warnings {
        printer.warning(warning);
    }
    let mut settings = loaded.settings;
    settings.push(invocation.workspace_setting(&loaded.audit.workspace.root));
    printer.result(&Shown { file: &loaded.audit.file, settings: &settings }, || table(&settings))?;
    Ok(Exit::Complete)
}

fn table(settings: &[Setting]) -> String {
    let rows: Vec<_> = settings.iter().map(|setting| (&setting.key, shown(&setting.value), &setting.origin)).collect();
    let width = |cell: fn(&(&String, String, &config::Origin)) -> usize| rows.iter().map(cell).max().unwrap_or(0);
    let (keys, values) = (width(|row| row.0.chars().count()), width(|row| row.1.chars().count().min(WIDEST_VALUE)));
    let mut table = String::new();
    for (key, value, origin) in &rows {
        let written = writeln!(table, "{key:keys$}  {value:values$}  {origin}");
        written.expect("writing to a string succeeds");
    }
    table
}

/// A longer value pushes its own origin aside, not everybody's.
const WIDEST_VALUE: usize = 40;

fn shown(value: &Value) -> String {
    if value.is_null() { "(none)".to_owned() } else { value.to_string() }
}

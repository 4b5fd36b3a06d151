//! `assize ls`: units of a run, one a line.

use std::io::{self, ErrorKind, Write};

use crate::report::rate::{count, units};
use crate::report::{escape, watermark_line};
use crate::run::conclude;
use crate::run::list::{ListError, ListedUnit, ListedVerdict, Listing, Status, list};
use crate::source::Filter;

use super::args::{ListArgs, OutputFormat, StatusArg};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

/// Lists units.
pub(super) fn run(invocation: &Invocation, args: &ListArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    let filter = Filter::over_units(&args.expression).map_err(|error| failed(error.into()))?;
    let wanted = Listing {
        statuses: args.status.iter().copied().map(status).collect(),
        class: args.class.clone(),
        group: args.group.clone(),
        filter,
        limit: args.limit,
    };
    let format = invocation.global.format;
    let planned = conclude::plan_of(&folder).map_err(anyhow::Error::from)?;
    let mut out = printer.out();
    if format == OutputFormat::Text {
        let mark = watermark_line(planned.watermark());
        out.write_all(mark.as_bytes()).map_err(|error| failed(ListError::Write(error)))?;
    }
    let found = list(&workspace, &folder, &wanted, |unit| write_line(&mut out, unit, format)).map_err(failed)?;
    out.flush().map_err(|error| failed(ListError::Write(error)))?;
    if !found.unknown.is_empty() && found.not_asked == 0 {
        let names: Vec<_> = found.unknown.iter().map(|name| format!("`{name}`")).collect();
        printer.warning(&format!("no unit looked at has {} in its metadata", names.join(", ")));
    }
    if found.not_asked > 0 {
        printer.note(&format!("the expression says nothing of {}: not asked", units(found.not_asked, planned.unit)));
    }
    if format == OutputFormat::Text {
        printer.line(&format!("{}; `assize show UNIT` shows one", units(found.units, planned.unit)));
    }
    Ok(Exit::Complete)
}

fn write_line(out: &mut impl Write, unit: &ListedUnit, format: OutputFormat) -> io::Result<()> {
    match format {
        OutputFormat::Json => {
            serde_json::to_writer(&mut *out, unit)?;
            writeln!(out)
        }
        OutputFormat::Text => {
            let group: Vec<_> = unit.group.values().map(|value| escape(value)).collect();
            let (group, class) = (group.join(" · "), escape(&unit.class));
            let code = unit.code.as_ref().map(|code| format!(" ({})", escape(code))).unwrap_or_default();
            let said = format!("screen {}, confirm {}", said(&unit.screen), said(&unit.confirm));
            let status = format!("{}{code}", unit.status.as_str());
            writeln!(out, "{:<24}  {status:<16}  {class:<18}  {group:<12}  {said}", escape(&unit.unit))
        }
    }
}

fn said(verdict: &ListedVerdict) -> String {
    let score = verdict.score.map(|score| format!(" {}", count(score.into()))).unwrap_or_default();
    format!("{}{score}", verdict.verdict)
}

const fn status(status: StatusArg) -> Status {
    match status {
        StatusArg::Flagged => Status::Flagged,
        StatusArg::Confirmed => Status::Confirmed,
        StatusArg::Rejected => Status::Rejected,
        StatusArg::Disputed => Status::Disputed,
        StatusArg::Pending => Status::Pending,
        StatusArg::Cleared => Status::Cleared,
        StatusArg::Ungraded => Status::Ungraded,
        StatusArg::Unfinished => Status::Unfinished,
    }
}

fn failed(error: ListError) -> Failure {
    let hint = match &error {
        ListError::Write(error) if error.kind() == ErrorKind::BrokenPipe => return Failure::ClosedPipe,
        ListError::View(_) | ListError::Units(_) => Some("`assize run` copies the conversations from the corpus again"),
        ListError::Filter(_) => Some("metadata are texts: user == 'u-17'; scores are numbers: score >= 50"),
        ListError::NoField(_) => Some("`group_by` under [corpus] says what is grouped; `--where` sees all metadata"),
        ListError::NoClass { .. } | ListError::Conclude(_) | ListError::Folder(_) | ListError::Write(_) => None,
    };
    let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to list units"));
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

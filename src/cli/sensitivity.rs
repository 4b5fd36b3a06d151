//! `assize sensitivity`: the known positives that turn what a funnel catches into how much there is.

use std::fmt::Write;
use std::path::Path;

use crate::clock;
use crate::report::rate::count;
use crate::report::{escape, watermark_line};
use crate::run::assemble::Assembly;
use crate::run::sensitivity::{
    self, DrawRequest, Drawn, GroupStatus, ImportRequest, Imported, PlantRequest, Planted, RowStatus, SensitivityError,
    Status,
};

use super::args::{
    AuditArgs, AuditFile, DrawArgs, ImportKnownArgs, OverrideArgs, PlantArgs, SensitivityCommand, StatusKnownArgs,
};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::assembled;

/// Draws, plants, imports or looks at known positives. Sends nothing.
pub(super) fn run(invocation: &Invocation, command: &SensitivityCommand, printer: Printer) -> Result<Exit, Failure> {
    let file = match command {
        SensitivityCommand::Draw(DrawArgs { file, .. })
        | SensitivityCommand::Plant(PlantArgs { file, .. })
        | SensitivityCommand::Import(ImportKnownArgs { file, .. })
        | SensitivityCommand::Status(StatusKnownArgs { file }) => file,
    };
    let assembly = decided(invocation, file, printer)?;
    match command {
        SensitivityCommand::Draw(args) => draw(&assembly, args, printer),
        SensitivityCommand::Plant(args) => plant(&assembly, args, printer),
        SensitivityCommand::Import(args) => import(&assembly, args, printer),
        SensitivityCommand::Status(_) => status(&assembly, printer),
    }
}

fn decided(invocation: &Invocation, file: &AuditFile, printer: Printer) -> Result<Assembly, Failure> {
    let args = AuditArgs { file: file.clone(), overrides: OverrideArgs::default() };
    assembled(invocation, &args, printer)
}

fn draw(assembly: &Assembly, args: &DrawArgs, printer: Printer) -> Result<Exit, Failure> {
    let request = DrawRequest {
        class: args.class.clone(),
        units: args.n,
        groups: args.group.clone(),
        draw: args.draw,
        seat: args.seat.clone(),
    };
    let drawn = sensitivity::draw(assembly, &request)?;
    printer.result(&drawn, || drawn_text(&drawn))?;
    Ok(Exit::Complete)
}

fn drawn_text(drawn: &Drawn) -> String {
    let turns = drawn.groups.values().sum();
    let queue = drawn.queue.display();
    let mut text = format!("wrote {} to {queue}\n", counted(turns, "turn", "turns"));
    for (group, turns) in &drawn.groups {
        writeln!(text, "  {:<40}{:>8}", escape(group), count(*turns)).expect("a string can be written to");
    }
    for (left, why) in [
        (drawn.read_before, "left out, because people have read the same before"),
        (drawn.copies_of_sampled, "left out, because the audited sample holds an exact copy"),
    ] {
        if left > 0 {
            writeln!(text, "  {} {why}", count(left)).expect("a string can be written to");
        }
    }
    text + &format!(
        "next: fill in `decision` (\"yes\", \"no\", \"unsure\" or \"cannot_judge\") on every line, then\n      \
         `assize sensitivity import {queue}`"
    )
}

fn plant(assembly: &Assembly, args: &PlantArgs, printer: Printer) -> Result<Exit, Failure> {
    let request = PlantRequest {
        file: args.texts.clone(),
        per_group: args.per_group,
        groups: args.group.clone(),
        seat: args.seat.clone(),
        at: clock::now(),
    };
    let planted = sensitivity::plant(assembly, &request)?;
    printer.result(&planted, || planted_text(&planted))?;
    Ok(Exit::Complete)
}

fn planted_text(planted: &Planted) -> String {
    let items = planted.groups.values().sum();
    let mut text = format!("planted {}\n", counted(items, "known positive", "known positives"));
    for (group, items) in &planted.groups {
        writeln!(text, "  {:<40}{:>8}", escape(group), count(*items)).expect("a string can be written to");
    }
    if planted.merged > 0 {
        writeln!(text, "  {} were in the set already", count(planted.merged)).expect("a string can be written to");
    }
    text + NEXT
}

const NEXT: &str = "next: `assize sensitivity status` says what is missing, `assize run` grades the set";

fn import(assembly: &Assembly, args: &ImportKnownArgs, printer: Printer) -> Result<Exit, Failure> {
    let request =
        ImportRequest { file: args.items.clone(), found_by: args.found_by, seat: args.seat.clone(), at: clock::now() };
    let imported = sensitivity::import(assembly, &request)?;
    printer.result(&imported, || imported_text(&args.items, &imported))?;
    for refused in &imported.refused {
        printer.warning(&format!("{}:{}: {}", args.items.display(), refused.line, refused.reason));
    }
    Ok(if imported.refused.is_empty() { Exit::Complete } else { Exit::GateFailed })
}

fn imported_text(file: &Path, imported: &Imported) -> String {
    let items = counted(imported.items, "known positive", "known positives");
    let mut text = format!("{items} added, {} in the set already", count(imported.merged));
    let refused = imported.refused.len() as u64;
    writeln!(text, ", {} refused", counted(refused, "line", "lines")).expect("a string can be written to");
    let read: u64 = imported.read.values().sum();
    if read + imported.unread > 0 {
        let yes = imported.read.get(&crate::model::label::Decision::Yes).copied().unwrap_or_default();
        let said = format!("{} read, {}", count(read), counted(yes, "positive", "positives"));
        writeln!(text, "{said}, {} without a decision", count(imported.unread)).expect("a string can be written to");
    }
    if imported.unread > 0 {
        let file = file.display();
        writeln!(text, "fill the rest in and run `assize sensitivity import {file}` again: what is here stays once")
            .expect("a string can be written to");
    }
    if imported.other_groups > 0 {
        let items = counted(imported.other_groups, "item is", "items are");
        writeln!(text, "{items} of a group that the corpus does not have, and not graded by this audit")
            .expect("a string can be written to");
    }
    text + NEXT
}

fn status(assembly: &Assembly, printer: Printer) -> Result<Exit, Failure> {
    let status = sensitivity::status(assembly)?;
    printer.result(&status, || status_text(&status))?;
    for line in &status.unreadable {
        printer.warning(line);
    }
    Ok(Exit::Complete)
}

fn status_text(status: &Status) -> String {
    let mut text = watermark_line(status.watermark);
    write_status(&mut text, status).expect("a string can be written to");
    text
}

fn write_status(text: &mut String, status: &Status) -> std::fmt::Result {
    let version = status.version.map_or_else(|| "empty".to_owned(), |version| version.short());
    writeln!(text, "Sensitivity set of {}, {}: {version}", escape(&status.audit), escape(&status.behaviour))?;
    match &status.run {
        None => writeln!(text, "no run has graded it yet")?,
        Some(run) if status.is_current => writeln!(text, "graded by run {run}")?,
        Some(run) => writeln!(text, "run {run} graded another version of it: `assize run` grades this one")?,
    }
    writeln!(text, "\n  {:<48}{:>8}{:>10}{:>10}", "", "items", "usable m", "passed c")?;
    for group in &status.groups {
        writeln!(text, "  {}", escape(&group.group))?;
        for row in &group.rows {
            writeln!(text, "{}", row_text(row))?;
        }
        if group.rows.is_empty() {
            writeln!(text, "    none")?;
        }
    }
    writeln!(text, "\nMissing for corrected figures")?;
    for group in &status.groups {
        missing(text, group)?;
    }
    if !status.read.is_empty() {
        writeln!(text, "\nRead in blind draws")?;
    }
    for read in &status.read {
        let name = format!("{} / {}", escape(&read.class), escape(&read.group));
        let yes = counted(read.yes, "positive", "positives");
        writeln!(text, "  {name:<48} {} read, {yes}, {} undecided", count(read.read), count(read.undecided))?;
    }
    for (reason, items) in &status.left_out {
        writeln!(text, "left out: {} {}", count(*items), reason.reason())?;
    }
    Ok(())
}

fn row_text(row: &RowStatus) -> String {
    let figure = |figure: Option<u64>| figure.map_or_else(|| "?".to_owned(), count);
    let name = format!("{} ({})", escape(&row.class), row.usage.as_str());
    let (usable, passed) = (figure(row.usable), figure(row.passed));
    format!("    {name:<46}{:>8}{usable:>10}{passed:>10}", count(row.items))
}

fn missing(text: &mut String, group: &GroupStatus) -> std::fmt::Result {
    writeln!(text, "  {}", escape(&group.group))?;
    for (what, missing) in [("by group", &group.missing), ("by class", &group.missing_by_class)] {
        if missing.is_empty() {
            writeln!(text, "    {what}: nothing")?;
        }
        for part in missing {
            writeln!(text, "    {what}: {part}")?;
        }
    }
    Ok(())
}

impl From<SensitivityError> for Failure {
    fn from(error: SensitivityError) -> Self {
        let hint = error.hint();
        let failure = Self::new(Exit::Usage, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

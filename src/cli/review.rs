//! `assize review`: what people are to read.

use std::fmt::Write;

use anyhow::Context;
use serde::Serialize;

use crate::model::hash::{Digest, PartHasher};
use crate::model::tally::QueuedUnit;
use crate::model::unit::{Group, UnitId};
use crate::report::escape;
use crate::report::rate::units;
use crate::run::conclude;

use super::args::{QueueArgs, ReviewCommand};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

pub(super) fn run(invocation: &Invocation, command: &ReviewCommand, printer: Printer) -> Result<Exit, Failure> {
    match command {
        ReviewCommand::Queue(args) => queue(invocation, args, printer),
    }
}

/// A label without a decision.
#[derive(Serialize)]
struct Line<'a> {
    unit: String,
    group: &'a Group,
    decision: Option<&'static str>,
    seat: &'a str,
    behaviour: &'a str,
    definition: &'a str,
}

fn queue(invocation: &Invocation, args: &QueueArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    let tally = conclude::tally(&workspace, &folder).with_context(|| format!("failed to read run `{}`", folder.id))?;
    let mut queued: Vec<&UnitId> = tally.queue.iter().map(|QueuedUnit { unit, .. }| unit).collect();
    queued.sort_by_cached_key(|unit| place(&args.seat, unit));
    let plan = &tally.plan;
    let mut lines = Vec::new();
    for unit in queued {
        lines.push(Line {
            unit: unit.to_string(),
            group: &unit.group,
            decision: None,
            seat: &args.seat,
            behaviour: &plan.behaviour,
            definition: &plan.definition,
        });
    }
    printer.result(&lines, || {
        let mut text = format!("{} to read\n", units(lines.len() as u64, plan.unit));
        for line in &lines {
            let (unit, group) = (escape(&line.unit), escape(&line.group.to_string()));
            writeln!(text, "  {unit}  [{group}]").expect("a string can be written to");
        }
        text
    })?;
    Ok(Exit::Complete)
}

/// Where a unit stands in a seat's order: nothing about graders or other seats can be read off it.
fn place(seat: &str, unit: &UnitId) -> Digest {
    let mut hasher = PartHasher::new("seat");
    hasher.part(seat.as_bytes()).part(unit.key().as_bytes());
    hasher.finish()
}

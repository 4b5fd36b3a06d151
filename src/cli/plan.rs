//! `assize plan`: what a run would do and cost.

use anyhow::Context;

use crate::report::plan::{PlanReport, render};
use crate::run::forecast::outlook;

use super::args::AuditArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::ready::{assembled, runtime};

/// Plans an audit and prints the plan. Sends nothing.
pub(super) fn run(invocation: &Invocation, args: &AuditArgs, printer: Printer) -> Result<Exit, Failure> {
    let assembly = assembled(invocation, args, printer)?;
    let outlook = runtime()?.block_on(outlook(assembly)).context("failed to plan")?;
    let report = PlanReport::new(&outlook.planned, &outlook.load, &outlook.forecast, outlook.missing);
    printer.result(&report, || render(&report, printer.style()))?;
    Ok(Exit::Complete)
}

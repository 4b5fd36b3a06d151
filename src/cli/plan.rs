//! `assize plan`: what a run would do, cost and buy.

use anyhow::Context;

use crate::config;
use crate::estimate::detect::Chance;
use crate::model::event::StopReason;
use crate::model::rate::Level;
use crate::plan::measured::Measured;
use crate::plan::questions::Question;
use crate::plan::settings::Assumptions;
use crate::report::plan::questions::{self, Answers};
use crate::report::plan::{PlanReport, render};
use crate::run::conclude;
use crate::run::forecast::outlook;

use super::args::{AuditArgs, PlanArgs, ProgressArg, QuestionArgs, RunArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::ready::{assembled, runtime};
use super::report::find_run;

/// Answers questions, or plans an audit by assumptions, by a run, or by a probe. Without `--probe` it sends nothing.
pub(super) fn run(invocation: &Invocation, args: &PlanArgs, printer: Printer) -> Result<Exit, Failure> {
    if args.questions.is_asked() {
        return answer(invocation, args, printer);
    }
    match (&args.from_run, args.probe) {
        (None, None) => plan(invocation, &args.audit, printer),
        (Some(run), _) => {
            let measured = of_run(invocation, &args.audit, run, printer)?;
            planned(invocation, &args.audit, Some(measured), printer)
        }
        (None, Some(units)) => probe(invocation, &args.audit, units, printer),
    }
}

/// Plans an audit by its assumptions and prints the plan. Sends nothing.
pub(super) fn plan(invocation: &Invocation, args: &AuditArgs, printer: Printer) -> Result<Exit, Failure> {
    planned(invocation, args, None, printer)
}

fn planned(
    invocation: &Invocation,
    args: &AuditArgs,
    measured: Option<Measured>,
    printer: Printer,
) -> Result<Exit, Failure> {
    let assembly = assembled(invocation, args, printer)?;
    let outlook = runtime()?.block_on(outlook(assembly, measured)).context("failed to plan")?;
    let report = PlanReport::new(
        (&outlook.planned, &outlook.load),
        (&outlook.forecast, outlook.anchors.as_ref(), &outlook.prospect),
        outlook.allocation.is_some(),
        outlook.missing,
    );
    printer.result(&report, || render(&report, printer.style()))?;
    Ok(Exit::Complete)
}

/// What a run of this audit's workspace has shown.
fn of_run(invocation: &Invocation, args: &AuditArgs, run: &str, printer: Printer) -> Result<Measured, Failure> {
    let audit = config::load(&invocation.load_request(&args.file, &args.overrides))?.audit;
    let folder = find_run(&audit.workspace, run)?;
    let tally = conclude::tally(&audit.workspace, &folder)
        .with_context(|| format!("failed to learn from run `{}`", folder.id))?;
    if tally.plan.behaviour != audit.behaviour {
        let (theirs, ours) = (&tally.plan.behaviour, &audit.behaviour);
        let error = anyhow::anyhow!("run `{}` looked for `{theirs}`, and this audit looks for `{ours}`", folder.id);
        return Err(Failure::new(Exit::Usage, error).with_hint("name a run of this behaviour: see `runs/`"));
    }
    if tally.plan.unit != audit.corpus.unit {
        let (theirs, ours) = (tally.plan.unit.as_str(), audit.corpus.unit.as_str());
        let error = anyhow::anyhow!("run `{}` graded {theirs}s, and this audit grades {ours}s", folder.id);
        return Err(Failure::new(Exit::Usage, error).with_hint("name a run of the same unit: see `runs/`"));
    }
    if tally.screen.reached() == tally.screen.unfinished {
        printer.warning(&format!("run `{}` has no verdict yet: [assume] stands", folder.id));
    }
    Ok(Measured::of(&tally))
}

/// Grades the first units of the audit's own sample, under its own cap, and plans by what they showed. It is a run like
/// any other: its replies are in the cache when the audit runs.
fn probe(invocation: &Invocation, args: &AuditArgs, units: u64, printer: Printer) -> Result<Exit, Failure> {
    let mut limited = args.clone();
    limited.overrides.limit = Some(args.overrides.limit.map_or(units, |limit| limit.min(units)));
    let run = RunArgs { audit: limited, dry_run: false, progress: ProgressArg::Auto };
    let ended = super::run::probe(invocation, &run, printer)?;
    match &ended.reason {
        StopReason::Finished | StopReason::NarrowEnough(_) | StopReason::Budget | StopReason::Deadline => {}
        StopReason::Interrupted
        | StopReason::Unusable { .. }
        | StopReason::ModelChanged { .. }
        | StopReason::Unexpected { .. } => return Ok(super::run::say(&ended, printer)),
    }
    printer.note(&format!(
        "graded {} units for {}: run `{}`; its replies are kept and are not paid for again",
        ended.tally.screen.reached(),
        ended.tally.spend.total,
        ended.folder.id
    ));
    planned(invocation, args, Some(Measured::of(&ended.tally)), printer)
}

fn answer(invocation: &Invocation, args: &PlanArgs, printer: Printer) -> Result<Exit, Failure> {
    let QuestionArgs { detect, at_most, fold, prevalence } = &args.questions;
    // Without an audit file the questions are answered by the defaults.
    let audit = &args.audit;
    let (level, assume) = if audit.file.audit.exists() {
        let audit = config::load(&invocation.load_request(&audit.file, &audit.overrides))?.audit;
        (audit.level, audit.assume)
    } else {
        (0.95, Assumptions::default())
    };
    let mut asked = Vec::new();
    asked.extend(detect.map(Question::Detect));
    asked.extend(at_most.map(Question::AtMost));
    if let Some(fold) = *fold {
        let base = prevalence.or_else(|| Chance::new(assume.prevalence));
        let question = base.and_then(|base| Question::fold(fold, base)).ok_or_else(|| {
            let rate = prevalence.map_or(assume.prevalence, Chance::get);
            let error =
                anyhow::anyhow!("a rate cannot be `{fold}` times `{rate}`: give a fold above 1, and both below 1");
            Failure::new(Exit::Usage, error).with_hint("for example `assize plan --fold 1.5 --prevalence 2e-4`")
        })?;
        asked.push(question);
    }
    let level = Level::new(level).expect("the level was checked");
    let answers = Answers::new(&asked, level);
    printer.result(&answers, || questions::render(&answers, printer.style()))?;
    Ok(Exit::Complete)
}

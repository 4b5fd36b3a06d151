//! `assize prompts invariance`: whether the grader's verdicts move with what is said of their consequences.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::config;
use crate::model::money::NanoUsd;
use crate::prompt::framing::{Framing, SHIPPED_FRAMINGS, parse_framings};
use crate::report::invariance::Conclusion;
use crate::run::trial::Memory;
use crate::run::trial::framed::{InvarianceSettings, greatest, run as run_all};

use super::args::{InvarianceArgs, OverrideArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::runtime;
use super::report::find_run;
use super::trial::exit_of;

/// Asks about the same units plainly and under every framing.
pub(super) fn run(invocation: &Invocation, args: &InvarianceArgs, printer: Printer) -> Result<Exit, Failure> {
    let max_cost = NanoUsd::from_usd(args.max_cost)
        .ok_or_else(|| Failure::new(Exit::Usage, anyhow!("`--max-cost` must lie between 0 and 1000000000 dollars")))?;
    let framings = framings(args.framings.as_deref())?;
    let loaded = config::load(&invocation.load_request(&args.file, &OverrideArgs::default()))?;
    for warning in &loaded.warnings {
        printer.warning(warning);
    }
    let audit = loaded.audit;
    let against = args.against.as_ref().map(|run| find_run(&audit.workspace, run)).transpose()?;
    let settings = InvarianceSettings { random: args.sample, max_cost, against, framings };
    let (report, reason) = runtime()?.block_on(async {
        let mut memory = Memory::default();
        let most = greatest(&audit, &settings, &mut memory).await?;
        let (askings, requests) = (settings.framings.len() + 1, counted(most.requests, "request", "requests"));
        printer.note(&format!(
            "asks about every unit {askings} times: at most {requests} that cost at most {}, retries aside; the cap is {max_cost}",
            most.cost
        ));
        run_all(&audit, &settings, &mut memory).await
    })?;
    printer.result(&report, || report.render(printer.style()))?;
    let ended = exit_of(&reason, printer);
    Ok(match report.conclusion {
        _ if ended != Exit::Complete => ended,
        Conclusion::Moved | Conclusion::Unusable => Exit::GateFailed,
        Conclusion::OtherModel => Exit::GraderUnusable,
        Conclusion::Unfinished => Exit::Incomplete,
        Conclusion::NotMoved | Conclusion::TooFew => Exit::Complete,
    })
}

fn framings(file: Option<&Path>) -> Result<Vec<Framing>, Failure> {
    let Some(path) = file else {
        return Ok(parse_framings(SHIPPED_FRAMINGS).expect("what comes with assize is read by a test"));
    };
    let named = || format!("failed to read framings `{}`", path.display());
    let text = std::fs::read_to_string(path).with_context(named).map_err(|error| Failure::new(Exit::Usage, error))?;
    let read = parse_framings(&text).with_context(named);
    read.map_err(|error| {
        Failure::new(Exit::Usage, error)
            .with_hint("a framing is `[[framing]]` with `id`, `text` and, for a control, `control = true`")
    })
}

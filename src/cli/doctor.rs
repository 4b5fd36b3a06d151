//! `assize doctor`: whether a run would get off the ground, and what to mend.

use anyhow::anyhow;
use serde_json::json;

use crate::clock;
use crate::config;
use crate::model::money::NanoUsd;
use crate::run::doctor::{Check, Expense, Health, Visit, examine};

use super::args::DoctorArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::runtime;

/// Looks at this machine, then, unless it may not, asks each endpoint and each grader once.
pub(super) fn run(invocation: &Invocation, args: &DoctorArgs, printer: Printer) -> Result<Exit, Failure> {
    let loaded = config::load(&invocation.load_request(&args.file, &super::args::OverrideArgs::default()))?;
    let most = NanoUsd::from_usd(args.max_cost)
        .ok_or_else(|| Failure::new(Exit::Usage, anyhow!("`--max-cost` must lie between 0 and 1000000000 dollars")))?;
    let file = loaded.audit.file.clone();
    let mut visit = examine(loaded.audit, clock::now());
    let first = Check {
        about: "audit".to_owned(),
        health: Health::Ok,
        says: format!("`{}` is well-formed", file.display()),
        fix: None,
    };
    visit.checks.insert(0, first);
    visit.checks.splice(1..1, loaded.warnings.into_iter().map(warning));
    let sent = if args.offline { None } else { send(&mut visit, most, printer)? };
    let exit = exit_of(&visit.checks);
    let value = json!({
        "schema": 1,
        "checks": visit.checks,
        "requests_sent": sent.map_or(0, |sent| sent.requests),
        "spent_usd": sent.map_or(0.0, |sent| sent.cost.usd()),
        "exit": exit.code(),
    });
    printer.result(&value, || page(&visit.checks, sent))?;
    Ok(exit)
}

fn warning(says: String) -> Check {
    Check { about: "audit".to_owned(), health: Health::Warning, says, fix: None }
}

/// Announces what is sent and sends it, if its bound allows.
fn send(visit: &mut Visit, most: NanoUsd, printer: Printer) -> Result<Option<Expense>, Failure> {
    if !visit.can_send() {
        return Ok(None);
    }
    let refusal = match visit.bound() {
        None => "a grader has no known price, so the test request has no bound".to_owned(),
        Some(bound) if bound.cost > most => {
            format!("the test requests could cost {}, and `--max-cost` allows {most}", bound.cost)
        }
        Some(bound) => {
            printer.note(&format!(
                "sends {} that cost at most {}, outside the budget of the audit; --offline sends none",
                counted(bound.requests, "request", "requests"),
                bound.cost
            ));
            return Ok(Some(runtime()?.block_on(visit.send())));
        }
    };
    let fix = "state a price for the endpoint, raise --max-cost, or use --offline";
    visit.checks.push(Check {
        about: "requests".to_owned(),
        health: Health::Failed,
        says: format!("nothing was sent: {refusal}"),
        fix: Some(fix.to_owned()),
    });
    Ok(None)
}

fn exit_of(checks: &[Check]) -> Exit {
    let has = |health| checks.iter().any(|check| check.health == health);
    if has(Health::Failed) {
        Exit::Usage
    } else if has(Health::Unusable) {
        Exit::GraderUnusable
    } else {
        Exit::Complete
    }
}

fn page(checks: &[Check], sent: Option<Expense>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for check in checks {
        lines.push(format!("{:<8} {:<17} {}", check.health.as_str(), check.about, crate::report::escape(&check.says)));
        lines.extend(check.fix.iter().map(|fix| format!("{:<26} > {fix}", "")));
    }
    let count = |health: &[Health]| checks.iter().filter(|check| health.contains(&check.health)).count() as u64;
    let failed = counted(count(&[Health::Failed, Health::Unusable]), "check failed", "checks failed");
    let warned = counted(count(&[Health::Warning]), "warning", "warnings");
    let cost = match sent {
        Some(sent) => {
            format!(
                "{} sent, {} spent outside the audit's budget",
                counted(sent.requests, "request", "requests"),
                sent.cost
            )
        }
        None => "nothing was sent".to_owned(),
    };
    lines.push(format!("\n{failed}, {warned}; {cost}"));
    lines.join("\n")
}

//! `assize anchors`: units with a known answer that tell whether a grader has changed.

use anyhow::anyhow;
use serde_json::json;

use crate::model::event::StopReason;
use crate::report::rate::count;
use crate::report::watermark_line;
use crate::run::anchors::{Announced, Drawn, draw};
use crate::run::settings::CacheMode;

use super::args::{AnchorsCommand, BaselineArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::{Printer, counted};
use super::ready::{assembled, runtime};

/// Draws the baseline of an audit's anchors.
pub(super) fn run(invocation: &Invocation, command: &AnchorsCommand, printer: Printer) -> Result<Exit, Failure> {
    match command {
        AnchorsCommand::Baseline(args) => baseline(invocation, args, printer),
    }
}

fn baseline(invocation: &Invocation, args: &BaselineArgs, printer: Printer) -> Result<Exit, Failure> {
    let assembly = assembled(invocation, &args.audit(), printer)?;
    if assembly.audit.cache != CacheMode::On {
        return Err(Failure::new(Exit::Usage, anyhow!("a baseline asks what is not there, and nothing else"))
            .with_hint(
                "leave `--cache` away; for a baseline from scratch set another `revision` under [grader.screen]",
            ));
    }
    let mark = assembly.planned.watermark();
    let announce = |announced: &Announced| printer.note(&announcement(announced));
    let Some(drawn) = runtime()?.block_on(draw(assembly, announce, |_| {}))? else {
        return Err(Failure::new(Exit::Usage, anyhow!("the audit names no anchors"))
            .with_hint("write `anchors = { file = \"gold.jsonl\", rate = 0.01 }` under [grader.screen]"));
    };
    let exit = exit_of(&drawn);
    let mut value = json!({
        "schema": 1,
        "anchors": drawn.announced.anchors,
        "draws": drawn.announced.draws,
        "requests": drawn.announced.requests,
        "most_usd": drawn.announced.most.usd(),
        "there": drawn.there,
        "spent_usd": drawn.spent.usd(),
        "stop": drawn.reason,
        "exit": exit.code(),
    });
    if let Some(mark) = mark {
        value["watermark"] = mark.into();
    }
    printer.result(&value, || watermark_line(mark) + &page(&drawn))?;
    Ok(exit)
}

fn announcement(announced: &Announced) -> String {
    let requests = counted(announced.requests, "request", "requests");
    let left = announced.left.map(|left| format!("; the cap leaves {left}")).unwrap_or_default();
    match announced.requests {
        0 => "the baseline is whole: nothing is sent".to_owned(),
        _ => format!("sends {requests} that cost at most {}, under the cap of the audit{left}", announced.most),
    }
}

const fn whole(drawn: &Drawn) -> u64 {
    drawn.announced.anchors * drawn.announced.draws as u64
}

fn exit_of(drawn: &Drawn) -> Exit {
    match &drawn.reason {
        StopReason::Unusable { .. } | StopReason::ModelChanged { .. } => Exit::GraderUnusable,
        StopReason::Interrupted => Exit::Interrupted,
        StopReason::Budget | StopReason::Deadline => Exit::StoppedEarly,
        StopReason::Unexpected { .. } => Exit::Incomplete,
        StopReason::Finished | StopReason::NarrowEnough(_) if drawn.there < whole(drawn) => Exit::Incomplete,
        StopReason::Finished | StopReason::NarrowEnough(_) => Exit::Complete,
    }
}

fn page(drawn: &Drawn) -> String {
    let (anchors, all) = (counted(drawn.announced.anchors, "anchor", "anchors"), whole(drawn));
    let head = format!(
        "baseline of {anchors}: {} of {} draws are there, {} spent",
        count(drawn.there),
        count(all),
        drawn.spent
    );
    let next = if let StopReason::Unusable { message } = &drawn.reason {
        format!("\nthe grader cannot be used: {}", crate::report::escape(message))
    } else if drawn.there < all {
        "\nthe same command draws the rest; where the cap was too low, with a higher --max-cost".to_owned()
    } else {
        "\nnext: `assize run` visits the anchors beside what it asks anew, and tests for drift".to_owned()
    };
    head + &next
}

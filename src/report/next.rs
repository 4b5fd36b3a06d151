//! What to do after a run, by how it ended and what its report lacks.

use super::escape::escape;
use super::json::Report;
use super::rate::units;
use crate::model::event::StopReason;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Decider;
use crate::model::unit::UnitKind;

/// Whether an address from a transcript is safe to paste into a shell between quotes.
fn is_plain(address: &str) -> bool {
    address.chars().all(|c| c.is_ascii_alphanumeric() || "#-_.:/@+".contains(c))
}

/// What helps against ungraded units: a stored reply replays as it is, a failed request is sent again.
fn ungraded_step(report: &Report) -> String {
    let units = |kinds: &[OutcomeKind]| {
        let stages = report.graders.iter().flat_map(|grader| &grader.outcomes);
        stages.filter(|(kind, _)| kinds.contains(kind)).map(|(_, units)| *units).sum::<u64>()
    };
    if units(&[OutcomeKind::NotCached]) > 0 {
        return "run without `--cache read-only` to ask what is not in the cache".to_owned();
    }
    if units(&[OutcomeKind::Failed]) > 0 {
        return "run again: requests that failed are sent again, everything else replays".to_owned();
    }
    if units(&[OutcomeKind::NotRecorded]) > 0 {
        return "add the missing units to the file of verdicts, and mend its unreadable lines".to_owned();
    }
    let is_cut = report.grader_health.cut_share.is_some_and(|share| share > 0.0);
    let below_floor: u64 = report.context.iter().map(|row| row.below_floor).sum();
    if report.unit.is_turn() && below_floor > 0 {
        return "raise `max_chars` or `max_tokens` of `window` under [grader.screen] and [grader.confirm], or read turns that \
                are too long in chunks: `over_long = \"chunk\"`"
            .to_owned();
    }
    if report.unit == UnitKind::Conversation && is_cut && units(&[OutcomeKind::CannotJudge]) > 0 {
        return "raise `max_chars` of `window` under [grader.screen] and [grader.confirm]: a conversation with a message that \
                no question has room for is never absent"
            .to_owned();
    }
    "what is ungraded was answered, and replays: try another model, a new prompt version or `on_truncated`".to_owned()
}

/// In the order in which they help.
pub(super) fn next_steps(report: &Report) -> Vec<String> {
    let mut steps = Vec::new();
    match &report.sessions.stop {
        Some(StopReason::Budget) if report.spend.is_bound_by_workspace() => {
            steps.push("raise `max_cost_total` and run again: what is paid for is kept".to_owned());
        }
        Some(StopReason::Budget) => steps.push("raise the cap and run again: what is paid for is kept".to_owned()),
        Some(StopReason::Unexpected { .. }) => steps
            .push("complete the corpus, or change [expect] if this is what it should hold, and run again".to_owned()),
        Some(StopReason::ModelChanged { .. }) => steps.push(
            "name one snapshot as `model`, or set another `revision` to ask everything again; with `on_model_change = \
             \"split\"` the run goes on and counts each model apart"
                .to_owned(),
        ),
        Some(StopReason::Unusable { .. }) => {
            steps.push("mend the key, the model or the quota and run again: what is paid for is kept".to_owned());
        }
        Some(StopReason::Deadline | StopReason::Interrupted) | None => {
            steps.push("run again: it resumes, and what is paid for is kept".to_owned());
        }
        Some(StopReason::Finished | StopReason::NarrowEnough(_)) if !report.complete => {
            steps.push(ungraded_step(report));
        }
        Some(StopReason::NarrowEnough(_)) => steps.push(
            "to go on, lower `relative_width` under [budget] or take `stop_when` away, and run again: what is paid for \
             is kept"
                .to_owned(),
        ),
        Some(StopReason::Finished) => {}
    }
    let funnel = &report.funnel;
    let by_grader = funnel.confirmed_by.get(&Decider::Grader).copied().unwrap_or(0);
    if funnel.pending > 0 && !report.graders.iter().any(|grader| grader.stage == Stage::Confirm) {
        steps.push("add [grader.confirm]: only flagged units are asked about again".to_owned());
    }
    if by_grader + funnel.pending > 0 {
        let open = units(by_grader + funnel.pending, report.unit);
        steps.push(format!(
            "have people read the {open} that no person decided about, and what else the estimates need: `assize review \
             queue` lists all of it, and labels/ takes their decisions"
        ));
    }
    if let Some(row) = report.confirmed_units.iter().find(|row| is_plain(&row.unit)) {
        let group: Vec<_> = row.group.values().map(|value| escape(value)).collect();
        let group = if group.is_empty() { String::new() } else { format!(", the one of {}", group.join(" · ")) };
        steps.push(format!("read one of the confirmed: `assize show '{}'`{group}", row.unit));
    }
    if funnel.disputed > 0 {
        steps.push("have the disputed ones decided: the newest decision of a seat counts".to_owned());
    }
    if report.simulated {
        steps.push("point the graders at a real endpoint; this was a rehearsal".to_owned());
    }
    if steps.is_empty() {
        steps.push("publish the floor with its n, its group and this report's digest".to_owned());
    }
    steps.push(format!("report.json has every figure (digest {})", report.digest.short()));
    steps
}

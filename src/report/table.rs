//! The report as a page for a terminal: what was counted, the funnel, the rates, how far to believe them, what it
//! cost, what to do next.

use super::escape::escape;
use super::estimate_table;
use super::floor_table;
use super::json::{ConversationRow, Funnel, Grader, GroupFields, Report, SpendCount};
pub use super::layout::Style;
use super::layout::{Ink, Page, fitted};
use super::next::next_steps;
use super::people_table;
use super::rate::{count, units};
use super::repeats_table;
use super::sensitivity_table;
use super::sequence_table;
use crate::model::event::StopReason;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::{Decider, RateName, Target};
use crate::model::recorded::given_by;
use crate::model::stop::Look;
use crate::model::unit::UnitKind;

/// The report as text, 80 columns wide.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page::new(style);
    title(&mut page, report);
    corpus(&mut page, report);
    funnel(&mut page, report);
    classes(&mut page, report);
    floor_table::floors(&mut page, report);
    sequence_table::sequence(&mut page, report);
    estimate_table::estimates(&mut page, report);
    people_table::people(&mut page, report);
    estimate_table::recall(&mut page, report);
    estimate_table::comparisons(&mut page, report);
    rungs(&mut page, report);
    sensitivity_table::sensitivity(&mut page, report);
    repeats_table::repeats(&mut page, report);
    health(&mut page, report);
    cost(&mut page, report);
    if !report.warnings.is_empty() {
        page.heading(&format!("Warnings ({})", report.warnings.len()));
        for warning in &report.warnings {
            page.wrapped("  ! ", &escape(warning));
        }
    }
    page.heading("Next");
    for step in next_steps(report) {
        page.wrapped("  > ", &step);
    }
    page.finish()
}

/// A group's values in the order of the audit file, escaped.
pub(super) fn group_name(report: &Report, group: &GroupFields) -> String {
    let values = report.design.group_by.iter().filter_map(|field| group.get(field));
    let shown: Vec<_> =
        values.map(|value| if value.is_empty() { "(none)".to_owned() } else { escape(value) }).collect();
    if shown.is_empty() { "all".to_owned() } else { shown.join(" · ") }
}

fn title(page: &mut Page, report: &Report) {
    page.watermark(report.watermark.as_deref());
    if report.simulated {
        let banner = page.ink(Ink::Alarm, "*** SIMULATION ***");
        page.line(&banner);
        page.line("Graded by the simulated grader: no figure below speaks of a real model.");
    }
    let run = report.run.as_deref().map(|run| format!(" ({})", escape(run))).unwrap_or_default();
    page.heading(&format!("{}{run}", escape(&report.audit)));
    let unit = report.unit.as_str();
    page.wrapped("  counted  ", &format!("{unit}s that show {}", escape(&report.behaviour)));
    page.wrapped("           ", &format!("by the definition `{}`", escape(&report.definition)));
    if let Some(drawn) = drawn(report) {
        page.wrapped("  drawn    ", &drawn);
    }
    for grader in &report.graders {
        page.wrapped(&format!("  {:<9}", grader.stage.as_str()), &grader_line(grader));
    }
    let state = if report.complete { "complete".to_owned() } else { page.ink(Ink::Alarm, "INCOMPLETE") };
    page.wrapped("  state    ", &format!("{state}: {}", stop(report)));
    if let Some(headline) = floor_table::headline(report) {
        page.wrapped("  floor    ", &headline);
    }
}

/// What was drawn and what is not independent, where it is not single turns and their conversations.
fn drawn(report: &Report) -> Option<String> {
    let clusters = report.design.cluster_by.as_ref().map(|field| format!("clusters by `{}`", escape(field)));
    // What is drawn one by one is what is counted, which the line above has named.
    let draws = match (report.unit, report.design.sample_by) {
        (UnitKind::Turn, UnitKind::Conversation) => Some("whole conversations".to_owned()),
        (unit, _) => clusters.is_some().then(|| format!("single {}s", unit.as_str())),
    };
    let parts: Vec<String> = draws.into_iter().chain(clusters).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn grader_line(grader: &Grader) -> String {
    let served: Vec<_> = grader.models_served.iter().map(|model| escape(model)).collect();
    let served = match served.as_slice() {
        [] => String::new(),
        [one] if *one == grader.model => String::new(),
        models => format!(", served by {}", models.join(" and ")),
    };
    let given = given_by(grader.prompt.as_ref(), grader.prompt_hash.as_ref(), grader.recorded.as_ref());
    let given = match grader.recorded {
        Some(_) => format!("{given}, not graded by assize"),
        None => format!("prompt {given}"),
    };
    format!("{}{served}, {}", escape(&grader.model), escape(&given))
}

fn stop(report: &Report) -> String {
    match &report.sessions.stop {
        None => "still running or killed".to_owned(),
        Some(StopReason::Finished) if report.complete => "every planned unit has ended".to_owned(),
        Some(StopReason::Finished) => "it ended, and not every planned unit has a usable verdict".to_owned(),
        Some(StopReason::Budget) if report.spend.is_bound_by_workspace() => {
            format!("stopped by the cap of the workspace{}", and_ungraded(report))
        }
        Some(StopReason::Budget) => format!("stopped by the cap{}", and_ungraded(report)),
        Some(StopReason::Deadline) => format!("stopped by the deadline{}", and_ungraded(report)),
        Some(StopReason::NarrowEnough(look)) => format!("{}{}", narrow_enough(look), and_ungraded(report)),
        Some(StopReason::Unexpected { .. }) => "the corpus is not what [expect] says: nothing was sent".to_owned(),
        Some(StopReason::ModelChanged { stage, first, then }) => {
            format!("the {} grader changed from `{}` to `{}`", stage.as_str(), escape(first), escape(then))
        }
        Some(StopReason::Interrupted) => "interrupted".to_owned(),
        Some(StopReason::Unusable { message }) => format!("the grader is unusable: {}", escape(message)),
    }
}

/// Why a run that knew enough stopped, and at which look.
fn narrow_enough(look: &Look) -> String {
    format!(
        "stopped because the limits of what the graders confirm were narrow enough: {:.2} wide where {} was asked for, \
         at look {}, after the first {} units",
        look.width.get(),
        look.rule.relative_width.get(),
        count(look.number),
        count(look.units)
    )
}

/// What else is short in a run that budget or deadline stopped: both are said.
fn and_ungraded(report: &Report) -> String {
    let (share, limit) = (report.grader_health.ungraded_share.unwrap_or_default(), report.design.max_ungraded);
    if share <= limit {
        return String::new();
    }
    let (unit, share, limit) = (report.unit.as_str(), share * 100.0, limit * 100.0);
    format!("; and {share:.2}% of the admitted {unit}s have no usable verdict (limit {limit:.2}%)")
}

fn corpus(page: &mut Page, report: &Report) {
    let corpus = &report.corpus;
    page.heading("Corpus");
    page.line(&format!(
        "  {} in {}, {} with reasoning",
        units(corpus.turns, UnitKind::Turn),
        units(corpus.conversations, UnitKind::Conversation),
        count(corpus.turns_with_reasoning)
    ));
    if let Some(without) = corpus.conversations_without_turn.filter(|without| *without > 0) {
        let without = units(without, UnitKind::Conversation);
        page.wrapped("  ", &format!("{without} without an assistant message: there is nothing to grade, so no unit"));
    }
    let unreadable: u64 = corpus.unreadable.values().sum();
    page.line(&format!(
        "  records {}: kept {}, duplicates {}, filtered out {}, unreadable {}",
        count(corpus.records),
        count(corpus.conversations),
        count(corpus.duplicates),
        count(corpus.filtered_out),
        count(unreadable)
    ));
    for (reason, records) in &corpus.unreadable {
        page.wrapped("    ", &format!("{} {}", count(*records), escape(reason)));
    }
    for example in corpus.examples.iter().take(3) {
        page.wrapped("    e.g. ", &escape(example));
    }
}

fn funnel(page: &mut Page, report: &Report) {
    let funnel = &report.funnel;
    page.heading(&format!("Funnel, in {}s (each part sums to the line above it)", report.unit.as_str()));
    let mut row = |depth: usize, name: &str, units: u64, note: &str| {
        let lead = format!("  {:<30}{:>14}  ", format!("{}{name}", "  ".repeat(depth)), count(units));
        page.wrapped(&lead, note);
    };
    row(0, "corpus", funnel.units, "");
    row(1, "not drawn", funnel.not_planned, "");
    let whole = |of: fn(&ConversationRow) -> u64| {
        let drawn = funnel.drawn_conversations.as_ref().map(of);
        drawn.map_or_else(String::new, |drawn| format!("in {}", units(drawn, UnitKind::Conversation)))
    };
    row(1, "planned", funnel.planned, &whole(|row| row.planned));
    if funnel.not_admitted > 0 {
        row(2, "not admitted", funnel.not_admitted, not_admitted_note(report));
    }
    row(2, "admitted", funnel.admitted, &whole(|row| row.admitted));
    if funnel.unfinished > 0 {
        row(3, "unfinished", funnel.unfinished, "the run ended before they did");
    }
    row(3, "ungraded", funnel.ungraded, &outcomes(funnel));
    row(3, "cleared", funnel.cleared, "");
    row(3, "flagged", funnel.flagged, &unverified_note(funnel.outcomes.get(&OutcomeKind::EvidenceUnverified)));
    row(4, "pending", funnel.pending, &pending_note(report));
    if funnel.disputed > 0 {
        row(4, "disputed", funnel.disputed, "people disagree");
    }
    row(4, "rejected", funnel.rejected, &rejected_note(report));
    let by = |decider| funnel.confirmed_by.get(&decider).copied().unwrap_or(0);
    row(4, "grader-confirmed", by(Decider::Grader), "second grader, no person yet");
    row(4, "confirmed", by(Decider::People), "by people");
}

fn not_admitted_note(report: &Report) -> &'static str {
    match report.sessions.stop {
        Some(StopReason::Budget | StopReason::Deadline) => "cap or deadline came first",
        Some(StopReason::NarrowEnough(_)) => "enough was known first",
        Some(StopReason::Unexpected { .. }) => "the corpus is not what [expect] says",
        Some(StopReason::Interrupted | StopReason::ModelChanged { .. } | StopReason::Unusable { .. }) | None => {
            "the run ended first"
        }
        Some(StopReason::Finished) => "",
    }
}

/// Why units are ungraded, by outcome.
fn outcomes(funnel: &Funnel) -> String {
    let unusable = funnel.outcomes.iter().filter(|(kind, units)| !kind.is_usable() && **units > 0);
    unusable.map(|(kind, units)| format!("{kind} {}", count(*units))).collect::<Vec<_>>().join(", ")
}

/// That quotes were made up.
fn unverified_note(units: Option<&u64>) -> String {
    let units = units.copied().unwrap_or_default();
    if units == 0 { String::new() } else { format!("{} without a quote that stands", count(units)) }
}

fn pending_note(report: &Report) -> String {
    let Some(confirm) = report.graders.iter().find(|grader| grader.stage == Stage::Confirm) else {
        return "there is no second grader".to_owned();
    };
    let unusable = confirm.outcomes.iter().filter(|(kind, units)| !kind.is_usable() && **units > 0);
    let mut parts: Vec<_> = unusable.map(|(kind, units)| format!("{kind} {}", count(*units))).collect();
    if confirm.unfinished > 0 {
        parts.push(format!("unfinished {}", count(confirm.unfinished)));
    }
    parts.join(", ")
}

fn rejected_note(report: &Report) -> String {
    let funnel = &report.funnel;
    let people = funnel.rejected_by.get(&Decider::People).copied().unwrap_or(0);
    let codes = funnel.rejected_codes.iter().filter(|(code, _)| *code != "none");
    let mut parts: Vec<_> = codes.map(|(code, units)| format!("{} {}", escape(code), count(*units))).collect();
    if people > 0 {
        parts.push(format!("{} of them by people", count(people)));
    }
    let confirm = report.graders.iter().find(|grader| grader.stage == Stage::Confirm);
    let unverified = confirm.and_then(|grader| grader.outcomes.get(&OutcomeKind::EvidenceUnverified)).copied();
    if let Some(unverified) = unverified.filter(|units| *units > 0) {
        parts.push(format!("{} without a quote that stands", count(unverified)));
    }
    parts.join(", ")
}

fn classes(page: &mut Page, report: &Report) {
    page.heading("By prefilter class");
    let columns = |cells: [&str; 6]| {
        let [name, rest @ ..] = cells;
        let [units, planned, admitted, flagged, confirmed] = rest;
        format!("  {:<23}{units:>11}{planned:>11}{admitted:>11}{flagged:>11}{confirmed:>11}", fitted(name, 22))
    };
    page.line(&columns(["", "units", "planned", "admitted", "flagged", "confirmed*"]));
    for class in report.funnel.by_class.keys() {
        let rows: Vec<_> = report.strata.iter().filter(|row| row.class == *class).collect();
        let sum = |of: fn(&super::json::StratumRow) -> u64| count(rows.iter().map(|row| of(row)).sum());
        let name = escape(class);
        let cells =
            [sum(|r| r.units), sum(|r| r.planned), sum(|r| r.admitted), sum(|r| r.flagged), sum(|r| r.confirmed)];
        let [units, planned, admitted, flagged, confirmed] = cells.each_ref().map(String::as_str);
        page.line(&columns([&name, units, planned, admitted, flagged, confirmed]));
    }
    page.line("  * by people, or by the second grader where people are silent");
}

/// What the run cannot say, once for all groups, and each obstacle once.
fn rungs(page: &mut Page, report: &Report) {
    let mut told: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for name in [RateName::Catchable, RateName::Corrected, RateName::Ceiling] {
        let rate = report.rates.iter().find(|rate| {
            rate.name == name && rate.group.is_empty() && rate.unit == report.unit && rate.target == Target::Corpus
        });
        let missing = rate.filter(|rate| rate.upper.is_none());
        let Some(reason) = missing.and_then(|rate| rate.reason.as_deref()) else { continue };
        let (known, new): (Vec<_>, Vec<_>) = reason.split("; ").partition(|part| told.contains(part));
        let lead = match (known.is_empty(), new.is_empty()) {
            (true, _) => "",
            (false, true) => "the same",
            (false, false) => "the same; ",
        };
        lines.push((name.as_str(), format!("{lead}{}", escape(&new.join("; ")))));
        told.extend(new);
    }
    if !report.design.group_by.is_empty() && report.comparisons.pairs.iter().all(|pair| pair.ratio.is_none()) {
        let first = report.comparisons.pairs.iter().find_map(|pair| pair.reason.as_deref());
        let reason = report.comparisons.reason.as_deref().or(first);
        lines.extend(reason.map(|reason| ("comparison", escape(reason))));
    }
    if lines.is_empty() {
        return;
    }
    page.heading("What this run cannot say, and what to add");
    for (name, reason) in lines {
        page.wrapped(&format!("  {name:<10} "), &reason);
    }
}

fn health(page: &mut Page, report: &Report) {
    let health = &report.grader_health;
    let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), |share| format!("{:.2}%", share * 100.0));
    page.heading("Grader health");
    page.line(&format!(
        "  ungraded {} (limit {:.2}%), cut context {}, injection suspected {}",
        percent(health.ungraded_share),
        report.design.max_ungraded * 100.0,
        percent(health.cut_share),
        count(health.injection_suspected)
    ));
    if report.graders.first().is_some_and(|screen| screen.recorded.is_some()) {
        page.wrapped("  ", "Signs of injection were not looked for at the screen, which is recorded.");
    }
    if let Some(row) = &health.flip_rate {
        page.wrapped("  flip rate  ", &repeats_table::flips(Stage::Screen, row));
    }
    match (&health.drift, &health.drift_reason) {
        (Some(row), _) => page.line(&format!("  {}", super::drift::line(row))),
        (None, Some(reason)) if reason != super::drift::NO_ANCHORS => page.wrapped("  drift  no test: ", reason),
        (None, _) => {}
    }
    for line in report.context.iter().flat_map(super::json::ContextRow::lines) {
        page.wrapped("  ", &line);
    }
}

fn cost(page: &mut Page, report: &Report) {
    let (spend, requests) = (&report.spend, &report.requests);
    page.heading("Spend");
    page.wrapped("  ", &money(spend));
    page.line(&format!(
        "  {} prompt tokens ({} cached), {} completion tokens{}",
        count(spend.prompt_tokens),
        count(spend.cached_tokens),
        count(spend.completion_tokens),
        match spend.reasoning_tokens {
            0 => String::new(),
            tokens => format!(" ({} reasoning)", count(tokens)),
        }
    ));
    page.line(&format!(
        "  {} requests sent, {} verdicts replayed, {} retried, {} repeated after a crash",
        count(requests.sent),
        count(requests.replayed),
        count(requests.retried),
        count(requests.repeated)
    ));
}

fn money(spend: &SpendCount) -> String {
    let usd =
        |amount: f64| if amount > 0.0 && amount < 0.01 { format!("${amount:.6}") } else { format!("${amount:.2}") };
    let cap = spend.cap_usd.map_or_else(|| "no cap".to_owned(), |cap| format!("cap {} over all runs", usd(cap)));
    let presumed = if spend.presumed_usd > 0.0 {
        format!(", of which {} is presumed: nobody knows if it was billed", usd(spend.presumed_usd))
    } else {
        String::new()
    };
    let all_runs = if spend.audit_usd > spend.usd {
        format!(", {} in all runs of this audit", usd(spend.audit_usd))
    } else {
        String::new()
    };
    let total = spend.workspace.as_ref().map_or_else(String::new, |workspace| {
        format!("; {} in the workspace (cap {})", usd(workspace.usd), usd(workspace.cap_usd))
    });
    format!("{} in this run{all_runs} ({cap}){total}{presumed}", usd(spend.usd))
}

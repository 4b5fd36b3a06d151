//! A plan as JSON and as a page for a terminal.

pub mod anchors;
pub mod buys;
pub mod questions;
mod rests_on;

use std::collections::BTreeMap;

use serde::Serialize;

use super::escape::escape;
pub use super::layout::Style;
use super::layout::{Page, fitted};
use super::rate::{count, units};
use super::repeats_table;
use crate::estimate::NoSequence;
use crate::model::event::{Planned, PlannedGrader, PlannedStratum};
use crate::model::hash::Digest;
use crate::model::known_plan::LeftOut;
use crate::model::money::NanoUsd;
use crate::model::unit::UnitKind;
use crate::plan::anchors::AnchorForecast;
use crate::plan::forecast::{Forecast, Load, StageLoad};
use crate::plan::prospect::Prospect;
use crate::plan::stopping::{Stopping, stopping};
use anchors::PlannedAnchors;
use buys::Buys;

/// A plan, for people and programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    /// Version of this form.
    pub schema: u32,
    /// The audit's name.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// Conversations of the corpus.
    pub conversations: u64,
    /// Turns of the corpus.
    pub turns: u64,
    /// Records that could not be read, or were there twice.
    pub set_aside: u64,
    /// Who would ask what.
    pub graders: Vec<PlannedGrader>,
    /// Strata with their sizes.
    pub strata: Vec<PlannedStratum>,
    /// Known positives that would be graded first; absent without a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<PlannedKnown>,
    /// Units that would be screened.
    pub planned: u64,
    /// What is graded: turns, where it is absent, or conversations.
    #[serde(skip_serializing_if = "UnitKind::is_turn")]
    pub unit: UnitKind,
    /// What is drawn: single turns, where it is absent, or whole conversations.
    #[serde(skip_serializing_if = "UnitKind::is_turn")]
    pub sample_by: UnitKind,
    /// Conversations that are drawn, where whole ones are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations_planned: Option<u64>,
    /// The metadata field whose values are the clusters; conversations are where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_by: Option<String>,
    /// Conversations that carry it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations_with_cluster: Option<u64>,
    /// Replies that are in the cache.
    pub cached: u64,
    /// Whether the grader is simulated.
    pub simulated: bool,
    /// That a grader's prompt is a draft: what such a run gives is not for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// Requests: if all goes well, as assumed, and at worst; anchors included.
    pub requests: [u64; 3],
    /// Dollars: if all goes well, as assumed, and at worst; anchors included.
    pub cost_usd: [f64; 3],
    /// The part of both that goes to anchors, and what their baseline lacks; absent without anchors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchors: Option<PlannedAnchors>,
    /// The cap in dollars, if any.
    pub cap_usd: Option<f64>,
    /// Prompt tokens, as assumed.
    pub prompt_tokens: u64,
    /// Completion tokens, as assumed.
    pub completion_tokens: u64,
    /// Minutes under the limits, as assumed; null if nothing is known about the time of a request.
    pub minutes: Option<f64>,
    /// What these minutes are spent waiting for.
    pub limited_by: Option<&'static str>,
    /// Units after which `stop_when` would stop the run, as assumed; null without it, or if it would not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stops_after: Option<u64>,
    /// The same in words, or what `stop_when` lacks; null without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<String>,
    /// What it should buy.
    pub buys: Buys,
    /// Whether the cap decided the sizes.
    pub sized_by_cap: bool,
    /// The run whose figures stand in place of assumptions, if there is one.
    pub from_run: Option<String>,
    /// What was assumed, and what a run has shown, in words.
    pub assumptions: Vec<String>,
    /// Lines for the audit file that say what the run has shown: a run knows `[assume]` and nothing else.
    pub assume: Vec<String>,
    /// What would stop a run before it sends anything.
    pub warnings: Vec<String>,
}

/// Known positives of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedKnown {
    /// The version of the set.
    pub version: Option<Digest>,
    /// Items that would be graded.
    pub items: u64,
    /// Items whose reply is in the cache.
    pub cached: u64,
    /// Items and lines that are left out, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl PlannedKnown {
    fn of(planned: &Planned, load: &Load) -> Option<Self> {
        let plan = &planned.known;
        (!plan.is_empty()).then(|| Self {
            version: plan.version,
            items: plan.len(),
            cached: load.known.map_or(0, |known| known.screen.cached),
            left_out: plan.left_out.clone(),
        })
    }
}

impl PlanReport {
    /// Gathers a plan; `warnings` say what would stop a run before it sends anything.
    #[must_use]
    pub fn new(
        (planned, load): (&Planned, &Load),
        (forecast, anchors, prospect): (&Forecast, Option<&AnchorForecast>, &Prospect),
        sized_by_cap: bool,
        warnings: Vec<String>,
    ) -> Self {
        let corpus = &planned.corpus;
        let known = load.known.as_ref().map(|known| &known.screen);
        let stages = || std::iter::once(&load.screen).chain(&load.confirm).chain(known);
        let stops = stopping(planned, load.assume);
        let costs = [forecast.cost_low, forecast.cost_expected, forecast.cost_worst];
        Self {
            schema: 1,
            audit: planned.audit.clone(),
            behaviour: planned.behaviour.clone(),
            conversations: corpus.conversations,
            turns: corpus.turns,
            set_aside: corpus.duplicates + corpus.filtered_out + corpus.unreadable.values().sum::<u64>(),
            graders: planned.graders.clone(),
            strata: planned.strata.clone(),
            known: PlannedKnown::of(planned, load),
            planned: planned.strata.iter().map(|stratum| stratum.planned).sum(),
            unit: planned.unit,
            sample_by: planned.sample_by,
            conversations_planned: planned.conversations_planned(),
            cluster_by: planned.cluster_by.clone(),
            conversations_with_cluster: corpus.conversations_with_cluster,
            cached: stages().map(|stage: &StageLoad| stage.cached).sum(),
            simulated: planned.graders.iter().any(|grader| grader.simulated),
            watermark: planned.watermark(),
            requests: [forecast.requests_low, forecast.requests_expected, forecast.requests_worst],
            cost_usd: costs.map(NanoUsd::usd),
            anchors: anchors.map(PlannedAnchors::new),
            cap_usd: planned.cap.map(NanoUsd::usd),
            prompt_tokens: forecast.prompt_tokens_expected,
            completion_tokens: forecast.completion_tokens_expected,
            minutes: forecast.minutes_expected,
            limited_by: forecast.limited_by.map(crate::plan::forecast::Bottleneck::as_str),
            stops_after: stops.as_ref().ok().and_then(|stops| match stops {
                Some(Stopping::After { units }) => Some(*units),
                Some(Stopping::Never { .. }) | None => None,
            }),
            stop_when: stop_when(planned, stops),
            buys: Buys::new(prospect),
            sized_by_cap,
            from_run: prospect.measured.as_ref().map(|measured| measured.run.clone()),
            assumptions: assumptions(planned, prospect),
            assume: rests_on::restated(prospect),
            warnings,
        }
    }
}

/// What the figures rest on, in words.
fn assumptions(planned: &Planned, prospect: &Prospect) -> Vec<String> {
    let mut sentences = rests_on::sentences(prospect, planned.unit);
    let policies = || planned.graders.iter().filter_map(|grader| planned.repeats(grader.stage));
    if policies().any(|policy| policy.near_threshold > 1) {
        sentences.push(
            "as many first scores lie near the threshold as are flagged: `repeats` asks about them again".to_owned(),
        );
    }
    sentences
}

/// How `stop_when` would go, in words.
fn stop_when(planned: &Planned, stops: Result<Option<Stopping>, NoSequence>) -> Option<String> {
    let wanted = planned.stop_when?.relative_width.get();
    let all: u64 = planned.strata.iter().map(|stratum| stratum.planned).sum();
    Some(match stops {
        Ok(None) => return None,
        Ok(Some(Stopping::After { units })) => format!(
            "If all goes as assumed, `stop_when` stops the run after {} of {} units, at a relative width of {wanted}.",
            count(units),
            count(all)
        ),
        Ok(Some(Stopping::Never { width })) => {
            let width = width.map_or_else(
                || "nothing is expected to be confirmed".to_owned(),
                |width| format!("the relative width is {:.2} after all of them", width.get()),
            );
            format!("If all goes as assumed, `stop_when` stops nothing: {width}, and {wanted} is asked for.")
        }
        Err(reason) => format!("`stop_when` will stop nothing: {reason}."),
    })
}

/// The plan as text, 80 columns wide.
#[must_use]
pub fn render(report: &PlanReport, style: Style) -> String {
    let mut page = Page::new(style);
    page.watermark(report.watermark);
    page.heading(&format!("Plan of {}", escape(&report.audit)));
    let corpus = format!("{} turns in {} conversations", count(report.turns), count(report.conversations));
    page.wrapped("  corpus   ", &corpus);
    if report.set_aside > 0 {
        page.wrapped(
            "           ",
            &format!("{} records unreadable, duplicate or filtered out", count(report.set_aside)),
        );
    }
    drawn(&mut page, report);
    for grader in &report.graders {
        let given = grader.prompt.as_ref().map_or_else(|| grader.given_by(), ToString::to_string);
        let what = format!("{} with {} on {}", escape(&grader.model), escape(&given), escape(&grader.endpoint));
        page.wrapped(&format!("  {:<9}", grader.stage.as_str()), &what);
        if let Some(policy) = grader.asking.as_ref().and_then(|asking| asking.repeats.as_ref()) {
            page.wrapped("           ", &repeats_table::policy(policy));
        }
    }
    if report.simulated {
        page.wrapped("           ", "simulated: nothing leaves this machine, and the dollars are not real");
    }
    strata(&mut page, report);
    known(&mut page, report);
    page.heading("Requests and cost           if all goes well      expected      at worst");
    let [low, expected, worst] = report.requests.map(count);
    page.line(&format!("  requests                {low:>20}{expected:>14}{worst:>14}"));
    // Nobody pays more than the cap: what the worst case would be without one is said below.
    let [low, expected, worst] = report.cost_usd;
    let worst = report.cap_usd.map_or(worst, |cap| worst.min(cap));
    let [low, expected, worst] = [low, expected, worst].map(|usd| format!("${usd:.2}"));
    page.line(&format!("  cost                    {low:>20}{expected:>14}{worst:>14}"));
    report.anchors.iter().for_each(|anchors| anchors::section(&mut page, anchors));
    page.wrapped("  ", &cap(report));
    report.stop_when.iter().for_each(|words| page.wrapped("  ", words));
    expected_load(&mut page, report);
    buys::section(&mut page, &report.buys, report.unit.as_str());
    if let Some(cap) = report.cap_usd {
        buys::best(&mut page, &report.buys, cap);
    }
    page.heading(if report.from_run.is_some() { "Shown by the run, and assumed" } else { "Assumed" });
    for assumption in &report.assumptions {
        page.wrapped("  - ", &escape(assumption));
    }
    if !report.assume.is_empty() {
        page.wrapped("  ", "A run knows the audit file only. For it to go by these figures, write there:");
        page.line("  [assume]");
        for line in &report.assume {
            page.line(&format!("  {line}"));
        }
    }
    if !report.warnings.is_empty() {
        page.heading("A run would stop before it sends anything");
        for warning in &report.warnings {
            page.wrapped("  ! ", &escape(warning));
        }
    }
    page.finish()
}

/// What is drawn and what is not independent, where it is not single turns and their conversations.
fn drawn(page: &mut Page, report: &PlanReport) {
    if let Some(conversations) = report.conversations_planned {
        let turns = units(report.planned, UnitKind::Turn);
        page.wrapped("  drawn    ", &format!("{}, {turns}", units(conversations, UnitKind::Conversation)));
    }
    if let (Some(field), Some(with)) = (&report.cluster_by, report.conversations_with_cluster) {
        let of = format!("{} of {} conversations carry it", count(with), count(report.conversations));
        page.wrapped("  clusters ", &format!("by `{}`: {of}", escape(field)));
    }
}

/// What is asked and how long it takes, where anything is asked at all.
fn expected_load(page: &mut Page, report: &PlanReport) {
    for recorded in report.graders.iter().filter_map(|grader| grader.recorded.as_ref()) {
        let (used, planned, unit) = (count(recorded.lines.used), count(report.planned), report.unit.as_str());
        let says =
            format!("`{}` has {used} verdicts or reasons for none, for {planned} planned {unit}s.", recorded.file);
        page.wrapped("  ", &escape(&says));
    }
    let is_recorded = report.graders.iter().any(|grader| grader.recorded.is_some());
    if report.requests.iter().all(|requests| *requests == 0) {
        let why = match (is_recorded, count(report.cached)) {
            (true, _) => "nobody is asked about what is recorded, and no other question lacks its reply".to_owned(),
            (false, replies) => format!("all {replies} replies are in the cache"),
        };
        return page.wrapped("  ", &format!("Nothing would be sent: {why}."));
    }
    if report.cached > 0 {
        let what = if is_recorded { "outcomes are recorded or in the cache" } else { "replies are in the cache" };
        page.wrapped("  ", &format!("{} {what} and cost nothing.", count(report.cached)));
    }
    let tokens =
        format!("{} prompt and {} completion tokens", count(report.prompt_tokens), count(report.completion_tokens));
    page.wrapped("  ", &format!("Expected: {tokens}{}.", time(report)));
}

fn known(page: &mut Page, report: &PlanReport) {
    let Some(known) = &report.known else { return };
    let version = known.version.map(|version| format!(" (set {})", version.short())).unwrap_or_default();
    page.wrapped("  ", &format!("and {} known positives, graded first{version}", count(known.items)));
    for (reason, items) in &known.left_out {
        page.wrapped("    ", &format!("left out of the set: {} {}", count(*items), reason.reason()));
    }
}

fn strata(page: &mut Page, report: &PlanReport) {
    if report.conversations_planned.is_some() {
        return conversation_strata(page, report);
    }
    let of = format!("{}s", report.unit.as_str());
    let of = if report.unit.is_turn() { "units" } else { &of };
    page.heading(&format!("  {:<20} {:<26} {of:>13} {:>13}", "class", "group", "planned"));
    for row in &report.strata {
        let class = fitted(&escape(&row.stratum.class), 20);
        let name = page.row_name(&format!("{class:<20} {}", escape(&row.stratum.group.to_string())), 49);
        page.line(&format!("  {name:<49} {:>11} {:>13}", count(row.units), count(row.planned)));
    }
    let units = report.strata.iter().map(|row| row.units).sum();
    page.line(&format!("  {:<20} {:<28} {:>11} {:>13}", "all", "", count(units), count(report.planned)));
    if report.sized_by_cap {
        page.wrapped("  ", "The cap decided how many are planned (allocate = \"auto\").");
    }
}

/// The same where conversations are drawn: how many of how many, and their turns.
fn conversation_strata(page: &mut Page, report: &PlanReport) {
    let columns = |name: &str, conversations: &str, planned: &str, turns: &str| {
        format!("  {name:<40} {conversations:>13} {planned:>10} {turns:>10}")
    };
    let heading = columns(&format!("{:<20} group", "class"), "conversations", "planned", "turns");
    page.heading(&heading);
    let mut all = 0;
    for row in &report.strata {
        let class = fitted(&escape(&row.stratum.class), 20);
        let name = page.row_name(&format!("{class:<20} {}", escape(&row.stratum.group.to_string())), 40);
        let drawn = row.conversations_planned.unwrap_or_default();
        page.line(&columns(&name, &count(row.conversations), &count(drawn), &count(row.planned)));
        all += row.conversations;
    }
    let drawn = report.conversations_planned.unwrap_or_default();
    page.line(&columns("all", &count(all), &count(drawn), &count(report.planned)));
}

fn cap(report: &PlanReport) -> String {
    let [_, expected, worst] = report.cost_usd;
    match report.cap_usd {
        None => "There is no cap: set `max_cost` or --max-cost.".to_owned(),
        Some(cap) if cap >= worst => format!("The cap of ${cap:.2} holds whatever happens, and stops nothing."),
        Some(cap) => format!(
            "The cap of ${cap:.2} holds whatever happens. {} Without it the bound would be ${worst:.2}: every byte a token, \
             every reply as long as it may be, everything flagged.",
            if expected > cap {
                "It closes admission early if all goes as assumed, and what was admitted is then a valid, smaller sample."
            } else {
                "It is more than what is expected; should it close admission early all the same, what was admitted is a \
                 valid, smaller sample."
            }
        ),
    }
}

fn time(report: &PlanReport) -> String {
    match (report.minutes, report.limited_by) {
        (Some(minutes), Some(limit)) if minutes >= 1.0 => format!("; {minutes:.0} minutes, limited by {limit}"),
        (Some(_), Some(limit)) => format!("; under a minute, limited by {limit}"),
        (Some(_) | None, _) => "; time unknown: no limit is set and no request was timed".to_owned(),
    }
}

//! What a forecast rests on, in words: every figure with where it comes from and what hangs on it.

use super::super::rate::{Scale, count};
use crate::model::unit::UnitKind;
use crate::plan::measured::{ClassCounts, Measured, RouteCounts};
use crate::plan::predict::ASSUMED_KNOWN;
use crate::plan::prospect::Prospect;

/// Every figure, once.
pub(super) fn sentences(prospect: &Prospect, of: UnitKind) -> Vec<String> {
    let unit = of.as_str();
    let mut sentences = match &prospect.measured {
        None => shares(prospect, unit),
        Some(measured) => shown(measured, unit),
    };
    sentences.push(known(prospect));
    sentences.extend(money(prospect));
    let assume = &prospect.assume;
    let cost = match assume.reviewer_cost_per_hour {
        free if free <= 0.0 => "nothing".to_owned(),
        usd => format!("${usd:.2}"),
    };
    sentences.push(format!(
        "a person reads a {unit} in {} seconds (assume.seconds_per_read), and an hour costs {cost} \
         (assume.reviewer_cost_per_hour): reading",
        assume.seconds_per_read
    ));
    let cluster = if of.is_turn() { "conversation" } else { "cluster" };
    if let Some(turns) = prospect.outline.together {
        sentences.push(together(prospect, turns));
        sentences.push("no two confirmed turns share a text: widths".to_owned());
    } else {
        sentences.push(format!("no two confirmed {unit}s share a {cluster} or a text: widths"));
    }
    sentences
}

/// How many confirmed turns are drawn together, which nobody knows before something was graded.
fn together(prospect: &Prospect, turns: f64) -> String {
    let is_shown = prospect.measured.as_ref().is_some_and(|run| run.together.is_some());
    let twice = prospect
        .twice_together
        .map(|width| format!("; with {:.1} the width of corrected would be {width:.2}", 2.0 * turns));
    let (which, from, advice) = if is_shown {
        // Weighted by size: a conversation with any may well hold fewer.
        ("the conversation of a", "the run", "")
    } else {
        (
            "a conversation with a",
            "assumed",
            "; `--probe`, or a run with --limit and --from-run, shows how many there are",
        )
    };
    format!(
        "{which} confirmed turn holds {turns:.1} of them ({from}){}{advice}; rates per conversation are reported \
         and not predicted: widths",
        twice.unwrap_or_default()
    )
}

/// `[assume]`, as far as a run has not spoken.
fn shares(prospect: &Prospect, unit: &str) -> Vec<String> {
    let assume = &prospect.assume;
    let scale = Scale::fitting(assume.prevalence);
    vec![
        format!(
            "{} {} {unit}s show the behaviour (assume.prevalence), the prefilter hits {} of them \
             (assume.prefilter_recall), the gate passes {} (assume.sensitivity): widths",
            scale.number(assume.prevalence),
            scale.as_str(),
            assume.prefilter_recall,
            assume.sensitivity
        ),
        format!("{} of what is screened is flagged (assume.flag_rate): cost, reading", assume.flag_rate),
        "the second grader, if there is one, upholds what people would confirm and nothing else: reading, widths"
            .to_owned(),
    ]
}

/// What a run has shown of each class.
fn shown(measured: &Measured, unit: &str) -> Vec<String> {
    let mut sentences: Vec<String> = measured.classes.iter().map(|class| of_class(class, unit)).collect();
    sentences.push(format!(
        "{} of {} admitted {unit}s ended without a usable verdict (the run): widths",
        count(measured.ungraded),
        count(measured.admitted)
    ));
    sentences
}

fn of_class(class: &ClassCounts, unit: &str) -> String {
    let ClassCounts { class: name, graded, upheld, turned_down } = class;
    let flagged = class.flagged();
    if flagged == 0 {
        return format!(
            "{name}: none of {} graded {unit}s was flagged (the run); [assume] stands, unless that makes it implausible: \
             widths, cost, reading",
            count(*graded)
        );
    }
    let confirmed = |route: &RouteCounts| format!("{} of {} read", count(route.confirmed), count(route.read));
    let people = if upheld.read + turned_down.read == 0 {
        "nobody has read any, so the graders are taken at their word".to_owned()
    } else {
        format!("people confirmed {} upheld and {} turned down", confirmed(upheld), confirmed(turned_down))
    };
    format!(
        "{name}: {} of {} graded {unit}s were flagged, {} upheld and {} turned down; {people} (the run): widths, cost, reading",
        count(flagged),
        count(*graded),
        count(upheld.units),
        count(turned_down.units)
    )
}

fn known(prospect: &Prospect) -> String {
    let known = &prospect.outline.known;
    if known.by_group.is_empty() {
        let whose = if known.is_pooled { "all groups together" } else { "each group" };
        return format!(
            "{ASSUMED_KNOWN} known positives of {whose} will be there, {} of them detected (assume.sensitivity; there are \
             none yet): corrected",
            known.usual.detected()
        );
    }
    let of_group = |(group, known): (&crate::model::unit::Group, &crate::estimate::sensitivity::Sensitivity)| {
        format!("{group}: {} of {}", count(known.detected()), count(known.known()))
    };
    let shown: Vec<String> = known.by_group.iter().map(of_group).collect();
    let by = if prospect.measured.is_some() { "the run" } else { "the sensitivity set, and assume.sensitivity" };
    format!("known positives detected ({by}): {}: corrected", shown.join(", "))
}

/// Where the cost comes from.
fn money(prospect: &Prospect) -> Vec<String> {
    let assume = &prospect.assume;
    let Some(measured) = &prospect.measured else {
        return vec![
            format!("replies have {} tokens (assume.output_tokens): cost, time", assume.output_tokens),
            "four bytes of text are a token; at worst, one is: cost, time".to_owned(),
        ];
    };
    let tokens = match measured.tokens_per_reply() {
        Some(tokens) => format!("replies have {} tokens (the run): time", count(tokens)),
        None => format!("replies have {} tokens (assume.output_tokens): cost, time", assume.output_tokens),
    };
    let cost = match (measured.cost_per_unit, prospect.paid_per_unit) {
        (Some(cost), Some(scaled)) if scaled != cost => format!(
            "a unit cost {cost} with all that follows from it (the run), and would cost {scaled} under this plan's repeats: cost"
        ),
        (Some(cost), _) => format!("a unit costs {cost} with all that follows from it (the run): cost"),
        (None, _) => {
            "the run replayed replies or sent nothing, so it does not say what a unit costs: prices and tokens do"
                .to_owned()
        }
    };
    vec![tokens, cost]
}

/// `[assume]` as the run would have it; nothing without one.
pub(super) fn restated(prospect: &Prospect) -> Vec<String> {
    if prospect.measured.is_none() {
        return Vec::new();
    }
    let assume = &prospect.assume;
    let number = |share: f64| format!("{share:.2e}");
    vec![
        format!("prevalence = {}", number(assume.prevalence)),
        format!("prefilter_recall = {:.2}", assume.prefilter_recall),
        format!("flag_rate = {}", number(assume.flag_rate)),
        format!("output_tokens = {}", assume.output_tokens),
    ]
}

//! What a plan should buy: the widths of its intervals, the reading it asks for, and a better use of the same money.

use std::collections::BTreeMap;

use super::auto::{Demand, USABLE_SHARE, sizes};
use super::expectation::{Slice, assumed};
use super::forecast::{Forecast, Load, StageLoad};
use super::levers::{Gain, gains};
use super::measured::{Measured, restated};
use super::predict::{ASSUMED_KNOWN, ASSUMED_TOGETHER, Known, Outline, Prediction, predict, width};
use super::reading::{Reads, reads};
use super::repeats::usual_askings;
use super::settings::Assumptions;
use crate::estimate::sensitivity::Sensitivity;
use crate::model::event::Planned;
use crate::model::found_by::KnownUse;
use crate::model::gold::GoldDraw;
use crate::model::grading::Stage;
use crate::model::money::{NanoUsd, Usage};
use crate::model::rate::Level;
use crate::model::repeats::Repeats;
use crate::model::unit::Group;

/// What a plan should buy.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospect {
    /// What it is predicted from.
    pub outline: Outline,
    /// Share of the planned units that the cap is expected to let in, 0 to 1.
    pub let_in: f64,
    /// The rates.
    pub prediction: Prediction,
    /// What would narrow them.
    pub gains: Vec<Gain>,
    /// The relative width of the corrected rate of this corpus with twice as many confirmed turns in each conversation that
    /// has any; absent where units are drawn one by one, or without such a rate.
    pub twice_together: Option<f64>,
    /// What people read.
    pub reads: Reads,
    /// What is believed: of the audit, or of a run where it has shown something.
    pub assume: Assumptions,
    /// The run that stands behind it.
    pub measured: Option<Measured>,
    /// What a unit of that run would have cost under the plan's repeats, if the run says what a unit costs.
    pub paid_per_unit: Option<NanoUsd>,
    /// How the cap would be spent best; absent without one, where the audit leaves the sizes to it, and where whole
    /// conversations are drawn.
    pub best: Option<Split>,
}

/// A cap, split in the order that buys most: every hit, random units without a cue, whatever they need of the second
/// grader and of people.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Units that a cue hits, and what their screening costs, in US dollars.
    pub hits: (u64, f64),
    /// The same of units without a cue.
    pub others: (u64, f64),
    /// What the second grader is expected to be asked, and its cost.
    pub confirm: (f64, f64),
    /// What is kept for replies that are longer than expected, in US dollars.
    pub kept_usd: f64,
    /// What people read then.
    pub reads: Reads,
    /// The relative width of the corrected rate of this corpus then, if there is one.
    pub width: Option<f64>,
}

/// Puts what a run has shown in the place of what a load assumes.
pub fn believe(load: &mut Load, planned: &Planned, measured: Option<&Measured>) {
    let Some(measured) = measured else { return };
    let slices = slices(planned, load, Some(measured), 1.0);
    load.assume = restated(&slices, &load.assume);
    load.assume.output_tokens = measured.tokens_per_reply().unwrap_or(load.assume.output_tokens);
    load.paid_per_unit = measured.cost_per_unit.map(|paid| under_repeats(paid, measured.repeats, load));
}

/// What a unit costs under the plan's repeats where it cost so much under those of a run: in proportion to what either is
/// expected to ask, at each stage.
fn under_repeats(paid: NanoUsd, of_run: [Option<Repeats>; 2], load: &Load) -> NanoUsd {
    let stages = [(Some(&load.screen), load.assume.flag_rate), (load.confirm.as_ref(), 1.0)];
    let of_plan = stages.map(|(stage, _)| stage.and_then(|stage| stage.repeats.policy));
    if of_plan == of_run {
        return paid;
    }
    let cost = |policies: [Option<Repeats>; 2]| {
        let [screen, confirm] = [0, 1].map(|at| {
            let (stage, yes_rate) = stages[at];
            let question = stage.map_or(0.0, |stage| cost_per_unit(stage, &load.assume));
            question * usual_askings(policies[at].as_ref(), yes_rate)
        });
        screen + load.assume.flag_rate * confirm
    };
    let (then, now) = (cost(of_run), cost(of_plan));
    if then > 0.0 { NanoUsd::from_usd(paid.usd() * now / then).unwrap_or(paid) } else { paid }
}

/// What a plan should buy. `assume` is what the audit says, `load` may have learned from a run since ([`believe`]).
/// `spent` counts against the cap already.
#[must_use]
pub fn prospect(
    (planned, assume): (&Planned, &Assumptions),
    (load, forecast): (&Load, &Forecast),
    spent: NanoUsd,
    (measured, is_auto): (Option<Measured>, bool),
) -> Prospect {
    let let_in = share_let_in(planned, load, forecast, spent);
    let of_audit = Load { assume: *assume, ..*load };
    let slices = slices(planned, &of_audit, measured.as_ref(), let_in);
    let outline = outline(planned, slices, assume, measured.as_ref());
    let splits = !is_auto && !planned.draws_several();
    let best = planned.cap.filter(|_| splits).map(|cap| split((cap, planned.gold.as_ref()), &outline, load));
    Prospect {
        let_in,
        prediction: predict(&outline),
        gains: gains(&outline),
        twice_together: twice_together(&outline),
        reads: reads(&outline.slices, &outline.review, planned.gold.as_ref()),
        assume: load.assume,
        measured,
        paid_per_unit: load.paid_per_unit,
        best,
        outline,
    }
}

fn has_confirmer(planned: &Planned) -> bool {
    planned.graders.iter().any(|grader| grader.stage == Stage::Confirm)
}

/// Strata as they will be graded, if the cap lets in this share of what is planned of each.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn slices(planned: &Planned, load: &Load, measured: Option<&Measured>, let_in: f64) -> Vec<Slice> {
    let expected = assumed(&planned.strata, &load.assume, has_confirmer(planned));
    let usable = let_in * (1.0 - measured.map_or(0.0, Measured::ungraded_share));
    let of = |(stratum, expected): (&crate::model::event::PlannedStratum, _)| Slice {
        stratum: stratum.stratum.clone(),
        units: stratum.units,
        graded: stratum.planned as f64 * usable,
        expected,
    };
    let mut slices: Vec<Slice> = planned.strata.iter().zip(expected).map(of).collect();
    if let Some(measured) = measured {
        let expectations = measured.expectations(&slices, has_confirmer(planned));
        for (slice, expected) in slices.iter_mut().zip(expectations) {
            slice.expected = expected;
        }
    }
    slices
}

fn outline(planned: &Planned, slices: Vec<Slice>, assume: &Assumptions, measured: Option<&Measured>) -> Outline {
    let has_long = planned.unit.is_turn() && planned.corpus.turns > planned.corpus.conversations;
    let usual = Known::of_each(ASSUMED_KNOWN, assume.sensitivity).expect("some are assumed");
    Outline {
        slices,
        is_grouped: !planned.group_by.is_empty(),
        may_cluster: planned.cluster_by.is_some() || has_long,
        unit: planned.unit,
        together: together(planned, measured),
        review: planned.review,
        gate_includes_confirmer: planned.gate_includes_confirmer(),
        known: Known {
            by_group: measured.map_or_else(|| of_set(planned, assume.sensitivity), |run| run.known.clone()),
            is_pooled: planned.compare.pool_sensitivity,
            ..usual
        },
        contrasts: planned.compare.contrasts.clone(),
        level: Level::new(planned.level).expect("the level was checked"),
    }
}

/// Confirmed turns of a conversation with at least one, as far as they are drawn together.
fn together(planned: &Planned, measured: Option<&Measured>) -> Option<f64> {
    let shown = measured.and_then(|run| run.together);
    planned.draws_several().then(|| shown.unwrap_or(ASSUMED_TOGETHER))
}

fn twice_together(outline: &Outline) -> Option<f64> {
    let together = Some(2.0 * outline.together?);
    width(&Outline { together, ..outline.clone() })
}

/// The known positives of the plan, of which as many are expected to be detected as is assumed.
fn of_set(planned: &Planned, sensitivity: f64) -> BTreeMap<Group, Sensitivity> {
    let mut items: BTreeMap<Group, u64> = BTreeMap::new();
    for item in planned.known.items.iter().filter(|item| item.usage() == KnownUse::Headline) {
        *items.entry(item.group.clone()).or_default() += 1;
    }
    let expected = |(group, known)| Some((group, Known::of_each(known, sensitivity)?.usual));
    items.into_iter().filter_map(expected).collect()
}

/// Units whose whole way is in the cache come in whatever the cap; of the rest as much as its expected cost leaves room for.
#[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
fn share_let_in(planned: &Planned, load: &Load, forecast: &Forecast, spent: NanoUsd) -> f64 {
    let (Some(cap), units) = (planned.cap, load.screen.units as f64) else { return 1.0 };
    let (room, cost) = (cap.saturating_sub(spent).0 as f64, forecast.cost_expected.0 as f64);
    if room >= cost || units <= 0.0 {
        return 1.0;
    }
    let cached = load.screen.cached.saturating_sub(load.screen.repeats.waiting) as f64;
    (cached + (units - cached) * room / cost) / units
}

fn split((cap, gold): (NanoUsd, Option<&GoldDraw>), outline: &Outline, load: &Load) -> Split {
    let [screen, confirm] = costs_per_question(outline, load);
    let demand = |slice: &Slice| Demand {
        units: slice.units,
        is_hit: slice.is_hit(),
        rate: slice.expected.confirmed(),
        cost: screen + slice.expected.flagged() * confirm,
        fixed: None,
    };
    let demands: Vec<Demand> = outline.slices.iter().map(demand).collect();
    let usable = cap.usd() * USABLE_SHARE;
    let bought = sizes(&demands, usable);
    let mut then = outline.clone();
    let mut split = Split {
        hits: (0, 0.0),
        others: (0, 0.0),
        confirm: (0.0, 0.0),
        kept_usd: cap.usd() - usable,
        reads: Reads::default(),
        width: None,
    };
    for ((slice, units), demand) in then.slices.iter_mut().zip(bought.units).zip(&demands) {
        slice.graded = count(units);
        let asked = if load.confirm.is_some() { slice.graded * slice.expected.flagged() } else { 0.0 };
        let of_confirm = asked * confirm;
        let side = if slice.is_hit() { &mut split.hits } else { &mut split.others };
        side.0 += units;
        side.1 += (slice.graded * demand.cost - of_confirm).max(0.0);
        split.confirm.0 += asked;
        split.confirm.1 += of_confirm;
    }
    split.reads = reads(&then.slices, &then.review, gold);
    split.width = width(&then);
    split
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn count(units: u64) -> f64 {
    units as f64
}

/// What a question costs at the screen and at the second grader, in US dollars: by prices and tokens, and in the same
/// proportion so much that the planned units cost on average what units of a run have cost.
fn costs_per_question(outline: &Outline, load: &Load) -> [f64; 2] {
    let stages = [(Some(&load.screen), load.assume.flag_rate), (load.confirm.as_ref(), 1.0)];
    let costs = stages.map(|(stage, yes_rate)| {
        let askings = |stage: &StageLoad| usual_askings(stage.repeats.policy.as_ref(), yes_rate);
        stage.map_or(0.0, |stage| cost_per_unit(stage, &load.assume) * askings(stage))
    });
    let graded: f64 = outline.slices.iter().map(|slice| slice.graded).sum();
    let flagged: f64 = outline.slices.iter().map(|slice| slice.graded * slice.expected.flagged()).sum();
    let by_price = graded * costs[0] + flagged * costs[1];
    match load.paid_per_unit {
        Some(paid) if by_price > 0.0 => costs.map(|cost| cost * (paid.usd() * graded / by_price)),
        Some(_) | None => costs,
    }
}

/// In US dollars, asked once.
fn cost_per_unit(stage: &StageLoad, assume: &Assumptions) -> f64 {
    let prompt_tokens = stage.mean_request_bytes.div_ceil(super::forecast::BYTES_PER_TOKEN);
    let completion_tokens = assume.output_tokens.min(stage.most_output_tokens);
    let question = stage.price.cost(&Usage { prompt_tokens, completion_tokens, ..Usage::default() }).usd();
    question * stage.questions.per_unit()
}

#[cfg(test)]
#[path = "prospect_tests.rs"]
mod tests;

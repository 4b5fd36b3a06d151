//! The part of a report about askings of one question more than once: what they said, and how often a grader contradicts
//! itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::build::{fields, rounded};
use super::json::GroupFields;
use super::rate::{count, units};
use crate::estimate::interval::{Share, clopper_pearson};
use crate::model::grading::Stage;
use crate::model::rate::Level;
use crate::model::repeats::{RepeatCause, Repeats};
use crate::model::tally::{RepeatCounts, RepeatTally, Tally};

/// What one stage was asked again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRepeats {
    /// The stage.
    pub stage: Stage,
    /// Its policy.
    pub policy: Repeats,
    /// Units that were asked about again, by cause, by what the first asking says, and by group.
    pub rows: Vec<RepeatRow>,
    /// How often a second verdict contradicts the first, all groups together.
    pub flip_rates: Vec<FlipRateRow>,
}

/// See [`crate::model::tally::RepeatCounts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the tally")]
pub struct RepeatRow {
    pub cause: RepeatCause,
    pub first_says_yes: bool,
    pub group: GroupFields,
    pub units: u64,
    pub askings: u64,
    pub missing: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_cached: u64,
    pub pairs: u64,
    pub flips: u64,
    pub contradicted: u64,
    pub changed: u64,
    pub undecided: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Units whose second usable verdict contradicts the first, with exact limits. Each text is one trial, however often it was
/// asked about and however many units are copies of it: those share their replies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlipRateRow {
    /// Why they were asked about again.
    pub cause: RepeatCause,
    /// What the first asking says of them: yes is flagged by the screen, upheld by the confirmer.
    pub first_says_yes: bool,
    /// Units whose second verdict is another one.
    pub flips: u64,
    /// Units with two usable verdicts, copies counted once.
    pub units: u64,
    /// Flips over units; null without units.
    pub estimate: Option<f64>,
    /// Lower limit of Clopper and Pearson.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
    /// Confidence level.
    pub level: f64,
}

impl FlipRateRow {
    fn of(cause: RepeatCause, first_says_yes: bool, counts: RepeatCounts, level: Level) -> Self {
        let share = Share::new(counts.flips, counts.pairs);
        let limits = share.map(|share| clopper_pearson(share, level));
        Self {
            cause,
            first_says_yes,
            flips: counts.flips,
            units: counts.pairs,
            estimate: share.map(|share| rounded(share.estimate())),
            lower: limits.map(|limits| rounded(limits.lower)),
            upper: limits.map(|limits| rounded(limits.upper)),
            level: level.get(),
        }
    }
}

/// One entry for each stage that repeats anything; none without a policy.
pub(super) fn repeats(tally: &Tally) -> Vec<StageRepeats> {
    let graders = tally.plan.graders.iter();
    let policies = graders.filter_map(|grader| Some((grader.stage, tally.plan.repeats(grader.stage)?)));
    policies.map(|(stage, policy)| of_stage(tally, stage, policy)).collect()
}

fn of_stage(tally: &Tally, stage: Stage, policy: Repeats) -> StageRepeats {
    let of_stage = || tally.repeats.iter().filter(|row| row.stage == stage);
    let mut sums: BTreeMap<(RepeatCause, bool), RepeatCounts> = BTreeMap::new();
    if policy.random > 0.0 {
        // Who asks for a flip rate hears of it, whether there is one or not.
        sums.insert((RepeatCause::Random, false), RepeatCounts::default());
    }
    for row in of_stage() {
        sums.entry((row.cause, row.first_says)).or_default().add(row.counts);
    }
    let flip_rates = sums.into_iter().map(|((cause, yes), counts)| FlipRateRow::of(cause, yes, counts, tally.level));
    StageRepeats {
        stage,
        policy,
        rows: of_stage().map(|row| repeat_row(tally, row)).collect(),
        flip_rates: flip_rates.collect(),
    }
}

fn repeat_row(tally: &Tally, row: &RepeatTally) -> RepeatRow {
    let RepeatCounts { units, askings, missing, not_cached, pairs, flips, contradicted, changed, undecided } =
        row.counts;
    RepeatRow {
        cause: row.cause,
        first_says_yes: row.first_says,
        group: fields(&tally.plan, &row.group),
        units,
        askings,
        missing,
        not_cached,
        pairs,
        flips,
        contradicted,
        changed,
        undecided,
    }
}

/// How often the screen contradicts itself about what it clears, by the units that were drawn for it; or why that is not known.
pub(super) fn flip_rate(repeats: &[StageRepeats]) -> Result<FlipRateRow, String> {
    let Some(screen) = repeats.iter().find(|stage| stage.stage == Stage::Screen) else {
        let reason = if repeats.is_empty() { "no unit was graded twice" } else { "the screen has no `repeats`" };
        return Err(reason.to_owned());
    };
    let drawn = screen.flip_rates.iter().find(|row| row.cause == RepeatCause::Random && !row.first_says_yes);
    match drawn {
        None => Err("no unit is graded twice at random: `random` of `repeats` is 0".to_owned()),
        Some(row) if row.units == 0 => Err("no unit that was drawn at random has two usable verdicts".to_owned()),
        Some(row) => Ok(row.clone()),
    }
}

/// What a reader has to know.
pub(super) fn warnings(tally: &Tally) -> Vec<String> {
    let sum = |of: fn(&RepeatCounts) -> u64| tally.repeats.iter().map(|row| of(&row.counts)).sum::<u64>();
    let (missing, undecided) = (sum(|counts| counts.missing), sum(|counts| counts.undecided));
    let mut warnings = Vec::new();
    if tally.asked_once > 0 {
        warnings.push(format!(
            "{} are flagged, or may be, by definitions that are not those the run asked by, and were asked about once where \
             `repeats` asks again: they are pending. Run the audit again",
            units(tally.asked_once, tally.plan.unit)
        ));
    }
    if undecided > 0 {
        warnings.push(format!(
            "{} lack a repeat that could still turn their verdict: they count as ungraded",
            units(undecided, tally.plan.unit)
        ));
    }
    if missing > undecided {
        warnings.push(format!(
            "{} repeats have no usable verdict; where that could turn a verdict, the unit counts as ungraded",
            count(missing)
        ));
    }
    warnings
}

//! Whether a grader's verdicts move with what is said of their consequences, as a report says it. No figure of an audit.

mod page;

use std::collections::BTreeSet;

use serde::Serialize;

use super::build::rounded;
use crate::estimate::compare::invariance::{Moved, fewest_flips, invariance};
use crate::estimate::compare::paired::Paired;
use crate::model::grading::PromptLabel;
use crate::model::hash::Digest;
use crate::model::rate::Level;
use crate::model::unit::UnitKind;

/// The version of [`InvarianceReport`] that this build writes.
pub const INVARIANCE_SCHEMA: u32 = 1;

/// Which units a pair belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairSet {
    /// Gold that shows the behaviour.
    GoldPresent,
    /// Gold that does not.
    GoldAbsent,
    /// Random units of a run.
    Random,
}

/// What one asking gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A usable verdict: whether the unit is flagged, and the score.
    Usable(bool, u8),
    /// A reply without a usable verdict, such as a refusal.
    Unusable,
    /// Nothing: the unit was not asked about, or no attempt was answered.
    NotAsked,
}

/// One unit, asked plainly and under a framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Which units it belongs to.
    pub set: PairSet,
    /// Plainly.
    pub plain: Answer,
    /// Under the framing.
    pub framed: Answer,
}

/// A framing with its pairs, before anything is counted.
#[derive(Debug, Clone)]
pub struct Framed {
    /// Its name.
    pub id: String,
    /// What it adds to the prompt.
    pub text: String,
    /// Whether it says nothing of consequences.
    pub control: bool,
    /// Its pairs; absent if it was not asked.
    pub pairs: Option<Vec<Pair>>,
    /// The models that its replies say they come from.
    pub served: BTreeSet<String>,
}

/// What was asked, of whom.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The audit.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// The prompt that was framed.
    pub prompt: PromptLabel,
    /// The digest of its content.
    pub prompt_hash: Digest,
    /// The model asked for.
    pub model: String,
    /// The models that the plain replies say they come from.
    pub served: BTreeSet<String>,
    /// That the prompt is a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// Whether the grader is the simulated one.
    pub simulated: bool,
    /// What is graded.
    pub unit: UnitKind,
    /// The run whose random units were asked about; null with gold alone.
    pub run: Option<String>,
    /// Why there is no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_reason: Option<String>,
    /// Confidence level of limits and tests.
    pub level: f64,
}

/// What it took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Took {
    /// Requests that were sent.
    pub requests: u64,
    /// Verdicts that were derived from replies that were there before.
    pub replayed: u64,
    /// Dollars that were spent.
    pub usd: f64,
    /// Why it ended early; null if everything was asked.
    pub stopped: Option<&'static str>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A framing moved the flags beyond chance.
    Moved,
    /// None did.
    NotMoved,
    /// Too few units are flagged, or too few are not, to tell.
    TooFew,
    /// A framing made so many verdicts unusable that flags could have moved unseen.
    Unusable,
    /// The plain question was answered by another model than a framing.
    OtherModel,
    /// Something stopped it, or so many units went without an answer that flags could have moved unseen.
    Unfinished,
}

/// A whole check.
#[derive(Debug, Serialize)]
pub struct InvarianceReport {
    /// [`INVARIANCE_SCHEMA`].
    pub schema: u32,
    /// What was asked, of whom.
    #[serde(flatten)]
    pub subject: Subject,
    /// What came of it.
    pub conclusion: Conclusion,
    /// Flips one way that a framing needs to be told from chance.
    pub fewest_flips: u64,
    /// Every framing.
    pub framings: Vec<FramingRow>,
    /// What it took.
    #[serde(flatten)]
    pub took: Took,
}

/// One framing against the plain question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FramingRow {
    /// Its name.
    pub id: String,
    /// What it adds to the prompt.
    pub text: String,
    /// Whether it says nothing of consequences: it is no part of the family and of the conclusion.
    pub control: bool,
    /// Units with a usable verdict both ways.
    pub units: u64,
    /// Units that were asked about both ways, and have no usable verdict on one side or both.
    pub undecided: u64,
    /// Of those, units with a usable verdict plainly and none under the framing.
    pub made_unusable: u64,
    /// Units that were not asked about on one side or both.
    pub not_asked: u64,
    /// The models that its replies say they come from.
    pub served: BTreeSet<String>,
    /// Flagged plainly.
    pub plain_positive: u64,
    /// Flagged under the framing.
    pub positive: u64,
    /// Flagged plainly and not under the framing.
    pub lost: u64,
    /// Flagged under the framing only.
    pub gained: u64,
    /// The same by kind of unit.
    pub sets: Vec<SetFlips>,
    /// Change of the flagged share; null if nothing was asked.
    pub difference: Option<f64>,
    /// Lower limit.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
    /// Mean change of the score, on its scale of 100.
    pub score_change: Option<f64>,
    /// McNemar's exact p-value.
    pub exact_p: Option<f64>,
    /// The same after Holm, over the framings that are no control; of a control, its own.
    pub adjusted_p: Option<f64>,
    /// Whether the flags moved beyond chance.
    pub moved: Option<bool>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Flips among units of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetFlips {
    /// `gold_present`, `gold_absent` or `random`.
    pub set: &'static str,
    /// Units with a usable verdict both ways.
    pub units: u64,
    /// Flagged plainly only.
    pub lost: u64,
    /// Flagged under the framing only.
    pub gained: u64,
}

const SETS: [(PairSet, &str); 3] =
    [(PairSet::GoldPresent, "gold_present"), (PairSet::GoldAbsent, "gold_absent"), (PairSet::Random, "random")];

impl InvarianceReport {
    /// Counts and tests.
    ///
    /// # Panics
    ///
    /// Never: the level of an audit is checked when it is read.
    #[must_use]
    pub fn new(subject: Subject, framings: &[Framed], took: Took) -> Self {
        let level = Level::new(subject.level).expect("the level was checked");
        let tables: Vec<_> = framings.iter().map(|framed| table(framed.pairs.as_deref().unwrap_or_default())).collect();
        let of = |is_control: bool| {
            let chosen = framings.iter().zip(&tables).filter(move |(framed, _)| framed.control == is_control);
            chosen.map(|(_, table)| *table).collect::<Vec<_>>()
        };
        let (mut family, controls) = (invariance(&of(false), level).into_iter(), of(true));
        let mut controls = controls.iter().map(|table| invariance(&[*table], level)[0]);
        let row = |(framed, table): (&Framed, &Paired)| {
            let moved = if framed.control { controls.next() } else { family.next() };
            row(framed, *table, moved.flatten())
        };
        let rows: Vec<FramingRow> = framings.iter().zip(&tables).map(row).collect();
        let fewest_flips = fewest_flips(of(false).len(), level);
        let conclusion = conclusion(&rows, &subject.served, fewest_flips, took.stopped.is_some());
        Self { schema: INVARIANCE_SCHEMA, subject, conclusion, fewest_flips, framings: rows, took }
    }
}

/// A framing that moved is one, finished or not; that none did takes all of them, and enough units to see it. Neither can be
/// said across models.
fn conclusion(rows: &[FramingRow], plain: &BTreeSet<String>, fewest_flips: u64, is_stopped: bool) -> Conclusion {
    let family = || rows.iter().filter(|row| !row.control);
    let is_other = |row: &FramingRow| !row.served.is_empty() && !plain.is_empty() && row.served != *plain;
    let can_show =
        |row: &FramingRow| row.plain_positive >= fewest_flips && row.units - row.plain_positive >= fewest_flips;
    if rows.iter().any(is_other) {
        Conclusion::OtherModel
    } else if family().any(|row| row.moved == Some(true)) {
        Conclusion::Moved
    } else if is_stopped || rows.iter().any(|row| row.not_asked >= fewest_flips) {
        Conclusion::Unfinished
    } else if family().any(|row| row.made_unusable >= fewest_flips) {
        Conclusion::Unusable
    } else if family().all(can_show) {
        Conclusion::NotMoved
    } else {
        Conclusion::TooFew
    }
}

fn table(pairs: &[Pair]) -> Paired {
    let mut paired = Paired { both: 0, first_only: 0, second_only: 0, neither: 0 };
    for (plain, framed) in pairs.iter().copied().filter_map(decided) {
        let cell = match (plain, framed) {
            (true, true) => &mut paired.both,
            (true, false) => &mut paired.first_only,
            (false, true) => &mut paired.second_only,
            (false, false) => &mut paired.neither,
        };
        *cell += 1;
    }
    paired
}

fn decided(pair: Pair) -> Option<(bool, bool)> {
    match (pair.plain, pair.framed) {
        (Answer::Usable(plain, _), Answer::Usable(framed, _)) => Some((plain, framed)),
        (Answer::Usable(..) | Answer::Unusable | Answer::NotAsked, _) => None,
    }
}

/// How the score changed, where both have one.
fn change(pair: Pair) -> Option<f64> {
    match (pair.plain, pair.framed) {
        (Answer::Usable(_, plain), Answer::Usable(_, framed)) => Some(f64::from(framed) - f64::from(plain)),
        (Answer::Usable(..) | Answer::Unusable | Answer::NotAsked, _) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn row(framed: &Framed, table: Paired, moved: Option<Moved>) -> FramingRow {
    let pairs = framed.pairs.as_deref().unwrap_or_default();
    let Paired { both, first_only, second_only, neither } = table;
    let units = both + first_only + second_only + neither;
    let set = |(set, name): (PairSet, &'static str)| {
        let of_set: Vec<Pair> = pairs.iter().filter(|pair| pair.set == set).copied().collect();
        let Paired { both, first_only: lost, second_only: gained, neither } = self::table(&of_set);
        SetFlips { set: name, units: both + lost + gained + neither, lost, gained }
    };
    let change = pairs.iter().copied().filter_map(change).sum::<f64>() / units.max(1) as f64;
    let is_unasked = |pair: &&Pair| pair.plain == Answer::NotAsked || pair.framed == Answer::NotAsked;
    let not_asked = pairs.iter().filter(is_unasked).count() as u64;
    let is_made_unusable = |pair: &&Pair| matches!((pair.plain, pair.framed), (Answer::Usable(..), Answer::Unusable));
    let reason = if framed.pairs.is_none() { "it was not asked" } else { "no unit has a usable verdict both ways" };
    FramingRow {
        id: framed.id.clone(),
        text: framed.text.clone(),
        control: framed.control,
        units,
        undecided: pairs.len() as u64 - units - not_asked,
        made_unusable: pairs.iter().filter(is_made_unusable).count() as u64,
        not_asked,
        served: framed.served.clone(),
        plain_positive: both + first_only,
        positive: both + second_only,
        lost: first_only,
        gained: second_only,
        sets: SETS.into_iter().map(set).filter(|set| set.units > 0).collect(),
        difference: moved.map(|moved| rounded(moved.difference)),
        lower: moved.map(|moved| rounded(moved.limits.lower)),
        upper: moved.map(|moved| rounded(moved.limits.upper)),
        score_change: moved.map(|_| rounded(change)),
        exact_p: moved.map(|moved| rounded(moved.exact_p)),
        adjusted_p: moved.map(|moved| rounded(moved.adjusted_p)),
        moved: moved.map(|moved| moved.is_moved),
        reason: moved.is_none().then(|| reason.to_owned()),
    }
}

#[cfg(test)]
mod tests;

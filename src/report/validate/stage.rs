//! One stage against what is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ApartRow, SubsetName};
use crate::estimate::agreement::{Weights, cohen_kappa};
use crate::estimate::confusion::Confusion;
use crate::estimate::interval::{Share, clopper_pearson};
use crate::estimate::support::Unsupported;
use crate::model::grading::Stage;
use crate::model::rate::Level;
use crate::reconcile::diff::Standing;
use crate::reconcile::validate::{Row, Truth};
use crate::report::build::rounded;

/// A share with exact limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareFigure {
    /// Units that count.
    pub k: u64,
    /// Units in all.
    pub n: u64,
    /// Their share, 0 to 1.
    pub estimate: f64,
    /// The lower limit of Clopper and Pearson.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

impl ShareFigure {
    pub(super) fn of(share: Share, level: Level) -> Self {
        let limits = clopper_pearson(share, level);
        Self {
            k: share.k(),
            n: share.n(),
            estimate: rounded(share.estimate()),
            lower: rounded(limits.lower),
            upper: rounded(limits.upper),
        }
    }
}

/// A figure that is no plain share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The figure.
    pub estimate: f64,
    /// Its lower limit; null where there is none.
    pub lower: Option<f64>,
    /// Its upper limit.
    pub upper: Option<f64>,
}

impl Interval {
    pub(super) fn new(estimate: f64, lower: Option<f64>, upper: Option<f64>) -> Self {
        Self { estimate: rounded(estimate), lower: lower.map(rounded), upper: upper.map(rounded) }
    }
}

/// What one stage gets right, over units that are labelled and decided. `units` is the sum of these and of `apart`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageFigures {
    /// The stage. `confirm` speaks of what comes through both graders: what the screen cleared counts as a no.
    pub stage: Stage,
    /// Labelled units.
    pub units: u64,
    /// Labelled units that the stage decided: the sum of the next four.
    pub decided: u64,
    /// Positives that it says yes to.
    pub detected: u64,
    /// Positives that it says no to.
    pub missed: u64,
    /// Negatives that it says yes to.
    pub false_alarms: u64,
    /// Negatives that it says no to.
    pub cleared: u64,
    /// Labelled units in no figure, by reason.
    pub apart: Vec<ApartRow>,
    /// Of the positives, those detected; null without a positive.
    pub sensitivity: Option<ShareFigure>,
    /// Of the negatives, those cleared; null without a negative.
    pub specificity: Option<ShareFigure>,
    /// Of what it says yes to, the positives; null without a yes. Holds for this set of units only.
    pub precision: Option<ShareFigure>,
    /// The harmonic mean of precision and sensitivity, with exact limits. Holds for this set of units only.
    pub f1: Option<Interval>,
    /// Units that it is right about. Holds for this set of units only.
    pub accuracy: Option<ShareFigure>,
    /// The mean of sensitivity and specificity; one half is guessing.
    pub balanced_accuracy: Option<Interval>,
    /// Cohen's kappa of stage and truth.
    pub kappa: Option<Interval>,
    /// Whether it certainly tells positives from negatives; null without both.
    pub informative: Option<bool>,
    /// Why not.
    pub uninformative_because: Option<String>,
    /// The same by group, by label of the positives and by exclusion of the negatives.
    pub subsets: Vec<Subset>,
}

/// A part of the units. What a part cannot have is null: units with one label are all positive.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the figures are those of `StageFigures`")]
pub struct Subset {
    pub name: SubsetName,
    pub decided: u64,
    pub sensitivity: Option<ShareFigure>,
    pub specificity: Option<ShareFigure>,
    pub precision: Option<ShareFigure>,
    pub f1: Option<Interval>,
}

impl StageFigures {
    /// Counts one stage of all rows. `group_by` names the fields of groups.
    #[must_use]
    pub fn of(stage: Stage, rows: &[Row], group_by: &[String], level: Level) -> Self {
        let counts = confusion(stage, rows.iter());
        let share = |share: Option<Share>| share.map(|share| ShareFigure::of(share, level));
        let informative = counts.informative(level);
        let kappa = counts.table().and_then(|table| cohen_kappa(&table, Weights::Identity, level));
        Self {
            stage,
            units: rows.len() as u64,
            decided: counts.total(),
            detected: counts.detected,
            missed: counts.missed,
            false_alarms: counts.false_alarms,
            cleared: counts.cleared,
            apart: apart(stage, rows),
            sensitivity: share(counts.sensitivity()),
            specificity: share(counts.specificity()),
            precision: share(counts.precision()),
            f1: f1(counts, level),
            accuracy: share(counts.accuracy()),
            balanced_accuracy: counts.balanced_accuracy(level).map(|balanced| {
                let limits = balanced.limits;
                Interval::new(balanced.estimate, Some(limits.lower), Some(limits.upper))
            }),
            kappa: kappa.map(|kappa| Interval::new(kappa.value, kappa.lower, kappa.upper)),
            informative: informative.map(|found| found.is_ok()),
            uninformative_because: informative.and_then(Result::err).and_then(|reason| sentence(&reason, counts)),
            subsets: subsets(stage, rows, group_by, level),
        }
    }
}

fn f1(counts: Confusion, level: Level) -> Option<Interval> {
    let f1 = counts.f1()?;
    let limits = f1.limits(level);
    Some(Interval::new(f1.estimate(), Some(limits.lower), Some(limits.upper)))
}

pub(super) fn standing(stage: Stage, row: &Row) -> Option<Standing> {
    match stage {
        Stage::Screen => Some(row.screen),
        Stage::Confirm => row.confirm,
    }
}

/// What is true and what the stage says, where both are known.
pub(super) fn decided(stage: Stage, row: &Row) -> Option<(bool, bool)> {
    match (row.truth.decision()?, standing(stage, row)?) {
        (truth, Standing::Decided(says_yes)) => Some((truth, says_yes)),
        (_, Standing::NotAdmitted | Standing::Unfinished | Standing::Undecided(_) | Standing::AskedOnce) => None,
    }
}

fn confusion<'a>(stage: Stage, rows: impl Iterator<Item = &'a Row>) -> Confusion {
    Confusion::of(rows.filter_map(|row| decided(stage, row)))
}

fn apart(stage: Stage, rows: &[Row]) -> Vec<ApartRow> {
    let mut reasons: BTreeMap<(Truth, &'static str), u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| decided(stage, row).is_none()) {
        let reason = match standing(stage, row) {
            _ if row.truth.decision().is_none() => "no_decision_of_people",
            _ if row.is_ambiguous => "ambiguous_address",
            Some(standing) => standing.as_str(),
            None => Standing::Unfinished.as_str(),
        };
        *reasons.entry((row.truth, reason)).or_default() += 1;
    }
    let row =
        |((truth, reason), units): ((Truth, &'static str), u64)| ApartRow { truth: truth.as_str(), reason, units };
    reasons.into_iter().map(row).collect()
}

fn subsets(stage: Stage, rows: &[Row], group_by: &[String], level: Level) -> Vec<Subset> {
    let groups: BTreeSet<_> = rows.iter().filter_map(|row| row.place.as_ref()).map(|place| &place.group).collect();
    let labels: BTreeSet<_> = rows.iter().flat_map(|row| &row.labels).collect();
    let exclusions: BTreeSet<_> = rows.iter().flat_map(|row| &row.exclusions).collect();
    let subset = |name: SubsetName, is_in: &dyn Fn(&Row) -> bool| {
        let counts = confusion(stage, rows.iter().filter(|row| is_in(row)));
        let share = |share: Option<Share>| share.map(|share| ShareFigure::of(share, level));
        let is_mixed = matches!(name, SubsetName::Group(_));
        Subset {
            name,
            decided: counts.total(),
            sensitivity: share(counts.sensitivity()),
            specificity: share(counts.specificity()),
            // Among units of one truth these say how the set was made.
            precision: share(counts.precision().filter(|_| is_mixed)),
            f1: f1(counts, level).filter(|_| is_mixed),
        }
    };
    let mut all = Vec::new();
    for group in groups.into_iter().filter(|group| !group.0.is_empty()) {
        let is_in = |row: &Row| row.place.as_ref().is_some_and(|place| place.group == *group);
        let fields = group_by.iter().cloned().zip(group.0.iter().cloned()).collect();
        all.push(subset(SubsetName::Group(fields), &is_in));
    }
    for label in labels {
        let is_in = |row: &Row| row.truth == Truth::Yes && row.labels.contains(label);
        all.push(subset(SubsetName::Label(label.clone()), &is_in));
    }
    for exclusion in exclusions {
        let is_in = |row: &Row| row.truth == Truth::No && row.exclusions.contains(exclusion);
        all.push(subset(SubsetName::Exclusion(exclusion.clone()), &is_in));
    }
    all.retain(|subset| subset.decided > 0);
    all
}

/// Why a grader is uninformative. None for the reasons of other figures.
fn sentence(reason: &Unsupported, counts: Confusion) -> Option<String> {
    match *reason {
        Unsupported::Uninformative { sensitivity, false_flags } => {
            // Cross products, because two shares may have one value and different last digits.
            let (yes, no) = (counts.detected * counts.negatives(), counts.false_alarms * counts.positives());
            let how = if yes <= no { "is at chance or below it" } else { "cannot be told from chance by these labels" };
            Some(format!(
                "the grader is uninformative: it {how}. Its sensitivity may be as low as {:.0}%, and it may say yes to {:.0}% \
                 of what is no positive",
                sensitivity * 100.0,
                false_flags * 100.0
            ))
        }
        Unsupported::Unreviewed { .. }
        | Unsupported::NotCovered { .. }
        | Unsupported::TooFewKnown { .. }
        | Unsupported::Heterogeneous { .. }
        | Unsupported::TooFewClusters { .. }
        | Unsupported::NothingConfirmed
        | Unsupported::TooLittleGold { .. }
        | Unsupported::ReviewUninformative { .. } => None,
    }
}

//! How narrow the intervals will be: the report's own estimates, computed from what is expected instead of what was
//! counted.
//!
//! Every confirmed unit is taken to be in a conversation of its own, and no text to occur twice; but where conversations are
//! drawn whole, each of those with a confirmed turn is taken to hold so many. Sensitivities are whole numbers of known
//! positives: what is expected to be detected of them is rounded to the nearest.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use super::expectation::Slice;
use super::reading::of_stratum;
use crate::estimate::cell::ExpectedCell;
use crate::estimate::compared_pairs;
use crate::estimate::detect::{Chance, smallest_ratio_shown};
use crate::estimate::gamma::{Range, catchable, per_turn};
use crate::estimate::homogeneity::pooled;
use crate::estimate::sensitivity::{Corrected, Part, Sensitivity};
use crate::estimate::support::Unsupported;
use crate::estimate::total::Total;
use crate::model::compare::Contrast;
use crate::model::rate::{Level, Target};
use crate::model::review::ReviewDraw;
use crate::model::unit::{Group, UnitKind};

/// The power at which the smallest ratio is stated.
pub const POWER: f64 = 0.8;

/// At most so many pairs of groups are looked at: each takes some milliseconds.
const MAX_PAIRS: usize = 4;

/// Groups whose sum is forecast one by one.
const MAX_GROUPS: usize = 200;

/// Everything that the widths follow from.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// All strata.
    pub slices: Vec<Slice>,
    /// Whether groups are told apart.
    pub is_grouped: bool,
    /// Whether units of one conversation can both be confirmed, so that few of them say nothing of other traffic.
    pub may_cluster: bool,
    /// What is graded.
    pub unit: UnitKind,
    /// Confirmed turns of a conversation with at least one, where conversations are drawn whole and turns are graded: they
    /// count as one draw. Absent where units are drawn one by one.
    pub together: Option<f64>,
    /// What people read.
    pub review: ReviewDraw,
    /// Whether only what the second grader upholds reaches people.
    pub gate_includes_confirmer: bool,
    /// Known positives.
    pub known: Known,
    /// Pairs of groups that the audit compares; every pair if there are none.
    pub contrasts: Vec<Contrast>,
    /// Confidence level.
    pub level: Level,
}

/// The same where no run has shown it yet.
pub const ASSUMED_TOGETHER: f64 = 2.0;

/// Known positives, and those of them that pass the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Of a group that is not named below; of all groups together if they are pooled and none is named.
    pub usual: Sensitivity,
    /// Of the groups that have some.
    pub by_group: BTreeMap<Group, Sensitivity>,
    /// Whether one sensitivity counts for all groups.
    pub is_pooled: bool,
}

/// Known positives of each group that a forecast takes for granted where there are none yet.
pub const ASSUMED_KNOWN: u64 = 100;

impl Known {
    /// So many of each group, of which the gate detects the share `sensitivity`, to the nearest whole number. `None`
    /// for no known positive.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^53, and the cast saturates"
    )]
    pub fn of_each(known: u64, sensitivity: f64) -> Option<Self> {
        let detected = ((known as f64 * sensitivity).round() as u64).min(known);
        Some(Self { usual: Sensitivity::new(detected, known)?, by_group: BTreeMap::new(), is_pooled: false })
    }

    /// Those of one group.
    #[must_use]
    pub fn of(&self, group: &Group) -> Sensitivity {
        self.by_group.get(group).copied().unwrap_or(self.usual)
    }
}

/// A predicted rate with its limits: shares of the frame, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted {
    /// The rate.
    pub estimate: f64,
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

impl Predicted {
    /// Upper less lower limit over the rate: 1 if the interval is as wide as the rate is high. Absent for a rate of 0.
    #[must_use]
    pub fn relative_width(&self) -> Option<f64> {
        (self.estimate > 0.0).then(|| (self.upper - self.lower) / self.estimate)
    }
}

/// A rate of this corpus and one of the traffic it came from; where the report would refuse one, why.
#[derive(Debug, Clone, PartialEq)]
pub struct Both {
    /// Of this corpus.
    pub corpus: Result<Predicted, String>,
    /// Of the traffic.
    pub traffic: Result<Predicted, String>,
}

/// What a report would say of one group, or of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// The group; all of them together if absent.
    pub group: Option<Group>,
    /// Units of the frame.
    pub units: u64,
    /// Units that people are expected to confirm.
    pub confirmed: f64,
    /// What the funnel would confirm.
    pub catchable: Both,
    /// The same over the sensitivity.
    pub corrected: Both,
}

/// The smallest ratio of two groups' rates that would be shown to be no chance.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The group whose rate is divided.
    pub over: Group,
    /// The group that it is divided by.
    pub under: Group,
    /// The ratio, above 1; absent if not even a very large one would show.
    pub ratio: Option<f64>,
}

/// What a report would say.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// All groups together, then each, where there are several.
    pub scopes: Vec<Scope>,
    /// Pairs of groups: those that the audit compares, or the one that shows most.
    pub shown: Vec<Shown>,
}

/// What the report of such an audit would say.
#[must_use]
pub fn predict(outline: &Outline) -> Prediction {
    let groups = outline.groups();
    let is_several = (2..=MAX_GROUPS).contains(&groups.len());
    let each = groups.iter().filter(|_| is_several).map(|group| Some((*group).clone()));
    let scopes = std::iter::once(None).chain(each).map(|group| outline.scope(group)).collect();
    Prediction { scopes, shown: if is_several { shown(outline, &groups) } else { Vec::new() } }
}

/// The relative width of the corrected rate of this corpus, all groups together: what a plan is judged by. Absent if
/// there would be no such rate.
#[must_use]
pub fn width(outline: &Outline) -> Option<f64> {
    outline.rate(None, |total| outline.corrected(None, total, Target::Corpus), Target::Corpus).ok()?.relative_width()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Outline {
    fn groups(&self) -> Vec<&Group> {
        let groups: BTreeSet<&Group> =
            self.slices.iter().filter(|_| self.is_grouped).map(|slice| &slice.stratum.group).collect();
        groups.into_iter().collect()
    }

    fn of<'a>(&'a self, group: Option<&'a Group>) -> impl Iterator<Item = &'a Slice> {
        self.slices.iter().filter(move |slice| group.is_none_or(|group| slice.stratum.group == *group))
    }

    fn scope(&self, group: Option<Group>) -> Scope {
        let of = group.as_ref();
        let catchable =
            |target| self.rate(of, |total| Ok((total.estimate, catchable(total, target, self.level))), target);
        let corrected = |target| self.rate(of, |total| self.corrected(of, total, target), target);
        Scope {
            units: self.of(of).map(|slice| slice.units).sum(),
            confirmed: self.confirmed(of),
            catchable: Both { corpus: catchable(Target::Corpus), traffic: catchable(Target::Traffic) },
            corrected: Both { corpus: corrected(Target::Corpus), traffic: corrected(Target::Traffic) },
            group,
        }
    }

    /// Units that people are expected to confirm.
    fn confirmed(&self, group: Option<&Group>) -> f64 {
        self.of(group).flat_map(|slice| self.cells(slice)).map(|cell| cell.confirmed).sum()
    }

    /// The cells of one stratum that the gate sends to people; one of a stratum of which it sends nothing.
    fn cells(&self, slice: &Slice) -> Vec<ExpectedCell> {
        let reads = of_stratum(slice, &self.review);
        let expansion = if slice.units == 0 { 1.0 } else { slice.units as f64 / slice.graded };
        let cell = |share: f64, confirmed: f64, reviewed: f64| {
            let flagged = slice.graded * share;
            let read = if flagged > 0.0 { reviewed / flagged } else { 0.0 };
            ExpectedCell { expansion, flagged, reviewed, confirmed: slice.graded * confirmed * read }
        };
        let expected = &slice.expected;
        let upheld = cell(expected.upheld, expected.confirmed_upheld, reads.upheld);
        if self.gate_includes_confirmer {
            return vec![upheld];
        }
        vec![upheld, cell(expected.turned_down, expected.confirmed_turned_down, reads.turned_down)]
    }

    fn total(&self, group: Option<&Group>) -> Result<Total, String> {
        let uncovered = self.of(group).find(|slice| slice.units > 0 && slice.graded <= 0.0);
        if let Some(slice) = uncovered {
            return Err(format!("no unit of {} would be graded: draw some under [sample]", slice.stratum));
        }
        let of_slices: Vec<(&Slice, ExpectedCell)> =
            self.of(group).flat_map(|slice| self.cells(slice).into_iter().map(move |cell| (slice, cell))).collect();
        let cells: Vec<ExpectedCell> = of_slices.iter().map(|(_, cell)| *cell).collect();
        Total::expected_together(&cells, self.together.unwrap_or(1.0)).map_err(|reason| {
            let Unsupported::Unreviewed { cell, flagged, reviewed, wanted, .. } = reason else {
                return sentence(&reason);
            };
            let stratum = &of_slices[cell].0.stratum;
            format!(
                "people would read {reviewed} of {flagged} flagged units of {stratum}, at least {wanted} are needed: raise \
                 `confirm_yes` or `confirm_no` under [review]"
            )
        })
    }

    /// Estimate and limits of a scope as shares of its frame, cut off as a report does.
    fn rate(
        &self,
        group: Option<&Group>,
        of: impl Fn(&Total) -> Result<(f64, Range), String>,
        target: Target,
    ) -> Result<Predicted, String> {
        let frame: u64 = self.of(group).map(|slice| slice.units).sum();
        let frame = NonZeroU64::new(frame).ok_or("the corpus holds no unit of this group")?;
        let total = self.total(group)?;
        let (estimate, limits) = of(&total)?;
        if target == Target::Traffic && self.may_cluster {
            per_turn(&total).map_err(|reason| sentence(&reason))?;
        }
        let limits = if target == Target::Corpus { limits.at_least(self.confirmed(group)) } else { limits };
        let (shares, estimate) = (limits.over(frame), (estimate / frame.get() as f64).min(1.0));
        Ok(Predicted { estimate, lower: shares.lower.min(estimate), upper: shares.upper.max(estimate) })
    }

    /// Of one group by its own sensitivity; of all groups the sum of theirs.
    fn corrected(&self, group: Option<&Group>, total: &Total, target: Target) -> Result<(f64, Range), String> {
        let groups = self.groups();
        let pieces = |corrected: Corrected| (corrected.estimate, corrected.limits);
        if self.known.is_pooled {
            let all: Vec<Sensitivity> = self.known.by_group.values().copied().collect();
            let sensitivity = if all.is_empty() { Ok(self.known.usual) } else { pooled(&all) };
            let sensitivity = sensitivity.map_err(|reason| sentence(&reason))?;
            return self.over(group, total, sensitivity, target).map(pieces);
        }
        match (group, groups.as_slice()) {
            (Some(group), _) => self.over(Some(group), total, self.known.of(group), target).map(pieces),
            (None, []) => {
                let group = self.slices.first().map(|slice| self.known.of(&slice.stratum.group));
                self.over(None, total, group.unwrap_or(self.known.usual), target).map(pieces)
            }
            (None, groups) if groups.len() > MAX_GROUPS => {
                Err(format!("more than {MAX_GROUPS} groups are not forecast: name fewer fields in group_by"))
            }
            (None, groups) => {
                let of_one =
                    |group: &&Group| self.over(Some(*group), &self.total(Some(*group))?, self.known.of(group), target);
                let parts: Vec<Corrected> = groups.iter().map(of_one).collect::<Result<_, String>>()?;
                Ok(pieces(Corrected::sum(parts)))
            }
        }
    }

    fn over(
        &self,
        group: Option<&Group>,
        total: &Total,
        sensitivity: Sensitivity,
        target: Target,
    ) -> Result<Corrected, String> {
        sensitivity.usable().map_err(|reason| sentence(&reason))?;
        let (mut negatives, mut passed) = (0.0, 0.0);
        for slice in self.of(group) {
            let share = if self.gate_includes_confirmer { slice.expected.upheld } else { slice.expected.flagged() };
            let gated = slice.graded * share;
            let confirmed = slice.graded
                * if self.gate_includes_confirmer {
                    slice.expected.confirmed_upheld
                } else {
                    slice.expected.confirmed()
                };
            negatives += slice.graded - confirmed;
            passed += gated - confirmed;
        }
        sensitivity.informative(passed.max(0.0), negatives, self.level).map_err(|reason| sentence(&reason))?;
        Part { total: *total, sensitivity }.corrected(target, self.level).map_err(|reason| sentence(&reason))
    }
}

/// Why the report would have no such number, and what to add.
fn sentence(reason: &Unsupported) -> String {
    match reason {
        Unsupported::TooFewKnown { .. } => {
            "at least 20 known positives of each group, 10 of them detected, are needed".to_owned()
        }
        Unsupported::TooFewClusters { .. } => {
            "fewer than 10 conversations with a confirmed unit are expected, too few for \
                                               the rate of other traffic"
                .to_owned()
        }
        Unsupported::Uninformative { .. } => {
            "the screen would flag what is not there as readily as what is: see assume.flag_rate and assume.sensitivity"
                .to_owned()
        }
        Unsupported::Heterogeneous { .. } => {
            "the groups' sensitivities differ too much to be pooled: set pool_sensitivity = false".to_owned()
        }
        Unsupported::Unreviewed { .. }
        | Unsupported::NotCovered { .. }
        | Unsupported::NothingConfirmed
        | Unsupported::TooLittleGold { .. }
        | Unsupported::ReviewUninformative { .. } => "the design does not support it".to_owned(),
    }
}

/// Ratios of the declared pairs; without any, of the pair that shows most.
fn shown(outline: &Outline, groups: &[&Group]) -> Vec<Shown> {
    let events: BTreeMap<&Group, f64> =
        groups.iter().filter_map(|group| Some((*group, events(&outline.total(Some(group)).ok()?)?))).collect();
    let mut pairs: Vec<(&Group, &Group)> = compared_pairs(&outline.contrasts, groups)
        .into_iter()
        .map(|(_, over, under)| (over, under))
        .filter(|(over, under)| events.contains_key(over) && events.contains_key(under))
        .collect();
    if outline.contrasts.is_empty() {
        // The variance of the logarithm of the ratio.
        let spread = |(over, under): &(&Group, &Group)| events[over].recip() + events[under].recip();
        let best = pairs.iter().copied().min_by(|one, other| spread(one).total_cmp(&spread(other)));
        pairs = best.into_iter().collect();
    }
    let power = Chance::new(POWER).expect("the power is a probability");
    let of = |(over, under): (&Group, &Group)| Shown {
        over: over.clone(),
        under: under.clone(),
        ratio: smallest_ratio_shown(events[over], events[under], outline.level, power),
    };
    pairs.into_iter().take(MAX_PAIRS).map(of).collect()
}

/// Plain events that would say as much as a weighted total: its square over its variance.
fn events(total: &Total) -> Option<f64> {
    (total.estimate > 0.0).then(|| total.estimate * (total.estimate / total.variance()))
}

#[cfg(test)]
#[path = "predict_tests.rs"]
pub(crate) mod tests;

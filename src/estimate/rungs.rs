//! The four rungs of a report, each with its target, or with what would have to be added.
//!
//! The floor counts; catchable expands what people confirmed by the inverse of every probability of having been seen;
//! corrected divides that by the sensitivity of the gate; the ceiling expands what people found among cleared units as
//! well. `statistics-formulas.md` sections 2 to 4 have the formulas, `docs/statistics.md` what each number means.

use super::corrected::corrected;
use super::design::{Design, Side};
use super::floor::{deciders, floors};
use super::gamma::{self, Range};
use super::refusal;
use super::scope::Scope;
use super::stopped;
use super::total::Total;
use crate::model::grading::Stage;
use crate::model::rate::{Bracket, Method, Rate, RateName, Target};
use crate::model::review::Route;
use crate::model::tally::Tally;
use crate::model::unit::{Group, UnitKind};

/// Every rate of a report: for all groups together and for each, per turn and per conversation, for the corpus and for
/// the traffic it came from. What the design does not support is a rate without figures and with a reason.
#[must_use]
pub fn rates(tally: &Tally) -> Vec<Rate> {
    // A tally's counts agree with each other by construction of the fold.
    let design = Design::of(tally).expect("the counts of a tally agree");
    let (mixed, refused) = (mixture(tally), no_fixed_n(tally));
    let sequence = stopped::Sequence::of(tally);
    let mut rates = Vec::new();
    for group in groups(tally) {
        for unit in [UnitKind::Turn, UnitKind::Conversation] {
            let scope = Scope { design: &design, group, unit, mixed: mixed.as_deref() };
            for decider in deciders(tally) {
                rates.extend(floors(&scope, decider));
            }
            rates.extend(sequence.as_ref().filter(|_| unit == tally.plan.unit).map(|sequence| sequence.rate(&scope)));
            let scope = Scope { mixed: refused.as_deref(), ..scope };
            for target in [Target::Corpus, Target::Traffic] {
                rates.push(expanded(&scope, RateName::Catchable, target));
            }
            for target in [Target::Corpus, Target::Traffic] {
                rates.push(corrected(&scope, target));
            }
            for target in [Target::Corpus, Target::Traffic] {
                rates.push(expanded(&scope, RateName::Ceiling, target));
            }
        }
    }
    rates
}

/// All groups together, then each. Without fields to group by, the only group is everything.
pub(super) fn groups(tally: &Tally) -> Vec<Option<&Group>> {
    let single = tally.plan.group_by.is_empty();
    std::iter::once(None).chain(tally.groups().into_iter().filter(|_| !single).map(Some)).collect()
}

/// Why the verdicts of a run are not one measurement, if they are not.
pub(super) fn mixture(tally: &Tally) -> Option<String> {
    let stages: Vec<_> = tally.mixed_stages().into_iter().map(Stage::as_str).collect();
    (!stages.is_empty()).then(|| {
        format!(
            "several models served the {} stage: their verdicts are not pooled; the counts of each are under `graders`",
            stages.join(" and the ")
        )
    })
}

/// Why a run supports no estimate whose limits suppose that the number of units was fixed beforehand, if it does not.
pub(super) fn no_fixed_n(tally: &Tally) -> Option<String> {
    mixture(tally).or_else(|| tally.narrow_look().map(|_| stopped::NO_FIXED_N.to_owned()))
}

/// A total of a scope, and how many distinct units people confirmed for it.
pub(super) struct Counted {
    pub(super) total: Total,
    pub(super) k: u64,
    pub(super) frame: std::num::NonZeroU64,
}

/// The weighted total of a scope, or why there is none.
pub(super) fn counted(scope: &Scope<'_>, with_cleared: bool) -> Result<Counted, String> {
    if let Some(reason) = scope.mixed {
        return Err(reason.to_owned());
    }
    let frame = scope.frame()?;
    let design = scope.design;
    if scope.unit == UnitKind::Conversation && design.tally.plan.unit == UnitKind::Turn {
        return super::conversations::counted(scope, with_cleared, frame);
    }
    if with_cleared {
        let has_read = |stratum: usize| {
            design.places.iter().any(|place| place.stratum == stratum && place.route == Some(Route::Cleared))
        };
        let strata = (0..design.admitted.len()).filter(|stratum| design.is_stratum_in(*stratum, scope.group));
        if strata.into_iter().any(|stratum| design.tally.strata[stratum].has_cleared() && !has_read(stratum)) {
            return Err("no person has read cleared units: set `cleared` under [review], such as 200".to_owned());
        }
        if design.tally.plan.gate_includes_confirmer() && design.has_unread_rest(scope.group) {
            let reason = "what the second grader did not uphold never reaches people: set `confirm_no` under [review]";
            return Err(reason.to_owned());
        }
    }
    let reasons = refusal::of_total(design, scope.group, with_cleared);
    if !reasons.is_empty() {
        return Err(reasons.join("; "));
    }
    let keep = |cell: usize| design.is_in(cell, scope.group) && (with_cleared || design.is_gated(cell));
    let total = design.funnel.total(keep).map_err(|reason| refusal::sentence(&reason))?;
    let cells = design.funnel.cells().iter().enumerate().filter(|(cell, _)| keep(*cell));
    Ok(Counted { total, k: cells.map(|(_, cell)| cell.confirmed).sum(), frame })
}

/// Catchable, or the ceiling.
fn expanded(scope: &Scope<'_>, name: RateName, target: Target) -> Rate {
    let with_cleared = name == RateName::Ceiling;
    let counted = match counted(scope, with_cleared) {
        Ok(counted) => counted,
        Err(reason) => return scope.refused(name, target, reason),
    };
    let is_drawn_whole = scope.unit == UnitKind::Conversation && scope.design.tally.plan.unit == UnitKind::Turn;
    let bracket = if is_drawn_whole {
        super::conversations::bracket(scope, &counted)
    } else {
        bracket(scope, with_cleared, counted.frame, 1.0)
    };
    let Counted { total, k, frame } = counted;
    let level = scope.design.tally.level;
    let is_count = target == Target::Corpus && total.is_census;
    let method = if is_count { Method::Census } else { Method::Gamma };
    let limits = gamma::catchable(&total, target, level);
    let mut rate = figures(scope.empty(name, target), scope, (total.estimate, limits), (k, frame));
    rate.method = Some(method);
    rate.clusters = Some(total.affected);
    rate.bracket = bracket;
    refuse_traffic(scope, rate, total.affected)
}

/// Estimate and limits as shares of the frame.
pub(super) fn figures(
    rate: Rate,
    scope: &Scope<'_>,
    (estimate, limits): (f64, Range),
    (k, frame): (u64, std::num::NonZeroU64),
) -> Rate {
    // What was found by hand is in this corpus, whatever an estimate says.
    let found = if rate.target == Target::Corpus { found(scope) } else { 0.0 };
    let shares = limits.at_least(found).over(frame);
    let estimate = share(estimate.max(found), frame);
    Rate {
        k: Some(k),
        n: Some(frame.get()),
        estimate: Some(estimate),
        lower: Some(shares.lower.min(estimate)),
        upper: Some(shares.upper.max(estimate)),
        level: Some(scope.design.tally.level.get()),
        ..rate
    }
}

/// Units of this corpus that people confirmed, hand-picked ones included: no figure of the corpus is less.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn found(scope: &Scope<'_>) -> f64 {
    floors(scope, crate::model::rate::Decider::People)[0].k.unwrap_or(0) as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn share(units: f64, frame: std::num::NonZeroU64) -> f64 {
    (units / frame.get() as f64).min(1.0)
}

/// Takes the limits of a rate of other traffic away where they would rest on too few clusters.
pub(super) fn refuse_traffic(scope: &Scope<'_>, rate: Rate, affected: u64) -> Rate {
    match scope.too_few_clusters(affected) {
        Some(reason) if rate.target == Target::Traffic => {
            Rate { lower: None, upper: None, level: None, method: None, reason: Some(reason), ..rate }
        }
        Some(_) | None => rate,
    }
}

/// What the total over `sensitivity` could be as a share of the frame, if anything is not known.
pub(super) fn bracket(
    scope: &Scope<'_>,
    with_cleared: bool,
    frame: std::num::NonZeroU64,
    sensitivity: f64,
) -> Option<Bracket> {
    let design = scope.design;
    let keep = |cell: usize| design.is_in(cell, scope.group) && (with_cleared || design.is_gated(cell));
    let stratum = |cell: usize| keep(cell).then(|| design.places[cell].stratum);
    let bracket = super::ungraded::bracket(&design.funnel, &design.admitted, stratum).ok()?;
    let undecided = undecided(design, keep);
    let strata = (0..design.admitted.len()).filter(|stratum| design.is_stratum_in(*stratum, scope.group));
    let ungraded: u64 = strata.map(|stratum| design.admitted[stratum].ungraded()).sum();
    if ungraded == 0 && undecided <= 0.0 {
        return None;
    }
    let share = |units: f64| share(units / sensitivity, frame);
    Some(Bracket {
        ungraded_no: share(bracket.all_no.estimate),
        ungraded_yes: share(bracket.all_yes.estimate),
        undecided_yes: share(bracket.headline.estimate + undecided),
    })
}

/// What units that were read and not decided would add if they all counted.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn undecided(design: &Design<'_>, keep: impl Fn(usize) -> bool) -> f64 {
    let cells = design.funnel.cells().iter().zip(&design.places).enumerate();
    let kept = cells.filter(|(index, (cell, _))| keep(*index) && cell.reviewed > 0);
    kept.map(|(_, (cell, place))| cell.expansion * cell.flagged as f64 * place.undecided as f64 / cell.reviewed as f64)
        .sum()
}

/// The share of what the gate would catch that the prefilter hits: 0 to 1, after [`super::ratio::prefilter_recall`].
#[derive(Debug, Clone, PartialEq)]
pub struct Recall {
    /// The group; all of them together if absent.
    pub group: Option<Group>,
    /// The estimate.
    pub estimate: Option<f64>,
    /// Its limits.
    pub limits: Option<super::interval::Limits>,
    /// Why there is none, and what to add.
    pub reason: Option<String>,
}

/// The prefilter's recall, for all groups together and for each.
#[must_use]
pub fn recall(tally: &Tally) -> Vec<Recall> {
    let design = Design::of(tally).expect("the counts of a tally agree");
    let refused = no_fixed_n(tally);
    let of = |group: Option<&Group>| {
        let scope = Scope { design: &design, group, unit: tally.plan.unit, mixed: refused.as_deref() };
        recall_of(&scope)
    };
    let row = |group: Option<&Group>| match of(group) {
        Ok(recall) => {
            Recall { group: group.cloned(), estimate: Some(recall.estimate), limits: Some(recall.limits), reason: None }
        }
        Err(reason) => Recall { group: group.cloned(), estimate: None, limits: None, reason: Some(reason) },
    };
    groups(tally).into_iter().map(row).collect()
}

fn recall_of(scope: &Scope<'_>) -> Result<super::ratio::Recall, String> {
    counted(scope, false)?;
    let design = scope.design;
    let total = |side: Side| {
        let gated = |cell: usize| design.is_in(cell, scope.group) && design.is_gated(cell);
        design
            .funnel
            .part(|cell| gated(cell) && design.side(cell) == side, gated)
            .map_err(|reason| refusal::sentence(&reason))
    };
    super::ratio::prefilter_recall(&total(Side::Hits)?, &total(Side::Others)?, design.tally.level)
        .map_err(|_| "nothing was confirmed, with a cue or without".to_owned())
}

#[cfg(test)]
#[path = "rungs_tests.rs"]
mod tests;

//! The corrected rate: catchable over the sensitivity of the gate, by class and by group where known positives allow.

use super::design::{Known, Side};
use super::homogeneity::pooled;
use super::refusal::{DRAFT, sentence};
use super::review_error::ReviewError;
use super::rungs::{Counted, bracket, counted, figures, groups, refuse_traffic, share};
use super::scope::Scope;
use super::sensitivity::{Basis, Classes, Corrected, Part, Sensitivity, basis, by_class};
use super::support::Unsupported;
use crate::model::rate::{Lowered, Method, Rate, RateName, Target};
use crate::model::unit::{Group, UnitKind};

/// By how much the sensitivity for units without a cue is lowered, to show what rests on it.
const LOWERED: [f64; 2] = [0.1, 0.2];

/// A corrected total of one group, and what it was computed with.
struct Figure {
    corrected: Corrected,
    classes: Classes,
    method: Method,
}

/// The corrected rate of a scope.
pub(super) fn corrected(scope: &Scope<'_>, target: Target) -> Rate {
    let refused = |reason: String| scope.refused(RateName::Corrected, target, reason);
    if scope.design.tally.plan.watermark().is_some() {
        return refused(DRAFT.to_owned());
    }
    let counted = match counted(scope, false) {
        Ok(counted) => counted,
        Err(reason) => {
            // Both obstacles at once, so that nobody clears one to find the other.
            let known = sensitivity_of(scope).err().filter(|_| scope.mixed.is_none());
            return refused([Some(reason), known].into_iter().flatten().collect::<Vec<_>>().join("; "));
        }
    };
    if scope.unit == UnitKind::Conversation && scope.design.tally.plan.unit == UnitKind::Turn {
        return super::conversations::bounds(scope, target, &counted);
    }
    let figure = match of_scope(scope, target) {
        Ok(figure) => figure,
        Err(reason) => return refused(reason),
    };
    let Counted { total, k, frame } = counted;
    let Corrected { estimate, limits } = figure.corrected;
    let empty = scope.empty(RateName::Corrected, target);
    let mut rate = figures(empty, scope, (estimate, limits), (k, frame));
    rate.method = Some(figure.method);
    rate.clusters = Some(total.affected);
    // One factor stands for all classes: the bracket shows how far, not which.
    let sensitivity = if estimate > 0.0 { total.estimate / estimate } else { figure.classes.hits_sensitivity };
    rate.bracket = bracket(scope, false, frame, sensitivity);
    let lowered =
        LOWERED.map(|by| Lowered { by, estimate: figure.classes.lowered(by).map(|units| share(units, frame)) });
    rate.lowered = lowered.to_vec();
    rate.tipping_point = figure.classes.tipping_point();
    refuse_traffic(scope, rate, total.affected)
}

/// The corrected total of a scope: of one group with its own sensitivity; of all groups as the sum of theirs.
fn of_scope(scope: &Scope<'_>, target: Target) -> Result<Figure, String> {
    let tally = scope.design.tally;
    let by_group: Vec<&Group> = groups(tally).into_iter().flatten().collect();
    if scope.group.is_some() || by_group.len() < 2 || tally.plan.compare.pool_sensitivity {
        return of_group(scope, target);
    }
    let mut sum = Figure {
        corrected: Corrected::sum([]),
        classes: Classes { hits: 0.0, others: 0.0, hits_sensitivity: 1.0, others_sensitivity: 1.0 },
        method: Method::SumOfGroups,
    };
    let (mut parts, mut hits, mut others) = (Vec::new(), 0.0, 0.0);
    for group in by_group {
        let of_one = Scope { group: Some(group), ..*scope };
        let figure = of_group(&of_one, target).map_err(|reason| format!("{group}: {reason}"))?;
        parts.push(figure.corrected);
        sum.classes.hits += figure.classes.hits;
        sum.classes.others += figure.classes.others;
        hits += figure.classes.hits / figure.classes.hits_sensitivity;
        others += figure.classes.others / figure.classes.others_sensitivity;
    }
    sum.corrected = Corrected::sum(parts);
    // The harmonic mean of the groups' sensitivities, weighted by what each confirms: their sum stays what it is.
    let mean = |units: f64, true_units: f64| if true_units > 0.0 { units / true_units } else { 1.0 };
    sum.classes.hits_sensitivity = mean(sum.classes.hits, hits);
    sum.classes.others_sensitivity = mean(sum.classes.others, others);
    Ok(sum)
}

/// The corrected total of a scope, had people erred on units as they did on gold: every cell's confirmed share is changed, the
/// sensitivities stay.
pub(super) fn if_people_err(scope: &Scope<'_>, error: &ReviewError) -> Result<f64, String> {
    let tally = scope.design.tally;
    let by_group: Vec<&Group> = groups(tally).into_iter().flatten().collect();
    let design = scope.design;
    if scope.group.is_none() && by_group.len() > 1 && !tally.plan.compare.pool_sensitivity {
        let totals = by_group.into_iter().map(|group| if_people_err(&Scope { group: Some(group), ..*scope }, error));
        return totals.sum();
    }
    let classes = of_group(scope, Target::Corpus)?.classes;
    let side = |side: Side| {
        let keep = |cell: usize| design.is_in(cell, scope.group) && design.is_gated(cell) && design.side(cell) == side;
        error.corrected_total(&design.funnel, keep)
    };
    Ok(side(Side::Hits) / classes.hits_sensitivity + side(Side::Others) / classes.others_sensitivity)
}

/// The sensitivities that count for a group.
fn known(scope: &Scope<'_>) -> Result<Known, String> {
    let design = scope.design;
    if design.tally.plan.watermark().is_some() {
        return Err(DRAFT.to_owned());
    }
    let partial = design.partly_graded(scope.group);
    if partial > 0 {
        return Err(format!(
            "{partial} known positives lack an answer after a first one that took them further, or are not in a file of verdicts: \
             that may hang on what was found in them, so that sensitivity would lean. Run the audit again, or complete the file"
        ));
    }
    if !design.tally.plan.compare.pool_sensitivity {
        return Ok(design.known(scope.group));
    }
    let by_group: Vec<Sensitivity> =
        groups(design.tally).into_iter().flatten().filter_map(|group| design.known(Some(group)).all).collect();
    pooled(&by_group).map_err(|reason| sentence(&reason))?;
    Ok(design.known(None))
}

/// The one sensitivity of a scope, if a corrected figure may rest on it.
pub(super) fn sensitivity_of(scope: &Scope<'_>) -> Result<Sensitivity, String> {
    let words = |reason: Unsupported| sentence(&reason);
    let all = known(scope)?.all.ok_or_else(|| words(Unsupported::TooFewKnown { detected: 0, known: 0 }))?;
    all.usable().map_err(words)?;
    let negatives = scope.design.negatives(scope.group);
    all.informative(negatives.passed, negatives.all, scope.design.tally.level).map_err(words)?;
    Ok(all)
}

/// The total of a group and its one sensitivity: what a ratio with each group's own sensitivity is made of.
pub(super) fn part_of(scope: &Scope<'_>) -> Result<(Part, std::num::NonZeroU64), String> {
    let Counted { total, frame, .. } = counted(scope, false)?;
    Ok((Part { total, sensitivity: sensitivity_of(scope)? }, frame))
}

fn of_group(scope: &Scope<'_>, target: Target) -> Result<Figure, String> {
    let (design, level) = (scope.design, scope.design.tally.level);
    let words = |reason: Unsupported| sentence(&reason);
    let known = known(scope)?;
    let gated = |cell: usize| design.is_in(cell, scope.group) && design.is_gated(cell);
    let keep = |side: Side| move |cell: usize| gated(cell) && design.side(cell) == side;
    let hits = design.funnel.part(keep(Side::Hits), gated).map_err(words)?;
    let others = design.funnel.part(keep(Side::Others), gated).map_err(words)?;
    let all = design.funnel.total(gated).map_err(words)?;
    match (basis(known.hits, known.others), known.hits, known.others) {
        (Basis::ByClass, Some(of_hits), Some(of_others)) => {
            let negatives = design.negatives(scope.group);
            of_hits.and(of_others).informative(negatives.passed, negatives.all, level).map_err(words)?;
            let (first, second) =
                (Part { total: hits, sensitivity: of_hits }, Part { total: others, sensitivity: of_others });
            let correlation = all.correlation(&hits, &others);
            Ok(Figure {
                corrected: by_class(&first, &second, correlation, target, level).map_err(words)?,
                classes: classes((hits.estimate, of_hits), (others.estimate, of_others)),
                method: Method::MeldedByClass,
            })
        }
        (Basis::ByClass | Basis::Single, _, _) => {
            let sensitivity = sensitivity_of(scope)?;
            Ok(Figure {
                corrected: Part { total: all, sensitivity }.corrected(target, level).map_err(words)?,
                classes: classes((hits.estimate, sensitivity), (others.estimate, sensitivity)),
                method: Method::Melded,
            })
        }
    }
}

fn classes((hits, of_hits): (f64, Sensitivity), (others, of_others): (f64, Sensitivity)) -> Classes {
    Classes { hits, others, hits_sensitivity: of_hits.rate(), others_sensitivity: of_others.rate() }
}

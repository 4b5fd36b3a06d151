//! Groups compared: by declared contrasts or every pair, and along declared orders.
//!
//! Compared is what the funnel would confirm of either group's traffic; floors of groups that were sampled differently
//! are not comparable. Nothing is compared across units, graders, prompts or definitions: a report has one of each.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use super::compare::family::{Correction, PValue, adjust};
use super::compare::ratio::{mid_p_ratio, mid_p_value};
use super::compare::score::{Variance, score_difference};
use super::compare::trend::{Step, trend};
use super::corrected::part_of;
use super::count::Exposed;
use super::design::Design;
use super::homogeneity::differ;
use super::interval::Share;
use super::ratio::{self, Counted, order_reversal, own_sensitivity_ratio};
use super::refusal::sentence;
use super::rungs::{counted, no_fixed_n};
use super::scope::Scope;
use super::sensitivity::Part;
use super::special::normal_quantile;
use super::total::Total;
use crate::model::compare::Contrast;
use crate::model::comparison::{
    Comparison, Comparisons, DifferenceFigure, Kind, RatioFigure, RatioMethod, TrendFigure,
};
use crate::model::rate::Level;
use crate::model::tally::Tally;
use crate::model::unit::{Group, UnitKind};

/// The power at which the smallest ratio that could have shown is stated.
const POWER: f64 = 0.8;

/// Every comparison that the audit asks for; without a lineage, none, with the reason.
#[must_use]
pub fn comparisons(tally: &Tally) -> Comparisons {
    let compare = &tally.plan.compare;
    let nothing = |reason: &str| Comparisons { reason: Some(reason.to_owned()), ..Comparisons::default() };
    let groups: Vec<&Group> = tally.groups().into_iter().collect();
    if groups.len() < 2 {
        return nothing("there is one group: name metadata fields in group_by under [corpus]");
    }
    if compare.lineage.trim().is_empty() {
        return nothing("nobody has said what changed between the groups: write lineage = \"...\" under [compare]");
    }
    let design = Design::of(tally).expect("the counts of a tally agree");
    let mixed = no_fixed_n(tally);
    let units =
        if tally.plan.draws_several() { vec![UnitKind::Turn, UnitKind::Conversation] } else { vec![tally.plan.unit] };
    let mut pairs = Vec::new();
    for unit in units {
        let side = |group| Side::of(&Scope { design: &design, group: Some(group), unit, mixed: mixed.as_deref() });
        let sides: BTreeMap<&Group, Side> = groups.iter().map(|group| (*group, side(*group))).collect();
        let mut family: Vec<Comparison> = asked(&compare.contrasts, &groups)
            .into_iter()
            .map(|(kind, over, under)| pair((over, &sides[over]), (under, &sides[under]), (kind, unit), tally.level))
            .collect();
        correct(&mut family);
        pairs.extend(family);
    }
    let scope = |group| Scope { design: &design, group: Some(group), unit: tally.plan.unit, mixed: mixed.as_deref() };
    let trends = orders(tally, &groups).into_iter().map(|(field, groups)| trend_of(field, &groups, scope)).collect();
    let unknown: Vec<String> = compare
        .contrasts
        .iter()
        .filter(|contrast| !groups.iter().any(|over| partners(contrast, over, &groups).is_some()))
        .map(|contrast| format!("`{contrast}`"))
        .collect();
    let reason = (!unknown.is_empty()).then(|| {
        format!(
            "no two groups differ as {} says and in nothing else: name values of one group_by field",
            unknown.join(", ")
        )
    });
    Comparisons { lineage: Some(compare.lineage.clone()), pairs, trends, reason }
}

/// The pairs to compare: the declared ones, each within every combination of the other fields; without any, all pairs
/// that differ in one field.
pub(crate) fn asked<'a>(contrasts: &[Contrast], groups: &[&'a Group]) -> Vec<(Kind, &'a Group, &'a Group)> {
    if !contrasts.is_empty() {
        let declared = contrasts.iter().flat_map(|contrast| {
            let pairs = groups.iter().filter_map(|over| Some((*over, partners(contrast, over, groups)?)));
            pairs.map(|(over, under)| (Kind::Declared, over, under)).collect::<Vec<_>>()
        });
        return declared.collect();
    }
    let mut pairs = Vec::new();
    for (index, under) in groups.iter().enumerate() {
        let later = groups[index + 1..].iter().filter(|over| differences(over, under).count() == 1);
        pairs.extend(later.map(|over| (Kind::Sweep, *over, *under)));
    }
    pairs
}

fn differences<'a>(one: &'a Group, other: &'a Group) -> impl Iterator<Item = usize> + use<'a> {
    one.0.iter().zip(&other.0).enumerate().filter(|(_, (one, other))| one != other).map(|(field, _)| field)
}

/// The group that differs from `over` as the contrast says, and in nothing else.
fn partners<'a>(contrast: &Contrast, over: &Group, groups: &[&'a Group]) -> Option<&'a Group> {
    groups.iter().copied().find(|under| {
        let mut differing = differences(over, under);
        let field = differing.next().filter(|_| differing.next().is_none());
        field.is_some_and(|field| over.0[field] == contrast.over && under.0[field] == contrast.under)
    })
}

/// Every ordered field with the groups along it, within each combination of the other fields.
fn orders<'a>(tally: &Tally, groups: &[&'a Group]) -> Vec<(String, Vec<&'a Group>)> {
    let mut found = Vec::new();
    for (field, values) in &tally.plan.compare.order {
        let Some(place) = tally.plan.group_by.iter().position(|name| name == field) else { continue };
        let others = |group: &Group| {
            group
                .0
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != place)
                .map(|(_, value)| value.clone())
                .collect::<Vec<_>>()
        };
        let mut combinations: Vec<Vec<String>> = groups.iter().map(|group| others(group)).collect();
        combinations.dedup();
        combinations.sort();
        combinations.dedup();
        for combination in combinations {
            let along = values.iter().filter_map(|value| {
                groups.iter().copied().find(|group| group.0[place] == *value && others(group) == combination)
            });
            let along: Vec<&Group> = along.collect();
            if along.len() > 1 {
                found.push((field.clone(), along));
            }
        }
    }
    found
}

/// One group, as far as it can be compared.
struct Side {
    /// What the funnel would confirm, and how many distinct units people have confirmed.
    counted: Result<(Counted, u64), String>,
    /// The same with the gate's sensitivity.
    part: Result<(Part, NonZeroU64), String>,
}

impl Side {
    fn of(scope: &Scope<'_>) -> Self {
        let name = scope.group.map(ToString::to_string).unwrap_or_default();
        let named = |reason: String| format!("{name}: {reason}");
        let counted = counted(scope, false).map_err(named);
        let counted = counted.map(|side| (Counted { total: side.total, frame: side.frame }, side.k));
        let part = if scope.unit == scope.design.tally.plan.unit {
            part_of(scope).map_err(named)
        } else {
            Err("sensitivity was measured on turns".to_owned())
        };
        Self { counted, part }
    }
}

/// Two groups, compared.
fn pair(
    (over, first): (&Group, &Side),
    (under, second): (&Group, &Side),
    (kind, unit): (Kind, UnitKind),
    level: Level,
) -> Comparison {
    let mut comparison = Comparison {
        kind,
        unit,
        over: over.clone(),
        under: under.clone(),
        k: None,
        n: None,
        ratio: None,
        method: None,
        p: None,
        p_adjusted: None,
        own_sensitivity: None,
        own_sensitivity_reason: None,
        difference: None,
        reversal: None,
        detectable: None,
        reason: None,
    };
    match (&first.counted, &second.counted) {
        (Ok((one, k_one)), Ok((other, k_other))) => {
            comparison.k = Some([*k_one, *k_other]);
            comparison.n = Some([one.frame.get(), other.frame.get()]);
            fill(&mut comparison, &[*one, *other], level);
            own_sensitivity(&mut comparison, &first.part, &second.part, level);
        }
        (Err(reason), _) | (_, Err(reason)) => comparison.reason = Some(reason.clone()),
    }
    comparison
}

fn fill(comparison: &mut Comparison, [first, second]: &[Counted; 2], level: Level) {
    let plain = plain(&first.total, first.frame.get()).zip(plain(&second.total, second.frame.get()));
    comparison.difference = match &plain {
        Some(((_, first), (_, second))) => {
            let limits = score_difference(*first, *second, level, Variance::Unbiased);
            Some(DifferenceFigure { estimate: limits.estimate, lower: limits.lower, upper: limits.upper })
        }
        None => ratio::difference(first, second, level).ok().map(|limits| DifferenceFigure {
            estimate: limits.estimate,
            lower: limits.lower,
            upper: limits.upper,
        }),
    };
    let figure =
        |estimate: f64, lower: f64, upper: f64| RatioFigure { estimate: finite(estimate), lower, upper: finite(upper) };
    let found = match plain {
        Some(((first, _), (second, _))) => mid_p_ratio(first, second, level).map(|limits| {
            let figure = figure(limits.estimate, limits.lower, limits.upper);
            (figure, mid_p_value(first, second), RatioMethod::ConditionalMidP)
        }),
        None => ratio::ratio(first, second, level).ok().map(|ratio| {
            let figure = figure(ratio.estimate, ratio.limits.lower, ratio.limits.upper);
            (figure, ratio.p, RatioMethod::MeldedGamma)
        }),
    };
    let Some((ratio, p, method)) = found else {
        comparison.reason = Some("nothing was confirmed in either group, so there is no ratio".to_owned());
        return;
    };
    comparison.ratio = Some(ratio);
    comparison.p = Some(p);
    comparison.method = Some(method);
    comparison.reversal = order_reversal(first, second);
    if p >= level.alpha() {
        comparison.detectable = detectable(first, second, level);
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

/// A total that is a plain count, with at most one to a cluster.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn plain(total: &Total, frame: u64) -> Option<(Exposed, Share)> {
    let is_plain = total.is_census && total.between <= 0.0 && total.weight <= 1.0;
    let k = total.estimate.round() as u64;
    let exposed = Exposed::new(k, frame as f64)?;
    Share::new(k, frame).filter(|_| is_plain).map(|share| (exposed, share))
}

/// About the smallest ratio above 1 that would have been shown with a probability of [`POWER`], from the logarithm of a
/// ratio of two Poisson counts with as many events as the totals are worth, A^2 / v, if the rates were equal.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn detectable(first: &Counted, second: &Counted, level: Level) -> Option<f64> {
    let frames = [first.frame.get() as f64, second.frame.get() as f64];
    let rate = (first.total.estimate + second.total.estimate) / (frames[0] + frames[1]);
    let worth = |total: &Total, frame: f64| {
        // One event of a total is worth as much as its variance says; of none, as much as its heaviest unit.
        let inflation = if total.estimate > 0.0 { total.variance() / total.estimate } else { total.weight };
        rate * frame / inflation.max(1.0)
    };
    let events = [worth(&first.total, frames[0]), worth(&second.total, frames[1])];
    let z = normal_quantile(1.0 - level.alpha() / 2.0) + normal_quantile(POWER);
    let ratio = (z * (events[0].recip() + events[1].recip()).sqrt()).exp();
    finite(ratio).filter(|ratio| *ratio < 1e6)
}

/// The ratio with each group's own sensitivity; where the two differ, the ratio that supposes them equal goes.
fn own_sensitivity(
    comparison: &mut Comparison,
    over: &Result<(Part, NonZeroU64), String>,
    under: &Result<(Part, NonZeroU64), String>,
    level: Level,
) {
    let ((first, first_frame), (second, second_frame)) = match (over, under) {
        (Ok(over), Ok(under)) => (*over, *under),
        (Err(reason), _) | (_, Err(reason)) => {
            comparison.own_sensitivity_reason = Some(reason.clone());
            return;
        }
    };
    match own_sensitivity_ratio((&first, first_frame), (&second, second_frame), level) {
        Ok(ratio) => {
            comparison.own_sensitivity = Some(RatioFigure {
                estimate: finite(ratio.estimate),
                lower: ratio.limits.lower,
                upper: finite(ratio.limits.upper),
            });
        }
        Err(reason) => comparison.own_sensitivity_reason = Some(sentence(&reason)),
    }
    if differ(first.sensitivity, second.sensitivity) {
        comparison.ratio = None;
        comparison.p = None;
        comparison.method = None;
        comparison.detectable = None;
        comparison.difference = None;
        comparison.reason = Some(format!(
            "the gate detects {:.0}% of the known positives of {} and {:.0}% of those of {}: only the ratio with each \
             group's own sensitivity compares them",
            first.sensitivity.rate() * 100.0,
            comparison.over,
            second.sensitivity.rate() * 100.0,
            comparison.under,
        ));
    }
}

/// Corrects a family's p-values: Holm where it was declared, Benjamini and Hochberg for a sweep.
fn correct(family: &mut [Comparison]) {
    let correction = match family.first().map(|comparison| comparison.kind) {
        Some(Kind::Declared) => Correction::Holm,
        Some(Kind::Sweep) => Correction::BenjaminiHochberg,
        None => return,
    };
    let p: Vec<PValue> = family.iter().filter_map(|comparison| PValue::new(comparison.p?)).collect();
    let mut adjusted = adjust(&p, correction).into_iter();
    for comparison in family.iter_mut().filter(|comparison| comparison.p.is_some()) {
        comparison.p_adjusted = adjusted.next().map(PValue::get);
    }
}

fn trend_of<'a>(field: String, groups: &[&'a Group], scope: impl Fn(&'a Group) -> Scope<'a>) -> TrendFigure {
    let mut figure = TrendFigure {
        field,
        groups: groups.iter().map(|group| (*group).clone()).collect(),
        z: None,
        p: None,
        reason: None,
    };
    let mut steps = Vec::new();
    for (score, group) in (0_u32..).zip(groups) {
        let step = match counted(&scope(group), false) {
            Ok(counted) => {
                plain(&counted.total, counted.frame.get()).and_then(|(_, share)| Step::new(share, f64::from(score)))
            }
            Err(reason) => {
                figure.reason = Some(format!("{group}: {reason}"));
                return figure;
            }
        };
        let Some(step) = step else {
            figure.reason = Some(
                "rates that are weighted, or of which a conversation holds two events, have no test of trend: compare the \
                 first with the last"
                    .to_owned(),
            );
            return figure;
        };
        steps.push(step);
    }
    match trend(&steps) {
        Some(trend) => {
            figure.z = finite(trend.z);
            figure.p = Some(trend.p());
        }
        None => figure.reason = Some("nothing was confirmed in any group".to_owned()),
    }
    figure
}

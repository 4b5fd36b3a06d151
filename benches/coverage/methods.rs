//! What each method says about one simulated audit.

use std::num::NonZeroU64;

use assize::estimate::cell::Cell;
use assize::estimate::gamma::{Range, limits};
use assize::estimate::interval::{Share, clopper_pearson};
use assize::estimate::ratio::{Counted as Group, ratio};
use assize::estimate::sensitivity::{Part, Sensitivity, mover_ratio};
use assize::estimate::total::{Funnel, Positive, Total};
use assize::model::rate::{Level, Target};

use crate::peers::known_error::{Counted, Judged, rogan_gladen};
use crate::peers::prediction::{self, Power, Predicted};
use crate::peers::proportion::wilson;
use crate::peers::resampled::quantile;
use crate::peers::survey::{Sampled, stratified};
use crate::peers::two_groups::katz;
use crate::peers::{Bounds, around, normal_critical, real};
use crate::random::{Stream, Urn, whole};
use crate::scenario::{KNOWN, Sampling, Scenario, TURNS};
use crate::simulate::{Audit, Stratum, audit};

/// A method in the tables.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// What its interval is about.
    pub(crate) target: &'static str,
    pub(crate) role: Role,
}

/// What a method is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reports print it.
    Default,
    /// The library has it to check a default.
    Check,
    /// It is here to be compared with.
    Peer,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Check => "check",
            Self::Peer => "not in the product",
        }
    }
}

const fn method(name: &'static str, target: &'static str, role: Role) -> Method {
    Method { name, target, role }
}

/// In the order of [`statements`].
pub(crate) const METHODS: [Method; 14] = [
    method("corrected, melded", "prevalence in the traffic", Role::Default),
    method("corrected, corpus", "prevalence in the corpus", Role::Default),
    method("corrected, closed form", "prevalence in the traffic", Role::Check),
    method("catchable, gamma", "what the funnel confirms, traffic", Role::Default),
    method("ratio, melded", "ratio of two groups", Role::Default),
    method("floor", "what was graded and confirmed, traffic", Role::Default),
    method("Wald", "what the funnel confirms, traffic", Role::Peer),
    method("Wilson", "what the funnel confirms, traffic", Role::Peer),
    method("cluster bootstrap", "what the funnel confirms, traffic", Role::Peer),
    method("Korn-Graubard", "prevalence in the traffic", Role::Peer),
    method("Lang-Reiczigel", "prevalence in the traffic", Role::Peer),
    method("PPI", "prevalence in the traffic", Role::Peer),
    method("PPI++", "prevalence in the traffic", Role::Peer),
    method("Katz ratio", "ratio of two groups", Role::Peer),
];

/// An interval, and what it should hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) limits: Bounds,
    pub(crate) truth: f64,
}

impl Statement {
    /// Limits in units, about a share of so many units.
    fn of_units([lower, upper]: Bounds, units: u64, truth: f64) -> Self {
        Self { limits: [lower / real(units), upper / real(units)], truth }
    }
}

/// The clusters with a confirmed unit of one simulated audit, and what each method says about it.
pub(crate) fn statements(scenario: &Scenario, stream: &mut Stream) -> (u64, [Option<Statement>; METHODS.len()]) {
    if scenario.sampling == Sampling::Questions {
        return of_questions(scenario, stream);
    }
    let level = Level::new(0.95).expect("it lies between 0 and 1");
    let audited = audit(scenario, stream);
    let total = total(scenario, &audited);
    let (prevalence, caught) = (scenario.prevalence, scenario.prevalence * scenario.sensitivity);
    let part =
        total.zip(Sensitivity::new(audited.detected, KNOWN)).map(|(total, sensitivity)| Part { total, sensitivity });
    let corrected = |target| part.and_then(|part| part.corrected(target, level).ok()).map(|found| bounds(found.limits));
    let closed = part.filter(|part| part.sensitivity.usable().is_ok());
    let closed = closed.map(|part| bounds(mover_ratio(&part.total, part.sensitivity, level)));
    let of_turns = |limits: Option<Bounds>, truth| limits.map(|limits| Statement::of_units(limits, TURNS, truth));
    let directly = |limits, truth| Some(Statement { limits, truth });
    let [ratio, katz] = ratios(scenario, total, level, stream);
    let flagged = flagged_sample(scenario, stream);
    let predicted = predicted_sample(scenario, stream);
    let statements = [
        of_turns(corrected(Target::Traffic), prevalence),
        of_turns(corrected(Target::Corpus), real(audited.truth) / real(TURNS)),
        of_turns(closed, prevalence),
        of_turns(total.map(|total| bounds(limits(&total, level))), caught),
        ratio,
        None,
        of_turns(total.map(|total| by_normal(&total, level)), caught),
        total.and_then(|total| directly(wilson(whole(total.estimate), TURNS, level), caught)),
        of_turns(total.and_then(|total| resampled(scenario, &audited, &total, stream)), caught),
        korn_graubard(&audited, level, stream).map(|limits| Statement { limits, truth: prevalence }),
        directly(rogan_gladen(&flagged, level).limits, prevalence),
        directly(prediction::mean(&predicted, Power::Full).limits(level), prevalence),
        directly(prediction::mean(&predicted, Power::Tuned).limits(level), prevalence),
        katz,
    ];
    (total.map_or(0, |total| total.affected), statements.map(|statement| statement.filter(is_an_interval)))
}

/// The same where conversations are the units: what reports print of them. Without a slice there is a floor and no more.
fn of_questions(scenario: &Scenario, stream: &mut Stream) -> (u64, [Option<Statement>; METHODS.len()]) {
    let level = Level::new(0.95).expect("it lies between 0 and 1");
    let audited = audit(scenario, stream);
    let floor = floor(&audited);
    let total = if scenario.slice > 0 { total(scenario, &audited) } else { None };
    let Scenario { prevalence, recall, sensitivity, slice, .. } = *scenario;
    let part = total.zip(Sensitivity::new(audited.detected, KNOWN));
    let part = part.map(|(total, sensitivity)| Part { total, sensitivity });
    let corrected = |target| part.and_then(|part| part.corrected(target, level).ok()).map(|found| bounds(found.limits));
    let closed = part.filter(|part| part.sensitivity.usable().is_ok());
    let closed = closed.map(|part| bounds(mover_ratio(&part.total, part.sensitivity, level)));
    let of_units =
        |limits: Option<Bounds>, truth| limits.map(|limits| Statement::of_units(limits, scenario.units(), truth));
    let reached = recall + (1.0 - recall) * real(slice) / real(audited.strata[1].size);
    // A floor counts what people read: where they read a part, it is about that part.
    let floor_limits = scenario.review.is_none().then(|| floor_limits(&floor, scenario.units(), level));
    let mut statements = [None; METHODS.len()];
    statements[..6].copy_from_slice(&[
        of_units(corrected(Target::Traffic), prevalence),
        of_units(corrected(Target::Corpus), real(audited.truth) / real(scenario.units())),
        of_units(closed, prevalence),
        of_units(total.map(|total| bounds(limits(&total, level))), prevalence * sensitivity),
        None,
        floor_limits.map(|limits| Statement { limits, truth: prevalence * sensitivity * reached }),
    ]);
    (floor.affected, statements.map(|statement| statement.filter(is_an_interval)))
}

/// Confirmed units as they are, each with weight 1.
fn floor(audited: &Audit) -> Total {
    let positives: Vec<_> = (0..)
        .zip(&audited.confirmed)
        .map(|(content, &(_, conversation))| Positive { cell: 0, conversation, content, drawn_with: None })
        .collect();
    let k = positives.len() as u64;
    let cell = Cell { expansion: 1.0, flagged: k, reviewed: k, confirmed: k, third: None };
    Funnel::new(vec![cell], &positives).expect("one cell holds all of them").floor(|_| true)
}

/// As reports print them, of units that are not all independent, or are.
fn floor_limits(floor: &Total, units: u64, level: Level) -> Bounds {
    if floor.between > 0.0 {
        let [lower, upper] = bounds(limits(floor, level));
        return [lower / real(units), upper / real(units)];
    }
    let share = Share::new(whole(floor.estimate), units).expect("there are units");
    let limits = clopper_pearson(share, level);
    [limits.lower, limits.upper]
}

/// A method that divides nothing by nothing gives none.
fn is_an_interval(statement: &Statement) -> bool {
    statement.limits.iter().all(|limit| !limit.is_nan())
}

fn bounds(range: Range) -> Bounds {
    [range.lower, range.upper]
}

/// What the funnel would confirm; none where a stratum has too few reviewed turns.
fn total(scenario: &Scenario, audited: &Audit) -> Option<Total> {
    let cell = |stratum: &Stratum| Cell {
        expansion: stratum.expansion(),
        flagged: stratum.flagged,
        reviewed: stratum.reviewed,
        confirmed: stratum.confirmed,
        third: None,
    };
    let confirmed = (0..).zip(&audited.confirmed);
    let positive = |(content, &(cell, conversation))| {
        let drawn_with = (scenario.sampling == Sampling::Conversations).then_some(conversation);
        Positive { cell, conversation, content, drawn_with }
    };
    let positives: Vec<_> = confirmed.map(positive).collect();
    let funnel = Funnel::new(audited.strata.iter().map(cell).collect(), &positives);
    funnel.expect("the counts of an audit fit each other").total(|_| true).ok()
}

/// The melded ratio and that of Katz to a second group with twice the prevalence and the other slice.
fn ratios(scenario: &Scenario, first: Option<Total>, level: Level, stream: &mut Stream) -> [Option<Statement>; 2] {
    let slice = if scenario.slice == 50_000 { 200_000 } else { 50_000 };
    let doubled = Scenario { prevalence: 2.0 * scenario.prevalence, slice, ..*scenario };
    let second = total(&doubled, &audit(&doubled, stream));
    let Some((first, second)) = first.zip(second) else { return [None; 2] };
    let group = |total| Group { total, frame: TURNS_OF_A_GROUP };
    let counted = |total: &Total| Counted { hits: whole(total.estimate), n: TURNS };
    let melded = ratio(&group(first), &group(second), level).ok().map(|found| bounds(found.limits));
    let logarithmic = katz(counted(&first), counted(&second), 0.0, level);
    [melded, Some(logarithmic)].map(|limits| limits.map(|limits| Statement { limits, truth: 0.5 }))
}

const TURNS_OF_A_GROUP: NonZeroU64 = NonZeroU64::new(TURNS).expect("there are turns");

/// The normal interval of the weighted total, with the variance of the two phases and without clusters.
fn by_normal(total: &Total, level: Level) -> Bounds {
    around(total.estimate, normal_critical(level) * total.sampling.sqrt())
}

/// Percentiles over resampled conversations of both strata. Nearly all conversations have no confirmed turn, so each of
/// the others is drawn a Poisson number of times. Only where turns are clustered.
fn resampled(scenario: &Scenario, audited: &Audit, total: &Total, stream: &mut Stream) -> Option<Bounds> {
    const RESAMPLES: usize = 199;
    if scenario.cluster <= 1.0 || total.affected == 0 {
        return None;
    }
    let weights = audited.strata.map(|stratum| stratum.expansion() * real(stratum.flagged) / real(stratum.reviewed));
    let mut turns: Vec<_> = audited.confirmed.iter().map(|&(stratum, key)| (key, weights[stratum])).collect();
    turns.sort_by_key(|(conversation, _)| *conversation);
    let same = |left: &(u64, f64), right: &(u64, f64)| left.0 == right.0;
    let sums: Vec<f64> = turns.chunk_by(same).map(|turns| turns.iter().map(|(_, weight)| weight).sum()).collect();
    let mut totals: Vec<f64> =
        (0..RESAMPLES).map(|_| sums.iter().map(|sum| sum * real(stream.poisson_of_one())).sum()).collect();
    totals.sort_by(f64::total_cmp);
    Some([0.025, 0.975].map(|p| quantile(&totals, p)))
}

/// People also review 300 cleared turns of each stratum; strata by class and verdict.
fn korn_graubard(audited: &Audit, level: Level, stream: &mut Stream) -> Option<Bounds> {
    const CLEARED: u64 = 300;
    let mut strata = Vec::new();
    for stratum in &audited.strata {
        let expanded = |graded: u64| whole(stratum.expansion() * real(graded));
        let (flagged, cleared) = (stratum.flagged, stratum.graded - stratum.flagged);
        if stratum.reviewed > 1 {
            strata.push(Sampled { size: expanded(flagged), reviewed: stratum.reviewed, hits: stratum.confirmed });
        }
        let mut urn = Urn::new(cleared, CLEARED);
        let hits = (0..stratum.missed).filter(|_| urn.draws(stream)).count() as u64;
        strata.push(Sampled { size: expanded(cleared), reviewed: CLEARED, hits });
    }
    let found = stratified(&strata, false);
    (found.mean > 0.0).then(|| found.korn_graubard(level))
}

/// Verdicts on a random sample as large as the slice, and on 3,000 known negatives.
fn flagged_sample(scenario: &Scenario, stream: &mut Stream) -> Judged {
    const NEGATIVES: u64 = 3_000;
    let false_flags = 1.0 - scenario.specificity;
    let flag_rate = scenario.prevalence * scenario.sensitivity + (1.0 - scenario.prevalence) * false_flags;
    let counted = |hits, n| Counted { hits, n };
    Judged {
        flagged: counted(stream.binomial(scenario.slice, flag_rate), scenario.slice),
        positives: counted((0..KNOWN).filter(|_| stream.chance(scenario.sensitivity)).count() as u64, KNOWN),
        negatives: counted(NEGATIVES - stream.binomial(NEGATIVES, false_flags), NEGATIVES),
    }
}

/// A random sample as large as the slice, graded, and another of 500, graded and labelled by people.
fn predicted_sample(scenario: &Scenario, stream: &mut Stream) -> Predicted {
    const LABELLED: u64 = 500;
    let false_flags = 1.0 - scenario.specificity;
    let positive = stream.binomial(LABELLED, scenario.prevalence);
    let true_positive = (0..positive).filter(|_| stream.chance(scenario.sensitivity)).count() as u64;
    let false_positive = stream.binomial(LABELLED - positive, false_flags);
    let flag_rate = scenario.prevalence * scenario.sensitivity + (1.0 - scenario.prevalence) * false_flags;
    let unlabelled_positive = stream.binomial(scenario.slice, flag_rate);
    Predicted {
        true_positive,
        missed: positive - true_positive,
        false_positive,
        true_negative: LABELLED - positive - false_positive,
        unlabelled_positive,
        unlabelled_negative: scenario.slice - unlabelled_positive,
    }
}

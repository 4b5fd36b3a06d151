//! The floor: what was flagged and confirmed, and nothing else.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::design::positive;
use super::gamma;
use super::interval::{Share, clopper_pearson, one_sided_upper};
use super::scope::Scope;
use super::stopped::NO_FIXED_N;
use super::total::{Funnel, Positive, Total};
use crate::model::bucket::Bucket;
use crate::model::rate::{Decider, Method, Rate, RateName, Target};
use crate::model::tally::{ConfirmedUnit, Tally};
use crate::model::unit::UnitKind;

/// Whose decisions make floors: people's first where they decided; the grader's floor counts what people or, where they
/// are silent, the grader upheld.
pub(super) fn deciders(tally: &Tally) -> Vec<Decider> {
    let mut deciders = Vec::new();
    if tally.labels.decided > 0 {
        deciders.push(Decider::People);
    }
    if tally.confirm.is_some() || deciders.is_empty() {
        deciders.push(Decider::Grader);
    }
    deciders
}

/// The floor of a scope, for the corpus and for the traffic it came from.
pub(super) fn floors(scope: &Scope<'_>, decider: Decider) -> [Rate; 2] {
    let empty = |target| Rate { decided_by: Some(decider), ..scope.empty(RateName::Floor, target) };
    match counted(scope, decider) {
        Ok((events, n)) => {
            let known = |rate| Rate { k: Some(events.k), n: Some(n), estimate: share(events.k, n), ..rate };
            [
                of_corpus(scope, known(empty(Target::Corpus))),
                of_traffic(scope, &events, n, known(empty(Target::Traffic))),
            ]
        }
        Err(reason) => {
            [Target::Corpus, Target::Traffic].map(|target| Rate { reason: Some(reason.clone()), ..empty(target) })
        }
    }
}

/// Distinct units, or conversations, that count.
struct Events {
    k: u64,
    /// The same as a total of weight 1 each, with what clusters add to its variance.
    total: Total,
}

fn share(k: u64, n: u64) -> Option<f64> {
    Share::new(k, n).map(Share::estimate)
}

fn of_corpus(scope: &Scope<'_>, rate: Rate) -> Rate {
    let (method, reason) = if is_partial(scope) {
        (Method::RawCount, "no limits: what was not drawn, reached or graded can only add to this count")
    } else {
        (Method::ExactCount, "no limits: a count of this corpus has no sampling error")
    };
    Rate { method: Some(method), reason: Some(reason.to_owned()), ..rate }
}

fn of_traffic(scope: &Scope<'_>, events: &Events, n: u64, rate: Rate) -> Rate {
    let Some(share) = Share::new(events.k, n) else { return rate };
    let rate = Rate { clusters: Some(events.total.affected), ..rate };
    if scope.design.tally.narrow_look().is_some() {
        return Rate { reason: Some(NO_FIXED_N.to_owned()), ..rate };
    }
    if let Some(reason) = scope.too_few_clusters(events.total.affected) {
        return Rate { reason: Some(reason), ..rate };
    }
    if events.k == 0 && is_partial(scope) {
        let reason = "none was found, and what was not drawn, reached or graded may hold some";
        return Rate { reason: Some(reason.to_owned()), ..rate };
    }
    let level = scope.design.tally.level;
    let (lower, upper, method) = if events.k == 0 {
        (0.0, one_sided_upper(share, level), Method::ClopperPearsonOneSided)
    } else if events.total.between > 0.0 {
        let frame = scope.frame().expect("a share has a frame");
        let limits = gamma::limits(&events.total, level).over(frame);
        (limits.lower, limits.upper, Method::Gamma)
    } else {
        let limits = clopper_pearson(share, level);
        (limits.lower, limits.upper, Method::ClopperPearson)
    };
    Rate { lower: Some(lower), upper: Some(upper), level: Some(level.get()), method: Some(method), ..rate }
}

/// Events and exposure, or why there are none.
fn counted(scope: &Scope<'_>, decider: Decider) -> Result<(Events, u64), String> {
    if let Some(reason) = scope.mixed {
        return Err(reason.to_owned());
    }
    let tally = scope.design.tally;
    let pending = scope.strata().map(|stratum| stratum.buckets.count(|bucket| *bucket == Bucket::Pending)).sum::<u64>();
    if decider == Decider::Grader && tally.confirm.is_none() && pending > 0 {
        return Err(format!(
            "nobody has decided about {pending} flagged {}s: add [grader.confirm], or review them",
            tally.plan.unit.as_str()
        ));
    }
    let n = scope.frame()?;
    Ok((events(confirmed(scope, decider), scope.unit), n.get()))
}

/// Confirmed units of the scope that count for this decider, in order.
fn confirmed<'a>(scope: &Scope<'a>, decider: Decider) -> impl Iterator<Item = &'a ConfirmedUnit> + use<'a> {
    let counts = move |by| match decider {
        Decider::People => by == Decider::People,
        Decider::Grader => true,
    };
    let group = scope.group;
    let units = scope.design.tally.confirmed.iter();
    units.filter(move |unit| group.is_none_or(|group| unit.unit.group == *group) && counts(unit.by))
}

/// Counts confirmed units, or the conversations they stand in, with the clusters they form.
fn events<'a>(confirmed: impl Iterator<Item = &'a ConfirmedUnit>, unit: UnitKind) -> Events {
    let positives: Vec<Positive> = match unit {
        UnitKind::Turn => confirmed.map(|unit| positive(0, unit)).collect(),
        // A conversation is one event; it shares the cluster and a text of the first of its confirmed turns.
        UnitKind::Conversation => {
            let mut conversations = BTreeMap::new();
            for unit in confirmed {
                conversations.entry(unit.unit.conversation_key()).or_insert_with(|| positive(0, unit));
            }
            conversations.into_values().collect()
        }
    };
    let k = positives.len() as u64;
    let cell = Cell { expansion: 1.0, flagged: k, reviewed: k, confirmed: k, third: None };
    let funnel = Funnel::new(vec![cell], &positives).expect("one cell holds all of them");
    Events { k, total: funnel.floor(|_| true) }
}

/// Whether units of a stratum were left to chance, or planned and left without a decision.
pub(super) fn is_partial(scope: &Scope<'_>) -> bool {
    scope.strata().any(|tally| {
        let drawn = tally.buckets.count(Bucket::is_planned);
        (drawn > 0 && drawn < tally.units) || tally.buckets.count(is_open) > 0
    })
}

/// Whether the units of a bucket were planned and may still turn out to count.
fn is_open(bucket: &Bucket) -> bool {
    match bucket {
        Bucket::NotAdmitted | Bucket::Unfinished | Bucket::Ungraded(_) | Bucket::Pending | Bucket::Disputed => true,
        Bucket::NotPlanned | Bucket::Cleared | Bucket::Rejected { .. } | Bucket::Confirmed { .. } => false,
    }
}

#[cfg(test)]
#[path = "floor_tests.rs"]
mod tests;

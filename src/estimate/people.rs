//! How often people err, by the hidden gold that they read, and what rates would be had they erred so on units.
//!
//! `statistics-formulas.md` section 5. The shares are those of the whole review with all its seats; what they do to a rate is a
//! figure to compare with and never the headline, since gold is not drawn from the traffic.

use super::corrected::if_people_err;
use super::design::Design;
use super::interval::{Limits, Share, clopper_pearson};
use super::refusal::sentence;
use super::review_error::ReviewError;
use super::rungs::{counted, groups, no_fixed_n, share};
use super::scope::Scope;
use super::support::Unsupported;
use crate::model::gold::{ByKind, GoldKind, GoldRead, LEAST_GOLD};
use crate::model::rate::{Level, RateName};
use crate::model::tally::Tally;
use crate::model::unit::Group;

/// What a report can say of people's errors.
#[derive(Debug, Clone, PartialEq)]
pub struct PeopleErr {
    /// Of hidden positives, those that people confirmed: `s_H`.
    pub positives: ErrorShare,
    /// Of hidden near misses, those that people confirmed: `f_H`.
    pub near_misses: ErrorShare,
    /// Why nothing is said of rates, and what to add.
    pub reason: Option<String>,
    /// Rates had people erred on units as they did on gold; empty where nothing is said.
    pub rates: Vec<IfPeopleErr>,
    /// Units, over all groups, that people may have confirmed falsely at most, and the catchable total that holds them.
    pub most_false: Option<(f64, f64)>,
    /// Whether that is more than a tenth of it.
    pub is_noticeable: bool,
}

/// A share of gold items, with the limits of an exact interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorShare {
    /// Those confirmed.
    pub k: u64,
    /// Those that people decided about, unsure or not.
    pub n: u64,
    /// Nothing without an item.
    pub limits: Option<Limits>,
}

impl ErrorShare {
    fn of(read: GoldRead, level: Level) -> Self {
        let limits = of(read).map(|share| clopper_pearson(share, level));
        Self { k: read.confirmed, n: read.read, limits }
    }
}

/// A rate, had people erred on units as they did on gold.
#[derive(Debug, Clone, PartialEq)]
pub struct IfPeopleErr {
    /// Which: catchable or corrected.
    pub name: RateName,
    /// The group; all of them together if absent.
    pub group: Option<Group>,
    /// The rate.
    pub estimate: Option<f64>,
    /// Why there is none.
    pub reason: Option<String>,
}

/// What a tally says of people's errors; nothing where no person has decided about anything.
#[must_use]
pub fn people_err(tally: &Tally) -> Option<PeopleErr> {
    let gold = tally.gold.as_ref();
    let read = gold.map(|gold| gold.read).unwrap_or_default();
    if tally.labels.seats.is_empty() && read == ByKind::default() {
        return None;
    }
    let mut figure = PeopleErr {
        positives: ErrorShare::of(read.positive, tally.level),
        near_misses: ErrorShare::of(read.near_miss, tally.level),
        reason: None,
        rates: Vec::new(),
        most_false: None,
        is_noticeable: false,
    };
    let too_little = Unsupported::TooLittleGold { positives: read.positive.read, near_misses: read.near_miss.read };
    let shares = of(read.positive).zip(of(read.near_miss)).ok_or(too_little);
    match shares.and_then(|(positives, near_misses)| ReviewError::new(positives, near_misses)) {
        Ok(error) => rates(tally, &error, &mut figure),
        Err(reason) => {
            let advice = if reason == too_little { advice(tally) } else { String::new() };
            figure.reason = Some(sentence(&reason) + &advice);
        }
    }
    Some(figure)
}

fn of(read: GoldRead) -> Option<Share> {
    Share::new(read.confirmed, read.read)
}

fn rates(tally: &Tally, error: &ReviewError, figure: &mut PeopleErr) {
    // A tally's counts agree with each other by construction of the fold.
    let design = Design::of(tally).expect("the counts of a tally agree");
    let refused = no_fixed_n(tally);
    for group in groups(tally) {
        let scope = Scope { design: &design, group, unit: tally.plan.unit, mixed: refused.as_deref() };
        let keep = |cell: usize| design.is_in(cell, group) && design.is_gated(cell);
        let counted = match counted(&scope, false) {
            Ok(counted) => counted,
            Err(reason) if group.is_none() => {
                figure.reason = Some(format!("there is no catchable rate to compare with: {reason}"));
                continue;
            }
            Err(_) => continue,
        };
        if group.is_none() {
            let cleared = design.funnel.cleared(keep);
            figure.most_false = Some((error.most_false(cleared, tally.level), counted.total.estimate));
            figure.is_noticeable = error.is_noticeable(&counted.total, cleared, tally.level);
        }
        let catchable = Ok(error.corrected_total(&design.funnel, keep));
        for (name, total) in [(RateName::Catchable, catchable), (RateName::Corrected, if_people_err(&scope, error))] {
            let (estimate, reason) = match total {
                Ok(units) => (Some(share(units, counted.frame)), None),
                Err(reason) => (None, Some(reason)),
            };
            figure.rates.push(IfPeopleErr { name, group: group.cloned(), estimate, reason });
        }
    }
}

/// How to come by the gold that is missing.
fn advice(tally: &Tally) -> String {
    let ByKind { positive, near_miss } = LEAST_GOLD;
    let behaviour = &tally.plan.behaviour;
    let Some(gold) = tally.gold.as_ref().filter(|_| tally.plan.gold.is_some()) else {
        return format!("; set `gold = {{ positive = {positive}, near_miss = {near_miss} }}` under [review]");
    };
    let is_short = |kind: &GoldKind| gold.drawn.of(*kind) < LEAST_GOLD.of(*kind);
    if GoldKind::ALL.iter().any(is_short) {
        let (drawn, held) = (gold.drawn, gold.held);
        return format!(
            "; {} and {} are drawn, out of {} and {} that the definition can use: ask for enough under [review], and add items to \
             labels/gold/{behaviour}",
            drawn.positive, drawn.near_miss, held.positive, held.near_miss
        );
    }
    format!("; {} are still to be read", gold.queue.len())
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;

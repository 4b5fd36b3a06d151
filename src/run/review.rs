//! What each seat is to read, and how far it is.
//!
//! With hidden gold, units and gold stand in one list under pseudonyms, and a decision about gold moves the same figures of the
//! status as one about a unit: what others are still to read, which only the latter changes, and what a seat did with gold are
//! told once a seat has nothing left, or to whoever asks for it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::gold::{ByKind, GoldRead, GoldTally, SeatGold};
use crate::model::hash::{Digest, PartHasher};
use crate::model::review_id::ReviewId;
use crate::model::tally::{QueuedUnit, Tally};
use crate::model::unit::{Group, UnitId, UnitKind};

/// A label without a decision: something to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueLine {
    /// Its address; its pseudonym where there is hidden gold.
    pub unit: String,
    /// Its group, unless that is hidden as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// For the person to fill in.
    pub decision: Option<&'static str>,
    /// Who reads.
    pub seat: String,
    /// What is judged.
    pub behaviour: String,
    /// By which definition.
    pub definition: String,
    /// That a grader's prompt is a draft: what is read of it is not for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
}

/// The audit names its seats, and this is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{seat}` is no seat of this run")]
pub struct UnknownSeat {
    /// The seat asked for.
    pub seat: String,
    /// The seats there are.
    pub known: Vec<String>,
}

/// What a seat is to read and nobody has: in an order of its own, off which nothing about graders, other seats or gold can be
/// read.
///
/// # Errors
/// If the audit names its seats, and this is none of them.
pub fn queue(tally: &Tally, seat: &str) -> Result<Vec<QueueLine>, UnknownSeat> {
    let plan = &tally.plan;
    let line = |unit: String, group: Option<Group>| QueueLine {
        unit,
        group,
        decision: None,
        seat: seat.to_owned(),
        behaviour: plan.behaviour.clone(),
        definition: plan.definition.clone(),
        watermark: plan.watermark(),
    };
    let Some(asked) = &plan.gold else {
        let mut units: Vec<&UnitId> = tally.queue.iter().map(|QueuedUnit { unit, .. }| unit).collect();
        units.sort_by_cached_key(|unit| place(seat, &unit.key()));
        return Ok(units.into_iter().map(|unit| line(unit.to_string(), Some(unit.group.clone()))).collect());
    };
    if !asked.seats.is_empty() && !asked.seats.iter().any(|known| known == seat) {
        return Err(UnknownSeat { seat: seat.to_owned(), known: asked.seats.clone() });
    }
    let units = tally.queue.iter().map(|queued| ReviewId::of_unit(&queued.unit));
    let gold = tally.gold.iter().flat_map(|gold| &gold.queue).filter(|queued| queued.is_for(seat));
    let mut ids: Vec<ReviewId> = units.chain(gold.map(|queued| queued.item.id)).collect();
    ids.sort_by_cached_key(|id| place(seat, &id.key()));
    Ok(ids.into_iter().map(|id| line(id.to_string(), None)).collect())
}

/// Where something stands in a seat's order.
fn place(seat: &str, key: &Digest) -> Digest {
    let mut hasher = PartHasher::new("seat");
    hasher.part(seat.as_bytes()).part(key.as_bytes());
    hasher.finish()
}

/// How far the review of a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewStatus {
    /// The run.
    pub run: Option<String>,
    /// That a grader's prompt is a draft: what is read of it is not for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// The behaviour that is judged.
    pub behaviour: String,
    /// What a unit is.
    pub unit: UnitKind,
    /// Units that people are to read and nobody has; null where that would tell units from gold.
    pub unread: Option<u64>,
    /// Whether there is hidden gold among what the seats read.
    pub has_gold: bool,
    /// The seats, by name.
    pub seats: Vec<SeatStatus>,
}

/// How far one seat is. Its figures are over units and hidden gold together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeatStatus {
    /// Its name.
    pub seat: String,
    /// What there is for it to read: every unit that was drawn for people, and its share of the gold.
    pub drawn: u64,
    /// What it could read next: units that nobody has read, and the rest of its gold; null where that would tell units from
    /// gold, unless it is nothing.
    pub to_read: Option<u64>,
    /// Decided with yes or no.
    pub decided: u64,
    /// Unsure, or not to be judged.
    pub undecided: u64,
    /// Hidden gold that it has read; null until it has nothing left to read, unless that is asked for.
    pub gold_read: Option<u64>,
    /// Hidden gold of its share.
    pub gold: Option<u64>,
    /// What it confirmed of its gold; null until it has nothing left to read.
    pub confirmed: Option<ByKind<GoldRead>>,
}

/// How far the seats are: those of the audit, and those that have decided about something. With `shows_gold` nothing is held
/// back but what unfinished seats said of their gold.
#[must_use]
pub fn status(tally: &Tally, shows_gold: bool) -> ReviewStatus {
    let named = tally.plan.gold.iter().flat_map(|gold| &gold.seats);
    let of_gold = tally.gold.iter().flat_map(|gold| gold.seats.keys());
    let seats: BTreeSet<&String> = named.chain(of_gold).chain(tally.labels.seats.keys()).collect();
    ReviewStatus {
        run: tally.sessions.run.clone(),
        watermark: tally.plan.watermark(),
        behaviour: tally.plan.behaviour.clone(),
        unit: tally.plan.unit,
        unread: (tally.gold.is_none() || shows_gold).then_some(tally.queue.len() as u64),
        has_gold: tally.gold.is_some(),
        seats: seats.into_iter().map(|seat| of_seat(tally, seat, shows_gold)).collect(),
    }
}

fn of_seat(tally: &Tally, seat: &str, shows_gold: bool) -> SeatStatus {
    let units = tally.labels.seats.get(seat).copied().unwrap_or_default();
    let gold = tally.gold.as_ref().map(|gold| of_gold(gold, seat));
    let (SeatGold { drawn, drawn_read, read, undecided }, gold_left) = gold.unwrap_or_default();
    let all_read = read.positive.read + read.near_miss.read;
    let units_drawn: u64 = tally.strata.iter().flat_map(|stratum| stratum.cells.values()).map(|cell| cell.drawn).sum();
    let to_read = tally.queue.len() as u64 + gold_left;
    let is_told = gold.is_some() && to_read == 0;
    let is_open = gold.is_none() || to_read == 0 || shows_gold;
    SeatStatus {
        seat: seat.to_owned(),
        drawn: units_drawn + drawn,
        to_read: is_open.then_some(to_read),
        decided: units.decided + all_read - undecided,
        undecided: units.undecided + undecided,
        gold_read: (is_told || (gold.is_some() && shows_gold)).then_some(drawn_read),
        gold: (is_told || (gold.is_some() && shows_gold)).then_some(drawn),
        confirmed: is_told.then_some(read),
    }
}

/// What a seat did with gold, and what it has left of it.
fn of_gold(gold: &GoldTally, seat: &str) -> (SeatGold, u64) {
    let left = gold.queue.iter().filter(|queued| queued.is_for(seat)).count() as u64;
    (gold.seats.get(seat).copied().unwrap_or_default(), left)
}

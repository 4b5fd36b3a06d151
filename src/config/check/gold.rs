//! `[review] gold` and `seats`: hidden texts with a known answer, and who shares them.

use std::collections::BTreeSet;

use crate::model::gold::{ByKind, GoldDraw, LEAST_GOLD};

use super::super::ledger::Ledger;
use super::super::written;

/// Nothing without `gold`, which is the default.
pub(super) fn check(written: Option<&written::Review>, ledger: &mut Ledger<'_>) -> Option<GoldDraw> {
    let seats = seats(written, ledger);
    let Some(gold) = written.and_then(|review| review.gold.as_ref()) else {
        ledger.record_written("review.gold", ());
        let message = "share hidden gold, and nothing else in this version: set `gold` as well, or take `seats` away";
        ledger.require("review.seats", seats.is_empty(), message);
        return None;
    };
    let items = ByKind { positive: gold.positive.unwrap_or(0), near_miss: gold.near_miss.unwrap_or(0) };
    ledger.record_written("review.gold", items);
    let is_whole = items.positive > 0 && items.near_miss > 0;
    let example = "must name both kinds, as in `gold = { positive = 50, near_miss = 100 }`";
    ledger.require("review.gold", is_whole, example);
    if is_whole && (items.positive < LEAST_GOLD.positive || items.near_miss < LEAST_GOLD.near_miss) {
        let ByKind { positive, near_miss } = LEAST_GOLD;
        ledger.warnings.push(format!(
            "`gold` under [review] asks for less than {positive} positives and {near_miss} near misses: a report will count how \
             people decide about them, and refuse to say what their errors do to a rate"
        ));
    }
    Some(GoldDraw { items, seats })
}

fn seats(written: Option<&written::Review>, ledger: &mut Ledger<'_>) -> Vec<String> {
    let seats = written.and_then(|review| review.seats.clone());
    let seats = ledger.or_default("review.seats", seats, Vec::new());
    let is_name = |seat: &String| {
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '/' && c != '\\';
        !seat.is_empty() && seat.chars().all(is_plain)
    };
    ledger.require("review.seats", seats.iter().all(is_name), "must hold names such as `\"ana\"`, without spaces");
    let distinct: BTreeSet<&String> = seats.iter().collect();
    ledger.require("review.seats", distinct.len() == seats.len(), "names somebody twice");
    seats
}

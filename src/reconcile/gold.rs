//! Hidden gold: which items people get to read, and what came of it.
//!
//! People read gold and units under pseudonyms of one form (`model/review_id.rs`), so that nothing about a name tells them
//! apart. A decision about gold goes into figures of its own and into none of the units'. What is drawn is a hash of seed and
//! content, like everything that people read; what somebody decided counts whether it is still drawn or not, so that nobody
//! can draw again until the reviewers look better.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::labels::{Labels, Ruling};
use super::unit::{Address, UnitState};
use crate::model::draw::draw_number;
use crate::model::event::Planned;
use crate::model::gold::{GoldDraw, GoldItem, GoldKind, GoldTally, QueuedGold, SeatGold};
use crate::model::label::{Decision, Label};
use crate::model::review_id::ReviewId;
use crate::model::unit::Group;

/// The purpose of the draw.
const PURPOSE: &str = "gold";

/// The gold of a workspace and what people say about it.
#[derive(Debug, Default)]
pub(super) struct Gold {
    items: Vec<GoldItem>,
    index: HashMap<ReviewId, usize>,
    /// Items of the workspace that this run cannot use.
    aside: HashSet<ReviewId>,
    labels: Labels,
    own: u64,
    unused: u64,
}

impl Gold {
    /// Two items with one text are one. What is `aside` is recognised and counts for nothing.
    pub(super) fn new(items: Vec<GoldItem>, aside: HashSet<ReviewId>) -> Self {
        let mut gold = Self { aside, ..Self::default() };
        for item in items {
            let place = gold.items.len();
            gold.index.entry(item.id).or_insert_with(|| {
                gold.items.push(item);
                place
            });
        }
        for item in &gold.items {
            gold.labels.expect(address(item));
        }
        gold
    }

    /// Takes a decision in, if it is about gold.
    pub(super) fn take(&mut self, id: ReviewId, label: &Label) -> bool {
        let Some(item) = self.index.get(&id).map(|index| &self.items[*index]) else {
            let is_aside = self.aside.contains(&id);
            self.unused += u64::from(is_aside);
            return is_aside;
        };
        if item.author.as_ref() == Some(&label.seat) {
            self.own += 1;
        } else {
            self.labels.add_at(address(item), None, label);
        }
        true
    }

    /// The counts; nothing where nobody asks for gold and nobody has read any.
    pub(super) fn finish(self, plan: &Planned) -> Option<GoldTally> {
        let mut tally = GoldTally { own: self.own, unused: self.unused, ..GoldTally::default() };
        let mut is_read = HashSet::new();
        for item in &self.items {
            *tally.held.of_mut(item.kind) += 1;
            let ruling = self.labels.ruling(address(item), &Group::default());
            if ruling == Ruling::Silent {
                continue;
            }
            is_read.insert(item.id);
            let read = tally.read.of_mut(item.kind);
            read.read += 1;
            read.confirmed += u64::from(ruling == Ruling::Upheld);
            for (seat, decision) in self.labels.decisions(address(item)) {
                let seat = tally.seats.entry(seat.to_owned()).or_default();
                seat.undecided += u64::from(!matches!(decision, Decision::Yes | Decision::No));
                let read = seat.read.of_mut(item.kind);
                read.read += 1;
                read.confirmed += u64::from(decision == Decision::Yes);
            }
        }
        let shares = plan.gold.as_ref().map(|asked| shares(plan, asked, &self.items)).unwrap_or_default();
        for QueuedGold { item, .. } in &shares {
            *tally.drawn.of_mut(item.kind) += 1;
        }
        self.count_shares(plan, &shares, &mut tally.seats);
        tally.queue = shares.into_iter().filter(|share| !is_read.contains(&share.item.id)).collect();
        let is_told_of = !is_read.is_empty() || tally.own + tally.unused > 0;
        (plan.gold.is_some() || is_told_of).then_some(tally)
    }

    /// How far each seat is with its share.
    fn count_shares(&self, plan: &Planned, shares: &[QueuedGold], seats: &mut BTreeMap<String, SeatGold>) {
        for seat in plan.gold.iter().flat_map(|asked| &asked.seats) {
            seats.entry(seat.clone()).or_default();
        }
        for (seat, counts) in seats {
            for share in shares.iter().filter(|share| share.is_for(seat)) {
                counts.drawn += 1;
                let mut decisions = self.labels.decisions(address(&share.item));
                counts.drawn_read += u64::from(decisions.any(|(decided, _)| decided == seat));
            }
        }
    }
}

/// Joins decisions about units that people read under a pseudonym. What is no unit's stays a name that nobody has.
pub(super) fn join_units(joined: &mut Labels, hidden: &[(ReviewId, &Label)], plan: &Planned, units: &[UnitState]) {
    let mut found: HashMap<ReviewId, Option<(Address, &Group)>> = hidden.iter().map(|(id, _)| (*id, None)).collect();
    if found.is_empty() {
        return;
    }
    for unit in units {
        let Some(stratum) = unit.stratum() else { continue };
        let group = &plan.strata[stratum as usize].stratum.group;
        if let Some(place) = found.get_mut(&unit.address().review_id(group)) {
            *place = Some((unit.address(), group));
        }
    }
    for (id, label) in hidden {
        match found.get(id) {
            Some(Some((address, group))) => joined.add_at(*address, Some((*group).clone()), label),
            Some(None) | None => joined.add(label),
        }
    }
}

fn address(item: &GoldItem) -> Address {
    Address::of(&item.id.to_string())
}

/// Who is to read what: of each kind the items with the smallest numbers, each with the seat that has the fewest. Nobody gets
/// what they wrote, nor both halves of a minimal pair, which side by side would be known for what they are.
fn shares(plan: &Planned, asked: &GoldDraw, items: &[GoldItem]) -> Vec<QueuedGold> {
    let seats: Vec<Option<&String>> =
        if asked.seats.is_empty() { vec![None] } else { asked.seats.iter().map(Some).collect() };
    let mut pairs: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); seats.len()];
    let mut shares = Vec::new();
    for kind in GoldKind::ALL {
        let mut of_kind: Vec<&GoldItem> = items.iter().filter(|item| item.kind == kind).collect();
        of_kind.sort_by_key(|item| (draw_number(plan.seed, PURPOSE, plan.draw, &item.id.key()), item.id));
        let mut counts = vec![0_u64; seats.len()];
        for item in of_kind {
            if counts.iter().sum::<u64>() == *asked.items.of(kind) {
                break;
            }
            let is_free = |seat: &usize| {
                let is_author = item.author.is_some() && item.author.as_ref() == seats[*seat];
                !is_author && !pairs[*seat].contains(item.pair.as_str())
            };
            let Some(seat) = (0..seats.len()).filter(is_free).min_by_key(|seat| counts[*seat]) else { continue };
            counts[seat] += 1;
            pairs[seat].insert(&item.pair);
            shares.push(QueuedGold { item: item.clone(), seat: seats[seat].cloned() });
        }
    }
    shares
}

#[cfg(test)]
#[path = "gold_tests.rs"]
mod tests;

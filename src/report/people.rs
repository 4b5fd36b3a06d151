//! The part of a report that says how often people err.

use serde::{Deserialize, Serialize};

use super::build::{fields, rounded};
use super::json::GroupFields;
use super::rate::count;
use crate::estimate::{self, ErrorShare, IfPeopleErr};
use crate::model::gold::{ByKind, GoldDraw, GoldKind, GoldRead, GoldTally};
use crate::model::rate::RateName;
use crate::model::tally::Tally;

/// What every figure that people's decisions went into has to be read with.
pub const AS_JUDGED: &str = "as judged by this review";

/// How often people err, by the hidden gold that they read; in every report with decisions of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeopleErrRow {
    /// [`AS_JUDGED`].
    pub said: String,
    /// Hidden items that the audit asks for.
    pub asked: Option<ByKind<u64>>,
    /// Hidden positives; the share is `s_H`.
    pub positives: GoldRow,
    /// Hidden near misses; the share is `f_H`.
    pub near_misses: GoldRow,
    /// What each seat did.
    pub seats: Vec<SeatRow>,
    /// Decisions of seats about items that they wrote themselves: not used.
    pub own: u64,
    /// Decisions about items that the definition, or a run with real people, cannot use.
    pub unused: u64,
    /// Why no rate is given, and what to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rates had people erred on units as they did on gold. To compare with; never the headline.
    pub rates: Vec<IfPeopleErrRow>,
    /// Units that people may have confirmed falsely at most, over all groups: the upper limit of `f_H` times those that they
    /// turned down.
    pub most_false: Option<f64>,
    /// The catchable total, in units, that these are among.
    pub catchable: Option<f64>,
    /// Whether they are more than a tenth of it.
    pub is_noticeable: bool,
}

/// Gold of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GoldRow {
    /// Items that the workspace holds and the definition can use.
    pub held: u64,
    /// Items that were drawn for people.
    pub drawn: u64,
    /// Items that people decided about, unsure or not.
    pub read: u64,
    /// Those of them that they confirmed.
    pub confirmed: u64,
    /// Confirmed over read; null without any.
    pub estimate: Option<f64>,
    /// Its lower limit.
    pub lower: Option<f64>,
    /// Its upper limit.
    pub upper: Option<f64>,
}

/// What one seat did with gold, by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatRow {
    /// Its name.
    pub seat: String,
    /// Units of the run that it decided about.
    pub units: u64,
    /// Gold.
    pub gold: ByKind<GoldRead>,
}

/// A rate had people erred on units as they did on gold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IfPeopleErrRow {
    /// Catchable or corrected.
    pub name: RateName,
    /// The group; empty for all of them together.
    pub group: GroupFields,
    /// The rate.
    pub estimate: Option<f64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl PeopleErrRow {
    /// Whether gold was asked for or read: then it is part of what the report's digest covers.
    #[must_use]
    pub fn has_gold(&self) -> bool {
        self.asked.is_some() || self.positives.read + self.near_misses.read + self.own + self.unused > 0
    }
}

/// Of a tally; nothing where no person has decided about anything.
pub(super) fn people_err(tally: &Tally) -> Option<PeopleErrRow> {
    let figure = estimate::people_err(tally)?;
    let gold = tally.gold.clone().unwrap_or_default();
    let rate = |rate: &IfPeopleErr| IfPeopleErrRow {
        name: rate.name,
        group: rate.group.as_ref().map(|group| fields(&tally.plan, group)).unwrap_or_default(),
        estimate: rate.estimate.map(rounded),
        reason: rate.reason.clone(),
    };
    Some(PeopleErrRow {
        said: AS_JUDGED.to_owned(),
        asked: tally.plan.gold.as_ref().map(|asked| asked.items),
        positives: gold_row(&gold, GoldKind::Positive, figure.positives),
        near_misses: gold_row(&gold, GoldKind::NearMiss, figure.near_misses),
        seats: seats(tally, &gold),
        own: gold.own,
        unused: gold.unused,
        reason: figure.reason,
        rates: figure.rates.iter().map(rate).collect(),
        most_false: figure.most_false.map(|(units, _)| rounded(units)),
        catchable: figure.most_false.map(|(_, total)| rounded(total)),
        is_noticeable: figure.is_noticeable,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn gold_row(gold: &GoldTally, kind: GoldKind, share: ErrorShare) -> GoldRow {
    GoldRow {
        held: *gold.held.of(kind),
        drawn: *gold.drawn.of(kind),
        read: share.n,
        confirmed: share.k,
        estimate: (share.n > 0).then(|| rounded(share.k as f64 / share.n as f64)),
        lower: share.limits.map(|limits| rounded(limits.lower)),
        upper: share.limits.map(|limits| rounded(limits.upper)),
    }
}

/// Every seat that decided about units or gold, or has a share of the latter.
fn seats(tally: &Tally, gold: &GoldTally) -> Vec<SeatRow> {
    let mut names: Vec<&String> = gold.seats.keys().chain(tally.labels.seats.keys()).collect();
    names.sort();
    names.dedup();
    let row = |seat: &String| {
        let units = tally.labels.seats.get(seat).copied().unwrap_or_default();
        let gold = gold.seats.get(seat).copied().unwrap_or_default().read;
        SeatRow { seat: seat.clone(), units: units.decided + units.undecided, gold }
    };
    names.into_iter().map(row).collect()
}

/// What an audit asks for in gold and the workspace does not hold: of each kind, as sentences that say what to add.
#[must_use]
pub fn missing_gold(tally: &Tally) -> Vec<String> {
    let Some((GoldDraw { items, .. }, gold)) = tally.plan.gold.as_ref().zip(tally.gold.as_ref()) else {
        return Vec::new();
    };
    let of_kind = |kind: &GoldKind| {
        let (asked, drawn, held) = (items.of(*kind), gold.drawn.of(*kind), gold.held.of(*kind));
        let (name, what) = match kind {
            GoldKind::Positive => ("positives", "`expect = \"present\"`"),
            GoldKind::NearMiss => ("near misses", "`expect = \"absent\"` and an exclusion"),
        };
        (drawn < asked).then(|| {
            format!(
                "hidden gold lacks {} of {asked} {name}: `{}` has {held} that the definition can use, and no seat reads both \
                 halves of a pair or what it wrote; add items with {what} to labels/gold/{}/*.jsonl, in the form of gold.jsonl",
                asked - drawn,
                tally.plan.behaviour,
                tally.plan.behaviour
            )
        })
    };
    GoldKind::ALL.iter().filter_map(of_kind).collect()
}

/// What stands in the way of believing the figures; nothing before people have read something.
pub(super) fn warnings(tally: &Tally, row: Option<&PeopleErrRow>) -> Vec<String> {
    let Some(row) = row.filter(|row| row.has_gold()) else { return Vec::new() };
    let mut warnings = missing_gold(tally);
    if let (true, Some(most), Some(catchable), Some(upper)) =
        (row.is_noticeable, row.most_false, row.catchable, row.near_misses.upper)
    {
        warnings.push(format!(
            "people may have confirmed up to {most:.0} units falsely of the {catchable:.0} that catchable stands for: they \
             confirm up to {:.1}% of what only looks like the behaviour. Have a second seat read what was confirmed, or add near \
             misses to narrow that limit",
            upper * 100.0
        ));
    }
    let is_unmeasured = |seat: &&SeatRow| seat.units > 0 && seat.gold == ByKind::default();
    let unmeasured: Vec<_> = row.seats.iter().filter(is_unmeasured).map(|seat| seat.seat.as_str()).collect();
    if !unmeasured.is_empty() {
        warnings.push(format!(
            "seats that decided about units and read no hidden gold: {}; what is said of people's errors does not speak of them. \
             Name all that read under `seats` in [review]",
            unmeasured.join(", ")
        ));
    }
    if row.own > 0 {
        warnings
            .push(format!("decisions of seats about gold that they wrote themselves: {}, not used", count(row.own)));
    }
    warnings
}

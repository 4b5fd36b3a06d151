//! From a tally to what the rungs are computed from: cells, confirmed units, expansions, sensitivities.

use std::collections::HashMap;

use super::cell::Cell;
use super::sensitivity::Sensitivity;
use super::total::{Cleared, Funnel, Malformed, Positive};
use super::ungraded::Admitted;
use crate::model::bucket::Bucket;
use crate::model::found_by::KnownUse;
use crate::model::review::{CellTally, Route};
use crate::model::tally::{ConfirmedUnit, StratumTally, Tally};
use crate::model::unit::{CLASS_NONE, Group};

/// One cell: a stratum's units on one route to people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Index into [`Tally::strata`].
    pub(super) stratum: usize,
    /// Absent for a stratum of which nothing was flagged.
    pub(super) route: Option<Route>,
    /// Units that people read and did not decide.
    pub(super) undecided: u64,
}

/// Part of the frame: units that a cue hits, or the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Hits,
    Others,
}

/// The sample as a whole.
pub(super) struct Design<'a> {
    pub(super) tally: &'a Tally,
    /// What the gate sends to people, then what people read of the rest.
    pub(super) funnel: Funnel,
    pub(super) places: Vec<Place>,
    /// By stratum: how it was admitted and graded.
    pub(super) admitted: Vec<Admitted>,
}

impl<'a> Design<'a> {
    /// The design of a tally.
    ///
    /// # Errors
    ///
    /// Its counts contradict each other.
    pub(super) fn of(tally: &'a Tally) -> Result<Self, Malformed> {
        let includes_confirmer = tally.plan.gate_includes_confirmer();
        let admitted: Vec<Admitted> =
            tally.strata.iter().map(|stratum| of_stratum(stratum, includes_confirmer)).collect();
        let (mut places, mut cells) = (Vec::new(), Vec::new());
        for (stratum, counts) in tally.strata.iter().enumerate() {
            // Without a verdict there is nothing to expand; every figure of such a stratum is refused.
            let expansion = admitted[stratum].expansion().unwrap_or(1.0);
            let routes = counts.cells.iter().filter(|(route, _)| is_of_gate(**route, includes_confirmer));
            let before = places.len();
            for (route, counts) in routes {
                places.push(Place { stratum, route: Some(*route), undecided: counts.undecided });
                cells.push(cell(counts, expansion));
            }
            if places.len() == before {
                places.push(Place { stratum, route: None, undecided: 0 });
                cells.push(cell(&CellTally::default(), expansion));
            }
        }
        for (stratum, counts) in tally.strata.iter().enumerate() {
            let Some(cleared) = counts.cells.get(&Route::Cleared).filter(|cell| cell.drawn > 0) else { continue };
            places.push(Place { stratum, route: Some(Route::Cleared), undecided: cleared.undecided });
            cells.push(cell(cleared, admitted[stratum].expansion().unwrap_or(1.0)));
        }
        let index: HashMap<(usize, Option<Route>), usize> =
            places.iter().enumerate().map(|(cell, place)| ((place.stratum, place.route), cell)).collect();
        let read = tally.confirmed.iter().chain(&tally.missed).filter(|unit| unit.route.is_some());
        let draws_several = tally.plan.draws_several();
        let positives = read.filter_map(|unit| {
            let cell = *index.get(&(unit.stratum as usize, unit.route))?;
            Some(Positive {
                drawn_with: draws_several.then(|| unit.unit.conversation_key().leading_u64()),
                ..positive(cell, unit)
            })
        });
        let funnel = Funnel::new(cells, &positives.collect::<Vec<_>>())?;
        Ok(Self { tally, funnel, places, admitted })
    }

    /// Whether a cell belongs to a scope.
    pub(super) fn is_in(&self, cell: usize, group: Option<&Group>) -> bool {
        self.is_stratum_in(self.places[cell].stratum, group)
    }

    /// Whether a stratum belongs to a scope.
    pub(super) fn is_stratum_in(&self, stratum: usize, group: Option<&Group>) -> bool {
        group.is_none_or(|group| self.tally.strata[stratum].stratum.group == *group)
    }

    /// Which part of the frame a cell belongs to.
    pub(super) fn side(&self, cell: usize) -> Side {
        let class = &self.tally.strata[self.places[cell].stratum].stratum.class;
        if class == CLASS_NONE { Side::Others } else { Side::Hits }
    }

    /// Whether the gate sent a cell's units to people.
    pub(super) fn is_gated(&self, cell: usize) -> bool {
        self.places[cell].route != Some(Route::Cleared)
    }

    /// Whether the screen flagged units of a scope that the rest of the gate held back from people.
    pub(super) fn has_unread_rest(&self, group: Option<&Group>) -> bool {
        let strata = self.tally.strata.iter().enumerate().filter(|(stratum, _)| self.is_stratum_in(*stratum, group));
        let held_back = [Route::TurnedDown, Route::Unconfirmed];
        strata.into_iter().any(|(_, tally)| held_back.iter().any(|route| tally.cells.contains_key(route)))
    }

    /// Strata of a scope that hold units and have no usable verdict.
    pub(super) fn uncovered(&self, group: Option<&Group>) -> impl Iterator<Item = usize> {
        let strata = (0..self.admitted.len()).filter(move |stratum| self.is_stratum_in(*stratum, group));
        strata.filter(|stratum| self.admitted[*stratum].expansion().is_err())
    }

    /// Graded units of a scope that do not show the behaviour as far as people can tell, and those of them that passed
    /// the gate.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn negatives(&self, group: Option<&Group>) -> Negatives {
        let in_scope = |cell: usize| self.is_in(cell, group) && self.is_gated(cell);
        let Cleared { units: passed, .. } = self.funnel.cleared(in_scope);
        let flagged: u64 = self
            .funnel
            .cells()
            .iter()
            .enumerate()
            .filter(|(cell, _)| in_scope(*cell))
            .map(|(_, cell)| cell.flagged)
            .sum();
        let strata = (0..self.admitted.len()).filter(|stratum| self.is_stratum_in(*stratum, group));
        let graded: u64 = strata.map(|stratum| self.admitted[stratum].graded()).sum();
        Negatives { all: graded as f64 - (flagged as f64 - passed), passed }
    }

    /// Known positives of a group, or of all, that count for any sensitivity and lack an answer after a first one that took them
    /// further.
    pub(super) fn partly_graded(&self, group: Option<&Group>) -> u64 {
        let rows = self.tally.known.iter().filter(|row| group.is_none_or(|group| row.group == *group));
        rows.filter(|row| row.usage != KnownUse::Selected).map(|row| row.partial).sum()
    }

    /// The known positives of a group, or of all, for each part of the frame and for the whole.
    pub(super) fn known(&self, group: Option<&Group>) -> Known {
        let rows = self.tally.known.iter().filter(|row| group.is_none_or(|group| row.group == *group));
        let (mut hits, mut others, mut all) = ((0, 0), (0, 0), (0, 0));
        for row in rows {
            let add = |counts: &mut (u64, u64)| {
                counts.0 += row.passed;
                counts.1 += row.usable;
            };
            match row.usage {
                KnownUse::Headline => {
                    add(&mut all);
                    add(if row.class == CLASS_NONE { &mut others } else { &mut hits });
                }
                // It was found through a cue, so it says nothing about units without one.
                KnownUse::HitsOnly if row.class != CLASS_NONE => add(&mut hits),
                KnownUse::HitsOnly | KnownUse::Selected => {}
            }
        }
        let of = |(detected, known)| Sensitivity::new(detected, known);
        Known { hits: of(hits), others: of(others), all: of(all) }
    }
}

/// Graded units that do not show the behaviour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Negatives {
    pub(super) all: f64,
    /// Those that passed the gate.
    pub(super) passed: f64,
}

/// Sensitivities of one group; absent without a known positive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) hits: Option<Sensitivity>,
    pub(super) others: Option<Sensitivity>,
    pub(super) all: Option<Sensitivity>,
}

fn of_stratum(stratum: &StratumTally, includes_confirmer: bool) -> Admitted {
    let unconfirmed = stratum.cells.get(&Route::Unconfirmed).map_or(0, |cell| cell.units);
    let without_verdict = |bucket: &Bucket| matches!(bucket, Bucket::Unfinished | Bucket::Ungraded(_));
    let ungraded = stratum.buckets.count(without_verdict) + if includes_confirmer { unconfirmed } else { 0 };
    let admitted = stratum.admitted();
    let known = match stratum.conversations {
        Some(drawn) => Admitted::of_clusters(drawn.frame, drawn.admitted, admitted, ungraded),
        None => Admitted::new(stratum.units, admitted, ungraded),
    };
    known.expect("a stratum holds what was admitted of it")
}

/// Whether units on this route have passed the gate.
const fn is_of_gate(route: Route, includes_confirmer: bool) -> bool {
    match route {
        Route::Upheld | Route::Addressed | Route::Copies => true,
        Route::TurnedDown | Route::Unconfirmed => !includes_confirmer,
        Route::Cleared => false,
    }
}

fn cell(counts: &CellTally, expansion: f64) -> Cell {
    let CellTally { units, read, confirmed, .. } = *counts;
    Cell { expansion, flagged: units, reviewed: read, confirmed, third: None }
}

/// A unit that was drawn by itself.
pub(super) fn positive(cell: usize, unit: &ConfirmedUnit) -> Positive {
    let (conversation, content) = (unit.cluster.leading_u64(), unit.content.leading_u64());
    Positive { cell, conversation, content, drawn_with: None }
}

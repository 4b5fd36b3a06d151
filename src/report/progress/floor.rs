//! The floor while it grows: a confidence sequence that may be looked at as often as anybody likes.
//!
//! It speaks of one number: how many of the *planned* units the graders will have confirmed when all of them have ended.
//! In each stratum units are admitted in the order of a hash, so the first n that ended without a gap are a random draw,
//! without replacement, from the planned units of that stratum. What a unit's verdict will be is taken as given: only the
//! order is chance. So turns of one conversation may agree as much as they like, and nothing is said about the traffic
//! that the corpus came from. Units that ended out of turn wait until the gap before them is closed: what takes longer,
//! such as a unit that is confirmed, would be missing otherwise.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::estimate::sequential::{Drawn, MixturePrior, without_replacement};
use crate::model::event::{Ordinal, Planned, PlannedStratum};
use crate::model::rate::Level;
use crate::model::unit::{CLASS_NONE, UnitKind};

/// What can be said about the floor before the run has ended.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct FloorSoFar {
    /// Units that the graders confirmed so far.
    pub confirmed: u64,
    /// Planned units that ended without a gap in the order of admission: what the limits are made from.
    pub looked_at: u64,
    /// Confirmed units once every planned unit has ended: at least this many.
    pub lower: u64,
    /// At most this many.
    pub upper: u64,
    /// Probability that the limits cover at every look of this run at once.
    pub level: f64,
    /// How the limits were made.
    pub method: String,
}

const METHOD: &str = "beta-binomial confidence sequence without replacement, per stratum, Bonferroni over strata";

/// Units of one stratum, in order of admission.
#[derive(Debug, Default)]
struct Prefix {
    planned: u64,
    /// Whether a cue hits its units: then a share of them to speak of is confirmed.
    is_hit: bool,
    /// Units that ended without a gap, and those of them that were confirmed.
    ended: u64,
    confirmed: u64,
    /// Position of the first unit behind them.
    first: u64,
    /// That unit and all behind it; a byte each, because one that is stuck lets as many others pass as end meanwhile.
    rest: VecDeque<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended { confirmed: bool },
}

/// The completed beginnings of all strata.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    level: Option<Level>,
    has_confirmer: bool,
    draws_conversations: bool,
    strata: Vec<Prefix>,
    /// Where the units that have not ended stand: as many as there are places in the window.
    open: HashMap<Ordinal, (u32, u64)>,
}

impl Prefixes {
    /// Forgets which units were admitted: a new session admits them again.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        for prefix in &mut self.strata {
            *prefix = Prefix { planned: prefix.planned, is_hit: prefix.is_hit, ..Prefix::default() };
        }
    }

    pub(super) fn plan(&mut self, plan: &Planned) {
        self.level = Level::new(plan.level);
        self.has_confirmer = plan.graders.len() > 1;
        self.draws_conversations = plan.sample_by == UnitKind::Conversation;
        let prefix = |row: &PlannedStratum| Prefix {
            planned: row.planned,
            is_hit: row.stratum.class != CLASS_NONE,
            ..Prefix::default()
        };
        self.strata = plan.strata.iter().map(prefix).collect();
        self.open.clear();
    }

    pub(super) fn admit(&mut self, unit: Ordinal, stratum: u32) {
        let Some(prefix) = self.strata.get_mut(stratum as usize) else { return };
        self.open.insert(unit, (stratum, prefix.first + prefix.rest.len() as u64));
        prefix.rest.push_back(State::Open);
    }

    pub(super) fn finish(&mut self, unit: Ordinal, confirmed: bool) {
        let Some((stratum, position)) = self.open.remove(&unit) else { return };
        let Some(prefix) = self.strata.get_mut(stratum as usize) else { return };
        let place = usize::try_from(position - prefix.first).ok();
        if let Some(state) = place.and_then(|place| prefix.rest.get_mut(place)) {
            *state = State::Ended { confirmed };
        }
        while let Some(State::Ended { confirmed }) = prefix.rest.front() {
            prefix.confirmed += u64::from(*confirmed);
            prefix.ended += 1;
            prefix.first += 1;
            prefix.rest.pop_front();
        }
    }

    /// The floor so far, or why nothing can be said; `upheld` units are confirmed in all, gaps or not, and `finished`
    /// have ended.
    pub(super) fn floor(&self, upheld: u64, finished: u64) -> Result<FloorSoFar, &'static str> {
        if !self.has_confirmer {
            return Err("no grader confirms what is flagged: add [grader.confirm]");
        }
        if self.draws_conversations {
            return Err("whole conversations are drawn, and this sequence is for single turns: wait for the report");
        }
        let strata = self.strata.iter().filter(|prefix| prefix.planned > 0).count();
        let share = u32::try_from(strata.max(1)).map_or(f64::INFINITY, f64::from);
        let Some((level, each)) = self.level.and_then(|all| Some((all, Level::new(1.0 - all.alpha() / share)?))) else {
            return Err("nothing is planned yet");
        };
        let looked_at: u64 = self.strata.iter().map(|prefix| prefix.ended).sum();
        if looked_at == 0 {
            return Err("no unit has ended in order yet");
        }
        let totals = self.strata.iter().filter_map(|prefix| {
            let drawn = Drawn::new(prefix.confirmed, prefix.ended, prefix.planned)?;
            // Decided by the plan, before the first look.
            let prior = if prefix.is_hit { MixturePrior::OPEN } else { MixturePrior::RARE };
            Some(without_replacement(drawn, each, prior))
        });
        let (lower, upper) = totals.fold((0, 0), |(lower, upper), all| (lower + all.lower, upper + all.upper));
        // What is confirmed stays confirmed, and what has ended without it stays so: no chance is left in either.
        let planned: u64 = self.strata.iter().map(|prefix| prefix.planned).sum();
        let most = planned.saturating_sub(finished) + upheld;
        let (lower, upper) = (lower.max(upheld).min(most), upper.min(most).max(upheld));
        Ok(FloorSoFar {
            confirmed: upheld,
            looked_at,
            lower: lower.min(upper),
            upper,
            level: level.get(),
            method: METHOD.to_owned(),
        })
    }
}

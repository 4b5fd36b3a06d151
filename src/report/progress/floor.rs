//! The floor while it grows: a confidence sequence that may be looked at as often as anybody likes.
//!
//! It speaks of one number: how many of the *planned* units the graders will have confirmed when all of them have ended.
//! The units that ended without a gap in the order of admission are a random draw, without replacement, from the planned
//! units of each stratum ([`Prefix`]). What a unit's verdict will be is taken as given: only the order is chance. So turns
//! of one conversation may agree as much as they like, and nothing is said about the traffic that the corpus came from.

use serde::{Deserialize, Serialize};

use crate::estimate::sequential::{Drawn, MixturePrior, without_replacement};
use crate::estimate::{Looks, Prefix};
use crate::model::event::{Ordinal, Planned, PlannedStratum};
use crate::model::rate::Level;
use crate::model::stop::RelativeWidth;
use crate::model::unit::CLASS_NONE;

/// What can be said about the floor before the run has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// Where `stop_when` stands: how wide the limits of what the graders confirm in the whole corpus are, over the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StopSoFar {
    /// The run stops at the first look at which they are at most so wide.
    pub relative_width: f64,
    /// How wide they are now; null while nothing was confirmed, or a stratum is unseen.
    pub now: Option<f64>,
    /// The look at which they were narrow enough: nothing new is admitted from then on.
    pub narrow_at_look: Option<u64>,
}

const METHOD: &str = "beta-binomial confidence sequence without replacement, per stratum, Bonferroni over strata";

/// One stratum of the plan.
#[derive(Debug, Clone, Copy)]
struct Row {
    planned: u64,
    /// Whether a cue hits its units: then a share of them to speak of is confirmed.
    is_hit: bool,
}

/// The completed beginning of the run, and what can be said from it.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    level: Option<Level>,
    has_confirmer: bool,
    draws_several: bool,
    /// The first unit: known positives come before it.
    first_unit: Ordinal,
    strata: Vec<Row>,
    prefix: Prefix,
    looks: Option<Looks>,
    narrow_at_look: Option<u64>,
}

impl Beginning {
    /// Forgets which units were admitted: a new session admits them again.
    pub(super) fn clear(&mut self) {
        self.prefix = Prefix::new(self.strata.len(), self.first_unit);
        self.narrow_at_look = None;
    }

    pub(super) fn plan(&mut self, plan: &Planned) {
        self.level = Level::new(plan.level);
        self.has_confirmer = plan.graders.len() > 1;
        self.draws_several = plan.draws_several();
        self.first_unit = plan.known.first_unit();
        let row = |row: &PlannedStratum| Row { planned: row.planned, is_hit: row.stratum.class != CLASS_NONE };
        self.strata = plan.strata.iter().map(row).collect();
        // A plan that does not support looks is warned of when the run begins.
        self.looks = Looks::of(plan).ok().flatten();
        self.clear();
    }

    pub(super) fn admit(&mut self, unit: Ordinal, stratum: u32) {
        self.prefix.admit(unit, stratum);
    }

    pub(super) fn finish(&mut self, unit: Ordinal, confirmed: bool) {
        self.prefix.finish(unit, confirmed);
        while self.prefix.step() {
            if let (None, Some(looks)) = (self.narrow_at_look, &self.looks) {
                self.narrow_at_look = looks.narrow_at(&self.prefix).map(|look| look.number);
            }
        }
    }

    /// Where `stop_when` stands, if the run asks and its plan supports it.
    pub(super) fn stop(&self) -> Option<StopSoFar> {
        let looks = self.looks.as_ref()?;
        Some(StopSoFar {
            relative_width: looks.rule().relative_width.get(),
            now: looks.width(self.prefix.looked()).map(RelativeWidth::get),
            narrow_at_look: self.narrow_at_look,
        })
    }

    /// The floor so far, or why nothing can be said; `upheld` units are confirmed in all, gaps or not, and `finished`
    /// have ended.
    pub(super) fn floor(&self, upheld: u64, finished: u64) -> Result<FloorSoFar, &'static str> {
        if !self.has_confirmer {
            return Err("no grader confirms what is flagged: add [grader.confirm]");
        }
        if self.draws_several {
            return Err("whole conversations are drawn, and this sequence is for single turns: wait for the report");
        }
        let strata = self.strata.iter().filter(|row| row.planned > 0).count();
        let share = u32::try_from(strata.max(1)).map_or(f64::INFINITY, f64::from);
        let Some((level, each)) = self.level.and_then(|all| Some((all, Level::new(1.0 - all.alpha() / share)?))) else {
            return Err("nothing is planned yet");
        };
        let looked_at = self.prefix.units();
        if looked_at == 0 {
            return Err("no unit has ended in order yet");
        }
        let totals = self.strata.iter().zip(self.prefix.looked()).filter_map(|(row, looked)| {
            let drawn = Drawn::new(looked.confirmed, looked.ended, row.planned)?;
            // Decided by the plan, before the first look.
            let prior = if row.is_hit { MixturePrior::OPEN } else { MixturePrior::RARE };
            Some(without_replacement(drawn, each, prior))
        });
        let (lower, upper) = totals.fold((0, 0), |(lower, upper), all| (lower + all.lower, upper + all.upper));
        // What is confirmed stays confirmed, and what has ended without it stays so: no chance is left in either.
        let planned: u64 = self.strata.iter().map(|row| row.planned).sum();
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

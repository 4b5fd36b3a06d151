//! Closing admission because enough is known.

use crate::estimate::{Looks, NoSequence, Prefix};
use crate::model::event::{Admitted, Judged, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::stop::Look;
use crate::reconcile::Definitions;

/// The looks of one session, and what they came to.
#[derive(Debug)]
pub struct Narrow {
    looks: Looks,
    definitions: Definitions,
    prefix: Prefix,
    found: Option<Box<Look>>,
    /// The first unit that no earlier session of the run admitted: what is admitted finishes.
    first_new: Ordinal,
}

impl Narrow {
    /// The looks that a plan asks for, in a session of a run that admitted all units before `first_new` earlier.
    ///
    /// # Errors
    /// If the plan asks for looks that it does not support.
    pub fn of(plan: &Planned, definitions: &Definitions, first_new: Ordinal) -> Result<Option<Self>, NoSequence> {
        let looks = Looks::of(plan)?;
        Ok(looks.map(|looks| Self {
            looks,
            definitions: definitions.clone(),
            prefix: Prefix::new(plan.strata.len(), plan.known.first_unit()),
            found: None,
            first_new,
        }))
    }

    /// Why this unit is not to be admitted, if it is not.
    pub(super) fn closes_before(&self, unit: Ordinal) -> Option<Box<Look>> {
        self.found.clone().filter(|_| unit >= self.first_new)
    }

    pub(super) fn admit(&mut self, unit: &Admitted) {
        // Known positives are no part of the sample.
        if let Some(stratum) = unit.stratum {
            self.prefix.admit(unit.ordinal, stratum);
        }
    }

    /// A unit's path ended with this. Looks wherever one is due, and after the first narrow one never again.
    pub(super) fn finish(&mut self, last: &Judged) {
        // What cap, deadline, cache or a stop cut off says nothing about the unit: it leaves a gap, and no look comes after it.
        if self.found.is_some() || last.outcome.was_cut_off() {
            return;
        }
        let holds = self.definitions.pass(last);
        // A definition that cannot be evaluated stops the report, which names it.
        self.prefix.finish(last.ordinal, last.stage == Stage::Confirm && holds.unwrap_or(false));
        while self.found.is_none() && self.prefix.step() {
            self.found = self.looks.narrow_at(&self.prefix).map(Box::new);
        }
    }
}

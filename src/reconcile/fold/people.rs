//! What people are to read of a fold's units, and what they said.

use super::super::counts::Counts;
use super::super::error::FoldError;
use super::super::gold;
use super::super::labels::Ruling;
use super::super::review::{self, Readable, Reading};
use super::super::unit::Address;
use super::Fold;
use crate::model::draw::{SampleSize, wants};
use crate::model::event::{Ordinal, Planned};
use crate::model::hash::Digest;
use crate::model::rate::Decider;
use crate::model::review::Route;
use crate::model::review_id::ReviewId;
use crate::model::tally::{ConfirmedUnit, QueuedUnit};
use crate::model::unit::UnitId;

/// What is kept of a unit only while its name may be needed.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) unit: UnitId,
    pub(super) content: Digest,
    pub(super) cluster: Option<Digest>,
}

impl Named {
    pub(super) fn confirmed(self, by: Decider, stratum: u32, route: Option<Route>) -> ConfirmedUnit {
        let Self { unit, content, cluster } = self;
        let cluster = cluster.unwrap_or_else(|| unit.conversation_key());
        ConfirmedUnit { unit, by, stratum, content, cluster, route }
    }
}

impl Fold {
    pub(super) fn join_labels(&mut self, plan: &Planned) {
        let labels = std::mem::take(&mut self.labels);
        let mut hidden = Vec::new();
        for label in &labels {
            let is_other_definition = label.definition.as_ref().is_some_and(|name| *name != plan.definition);
            if label.behaviour != plan.behaviour || is_other_definition {
                self.joined.foreign();
                continue;
            }
            match label.unit.parse::<ReviewId>() {
                Ok(id) if self.gold.take(id, label) => {}
                Ok(id) => hidden.push((id, label)),
                Err(_) => self.joined.add(label),
            }
        }
        gold::join_units(&mut self.joined, &hidden, plan, &self.units);
        for unit in self.units.iter().filter(|unit| unit.stratum().is_some()) {
            self.joined.locate(unit.address());
        }
    }

    /// Keeps the name of a cleared unit for as long as people may have to read it.
    pub(super) fn cleared(&mut self, ordinal: Ordinal, named: Named) -> Result<(), FoldError> {
        let plan = self.plan.as_ref().ok_or(FoldError::NoPlan)?;
        let size = plan.review.cleared;
        if size.is_none() {
            return Ok(());
        }
        let number = review::number(plan, &named.content);
        let Some(stratum) = self.unit(ordinal)?.stratum().filter(|_| wants(size, number)) else { return Ok(()) };
        let kept = self.cleared.entry(stratum).or_default();
        kept.insert((number, ordinal), named);
        if let SampleSize::Count(most) = size
            && kept.len() as u64 > most
        {
            kept.pop_last();
        }
        Ok(())
    }

    /// Every unit that people may be asked about.
    pub(super) fn readable(&self, plan: &Planned) -> Result<Vec<Readable>, FoldError> {
        let mut readable = Vec::new();
        for (ordinal, unit) in (self.known.len()..).map(Ordinal).zip(&self.units) {
            let Some((stratum, route)) = unit.stratum().zip(unit.route()) else { continue };
            let named = self.named.get(&ordinal).ok_or(FoldError::NotAdmitted(ordinal))?;
            let ruling = self.joined.ruling(unit.address(), &plan.strata[stratum as usize].stratum.group);
            readable.push(Readable { ordinal, stratum, route, content: named.content, ruling });
        }
        for (stratum, kept) in &self.cleared {
            for ((_, ordinal), named) in kept.iter().filter(|((_, ordinal), _)| self.is_cleared(*ordinal)) {
                let address = Address::of(&named.unit.to_string());
                let ruling = self.joined.ruling(address, &named.unit.group);
                let (stratum, content) = (*stratum, named.content);
                readable.push(Readable { ordinal: *ordinal, stratum, route: Route::Cleared, content, ruling });
            }
        }
        Ok(readable)
    }

    /// A later session may have judged it otherwise.
    fn is_cleared(&self, ordinal: Ordinal) -> bool {
        let position = ordinal.0.checked_sub(self.known.len());
        let unit = position.and_then(|position| self.units.get(usize::try_from(position).ok()?));
        unit.is_some_and(|unit| unit.screen().is_some_and(|mark| mark.kind.is_usable() && !mark.holds))
    }

    /// Cleared units that people say show the behaviour.
    pub(super) fn count_missed(&mut self, counts: &mut Counts<'_>, reading: &mut Reading) {
        for (stratum, kept) in std::mem::take(&mut self.cleared) {
            for ((number, ordinal), named) in kept {
                let (ruling, route) = reading.take(ordinal);
                if ruling == Ruling::Silent && route.is_some() {
                    counts.queue.push(QueuedUnit { number, unit: named.unit });
                } else if ruling == Ruling::Upheld && route.is_some() {
                    counts.missed.push(named.confirmed(Decider::People, stratum, route));
                }
            }
        }
    }
}

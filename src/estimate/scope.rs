//! What a row of rates speaks of: one group or all, per turn or per conversation.

use std::num::NonZeroU64;

use super::design::Design;
use crate::model::rate::{Rate, RateName, Target};
use crate::model::tally::StratumTally;
use crate::model::unit::{Group, UnitKind};

/// Conversations with a confirmed turn that a rate per turn of traffic rests on at least, and those from which on
/// nobody needs a warning.
pub(super) const LEAST_CLUSTERS: u64 = 10;

#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) design: &'a Design<'a>,
    pub(super) group: Option<&'a Group>,
    pub(super) unit: UnitKind,
    /// Why no rate can be given, or none of the kind asked for.
    pub(super) mixed: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub(super) fn strata(&self) -> impl Iterator<Item = &'a StratumTally> + use<'a> {
        let group = self.group;
        self.design.tally.strata.iter().filter(move |tally| group.is_none_or(|group| tally.stratum.group == *group))
    }

    /// Units of the frame, or why there are none.
    pub(super) fn frame(&self) -> Result<NonZeroU64, String> {
        let plan = &self.design.tally.plan;
        let n = match (self.unit, plan.unit) {
            (UnitKind::Turn, UnitKind::Turn) | (UnitKind::Conversation, UnitKind::Conversation) => {
                self.strata().map(|stratum| stratum.units).sum()
            }
            (UnitKind::Conversation, UnitKind::Turn) => self.design.tally.conversations(self.group),
            (UnitKind::Turn, UnitKind::Conversation) => {
                return Err("whole conversations were graded: set unit = \"turn\" under [corpus]".to_owned());
            }
        };
        NonZeroU64::new(n).ok_or_else(|| format!("the corpus holds no {} of this group", self.unit.as_str()))
    }

    /// Whether two units of one cluster can exist at all: conversations of one turn each are independent.
    pub(super) fn may_cluster(&self) -> bool {
        let tally = self.design.tally;
        let has_long = || {
            let turns: u64 = self.strata().map(|stratum| stratum.units).sum();
            turns > tally.conversations(self.group)
        };
        tally.plan.cluster_by.is_some() || (self.unit == UnitKind::Turn && has_long())
    }

    /// Why a rate of other traffic has no limits, if so few clusters hold an event.
    pub(super) fn too_few_clusters(&self, affected: u64) -> Option<String> {
        if affected >= LEAST_CLUSTERS || !self.may_cluster() {
            return None;
        }
        let cluster = self.design.tally.plan.cluster_by.as_deref().unwrap_or("conversation");
        let (unit, instead) = match self.design.tally.plan.unit {
            UnitKind::Turn => ("turn", ", or the rate per conversation"),
            UnitKind::Conversation => ("conversation", ""),
        };
        Some(format!(
            "fewer than {LEAST_CLUSTERS} {cluster}s hold a confirmed {unit}, and {unit}s of one {cluster} are not independent: \
             read the rate of this corpus{instead}"
        ))
    }

    pub(super) fn empty(&self, name: RateName, target: Target) -> Rate {
        Rate {
            name,
            unit: self.unit,
            group: self.group.cloned(),
            target,
            decided_by: None,
            definition: self.design.tally.plan.definition.clone(),
            k: None,
            n: None,
            estimate: None,
            lower: None,
            upper: None,
            level: None,
            method: None,
            clusters: None,
            bracket: None,
            lowered: Vec::new(),
            tipping_point: None,
            reason: None,
        }
    }

    pub(super) fn refused(&self, name: RateName, target: Target, reason: impl Into<String>) -> Rate {
        Rate { reason: Some(reason.into()), ..self.empty(name, target) }
    }
}

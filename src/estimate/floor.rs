//! The rates of a report: the floor, and for the rungs above it what would have to be added.

use std::collections::{BTreeMap, BTreeSet};

use super::interval::{Share, clopper_pearson, one_sided_upper};
use crate::model::bucket::Bucket;
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::rate::{Decider, Method, Rate, RateName, Target};
use crate::model::tally::{ConfirmedUnit, StratumTally, Tally};
use crate::model::unit::{Group, UnitKind};

/// Every rate of a report: for all groups together and for each, per turn and per conversation, for the corpus and
/// for the traffic it came from. People's floor comes first where people decided; the grader's floor counts what
/// people or, where they are silent, the grader upheld. Catchable, corrected and ceiling are absent, with reasons.
#[must_use]
pub fn rates(tally: &Tally) -> Vec<Rate> {
    let groups = tally.groups();
    // Without fields to group by, the only group is everything.
    let single = tally.plan.group_by.is_empty();
    let scopes: Vec<Option<&Group>> =
        std::iter::once(None).chain(groups.into_iter().filter(|_| !single).map(Some)).collect();
    let mixed = mixture(tally);
    let mut rates = Vec::new();
    for group in scopes {
        for unit in [UnitKind::Turn, UnitKind::Conversation] {
            let scope = Scope { tally, group, unit, mixed: mixed.as_deref() };
            for decider in deciders(tally) {
                rates.extend([scope.corpus_floor(decider), scope.traffic_floor(decider)]);
            }
            for name in [RateName::Catchable, RateName::Corrected, RateName::Ceiling] {
                let reason = scope.missing(name);
                rates.extend([Target::Corpus, Target::Traffic].map(|target| scope.refused(name, target, &reason)));
            }
        }
    }
    rates
}

/// Why the verdicts of a run are not one measurement, if they are not.
fn mixture(tally: &Tally) -> Option<String> {
    let stages: Vec<_> = tally.mixed_stages().into_iter().map(Stage::as_str).collect();
    (!stages.is_empty()).then(|| {
        format!(
            "several models served the {} stage: their verdicts are not pooled; the counts of each are under `graders`",
            stages.join(" and the ")
        )
    })
}

fn deciders(tally: &Tally) -> Vec<Decider> {
    let mut deciders = Vec::new();
    if tally.labels.decided > 0 {
        deciders.push(Decider::People);
    }
    if tally.stage(Stage::Confirm).is_some() || deciders.is_empty() {
        deciders.push(Decider::Grader);
    }
    deciders
}

/// What a row of rates speaks of.
struct Scope<'a> {
    tally: &'a Tally,
    group: Option<&'a Group>,
    unit: UnitKind,
    /// Why no rate can be given at all.
    mixed: Option<&'a str>,
}

/// Distinct units, or conversations, that count.
struct Events {
    k: u64,
    /// Whether two of them stand in one conversation, or are copies of each other.
    clustered: bool,
}

impl Scope<'_> {
    fn corpus_floor(&self, decider: Decider) -> Rate {
        let mut rate = self.empty(RateName::Floor, Target::Corpus);
        rate.decided_by = Some(decider);
        match self.share(decider) {
            Ok((events, n)) => {
                rate.k = Some(events.k);
                rate.n = Some(n);
                rate.estimate = Share::new(events.k, n).map(Share::estimate);
                let (method, reason) = if self.is_partial() {
                    (Method::RawCount, "no limits: what was not drawn, reached or graded can only add to this count")
                } else {
                    (Method::ExactCount, "no limits: a count of this corpus has no sampling error")
                };
                rate.method = Some(method);
                rate.reason = Some(reason.to_owned());
            }
            Err(reason) => rate.reason = Some(reason),
        }
        rate
    }

    fn traffic_floor(&self, decider: Decider) -> Rate {
        let mut rate = Rate { target: Target::Traffic, ..self.corpus_floor(decider) };
        let Ok((events, n)) = self.share(decider) else { return rate };
        let Some(share) = Share::new(events.k, n) else { return rate };
        rate.method = None;
        rate.reason = None;
        if events.clustered {
            rate.reason = Some(format!(
                "confirmed {}s share {} or a text, so they are not independent: read the corpus count{}",
                self.unit.as_str(),
                self.tally.plan.cluster_by.as_ref().map_or("a conversation".to_owned(), |field| format!("a `{field}`")),
                if self.unit == UnitKind::Turn { ", or the rate per conversation" } else { "" },
            ));
            return rate;
        }
        if events.k == 0 && self.is_partial() {
            let reason = "none was found, and what was not drawn, reached or graded may hold some";
            return Rate { reason: Some(reason.to_owned()), ..rate };
        }
        let level = self.tally.level;
        let (lower, upper, method) = if events.k == 0 {
            (0.0, one_sided_upper(share, level), Method::ClopperPearsonOneSided)
        } else {
            let limits = clopper_pearson(share, level);
            (limits.lower, limits.upper, Method::ClopperPearson)
        };
        Rate { lower: Some(lower), upper: Some(upper), level: Some(level.get()), method: Some(method), ..rate }
    }

    /// Events and exposure, or why there are none.
    fn share(&self, decider: Decider) -> Result<(Events, u64), String> {
        if let Some(reason) = self.mixed {
            return Err(reason.to_owned());
        }
        let buckets = self.tally.buckets(self.group);
        let pending = buckets.count(|bucket| *bucket == Bucket::Pending);
        let is_undecided = decider == Decider::Grader && self.tally.confirm.is_none();
        if is_undecided && pending > 0 {
            return Err(format!(
                "nobody has decided about {pending} flagged {}s: add [grader.confirm], or review them",
                self.tally.plan.unit.as_str()
            ));
        }
        let n = match (self.unit, self.tally.plan.unit) {
            (UnitKind::Turn, UnitKind::Turn) => buckets.total(),
            (UnitKind::Conversation, UnitKind::Turn | UnitKind::Conversation) => self.tally.conversations(self.group),
            (UnitKind::Turn, UnitKind::Conversation) => {
                return Err("whole conversations were graded: set unit = \"turn\" under [corpus]".to_owned());
            }
        };
        if n == 0 {
            return Err(format!("the corpus holds no {} of this group", self.unit.as_str()));
        }
        Ok((events(self.confirmed(decider), self.unit), n))
    }

    /// Confirmed units of the scope that count for this decider, in order.
    fn confirmed(&self, decider: Decider) -> impl Iterator<Item = &ConfirmedUnit> {
        let counts = move |by| match decider {
            Decider::People => by == Decider::People,
            Decider::Grader => true,
        };
        let in_scope = self.tally.confirmed.iter().filter(|unit| self.group.is_none_or(|g| unit.unit.group == *g));
        in_scope.filter(move |unit| counts(unit.by))
    }

    fn strata(&self) -> impl Iterator<Item = &StratumTally> {
        self.tally.strata.iter().filter(|tally| self.group.is_none_or(|group| tally.stratum.group == *group))
    }

    /// Whether units of a stratum were left to chance, or planned and left without a decision.
    fn is_partial(&self) -> bool {
        self.strata().any(|tally| {
            let drawn = tally.buckets.count(Bucket::is_planned);
            (drawn > 0 && drawn < tally.units) || tally.buckets.count(is_open) > 0
        })
    }

    fn refused(&self, name: RateName, target: Target, reason: &str) -> Rate {
        Rate { reason: Some(reason.to_owned()), ..self.empty(name, target) }
    }

    /// Why a rung above the floor is absent, and what to add.
    fn missing(&self, name: RateName) -> String {
        let mut missing: Vec<String> = self.mixed.map(str::to_owned).into_iter().collect();
        let is_undrawn = |tally: &&StratumTally| tally.units > 0 && tally.buckets.count(Bucket::is_admitted) == 0;
        let undrawn: BTreeSet<&str> =
            self.strata().filter(is_undrawn).map(|tally| tally.stratum.class.as_str()).collect();
        if !undrawn.is_empty() {
            let classes: Vec<_> = undrawn.into_iter().collect();
            missing.push(format!("no unit of class {} was graded: draw some under [sample]", classes.join(", ")));
        }
        let plan = &self.tally.plan;
        if self.unit == UnitKind::Conversation && plan.unit == UnitKind::Turn && plan.sample_by == UnitKind::Turn {
            missing.push("single turns were drawn, not conversations".to_owned());
        }
        if self.tally.labels.decided == 0 {
            missing.push("no person has decided about a flagged unit: review the flagged".to_owned());
        }
        match name {
            RateName::Corrected => missing.push("no known positives measure the sensitivity of the gate".to_owned()),
            RateName::Ceiling => missing.push("no person has read cleared units".to_owned()),
            RateName::Floor | RateName::Catchable => {}
        }
        missing.push("this version computes the floor only".to_owned());
        missing.join("; ")
    }

    fn empty(&self, name: RateName, target: Target) -> Rate {
        Rate {
            name,
            unit: self.unit,
            group: self.group.cloned(),
            target,
            decided_by: None,
            definition: self.tally.plan.definition.clone(),
            k: None,
            n: None,
            estimate: None,
            lower: None,
            upper: None,
            level: None,
            method: None,
            reason: None,
        }
    }
}

/// Whether the units of a bucket were planned and may still turn out to count.
fn is_open(bucket: &Bucket) -> bool {
    match bucket {
        Bucket::NotAdmitted | Bucket::Unfinished | Bucket::Ungraded(_) | Bucket::Pending | Bucket::Disputed => true,
        Bucket::NotPlanned | Bucket::Cleared | Bucket::Rejected { .. } | Bucket::Confirmed { .. } => false,
    }
}

/// Counts confirmed units, or the conversations they stand in, and notices clusters: two confirmed units, or two
/// conversations, of one cluster, or copies of one text in several conversations.
fn events<'a>(confirmed: impl Iterator<Item = &'a ConfirmedUnit>, unit: UnitKind) -> Events {
    let mut texts: BTreeMap<Digest, Digest> = BTreeMap::new();
    let (mut conversations, mut clusters) = (BTreeSet::new(), BTreeSet::new());
    let (mut units, mut shares_text) = (0, false);
    for confirmed in confirmed {
        let conversation = confirmed.unit.conversation_key();
        shares_text |= texts.insert(confirmed.content, conversation).is_some_and(|other| other != conversation);
        conversations.insert(conversation);
        clusters.insert(confirmed.cluster);
        units += 1;
    }
    let k = match unit {
        UnitKind::Turn => units,
        UnitKind::Conversation => conversations.len() as u64,
    };
    Events { k, clustered: shares_text || (clusters.len() as u64) < k }
}

#[cfg(test)]
#[path = "floor_tests.rs"]
mod tests;

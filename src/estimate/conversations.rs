//! Rates per conversation where turns are graded: they exist above the floor only where whole conversations were drawn.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use super::cell::Cell;
use super::corrected::sensitivity_of;
use super::design::positive;
use super::gamma;
use super::refusal::sentence;
use super::rungs::{Counted, found, share};
use super::scope::Scope;
use super::sensitivity::melded;
use super::total::{Funnel, Positive};
use crate::model::rate::{Bracket, Method, Rate, RateName, Target};

/// Conversations of the whole frame in which people would confirm a turn, or why that is not known.
pub(super) fn counted(scope: &Scope<'_>, with_cleared: bool, frame: NonZeroU64) -> Result<Counted, String> {
    let design = scope.design;
    if !design.tally.plan.draws_several() {
        return Err("single turns were drawn, so a conversation has no known probability of being read: set \
                    sample_by = \"conversation\" under [corpus]"
            .to_owned());
    }
    if with_cleared {
        return Err("the ceiling is computed per turn only".to_owned());
    }
    let unread: u64 = (0..design.places.len())
        .filter(|cell| design.is_in(*cell, scope.group) && design.is_gated(*cell))
        .map(|cell| design.funnel.cells()[cell].flagged - design.funnel.cells()[cell].reviewed)
        .sum();
    if unread > 0 {
        return Err(format!(
            "a conversation is decided once all of its flagged turns are read: {unread} are not; set confirm_no = \"all\" \
             under [review] and read them"
        ));
    }
    let mut first_turns = BTreeMap::new();
    for unit in design.tally.confirmed.iter().filter(|unit| unit.route.is_some()) {
        let stratum = unit.stratum as usize;
        if design.is_stratum_in(stratum, scope.group) {
            first_turns.entry((stratum, unit.unit.conversation_key())).or_insert(unit);
        }
    }
    let (mut cells, mut positives): (Vec<Cell>, Vec<Positive>) = (Vec::new(), Vec::new());
    for (stratum, tally) in design.tally.strata.iter().enumerate() {
        let Some(drawn) = tally.conversations.filter(|_| design.is_stratum_in(stratum, scope.group)) else { continue };
        let Some(expansion) = expansion(drawn.frame, drawn.admitted) else {
            return Err(format!("no conversation of {} was admitted: draw some under [sample]", tally.stratum));
        };
        let confirmed = first_turns.range((stratum, crate::model::hash::Digest::from_bytes([0; 32]))..);
        let confirmed = confirmed.take_while(|((of, _), _)| *of == stratum);
        // The units counted here are the conversations themselves, each drawn by itself.
        positives.extend(confirmed.map(|(_, unit)| positive(cells.len(), unit)));
        let k = positives.iter().filter(|positive| positive.cell == cells.len()).count() as u64;
        cells.push(Cell { expansion, flagged: k, reviewed: k, confirmed: k, third: None });
    }
    let funnel = Funnel::new(cells, &positives).expect("each conversation is counted and listed once");
    let mut total = funnel.total(|_| true).map_err(|reason| sentence(&reason))?;
    total.is_census &= scope.strata().all(|tally| tally.conversations.is_some_and(|drawn| drawn.usable == drawn.frame));
    Ok(Counted { total, k: positives.len() as u64, frame })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn expansion(frame: u64, admitted: u64) -> Option<f64> {
    match (frame, admitted) {
        (0, _) => Some(1.0),
        (_, 0) => None,
        (frame, admitted) => Some(frame as f64 / admitted as f64),
    }
}

/// What it could be, given the conversations with a turn that has no usable verdict.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn bracket(scope: &Scope<'_>, counted: &Counted) -> Option<Bracket> {
    let open: f64 = scope
        .strata()
        .filter_map(|tally| tally.conversations)
        .filter_map(|drawn| Some((drawn.admitted - drawn.usable) as f64 * expansion(drawn.frame, drawn.admitted)?))
        .sum();
    let estimate = share(counted.total.estimate, counted.frame);
    (open > 0.0).then(|| Bracket {
        ungraded_no: estimate,
        ungraded_yes: share(counted.total.estimate + open, counted.frame),
        undecided_yes: estimate,
    })
}

/// Limits of the corrected rate per conversation. Sensitivity was measured on turns, and a conversation with several true
/// turns is detected more often than one with one: between the two, no estimate is better than another.
pub(super) fn bounds(scope: &Scope<'_>, target: Target, counted: &Counted) -> Rate {
    let refused = |reason: String| scope.refused(RateName::Corrected, target, reason);
    let sensitivity = match sensitivity_of(scope) {
        Ok(sensitivity) => sensitivity,
        Err(reason) => return refused(reason),
    };
    let level = scope.design.tally.level;
    let Counted { total, k, frame } = counted;
    let found = if target == Target::Corpus { found(scope) } else { 0.0 };
    let lower = gamma::catchable(total, target, level).at_least(found).over(*frame).lower;
    let blind = match target {
        Target::Traffic => *total,
        Target::Corpus => total.of_corpus(sensitivity.rate()),
    };
    let upper = melded(&blind, sensitivity, level).at_least(found).over(*frame).upper;
    Rate {
        k: Some(*k),
        n: Some(frame.get()),
        lower: Some(lower),
        upper: Some(upper),
        level: Some(level.get()),
        method: Some(Method::Bounds),
        clusters: Some(total.affected),
        reason: Some(
            "no estimate: sensitivity was measured on turns, and a conversation with several is detected more often; the \
             lower limit supposes that every conversation is detected"
                .to_owned(),
        ),
        ..scope.empty(RateName::Corrected, target)
    }
}

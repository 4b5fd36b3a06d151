//! Buckets as the lines of a funnel.

use std::collections::BTreeMap;

use super::json::{ConversationRow, Funnel, GroupFields, StratumRow};
use crate::model::bucket::{Bucket, Buckets};
use crate::model::outcome::OutcomeKind;
use crate::model::tally::{ConversationTally, StratumTally, Tally};

/// Key of rejections without a reason.
const NO_CODE: &str = "none";

pub(super) fn funnel(tally: &Tally) -> Funnel {
    let buckets = tally.buckets(None);
    let lines = Lines::of(&buckets);
    let mut funnel = Funnel {
        turns: tally.plan.corpus.turns,
        conversations: tally.plan.corpus.conversations,
        units: buckets.total(),
        not_planned: buckets.total() - lines.planned,
        planned: lines.planned,
        not_admitted: lines.planned - lines.admitted,
        set_back: tally.set_back,
        admitted: lines.admitted,
        unfinished: lines.unfinished,
        ungraded: lines.ungraded,
        outcomes: outcomes(tally),
        cleared: lines.cleared,
        flagged: lines.flagged,
        pending: lines.pending,
        disputed: lines.disputed,
        rejected: lines.rejected,
        confirmed: lines.confirmed,
        drawn_conversations: all_conversations(tally),
        ..Funnel::default()
    };
    for row in &tally.strata {
        *funnel.by_class.entry(row.stratum.class.clone()).or_default() += row.units;
    }
    for (bucket, units) in &buckets.0 {
        if let Bucket::Rejected { by, code } = bucket {
            add(&mut funnel.rejected_by, *by, *units);
            add(&mut funnel.rejected_codes, code.clone().unwrap_or_else(|| NO_CODE.to_owned()), *units);
        } else if let Bucket::Confirmed { by } = bucket {
            add(&mut funnel.confirmed_by, *by, *units);
        }
    }
    funnel
}

/// Every outcome that the screen can have: what only a file of verdicts can lack is left out where there is none.
fn outcomes(tally: &Tally) -> BTreeMap<OutcomeKind, u64> {
    let is_asked = tally.plan.graders.first().is_none_or(|screen| screen.recorded.is_none());
    let kinds = OutcomeKind::ALL.into_iter().filter(|kind| !(is_asked && *kind == OutcomeKind::NotRecorded));
    kinds.map(|kind| (kind, tally.screen.outcomes.get(&kind).copied().unwrap_or(0))).collect()
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, units: u64) {
    *counts.entry(key).or_default() += units;
}

pub(super) fn stratum(tally: &StratumTally, group: GroupFields) -> StratumRow {
    let lines = Lines::of(&tally.buckets);
    StratumRow {
        class: tally.stratum.class.clone(),
        group,
        units: tally.units,
        planned: lines.planned,
        admitted: lines.admitted,
        unfinished: lines.unfinished,
        ungraded: lines.ungraded,
        cleared: lines.cleared,
        flagged: lines.flagged,
        pending: lines.pending,
        disputed: lines.disputed,
        rejected: lines.rejected,
        confirmed: lines.confirmed,
        drawn_conversations: tally.conversations.map(conversations),
    }
}

fn conversations(tally: ConversationTally) -> ConversationRow {
    let ConversationTally { frame, planned, admitted, usable, flagged } = tally;
    ConversationRow { frame, planned, admitted, usable, flagged }
}

/// The sum over all strata, if conversations were drawn.
fn all_conversations(tally: &Tally) -> Option<ConversationRow> {
    let rows = tally.strata.iter().filter_map(|row| row.conversations.map(conversations));
    rows.reduce(|sum, row| ConversationRow {
        frame: sum.frame + row.frame,
        planned: sum.planned + row.planned,
        admitted: sum.admitted + row.admitted,
        usable: sum.usable + row.usable,
        flagged: sum.flagged + row.flagged,
    })
}

/// Buckets summed into the lines that tables show.
struct Lines {
    planned: u64,
    admitted: u64,
    unfinished: u64,
    ungraded: u64,
    cleared: u64,
    flagged: u64,
    pending: u64,
    disputed: u64,
    rejected: u64,
    confirmed: u64,
}

impl Lines {
    fn of(buckets: &Buckets) -> Self {
        Self {
            planned: buckets.count(Bucket::is_planned),
            admitted: buckets.count(Bucket::is_admitted),
            unfinished: buckets.count(|bucket| *bucket == Bucket::Unfinished),
            ungraded: buckets.count(|bucket| matches!(bucket, Bucket::Ungraded(_))),
            cleared: buckets.count(|bucket| *bucket == Bucket::Cleared),
            flagged: buckets.count(Bucket::is_flagged),
            pending: buckets.count(|bucket| *bucket == Bucket::Pending),
            disputed: buckets.count(|bucket| *bucket == Bucket::Disputed),
            rejected: buckets.count(|bucket| matches!(bucket, Bucket::Rejected { .. })),
            confirmed: buckets.count(|bucket| matches!(bucket, Bucket::Confirmed { .. })),
        }
    }
}

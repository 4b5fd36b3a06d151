//! How a session begins: which run goes on, what it may spend, and what a reader should know of earlier ones.

use std::collections::BTreeSet;

use super::{SessionError, deadline};
use crate::cache::ReplyCache;
use crate::grade::settings::OnModelChange;
use crate::grade::stage::Retries;
use crate::model::event::{Event, Planned, Sent};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::run::account::Account;
use crate::run::alarms;
use crate::run::assemble::{Stand, check_capped};
use crate::run::caps::Caps;
use crate::run::change;
use crate::run::coordinator::Start;
use crate::run::disks::Disks;
use crate::run::folder::RunFolder;
use crate::run::ledger::Ledger;
use crate::run::resume::{Resumed, look_back, retried};
use crate::run::settings::{Audit, CacheMode};

/// What a session begins with.
pub(super) struct Begun {
    /// The run that goes on.
    pub(super) folder: Option<RunFolder>,
    pub(super) start: Start,
    /// Requests that an earlier process left on the wire.
    pub(super) open: Vec<Sent>,
    /// Their ends, in the same order.
    pub(super) settled: Vec<Event>,
    pub(super) account: Account,
    pub(super) retries: Retries,
    pub(super) notes: Vec<String>,
}

/// Looks back, chooses between going on and beginning anew, and decides the caps; the plan is told of all three.
pub(super) fn begin(
    (audit, trial): (&Audit, Option<NanoUsd>),
    planned: &mut Planned,
    stands: &[Stand],
    cache: &ReplyCache,
    ledger: &mut Ledger,
) -> Result<Begun, SessionError> {
    let replay_only = audit.cache == CacheMode::ReadOnly;
    let needs_total = audit.budget.max_cost_total.is_some();
    let folders = (audit.workspace.runs(), audit.workspace.trials());
    let mut past = look_back((&folders.0, &folders.1), ledger, &audit.name, needs_total)?;
    // A trial leaves a run that did not finish alone.
    past.unfinished.take_if(|_| trial.is_some());
    past.leave_narrow(audit.budget.stop_when);
    let mut notes: Vec<String> = past.warning.take().into_iter().collect();
    if !replay_only && let Err(error) = ledger.save() {
        notes.push(format!("{error}: the journals are read again at every start, and a removed run is not remembered"));
    }
    if past.lost > NanoUsd::ZERO {
        notes.push(format!(
            "a session of this audit ended with the power: {} that it had granted itself and may have spent count as spent",
            past.lost
        ));
    }
    if audit.retry_errors {
        planned.retry = past.retry_round(&planned.identity);
        planned.identity = retried(&planned.identity, planned.retry);
    }
    let (resumed, other) = if replay_only { Default::default() } else { past.resume(&planned.identity) };
    notes.extend(other.and_then(|other| change::why_new(&audit.workspace, &other, planned)));
    if trial.is_none() && audit.cache != CacheMode::Refresh {
        notes.extend(alarms::earlier(&folders.0, planned, resumed.folder.as_ref()));
    }
    let settled = past.settle_open(&resumed, cache)?;
    let interrupted = past.without_reply(cache)?;
    let mut caps = Caps::decide(&audit.budget, &past);
    if let Some(most) = trial {
        caps.hold_to(past.spent + most, past.spent);
    }
    if caps.budget.cap().is_some() {
        check_capped(stands)?;
    }
    notes.extend(caps.notes);
    (planned.cap, planned.cap_total, planned.spent_before) = (caps.cap, caps.total, past.elsewhere);
    let start = Start {
        budget: caps.budget,
        next_attempt: resumed.next_attempt,
        interrupted,
        deadline: deadline(audit),
        split: split(stands),
        alarm: caps.alarm,
        narrow: None,
        disks: Disks::default(),
    };
    let retries = Retries { last: past.retries.max(planned.retry), is_asking: audit.retry_errors };
    if retries.is_asking {
        notes.push(format!(
            "round {} of --retry-errors: what was answered without a verdict was asked again",
            retries.last
        ));
    } else if retries.last > 0 {
        notes.push(format!(
            "where a reply was no verdict, the latest of {} rounds of --retry-errors counts",
            retries.last
        ));
    }
    let Resumed { folder, open, account, .. } = resumed;
    Ok(Begun { folder, start, open, settled, account, retries, notes })
}

/// Stages whose served model may change.
fn split(stands: &[Stand]) -> BTreeSet<Stage> {
    let splits = stands.iter().filter(|stand| stand.settings.on_model_change == OnModelChange::Split);
    splits.map(|stand| stand.stage).collect()
}

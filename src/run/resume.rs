//! What earlier sessions and runs of an audit left: a run to resume, requests that were on the wire, money spent.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::folder::{FolderError, RunFolder};
use crate::cache::{CacheError, ReplyCache};
use crate::model::event::{AttemptId, Ending, Event, Sent, Settled, StopReason};
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::outcome::FailureKind;

/// What happened before.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest run of the audit, if it asked the same questions and did not finish.
    pub resumable: Option<RunFolder>,
    /// What all runs of the audit spent; requests with unknown outcome count at their bound.
    pub spent: NanoUsd,
    /// The first attempt number that the resumable run has not used.
    pub next_attempt: AttemptId,
    /// Requests of the resumable run that were on the wire when its process died.
    pub open: Vec<Sent>,
    /// Keys of requests that were on the wire when an earlier process died, are settled, and were not asked again yet.
    pub unanswered: HashSet<Digest>,
}

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// A journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The reply cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// One run's journal, as far as money and resuming are concerned.
#[derive(Debug, Default)]
struct Account {
    audit: Option<String>,
    identity: Option<Digest>,
    settled: NanoUsd,
    open: BTreeMap<AttemptId, Sent>,
    unanswered: HashSet<Digest>,
    next_attempt: AttemptId,
    finished: bool,
}

/// Looks back over all runs of `audit`.
///
/// # Errors
/// If a journal cannot be read.
pub fn look_back(runs: &Path, audit: &str, identity: &Digest) -> Result<Past, FolderError> {
    let mut past = Past::default();
    for folder in RunFolder::list(runs)? {
        let account = read(&folder)?;
        if account.audit.as_deref() != Some(audit) {
            continue;
        }
        past.spent += account.settled + account.open.values().map(|sent| sent.bound).sum();
        past.resumable = None;
        past.open.clear();
        past.unanswered.clear();
        if !account.finished && account.identity.as_ref() == Some(identity) {
            past.resumable = Some(folder);
            past.next_attempt = account.next_attempt;
            past.open = account.open.into_values().collect();
            past.unanswered = account.unanswered;
        }
    }
    Ok(past)
}

fn read(folder: &RunFolder) -> Result<Account, FolderError> {
    let mut account = Account::default();
    for event in folder.events() {
        match event? {
            Event::Planned(planned) => {
                account.audit = Some(planned.audit);
                account.identity = Some(planned.identity);
            }
            Event::Sent(sent) => {
                account.next_attempt = account.next_attempt.max(AttemptId(sent.attempt.0 + 1));
                account.unanswered.remove(&sent.key);
                account.open.insert(sent.attempt, sent);
            }
            Event::Settled(settled) => {
                let sent = account.open.remove(&settled.attempt);
                if settled.ending == (Ending::Unknown { failure: FailureKind::Interrupted }) {
                    account.unanswered.extend(sent.map(|sent| sent.key));
                }
                account.settled += settled.cost;
            }
            Event::Opened(_) => account.finished = false,
            Event::Closed(closed) => account.finished = closed.reason == StopReason::Finished,
            Event::Admitted(_) | Event::Judged(_) | Event::Warned { .. } => {}
        }
    }
    Ok(account)
}

impl Past {
    /// Settles the requests that were on the wire: at real usage where the reply reached the log, at their bound where
    /// nobody knows. Returns the events to record and the keys that may be paid for a second time.
    ///
    /// # Errors
    /// If the reply cache cannot be read.
    pub fn settle_open(&mut self, cache: &ReplyCache) -> Result<(Vec<Event>, HashSet<Digest>), CacheError> {
        let mut events = Vec::new();
        let mut interrupted = std::mem::take(&mut self.unanswered);
        for sent in std::mem::take(&mut self.open) {
            let reply = cache.get(&sent.key)?;
            let (ending, cost) = match &reply {
                Some(reply) => (Ending::Replied { usage: reply.usage }, reply.cost),
                None => (Ending::Unknown { failure: FailureKind::Interrupted }, sent.bound),
            };
            if reply.is_none() {
                interrupted.insert(sent.key);
            }
            self.spent = self.spent.saturating_sub(sent.bound) + cost;
            let latency_ms = reply.map_or(0, |reply| reply.latency_ms);
            events.push(Event::Settled(Settled { attempt: sent.attempt, ending, cost, latency_ms }));
        }
        Ok((events, interrupted))
    }
}

//! What earlier sessions and runs of an audit left: a run to resume, requests that were on the wire, money spent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
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
    /// The part of it that a power failure may have taken from the journals: granted, and not accounted for.
    pub lost: NanoUsd,
    /// The first attempt number that the resumable run has not used.
    pub next_attempt: AttemptId,
    /// Requests of the resumable run that were on the wire when its process died.
    pub open: Vec<Sent>,
    /// Keys of requests, of any run of the audit, that a process left on the wire and that were not sent again since.
    left: BTreeSet<Digest>,
}

/// One run's journal, as far as money and resuming are concerned.
#[derive(Debug, Default)]
struct Account {
    audit: Option<String>,
    identity: Option<Digest>,
    /// Costs of settled requests.
    settled: NanoUsd,
    /// Grants of sessions whose lines may be lost, as far as what is left of the lines does not account for them.
    lost: NanoUsd,
    open: BTreeMap<AttemptId, Sent>,
    /// Keys of requests that a process gave up.
    given_up: BTreeSet<Digest>,
    next_attempt: AttemptId,
    finished: bool,
    session: Session,
}

/// One process's part of a journal.
#[derive(Debug, Default)]
struct Session {
    boot: Option<String>,
    /// Its first attempt: earlier ones are other sessions' business.
    first: AttemptId,
    granted: NanoUsd,
    /// Costs of settled requests and bounds of open ones.
    accounted: NanoUsd,
    /// Whether every line it wrote is known to be there: it ended in order, or was read again in time.
    is_whole: bool,
}

/// Looks back over all runs of `audit`. `boot` is which start of the machine this is.
///
/// # Errors
/// If a journal cannot be read.
pub fn look_back(runs: &Path, audit: &str, identity: &Digest, boot: Option<&str>) -> Result<Past, FolderError> {
    let mut past = Past::default();
    for folder in RunFolder::list(runs)? {
        let Some(account) = read(&folder, audit, boot)? else { continue };
        past.spent += account.settled + account.lost + account.open.values().map(|sent| sent.bound).sum();
        past.lost += account.lost;
        past.left.extend(account.given_up);
        past.left.extend(account.open.values().map(|sent| sent.key));
        past.resumable = None;
        past.open.clear();
        if !account.finished && account.identity.as_ref() == Some(identity) {
            past.resumable = Some(folder);
            past.next_attempt = account.next_attempt;
            past.open = account.open.into_values().collect();
        }
    }
    Ok(past)
}

/// The account of a run; `None` if it is another audit's, of which no more than the plan is read.
fn read(folder: &RunFolder, audit: &str, boot: Option<&str>) -> Result<Option<Account>, FolderError> {
    let mut account = Account::default();
    for event in folder.events() {
        let event = event?;
        if let Event::Planned(planned) = &event
            && planned.audit != audit
        {
            return Ok(None);
        }
        account.event(event, boot);
    }
    account.end_session(boot);
    Ok(account.audit.is_some().then_some(account))
}

impl Account {
    fn event(&mut self, event: Event, boot: Option<&str>) {
        match event {
            Event::Opened(opened) => {
                // What a later session of the same boot found whole and put on the disk stays whole in any boot.
                self.session.is_whole |=
                    opened.earlier_synced && opened.boot.is_some() && opened.boot == self.session.boot;
                self.end_session(boot);
                self.session = Session { boot: opened.boot, first: self.next_attempt, ..Session::default() };
                self.finished = false;
            }
            Event::Planned(planned) => {
                self.audit = Some(planned.audit);
                self.identity = Some(planned.identity);
            }
            Event::Granted(granted) => self.session.granted = self.session.granted.max(granted.total),
            Event::Sent(sent) => {
                self.next_attempt = self.next_attempt.max(AttemptId(sent.attempt.0 + 1));
                self.session.accounted += sent.bound;
                self.given_up.remove(&sent.key);
                self.open.insert(sent.attempt, sent);
            }
            Event::Settled(settled) => {
                self.settled += settled.cost;
                if let Some(sent) = self.open.remove(&settled.attempt) {
                    if settled.attempt >= self.session.first {
                        self.session.accounted = self.session.accounted.saturating_sub(sent.bound) + settled.cost;
                    }
                    if matches!(settled.ending, Ending::Unknown { failure: FailureKind::Interrupted }) {
                        self.given_up.insert(sent.key);
                    }
                }
            }
            Event::Closed(closed) => {
                self.session.is_whole = true;
                self.finished = closed.reason == StopReason::Finished;
            }
            Event::Admitted(_) | Event::Judged(_) | Event::Warned { .. } => {}
        }
    }

    /// A session that ended in order, or whose machine still runs, has left every line behind. Of any other, lines may
    /// be lost, and its whole grant counts as spent.
    fn end_session(&mut self, boot: Option<&str>) {
        let Session { boot: began, first: _, granted, accounted, is_whole } = std::mem::take(&mut self.session);
        if !is_whole && (began.is_none() || began.as_deref() != boot) {
            self.lost += granted.saturating_sub(accounted);
        }
    }
}

/// What these events say was spent, told during the boot of that name.
#[cfg(test)]
pub(super) fn spent_by(events: impl IntoIterator<Item = Event>, boot: Option<&str>) -> NanoUsd {
    let mut account = Account::default();
    events.into_iter().for_each(|event| account.event(event, boot));
    account.end_session(boot);
    account.settled + account.lost + account.open.values().map(|sent| sent.bound).sum()
}

impl Past {
    /// Settles the requests that were on the wire: at real usage where the reply reached the log, at their bound where
    /// nobody knows. Returns the events to record.
    ///
    /// # Errors
    /// If the reply cache cannot be read.
    pub fn settle_open(&mut self, cache: &ReplyCache) -> Result<Vec<Event>, CacheError> {
        let mut events = Vec::new();
        for sent in std::mem::take(&mut self.open) {
            // What another workspace paid for says nothing about what became of this request.
            let reply = cache.get(&sent.key)?.filter(|reply| !reply.imported);
            let (ending, cost) = match &reply {
                Some(reply) => (Ending::Replied { usage: reply.usage }, reply.cost),
                None => (Ending::Unknown { failure: FailureKind::Interrupted }, sent.bound),
            };
            self.spent = self.spent.saturating_sub(sent.bound) + cost;
            let latency_ms = reply.map_or(0, |reply| reply.latency_ms);
            events.push(Event::Settled(Settled { attempt: sent.attempt, ending, cost, latency_ms }));
        }
        Ok(events)
    }

    /// Keys of requests that were left on the wire and have no reply: asking again may pay a second time.
    ///
    /// # Errors
    /// If the reply cache cannot be read.
    pub fn without_reply(&self, cache: &ReplyCache) -> Result<HashSet<Digest>, CacheError> {
        let mut without = HashSet::new();
        for key in &self.left {
            if cache.get(key)?.is_none() {
                without.insert(*key);
            }
        }
        Ok(without)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Granted, Opened};
    use crate::model::fixture::{closed, opened, planned, sent, settled};
    use crate::model::grading::Stage;

    const BOUND: NanoUsd = NanoUsd(5_000_000);

    fn session(boot: &str) -> Event {
        let Event::Opened(opened) = opened(0) else { panic!("a session begins with `Opened`") };
        Event::Opened(Opened { boot: Some(boot.to_owned()), ..opened })
    }

    fn granted(total: u64) -> Event {
        Event::Granted(Granted { total: NanoUsd(total) })
    }

    fn account(events: impl IntoIterator<Item = Event>, boot: Option<&str>) -> Account {
        let mut account = Account::default();
        events.into_iter().for_each(|event| account.event(event, boot));
        account.end_session(boot);
        account
    }

    fn begun(boot: &str) -> Vec<Event> {
        vec![session(boot), Event::Planned(Box::new(planned(&[]))), granted(40_000_000)]
    }

    #[test]
    fn after_a_power_failure_the_whole_grant_counts_as_spent() {
        let mut events = begun("monday");
        events.extend([sent(0, 0, Stage::Screen), sent(1, 1, Stage::Screen)]);
        events.push(settled(0, Ending::Replied { usage: None }, NanoUsd(2_000_000)));
        let killed = account(events.clone(), Some("monday"));
        assert_eq!(killed.lost, NanoUsd::ZERO, "the machine did not stop: every line is there");
        let failed = account(events.clone(), Some("tuesday"));
        let open: NanoUsd = failed.open.values().map(|sent| sent.bound).sum();
        assert_eq!(failed.lost + failed.settled + open, NanoUsd(40_000_000));
        assert_eq!(account(events.clone(), None).lost, failed.lost, "nobody knows: the machine may have stopped");

        let mut resumed = events.clone();
        resumed.push(session("tuesday"));
        resumed.push(settled(1, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND));
        let total = |account: &Account| account.lost + account.settled;
        assert_eq!(
            total(&account(resumed, Some("tuesday"))),
            NanoUsd(40_000_000),
            "counted once, and still after a resume"
        );

        events.push(closed(StopReason::Interrupted, 9));
        assert_eq!(account(events, Some("tuesday")).lost, NanoUsd::ZERO, "what ended in order is all there");
    }

    #[test]
    fn a_session_that_was_resumed_in_its_own_boot_is_whole_after_the_next() {
        let mut events = begun("monday");
        events.push(sent(0, 0, Stage::Screen));
        let Event::Opened(resumed) = session("monday") else { panic!("a session begins with `Opened`") };
        events.push(Event::Opened(Opened { earlier_synced: true, ..resumed.clone() }));
        events.push(settled(0, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND));
        events.push(granted(7_000_000));
        let failed = account(events.clone(), Some("tuesday"));
        assert_eq!(failed.lost, NanoUsd(7_000_000), "the grant of the last session only");
        let mut late = begun("monday");
        late.push(Event::Opened(Opened { earlier_synced: true, boot: Some("tuesday".to_owned()), ..resumed }));
        assert_eq!(account(late, Some("tuesday")).lost, NanoUsd(40_000_000), "it was read too late");
    }

    #[test]
    fn what_a_process_gave_up_is_remembered_until_it_is_sent_again() {
        let given_up = || settled(0, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND);
        let mut events = begun("monday");
        events.extend([sent(0, 0, Stage::Screen), given_up(), closed(StopReason::Interrupted, 1)]);
        events.extend(begun("monday"));
        let waiting = account(events.clone(), Some("monday"));
        assert_eq!(waiting.given_up.len(), 1, "a second session that was killed early has not asked again");
        events.push(sent(1, 0, Stage::Screen));
        assert!(account(events, Some("monday")).given_up.is_empty());
        let timeout = settled(0, Ending::Unknown { failure: FailureKind::Timeout }, BOUND);
        let retried = [begun("monday"), vec![sent(0, 0, Stage::Screen), timeout]].concat();
        assert!(account(retried, Some("monday")).given_up.is_empty(), "a time-out is retried, not repeated");
    }
}

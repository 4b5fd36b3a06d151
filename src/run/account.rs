//! One run's journal, as far as money and resuming are concerned.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::folder::{FolderError, RunFolder};
use crate::model::event::{AttemptId, Ending, Event, Sent, StopReason};
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::outcome::FailureKind;
use crate::model::stop::RelativeWidth;

/// What a run spent, what it left on the wire, and what it was about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Account {
    /// The audit's name; absent if the run ended before it had a plan.
    pub(super) audit: Option<String>,
    pub(super) identity: Option<Digest>,
    /// When it began, and when its last session did: Unix time in milliseconds.
    pub(super) began_ms: Option<u64>,
    pub(super) opened_ms: u64,
    /// The cap of its last session.
    pub(super) cap: Option<NanoUsd>,
    /// Its round of `--retry-errors`; 0 without.
    pub(super) retry: u32,
    /// Costs of settled requests.
    pub(super) settled: NanoUsd,
    /// Sessions that did not end in order.
    unsure: Vec<Unsure>,
    pub(super) open: BTreeMap<AttemptId, Sent>,
    /// Keys of requests that a process gave up.
    pub(super) given_up: BTreeSet<Digest>,
    pub(super) next_attempt: AttemptId,
    pub(super) finished: bool,
    /// How wide its limits were where it stopped because they were narrow enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) narrow: Option<RelativeWidth>,
    /// Whether it is a read-only replay or a trial, from which no run goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) replay: bool,
    #[serde(skip)]
    session: Session,
}

/// A session that did not end in order: lines of it are lost if its machine stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unsure {
    boot: Option<String>,
    /// What it had granted itself and its lines do not account for.
    amount: NanoUsd,
}

/// One process's part of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Session {
    boot: Option<String>,
    /// Its first attempt: earlier ones are other sessions' business.
    first: AttemptId,
    granted: NanoUsd,
    /// Costs of settled requests and bounds of open ones.
    accounted: NanoUsd,
    /// Whether every line it wrote is known to be there: it ended in order.
    is_whole: bool,
}

impl Account {
    /// The account of a run, from its journal.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(super) fn read(folder: &RunFolder) -> Result<Self, FolderError> {
        let mut account = Self::default();
        for event in folder.events() {
            account.event(&event?);
        }
        account.end_session();
        Ok(account)
    }

    /// Takes note of the next event.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Opened(opened) => {
                self.end_session();
                // What a later session of the same boot found whole and put on the disk stays whole in any boot.
                if opened.earlier_synced && opened.boot.is_some() {
                    self.unsure.retain(|unsure| unsure.boot != opened.boot);
                }
                self.began_ms.get_or_insert(opened.at_ms);
                self.opened_ms = opened.at_ms;
                self.session = Session { boot: opened.boot.clone(), first: self.next_attempt, ..Session::default() };
                self.finished = false;
                self.narrow = None;
                self.replay = opened.replay || opened.trial;
            }
            Event::Planned(planned) => {
                self.audit = Some(planned.audit.clone());
                self.identity = Some(planned.identity);
                self.cap = planned.cap;
                self.retry = planned.retry;
            }
            Event::Granted(granted) => self.session.granted = self.session.granted.max(granted.total),
            Event::Sent(sent) => {
                self.next_attempt = self.next_attempt.max(AttemptId(sent.attempt.0 + 1));
                self.session.accounted += sent.bound;
                self.given_up.remove(&sent.key);
                self.open.insert(sent.attempt, sent.clone());
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
                if let StopReason::NarrowEnough(look) = &closed.reason {
                    self.narrow = Some(look.width);
                }
            }
            Event::Admitted(_) | Event::Judged(_) | Event::Warned { .. } => {}
        }
    }

    /// A session that ended in order has left every line behind. Of any other, lines may be lost, unless they are read
    /// again in time.
    pub(super) fn end_session(&mut self) {
        let Session { boot, first: _, granted, accounted, is_whole } = std::mem::take(&mut self.session);
        let amount = granted.saturating_sub(accounted);
        if !is_whole && amount > NanoUsd::ZERO {
            self.unsure.push(Unsure { boot, amount });
        }
    }

    /// Grants of sessions whose lines may be lost, as far as what is left of the lines does not account for them:
    /// everything that was written is there as long as the machine, `boot`, still runs.
    pub(super) fn lost(&self, boot: Option<&str>) -> NanoUsd {
        let is_lost = |unsure: &&Unsure| unsure.boot.is_none() || unsure.boot.as_deref() != boot;
        self.unsure.iter().filter(is_lost).map(|unsure| unsure.amount).sum()
    }

    /// All that counts as spent: requests that are still on the wire at their bound, what may be lost in full.
    pub(super) fn spent(&self, boot: Option<&str>) -> NanoUsd {
        self.settled + self.lost(boot) + self.open.values().map(|sent| sent.bound).sum()
    }
}

/// What these events say was spent, told during the boot of that name.
#[cfg(test)]
pub(super) fn spent_by<'a>(events: impl IntoIterator<Item = &'a Event>, boot: Option<&str>) -> NanoUsd {
    let mut account = Account::default();
    events.into_iter().for_each(|event| account.event(event));
    account.end_session();
    account.spent(boot)
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

    fn account(events: impl IntoIterator<Item = Event>) -> Account {
        let mut account = Account::default();
        events.into_iter().for_each(|event| account.event(&event));
        account.end_session();
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
        let killed = account(events.clone());
        assert_eq!(killed.lost(Some("monday")), NanoUsd::ZERO, "the machine did not stop: every line is there");
        assert_eq!(killed.spent(Some("tuesday")), NanoUsd(40_000_000));
        assert_eq!(killed.spent(None), NanoUsd(40_000_000), "nobody knows: the machine may have stopped");

        let mut resumed = events.clone();
        resumed.push(session("tuesday"));
        resumed.push(settled(1, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND));
        let spent = account(resumed).spent(Some("tuesday"));
        assert_eq!(spent, NanoUsd(40_000_000), "counted once, and still after a resume");

        events.push(closed(StopReason::Interrupted, 9));
        assert_eq!(account(events).lost(Some("tuesday")), NanoUsd::ZERO, "what ended in order is all there");
    }

    #[test]
    fn a_session_that_was_resumed_in_its_own_boot_is_whole_after_the_next() {
        let mut events = begun("monday");
        events.push(sent(0, 0, Stage::Screen));
        let Event::Opened(resumed) = session("monday") else { panic!("a session begins with `Opened`") };
        events.push(Event::Opened(Opened { earlier_synced: true, ..resumed.clone() }));
        events.push(settled(0, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND));
        events.push(granted(7_000_000));
        let lost = account(events).lost(Some("tuesday"));
        assert_eq!(lost, NanoUsd(7_000_000), "the grant of the last session only");
        let mut late = begun("monday");
        late.push(Event::Opened(Opened { earlier_synced: true, boot: Some("tuesday".to_owned()), ..resumed }));
        assert_eq!(account(late).lost(Some("tuesday")), NanoUsd(40_000_000), "it was read too late");
    }

    #[test]
    fn an_account_that_is_kept_up_says_what_its_journal_says() {
        let killed = [begun("monday"), vec![sent(0, 0, Stage::Screen)]].concat();
        let Event::Opened(session) = session("monday") else { panic!("a session begins with `Opened`") };
        let resumed = [
            Event::Opened(Opened { earlier_synced: true, ..session }),
            settled(0, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND),
            closed(StopReason::Finished, 9),
        ];
        let mut live = account(killed.clone());
        assert_eq!(live.lost(Some("tuesday")), NanoUsd(35_000_000));
        for event in &resumed {
            live.event(event);
        }
        live.end_session();
        assert_eq!(live, account(killed.into_iter().chain(resumed)));
        assert_eq!(live.spent(Some("tuesday")), BOUND, "nothing is lost");
    }

    #[test]
    fn what_a_process_gave_up_is_remembered_until_it_is_sent_again() {
        let given_up = || settled(0, Ending::Unknown { failure: FailureKind::Interrupted }, BOUND);
        let mut events = begun("monday");
        events.extend([sent(0, 0, Stage::Screen), given_up(), closed(StopReason::Interrupted, 1)]);
        events.extend(begun("monday"));
        let waiting = account(events.clone());
        assert_eq!(waiting.given_up.len(), 1, "a second session that was killed early has not asked again");
        events.push(sent(1, 0, Stage::Screen));
        assert!(account(events).given_up.is_empty());
        let timeout = settled(0, Ending::Unknown { failure: FailureKind::Timeout }, BOUND);
        let retried = [begun("monday"), vec![sent(0, 0, Stage::Screen), timeout]].concat();
        assert!(account(retried).given_up.is_empty(), "a time-out is retried, not repeated");
    }
}

//! What earlier sessions and runs of an audit left: a run to resume, requests that were on the wire, money spent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::account::Account;
use super::folder::{FolderError, RunFolder};
use super::ledger::Ledger;
use super::live::last_sign;
use crate::cache::{CacheError, ReplyCache};
use crate::clock::UnixMs;
use crate::model::event::{AttemptId, Ending, Event, Sent, Settled};
use crate::model::grading::Reply;
use crate::model::hash::{Digest, PartHasher};
use crate::model::money::NanoUsd;
use crate::model::outcome::FailureKind;
use crate::model::stop::StopWhen;

/// A run at work gives a sign of life every second.
const BETWEEN_SIGNS_MS: u64 = 1_000;

/// What happened before.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest run of the audit, replays apart, if it did not finish.
    pub(super) unfinished: Option<(RunFolder, Account)>,
    /// What all runs of the audit spent; requests with unknown outcome count at their bound.
    pub spent: NanoUsd,
    /// The same over all audits of the workspace.
    pub spent_total: NanoUsd,
    /// What runs of the audit other than the resumed one spent.
    pub elsewhere: NanoUsd,
    /// The same over all audits of the workspace.
    pub elsewhere_total: NanoUsd,
    /// The part of `spent` that a power failure may have taken from the journals: granted, and not accounted for.
    pub lost: NanoUsd,
    /// The cap that the audit's last session ran under.
    pub cap: Option<NanoUsd>,
    /// Rounds of `--retry-errors` in the workspace so far.
    pub retries: u32,
    /// What is odd about the books.
    pub warning: Option<String>,
    /// Keys of requests, of any run of the audit, that a process left on the wire and that were not sent again since.
    pub(super) left: BTreeSet<Digest>,
}

/// The run that goes on, or nothing if a new one begins.
#[derive(Debug, Default)]
pub struct Resumed {
    /// The run.
    pub folder: Option<RunFolder>,
    /// The first attempt number that it has not used.
    pub next_attempt: AttemptId,
    /// Requests that were on the wire when its process died.
    pub open: Vec<Sent>,
    /// Its account so far.
    pub(super) account: Account,
}

/// Looks back over all runs and trials of the workspace for `audit`. `boot` is which start of the machine this is. The journals of
/// other audits count towards the total; without `needs_total`, one that cannot be read is passed over.
///
/// # Errors
/// If a journal cannot be read.
pub(super) fn look_back(
    (runs, trials): (&Path, &Path),
    ledger: &mut Ledger,
    audit: &str,
    needs_total: bool,
) -> Result<Past, FolderError> {
    let boot = super::boot::boot_id();
    let boot = boot.as_deref();
    let mut folders = RunFolder::list(runs)?;
    for folder in folders.iter().chain(&RunFolder::list(trials)?) {
        match ledger.account(folder) {
            Ok(_) => {}
            Err(_) if !needs_total && is_foreign(folder, audit) => {}
            Err(error) => return Err(error),
        }
    }
    let mut past = Past { warning: ledger.warning.take(), ..Past::default() };
    let mut accounts: Vec<_> = ledger.accounts().collect();
    // The ids of runs that began in one second do not say which was first.
    accounts.sort_by_key(|(run, account)| (account.began_ms, *run));
    let mut capped_ms = 0;
    for (run, account) in accounts {
        past.spent_total += account.spent(boot);
        past.retries = past.retries.max(account.retry);
        if account.audit.as_deref() != Some(audit) {
            continue;
        }
        past.spent += account.spent(boot);
        past.lost += account.lost(boot);
        if account.opened_ms >= capped_ms {
            (past.cap, capped_ms) = (account.cap, account.opened_ms);
        }
        past.left.extend(&account.given_up);
        past.left.extend(account.open.values().map(|sent| sent.key));
        if account.replay {
            continue;
        }
        let folder = folders.iter().position(|folder| folder.id == *run).map(|index| folders.swap_remove(index));
        past.unfinished = folder.filter(|_| !account.finished).map(|folder| (folder, account.clone()));
    }
    Ok(past)
}

/// The cap that the audit's last session ran under, without reading a whole journal.
///
/// # Errors
/// If the folder of runs cannot be read.
pub(super) fn earlier_cap(runs: &Path, ledger: &Ledger, audit: &str) -> Result<Option<NanoUsd>, FolderError> {
    let folders = RunFolder::list(runs)?;
    // A session that was killed is not in the ledger yet.
    let unknown = folders.iter().filter(|folder| !ledger.knows(folder));
    let unknown = unknown.filter_map(RunFolder::last_session).filter(|(_, planned)| planned.audit == audit);
    let known = ledger.accounts().map(|(_, account)| account).filter(|a| a.audit.as_deref() == Some(audit));
    let caps = known.map(|account| (account.opened_ms, account.cap));
    let caps = caps.chain(unknown.map(|(opened, planned)| (opened.at_ms, planned.cap)));
    Ok(caps.max_by_key(|(opened_ms, _)| *opened_ms).and_then(|(_, cap)| cap))
}

/// Rounds of `--retry-errors` in the workspace so far, without reading a whole journal.
///
/// # Errors
/// If the folder of runs cannot be read.
pub(super) fn rounds(runs: &Path, ledger: &Ledger) -> Result<u32, FolderError> {
    let known: BTreeMap<&String, u32> = ledger.accounts().map(|(run, account)| (run, account.retry)).collect();
    let folders = RunFolder::list(runs)?;
    let unknown = folders.iter().filter(|folder| !known.contains_key(&folder.id));
    // A run without a plan asked nothing.
    let planned = unknown.filter_map(|folder| Some(super::conclude::plan_of(folder).ok()?.retry));
    Ok(planned.chain(known.values().copied()).max().unwrap_or_default())
}

/// Whether a run is certainly another audit's: its plan can be read and says so.
fn is_foreign(folder: &RunFolder, audit: &str) -> bool {
    super::conclude::plan_of(folder).is_ok_and(|planned| planned.audit != audit)
}

/// The identity of a run that asks errors again: another one each round.
#[must_use]
pub fn retried(identity: &Digest, retry: u32) -> Digest {
    if retry == 0 {
        return *identity;
    }
    PartHasher::new("retry-errors").part(identity.as_bytes()).number(u64::from(retry)).finish()
}

impl Past {
    /// Lets a run be that stopped because its limits were narrow enough, if they still are by the rule of now. Under a
    /// stricter rule, or under none, it goes on.
    pub(super) fn leave_narrow(&mut self, rule: Option<StopWhen>) {
        let is_over =
            |account: &Account| account.narrow.zip(rule).is_some_and(|(width, rule)| width <= rule.relative_width);
        self.unfinished.take_if(|(_, account)| is_over(account));
    }

    /// The round of a run under `--retry-errors`: that of the newest run if it is such a round of the same questions
    /// and did not finish, so that it is resumed; else the next one.
    #[must_use]
    pub fn retry_round(&self, identity: &Digest) -> u32 {
        let resumed = self.unfinished.as_ref().map(|(_, account)| account);
        let resumed = resumed.filter(|account| account.retry > 0);
        let same = resumed.filter(|account| account.identity == Some(retried(identity, account.retry)));
        same.map_or(self.retries + 1, |account| account.retry)
    }

    /// The newest run of the audit, if it asked the same and did not finish. Otherwise the id of one that did not
    /// finish and asked something else is left in `other`.
    #[must_use]
    pub fn resume(&mut self, identity: &Digest) -> (Resumed, Option<RunFolder>) {
        (self.elsewhere, self.elsewhere_total) = (self.spent, self.spent_total);
        match self.unfinished.take() {
            Some((folder, account)) if account.identity.as_ref() == Some(identity) => {
                let own = account.spent(super::boot::boot_id().as_deref());
                self.elsewhere = self.spent.saturating_sub(own);
                self.elsewhere_total = self.spent_total.saturating_sub(own);
                let resumed = Resumed {
                    folder: Some(folder),
                    next_attempt: account.next_attempt,
                    open: account.open.values().cloned().collect(),
                    account,
                };
                (resumed, None)
            }
            other => (Resumed::default(), other.map(|(folder, _)| folder)),
        }
    }

    /// Settles the requests that were on the wire: at real usage where the reply reached the log, at their bound where
    /// nobody knows. Returns the events to record.
    ///
    /// # Errors
    /// If the reply cache cannot be read.
    pub fn settle_open(&mut self, resumed: &Resumed, cache: &ReplyCache) -> Result<Vec<Event>, CacheError> {
        let mut events = Vec::new();
        let last_sign = resumed.folder.as_ref().and_then(last_sign).unwrap_or(UnixMs(0));
        for sent in &resumed.open {
            // What another workspace paid for, or another run once this one was gone, says nothing about what became of
            // this request.
            let is_own = |reply: &Reply| !reply.imported && reply.received_ms <= last_sign.0 + BETWEEN_SIGNS_MS;
            let reply = cache.get(&sent.key)?.filter(is_own);
            let (ending, cost) = match &reply {
                Some(reply) => (Ending::Replied { usage: reply.usage }, reply.cost),
                None => (Ending::Unknown { failure: FailureKind::Interrupted }, sent.bound),
            };
            self.spent = self.spent.saturating_sub(sent.bound) + cost;
            self.spent_total = self.spent_total.saturating_sub(sent.bound) + cost;
            let latency_ms = reply.map_or(0, |reply| reply.latency_ms);
            events.push(Event::Settled(Settled { attempt: sent.attempt, ending, cost, latency_ms, anchor: None }));
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
    use std::fs::File;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::cache::{Access, CacheSettings};
    use crate::journal::{self, FileKind};
    use crate::model::event::{Opened, Planned};
    use crate::model::fixture::{opened, planned, sent};
    use crate::model::grading::Stage;
    use crate::reconcile::Definitions;
    use crate::report::progress::{Progress, Standing};
    use crate::run::live::Live;

    const BOUND: NanoUsd = NanoUsd(5_000_000);

    /// Leaves a run behind that was killed, or a replay, with these requests on the wire.
    async fn killed(runs: &Path, at_ms: u64, replay: bool, open: &[Event]) -> RunFolder {
        let folder = RunFolder::new(runs, UnixMs(at_ms), 1);
        let journal = journal::create_segment(&folder.path, FileKind::EVENTS).unwrap();
        let Event::Opened(session) = opened(at_ms) else { panic!("a session begins with `Opened`") };
        let begun = [Event::Opened(Opened { replay, ..session }), Event::Planned(Box::new(planned(&[])))];
        for event in begun.iter().chain(open) {
            journal.append_written(event).await.unwrap();
        }
        journal.close().await.unwrap();
        folder
    }

    fn past(root: &Path) -> Past {
        let mut ledger = Ledger::open(&root.join("accounts.json")).unwrap();
        let folders = (root.join("runs"), root.join("trials"));
        let past = look_back((&folders.0, &folders.1), &mut ledger, "nightly", false).unwrap();
        ledger.save().unwrap();
        past
    }

    #[tokio::test]
    async fn a_replay_that_was_killed_is_not_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        let unfinished = || past(root.path()).unfinished.map(|(folder, _)| folder);
        killed(&runs, 1_795_455_612_345, true, &[]).await;
        assert_eq!(unfinished(), None);
        let run = killed(&runs, 1_795_455_699_345, false, &[]).await;
        killed(&runs, 1_795_455_799_345, true, &[]).await;
        assert_eq!(unfinished().as_ref(), Some(&run));
        assert_eq!(unfinished(), Some(run), "and by what the ledger says");
    }

    #[tokio::test]
    async fn the_cap_of_a_session_that_was_killed_is_known() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        let ledger = || Ledger::open(&root.path().join("accounts.json")).unwrap();
        let cap = |audit| earlier_cap(&runs, &ledger(), audit).unwrap();
        let folder = killed(&runs, 1_795_455_612_345, false, &[]).await;
        assert_eq!((cap("nightly"), cap("other")), (planned(&[]).cap, None));
        past(root.path());
        let lower = Some(NanoUsd(7));
        let journal = journal::create_segment(&folder.path, FileKind::EVENTS).unwrap();
        let plan = Event::Planned(Box::new(Planned { cap: lower, ..planned(&[]) }));
        for event in [opened(1_795_455_699_345), plan] {
            journal.append_written(&event).await.unwrap();
        }
        journal.close().await.unwrap();
        drop(journal::create_segment(&folder.path, FileKind::EVENTS).unwrap());
        assert_eq!(cap("nightly"), lower, "the ledger knows the first session, and the third had no plan");
        assert_eq!(past(root.path()).cap, lower, "as a run would say");
    }

    #[tokio::test]
    async fn a_reply_that_came_when_the_run_was_gone_is_not_its_own() {
        const BEGAN: u64 = 1_795_455_612_345;
        let root = tempfile::tempdir().unwrap();
        let open = [sent(0, 0, Stage::Screen), sent(1, 1, Stage::Screen)];
        let folder = killed(&root.path().join("runs"), BEGAN, false, &open).await;
        let journal = File::options().append(true).open(folder.path.join("journal-1.jsonl")).unwrap();
        journal.set_modified(UNIX_EPOCH + Duration::from_millis(BEGAN + 1_000)).unwrap();
        let settings = CacheSettings {
            replies: root.path().join("replies"),
            index: root.path().join("index"),
            access: Access::ReadWrite,
        };
        let (cache, _) = ReplyCache::open(&settings).unwrap();
        for (ordinal, received_ms) in [(0_u64, BEGAN + 2_000), (1, BEGAN + 2_001)] {
            let reply = Reply {
                key: Digest::of(&ordinal.to_le_bytes()),
                status: 200,
                body: "{}".to_owned(),
                nonce: String::new(),
                model: None,
                usage: None,
                cost: NanoUsd(7),
                latency_ms: 5,
                received_ms,
                request_id: None,
                imported: false,
            };
            cache.put(&reply).await.unwrap();
        }
        let costs = || {
            let mut past = past(root.path());
            let (resumed, _) = past.resume(&planned(&[]).identity);
            let settled = past.settle_open(&resumed, &cache).unwrap();
            let cost = |event: &Event| if let Event::Settled(settled) = event { settled.cost } else { NanoUsd::ZERO };
            settled.iter().map(cost).collect::<Vec<_>>()
        };
        assert_eq!(costs(), [NanoUsd(7), BOUND], "of the second one nobody knows");
        let progress = Progress::new(Definitions::plain(true), UnixMs(BEGAN));
        let progress = progress.snapshot(UnixMs(BEGAN + 1_500), Standing::default());
        Live { pid: 1, is_locked: true, progress, ended: None }.write(&folder);
        assert_eq!(costs(), [NanoUsd(7), NanoUsd(7)], "the run still lived");
    }
}

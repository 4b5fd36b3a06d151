//! `[expect]`: what a corpus must hold before money is spent on it.

use crate::run::expect::ExpectSettings;

use super::super::ledger::Ledger;
use super::super::written::Expect;
use super::require_share;

/// Whoever writes the section means a healthy corpus; without it, unreadable records are counted and no more.
const MAX_UNREADABLE: f64 = 0.001;

pub(super) fn check(written: Option<Expect>, group_by: &[String], ledger: &mut Ledger<'_>) -> ExpectSettings {
    let default_unreadable = written.as_ref().map(|_| MAX_UNREADABLE);
    let written = written.unwrap_or_default();
    let min_conversations = ledger.or_default("expect.min_conversations", written.min_conversations, 0);
    let min_turns = ledger.or_default("expect.min_turns", written.min_turns, 0);
    let max_unreadable = written.max_unreadable.or(default_unreadable);
    ledger.record_written("expect.max_unreadable", max_unreadable);
    let min_reasoning_share = ledger.or_default("expect.min_reasoning_share", written.min_reasoning_share, 0.0);
    for (path, share) in
        [("expect.max_unreadable", max_unreadable), ("expect.min_reasoning_share", Some(min_reasoning_share))]
    {
        require_share(path, share.unwrap_or_default(), ledger);
    }
    let groups = ledger.or_default("expect.groups", written.groups, Vec::new());
    let can_be_there = groups.is_empty() || !group_by.is_empty();
    ledger.require("expect.groups", can_be_there, "names groups, and `corpus.group_by` makes none");
    ExpectSettings { min_conversations, min_turns, max_unreadable, min_reasoning_share, groups }
}

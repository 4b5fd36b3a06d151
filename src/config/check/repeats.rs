//! `repeats` of `[grader.screen]` and `[grader.confirm]`.

use crate::model::repeats::{MOST_ASKINGS, RepeatRule, Repeats};

use super::super::ledger::Ledger;
use super::super::written;
use super::require_share;

const RULES: [(&str, RepeatRule); 3] =
    [("majority", RepeatRule::Majority), ("any", RepeatRule::Any), ("all", RepeatRule::All)];

/// What stands for keys that are left out where there is a table.
const DEFAULT: Repeats = Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 3, near: 10, random: 0.01 };

const HIGHEST_SCORE: u8 = 100;

/// Nothing without `repeats`, which is the default, and with one that asks nothing again.
pub(super) fn check(path: &str, written: Option<written::Repeats>, ledger: &mut Ledger<'_>) -> Option<Repeats> {
    let Some(written) = written else {
        ledger.record_written(path, ());
        return None;
    };
    let at = |key: &str| format!("{path}.{key}");
    ledger.record_written(&at("rule"), written.rule.as_deref().unwrap_or(DEFAULT.rule.as_str()));
    let rule = ledger.choice(&at("rule"), written.rule.as_deref(), &RULES, &[]).unwrap_or_default();
    let mut askings = |key: &str, written: Option<u32>, default: u32| {
        let askings = ledger.or_default(&at(key), written, default);
        let is_some = (1..=MOST_ASKINGS).contains(&askings);
        ledger.require(
            &at(key),
            is_some,
            &format!("is the number of askings in all, the first included: 1 for no repeat, {MOST_ASKINGS} at most"),
        );
        let has_ties = rule == RepeatRule::Majority && askings.is_multiple_of(2);
        ledger.require(&at(key), !is_some || !has_ties, "must be odd, so that a majority has no ties");
        askings
    };
    let flagged = askings("flagged", written.flagged, DEFAULT.flagged);
    let near_threshold = askings("near_threshold", written.near_threshold, DEFAULT.near_threshold);
    let near = ledger.or_default(&at("near"), written.near, DEFAULT.near);
    ledger.require(&at("near"), near <= HIGHEST_SCORE, "is a distance between scores: 0 to 100");
    let random = ledger.or_default(&at("random"), written.random, DEFAULT.random);
    require_share(&at("random"), random, ledger);
    let repeats = Repeats { rule, flagged, near_threshold, near, random };
    (!repeats.is_none()).then_some(repeats)
}

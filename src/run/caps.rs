//! Which cap holds: the audit's own over all its runs, and the workspace's over all audits. The smaller room counts.

use super::coordinator::Alarm;
use super::resume::Past;
use crate::grade::budget::Budget;
use crate::grade::settings::BudgetSettings;
use crate::model::event::TotalCap;
use crate::model::money::NanoUsd;

/// The percentage of a cap at which a warning is due.
const ALARM_PERCENT: u64 = 80;

/// The caps of a session.
#[derive(Debug)]
pub(super) struct Caps {
    /// `max_cost`: what is stated now, else what the audit's last session ran under.
    pub(super) cap: Option<NanoUsd>,
    /// `max_cost_total`.
    pub(super) total: Option<TotalCap>,
    /// The budget under the smaller room.
    pub(super) budget: Budget,
    /// When to warn.
    pub(super) alarm: Option<Alarm>,
    /// What a reader should know about the cap.
    pub(super) notes: Vec<String>,
}

impl Caps {
    /// Decides the caps, once it is known which run goes on.
    pub(super) fn decide(stated: &BudgetSettings, past: &Past) -> Self {
        let cap = stated.max_cost.or(past.cap);
        let mut notes = Vec::new();
        match (stated.max_cost, past.cap) {
            (Some(now), Some(earlier)) if now != earlier => {
                let who = &stated.max_cost_from;
                notes.push(format!("the cap was {earlier} and is now {now} because {who} says so"));
            }
            (None, Some(earlier)) => notes.push(format!(
                "the cap of {earlier} still holds, under which this audit ran before: state another with `max_cost` or \
                 --max-cost"
            )),
            (Some(_) | None, _) => {}
        }
        let room = cap.map(|cap| cap.saturating_sub(past.spent));
        let total_room = stated.max_cost_total.map(|cap| cap.saturating_sub(past.spent_total));
        let binds = total_room.is_some_and(|total| room.is_none_or(|room| total < room));
        let total = stated.max_cost_total.map(|cap| TotalCap { cap, spent_before: past.elsewhere_total, binds });
        let smaller = if binds { total_room } else { room };
        let budget = Budget::new(smaller.map(|room| past.spent + room), past.spent);
        let alarm = if binds {
            // The budget counts this audit's money: what other audits spent is taken off.
            let others = past.spent_total.saturating_sub(past.spent);
            stated.max_cost_total.map(|cap| alarm(cap, others, "the whole workspace (`max_cost_total`)"))
        } else {
            cap.map(|cap| alarm(cap, NanoUsd::ZERO, "this audit (`max_cost`)"))
        };
        Self { cap, total, budget, alarm, notes }
    }
}

impl Caps {
    /// Leaves room up to `cap` at most, for this session alone: what is recorded as the audit's cap stays.
    pub(super) fn hold_to(&mut self, cap: NanoUsd, spent: NanoUsd) {
        let lowest = self.budget.cap().map_or(cap, |own| own.min(cap));
        self.budget = Budget::new(Some(lowest), spent);
    }
}

fn alarm(cap: NanoUsd, others: NanoUsd, whose: &str) -> Alarm {
    let at = NanoUsd(cap.0 / 100 * ALARM_PERCENT).saturating_sub(others);
    Alarm { at, message: format!("{ALARM_PERCENT}% of the cap of {cap} for {whose} is spent") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(max_cost: Option<u64>, max_cost_total: Option<u64>) -> BudgetSettings {
        BudgetSettings {
            max_cost: max_cost.map(NanoUsd),
            max_cost_from: "--max-cost".to_owned(),
            max_cost_total: max_cost_total.map(NanoUsd),
            deadline: None,
            stop_when: None,
            max_ungraded: 0.01,
        }
    }

    fn past(cap: Option<u64>, spent: u64, spent_total: u64) -> Past {
        let (spent, spent_total) = (NanoUsd(spent), NanoUsd(spent_total));
        let elsewhere_total = spent_total.saturating_sub(NanoUsd(10));
        Past { cap: cap.map(NanoUsd), spent, spent_total, elsewhere_total, ..Past::default() }
    }

    /// What may still be spent.
    fn room(caps: &Caps) -> Option<NanoUsd> {
        caps.budget.cap().map(|cap| cap.saturating_sub(caps.budget.spent()))
    }

    #[test]
    fn the_smaller_room_counts_and_is_named() {
        let own = Caps::decide(&settings(Some(100), Some(1_000)), &past(None, 30, 300));
        assert_eq!((room(&own), own.total.unwrap().binds), (Some(NanoUsd(70)), false));
        assert_eq!(own.alarm.unwrap().at, NanoUsd(80));
        let whole = Caps::decide(&settings(Some(100), Some(320)), &past(None, 30, 300));
        assert_eq!((room(&whole), whole.total.unwrap().binds), (Some(NanoUsd(20)), true));
        assert_eq!(whole.total.unwrap().spent_before, NanoUsd(290), "what the resumed run spent is its own");
        assert!(whole.alarm.unwrap().message.contains("max_cost_total"));
        let over = Caps::decide(&settings(None, Some(200)), &past(None, 30, 300));
        assert_eq!(room(&over), Some(NanoUsd::ZERO));
    }

    #[test]
    fn a_cap_that_was_given_once_holds_until_another_is_stated() {
        let kept = Caps::decide(&settings(None, None), &past(Some(5_000_000_000), 0, 0));
        assert_eq!(kept.cap, Some(NanoUsd(5_000_000_000)));
        assert!(kept.notes[0].contains("the cap of $5.00 still holds"), "{:?}", kept.notes);
        let raised = Caps::decide(&settings(Some(50_000_000_000), None), &past(Some(5_000_000_000), 0, 0));
        assert_eq!(raised.notes, ["the cap was $5.00 and is now $50.00 because --max-cost says so"]);
        let same = Caps::decide(&settings(Some(7), None), &past(Some(7), 0, 0));
        assert_eq!(same.notes, [""; 0]);
        assert_eq!(Caps::decide(&settings(None, None), &past(None, 9, 9)).budget.cap(), None);
    }
}

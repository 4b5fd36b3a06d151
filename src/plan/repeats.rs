//! What repeats add to a forecast.

use super::forecast::share;
use crate::model::repeats::Repeats;

/// What is asked again of the units of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RepeatLoad {
    /// The policy, if there is one.
    pub policy: Option<Repeats>,
    /// Units without a reply that are drawn to be asked once more.
    pub drawn: u64,
    /// Further askings without a reply, of units whose first one has one.
    pub open: u64,
    /// Units that go on or not depending on those.
    pub undecided: u64,
    /// Those of them whose first asking would go on, and whose first asking at the next stage has no reply.
    pub likely: u64,
    /// Further askings without a reply of units that reach this stage if their first asking at the one before stands: their
    /// first one here has a reply.
    pub likely_open: u64,
    /// Units whose first asking has a reply and that lack another one on their way: a repeat, or a second grader's.
    pub waiting: u64,
}

impl RepeatLoad {
    /// Further askings if nothing more is answered with yes or close to it.
    pub(super) const fn low(&self) -> u64 {
        self.open.saturating_add(self.drawn)
    }

    /// Further askings where this share of so many `units` is answered with yes. As many scores are taken to lie near the
    /// threshold: nothing is known of them. Of `further`, who are among the units, nobody knows yet who is drawn.
    pub(super) fn expected(&self, units: u64, further: u64, yes_rate: f64) -> u64 {
        let Some(policy) = &self.policy else { return self.open.saturating_add(self.likely_open) };
        let caused = [policy.flagged, policy.near_threshold]
            .map(|askings| share(units, yes_rate).saturating_mul(u64::from(askings) - 1));
        let drawn = self.drawn.saturating_add(share(further, policy.random * (1.0 - yes_rate)));
        let sum = caused.into_iter().fold(drawn, u64::saturating_add).saturating_add(self.open);
        sum.min(self.worst(units, further)).saturating_add(self.likely_open)
    }

    /// Further askings where every unit is answered so that it causes most of them.
    pub(super) fn worst(&self, units: u64, further: u64) -> u64 {
        let Some(policy) = &self.policy else { return self.open };
        let caused = units.saturating_mul(u64::from(policy.most_caused()) - 1);
        let may_be_drawn = if policy.random > 0.0 { further } else { 0 };
        caused.max(self.drawn.saturating_add(may_be_drawn)).saturating_add(self.open)
    }
}

/// Askings of a unit on average, the first included, where this share is answered with yes.
#[must_use]
pub fn usual_askings(policy: Option<&Repeats>, yes_rate: f64) -> f64 {
    let Some(policy) = policy else { return 1.0 };
    let caused = [policy.flagged, policy.near_threshold].map(|askings| yes_rate * (f64::from(askings) - 1.0));
    let caused = caused.iter().sum::<f64>().min(f64::from(policy.most_caused()) - 1.0);
    1.0 + caused + policy.random * (1.0 - yes_rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::repeats::RepeatRule;

    const POLICY: Repeats =
        Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 5, near: 10, random: 0.01 };

    #[test]
    fn repeats_are_counted_by_hand() {
        let load = RepeatLoad { policy: Some(POLICY), drawn: 80, open: 7, undecided: 4, ..RepeatLoad::default() };
        assert_eq!(load.low(), 87);
        // 1% of 8,000 twice more because they are flagged, as many four times more because they are near.
        assert_eq!(load.expected(8_000, 0, 0.01), 87 + 80 * 2 + 80 * 4);
        assert_eq!(load.worst(8_000, 0), 7 + 8_000 * 4);
        assert_eq!(RepeatLoad { drawn: 3, ..load }.expected(10, 10, 1.0), 7 + 40, "no more than at worst");
        let random = Repeats { flagged: 1, near_threshold: 1, ..POLICY };
        assert_eq!(RepeatLoad { policy: Some(random), ..load }.worst(8_000, 20), 7 + 80 + 20);
        assert_eq!(RepeatLoad::default().expected(8_000, 5, 0.5), 0);
        assert_eq!(RepeatLoad { likely_open: 2, ..load }.expected(8_000, 0, 0.01), 2 + load.expected(8_000, 0, 0.01));
    }

    #[test]
    fn a_unit_has_one_asking_and_what_follows() {
        assert!((usual_askings(None, 0.5) - 1.0).abs() < 1e-12);
        assert!((usual_askings(Some(&POLICY), 0.01) - (1.0 + 0.02 + 0.04 + 0.0099)).abs() < 1e-12);
        assert!((usual_askings(Some(&POLICY), 1.0) - 5.0).abs() < 1e-12);
    }
}

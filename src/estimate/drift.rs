//! Whether the grader changed during a run: a paired sign test that may be looked at after every anchor.
//!
//! An anchor is a labelled unit that was graded several times when the run's prompt and model were locked, and is graded
//! again during the run. Each new verdict is paired with an unused one of then. If nothing changed, a pair that disagrees
//! is a fair coin, whatever the anchor. The evidence against the coin is that of R. E. Krichevsky and V. K. Trofimov
//! (IEEE Transactions on Information Theory 27, 1981), an e-process by the mixture of H. Robbins (Annals of Mathematical
//! Statistics 41, 1970): the probability that it ever reaches 20 without a change is at most 1/20.

use std::f64::consts::{LN_2, PI};

use serde::{Deserialize, Serialize};

use super::special::ln_beta;
use crate::model::anchor::{AnchorLabel, AnchorVisit};

/// The evidence at which the alarm goes off.
const ALARM: f64 = 20.0;

/// Pairs of verdicts that disagree: flagged now and not then, and flagged then and not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flips {
    /// Flags gained, g.
    pub gained: u64,
    /// Flags lost, d.
    pub lost: u64,
}

impl Flips {
    /// ln E = (g + d) ln 2 + ln B(1/2 + g, 1/2 + d) - ln pi. It is 0 without flips.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn ln_evidence(self) -> f64 {
        let (gained, lost) = (self.gained as f64, self.lost as f64);
        (gained + lost) * LN_2 + ln_beta(0.5 + gained, 0.5 + lost) - PI.ln()
    }
}

/// Which way the grader moved, by the anchors whose flips say most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Positives lose their flags.
    MissesMore,
    /// Positives gain flags.
    MissesLess,
    /// Negatives gain flags.
    FlagsMoreFalsely,
    /// Negatives lose their flags.
    FlagsLessFalsely,
    /// As many gained as lost.
    Neither,
}

/// The flips of a run so far, of positive and of negative anchors, and whether the alarm has gone off: it stays on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drift {
    positive: Flips,
    negative: Flips,
    has_alarmed: bool,
}

impl Drift {
    /// The test over the visits of a run, in this order.
    #[must_use]
    pub fn over<'a>(visits: impl IntoIterator<Item = &'a AnchorVisit>) -> Watch {
        let mut watch = Watch::default();
        for visit in visits {
            watch.see(visit);
        }
        watch
    }

    /// Counts one visit of an anchor: whether it is flagged now, and whether its paired baseline was.
    pub fn observe(&mut self, anchor: AnchorLabel, is_flagged: bool, was_flagged: bool) {
        let flips = match anchor {
            AnchorLabel::Positive => &mut self.positive,
            AnchorLabel::Negative => &mut self.negative,
        };
        flips.gained += u64::from(is_flagged && !was_flagged);
        flips.lost += u64::from(!is_flagged && was_flagged);
        self.has_alarmed |= self.ln_evidence() >= ALARM.ln();
    }

    /// Flips of the anchors with this label.
    #[must_use]
    pub const fn flips(&self, anchor: AnchorLabel) -> Flips {
        match anchor {
            AnchorLabel::Positive => self.positive,
            AnchorLabel::Negative => self.negative,
        }
    }

    /// The logarithm of the mean of both labels' evidence.
    #[must_use]
    pub fn ln_evidence(&self) -> f64 {
        let (a, b) = (self.positive.ln_evidence(), self.negative.ln_evidence());
        a.max(b) + (-(a - b).abs()).exp().ln_1p() - LN_2
    }

    /// The mean of both labels' evidence, E: 1 at the start, at least 0. Infinite beyond 1e308.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        self.ln_evidence().exp()
    }

    /// Whether the evidence has reached 20 at any time of the run.
    #[must_use]
    pub const fn has_alarmed(&self) -> bool {
        self.has_alarmed
    }

    /// Which way the grader moved.
    #[must_use]
    pub fn direction(&self) -> Direction {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let speaks_of_positives = self.positive.ln_evidence() >= self.negative.ln_evidence();
        let flips = if speaks_of_positives { self.positive } else { self.negative };
        match (speaks_of_positives, flips.gained.cmp(&flips.lost)) {
            (true, Less) => Direction::MissesMore,
            (true, Greater) => Direction::MissesLess,
            (false, Greater) => Direction::FlagsMoreFalsely,
            (false, Less) => Direction::FlagsLessFalsely,
            (_, Equal) => Direction::Neither,
        }
    }
}

/// The test of a run in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// The test.
    pub drift: Drift,
    /// Visits so far.
    pub visits: u64,
    /// Those of them that have a usable verdict now and then: what the test is over.
    pub pairs: u64,
    /// Visits with one served model then and another one now.
    pub served_otherwise: u64,
    /// The pairs that it took until the alarm went off.
    pub alarm_after: Option<u64>,
}

impl Watch {
    /// Counts one more visit. Without a usable verdict on both sides it is no pair: under no change, that is as likely now as
    /// it was then.
    pub fn see(&mut self, visit: &AnchorVisit) {
        self.visits += 1;
        let models = visit.served.as_ref().zip(visit.served_then.as_ref());
        self.served_otherwise += u64::from(models.is_some_and(|(now, then)| now != then));
        let Some((now, then)) = visit.now.zip(visit.then) else { return };
        self.pairs += 1;
        self.drift.observe(visit.label, now, then);
        if self.drift.has_alarmed() {
            self.alarm_after.get_or_insert(self.pairs);
        }
    }
}

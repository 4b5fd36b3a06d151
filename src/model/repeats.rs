//! Asking a grader the same question more than once: which units, how often, and what stands in the end.

use serde::{Deserialize, Serialize};

use super::event::JudgedChunk;
use super::grading::Stage;
use super::hash::Digest;
use super::outcome::Outcome;

/// Askings of one unit at one stage, at most.
pub const MOST_ASKINGS: u32 = 15;

/// Askings of a unit that is asked again at random.
const RANDOM_ASKINGS: u32 = 2;

/// How the verdicts of all askings become the one verdict of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatRule {
    /// Yes if more than half of the askings say yes.
    #[default]
    Majority,
    /// Yes if one asking says yes.
    Any,
    /// Yes if every asking says yes.
    All,
}

impl RepeatRule {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Any => "any",
            Self::All => "all",
        }
    }
}

/// Why a unit is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepeatCause {
    /// Its first verdict is a yes.
    Flagged,
    /// Its first score lies near the threshold, and nothing else causes repeats.
    NearThreshold,
    /// It was drawn at random among all others: for the flip rate, and for no figure of the funnel.
    Random,
}

impl RepeatCause {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::NearThreshold => "near threshold",
            Self::Random => "at random",
        }
    }

    /// The same in the word of a stage, whose confirmer flags nothing.
    #[must_use]
    pub const fn at(self, stage: Stage) -> &'static str {
        match (self, stage) {
            (Self::Flagged, Stage::Confirm) => "upheld",
            (Self::Flagged, Stage::Screen) | (Self::NearThreshold | Self::Random, Stage::Screen | Stage::Confirm) => {
                self.as_str()
            }
        }
    }

    /// Whether repeats with this cause are part of the gate.
    #[must_use]
    pub const fn is_of_gate(self) -> bool {
        match self {
            Self::Flagged | Self::NearThreshold => true,
            Self::Random => false,
        }
    }
}

/// `repeats` of a grader: which units it is asked about again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repeats {
    /// What the askings come to.
    pub rule: RepeatRule,
    /// Askings in all of a unit whose first verdict is a yes: flagged by the screen, upheld by the confirmer.
    pub flagged: u32,
    /// Askings in all of a unit whose first score lies near the threshold.
    pub near_threshold: u32,
    /// How many points from the threshold is near.
    pub near: u8,
    /// Share of all other units that is asked once more.
    pub random: f64,
}

impl Repeats {
    /// Whether nothing is ever asked again.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.most_caused() <= 1 && self.random <= 0.0
    }

    /// Askings that a first verdict can cause, at most.
    #[must_use]
    pub fn most_caused(&self) -> u32 {
        self.flagged.max(self.near_threshold).max(1)
    }

    /// Askings of one unit, at most.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most_caused().max(if self.random > 0.0 { RANDOM_ASKINGS } else { 1 })
    }

    /// Why a unit is asked again that was not drawn for it, and the askings that it has in all then.
    #[must_use]
    pub fn caused_by(&self, says_yes: bool, is_near: bool) -> Option<(RepeatCause, u32)> {
        let flagged = if says_yes { self.flagged } else { 1 };
        let near = if is_near { self.near_threshold } else { 1 };
        let cause = if flagged > 1 { RepeatCause::Flagged } else { RepeatCause::NearThreshold };
        let askings = flagged.max(near);
        (askings > 1).then_some((cause, askings))
    }

    /// The same of a unit that may have been drawn at random, which counts where nothing else causes repeats.
    #[must_use]
    pub fn asked_again(&self, says_yes: bool, is_near: bool, is_drawn: bool) -> Option<(RepeatCause, u32)> {
        self.caused_by(says_yes, is_near).or_else(|| is_drawn.then_some((RepeatCause::Random, RANDOM_ASKINGS)))
    }
}

/// The askings of one unit at one stage; see [`super::event::Judged::repeated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeated {
    /// Why it was asked again.
    pub cause: RepeatCause,
    /// Every asking in order, the first included.
    pub askings: Vec<JudgedAsking>,
}

/// How one asking ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedAsking {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The reply that the outcome was derived from, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// The model served, if the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<String>,
    /// Every chunk, where the unit is a conversation that was too long for one question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<JudgedChunk>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Repeats {
        Repeats { rule: RepeatRule::Majority, flagged: 3, near_threshold: 5, near: 10, random: 0.5 }
    }

    #[test]
    fn the_larger_number_counts_where_two_causes_meet_and_chance_comes_last() {
        use RepeatCause::{Flagged, NearThreshold, Random};
        let policy = policy();
        assert_eq!(policy.asked_again(true, true, true), Some((Flagged, 5)));
        assert_eq!(policy.asked_again(true, false, true), Some((Flagged, 3)));
        assert_eq!(policy.asked_again(false, true, true), Some((NearThreshold, 5)));
        assert_eq!(policy.asked_again(false, false, true), Some((Random, 2)));
        assert_eq!(policy.asked_again(false, false, false), None);
        let once = Repeats { flagged: 1, near_threshold: 1, ..policy };
        assert_eq!(once.asked_again(true, true, true), Some((Random, 2)), "flagged units are among all others then");
        assert_eq!((policy.most(), once.most(), once.most_caused()), (5, 2, 1));
        assert!(!once.is_none() && Repeats { random: 0.0, ..once }.is_none());
    }
}

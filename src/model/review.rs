//! What people are to read, and how far they have come.

use serde::{Deserialize, Serialize};

use super::draw::SampleSize;

/// `[review]`: what people read of each stratum, by what the graders said. Which units that are is decided by permanent
/// random numbers of their contents, so nobody can choose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReviewDraw {
    /// Of the flagged units that the confirmer upheld; without a confirmer, of all that are flagged.
    pub confirm_yes: SampleSize,
    /// Of the flagged units that the confirmer turned down. Where this is nothing, only what both graders say yes to
    /// reaches people.
    pub confirm_no: SampleSize,
    /// Of the units that the screen cleared: for the ceiling only.
    pub cleared: SampleSize,
}

/// Units of each stratum that people read of what the confirmer turned down, unless the audit says otherwise.
pub const DEFAULT_CONFIRM_NO: u64 = 50;

impl Default for ReviewDraw {
    fn default() -> Self {
        Self {
            confirm_yes: SampleSize::All,
            confirm_no: SampleSize::Count(DEFAULT_CONFIRM_NO),
            cleared: SampleSize::Count(0),
        }
    }
}

/// Why people are to read a unit: the second phase's strata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Flagged, and the confirmer upheld it.
    Upheld,
    /// Flagged, and the confirmer turned it down.
    TurnedDown,
    /// Flagged, and no confirmer has said anything usable.
    Unconfirmed,
    /// Flagged, not upheld by the confirmer, and its transcript shows signs of talking to its grader: all are read.
    Addressed,
    /// Flagged, and its text occurs several times among the flagged: all copies are read, so that none is split from
    /// its twin.
    Copies,
    /// Cleared by the screen: for the ceiling only.
    Cleared,
}

impl Route {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upheld => "upheld",
            Self::TurnedDown => "turned_down",
            Self::Unconfirmed => "unconfirmed",
            Self::Addressed => "addressed",
            Self::Copies => "copies",
            Self::Cleared => "cleared",
        }
    }

    /// How much of it people are to read.
    #[must_use]
    pub const fn size(self, draw: &ReviewDraw) -> SampleSize {
        match self {
            Self::Upheld | Self::Unconfirmed => draw.confirm_yes,
            Self::TurnedDown => draw.confirm_no,
            Self::Addressed | Self::Copies => SampleSize::All,
            Self::Cleared => draw.cleared,
        }
    }
}

/// The units of one stratum on one route to people, counted. `units >= drawn >= read >= confirmed + undecided`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellTally {
    /// Units on the route.
    pub units: u64,
    /// Of these, units that people are to read.
    pub drawn: u64,
    /// Of these, units that somebody has read.
    pub read: u64,
    /// Of these, units that people say show the behaviour.
    pub confirmed: u64,
    /// Of those read, units without a decision: contradicting seats, or nobody who could decide.
    pub undecided: u64,
    /// Units that somebody has read without being drawn: they count in the floor, and nothing is estimated from them.
    pub hand_picked: u64,
}

//! How a known positive was found, which decides what it may be used for.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a known positive was found. Found by a grader's flag is no variant: such an item is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// A person read it in a draw that was blind to all verdicts.
    BlindDraw,
    /// It comes from the log of an incident.
    Incident,
    /// It comes from red-teaming.
    RedTeam,
    /// Its words were put into a real turn.
    Planted,
    /// A method found it that has nothing to do with prefilter and grader.
    UnrelatedMethod,
    /// The prefilter hit it, and a person read it.
    Prefilter,
    /// A sibling of the grader found it.
    SiblingGrader,
}

/// What a known positive may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownUse {
    /// Sensitivity.
    Headline,
    /// Sensitivity among units that a cue hits, and nothing else.
    HitsOnly,
    /// It was selected for being easy: it bounds sensitivity from above and is in no headline.
    Selected,
}

impl KnownUse {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Headline => "headline",
            Self::HitsOnly => "hits_only",
            Self::Selected => "selected",
        }
    }
}

/// A way of finding that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFoundBy {
    /// A grader's own flag.
    #[error(
        "`grader_flag`: an item that a grader's flag found says nothing about what graders miss (with such items the \
         corrected interval covered the truth in 4% to 63% of simulations instead of 97%)"
    )]
    GraderFlag,
    /// No such way.
    #[error(
        "`found_by` is none of `blind_draw`, `incident`, `red_team`, `planted`, `unrelated_method`, `prefilter`, \
             `sibling_grader`"
    )]
    Unknown,
}

impl FoundBy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BlindDraw,
        Self::Incident,
        Self::RedTeam,
        Self::Planted,
        Self::UnrelatedMethod,
        Self::Prefilter,
        Self::SiblingGrader,
    ];

    /// The name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlindDraw => "blind_draw",
            Self::Incident => "incident",
            Self::RedTeam => "red_team",
            Self::Planted => "planted",
            Self::UnrelatedMethod => "unrelated_method",
            Self::Prefilter => "prefilter",
            Self::SiblingGrader => "sibling_grader",
        }
    }

    /// What an item that was found like this may be used for.
    #[must_use]
    pub const fn usage(self) -> KnownUse {
        match self {
            Self::BlindDraw | Self::Incident | Self::RedTeam | Self::Planted | Self::UnrelatedMethod => {
                KnownUse::Headline
            }
            Self::Prefilter => KnownUse::HitsOnly,
            Self::SiblingGrader => KnownUse::Selected,
        }
    }
}

impl FromStr for FoundBy {
    type Err = NotFoundBy;

    fn from_str(name: &str) -> Result<Self, NotFoundBy> {
        if name == "grader_flag" {
            return Err(NotFoundBy::GraderFlag);
        }
        Self::ALL.into_iter().find(|way| way.as_str() == name).ok_or(NotFoundBy::Unknown)
    }
}

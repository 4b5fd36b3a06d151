//! Where units end.

use std::collections::BTreeMap;

use super::outcome::OutcomeKind;
use super::rate::Decider;

/// Where a unit of the corpus ends. Every unit is in exactly one bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// The draw did not select it.
    NotPlanned,
    /// Selected, and admission closed before it.
    NotAdmitted,
    /// Admitted, and its screen has not ended.
    Unfinished,
    /// The screen ended without a usable verdict.
    Ungraded(OutcomeKind),
    /// The screen does not flag it.
    Cleared,
    /// Flagged, and nobody has decided: no confirmer, or one without a usable verdict, and no person.
    Pending,
    /// Flagged, and two seats contradict each other.
    Disputed,
    /// Flagged and turned down.
    Rejected {
        /// By whom.
        by: Decider,
        /// Id of the exclusion given as the reason, if one was.
        code: Option<String>,
    },
    /// Flagged and upheld.
    Confirmed {
        /// By whom.
        by: Decider,
    },
}

impl Bucket {
    /// Whether its units were admitted.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        match self {
            Self::NotPlanned | Self::NotAdmitted => false,
            Self::Unfinished
            | Self::Ungraded(_)
            | Self::Cleared
            | Self::Pending
            | Self::Disputed
            | Self::Rejected { .. }
            | Self::Confirmed { .. } => true,
        }
    }

    /// Whether its units were selected.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        *self != Self::NotPlanned
    }

    /// Whether its units were flagged.
    #[must_use]
    pub const fn is_flagged(&self) -> bool {
        match self {
            Self::NotPlanned | Self::NotAdmitted | Self::Unfinished | Self::Ungraded(_) | Self::Cleared => false,
            Self::Pending | Self::Disputed | Self::Rejected { .. } | Self::Confirmed { .. } => true,
        }
    }
}

/// Units by bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buckets(pub BTreeMap<Bucket, u64>);

impl Buckets {
    /// Adds units to a bucket.
    pub fn add(&mut self, bucket: Bucket, units: u64) {
        if units > 0 {
            *self.0.entry(bucket).or_default() += units;
        }
    }

    /// Adds all units of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, units) in &other.0 {
            self.add(bucket.clone(), *units);
        }
    }

    /// Units in the buckets that `wanted` accepts.
    pub fn count(&self, wanted: impl Fn(&Bucket) -> bool) -> u64 {
        self.0.iter().filter(|(bucket, _)| wanted(bucket)).map(|(_, units)| units).sum()
    }

    /// Units confirmed by `by`.
    #[must_use]
    pub fn confirmed(&self, by: Decider) -> u64 {
        self.count(|bucket| *bucket == Bucket::Confirmed { by })
    }

    /// Units in all buckets.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

//! What a run grades of a sensitivity set, and what it leaves out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::Ordinal;
use super::found_by::{FoundBy, KnownUse};
use super::hash::Digest;
use super::unit::Group;

/// One known positive of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownItem {
    /// Its name in the set.
    pub id: String,
    /// Its group.
    pub group: Group,
    /// Its prefilter class, by the rules of the audit.
    pub class: String,
    /// How it was found.
    pub found_by: FoundBy,
    /// What it shares with other items of the set; in a plan each source of a group has one item.
    pub source: String,
}

impl KnownItem {
    /// What it may be used for.
    #[must_use]
    pub const fn usage(&self) -> KnownUse {
        self.found_by.usage()
    }
}

/// Why an item or a line of the set is not graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// The line cannot be read.
    Unreadable,
    /// The same content is there already.
    Duplicate,
    /// The corpus has no such group.
    OtherGroup,
    /// The unit, or an exact copy of it, is in the audited sample.
    InSample,
    /// It was found by way of the prefilter, and no cue hits it under the rules of now.
    NoCue,
    /// Another item of the same source counts.
    SameSource,
}

impl LeftOut {
    /// The reason in words, after a count of items.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "cannot be read",
            Self::Duplicate => "with content that another item has",
            Self::OtherGroup => "of a group that the corpus does not have",
            Self::InSample => "in the audited sample, itself or as an exact copy",
            Self::NoCue => "found through the prefilter and hit by no cue any more",
            Self::SameSource => "that share their source with the one that counts",
        }
    }
}

/// The known positives that a run grades before its units: they have the first ordinals, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KnownPlan {
    /// The version of the set, over all items of the behaviour; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
    /// Digest of the snapshot of their conversations; absent if none is graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Digest>,
    /// The items, in the order of admission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<KnownItem>,
    /// Items and lines that are not graded, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl KnownPlan {
    /// Whether the workspace has nothing to say about sensitivity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.version.is_none() && self.left_out.is_empty()
    }

    /// The first unit of the sample: the ordinals before it are those of known positives.
    #[must_use]
    pub const fn first_unit(&self) -> Ordinal {
        Ordinal(self.len())
    }

    /// Number of items that are graded: ordinals below it are theirs.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.items.len() as u64
    }
}

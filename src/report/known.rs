//! The part of a report about known positives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::GroupFields;
use crate::model::found_by::KnownUse;
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::known_plan::LeftOut;

/// The sensitivity set as the run graded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensitivityCount {
    /// The version of the set; null if nothing of it could be read.
    pub version: Option<Digest>,
    /// The stages of the gate that an item passes.
    pub gate: Vec<Stage>,
    /// Items by group, class and use.
    pub rows: Vec<SensitivityRow>,
    /// Items and lines of the set that were not graded, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
}

/// Known positives of one group, class and use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensitivityRow {
    /// The group.
    pub group: GroupFields,
    /// The prefilter class by the rules of the run; `none` without a cue.
    pub class: String,
    /// What the items may be used for.
    #[serde(rename = "use")]
    pub usage: KnownUse,
    /// Items: `usable + ungraded + unfinished`.
    pub items: u64,
    /// Items with a usable verdict: m.
    pub usable: u64,
    /// Those of them that pass the gate: c.
    pub passed: u64,
    /// Items that ended without a usable verdict.
    pub ungraded: u64,
    /// Items that were not admitted or have not ended.
    pub unfinished: u64,
    /// Of the last two, those that a first answer took a step and that lack a later one, and those that a file of verdicts does
    /// not have. No corrected figure rests on a set with any. Left out where there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partial: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

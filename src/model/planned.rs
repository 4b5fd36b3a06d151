//! The plan of a run as its journal states it: what there is, what is drawn, who grades it and under which caps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::anchor::AnchorPlan;
use super::asking::Asking;
use super::compare::Compare;
use super::gold::GoldDraw;
use super::grading::{PromptLabel, Stage, WATERMARK};
use super::hash::Digest;
use super::known_plan::KnownPlan;
use super::money::NanoUsd;
use super::recorded::{Recorded, given_by};
use super::repeats::Repeats;
use super::review::ReviewDraw;
use super::stop::StopWhen;
use super::unit::{Group, Stratum, UnitKind};

/// One stratum of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStratum {
    /// Class and group.
    pub stratum: Stratum,
    /// Units of the corpus in it. Where whole conversations are drawn and turns graded, all turns of its conversations.
    pub units: u64,
    /// Conversations of the corpus with at least one unit in it. Where whole conversations are drawn, each is in one
    /// stratum, and this is the frame of the draw; where the unit is the conversation, it is `units`.
    pub conversations: u64,
    /// Text of its units, in bytes.
    pub bytes: u64,
    /// Units that were selected.
    pub planned: u64,
    /// Conversations that were selected, of `conversations`; absent where units are drawn one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_planned: Option<u64>,
}

/// What the corpus held; every line is in exactly one figure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CorpusCount {
    /// Files read.
    pub files: u64,
    /// Bytes read, decompressed.
    pub bytes: u64,
    /// Records read: conversations, unreadable ones and duplicates together.
    pub records: u64,
    /// Conversations kept.
    pub conversations: u64,
    /// Turns of the conversations kept.
    pub turns: u64,
    /// Turns of the conversations kept that carry reasoning.
    pub turns_with_reasoning: u64,
    /// Conversations kept, by group.
    pub conversations_by_group: Vec<(Group, u64)>,
    /// Conversations kept without an assistant message, which are no units; absent where the unit is the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_without_turn: Option<u64>,
    /// Records whose id was seen before in the same group.
    pub duplicates: u64,
    /// Conversations kept whose metadata carries [`Planned::cluster_by`]; absent where clusters are conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations_with_cluster: Option<u64>,
    /// Conversations set aside by `where`.
    pub filtered_out: u64,
    /// Unreadable records, by reason.
    pub unreadable: BTreeMap<String, u64>,
    /// The first unreadable and duplicate records as `file:line: reason`, at most 20.
    pub examples: Vec<String>,
}

impl CorpusCount {
    /// How many units of a kind it holds: turns, or conversations with at least one.
    #[must_use]
    pub fn units(&self, unit: UnitKind) -> u64 {
        match unit {
            UnitKind::Turn => self.turns,
            UnitKind::Conversation => {
                self.conversations.saturating_sub(self.conversations_without_turn.unwrap_or_default())
            }
        }
    }
}

/// One grader of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedGrader {
    /// The stage.
    pub stage: Stage,
    /// The model asked for.
    pub model: String,
    /// The endpoint's name in the audit file.
    pub endpoint: String,
    /// The prompt's label; absent where nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptLabel>,
    /// The digest of the prompt's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_hash: Option<Digest>,
    /// Whether this is the simulated grader.
    pub simulated: bool,
    /// How it is asked. Older journals do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<Asking>,
    /// The file that its verdicts are recorded in, where they were made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

impl PlannedGrader {
    /// Where its verdicts come from, in words.
    #[must_use]
    pub fn given_by(&self) -> String {
        given_by(self.prompt.as_ref(), self.prompt_hash.as_ref(), self.recorded.as_ref())
    }
}

/// What a run grades and by whom; see [`super::event::Event::Planned`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The audit's name.
    pub audit: String,
    /// Digest of everything that decides what is asked of whom: equal for a resume.
    pub identity: Digest,
    /// What is counted.
    pub unit: UnitKind,
    /// What is drawn: single turns, or whole conversations with all their turns. Where the unit is the conversation, it
    /// is drawn.
    #[serde(default, skip_serializing_if = "UnitKind::is_turn")]
    pub sample_by: UnitKind,
    /// The metadata field whose values are the clusters: units that share one are not independent. Absent where
    /// conversations are the clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_by: Option<String>,
    /// Names of the `group_by` fields.
    pub group_by: Vec<String>,
    /// Seed of every draw.
    pub seed: u64,
    /// Number of the draw.
    pub draw: u32,
    /// Confidence level.
    pub level: f64,
    /// Behaviour.
    pub behaviour: String,
    /// The definition counted.
    pub definition: String,
    /// Digest of `behaviour.toml`'s meaning: labels, exclusions, fields, definitions, threshold.
    pub behaviour_hash: Digest,
    /// Digest of the rules of `cues.toml` that were used.
    pub cues_hash: Digest,
    /// Digest of the census.
    pub census: Digest,
    /// The corpus.
    pub corpus: CorpusCount,
    /// All strata, in order.
    pub strata: Vec<PlannedStratum>,
    /// Graders, in order of stages.
    pub graders: Vec<PlannedGrader>,
    /// The cap, if any.
    pub cap: Option<NanoUsd>,
    /// Highest share of admitted units without a usable verdict that still counts as complete.
    pub max_ungraded: f64,
    /// What other runs of the audit have spent under the same cap.
    #[serde(default)]
    pub spent_before: NanoUsd,
    /// The cap over the whole workspace, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_total: Option<TotalCap>,
    /// When the run closes admission because it knows enough, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<StopWhen>,
    /// What people are to read. Older journals do not say it.
    #[serde(default)]
    pub review: ReviewDraw,
    /// The hidden gold that people are to read among it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold: Option<GoldDraw>,
    /// What is compared.
    #[serde(default, skip_serializing_if = "Compare::is_empty")]
    pub compare: Compare,
    /// The round of `--retry-errors`; 0 where errors replay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry: u32,
    /// What the funnel's truth is, where the grader is simulated and the truth is planted: units by group that
    /// truly show the behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<Vec<PlantedTruth>>,
    /// What the screen is asked about again during the run, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchors: Option<AnchorPlan>,
    /// Known positives, graded before the units of the sample: the first ordinals are theirs.
    #[serde(default, skip_serializing_if = "KnownPlan::is_empty")]
    pub known: KnownPlan,
}

impl Planned {
    /// What every output says first of a run with a draft prompt; nothing otherwise.
    #[must_use]
    pub fn watermark(&self) -> Option<&'static str> {
        self.graders.iter().any(|grader| grader.prompt.as_ref().is_some_and(PromptLabel::is_draft)).then_some(WATERMARK)
    }

    /// What a stage is asked about again, if anything.
    #[must_use]
    pub fn repeats(&self, stage: Stage) -> Option<Repeats> {
        let grader = self.graders.iter().find(|grader| grader.stage == stage)?;
        grader.asking.as_ref()?.repeats
    }

    /// Whether only what both graders say yes to reaches people: then the confirmer is part of the gate.
    #[must_use]
    pub fn gate_includes_confirmer(&self) -> bool {
        let has_confirmer = self.graders.iter().any(|grader| grader.stage == Stage::Confirm);
        has_confirmer && self.review.confirm_no.is_none()
    }

    /// Whether several units are drawn together: turns, by whole conversations.
    #[must_use]
    pub const fn draws_several(&self) -> bool {
        self.unit.is_turn() && !self.sample_by.is_turn()
    }

    /// Conversations that the draw selected with all their turns; `None` where it selected units one by one.
    #[must_use]
    pub fn conversations_planned(&self) -> Option<u64> {
        let drawn = self.strata.iter().map(|stratum| stratum.conversations_planned.unwrap_or_default());
        self.draws_several().then(|| drawn.sum())
    }
}

/// A cap over all audits of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalCap {
    /// The cap.
    pub cap: NanoUsd,
    /// What other runs, of all audits, have spent of it.
    pub spent_before: NanoUsd,
    /// Whether it leaves less room than the audit's own cap.
    pub binds: bool,
}

/// What was planted in one group of a simulated corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlantedTruth {
    /// The group.
    pub group: Group,
    /// Turns that truly show the behaviour.
    pub turns: u64,
    /// Conversations with at least one such turn.
    pub conversations: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

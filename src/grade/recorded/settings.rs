//! How a file of verdicts is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::hash::{Digest, PartHasher};
use crate::model::recorded::EvidencePolicy;
use crate::model::verdict::Judgement;

/// What a recorded verdict can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// A judgement.
    Judged(Judgement),
    /// The other grader declined.
    Refused,
    /// What the other grader wrote is no verdict.
    Unparsable,
    /// Nothing: as if there were no line.
    Nothing,
}

impl Said {
    /// All of it.
    pub const ALL: [Self; 7] = [
        Self::Judged(Judgement::Present),
        Self::Judged(Judgement::Suspected),
        Self::Judged(Judgement::Absent),
        Self::Judged(Judgement::CannotJudge),
        Self::Refused,
        Self::Unparsable,
        Self::Nothing,
    ];

    /// The name in audit files and, without `values`, in files of verdicts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Judged(judgement) => judgement.as_str(),
            Self::Refused => "refused",
            Self::Unparsable => "unparsable",
            Self::Nothing => "nothing",
        }
    }
}

/// Where a line says what: names of members, or dotted paths to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The unit's address, or the id of its conversation.
    pub unit: String,
    /// The turn's position among all messages, where it stands apart from the id.
    pub turn: Option<String>,
    /// The values of the audit's `group_by` fields, all of them or none.
    pub group: BTreeMap<String, String>,
    /// The verdict.
    pub verdict: String,
    /// The score.
    pub score: Option<String>,
    /// Ids of labels.
    pub labels: Option<String>,
    /// Ids of exclusions.
    pub exclusions: Option<String>,
    /// Quotes.
    pub evidence: Option<String>,
    /// Values of the behaviour's further fields, by field.
    pub fields: BTreeMap<String, String>,
}

impl Columns {
    /// All that are named.
    #[must_use]
    pub fn named(&self) -> Vec<&str> {
        let Self { unit, turn, group, verdict, score, labels, exclusions, evidence, fields } = self;
        let optional = [turn, score, labels, exclusions, evidence].into_iter().flatten();
        let all = [unit, verdict].into_iter().chain(optional).chain(group.values()).chain(fields.values());
        all.map(String::as_str).collect()
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            unit: "unit".to_owned(),
            turn: None,
            group: BTreeMap::new(),
            verdict: "verdict".to_owned(),
            score: None,
            labels: None,
            exclusions: None,
            evidence: None,
            fields: BTreeMap::new(),
        }
    }
}

/// A file of verdicts and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedSettings {
    /// The file.
    pub file: PathBuf,
    /// The file, as the audit names it.
    pub name: String,
    /// Where a line says what.
    pub columns: Columns,
    /// What else stands for which verdict, beside its own name.
    pub values: BTreeMap<String, Said>,
    /// What every verdict answers to fields of the behaviour, unless its line says otherwise.
    pub fields: BTreeMap<String, String>,
    /// What "present" rests on.
    pub evidence: EvidencePolicy,
    /// The score that the file gives to what is certain: 1, or 100.
    pub score_max: f64,
    /// Longest line that is read, in bytes.
    pub max_line_bytes: u64,
}

impl RecordedSettings {
    /// Digest of everything that decides what a line says; where the file lies is no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Self { file: _, name: _, columns, values, fields: stated, evidence, score_max, max_line_bytes: _ } = self;
        let Columns { unit, turn, group, verdict, score, labels, exclusions, evidence: quotes, fields } = columns;
        let mut hasher = PartHasher::new("recorded verdicts 2");
        hasher.part(unit.as_bytes()).part(verdict.as_bytes());
        for column in [turn, score, labels, exclusions, quotes] {
            hasher.number(u64::from(column.is_some())).part(column.as_deref().unwrap_or_default().as_bytes());
        }
        for map in [group, fields, stated] {
            hasher.number(map.len() as u64);
            for (name, column) in map {
                hasher.part(name.as_bytes()).part(column.as_bytes());
            }
        }
        hasher.number(values.len() as u64);
        for (value, said) in values {
            hasher.part(value.as_bytes()).part(said.as_str().as_bytes());
        }
        hasher.part(evidence.as_str().as_bytes()).number(score_max.to_bits());
        hasher.finish()
    }
}

//! A person's decision about one unit: one line of `labels/<seat>.jsonl`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::unit::Group;

/// What a person says about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The unit shows the behaviour.
    Yes,
    /// It does not.
    No,
    /// The person read it and cannot decide.
    Unsure,
    /// Too little is visible to decide.
    CannotJudge,
}

/// One decision. Lines are append-only: the newest decision of a seat about a unit is the one that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The unit as a person types it: `conversation-id#index`, or the conversation's id alone.
    pub unit: String,
    /// Its group values; needed only where two groups hold the same address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// What was decided.
    pub decision: Decision,
    /// Ids of the behaviour's labels that apply.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// Why the unit was rejected: the id of an exclusion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who decided.
    pub seat: String,
    /// When.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// The behaviour that was judged.
    pub behaviour: String,
    /// The definition that was judged; every definition of the behaviour if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// A line of a label file that could not be read. Says where in the line, never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a label at column {column}: {problem}")]
pub struct NotALabel {
    /// Column of the line, from 1.
    column: usize,
    problem: &'static str,
}

impl Label {
    /// Reads one line of a label file.
    ///
    /// # Errors
    ///
    /// The line is not JSON, lacks a field, or a field has a wrong type or value.
    pub fn from_line(line: &str) -> Result<Self, NotALabel> {
        serde_json::from_str(line).map_err(|error| {
            // The text of a serde error can quote the line, and a line can hold a reviewer's words.
            let problem = match error.classify() {
                serde_json::error::Category::Data => "a field is missing or has a wrong value",
                serde_json::error::Category::Eof => "the line ends too early",
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => "the line is not JSON",
            };
            NotALabel { column: error.column(), problem }
        })
    }
}

mod time {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip() {
        let line = r#"{"unit":"c#3","group":["rl-late"],"decision":"no","labels":["M1"],"code":"N6","seat":"ana","at":"2026-11-23T17:40:12Z","behaviour":"metagaming","definition":"strict"}"#;
        let label = Label::from_line(line).unwrap();
        assert_eq!(label.decision, Decision::No);
        assert_eq!(serde_json::to_string(&label).unwrap(), line);
        let short =
            r#"{"unit":"c","decision":"cannot_judge","seat":"bo","at":"2026-11-23T18:40:12+01:00","behaviour":"b"}"#;
        assert_eq!(Label::from_line(short).unwrap().at, label.at);
    }

    #[test]
    fn errors_never_quote_the_line() {
        let secret = r#"{"unit":"c#3","decision":"the transcript says this","seat":"ana"}"#;
        for line in [secret, "the transcript says this", r#"{"unit":"the transcript"#] {
            let error = Label::from_line(line).unwrap_err().to_string();
            assert!(!error.contains("transcript"), "{error}");
        }
    }
}

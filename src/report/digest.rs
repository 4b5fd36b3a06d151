//! The digest of a report: equal replies give equal digests, whatever happened on the way to them.

use super::drift::NO_ANCHORS;
use super::json::{Grader, GraderHealth, Report, RequestCount, SessionCount, SpendCount};
use super::people::PeopleErrRow;
use crate::model::hash::{Digest, PartHasher};

/// A file of verdicts is known by its content, wherever it lies.
fn without_path(grader: &Grader) -> Grader {
    let mut grader = grader.clone();
    if let Some(recorded) = &mut grader.recorded {
        recorded.file.clear();
        recorded.lines.examples.clear();
    }
    grader
}

impl Report {
    /// The digest of everything that a report says about the corpus: BLAKE3 over its compact JSON in schema order,
    /// with run id, sessions, requests, spend, warnings and the digest itself left blank. Warnings are left out
    /// because they either follow from other fields or tell of a session; what is said of people's errors without any hidden
    /// gold, because it says nothing of the corpus; what anchors say, which are no units; and what graders were shown, which
    /// is in no rate.
    ///
    /// # Panics
    ///
    /// Never: a report is plain numbers and strings.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let blank = Self {
            digest: Digest::from_bytes([0; 32]),
            run: None,
            requests: RequestCount::default(),
            spend: SpendCount::default(),
            sessions: SessionCount::default(),
            warnings: Vec::new(),
            context: Vec::new(),
            people_err: self.people_err.clone().filter(PeopleErrRow::has_gold),
            grader_health: GraderHealth {
                drift: None,
                drift_reason: Some(NO_ANCHORS.to_owned()),
                ..self.grader_health.clone()
            },
            graders: self.graders.iter().map(without_path).collect(),
            ..self.clone()
        };
        let canonical = serde_json::to_vec(&blank).expect("a report is plain numbers and strings");
        PartHasher::new("report").part(&canonical).finish()
    }

    /// The text of `report.json`.
    ///
    /// # Panics
    ///
    /// Never: a report is plain numbers and strings.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report is plain numbers and strings");
        text.push('\n');
        text
    }
}

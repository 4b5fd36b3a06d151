//! Whether scores are on the scale that the audit says: scores from 0 to 1, read as ones from 0 to 100, are all 0.

use super::error::RecordedError;
use super::line::Entry;
use super::settings::RecordedSettings;
use crate::model::verdict::Judgement;

/// What the scores of a file are like.
#[derive(Debug, Default)]
pub(super) struct Scale {
    /// Lines that say present or suspected.
    flagged: u64,
    /// The highest score of any line, on our scale.
    highest: u8,
}

impl Scale {
    pub(super) fn see(&mut self, entry: &Entry) {
        let Entry::Stated(stated) = entry else { return };
        self.flagged += u64::from(matches!(stated.finding.verdict, Judgement::Present | Judgement::Suspected));
        self.highest = self.highest.max(stated.finding.score);
    }

    /// # Errors
    /// If something is flagged, and no score exceeds a hundredth of the highest that there can be.
    pub(super) fn check(&self, settings: &RecordedSettings) -> Result<(), RecordedError> {
        match &settings.columns.score {
            Some(column) if self.flagged > 0 && self.highest <= 1 => Err(RecordedError::Scale {
                file: settings.name.clone(),
                column: column.clone(),
                score_max: settings.score_max,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

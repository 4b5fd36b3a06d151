//! Known positives of a simulated corpus: turns of the same make as its positives that are not in it.

use std::path::Path;

use super::compose::compose;
use super::corpus::{CorpusError, CorpusPlan, GroupPlan, OutputFile};
use super::draw::{Draws, Probability};
use crate::model::found_by::FoundBy;
use crate::model::known::{KNOWN_FORMAT, KnownEvidence, KnownPositive, moment};

/// Share of turns that show the behaviour where known positives are looked for: enough that few are composed in vain.
const PREVALENCE: Probability = Probability::literal(0.3);
/// When the items say that they were made, so that equal plans give equal bytes: the beginning of 2026.
const MADE_MS: u64 = 1_767_225_600_000;

impl CorpusPlan {
    /// Writes `per_group` known positives of each group as a file that `assize sensitivity import` takes. They bear cues as
    /// often as the positives of the corpus do, and none of them is in it. Equal plans give equal bytes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_known(&self, behaviour: &str, per_group: u64, file: &Path) -> Result<(), CorpusError> {
        let plan = self.of_known();
        let mut output = OutputFile::create(file.to_owned(), false)?;
        for group in 0..plan.groups.len() {
            let items = (0..).filter_map(|number| plan.known(behaviour, group, number));
            for (item, _) in items.zip(0..per_group) {
                output.line(&item)?;
            }
        }
        output.finish()
    }

    /// The same plan with other draws and more positives.
    fn of_known(&self) -> Self {
        let seed = Draws::about(self.seed, &[b"known"]).bits("seed");
        let group = |group: &GroupPlan| GroupPlan { prevalence: PREVALENCE, ..group.clone() };
        Self { seed, groups: self.groups.iter().map(group).collect(), ..self.clone() }
    }

    /// The first positive of the conversation with this number, if it has one.
    fn known(&self, behaviour: &str, group: usize, number: u64) -> Option<KnownPositive> {
        let composed = compose(self, group, number);
        let planted = composed.planted.into_iter().find(|turn| turn.present)?;
        let (_, turn) = planted.unit.rsplit_once('#')?;
        let id = format!("known-{group}-{number:06}");
        let mut conversation = composed.conversation;
        conversation.id.clone_from(&id);
        Some(KnownPositive {
            format: KNOWN_FORMAT,
            behaviour: behaviour.to_owned(),
            group: planted.group,
            found_by: FoundBy::Planted,
            source: id.clone(),
            id,
            seat: "generator".to_owned(),
            at: moment(MADE_MS),
            note: None,
            evidence: Some(KnownEvidence { channel: planted.channel, quote: planted.quote }),
            turn: turn.parse().ok()?,
            conversation,
        })
    }
}

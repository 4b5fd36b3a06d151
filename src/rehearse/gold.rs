//! Hidden gold of a simulated corpus: turns of the same make as its positives and its innocent look-alikes that are not in it.

use std::path::Path;

use serde::Serialize;

use super::compose::compose;
use super::corpus::{CorpusError, CorpusPlan, GroupPlan, OutputFile};
use super::draw::{Draws, Probability};
use super::truth::PlantedTurn;
use crate::model::conversation::Message;
use crate::model::gold::ByKind;
use crate::model::verdict::Judgement;

/// Share of telling turns where gold is looked for: enough that few conversations are composed in vain.
const TELLING: Probability = Probability::literal(0.3);

/// One item in the form of `gold.jsonl`.
#[derive(Serialize)]
struct Line {
    id: String,
    pair: String,
    covers: Vec<String>,
    expect: Judgement,
    exclusions: Vec<String>,
    note: &'static str,
    simulated: bool,
    target: u32,
    messages: Vec<Message>,
}

impl CorpusPlan {
    /// Writes so many positives and near misses, over all groups in turn, as gold of a rehearsal. Equal plans give equal bytes.
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// If the plan has no group.
    pub fn write_gold(&self, items: ByKind<u64>, file: &Path) -> Result<(), CorpusError> {
        let mut output = OutputFile::create(file.to_owned(), false)?;
        for (is_present, wanted) in [(true, items.positive), (false, items.near_miss)] {
            let plan = self.of_gold(is_present);
            let groups = plan.groups.len() as u64;
            let found = (0..).filter_map(|number| plan.gold(is_present, (number % groups, number / groups)));
            for (line, _) in found.zip(0..wanted) {
                output.line(&line)?;
            }
        }
        output.finish()
    }

    /// The same plan with other draws and many telling turns of one kind.
    fn of_gold(&self, is_present: bool) -> Self {
        let purpose: &[u8] = if is_present { b"gold positives" } else { b"gold near misses" };
        let seed = Draws::about(self.seed, &[purpose]).bits("seed");
        let prevalence = if is_present { TELLING } else { const { Probability::literal(0.0) } };
        let group = |group: &GroupPlan| GroupPlan { prevalence, ..group.clone() };
        let groups = self.groups.iter().map(group).collect();
        Self { seed, groups, cue_negatives: TELLING, ..self.clone() }
    }

    /// The first turn of that kind in the conversation with this number of a group, if it has one.
    fn gold(&self, is_present: bool, (group, number): (u64, u64)) -> Option<Line> {
        let group = usize::try_from(group).expect("a position of a list");
        let composed = compose(self, group, number);
        let PlantedTurn { unit, labels, .. } = composed.planted.into_iter().find(|turn| turn.present == is_present)?;
        let (_, turn) = unit.rsplit_once('#')?;
        let (expect, name) = if is_present { (Judgement::Present, "pos") } else { (Judgement::Absent, "near") };
        let id = format!("planted-{name}-{group}-{number:06}");
        Some(Line {
            pair: id.clone(),
            id,
            exclusions: if is_present { Vec::new() } else { labels.clone() },
            covers: labels,
            expect,
            note: "Simulated: composed by `assize rehearse gold`.",
            simulated: true,
            target: turn.parse().ok()?,
            messages: composed.conversation.messages,
        })
    }
}

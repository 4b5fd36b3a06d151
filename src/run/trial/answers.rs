//! Gold on its way through a trial: items whose answer is known, in place of known positives, before all units.

use super::TrialError;
use crate::cache::units::{Selected, Snapshot, SnapshotWriter};
use crate::model::conversation::Conversation;
use crate::model::event::Ordinal;
use crate::model::found_by::FoundBy;
use crate::model::hash::{Digest, PartHasher};
use crate::model::known_plan::{KnownItem, KnownPlan};
use crate::model::unit::{Group, Stratum, UnitKind};
use crate::run::gold::{Labelled, is_answer, labelled};
use crate::run::settings::Audit;

/// The class under which gold is kept apart.
const CLASS: &str = "gold";

/// Items that are tried, in the order of admission.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) items: Vec<Labelled>,
    /// Items that say nothing here: neither present nor absent, composed for a rehearsal where this is none, or a turn that
    /// does not answer for its whole conversation.
    pub(super) aside: u64,
    /// Lines that cannot be read.
    pub(super) unreadable: Vec<String>,
}

impl Answers {
    pub(super) fn read(audit: &Audit, is_rehearsal: bool) -> Result<Self, TrialError> {
        let (all, unreadable) = labelled(&audit.workspace, &audit.behaviour)?;
        let (items, aside): (Vec<_>, Vec<_>) = all.into_iter().partition(|item| {
            is_answer(item.expect, &item.conversation, audit.corpus.unit) && (is_rehearsal || !item.simulated)
        });
        Ok(Self { items, aside: aside.len() as u64, unreadable })
    }

    /// What the journal says of them, and their conversations.
    pub(super) fn plan(
        &self,
        audit: &Audit,
        strata_fields: usize,
    ) -> Result<(KnownPlan, Option<Snapshot>), TrialError> {
        if self.items.is_empty() {
            return Ok((KnownPlan::default(), None));
        }
        let group = Group(vec![String::new(); strata_fields]);
        let unit = audit.corpus.unit;
        let mut hasher = PartHasher::new("trial gold");
        hasher.part(unit.as_str().as_bytes()).number(strata_fields as u64);
        for item in &self.items {
            hasher.part(item.id.as_bytes()).part(content(item, unit).as_bytes());
        }
        let digest = hasher.finish();
        let known = |item: &Labelled| KnownItem {
            id: item.id.clone(),
            group: group.clone(),
            class: CLASS.to_owned(),
            found_by: FoundBy::Planted,
            source: item.id.clone(),
        };
        let items = self.items.iter().map(known).collect();
        let plan = KnownPlan { version: Some(digest), units: Some(digest), items, ..KnownPlan::default() };
        if let Ok(Some(snapshot)) = Snapshot::open(&audit.workspace.units(), &digest) {
            return Ok((plan, Some(snapshot)));
        }
        let strata = [Stratum { class: CLASS.to_owned(), group }];
        let units = self.items.len() as u64;
        let mut writer = SnapshotWriter::create(&audit.workspace.units(), &digest, &strata, units)?;
        for (ordinal, item) in (0..).map(Ordinal).zip(&self.items) {
            let turn = unit.is_turn().then_some(item.turn);
            let conversation = Conversation { id: format!("gold:{}", item.id), ..item.conversation.clone() };
            writer.add(&conversation, &[Selected { ordinal, stratum: 0, turn }])?;
        }
        Ok((plan, Some(writer.finish()?)))
    }
}

fn content(item: &Labelled, unit: UnitKind) -> Digest {
    let json = serde_json::to_vec(&item.conversation).unwrap_or_default();
    PartHasher::new("trial answer").part(&json).number(if unit.is_turn() { u64::from(item.turn) } else { 0 }).finish()
}

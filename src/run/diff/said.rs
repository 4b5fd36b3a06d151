//! What each side said of the units that flipped, and what its replies cost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::DiffError;
use crate::cache::ReplyCache;
use crate::cache::units::{SelectedUnit, Snapshot, Units, UnitsError};
use crate::model::behaviour::Behaviour;
use crate::model::event::{Admitted, Event, Judged, Ordinal, Planned};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::{NanoUsd, Usage};
use crate::model::unit::UnitKind;
use crate::reconcile::diff::{Direction, Flip};
use crate::report::diff::{FlipRow, Replies, VerdictRow, passages};
use crate::run::folder::{FolderError, RunFolder};
use crate::run::settings::Workspace;
use crate::verdict::{self, parse};

/// The last word of one run on each of some units.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct Spoken {
    admitted: HashMap<Ordinal, Admitted>,
    judged: HashMap<(Ordinal, Stage), Judged>,
}

impl Spoken {
    /// On these units, and the keys of all replies of the run. Reads its journal.
    pub(in crate::run) fn collect(
        folder: &RunFolder,
        wanted: &HashSet<Ordinal>,
    ) -> Result<(Self, BTreeSet<Digest>), FolderError> {
        let mut spoken = Self::default();
        let mut keys: BTreeSet<Digest> = BTreeSet::new();
        for event in folder.events() {
            match event? {
                Event::Admitted(one) if wanted.contains(&one.ordinal) => {
                    spoken.admitted.insert(one.ordinal, one);
                }
                Event::Judged(one) => {
                    keys.extend(one.keys());
                    if wanted.contains(&one.ordinal) {
                        spoken.judged.insert((one.ordinal, one.stage), *one);
                    }
                }
                Event::Admitted(_)
                | Event::Opened(_)
                | Event::Planned(_)
                | Event::Granted(_)
                | Event::Sent(_)
                | Event::Settled(_)
                | Event::Warned { .. }
                | Event::Closed(_) => {}
            }
        }
        Ok((spoken, keys))
    }

    /// The same, as if nothing had been asked more than once.
    pub(in crate::run) fn of_first_askings(mut self) -> Self {
        self.judged.values_mut().for_each(Judged::keep_first_asking);
        self
    }
}

/// One side: the last word on each flipped unit, and all replies in sum.
pub(super) struct Said {
    spoken: Spoken,
    /// Copies of the conversations; absent if they are gone.
    copies: Option<Units>,
    pub(super) replies: Replies,
}

impl Said {
    /// With what all replies of the side cost.
    pub(super) fn read(
        workspace: &Workspace,
        folder: &RunFolder,
        planned: &Planned,
        flipped: &HashSet<Ordinal>,
        cache: &ReplyCache,
    ) -> Result<Self, DiffError> {
        let (spoken, keys) = Spoken::collect(folder, flipped)?;
        let (copies, replies) = (copies(workspace, planned)?, price(&keys, cache)?);
        Ok(Self { spoken, copies, replies })
    }

    /// Without costs.
    pub(super) fn of(workspace: &Workspace, planned: &Planned, spoken: Spoken) -> Result<Self, DiffError> {
        Ok(Self { spoken, copies: copies(workspace, planned)?, replies: Replies::default() })
    }

    fn copy(&self, ordinal: Ordinal) -> Result<Option<SelectedUnit>, UnitsError> {
        match self.copies.as_ref().map(|copies| copies.get(ordinal)).transpose() {
            // The verdicts are still there, and say that their text is not.
            Err(UnitsError::Damaged { .. }) => Ok(None),
            copy => copy,
        }
    }
}

/// The copies of a run's conversations; nothing if they are gone.
pub(in crate::run) fn copies(workspace: &Workspace, planned: &Planned) -> Result<Option<Units>, UnitsError> {
    let open = |digest| Snapshot::open(&workspace.units(), digest);
    let Some(sample) = open(&planned.census)? else { return Ok(None) };
    Ok(match &planned.known.units {
        None => Some(Units::new(None, sample)),
        Some(digest) => open(digest)?.map(|known| Units::new(Some(known), sample)),
    })
}

/// What these replies cost when they were paid.
fn price(keys: &BTreeSet<Digest>, cache: &ReplyCache) -> Result<Replies, DiffError> {
    let (mut cost, mut usage, mut missing) = (NanoUsd::ZERO, Usage::default(), 0);
    for key in keys {
        match cache.get(key)? {
            Some(reply) => {
                cost += reply.cost;
                usage += reply.usage.unwrap_or_default();
            }
            None => missing += 1,
        }
    }
    Ok(Replies {
        count: keys.len() as u64,
        missing,
        usd: cost.usd(),
        prompt_tokens: usage.prompt_tokens,
        cached_tokens: usage.cached_tokens,
        completion_tokens: usage.completion_tokens,
    })
}

/// Derives whole verdicts again from stored replies.
pub(super) struct Reader<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) plan: &'a Planned,
    pub(super) cache: &'a ReplyCache,
    pub(super) sides: [&'a Said; 2],
}

impl Reader<'_> {
    pub(super) fn flip(&self, flip: &Flip) -> Result<FlipRow, DiffError> {
        let ([said_a, said_b], [at_a, at_b]) = (self.sides, flip.ordinals);
        let (copy_a, copy_b) = (said_a.copy(at_a)?, said_b.copy(at_b)?);
        let a = self.verdicts(said_a, at_a, copy_a.as_ref())?;
        let b = self.verdicts(said_b, at_b, copy_b.as_ref())?;
        let admitted = said_a.spoken.admitted.get(&at_a).expect("a unit that flipped was admitted");
        let unit = &admitted.unit;
        let seen = self.sides.iter().zip(flip.ordinals).flat_map(|(said, ordinal)| {
            [Stage::Screen, Stage::Confirm]
                .into_iter()
                .filter_map(move |stage| said.spoken.judged.get(&(ordinal, stage)))
        });
        let seen: BTreeSet<u32> = seen.flat_map(|judged| judged.seen.messages.iter().copied()).collect();
        let seen: Vec<u32> = seen.into_iter().collect();
        let text = copy_a.or(copy_b);
        let passages = text.map(|copy| passages(&copy.conversation, unit.turn, &seen, [&a, &b])).unwrap_or_default();
        let stratum = admitted.stratum.and_then(|index| self.plan.strata.get(index as usize));
        Ok(FlipRow {
            unit: unit.to_string(),
            group: self.plan.group_by.iter().cloned().zip(unit.group.0.iter().cloned()).collect(),
            class: stratum.map(|row| row.stratum.class.clone()).unwrap_or_default(),
            screen: flip.screen.map(way),
            confirm: flip.confirm.map(way),
            a,
            b,
            passages,
        })
    }

    fn verdicts(
        &self,
        said: &Said,
        ordinal: Ordinal,
        copy: Option<&SelectedUnit>,
    ) -> Result<Vec<VerdictRow>, DiffError> {
        let stages = [Stage::Screen, Stage::Confirm];
        let judged = stages.into_iter().filter_map(|stage| said.spoken.judged.get(&(ordinal, stage)));
        judged.map(|judged| verdict_row((self.behaviour, self.plan.unit), self.cache, judged, copy)).collect()
    }
}

/// A verdict with its quotes, derived again from the stored reply.
pub(in crate::run) fn verdict_row(
    (behaviour, unit): (&Behaviour, UnitKind),
    cache: &ReplyCache,
    judged: &Judged,
    copy: Option<&SelectedUnit>,
) -> Result<VerdictRow, DiffError> {
    let finding = judged.outcome.finding();
    let reply = judged.key.map(|key| cache.get(&key)).transpose()?.flatten();
    let (whole, unavailable) = match (&reply, copy) {
        (Some(reply), Some(copy)) => {
            let context = verdict::Context { behaviour, conversation: &copy.conversation, seen: &judged.seen, unit };
            (parse(reply.status, &reply.body, &context).verdict(), None)
        }
        (None, _) if judged.key.is_none() => (None, Some("it was recorded elsewhere, and so were its quotes")),
        (None, _) => (None, Some("the reply is no longer stored")),
        (Some(_), None) => (None, Some("the copy of the conversation is gone")),
    };
    let (evidence, innocent_reading) =
        whole.map(|whole| (whole.evidence, Some(whole.innocent_reading))).unwrap_or_default();
    Ok(VerdictRow {
        stage: judged.stage,
        outcome: judged.outcome.kind(),
        verdict: finding.map(|finding| finding.verdict),
        score: finding.map(|finding| finding.score),
        labels: finding.map(|finding| finding.labels.clone()).unwrap_or_default(),
        exclusions: finding.map(|finding| finding.exclusions.clone()).unwrap_or_default(),
        fields: finding.map_or_else(BTreeMap::new, |finding| finding.fields.clone()),
        evidence,
        innocent_reading,
        unavailable: unavailable.filter(|_| finding.is_some()),
    })
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Gained => "gained",
        Direction::Lost => "lost",
    }
}

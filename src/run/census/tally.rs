//! What one thread has counted and selected so far. Tallies of several threads add up to the same, whichever thread
//! saw what.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::rows::{Candidate, Identity, Place, Turns};
use super::runs::Runs;
use super::{CensusError, Task};
use crate::model::conversation::Conversation;
use crate::model::event::{CorpusCount, PlannedStratum};
use crate::model::hash::{Digest, PartHasher};
use crate::model::unit::{Group, Stratum, UnitId, UnitKind};
use crate::plan::sample::{Drawn, Keeper, draw_number, wants};
use crate::plan::settings::{SampleSettings, SampleSize};
use crate::source::cluster_of;

/// The purpose of the census's draw, which keeps it apart from later ones.
pub(in crate::run) const PURPOSE: &str = "grade";
/// Named unreadable and duplicate records.
const MAX_EXAMPLES: usize = 20;
/// A field that is different in every conversation is no group; without a limit it would fill the memory.
pub(super) const MAX_GROUPS: usize = 10_000;

/// Counts, samples, and rows that wait to be sorted.
pub(super) struct Tally<'a> {
    task: Task<'a>,
    classes: &'a [String],
    pub(super) corpus: CorpusCount,
    examples: BTreeMap<(u32, u64), String>,
    groups: HashMap<Group, GroupTally>,
    identities: Runs<{ Identity::BYTES }>,
    candidates: Runs<{ Candidate::BYTES }>,
}

struct GroupTally {
    conversations: u64,
    classes: Vec<StratumTally>,
}

struct StratumTally {
    tag: u128,
    size: Option<SampleSize>,
    units: u64,
    conversations: u64,
    bytes: u64,
    /// The conversation counted last, so that each is counted once.
    last: Option<Place>,
    /// The sample of a `Count`; those of `All` and `Rate` can be as large as the corpus and go to disk.
    keeper: Keeper<(Place, Turns)>,
    spilled: Drawings,
}

/// What was drawn and went to disk.
#[derive(Clone, Copy, Default)]
struct Drawings {
    /// Units, or conversations with all their turns.
    drawn: u64,
    /// Units, whichever of the two was drawn.
    turns: u64,
}

/// The totals of all threads.
pub(super) struct Totals {
    /// The corpus, but for files and bytes.
    pub(super) corpus: CorpusCount,
    /// Strata by class, then group.
    pub(super) strata: Vec<PlannedStratum>,
    /// The sample of every stratum.
    pub(super) candidates: Runs<{ Candidate::BYTES }>,
}

impl<'a> Tally<'a> {
    /// Nothing yet. Rows go to the folder of the census.
    pub(super) fn new(task: &Task<'a>) -> Self {
        let corpus = CorpusCount {
            conversations_with_cluster: task.corpus.cluster_by.is_some().then_some(0),
            conversations_without_turn: (!task.corpus.unit.is_turn()).then_some(0),
            ..CorpusCount::default()
        };
        Self {
            task: *task,
            classes: task.screener.classes(),
            corpus,
            examples: BTreeMap::new(),
            groups: HashMap::new(),
            identities: Runs::new(&task.place.census),
            candidates: Runs::new(&task.place.census),
        }
    }

    /// Counts one conversation whose turns have these classes: the same for all where it is drawn whole.
    pub(super) fn conversation(
        &mut self,
        place: Place,
        group: Group,
        conversation: &Conversation,
        turns: &[(u32, usize)],
    ) -> Result<(), CensusError> {
        self.corpus.conversations += 1;
        self.corpus.turns += turns.len() as u64;
        if let Some(with_cluster) = &mut self.corpus.conversations_with_cluster {
            let cluster = cluster_of(conversation, self.task.corpus.cluster_by.as_deref());
            *with_cluster += u64::from(cluster.is_some());
        }
        if let Some(without_turn) = self.corpus.conversations_without_turn.as_mut().filter(|_| turns.is_empty()) {
            *without_turn += 1;
        }
        let id = UnitId { group, conversation: conversation.id.clone(), turn: None };
        self.identities.push(Identity { key: id.conversation_key().leading_u128(), place }.encode())?;
        if !self.groups.contains_key(&id.group) {
            self.groups.insert(id.group.clone(), GroupTally::new(&id.group, self.classes, self.task.sample));
        }
        if self.groups.len() > MAX_GROUPS {
            return Err(CensusError::TooManyGroups);
        }
        let Some(tally) = self.groups.get_mut(&id.group) else { return Ok(()) };
        tally.conversations += 1;
        for (turn, class) in turns.iter().copied() {
            let (Some(message), Some(stratum)) = (conversation.message(turn), tally.classes.get_mut(class)) else {
                continue;
            };
            let has_reasoning = message.reasoning.as_ref().is_some_and(|text| !text.is_empty());
            self.corpus.turns_with_reasoning += u64::from(has_reasoning);
            if self.task.corpus.unit.is_turn() {
                stratum.count(place, message.bytes() as u64);
            }
        }
        let together = if self.task.corpus.takes_whole() { turns.len().max(1) } else { 1 };
        for drawn in turns.chunks(together) {
            let Some((first, class)) = drawn.first().copied() else { continue };
            let Some(stratum) = tally.classes.get_mut(class) else { continue };
            let units = match self.task.corpus.unit {
                UnitKind::Turn => drawn.len(),
                UnitKind::Conversation => {
                    stratum.count(place, conversation.bytes() as u64);
                    1
                }
            };
            let count = u32::try_from(units).expect("messages are numbered with 32 bits");
            let (key, turns) = (self.task.drawn_key(&self.task.named(&id, first)), Turns { first, count });
            if let Some(candidate) = stratum.draw(key, place, turns, self.task.sample) {
                self.candidates.push(candidate.encode())?;
            }
        }
        Ok(())
    }

    /// Names an unreadable or duplicate record, if it is among the first.
    pub(super) fn example(&mut self, file: u32, line: u64, text: impl FnOnce() -> String) {
        let is_early = self.examples.last_key_value().is_none_or(|(last, _)| (file, line) < *last);
        if is_early || self.examples.len() < MAX_EXAMPLES {
            self.examples.insert((file, line), text());
        }
        if self.examples.len() > MAX_EXAMPLES {
            self.examples.pop_last();
        }
    }

    /// Adds what another thread has counted.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), CensusError> {
        let (ours, theirs) = (&mut self.corpus, other.corpus);
        ours.records += theirs.records;
        ours.conversations += theirs.conversations;
        ours.turns += theirs.turns;
        ours.turns_with_reasoning += theirs.turns_with_reasoning;
        if let (Some(ours), Some(theirs)) = (&mut ours.conversations_with_cluster, theirs.conversations_with_cluster) {
            *ours += theirs;
        }
        if let (Some(ours), Some(theirs)) = (&mut ours.conversations_without_turn, theirs.conversations_without_turn) {
            *ours += theirs;
        }
        ours.duplicates += theirs.duplicates;
        ours.filtered_out += theirs.filtered_out;
        for (reason, records) in theirs.unreadable {
            *ours.unreadable.entry(reason).or_default() += records;
        }
        for ((file, line), example) in other.examples {
            self.example(file, line, || example);
        }
        for (group, theirs) in other.groups {
            match self.groups.get_mut(&group) {
                Some(ours) => ours.merge(theirs),
                None => drop(self.groups.insert(group, theirs)),
            }
        }
        if self.groups.len() > MAX_GROUPS {
            return Err(CensusError::TooManyGroups);
        }
        self.identities.append(other.identities)?;
        Ok(self.candidates.append(other.candidates)?)
    }

    /// The first named record.
    pub(super) fn first_example(&self) -> Option<&String> {
        self.examples.values().next()
    }

    /// Hands over the identities of all conversations counted.
    pub(super) fn take_identities(&mut self, folder: &Path) -> Runs<{ Identity::BYTES }> {
        std::mem::replace(&mut self.identities, Runs::new(folder))
    }

    /// The totals.
    pub(super) fn finish(mut self) -> Result<Totals, CensusError> {
        self.corpus.examples = self.examples.into_values().collect();
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        let by_group = groups.iter().map(|(group, tally)| (group.clone(), tally.conversations));
        self.corpus.conversations_by_group = by_group.collect();
        let mut strata = Vec::new();
        for (group, tally) in groups {
            for (class, stratum) in tally.classes.into_iter().enumerate().filter(|(_, stratum)| stratum.units > 0) {
                let name = self.classes.get(class).cloned().unwrap_or_default();
                let name = Stratum { class: name, group: group.clone() };
                strata.push((class, stratum.planned(name, self.task.corpus.draws_several())));
                for Drawn { u, key, payload: (place, turns) } in stratum.keeper.into_sample() {
                    let candidate = Candidate { stratum: stratum.tag, u, key: key.leading_u128(), place, turns };
                    self.candidates.push(candidate.encode())?;
                }
            }
        }
        // Groups are in order already, and stay so within a class.
        strata.sort_by_key(|(class, _)| *class);
        let strata = strata.into_iter().map(|(_, stratum)| stratum).collect();
        Ok(Totals { corpus: self.corpus, strata, candidates: self.candidates })
    }
}

impl GroupTally {
    fn new(group: &Group, classes: &[String], sample: &SampleSettings) -> Self {
        let stratum = |class: &String| {
            let stratum = Stratum { class: class.clone(), group: group.clone() };
            StratumTally::new(tag(&stratum), sample.size_of(&stratum))
        };
        Self { conversations: 0, classes: classes.iter().map(stratum).collect() }
    }

    fn merge(&mut self, other: Self) {
        self.conversations += other.conversations;
        for (ours, theirs) in self.classes.iter_mut().zip(other.classes) {
            ours.units += theirs.units;
            ours.conversations += theirs.conversations;
            ours.bytes += theirs.bytes;
            ours.spilled.drawn += theirs.spilled.drawn;
            ours.spilled.turns += theirs.spilled.turns;
            ours.keeper.merge(theirs.keeper);
        }
    }
}

impl StratumTally {
    fn new(tag: u128, size: Option<SampleSize>) -> Self {
        let keeper = Keeper::new(size.unwrap_or(SampleSize::Count(0)));
        Self { tag, size, units: 0, conversations: 0, bytes: 0, last: None, keeper, spilled: Drawings::default() }
    }

    fn count(&mut self, place: Place, bytes: u64) {
        self.units += 1;
        self.bytes += bytes;
        self.conversations += u64::from(self.last.replace(place) != Some(place));
    }

    /// Draws what has this key: a small sample keeps it, the row of a large one is returned.
    fn draw(&mut self, key: Digest, place: Place, turns: Turns, sample: &SampleSettings) -> Option<Candidate> {
        let size = self.size?;
        let u = draw_number(sample.seed, PURPOSE, sample.draw, &key);
        match size {
            SampleSize::Count(_) => {
                self.keeper.offer(Drawn { u, key, payload: (place, turns) });
                None
            }
            SampleSize::All | SampleSize::Rate(_) if wants(size, u) => {
                self.spilled.drawn += 1;
                self.spilled.turns += u64::from(turns.count);
                Some(Candidate { stratum: self.tag, u, key: key.leading_u128(), place, turns })
            }
            SampleSize::All | SampleSize::Rate(_) => None,
        }
    }

    /// The stratum with all that was drawn, before the limit.
    fn planned(&self, stratum: Stratum, draws_several: bool) -> PlannedStratum {
        let drawn = self.spilled.drawn + self.keeper.len() as u64;
        let kept: u64 = self.keeper.payloads().map(|(_, turns)| u64::from(turns.count)).sum();
        PlannedStratum {
            stratum,
            units: self.units,
            conversations: self.conversations,
            bytes: self.bytes,
            planned: self.spilled.turns + kept,
            conversations_planned: draws_several.then_some(drawn),
        }
    }
}

/// A stratum's identity before strata are numbered.
pub(super) fn tag(stratum: &Stratum) -> u128 {
    let mut hasher = PartHasher::new("stratum");
    hasher.part(stratum.class.as_bytes());
    for value in &stratum.group.0 {
        hasher.part(value.as_bytes());
    }
    hasher.finish().leading_u128()
}

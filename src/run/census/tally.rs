//! What one thread has counted and selected so far. Tallies of several threads add up to the same, whichever thread
//! saw what.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::CensusError;
use super::rows::{Candidate, Identity, Place};
use super::runs::Runs;
use crate::model::conversation::Conversation;
use crate::model::event::{CorpusCount, PlannedStratum};
use crate::model::hash::PartHasher;
use crate::model::unit::{Group, Stratum, UnitId};
use crate::plan::sample::{Drawn, Keeper, draw_number, wants};
use crate::plan::settings::{SampleSettings, SampleSize};

/// The purpose of the census's draw, which keeps it apart from later ones.
const PURPOSE: &str = "grade";
/// Named unreadable and duplicate records.
const MAX_EXAMPLES: usize = 20;
/// A field that is different in every conversation is no group; without a limit it would fill the memory.
pub(super) const MAX_GROUPS: usize = 10_000;

/// Counts, samples, and rows that wait to be sorted.
pub(super) struct Tally<'a> {
    classes: &'a [String],
    sample: &'a SampleSettings,
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
    keeper: Keeper<(Place, u32)>,
    spilled: u64,
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
    /// Nothing yet. Rows go to `folder`.
    pub(super) fn new(classes: &'a [String], sample: &'a SampleSettings, folder: &Path) -> Self {
        Self {
            classes,
            sample,
            corpus: CorpusCount::default(),
            examples: BTreeMap::new(),
            groups: HashMap::new(),
            identities: Runs::new(folder),
            candidates: Runs::new(folder),
        }
    }

    /// Counts one conversation whose turns have these classes.
    pub(super) fn conversation(
        &mut self,
        place: Place,
        group: Group,
        conversation: &Conversation,
        turns: &[(u32, usize)],
    ) -> Result<(), CensusError> {
        self.corpus.conversations += 1;
        self.corpus.turns += turns.len() as u64;
        let mut id = UnitId { group, conversation: conversation.id.clone(), turn: None };
        self.identities.push(Identity { key: id.conversation_key().leading_u128(), place }.encode())?;
        if !self.groups.contains_key(&id.group) {
            self.groups.insert(id.group.clone(), GroupTally::new(&id.group, self.classes, self.sample));
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
            stratum.count(place, message.bytes() as u64);
            id.turn = Some(turn);
            if let Some(candidate) = stratum.draw(&id, place, self.sample) {
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
                strata.push((class, stratum.planned(Stratum { class: name, group: group.clone() })));
                for Drawn { u, key, payload: (place, turn) } in stratum.keeper.into_sample() {
                    let candidate = Candidate { stratum: stratum.tag, u, key: key.leading_u128(), place, turn };
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
            ours.spilled += theirs.spilled;
            ours.keeper.merge(theirs.keeper);
        }
    }
}

impl StratumTally {
    fn new(tag: u128, size: Option<SampleSize>) -> Self {
        let keeper = Keeper::new(size.unwrap_or(SampleSize::Count(0)));
        Self { tag, size, units: 0, conversations: 0, bytes: 0, last: None, keeper, spilled: 0 }
    }

    fn count(&mut self, place: Place, bytes: u64) {
        self.units += 1;
        self.bytes += bytes;
        self.conversations += u64::from(self.last.replace(place) != Some(place));
    }

    /// Draws one unit: a small sample keeps it, the row of a large one is returned.
    fn draw(&mut self, id: &UnitId, place: Place, sample: &SampleSettings) -> Option<Candidate> {
        let size = self.size?;
        let (key, turn) = (id.key(), id.turn?);
        let u = draw_number(sample.seed, PURPOSE, sample.draw, &key);
        match size {
            SampleSize::Count(_) => {
                self.keeper.offer(Drawn { u, key, payload: (place, turn) });
                None
            }
            SampleSize::All | SampleSize::Rate(_) => {
                let is_drawn = wants(size, u);
                self.spilled += u64::from(is_drawn);
                let key = key.leading_u128();
                is_drawn.then_some(Candidate { stratum: self.tag, u, key, place, turn })
            }
        }
    }

    fn planned(&self, stratum: Stratum) -> PlannedStratum {
        PlannedStratum {
            stratum,
            units: self.units,
            conversations: self.conversations,
            bytes: self.bytes,
            planned: self.spilled + self.keeper.len() as u64,
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

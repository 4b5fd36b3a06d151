//! From the samples of all strata to a snapshot of the selected conversations in order of admission.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::rows::{Candidate, Pick, Place};
use super::runs::{Runs, Sorted, write};
use super::tally::tag;
use super::{CensusError, Task};
use crate::cache::units::{Selected, Snapshot, SnapshotWriter};
use crate::model::conversation::Conversation;
use crate::model::event::{Ordinal, PlannedStratum};
use crate::model::hash::Digest;
use crate::model::unit::{Stratum, UnitId, UnitKind};
use crate::plan::strata::admission_order;
use crate::source::{Filter, Parser, RawRecords, Record, SourceFile, group_of};

/// Numbers the sampled units in order of admission, up to the limit of the sample, and corrects the planned sizes of
/// the strata to what is left. Where conversations are drawn, they are what strata take turns by and what the limit
/// counts, and their turns follow each other. Returns the units in the order of the corpus.
pub(super) fn admit(
    task: &Task<'_>,
    strata: &mut [PlannedStratum],
    candidates: Runs<{ Candidate::BYTES }>,
) -> Result<Sorted<{ Pick::BYTES }>, CensusError> {
    let (samples, starts) = by_stratum(task, strata, candidates)?;
    let drawn: Vec<u64> =
        strata.iter().map(|stratum| stratum.conversations_planned.unwrap_or(stratum.planned)).collect();
    let limit = task.sample.limit.unwrap_or(u64::MAX);
    for stratum in &mut *strata {
        stratum.planned = 0;
        stratum.conversations_planned = stratum.conversations_planned.map(|_| 0);
    }
    let mut picks = Runs::new(&task.place.census);
    let mut ordinal = 0;
    for (_, (index, rank)) in (0..limit).zip(admission_order(&drawn)) {
        let mut row = [0; Candidate::BYTES];
        let start = starts.get(index).copied().unwrap_or_default();
        samples.read_exact_at(&mut row, (start + rank) * Candidate::BYTES as u64)?;
        let Candidate { place, turns, key, .. } = Candidate::decode(row);
        let stratum = u32::try_from(index).expect("classes times groups are far fewer than four billion");
        picks.push(Pick { place, ordinal, stratum, turns, key }.encode())?;
        ordinal += u64::from(turns.count);
        if let Some(stratum) = strata.get_mut(index) {
            stratum.planned += u64::from(turns.count);
            stratum.conversations_planned = stratum.conversations_planned.map(|planned| planned + 1);
        }
    }
    Ok(picks.sorted()?)
}

/// All samples in one file, each in order of u, and where each stratum's begins.
fn by_stratum(
    task: &Task<'_>,
    strata: &[PlannedStratum],
    candidates: Runs<{ Candidate::BYTES }>,
) -> io::Result<(File, Vec<u64>)> {
    let numbers: HashMap<u128, usize> =
        strata.iter().enumerate().map(|(index, stratum)| (tag(&stratum.stratum), index)).collect();
    let mut starts = vec![0; strata.len()];
    let mut last = None;
    let rows = (0..).zip(candidates.sorted()?).map(|(position, row)| {
        let row = row?;
        let stratum = Candidate::decode(row).stratum;
        if last.replace(stratum) != Some(stratum)
            && let Some(start) = numbers.get(&stratum).and_then(|index| starts.get_mut(*index))
        {
            *start = position;
        }
        Ok(row)
    });
    let samples = write(&task.place.census, rows)?;
    Ok((samples, starts))
}

/// Copies the selected conversations into a snapshot, in one more pass over the files that hold any.
pub(super) fn copy(
    task: &Task<'_>,
    files: &[SourceFile],
    digest: &Digest,
    strata: &[PlannedStratum],
    picks: Sorted<{ Pick::BYTES }>,
) -> Result<Snapshot, CensusError> {
    let filter = Filter::new(&task.corpus.filter)?;
    let names: Vec<Stratum> = strata.iter().map(|stratum| stratum.stratum.clone()).collect();
    let units = strata.iter().map(|stratum| stratum.planned).sum();
    let mut writer = SnapshotWriter::create(&task.place.units, digest, &names, units)?;
    let mut picks = picks.map(|row| row.map(Pick::decode)).peekable();
    let mut open: Option<Open<'_>> = None;
    while let Some(first) = picks.next().transpose()? {
        let mut selected = vec![first];
        while let Some(next) = picks.next_if(|next| next.as_ref().is_ok_and(|next| next.place == first.place)) {
            selected.push(next?);
        }
        let file = files.get(first.place.file as usize).expect("a place names a file of the corpus");
        if open.as_ref().is_none_or(|open| open.index != first.place.file) {
            let parser = Parser::new(file, task.corpus, &filter);
            open = Some(Open { index: first.place.file, records: RawRecords::open(file, task.corpus)?, parser });
        }
        let changed = || CensusError::Changed { file: file.name.clone() };
        let conversation = open.as_mut().and_then(|open| open.conversation(first.place).transpose());
        let conversation = conversation.ok_or_else(changed)??;
        if !is_what_was_counted(task, &conversation, &selected) {
            return Err(changed());
        }
        let units: Vec<_> = selected.iter().flat_map(|pick| pick.units(task.corpus.unit, &conversation)).collect();
        writer.add(&conversation, &units)?;
    }
    Ok(writer.finish()?)
}

impl Pick {
    /// Its units, in their order.
    fn units(&self, unit: UnitKind, conversation: &Conversation) -> impl Iterator<Item = Selected> {
        let turns = conversation.turns().skip_while(|turn| *turn < self.turns.first);
        let numbered = (self.ordinal..).map(Ordinal).zip(turns.take(self.turns.count as usize));
        let stratum = self.stratum;
        numbered.map(move |(ordinal, turn)| Selected { ordinal, stratum, turn: unit.is_turn().then_some(turn) })
    }
}

/// The file that is being copied from.
struct Open<'a> {
    index: u32,
    records: RawRecords<'a>,
    parser: Parser<'a>,
}

impl Open<'_> {
    /// The conversation at a later place of this file; `None` if it is not there any more.
    fn conversation(&mut self, place: Place) -> Result<Option<Conversation>, CensusError> {
        for record in &mut self.records {
            let record = record?;
            if record.number == place.record {
                return Ok(match self.parser.parse(record)? {
                    Record::Conversation { conversation, line: _ } => Some(conversation),
                    Record::FilteredOut | Record::Unreadable { .. } => None,
                });
            }
        }
        Ok(None)
    }
}

fn is_what_was_counted(task: &Task<'_>, conversation: &Conversation, selected: &[Pick]) -> bool {
    let group = group_of(conversation, &task.corpus.group_by);
    let id = UnitId { group, conversation: conversation.id.clone(), turn: None };
    selected.iter().all(|pick| {
        let is_whole = pick.units(task.corpus.unit, conversation).count() == pick.turns.count as usize;
        is_whole && task.drawn_key(&task.named(&id, pick.turns.first)).leading_u128() == pick.key
    })
}

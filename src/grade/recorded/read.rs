//! Goes through a file of verdicts once: counts its lines, and sets aside what concerns the sample.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::error::RecordedError;
use super::line::{About, Entry, Line, Unseen, entry};
use super::records::for_each;
use super::scale::Scale;
use super::settings::RecordedSettings;
use super::{Place, Verdicts, entry_at};
use crate::cache::units::Addresses;
use crate::model::behaviour::Behaviour;
use crate::model::hash::Digest;
use crate::model::recorded::{Recorded, RecordedLines};
use crate::model::unit::{Group, UnitId, UnitKind};

/// Unreadable lines that are named.
const EXAMPLES: usize = 5;

/// Which units verdicts are wanted of.
#[derive(Debug)]
pub struct Selection<'a> {
    /// The sample.
    pub sample: Addresses,
    /// Known positives.
    pub known: Addresses,
    /// Address of one unit of the sample, for messages; absent without any.
    pub example: Option<String>,
    /// What is graded.
    pub unit: UnitKind,
    /// The fields that groups are formed by.
    pub group_by: &'a [String],
    /// Where there is room for what is set aside.
    pub scratch: &'a Path,
}

/// Reads a file of verdicts. Blocks: a few microseconds a line.
///
/// # Errors
/// See [`RecordedError`]. A line that cannot be read is counted, and its unit has no verdict.
pub fn read(
    settings: &RecordedSettings,
    behaviour: &Behaviour,
    selection: &Selection<'_>,
) -> Result<Verdicts, RecordedError> {
    let at_scratch = |source| RecordedError::Spool { path: selection.scratch.to_owned(), source };
    let spool = tempfile::tempfile_in(selection.scratch).or_else(|_| tempfile::tempfile()).map_err(at_scratch)?;
    let writer = BufWriter::new(spool.try_clone().map_err(at_scratch)?);
    let mut reading = Reading {
        settings,
        behaviour,
        selection,
        spool,
        writer,
        end: 0,
        index: HashMap::new(),
        lines: RecordedLines::default(),
        with_turn: None,
        without_turn: None,
        unseen: Unseen::new(&settings.columns),
        scale: Scale::default(),
    };
    let digest = for_each(settings, |number, line| reading.line(number, line))?;
    reading.finish(digest)
}

/// What a file of verdicts is, whatever the sample: how many lines it has and how many of them cannot be read.
///
/// # Errors
/// The file cannot be opened or read.
pub fn examine(
    settings: &RecordedSettings,
    behaviour: &Behaviour,
    group_by: &[String],
) -> Result<Recorded, RecordedError> {
    let mut lines = RecordedLines::default();
    let (mut unseen, mut scale) = (Unseen::new(&settings.columns), Scale::default());
    let digest = for_each(settings, |number, line| {
        let said = line.and_then(|line| {
            unseen.look_at(&line);
            About::read(&line, &settings.columns, group_by)?;
            entry(&line, settings, behaviour)
        });
        lines.read += 1;
        match said {
            Ok(Some(entry)) => {
                scale.see(&entry);
                lines.used += 1;
            }
            Ok(None) => lines.empty += 1,
            Err(reason) => unreadable(&mut lines, settings, number, &reason),
        }
        Ok(())
    })?;
    unseen.check(&settings.name)?;
    scale.check(settings)?;
    Ok(recorded(settings, digest, lines))
}

fn unreadable(lines: &mut RecordedLines, settings: &RecordedSettings, number: u64, reason: &str) {
    lines.unreadable += 1;
    if lines.examples.len() < EXAMPLES {
        lines.examples.push(format!("{}:{number}: {reason}", settings.name));
    }
}

fn recorded(settings: &RecordedSettings, digest: Digest, lines: RecordedLines) -> Recorded {
    Recorded {
        file: settings.name.clone(),
        digest,
        reading: settings.digest(),
        evidence: settings.evidence,
        has_scores: settings.columns.score.is_some(),
        lines,
    }
}

/// A file on its way.
struct Reading<'a> {
    settings: &'a RecordedSettings,
    behaviour: &'a Behaviour,
    selection: &'a Selection<'a>,
    spool: File,
    writer: BufWriter<File>,
    /// Where the next entry goes.
    end: u64,
    index: HashMap<u128, Place>,
    lines: RecordedLines,
    /// The first line about the sample that names a turn.
    with_turn: Option<u64>,
    /// The first that does not.
    without_turn: Option<u64>,
    unseen: Unseen,
    scale: Scale,
}

impl Reading<'_> {
    fn line(&mut self, number: u64, line: Result<Line, String>) -> Result<(), RecordedError> {
        self.lines.read += 1;
        let about = line.and_then(|line| {
            self.unseen.look_at(&line);
            let about = About::read(&line, &self.settings.columns, self.selection.group_by)?;
            Ok((line, about))
        });
        let (line, about) = match about {
            Ok(read) => read,
            Err(reason) => {
                unreadable(&mut self.lines, self.settings, number, &reason);
                return Ok(());
            }
        };
        let (units, of_sample) = self.units(&about, number)?;
        if units.is_empty() {
            self.lines.elsewhere += 1;
            return Ok(());
        }
        match entry(&line, self.settings, self.behaviour) {
            Err(reason) => unreadable(&mut self.lines, self.settings, number, &reason),
            Ok(None) => self.lines.empty += 1,
            Ok(Some(entry)) => {
                self.scale.see(&entry);
                self.keep((&units, of_sample), &entry, number)?;
            }
        }
        Ok(())
    }

    /// The selected units that a line is about: one of the sample, else known positives; and whether it is the former.
    fn units(&mut self, about: &About, line: u64) -> Result<(Vec<UnitId>, bool), RecordedError> {
        let (mut units, mut of_sample) = (Vec::new(), false);
        for (conversation, turn) in self.readings(about) {
            let by_turn = turn.is_some() || !self.selection.unit.is_turn();
            let groups_in = |addresses: &Addresses| -> Vec<Group> {
                let groups = if by_turn {
                    addresses.groups_of(conversation, turn)
                } else {
                    addresses.groups_of_any_turn(conversation)
                };
                let is_meant = |group: &&Group| about.group.as_ref().is_none_or(|values| group.0 == *values);
                groups.into_iter().filter(is_meant).cloned().collect()
            };
            let mut groups = groups_in(&self.selection.sample);
            if groups.len() > 1 {
                return Err(RecordedError::SeveralGroups {
                    file: self.settings.name.clone(),
                    line,
                    unit: about.unit.clone(),
                    field: self.selection.group_by.first().cloned().unwrap_or_default(),
                });
            }
            // A line about a unit of the sample says nothing of a known positive of the same name: its text is another.
            of_sample = !groups.is_empty();
            if !of_sample {
                groups = groups_in(&self.selection.known);
            }
            let named = |group| UnitId { group, conversation: conversation.to_owned(), turn };
            units.extend(groups.into_iter().map(named));
            if !units.is_empty() {
                if self.selection.unit.is_turn() {
                    self.note_form(turn.is_some(), line)?;
                }
                break;
            }
        }
        Ok((units, of_sample))
    }

    /// How the unit's column can be read: as an address where a turn is wanted, else as an id.
    fn readings<'b>(&self, about: &'b About) -> Vec<(&'b str, Option<u32>)> {
        let whole = (about.unit.as_str(), about.turn);
        // A line about a turn says nothing of a conversation.
        if !self.selection.unit.is_turn() {
            return if about.turn.is_none() { vec![whole] } else { Vec::new() };
        }
        let split = about.unit.rsplit_once('#').filter(|_| about.turn.is_none());
        let address = split.and_then(|(id, turn)| Some((id, Some(turn.parse().ok()?))));
        address.into_iter().chain([whole]).collect()
    }

    /// Lines of both forms may mean one turn, or two.
    fn note_form(&mut self, has_turn: bool, line: u64) -> Result<(), RecordedError> {
        let first = if has_turn { &mut self.with_turn } else { &mut self.without_turn };
        first.get_or_insert(line);
        match (self.with_turn, self.without_turn) {
            (Some(with), Some(without)) => {
                Err(RecordedError::Mixed { file: self.settings.name.clone(), with, without })
            }
            (Some(_) | None, None) | (None, Some(_)) => Ok(()),
        }
    }

    fn keep(&mut self, (units, of_sample): (&[UnitId], bool), entry: &Entry, line: u64) -> Result<(), RecordedError> {
        let bytes = serde_json::to_vec(entry).expect("an entry is plain numbers and strings");
        let mut offset = None;
        for unit in units {
            let is_conversation = unit.turn.is_none() && self.selection.unit.is_turn();
            let key = if is_conversation { unit.conversation_key() } else { unit.key() }.leading_u128();
            if let Some(earlier) = self.index.get(&key).copied() {
                if self.entry(earlier)? != bytes {
                    let (file, unit) = (self.settings.name.clone(), unit.to_string());
                    return Err(RecordedError::Contradiction { file, unit, first: earlier.line, second: line });
                }
                continue;
            }
            let place = match offset {
                Some(offset) => offset,
                None => self.write(&bytes)?,
            };
            offset = Some(place);
            self.index.insert(key, Place::new(place, line, of_sample));
        }
        if offset.is_some() {
            self.lines.used += 1;
        } else {
            self.lines.repeated += 1;
        }
        Ok(())
    }

    fn entry(&mut self, place: Place) -> Result<Vec<u8>, RecordedError> {
        self.writer.flush().and_then(|()| entry_at(&self.spool, place.offset())).map_err(|source| self.failed(source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<u64, RecordedError> {
        // A line is at most as long as `max_line_bytes` allows, and an entry repeats a part of it.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let written = self.writer.write_all(&length.to_le_bytes()).and_then(|()| self.writer.write_all(bytes));
        written.map_err(|source| self.failed(source))?;
        let offset = self.end;
        self.end += 4 + u64::from(length);
        Ok(offset)
    }

    fn failed(&self, source: std::io::Error) -> RecordedError {
        RecordedError::Spool { path: self.selection.scratch.to_owned(), source }
    }

    fn finish(mut self, digest: Digest) -> Result<Verdicts, RecordedError> {
        self.writer.flush().map_err(|source| self.failed(source))?;
        self.unseen.check(&self.settings.name)?;
        self.scale.check(self.settings)?;
        let lines = self.lines;
        if let Some(selected) = self.selection.example.clone().filter(|_| lines.used == 0) {
            let first = lines.examples.first().map(|first| format!(" ({first})")).unwrap_or_default();
            let file = self.settings.name.clone();
            let (lines, unreadable) = (lines.read, lines.unreadable);
            return Err(RecordedError::Nothing { file, lines, unreadable, first, selected });
        }
        Ok(Verdicts {
            recorded: recorded(self.settings, digest, lines),
            index: self.index,
            without_turns: self.without_turn.is_some(),
            spool: self.spool,
        })
    }
}

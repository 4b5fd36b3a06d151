//! Turns of the corpus outside the audited sample: drawn in one walk, fetched in another, so that memory holds places and
//! never conversations.

use super::error::SensitivityError;
use super::sample::Selected;
use crate::model::conversation::Conversation;
use crate::model::unit::UnitId;
use crate::prefilter::Scratch;
use crate::run::assemble::Assembly;
use crate::source::{self, Filter, Record, SourceFile, group_of};

/// Where a turn stands in the corpus: file, record of the file, message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) record: u64,
    pub(super) turn: u32,
}

/// A turn that is not in the audited sample.
pub(super) struct Host<'a> {
    pub(super) place: Place,
    pub(super) unit: &'a UnitId,
    pub(super) class: &'a str,
    pub(super) conversation: &'a Conversation,
}

/// The files of the corpus, which must be there to be read again.
pub(super) fn corpus_files(assembly: &Assembly) -> Result<Vec<SourceFile>, SensitivityError> {
    let files = source::files(&assembly.audit.corpus)?;
    if files.iter().any(SourceFile::is_stdin) { Err(SensitivityError::StandardInput) } else { Ok(files) }
}

/// Visits every turn outside the audited sample, in the order of the corpus.
pub(super) fn for_each_host(
    assembly: &Assembly,
    files: &[SourceFile],
    mut visit: impl FnMut(&Host<'_>),
) -> Result<(), SensitivityError> {
    let selected = Selected::of(assembly)?;
    let mut scratch = Scratch::default();
    for_each_conversation(assembly, files, |file, record, conversation| {
        let group = group_of(conversation, &assembly.audit.corpus.group_by);
        let whole = UnitId { group, conversation: conversation.id.clone(), turn: None };
        let turns = conversation.turns().filter_map(|turn| Some((turn, conversation.message(turn)?)));
        let turns = turns.map(|(turn, message)| (turn, assembly.screener.class_of(message, &mut scratch)));
        let turns: Vec<_> = turns.collect();
        let most_specific = turns.iter().map(|(_, class)| *class).min();
        for (turn, class) in turns.iter().copied() {
            let unit = UnitId { turn: Some(turn), ..whole.clone() };
            let (of_corpus, classes) = (&assembly.audit.corpus, assembly.screener.classes());
            // Where conversations are drawn, each is in the stratum of its most specific turn.
            let drawn_in = if of_corpus.takes_whole() { most_specific } else { Some(class) };
            let (Some(class), Some(drawn_in)) = (classes.get(class), drawn_in.and_then(|class| classes.get(class)))
            else {
                continue;
            };
            let drawn = if of_corpus.unit.is_turn() { &unit } else { &whole };
            if !selected.contains(drawn_in, drawn) {
                visit(&Host { place: Place { file, record, turn }, unit: &unit, class, conversation });
            }
        }
        Ok(())
    })
}

/// Hands over the conversations at these places, in the order of the corpus.
pub(super) fn fetch<T>(
    assembly: &Assembly,
    files: &[SourceFile],
    mut wanted: Vec<(Place, T)>,
    mut visit: impl FnMut(Place, T, &Conversation) -> Result<(), SensitivityError>,
) -> Result<(), SensitivityError> {
    wanted.sort_by_key(|(place, _)| *place);
    let mut wanted = wanted.into_iter().peekable();
    for_each_conversation(assembly, files, |file, record, conversation| {
        while let Some((place, payload)) = wanted.next_if(|(place, _)| (place.file, place.record) == (file, record)) {
            visit(place, payload, conversation)?;
        }
        Ok(())
    })?;
    match wanted.next().and_then(|(place, _)| files.get(place.file)) {
        Some(file) => Err(SensitivityError::Changed { file: file.name.clone() }),
        None => Ok(()),
    }
}

fn for_each_conversation(
    assembly: &Assembly,
    files: &[SourceFile],
    mut visit: impl FnMut(usize, u64, &Conversation) -> Result<(), SensitivityError>,
) -> Result<(), SensitivityError> {
    let corpus = &assembly.audit.corpus;
    let filter = Filter::new(&corpus.filter)?;
    for (index, file) in files.iter().enumerate() {
        for (number, record) in (1..).zip(source::read(file, corpus, &filter)?) {
            match record? {
                Record::Conversation { conversation, .. } => visit(index, number, &conversation)?,
                Record::FilteredOut | Record::Unreadable { .. } => {}
            }
        }
    }
    Ok(())
}

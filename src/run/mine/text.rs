//! Phrases of conversations, unit by unit, from their copies.

use std::collections::BTreeSet;

use crate::cache::units::{ReadBuffers, SelectedUnit, Units, UnitsError, UnitsReader};
use crate::model::conversation::{Channel, Message};
use crate::model::event::Ordinal;
use crate::prefilter::mine::{Distinct, Probe, phrases};

/// Reads the units' own text: of a turn nothing that stands around it.
pub(super) struct Texts<'a> {
    reader: UnitsReader<'a>,
    channels: BTreeSet<Channel>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(units: &'a Units, channels: BTreeSet<Channel>) -> Self {
        Self { reader: units.reader(ReadBuffers::default()), channels }
    }

    /// Calls `visit` with the distinct phrases of each conversation's units.
    pub(super) fn each(
        &mut self,
        conversations: &[&[Ordinal]],
        mut visit: impl FnMut(&Distinct),
    ) -> Result<(), UnitsError> {
        let mut distinct = Distinct::new();
        for ordinals in conversations {
            distinct.clear();
            for ordinal in *ordinals {
                let unit = self.reader.get(*ordinal)?;
                for message in own(&unit) {
                    phrases(message, &self.channels, |phrase, words| {
                        if !distinct.contains_key(phrase) {
                            distinct.insert(phrase.into(), words);
                        }
                    });
                }
            }
            visit(&distinct);
        }
        Ok(())
    }

    /// Which phrases of the probe a unit holds.
    pub(super) fn found(&mut self, ordinal: Ordinal, probe: &Probe) -> Result<u64, UnitsError> {
        let unit = self.reader.get(ordinal)?;
        Ok(own(&unit).fold(0, |found, message| found | probe.found(message, &self.channels)))
    }
}

/// The messages that a unit consists of.
fn own(unit: &SelectedUnit) -> impl Iterator<Item = &Message> {
    let conversation = &unit.conversation;
    let turns = conversation.turns().filter(|turn| unit.id.turn.is_none_or(|only| only == *turn));
    turns.filter_map(|turn| conversation.message(turn))
}

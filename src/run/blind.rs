//! One text as people read it who are not to know what stands behind it.

use serde::Serialize;

use super::conclude::plan_of;
use super::folder::RunFolder;
use super::gold::{GoldSet, GoldText};
use super::settings::Workspace;
use super::view::{ViewError, snapshot};
use crate::model::conversation::{Conversation, Message};
use crate::model::event::{Admitted, Event, Ordinal};
use crate::model::review_id::ReviewId;
use crate::model::unit::UnitId;

/// The messages up to the turn, and nothing that tells a unit from a gold item: no id, no metadata, no cue, no verdict. What
/// follows the turn is left out, since gold ends with what is judged.
#[derive(Debug, Serialize)]
pub struct BlindView {
    /// The name that was asked for.
    pub unit: String,
    /// Position of the turn among all messages.
    pub turn: Option<u32>,
    /// The messages up to the turn.
    pub messages: Vec<Message>,
}

impl BlindView {
    /// A conversation under this name.
    #[must_use]
    pub fn of(name: &str, turn: Option<u32>, conversation: Conversation) -> Self {
        let Conversation { id: _, mut messages, metadata: _ } = conversation;
        if let Some(turn) = turn {
            messages.truncate(turn as usize + 1);
        }
        Self { unit: name.to_owned(), turn, messages }
    }
}

/// What stands behind a pseudonym.
#[derive(Debug)]
pub enum Behind {
    /// A unit of the run.
    Unit(Ordinal, UnitId),
    /// A gold item.
    Gold(Box<GoldText>),
}

/// What stands behind a pseudonym. Reads the journal once.
///
/// # Errors
/// As for [`super::view::view`].
pub fn behind(workspace: &Workspace, folder: &RunFolder, id: ReviewId) -> Result<Behind, ViewError> {
    if let Some(gold) = GoldSet::read(workspace, &plan_of(folder)?)?.find(id) {
        return Ok(Behind::Gold(Box::new(gold.clone())));
    }
    for event in folder.events() {
        if let Event::Admitted(Admitted { ordinal, unit, .. }) = event?
            && ReviewId::of_unit(&unit) == id
        {
            return Ok(Behind::Unit(ordinal, unit));
        }
    }
    Err(ViewError::Unknown { run: folder.id.clone(), address: id.to_string() })
}

/// The text with this address or pseudonym; several if groups share an address. Reads the journal once.
///
/// # Errors
/// As for [`super::view::view`].
pub fn blind(workspace: &Workspace, folder: &RunFolder, name: &str) -> Result<Vec<BlindView>, ViewError> {
    let units = || snapshot(workspace, &plan_of(folder)?);
    if let Ok(id) = name.parse::<ReviewId>() {
        let view = match behind(workspace, folder, id)? {
            Behind::Gold(gold) => BlindView::of(name, Some(gold.turn), gold.conversation),
            Behind::Unit(ordinal, unit) => BlindView::of(name, unit.turn, units()?.get(ordinal)?.conversation),
        };
        return Ok(vec![view]);
    }
    let units = units()?;
    let found = units.find(name)?;
    if found.is_empty() {
        return Err(ViewError::Unknown { run: folder.id.clone(), address: name.to_owned() });
    }
    let views = found.into_iter().map(|ordinal| {
        let unit = units.get(ordinal)?;
        Ok(BlindView::of(name, unit.id.turn, unit.conversation))
    });
    views.collect()
}

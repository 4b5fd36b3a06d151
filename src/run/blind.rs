//! One text as people read it who are not to know what stands behind it.

use serde::Serialize;

use super::conclude::plan_of;
use super::folder::RunFolder;
use super::gold::GoldSet;
use super::settings::Workspace;
use super::view::{ViewError, snapshot};
use crate::model::conversation::{Conversation, Message};
use crate::model::event::{Admitted, Event};
use crate::model::review_id::ReviewId;

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
    fn of(name: &str, turn: Option<u32>, conversation: Conversation) -> Self {
        let Conversation { id: _, mut messages, metadata: _ } = conversation;
        if let Some(turn) = turn {
            messages.truncate(turn as usize + 1);
        }
        Self { unit: name.to_owned(), turn, messages }
    }
}

/// The text with this address or pseudonym; several if groups share an address. Reads the journal once.
///
/// # Errors
/// As for [`super::view::view`].
pub fn blind(workspace: &Workspace, folder: &RunFolder, name: &str) -> Result<Vec<BlindView>, ViewError> {
    let planned = plan_of(folder)?;
    let Ok(id) = name.parse::<ReviewId>() else {
        let units = snapshot(workspace, &planned)?;
        let found = units.find(name)?;
        if found.is_empty() {
            return Err(ViewError::Unknown { run: folder.id.clone(), address: name.to_owned() });
        }
        let views = found.into_iter().map(|ordinal| {
            let unit = units.get(ordinal)?;
            Ok(BlindView::of(name, unit.id.turn, unit.conversation))
        });
        return views.collect();
    };
    if let Some(gold) = GoldSet::read(workspace, &planned)?.find(id) {
        return Ok(vec![BlindView::of(name, Some(gold.turn), gold.conversation.clone())]);
    }
    for event in folder.events() {
        if let Event::Admitted(Admitted { ordinal, unit, .. }) = event?
            && ReviewId::of_unit(&unit) == id
        {
            let unit = snapshot(workspace, &planned)?.get(ordinal)?;
            return Ok(vec![BlindView::of(name, unit.id.turn, unit.conversation)]);
        }
    }
    Err(ViewError::Unknown { run: folder.id.clone(), address: name.to_owned() })
}

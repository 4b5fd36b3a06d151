//! Blind draws on their way to people and back: a queue line holds what is to be read and a place for the decision, a
//! read line what was decided, without text.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::SensitivityError;
use super::files::{Unreadable, files_of, for_each_line};
use crate::model::conversation::{Channel, Conversation, Message};
use crate::model::hash::Digest;
use crate::model::label::Decision;
use crate::prefilter::channel_text;

/// The version of both lines that this build writes.
pub(super) const QUEUE_FORMAT: u32 = 1;

/// One drawn turn, for a person to read. It says nothing of any verdict.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueLine {
    pub(super) id: String,
    /// For the person to fill in.
    pub(super) decision: Option<Decision>,
    /// Who reads it.
    #[serde(default)]
    pub(super) seat: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    pub(super) unit: String,
    pub(super) group: BTreeMap<String, String>,
    pub(super) class: String,
    /// The turn, channel by channel.
    pub(super) text: String,
    pub(super) behaviour: String,
    pub(super) seed: u64,
    pub(super) draw: u32,
    pub(super) turn: u32,
    pub(super) conversation: Conversation,
    pub(super) format: u32,
}

/// What a person decided about one drawn turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadLine {
    pub(super) format: u32,
    pub(super) behaviour: String,
    pub(super) unit: String,
    pub(super) group: BTreeMap<String, String>,
    pub(super) class: String,
    pub(super) seed: u64,
    pub(super) draw: u32,
    pub(super) seat: String,
    pub(super) at: String,
    pub(super) decision: Decision,
    /// Digest of what was read.
    pub(super) content: Digest,
}

/// A turn as people read it in a queue.
pub(super) fn turn_text(message: &Message) -> String {
    let channels = Channel::ALL.into_iter().filter_map(|channel| {
        let text = channel_text(message, channel);
        (!text.is_empty()).then(|| format!("[{}] {text}", channel.as_str()))
    });
    channels.collect::<Vec<_>>().join("\n\n")
}

/// What people have read in this workspace, over all queues. Two decisions of one seat about one content are one: the last.
pub(super) fn read_lines(folder: &Path) -> Result<(Vec<ReadLine>, Unreadable), SensitivityError> {
    let (mut lines, mut unreadable) = (Vec::<ReadLine>::new(), Unreadable::default());
    for path in files_of(&folder.join("read"))? {
        let name = format!("labels/sensitivity/read/{}", path.file_name().unwrap_or_default().to_string_lossy());
        for_each_line(&path, |number, line| {
            let read = line.ok().and_then(|line| serde_json::from_str::<ReadLine>(line).ok());
            match read.filter(|read| read.format <= QUEUE_FORMAT) {
                Some(read) => lines.push(read),
                None => unreadable.add(&name, number, "not a decision of this version of assize"),
            }
            Ok(())
        })?;
    }
    let mut seen = HashSet::new();
    lines.reverse();
    lines.retain(|line| seen.insert((line.seat.clone(), line.content, line.behaviour.clone())));
    lines.reverse();
    Ok((lines, unreadable))
}

//! Units: what is drawn, graded and counted; the groups they are compared by and the strata they are drawn from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::{Digest, PartHasher};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// One assistant message.
    #[default]
    Turn,
    /// The turns that share a thread.
    Conversation,
}

impl UnitKind {
    /// The singular, for tables and sentences.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Conversation => "conversation",
        }
    }

    /// Whether it is the turn.
    #[must_use]
    pub const fn is_turn(&self) -> bool {
        matches!(self, Self::Turn)
    }
}

/// What is compared: one value per `group_by` field, in the order of the audit file. A missing value is `""`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(pub Vec<String>);

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("all");
        }
        let shown: Vec<_> = self.0.iter().map(|value| if value.is_empty() { "(none)" } else { value }).collect();
        f.write_str(&shown.join(" · "))
    }
}

/// Names one unit: the same id in another group is another unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitId {
    /// The group values of its conversation.
    pub group: Group,
    /// The conversation's id.
    pub conversation: String,
    /// Position of the turn among all messages; absent where the unit is the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
}

impl UnitId {
    /// The digest of group values, conversation id and turn: the unit's key in every draw.
    #[must_use]
    pub fn key(&self) -> Digest {
        let mut hasher = self.parts("unit");
        hasher.number(self.turn.map_or(u64::MAX, u64::from));
        hasher.finish()
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> UnitKind {
        match self.turn {
            Some(_) => UnitKind::Turn,
            None => UnitKind::Conversation,
        }
    }

    /// The key of the conversation that the unit belongs to: what is drawn where whole conversations are, and its
    /// cluster where a field of the metadata gives no other.
    #[must_use]
    pub fn conversation_key(&self) -> Digest {
        self.parts("unit-conversation").finish()
    }

    fn parts(&self, purpose: &str) -> PartHasher {
        let mut hasher = PartHasher::new(purpose);
        hasher.number(self.group.0.len() as u64);
        for value in &self.group.0 {
            hasher.part(value.as_bytes());
        }
        hasher.part(self.conversation.as_bytes());
        hasher
    }
}

/// The address a person types: `conversation-id#index`, or the conversation's id alone.
impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.conversation)?;
        self.turn.map_or(Ok(()), |turn| write!(f, "#{turn}"))
    }
}

/// The name of the class that every unit without a prefilter hit belongs to.
pub const CLASS_NONE: &str = "none";

/// A slice of the corpus with its own sampling rate: prefilter class x group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stratum {
    /// A class of `cues.toml`, or [`CLASS_NONE`].
    pub class: String,
    /// The group.
    pub group: Group,
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.class, self.group)
    }
}

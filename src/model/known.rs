//! Known positives: units of which it is certain, whatever graders say, that they show the behaviour. One item is one
//! line of `labels/sensitivity/*.jsonl`; `known_plan` is what a run grades of them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::conversation::{Channel, Conversation, Role};
use super::found_by::{FoundBy, NotFoundBy};
use super::hash::{Digest, PartHasher};
use super::unit::{Group, UnitId, UnitKind};

/// The version of an item's line that this build writes.
pub const KNOWN_FORMAT: u32 = 1;

/// Known positives with a usable verdict that a corrected figure needs, in the group and class it is corrected by.
pub const LEAST_USABLE: u64 = 20;
/// Those of them that have to pass the gate.
pub const LEAST_PASSED: u64 = 10;

/// The words of an item that show the behaviour, where whoever made it knows them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownEvidence {
    /// Where they stand.
    pub channel: Channel,
    /// The words, exactly.
    pub quote: String,
}

impl fmt::Debug for KnownEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownEvidence({}, {} bytes)", self.channel.as_str(), self.quote.len())
    }
}

/// One known positive, complete: it can be graded without the corpus.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct KnownPositive {
    /// [`KNOWN_FORMAT`].
    pub format: u32,
    /// Its name.
    pub id: String,
    /// The behaviour that it shows.
    pub behaviour: String,
    /// Values of the fields that groups are made of.
    pub group: BTreeMap<String, String>,
    /// How it was found.
    pub found_by: FoundBy,
    /// What it shares with other items: the conversation or template they come from. One item of a source counts.
    pub source: String,
    /// Who decided that it shows the behaviour.
    pub seat: String,
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The words that show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<KnownEvidence>,
    /// Position of the turn among all messages.
    pub turn: u32,
    /// The whole conversation.
    pub conversation: Conversation,
}

impl fmt::Debug for KnownPositive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownPositive({}, {}, {:?}#{})", self.id, self.found_by.as_str(), self.conversation, self.turn)
    }
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// An item as people write it: what it lacks, the command line can add.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDraft {
    #[serde(default, rename = "format")]
    _format: Option<u32>,
    id: String,
    #[serde(default)]
    behaviour: Option<String>,
    #[serde(default)]
    group: Option<BTreeMap<String, String>>,
    #[serde(default)]
    found_by: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    seat: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    evidence: Option<KnownEvidence>,
    turn: u32,
    conversation: Box<RawValue>,
}

impl fmt::Debug for KnownDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownDraft({}, {} bytes)", self.id, self.conversation.get().len())
    }
}

/// A time stamp, from Unix time in milliseconds.
#[must_use]
pub fn moment(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}

/// What stands in for fields that a draft lacks.
#[derive(Debug, Clone, Default)]
pub struct KnownDefaults {
    /// The behaviour.
    pub behaviour: Option<String>,
    /// How items were found.
    pub found_by: Option<FoundBy>,
    /// Who decided.
    pub seat: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// Why a line is no known positive. Says where, never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// It cannot be read.
    #[error("not a known positive at column {column}: {problem}")]
    Malformed {
        /// Column of the line, from 1.
        column: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A later version of assize wrote it.
    #[error("the line has format {format}, and this version of assize reads up to {KNOWN_FORMAT}")]
    Newer {
        /// Its format.
        format: u32,
    },
    /// A field that nothing stands in for is missing.
    #[error("the item lacks `{field}`")]
    Lacks {
        /// The field.
        field: &'static str,
    },
    /// The way it was found is not one that counts.
    #[error(transparent)]
    FoundBy(#[from] NotFoundBy),
    /// `at` is no time.
    #[error("`at` is not a time such as 2026-11-23T17:40:12Z")]
    NotATime,
    /// `turn` is not an assistant message.
    #[error("message {turn} of the conversation is not an assistant message: `turn` counts from 0")]
    NotATurn {
        /// The position.
        turn: u32,
    },
}

/// What a serde error says without quoting the line, which holds somebody's private words.
fn malformed(error: &serde_json::Error) -> NotKnown {
    let problem = match error.classify() {
        serde_json::error::Category::Data => "a field is missing, unknown, or has a wrong value",
        serde_json::error::Category::Eof => "the line ends too early",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "the line is not JSON",
    };
    NotKnown::Malformed { column: error.column(), problem }
}

impl KnownDraft {
    /// Reads one line.
    ///
    /// # Errors
    /// The line is not JSON, lacks `id`, `turn` or `conversation`, has an unknown field, or a later version wrote it.
    pub fn from_line(line: &str) -> Result<Self, NotKnown> {
        /// What every version has; it comes first, because a later one may have fields that are unknown here.
        #[derive(Deserialize)]
        struct Version {
            #[serde(default)]
            format: Option<u32>,
        }
        let version: Version = serde_json::from_str(line).map_err(|error| malformed(&error))?;
        match version.format.filter(|format| *format > KNOWN_FORMAT) {
            Some(format) => Err(NotKnown::Newer { format }),
            None => serde_json::from_str(line).map_err(|error| malformed(&error)),
        }
    }

    /// The JSON of its conversation.
    #[must_use]
    pub fn conversation(&self) -> &str {
        self.conversation.get()
    }

    /// The item, with its conversation as the caller has read it.
    ///
    /// # Errors
    /// A field is missing and nothing stands in for it, or has a value that no item may have.
    pub fn complete(self, mut conversation: Conversation, defaults: &KnownDefaults) -> Result<KnownPositive, NotKnown> {
        let written = self.found_by.as_deref().map(str::parse).transpose()?;
        let at = self.at.as_deref().map(|at| at.parse().map_err(|_| NotKnown::NotATime)).transpose()?;
        if conversation.id.is_empty() {
            conversation.id.clone_from(&self.id);
        }
        let lacks = |field| NotKnown::Lacks { field };
        let item = KnownPositive {
            format: KNOWN_FORMAT,
            behaviour: self.behaviour.or_else(|| defaults.behaviour.clone()).ok_or_else(|| lacks("behaviour"))?,
            group: self.group.unwrap_or_else(|| conversation.metadata.clone()),
            found_by: written.or(defaults.found_by).ok_or_else(|| lacks("found_by"))?,
            source: self.source.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            seat: self.seat.or_else(|| defaults.seat.clone()).ok_or_else(|| lacks("seat"))?,
            at: at.or(defaults.at).ok_or_else(|| lacks("at"))?,
            note: self.note,
            evidence: self.evidence,
            turn: self.turn,
            conversation,
        };
        let is_turn = item.conversation.message(item.turn).is_some_and(|message| message.role == Role::Assistant);
        if is_turn { Ok(item) } else { Err(NotKnown::NotATurn { turn: item.turn }) }
    }
}

impl KnownPositive {
    /// Reads one line of a set.
    ///
    /// # Errors
    /// As [`KnownDraft::from_line`] and [`KnownDraft::complete`]; nothing stands in for anything.
    pub fn from_line(line: &str) -> Result<Self, NotKnown> {
        let draft = KnownDraft::from_line(line)?;
        let conversation = serde_json::from_str(draft.conversation()).map_err(|error| malformed(&error))?;
        draft.complete(conversation, &KnownDefaults::default())
    }

    /// Its group under these `group_by` fields: a field that it does not name has the value of the conversation's
    /// metadata, or `""`.
    #[must_use]
    pub fn group(&self, group_by: &[String]) -> Group {
        let value = |field: &String| self.group.get(field).or_else(|| self.conversation.metadata.get(field)).cloned();
        Group(group_by.iter().map(|field| value(field).unwrap_or_default()).collect())
    }

    /// Its name as a unit.
    #[must_use]
    pub fn unit(&self, group_by: &[String]) -> UnitId {
        UnitId { group: self.group(group_by), conversation: self.conversation.id.clone(), turn: Some(self.turn) }
    }

    /// What the unit holds that it makes a known positive: the messages up to and including its turn, or all of them
    /// where conversations are the units. Exact copies share the digest.
    #[must_use]
    pub fn content_as(&self, unit: UnitKind) -> Digest {
        match unit {
            UnitKind::Turn => self.content(),
            UnitKind::Conversation => self.conversation.content_digest(),
        }
    }

    fn content(&self) -> Digest {
        let mut hasher = PartHasher::new("conversation");
        for message in self.conversation.messages.iter().take(self.turn as usize + 1) {
            hasher.part(message.digest().as_bytes());
        }
        hasher.finish()
    }

    /// The digest of everything that decides what is asked and how it counts; who decided, when, notes and evidence are
    /// no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = PartHasher::new("known positive");
        hasher.part(self.id.as_bytes()).part(self.behaviour.as_bytes()).number(self.group.len() as u64);
        for (field, value) in &self.group {
            hasher.part(field.as_bytes()).part(value.as_bytes());
        }
        hasher.part(self.found_by.as_str().as_bytes()).part(self.source.as_bytes()).number(u64::from(self.turn));
        hasher.part(self.conversation.id.as_bytes()).part(self.conversation.content_digest().as_bytes());
        hasher.finish()
    }
}

/// The version of a set: the digest over the sorted digests of its items, each once. The order of files and lines does
/// not matter.
#[must_use]
pub fn set_version(mut items: Vec<Digest>) -> Digest {
    items.sort_unstable();
    items.dedup();
    let mut hasher = PartHasher::new("sensitivity set");
    for item in &items {
        hasher.part(item.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut line = json!({
            "format": 1, "id": "p-1", "behaviour": "metagaming", "group": { "checkpoint": "rl" }, "found_by": "incident",
            "source": "ticket 7", "seat": "ana", "at": "2026-11-23T17:40:12Z", "turn": 1,
            "conversation": { "id": "c", "messages": [
                { "role": "user", "content": "a" }, { "role": "assistant", "content": "private words" },
                { "role": "user", "content": "thanks" } ] },
        });
        change(&mut line);
        line.to_string()
    }

    fn refused(change: impl FnOnce(&mut serde_json::Value)) -> String {
        KnownPositive::from_line(&line(change)).unwrap_err().to_string()
    }

    #[test]
    fn an_item_round_trips_and_what_people_note_does_not_change_it() {
        let item = KnownPositive::from_line(&line(|_| {})).unwrap();
        let written = serde_json::to_string(&item).unwrap();
        assert_eq!(KnownPositive::from_line(&written).unwrap(), item);
        assert_eq!(
            item.unit(&["checkpoint".to_owned(), "source".to_owned()]).group,
            Group(vec!["rl".to_owned(), String::new()])
        );
        let noted = KnownPositive::from_line(&line(|line| {
            line["note"] = json!("seen twice");
            line["seat"] = json!("bo");
        }));
        assert_eq!(noted.unwrap().digest(), item.digest());
        for (field, value) in [("id", json!("p-2")), ("found_by", json!("planted")), ("source", json!("x"))] {
            let other = KnownPositive::from_line(&line(|line| line[field] = value)).unwrap();
            assert_ne!(other.digest(), item.digest(), "{field}");
        }
        assert!(!format!("{item:?}").contains("private"));
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        insta::assert_snapshot!(
            [
                refused(|line| line["found_by"] = json!("grader_flag")),
                refused(|line| line["found_by"] = json!("incidents")),
                refused(|line| line["turn"] = json!(0)),
                refused(|line| line["at"] = json!("yesterday")),
                refused(|line| drop(line.as_object_mut().unwrap().remove("seat"))),
                refused(|line| line["format"] = json!(2)),
                refused(|line| line["sourse"] = json!("private words")),
                KnownPositive::from_line("private words").unwrap_err().to_string(),
            ]
            .join("\n")
        );
    }

    #[test]
    fn the_version_of_a_set_does_not_depend_on_its_order() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(set_version(vec![a, b]), set_version(vec![b, a, b]));
        assert_ne!(set_version(vec![a]), set_version(vec![a, b]));
    }
}

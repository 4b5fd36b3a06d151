//! What was planted: the side file that says which turns truly show the behaviour.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::conversation::{Channel, Conversation};
use crate::model::event::PlantedTruth;
use crate::model::hash::{Digest, PartHasher};
use crate::model::known::{KnownPositive, NotKnown};
use crate::model::unit::{Group, UnitKind};

/// One line of a truth file: a turn that truly shows the behaviour, or an innocent one that looks as if it did.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedTurn {
    /// The digest of the turn's final text without white space at its ends.
    pub text: Digest,
    /// The turn, as `conversation-id#index`.
    pub unit: String,
    /// The metadata that groups are made of.
    pub group: BTreeMap<String, String>,
    /// Whether the turn truly shows the behaviour.
    pub present: bool,
    /// Ids of the labels that apply, or of the exclusions that make it innocent.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Where the quote stands.
    pub channel: Channel,
    /// The words that show it, exactly.
    pub quote: String,
    /// Whether those words contain a lexical cue.
    #[serde(default)]
    pub cue: bool,
}

impl fmt::Debug for PlantedTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlantedTurn({}, present: {}, {:?})", self.unit, self.present, self.labels)
    }
}

/// Why a truth file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file could not be read.
    #[error("truth file `{path}` could not be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A line is not a planted turn.
    #[error("line {line} of truth file `{path}` is not a planted turn (see column {column})")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A line is not a known positive.
    #[error("line {line} of `{path}`: {source}")]
    NotKnown {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        source: NotKnown,
    },
}

/// Planted turns by text. A text that is not in it is truly innocent.
#[derive(Default)]
pub struct Truth(HashMap<u128, Known>);

/// What is known of one text.
pub(super) struct Known {
    pub(super) is_present: bool,
    pub(super) labels: Vec<String>,
    pub(super) channel: Channel,
    pub(super) quote: String,
}

impl fmt::Debug for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Truth({} turns)", self.0.len())
    }
}

impl FromIterator<PlantedTurn> for Truth {
    fn from_iter<I: IntoIterator<Item = PlantedTurn>>(turns: I) -> Self {
        let mut truth = Self::default();
        turns.into_iter().for_each(|turn| truth.insert(turn));
        truth
    }
}

impl Truth {
    /// Reads a truth file. Memory is in proportion to its planted turns, not to the corpus.
    ///
    /// # Errors
    /// If the file cannot be read or a line is not a [`PlantedTurn`].
    pub fn open(path: &Path) -> Result<Self, TruthError> {
        let mut truth = Self::default();
        for_each(path, |turn| truth.insert(turn))?;
        Ok(truth)
    }

    /// Adds what a known positive is known for. Without evidence its whole text shows it.
    pub fn add_known(&mut self, item: &KnownPositive) {
        let Some(message) = item.conversation.message(item.turn) else { return };
        let (channel, quote) = match &item.evidence {
            Some(evidence) => (evidence.channel, evidence.quote.clone()),
            None => (Channel::Final, message.content.lines().next().unwrap_or_default().to_owned()),
        };
        let known = Known { is_present: true, labels: Vec::new(), channel, quote };
        let place = self.0.entry(Digest::of(message.content.trim().as_bytes()).leading_u128());
        // The planted truth knows labels as well.
        place
            .and_modify(|old| {
                if !old.is_present {
                    old.is_present = true;
                }
            })
            .or_insert(known);
    }

    /// Adds a turn whose answer is known, or all turns of a conversation, with the labels that apply or the exclusions that make
    /// it innocent. What is known already stays as it is: positives go first, because a near miss can have the words of its
    /// twin and differ in the reasoning only.
    pub fn add_answer(&mut self, conversation: &Conversation, turn: Option<u32>, is_present: bool, terms: &[String]) {
        for turn in turn.into_iter().chain(conversation.turns().filter(|_| turn.is_none())) {
            let Some(message) = conversation.message(turn) else { continue };
            let (channel, text) = match &message.reasoning {
                Some(reasoning) => (Channel::Reasoning, reasoning),
                None => (Channel::Final, &message.content),
            };
            let quote = text.lines().next().unwrap_or_default().to_owned();
            let known = Known { is_present, labels: terms.to_vec(), channel, quote };
            self.0.entry(Digest::of(message.content.trim().as_bytes()).leading_u128()).or_insert(known);
        }
    }

    /// Adds the known positives of a file, or of all `*.jsonl` of a folder; one that is not there holds none.
    ///
    /// # Errors
    /// If a file cannot be read or a line is not a known positive.
    pub fn add_known_files(&mut self, path: &Path) -> Result<(), TruthError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| TruthError::Unreadable { path, source }
        };
        let files = match path.read_dir() {
            Ok(entries) => {
                let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
                let is_item = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl");
                paths.map_err(unreadable(path))?.into_iter().filter(is_item).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(_) => vec![path.to_owned()],
        };
        for path in files {
            let lines = BufReader::new(File::open(&path).map_err(unreadable(&path))?).lines();
            for (line, text) in (1..).zip(lines) {
                let text = text.map_err(unreadable(&path))?;
                if !text.trim().is_empty() {
                    let item = KnownPositive::from_line(&text);
                    let not_known = |source| TruthError::NotKnown { path: path.clone(), line, source };
                    self.add_known(&item.map_err(not_known)?);
                }
            }
        }
        Ok(())
    }

    /// Number of texts known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is planted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known of a turn with this final text.
    pub(super) fn of(&self, text: &str) -> Option<&Known> {
        self.0.get(&Digest::of(text.trim().as_bytes()).leading_u128())
    }

    /// What is present in a text that is not shown whole, and so has no digest: the longest of the telling words that stand
    /// in it. `shown` gives the text of a channel.
    pub(super) fn quoted_in<'a>(&self, shown: impl Fn(Channel) -> Option<&'a str>) -> Option<&Known> {
        let stands = |known: &&Known| {
            known.is_present && shown(known.channel).is_some_and(|text| text.contains(known.quote.as_str()))
        };
        // By words as well as by length: a map has no order that could be relied on.
        let order = |known: &&Known| (known.quote.len(), known.quote.clone());
        self.0.values().filter(|known| !known.quote.trim().is_empty()).filter(stands).max_by_key(order)
    }

    fn insert(&mut self, turn: PlantedTurn) {
        let PlantedTurn { text, unit: _, group: _, present, labels, channel, quote, cue: _ } = turn;
        self.0.insert(text.leading_u128(), Known { is_present: present, labels, channel, quote });
    }
}

/// The values of a unit's `group_by` fields, and its address.
pub(super) type UnitName = (Group, String);

/// Every unit that truly shows the behaviour: a turn, or a conversation with such a turn.
///
/// # Errors
/// As [`Truth::open`].
pub(super) fn present_units(path: &Path, group_by: &[String], unit: UnitKind) -> Result<HashSet<UnitName>, TruthError> {
    let mut units = HashSet::new();
    for_each(path, |turn| {
        let group = group_of(&turn, group_by);
        if turn.present {
            let address = match unit {
                UnitKind::Turn => turn.unit,
                UnitKind::Conversation => conversation_id(&turn.unit).to_owned(),
            };
            units.insert((group, address));
        }
    })?;
    Ok(units)
}

fn group_of(turn: &PlantedTurn, group_by: &[String]) -> Group {
    Group(group_by.iter().map(|field| turn.group.get(field).cloned().unwrap_or_default()).collect())
}

/// Turns and conversations that truly show the behaviour, by the values of the `group_by` fields, sorted. A group in
/// which nothing at all was planted has no entry.
///
/// # Errors
/// As [`Truth::open`].
pub fn planted_by_group(path: &Path, group_by: &[String]) -> Result<Vec<PlantedTruth>, TruthError> {
    let mut groups: BTreeMap<Group, PlantedTruth> = BTreeMap::new();
    let mut conversations = HashSet::new();
    for_each(path, |turn| {
        let group = group_of(&turn, group_by);
        let conversation = conversation_key(&turn);
        let planted = groups.entry(group.clone()).or_insert(PlantedTruth { group, turns: 0, conversations: 0 });
        if turn.present {
            planted.turns += 1;
            planted.conversations += u64::from(conversations.insert(conversation));
        }
    })?;
    Ok(groups.into_values().collect())
}

/// Identifies the conversation of a turn: the same id with other metadata is another conversation.
fn conversation_key(turn: &PlantedTurn) -> u128 {
    let mut hasher = PartHasher::new("planted conversation");
    for (field, value) in &turn.group {
        hasher.part(field.as_bytes()).part(value.as_bytes());
    }
    hasher.part(conversation_id(&turn.unit).as_bytes()).finish().leading_u128()
}

/// The id in a turn's address.
fn conversation_id(unit: &str) -> &str {
    unit.rsplit_once('#').map_or(unit, |(id, _)| id)
}

fn for_each(path: &Path, mut visit: impl FnMut(PlantedTurn)) -> Result<(), TruthError> {
    let unreadable = |source| TruthError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    for (line, text) in (1..).zip(BufReader::new(file).lines()) {
        let text = text.map_err(unreadable)?;
        if text.trim().is_empty() {
            continue;
        }
        // The parser's own message could repeat a quote.
        let turn = serde_json::from_str(&text).map_err(|error| TruthError::Malformed {
            path: path.to_owned(),
            line,
            column: error.column(),
        })?;
        visit(turn);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn turn(unit: &str, source: &str, present: bool) -> PlantedTurn {
        PlantedTurn {
            text: Digest::of(format!("{unit} {source}").as_bytes()),
            unit: unit.to_owned(),
            group: BTreeMap::from([("source".to_owned(), source.to_owned())]),
            present,
            labels: vec!["M1".to_owned()],
            channel: Channel::Final,
            quote: "secret words".to_owned(),
            cue: true,
        }
    }

    #[test]
    fn a_near_miss_with_the_words_of_its_twin_is_none() {
        use crate::model::conversation::{Message, Role};
        let said = |reasoning: &str| {
            let mut message = Message::text(Role::Assistant, "Done.");
            message.reasoning = Some(reasoning.to_owned());
            Conversation { id: "c".to_owned(), messages: vec![message], metadata: BTreeMap::new() }
        };
        let (twin, near_miss) = (said("They surely check this."), said("The task says how it is checked."));
        let mut truth = Truth::default();
        truth.add_answer(&twin, Some(0), true, &["M1".to_owned()]);
        truth.add_answer(&near_miss, None, false, &["N1".to_owned()]);
        let known = truth.of("Done.").unwrap();
        assert!(known.is_present && known.channel == Channel::Reasoning);
        assert!(
            !near_miss.messages[0].reasoning.as_ref().unwrap().contains(&known.quote),
            "it is not taken for its twin"
        );
    }

    #[test]
    fn truth_is_counted_by_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.jsonl");
        let turns = [
            turn("a#1", "chat", true),
            turn("a#3", "chat", true),
            turn("a#1", "code", true),
            turn("b#1", "chat", false),
            turn("c#1", "idle", false),
        ];
        let lines: Vec<_> = turns.iter().map(|turn| serde_json::to_string(turn).unwrap()).collect();
        fs::write(&path, lines.join("\n")).unwrap();

        let planted = planted_by_group(&path, &["source".to_owned()]).unwrap();
        let counts: Vec<_> = planted.iter().map(|p| (p.group.to_string(), p.turns, p.conversations)).collect();
        assert_eq!(counts, [("chat".to_owned(), 2, 1), ("code".to_owned(), 1, 1), ("idle".to_owned(), 0, 0)]);
        let whole = planted_by_group(&path, &[]).unwrap();
        assert_eq!((whole[0].turns, whole[0].conversations), (3, 2));

        let truth = Truth::open(&path).unwrap();
        assert_eq!(truth.len(), 5);
        assert!(truth.of(" a#1 chat\n").unwrap().is_present);
        assert!(!truth.of("b#1 chat").unwrap().is_present);
        assert!(truth.of("unknown").is_none());
    }

    #[test]
    fn damage_is_placed_without_repeating_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.jsonl");
        fs::write(&path, "\n{\"text\": \"secret words\"}\n").unwrap();
        let message = Truth::open(&path).unwrap_err().to_string();
        assert!(message.starts_with("line 2 of truth file"), "{message}");
        assert!(!message.contains("secret"));
        assert!(!format!("{:?}", turn("a#1", "chat", true)).contains("secret"));
    }
}

//! The gold of a workspace: where people's errors are measured without their noticing.
//!
//! Sources are the behaviour's `gold.jsonl` and `labels/gold/<behaviour>/*.jsonl`, one form for both. A positive is an item with
//! `expect = "present"` that the audit's definition counts; a near miss is one with `expect = "absent"` to which an exclusion
//! applies: it looks flagged. Everything else shows what the rubric means and is no measure of reviewers.
//!
//! Blindness is a matter of form here, not of secrecy. Once an audit asks for gold, people read units and gold alike under
//! pseudonyms, in one order, and look both up with `assize show --blind`, which prints the messages up to the turn and nothing else: no
//! id, no metadata, no cue, no verdict. Whoever opens the gold files, or works out pseudonyms, can tell; so can a reviewer who wrote
//! an item and does not say so in its `seat`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::conclude::{ConcludeError, label_files};
use super::settings::Workspace;
use crate::cache::units::turn_contents;
use crate::model::conversation::Conversation;
use crate::model::event::Planned;
use crate::model::gold::{GoldItem, GoldKind};
use crate::model::hash::Digest;
use crate::model::outcome::Outcome;
use crate::model::review_id::ReviewId;
use crate::model::unit::UnitKind;
use crate::model::verdict::{Finding, Judgement};
use crate::prompt::Library;
use crate::reconcile::Definitions;
use crate::source;

/// At most this many unreadable lines are named.
const EXAMPLES: usize = 20;

/// One item with its text.
#[derive(Debug, Clone)]
pub struct GoldText {
    /// What is known of it.
    pub item: GoldItem,
    /// Position of the turn among all messages.
    pub turn: u32,
    /// The whole conversation.
    pub conversation: Conversation,
}

/// What a workspace holds for one behaviour and definition.
#[derive(Debug, Default)]
pub struct GoldSet {
    /// Items that people can be asked about, in the order of files and lines.
    pub texts: Vec<GoldText>,
    /// Names of items that are neither positives nor near misses under this definition, or were composed for a rehearsal and
    /// this is none.
    pub aside: HashSet<ReviewId>,
    /// Lines that could not be read, as `file:line: reason`, at most 20.
    pub unreadable: Vec<String>,
}

/// A line as people write it. Other fields are theirs.
#[derive(Deserialize)]
pub(super) struct GoldLine<'a> {
    pub(super) id: String,
    #[serde(default)]
    pair: Option<String>,
    pub(super) expect: Judgement,
    #[serde(default)]
    pub(super) covers: BTreeSet<String>,
    #[serde(default)]
    pub(super) exclusions: BTreeSet<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// The seat that wrote it.
    #[serde(default)]
    seat: Option<String>,
    /// Whether it was composed for a rehearsal.
    #[serde(default)]
    pub(super) simulated: bool,
    pub(super) target: u32,
    #[serde(borrow)]
    messages: &'a RawValue,
}

impl<'a> GoldLine<'a> {
    pub(super) fn from_line(line: &'a str) -> Result<Self, String> {
        // What serde says can quote the line, and a line is a transcript.
        serde_json::from_str(line).map_err(|error| {
            format!("not a gold item at column {}: a field is missing or has a wrong value", error.column())
        })
    }

    /// Its conversation, and the turn that is meant with the digest of everything up to it.
    pub(super) fn text(&self) -> Result<(Conversation, u32, Digest), String> {
        let text = format!("{{\"messages\":{}}}", self.messages.get());
        let conversation = source::canonical(&text).map_err(|_| "its messages cannot be read".to_owned())?;
        let content = turn_contents(&conversation).find(|(turn, _)| *turn == self.target);
        let (turn, content) = content.ok_or("`target` is not an assistant message: it counts from 0")?;
        Ok((conversation, turn, content))
    }

    /// What a line holds, its conversation and the digest of that up to the turn; or why it cannot be read.
    pub(super) fn read(line: &'a str) -> Result<(Self, Conversation, Digest), String> {
        let line = Self::from_line(line)?;
        let (conversation, _, content) = line.text()?;
        Ok((line, conversation, content))
    }

    /// What a grader that is right would say of it.
    pub(super) fn finding(&self) -> Finding {
        Finding {
            verdict: self.expect,
            score: if self.expect == Judgement::Present { 100 } else { 0 },
            labels: self.covers.clone(),
            exclusions: self.exclusions.clone(),
            fields: self.fields.clone(),
        }
    }

    /// The same as an outcome.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Graded { finding: self.finding() }
    }
}

/// A line with its conversation.
struct Parsed<'a> {
    line: GoldLine<'a>,
    conversation: Conversation,
    turn: u32,
    content: Digest,
}

impl<'a> Parsed<'a> {
    /// What a line holds, or why it cannot be read.
    fn of(line: &'a str) -> Result<Self, String> {
        let line = GoldLine::from_line(line)?;
        let (conversation, turn, content) = line.text()?;
        Ok(Self { line, conversation, turn, content })
    }
}

/// An item whose answer is known, whatever a definition counts.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// Its name in its file.
    pub id: String,
    /// The answer.
    pub expect: Judgement,
    /// Labels that apply.
    pub labels: BTreeSet<String>,
    /// Exclusions that apply.
    pub exclusions: BTreeSet<String>,
    /// Whether it was composed for a rehearsal.
    pub simulated: bool,
    /// Position of the turn among all messages.
    pub turn: u32,
    /// The whole conversation.
    pub conversation: Conversation,
}

/// All items of a behaviour, in the order of files and lines, and what could not be read, as in [`GoldSet::unreadable`].
///
/// # Errors
/// If the behaviour or a file of gold cannot be read.
pub fn labelled(workspace: &Workspace, behaviour: &str) -> Result<(Vec<Labelled>, Vec<String>), ConcludeError> {
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for (name, text) in sources(workspace, behaviour)? {
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match Parsed::of(line) {
                Ok(Parsed { line, conversation, turn, content: _ }) => items.push(Labelled {
                    id: line.id,
                    expect: line.expect,
                    labels: line.covers,
                    exclusions: line.exclusions,
                    simulated: line.simulated,
                    turn,
                    conversation,
                }),
                Err(reason) if unreadable.len() < EXAMPLES => unreadable.push(format!("{name}:{number}: {reason}")),
                Err(_) => {}
            }
        }
    }
    Ok((items, unreadable))
}

/// Whether the answer about a turn is one about the unit. One turn that shows the behaviour answers for its conversation; one
/// that does not says nothing of the others.
pub(super) fn is_answer(expect: Judgement, conversation: &Conversation, unit: UnitKind) -> bool {
    match expect {
        Judgement::Present => true,
        Judgement::Absent => unit.is_turn() || conversation.turns().count() == 1,
        Judgement::Suspected | Judgement::CannotJudge => false,
    }
}

/// The files of gold with their names: the behaviour's own, then those of the workspace.
fn sources(workspace: &Workspace, behaviour: &str) -> Result<Vec<(String, String)>, ConcludeError> {
    let files = Library::open(&workspace.prompts())?.behaviour(behaviour)?;
    let mut sources = vec![("gold.jsonl".to_owned(), files.gold_text.unwrap_or_default())];
    for path in label_files(&workspace.gold(behaviour))? {
        let text = fs::read_to_string(&path).map_err(|source| ConcludeError::Io { path: path.clone(), source })?;
        sources.push((shown(behaviour, &path), text));
    }
    Ok(sources)
}

impl GoldSet {
    /// Reads all gold that a run with this plan can use.
    ///
    /// # Errors
    /// If the behaviour or a file of gold cannot be read. A line that cannot is named and left out.
    pub fn read(workspace: &Workspace, planned: &Planned) -> Result<Self, ConcludeError> {
        let files = Library::open(&workspace.prompts())?.behaviour(&planned.behaviour)?;
        let definitions = Definitions::of(&files.behaviour, Some(&planned.definition), planned.graders.len() > 1)?;
        let is_rehearsal = planned.graders.iter().any(|grader| grader.simulated);
        let reader = Reader { definitions, unit: planned.unit, is_rehearsal };
        let mut set = Self::default();
        for (name, text) in sources(workspace, &planned.behaviour)? {
            reader.file(&name, &text, &mut set);
        }
        Ok(set)
    }

    /// The items without their texts.
    #[must_use]
    pub fn items(&self) -> Vec<GoldItem> {
        self.texts.iter().map(|text| text.item.clone()).collect()
    }

    /// The item that people read under this name.
    #[must_use]
    pub fn find(&self, id: ReviewId) -> Option<&GoldText> {
        self.texts.iter().find(|text| text.item.id == id)
    }
}

fn shown(behaviour: &str, path: &Path) -> String {
    let name = PathBuf::from("labels/gold").join(behaviour).join(path.file_name().unwrap_or_default());
    name.display().to_string()
}

/// What a line holds.
enum Read {
    /// An item that people can be asked about.
    Item(Box<GoldText>),
    /// One that they are not asked about in this run.
    Aside(ReviewId),
}

struct Reader {
    definitions: Definitions,
    unit: UnitKind,
    is_rehearsal: bool,
}

impl Reader {
    fn file(&self, name: &str, text: &str, set: &mut GoldSet) {
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match self.line(line) {
                Ok(Read::Item(text)) => set.texts.push(*text),
                Ok(Read::Aside(id)) => drop(set.aside.insert(id)),
                Err(reason) if set.unreadable.len() < EXAMPLES => {
                    set.unreadable.push(format!("{name}:{number}: {reason}"));
                }
                Err(_) => {}
            }
        }
    }

    /// What a line holds, or why it cannot be read.
    fn line(&self, line: &str) -> Result<Read, String> {
        let Parsed { line, conversation, turn, content } = Parsed::of(line)?;
        let id = ReviewId::of_gold(&content);
        let is_usable = is_answer(line.expect, &conversation, self.unit) && (!line.simulated || self.is_rehearsal);
        let Some(kind) = self.kind(&line).filter(|_| is_usable) else {
            return Ok(Read::Aside(id));
        };
        let item = GoldItem { id, kind, pair: line.pair.unwrap_or(line.id), author: line.seat };
        Ok(Read::Item(Box::new(GoldText { item, turn, conversation })))
    }

    fn kind(&self, line: &GoldLine<'_>) -> Option<GoldKind> {
        // A definition that asks for a field which the item does not state says nothing about it.
        let is_counted = self.definitions.counts(&line.outcome()).ok()?;
        match line.expect {
            Judgement::Present => is_counted.then_some(GoldKind::Positive),
            Judgement::Absent if !is_counted && !line.exclusions.is_empty() => Some(GoldKind::NearMiss),
            Judgement::Absent | Judgement::Suspected | Judgement::CannotJudge => None,
        }
    }
}

#[cfg(test)]
#[path = "gold_tests.rs"]
mod tests;

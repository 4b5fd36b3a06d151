//! Takes in what people found or decided: own items, or a queue that was filled in.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{SensitivityError, failed};
use super::files::{append, for_each_item, for_each_line};
use super::queue::{QUEUE_FORMAT, QueueLine, ReadLine, read_lines};
use super::sample::contents_in_samples;
use crate::clock::UnixMs;
use crate::model::conversation::Conversation;
use crate::model::found_by::FoundBy;
use crate::model::hash::{Digest, PartHasher};
use crate::model::known::{KNOWN_FORMAT, KnownDefaults, KnownDraft, KnownPositive, moment};
use crate::model::label::Decision;
use crate::model::unit::UnitKind;
use crate::prompt::Library;
use crate::run::assemble::Assembly;
use crate::source;

/// What to take in.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Items, or a queue that was filled in.
    pub file: PathBuf,
    /// How items were found that do not say it.
    pub found_by: Option<FoundBy>,
    /// Who decided, where a line does not say it.
    pub seat: Option<String>,
    /// When, where a line does not say it.
    pub at: UnixMs,
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// New items of the set.
    pub items: u64,
    /// Items whose content the set has already: nothing was added.
    pub merged: u64,
    /// Decisions of a queue, by what they say.
    pub read: BTreeMap<Decision, u64>,
    /// Lines of a queue without a decision.
    pub unread: u64,
    /// Lines that were not taken in, in order.
    pub refused: Vec<Refused>,
    /// Items of groups that the corpus does not have: they are kept and not graded by this audit.
    pub other_groups: u64,
}

/// A line that was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The line, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Takes in a file. What is refused is named and the rest is kept; a second import of the same file adds nothing.
///
/// # Errors
/// If a file cannot be read or written.
pub fn import(assembly: &Assembly, request: &ImportRequest) -> Result<Imported, SensitivityError> {
    let mut intake = Intake::new(assembly, request)?;
    for_each_line(&request.file, |number, line| {
        if let Err(reason) = line.map_err(str::to_owned).and_then(|line| intake.line(number, line)) {
            intake.imported.refused.push(Refused { line: number, reason });
        }
        Ok(())
    })?;
    intake.finish()
}

struct Intake<'a> {
    assembly: &'a Assembly,
    defaults: KnownDefaults,
    imported: Imported,
    /// Items with their line, until it is known which of them are in a sample.
    items: Vec<(u64, KnownPositive)>,
    reads: Vec<ReadLine>,
    /// Contents of gold, development and test items.
    elsewhere: Vec<(&'static str, HashSet<Digest>)>,
}

impl<'a> Intake<'a> {
    fn new(assembly: &'a Assembly, request: &ImportRequest) -> Result<Self, SensitivityError> {
        let defaults = KnownDefaults {
            behaviour: Some(assembly.audit.behaviour.clone()),
            found_by: request.found_by,
            seat: request.seat.clone(),
            at: Some(moment(request.at.0)),
        };
        let elsewhere = elsewhere(assembly)?;
        Ok(Self { assembly, defaults, imported: Imported::default(), items: Vec::new(), reads: Vec::new(), elsewhere })
    }

    /// One line, an item or a line of a queue; why it is refused.
    fn line(&mut self, number: u64, line: &str) -> Result<(), String> {
        /// What tells them apart.
        #[derive(Deserialize)]
        struct Kind {
            #[serde(default)]
            draw: Option<u32>,
        }
        let is_queue = serde_json::from_str::<Kind>(line).is_ok_and(|kind| kind.draw.is_some());
        if is_queue { self.queue_line(number, line) } else { self.item_line(number, line) }
    }

    fn item_line(&mut self, number: u64, line: &str) -> Result<(), String> {
        let draft = KnownDraft::from_line(line).map_err(|error| error.to_string())?;
        let conversation = source::canonical(draft.conversation())
            .map_err(|fault| format!("the conversation cannot be read: {}", fault.detail))?;
        let item = draft.complete(conversation, &self.defaults).map_err(|error| advised(&error.to_string()))?;
        self.item(number, item)
    }

    fn item(&mut self, number: u64, item: KnownPositive) -> Result<(), String> {
        let counted = &self.assembly.audit.behaviour;
        if item.behaviour != *counted {
            return Err(format!(
                "`{}` shows `{}`, and the audit counts `{counted}`: name an audit of that behaviour",
                item.id, item.behaviour
            ));
        }
        let content = item.content_as(UnitKind::Turn);
        if let Some((file, _)) = self.elsewhere.iter().find(|(_, contents)| contents.contains(&content)) {
            return Err(format!("`{}` is in {file}: prompts were tuned on it", item.id));
        }
        self.items.push((number, item));
        Ok(())
    }

    fn queue_line(&mut self, number: u64, line: &str) -> Result<(), String> {
        if !self.assembly.audit.corpus.unit.is_turn() {
            let reason = "people read single turns of this queue, and the unit of the audit is the conversation: import it \
                          under an audit with `unit = \"turn\"`";
            return Err(reason.to_owned());
        }
        let queued: QueueLine = serde_json::from_str(line).map_err(|error| {
            format!(
                "not a line of a queue at column {}: only `decision`, `seat` and `note` are filled in",
                error.column()
            )
        })?;
        if queued.format > QUEUE_FORMAT {
            return Err(format!("the line has format {}, and this version reads up to {QUEUE_FORMAT}", queued.format));
        }
        let Some(decision) = queued.decision else {
            self.imported.unread += 1;
            return Ok(());
        };
        let seat = queued.seat.clone().or_else(|| self.defaults.seat.clone());
        let seat = seat.ok_or("nobody is named who read it: add `--seat NAME`")?;
        let item = self.of_queue(&queued, &seat)?;
        let (content, at) = (item.content_as(UnitKind::Turn), item.at.to_string());
        if decision == Decision::Yes {
            self.item(number, item)?;
        }
        let QueueLine { behaviour, unit, group, class, seed, draw, .. } = queued;
        self.reads.push(ReadLine {
            format: QUEUE_FORMAT,
            behaviour,
            unit,
            group,
            class,
            seed,
            draw,
            seat,
            at,
            decision,
            content,
        });
        Ok(())
    }

    /// A queue line as an item, which it is if the decision is yes.
    fn of_queue(&self, queued: &QueueLine, seat: &str) -> Result<KnownPositive, String> {
        let at = self.defaults.at.ok_or("nobody knows when it was read")?;
        let is_turn = queued.conversation.turns().any(|turn| turn == queued.turn);
        is_turn.then_some(()).ok_or("its turn is not an assistant message")?;
        Ok(KnownPositive {
            format: KNOWN_FORMAT,
            id: queued.id.clone(),
            behaviour: queued.behaviour.clone(),
            group: queued.group.clone(),
            found_by: FoundBy::BlindDraw,
            source: queued.conversation.id.clone(),
            seat: seat.to_owned(),
            at,
            note: queued.note.clone(),
            evidence: None,
            turn: queued.turn,
            conversation: queued.conversation.clone(),
        })
    }

    fn finish(mut self) -> Result<Imported, SensitivityError> {
        let folder = self.assembly.audit.workspace.sensitivity();
        let unit = self.assembly.audit.corpus.unit;
        let contents = self.items.iter().map(|(_, item)| item.content_as(unit)).collect();
        let sampled = contents_in_samples(self.assembly, &contents)?;
        let group_by = &self.assembly.audit.corpus.group_by;
        let mut seen = HashSet::new();
        for_each_item(&folder, |item| {
            seen.insert((item.behaviour.clone(), item.group(group_by), item.content_as(UnitKind::Turn)));
            Ok(())
        })?;
        let mut files: BTreeMap<FoundBy, Vec<KnownPositive>> = BTreeMap::new();
        for (line, item) in self.items {
            let (group, content) = (item.group(group_by), item.content_as(UnitKind::Turn));
            if sampled.contains(&item.content_as(unit)) {
                let reason = format!("`{}` is in the audited sample, itself or as an exact copy", item.id);
                self.imported.refused.push(Refused { line, reason });
            } else if seen.insert((item.behaviour.clone(), group.clone(), content)) {
                let groups = &self.assembly.census.corpus.conversations_by_group;
                self.imported.other_groups += u64::from(!groups.iter().any(|(known, _)| *known == group));
                self.imported.items += 1;
                files.entry(item.found_by).or_default().push(item);
            } else {
                self.imported.merged += 1;
            }
        }
        self.imported.refused.sort_by_key(|refused| refused.line);
        for (found_by, items) in files {
            append(&folder.join(format!("{}.jsonl", found_by.as_str())), &items)?;
        }
        keep_reads(&folder, &self.reads, &mut self.imported)?;
        Ok(self.imported)
    }
}

/// Records decisions that are not on record yet.
fn keep_reads(folder: &Path, reads: &[ReadLine], imported: &mut Imported) -> Result<(), SensitivityError> {
    let (known, _) = read_lines(folder)?;
    let fresh: Vec<_> = reads
        .iter()
        .filter(|read| {
            let is_same = |line: &ReadLine| {
                (&line.seat, &line.content, line.decision) == (&read.seat, &read.content, read.decision)
            };
            !known.iter().any(is_same)
        })
        .collect();
    for read in reads {
        *imported.read.entry(read.decision).or_default() += 1;
    }
    append(&folder.join("read/blind_draw.jsonl"), &fresh)
}

/// What to type where the command line can supply what is missing.
fn advised(reason: &str) -> String {
    let advice = match reason {
        "the item lacks `seat`" => "; add `--seat NAME`, who decided that it shows the behaviour",
        "the item lacks `found_by`" => "; add `--found-by WAY`, as in `--found-by incident`",
        _ => "",
    };
    format!("{reason}{advice}")
}

/// Contents of the items that prompts were written or tuned on: known positives are disjoint from them.
fn elsewhere(assembly: &Assembly) -> Result<Vec<(&'static str, HashSet<Digest>)>, SensitivityError> {
    let audit = &assembly.audit;
    let gold = Library::open(&audit.workspace.prompts())?.behaviour(&audit.behaviour)?.gold_text;
    let mut found = vec![("gold.jsonl of the behaviour", contents_of(&gold.unwrap_or_default()))];
    for (name, file) in [("labels/dev.jsonl", "dev.jsonl"), ("labels/test.jsonl", "test.jsonl")] {
        let path = audit.workspace.labels().join(file);
        match fs::read_to_string(&path) {
            Ok(text) => found.push((name, contents_of(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&path)(error)),
        }
    }
    Ok(found)
}

/// The contents of lines with messages and a target; lines in another shape say nothing.
fn contents_of(text: &str) -> HashSet<Digest> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(alias = "turn")]
        target: u32,
        #[serde(borrow)]
        messages: &'a RawValue,
    }
    let contents = text.lines().filter_map(|line| {
        let line: Line<'_> = serde_json::from_str(line).ok()?;
        let Conversation { messages, .. } =
            source::canonical(&format!("{{\"messages\":{}}}", line.messages.get())).ok()?;
        let mut hasher = PartHasher::new("conversation");
        let up_to = messages.iter().take(line.target as usize + 1);
        for message in up_to {
            hasher.part(message.digest().as_bytes());
        }
        Some(hasher.finish())
    });
    contents.collect()
}

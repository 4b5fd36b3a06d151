//! Label files: decisions of people, or items with their text, line by line.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ValidateError;
use super::circular::{Circular, GraderNames};
use crate::model::event::Planned;
use crate::model::found_by::{FoundBy, KnownUse, NotFoundBy};
use crate::model::label::Label;
use crate::model::verdict::Judgement;
use crate::reconcile::Definitions;
use crate::reconcile::validate::{Truth, Truths};
use crate::report::rate::count;
use crate::report::validate::LabelsRow;
use crate::run::gold::GoldLine;

/// At most this many unreadable lines are named.
const EXAMPLES: usize = 20;

/// Where a label comes from, as far as its line says. All of it is optional.
#[derive(Deserialize)]
struct Origin {
    /// Who decided.
    #[serde(default)]
    seat: Option<String>,
    /// The grader that decided, where it was no person.
    #[serde(default)]
    by_grader: Option<String>,
    /// The run whose verdict this is.
    #[serde(default)]
    from_run: Option<String>,
    /// How the unit was found.
    #[serde(default)]
    found_by: Option<String>,
}

/// What a file says.
pub(super) struct Known {
    pub(super) truths: Truths,
    /// Counts of lines; those of units are not filled in.
    pub(super) row: LabelsRow,
    /// Items with their text.
    pub(super) texts: u64,
    decisions: u64,
    /// Labels by other graders.
    by_grader: BTreeMap<String, u64>,
    /// Units that were chosen in a way that flatters, by what they may be used for.
    chosen: BTreeMap<KnownUse, u64>,
}

impl Known {
    pub(super) const fn mixes_forms(&self) -> bool {
        self.texts > 0 && self.decisions > 0
    }

    /// What is to be said of where the labels come from.
    pub(super) fn remarks(&self) -> Vec<String> {
        let graders = self.by_grader.iter().map(|(name, labels)| {
            format!(
                "{} labels were made by a grader, `{name}`: what is measured is agreement with it, not how often either is right",
                count(*labels)
            )
        });
        let chosen = self.chosen.iter().filter_map(|(usage, labels)| {
            let labels = count(*labels);
            match usage {
                KnownUse::Headline => None,
                KnownUse::HitsOnly => Some(format!(
                    "{labels} labelled units were found by the prefilter: sensitivity is that among units with a cue"
                )),
                KnownUse::Selected => Some(format!(
                    "{labels} labelled units were found by a sibling of the grader: sensitivity comes out too high"
                )),
            }
        });
        graders.chain(chosen).collect()
    }
}

/// Reads one file for one run.
pub(super) struct Reader<'a> {
    /// The file, as people know it.
    pub(super) shown: &'a str,
    pub(super) plan: &'a Planned,
    pub(super) definitions: &'a Definitions,
    pub(super) names: &'a GraderNames,
}

/// What a line is, for this run.
enum Read {
    Decision(Box<Label>),
    Text(Box<dyn FnOnce(&mut Truths)>),
    Foreign,
}

impl Reader<'_> {
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Known, ValidateError> {
        let row = LabelsRow { file: self.shown.to_owned(), ..LabelsRow::default() };
        let (by_grader, chosen) = (BTreeMap::new(), BTreeMap::new());
        let mut known = Known { truths: Truths::default(), row, texts: 0, decisions: 0, by_grader, chosen };
        for (number, line) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
            let place = format!("{}:{number}", self.shown);
            let malformed = |known: &mut Known, reason: &str| {
                known.row.malformed_lines += 1;
                if known.row.examples.len() < EXAMPLES {
                    known.row.examples.push(format!("{place}: {reason}"));
                }
            };
            let Ok(line) = str::from_utf8(line) else {
                malformed(&mut known, "not UTF-8");
                continue;
            };
            if line.trim().is_empty() {
                continue;
            }
            match self.line(line) {
                Ok((Read::Foreign, _)) => known.row.foreign_lines += 1,
                Ok((read, origin)) => match self.origin(&origin, &mut known) {
                    Err(Origins::Circular(source)) => return Err(ValidateError::Circular { place, source }),
                    Err(Origins::Unknown(reason)) => malformed(&mut known, &reason),
                    Ok(()) => take(read, &mut known),
                },
                Err(reason) => malformed(&mut known, &reason),
            }
        }
        Ok(known)
    }

    fn line(&self, line: &str) -> Result<(Read, Origin), String> {
        // What serde says can quote the line, and a line can be a transcript.
        let origin: Origin = serde_json::from_str(line).map_err(|error| {
            format!("not a label at column {}: not JSON, or a field has a wrong value", error.column())
        })?;
        let is_text = serde_json::from_str::<Form>(line).is_ok_and(|form| form.messages.is_some());
        let read = if is_text { self.text(line)? } else { self.decision(line)? };
        Ok((read, origin))
    }

    fn decision(&self, line: &str) -> Result<Read, String> {
        let label = Label::from_line(line).map_err(|error| error.to_string())?;
        let is_about = label.behaviour == self.plan.behaviour
            && label.definition.as_ref().is_none_or(|definition| *definition == self.plan.definition);
        Ok(if is_about { Read::Decision(Box::new(label)) } else { Read::Foreign })
    }

    fn text(&self, line: &str) -> Result<Read, String> {
        let line = GoldLine::from_line(line)?;
        let is_rehearsal = self.plan.graders.iter().any(|grader| grader.simulated);
        if line.simulated && !is_rehearsal {
            return Ok(Read::Foreign);
        }
        let (_, _, content) = line.text()?;
        // A definition that asks for a field which the item does not state says nothing about it.
        let counts = self.definitions.counts(&line.outcome()).ok();
        let truth = match (line.expect, counts) {
            (Judgement::Present, Some(true)) => Truth::Yes,
            (Judgement::Absent, Some(false)) => Truth::No,
            (Judgement::Present | Judgement::Absent | Judgement::Suspected | Judgement::CannotJudge, _) => {
                Truth::Undecided
            }
        };
        let (labels, exclusions) = (line.covers, line.exclusions);
        Ok(Read::Text(Box::new(move |truths| truths.add_text(content, truth, labels, exclusions))))
    }

    /// Whether the label may be used, and what is to be said of it.
    fn origin(&self, origin: &Origin, known: &mut Known) -> Result<(), Origins> {
        let Origin { seat, by_grader, from_run, found_by } = origin;
        if let Some(run) = from_run {
            return Err(Origins::Circular(Circular::FromRun { run: run.clone() }));
        }
        if let Some(name) = by_grader.iter().chain(seat).find(|name| self.names.contains(name)) {
            return Err(Origins::Circular(Circular::SameGrader { name: name.clone() }));
        }
        if let Some(found_by) = found_by {
            let usage = match found_by.parse::<FoundBy>() {
                Ok(found_by) => found_by.usage(),
                Err(NotFoundBy::GraderFlag) => return Err(Origins::Circular(Circular::GraderFlag)),
                Err(error @ NotFoundBy::Unknown) => return Err(Origins::Unknown(error.to_string())),
            };
            *known.chosen.entry(usage).or_default() += 1;
        }
        if let Some(name) = by_grader {
            *known.by_grader.entry(name.clone()).or_default() += 1;
        }
        Ok(())
    }
}

enum Origins {
    Circular(Circular),
    Unknown(String),
}

/// Tells an item with its text from a decision.
#[derive(Deserialize)]
struct Form {
    messages: Option<serde::de::IgnoredAny>,
}

fn take(read: Read, known: &mut Known) {
    match read {
        Read::Decision(label) => {
            known.decisions += 1;
            known.truths.add(&label);
        }
        Read::Text(add) => {
            known.texts += 1;
            add(&mut known.truths);
        }
        Read::Foreign => known.row.foreign_lines += 1,
    }
}

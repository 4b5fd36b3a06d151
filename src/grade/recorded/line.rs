//! One line of a file of verdicts: whom it is about, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::RecordedError;
use super::settings::{Columns, RecordedSettings, Said};
use crate::model::behaviour::{Behaviour, Term};
use crate::model::conversation::Channel;
use crate::model::verdict::{Finding, Judgement};
use crate::verdict::{Stated, StatedQuote};

/// Longest value that a message shows of a file.
const SHOWN_CHARS: usize = 24;
/// Members of a line that a message names.
const MEMBERS: usize = 12;

/// What a file says of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A verdict.
    Stated(Stated),
    /// That the other grader declined.
    Refused,
    /// That what it wrote is no verdict.
    Unparsable,
}

/// The members of a line.
pub(super) type Line = Map<String, Value>;

/// Whom a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// What stands in the unit's column.
    pub(super) unit: String,
    /// What stands in the turn's, where there is one.
    pub(super) turn: Option<u32>,
    /// Values of the `group_by` fields, in their order; absent where the audit maps no columns to them.
    pub(super) group: Option<Vec<String>>,
}

impl About {
    /// # Errors
    /// What is missing or wrong.
    pub(super) fn read(line: &Line, columns: &Columns, group_by: &[String]) -> Result<Self, String> {
        let unit = id(line, &columns.unit)?.ok_or_else(|| format!("has no `{}`", columns.unit))?;
        let turn = match &columns.turn {
            None => None,
            Some(column) => text(line, column)?
                .map(|text| text.trim_start_matches('#').parse())
                .transpose()
                .map_err(|_| format!("`{column}` is not the position of a message"))?,
        };
        let group = (!columns.group.is_empty()).then(|| {
            let value = |field: &String| {
                let column = columns.group.get(field).map_or("", String::as_str);
                // As in a corpus, a value that is missing is an empty one.
                Ok(text(line, column)?.unwrap_or_default())
            };
            group_by.iter().map(value).collect::<Result<_, String>>()
        });
        Ok(Self { unit, turn, group: group.transpose()? })
    }
}

/// What a line says; nothing if it says nothing.
///
/// # Errors
/// What is missing or wrong.
pub(super) fn entry(line: &Line, settings: &RecordedSettings, behaviour: &Behaviour) -> Result<Option<Entry>, String> {
    let columns = &settings.columns;
    let said = match text(line, &columns.verdict)? {
        None => Said::Nothing,
        Some(text) => said(&text, settings)?,
    };
    let verdict = match said {
        Said::Nothing => return Ok(None),
        Said::Refused => return Ok(Some(Entry::Refused)),
        Said::Unparsable => return Ok(Some(Entry::Unparsable)),
        Said::Judged(verdict) => verdict,
    };
    let score = match &columns.score {
        None => score_of(verdict),
        Some(_) if verdict == Judgement::CannotJudge => 0,
        Some(column) => score(line, column, settings.score_max)?,
    };
    let finding = Finding {
        verdict,
        score,
        labels: ids(line, columns.labels.as_deref(), &behaviour.labels)?,
        exclusions: ids(line, columns.exclusions.as_deref(), &behaviour.exclusions)?,
        fields: fields(line, settings, behaviour)?,
    };
    let evidence = columns.evidence.as_deref().map(|column| quotes(line, column)).transpose()?.unwrap_or_default();
    Ok(Some(Entry::Stated(Stated { finding, evidence })))
}

/// What a word stands for: by the audit's values, else by its own name. Where there are values, only verdicts go by their own
/// names: "refused" may be a verdict of the other tool, and what differs from one of the values in case alone is a slip.
fn said(text: &str, settings: &RecordedSettings) -> Result<Said, String> {
    let values = &settings.values;
    if let Some(said) = values.get(text) {
        return Ok(*said);
    }
    let is_slip = values.keys().any(|value| value.eq_ignore_ascii_case(text));
    let own = Said::ALL.into_iter().find(|said| said.as_str().eq_ignore_ascii_case(text));
    let own = own.filter(|said| !is_slip && (values.is_empty() || matches!(said, Said::Judged(_))));
    own.ok_or_else(|| {
        let column = &settings.columns.verdict;
        format!("`{column}` says `{}`, which `values` does not name", shown(text))
    })
}

/// Where nobody recorded a score it only repeats the verdict.
const fn score_of(verdict: Judgement) -> u8 {
    match verdict {
        Judgement::Present => 100,
        Judgement::Suspected => 50,
        Judgement::Absent | Judgement::CannotJudge => 0,
    }
}

/// A score on our scale, rounded down: a whole threshold then decides as it would have on theirs.
fn score(line: &Line, column: &str, score_max: f64) -> Result<u8, String> {
    let wrong = || format!("`{column}` is not a score from 0 to {score_max}");
    let written = text(line, column)?.ok_or_else(|| format!("has no `{column}`"))?;
    let theirs: f64 = written.parse().map_err(|_| wrong())?;
    // 0.29 of 1 is 28.999999999999996 of 100.
    let ours = (theirs / score_max * 100.0 + 1e-9).floor();
    if !(0.0..=score_max).contains(&theirs) || !(0.0..=100.0).contains(&ours) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let score = ours as u8;
    Ok(score)
}

/// Ids as a list or as words apart by commas, semicolons or bars.
fn ids(line: &Line, column: Option<&str>, terms: &[Term]) -> Result<BTreeSet<String>, String> {
    let Some((column, value)) = column.and_then(|column| Some((column, at(line, column)?))) else {
        return Ok(BTreeSet::new());
    };
    let written: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::String(words) => words.split([',', ';', '|']).map(|word| word.trim().to_owned()).collect(),
        Value::Array(list) => {
            list.iter().map(|id| scalar(id, column).map(Option::unwrap_or_default)).collect::<Result<_, _>>()?
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Err(format!("`{column}` is not a list of ids")),
    };
    let ids: BTreeSet<_> = written.into_iter().filter(|id| !id.is_empty()).collect();
    match ids.iter().find(|id| !terms.iter().any(|term| term.id == **id)) {
        Some(unknown) => Err(format!("`{column}` names `{}`, which the behaviour does not declare", shown(unknown))),
        None => Ok(ids),
    }
}

/// The answers to the behaviour's fields: the line's, else the audit's; a field with neither was not asked about.
fn fields(line: &Line, settings: &RecordedSettings, behaviour: &Behaviour) -> Result<BTreeMap<String, String>, String> {
    let mut answers = BTreeMap::new();
    for field in &behaviour.fields {
        let column = settings.columns.fields.get(&field.id);
        let recorded = column.map(|column| text(line, column)).transpose()?.flatten();
        let Some(answer) = recorded.or_else(|| settings.fields.get(&field.id).cloned()) else { continue };
        if !field.values.contains(&answer) {
            let place = column.map_or("fields", String::as_str);
            return Err(format!("`{place}` says `{}`, which is no value of `{}`", shown(&answer), field.id));
        }
        answers.insert(field.id.clone(), answer);
    }
    Ok(answers)
}

/// Quotes: one or a list; each a text, or an object with `quote` and perhaps `message` and `channel`.
fn quotes(line: &Line, column: &str) -> Result<Vec<StatedQuote>, String> {
    match at(line, column) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|one| quote(one, column)).collect(),
        Some(one @ (Value::String(_) | Value::Object(_) | Value::Bool(_) | Value::Number(_))) => {
            Ok(vec![quote(one, column)?])
        }
    }
}

fn quote(value: &Value, column: &str) -> Result<StatedQuote, String> {
    let wrong = || format!("`{column}` is not a quote, or a list of quotes");
    match value {
        Value::String(quote) => Ok(StatedQuote { message: None, channel: None, quote: quote.clone() }),
        Value::Object(cited) => {
            let message = match text(cited, "message")? {
                None => None,
                Some(text) => Some(text.trim_start_matches('#').parse().map_err(|_| wrong())?),
            };
            let channel = match text(cited, "channel")? {
                None => None,
                Some(name) => Some(
                    Channel::ALL
                        .into_iter()
                        .find(|channel| channel.as_str().eq_ignore_ascii_case(&name))
                        .ok_or_else(wrong)?,
                ),
            };
            let quote = cited.get("quote").and_then(Value::as_str).ok_or_else(wrong)?;
            Ok(StatedQuote { message, channel, quote: quote.to_owned() })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(wrong()),
    }
}

/// Columns that no line has had so far, and what the first line has instead.
#[derive(Debug)]
pub(super) struct Unseen {
    columns: Vec<String>,
    members: Option<Vec<String>>,
}

impl Unseen {
    pub(super) fn new(columns: &Columns) -> Self {
        Self { columns: columns.named().into_iter().map(str::to_owned).collect(), members: None }
    }

    pub(super) fn look_at(&mut self, line: &Line) {
        self.columns.retain(|column| at(line, column).is_none());
        self.members.get_or_insert_with(|| line.keys().take(MEMBERS).map(|name| shown(name)).collect());
    }

    /// # Errors
    /// If there was a line, and a column that none has.
    pub(super) fn check(self, file: &str) -> Result<(), RecordedError> {
        match (self.columns.into_iter().next(), self.members) {
            (Some(column), Some(members)) => Err(RecordedError::NoColumn { file: file.to_owned(), column, members }),
            (Some(_), None) | (None, _) => Ok(()),
        }
    }
}

/// The member of this name, or at this dotted path.
fn at<'a>(line: &'a Line, column: &str) -> Option<&'a Value> {
    if let Some(value) = line.get(column) {
        return Some(value);
    }
    let (first, rest) = column.split_once('.')?;
    let inside = line.get(first)?.as_object()?;
    at(inside, rest)
}

/// Numbers of this size and above have neighbours that a table of floats cannot tell apart: 2 to the power of 53.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// The name of a unit, as it stands there.
fn id(line: &Line, column: &str) -> Result<Option<String>, String> {
    match at(line, column) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
        Some(Value::Number(number)) if number.is_f64() && number.as_f64().is_none_or(|id| id.abs() >= INEXACT) => {
            Err(format!("`{column}` is a number that lost its last digits: write ids as texts"))
        }
        value => value.map_or(Ok(None), |value| scalar(value, column)),
    }
}

/// A string, number or boolean as text; nothing for null, for what is empty, and for what is not there.
fn text(line: &Line, column: &str) -> Result<Option<String>, String> {
    at(line, column).map_or(Ok(None), |value| scalar(value, column))
}

fn scalar(value: &Value, column: &str) -> Result<Option<String>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(claim) => claim.to_string(),
        // Tables that hold a missing value anywhere write 1 as 1.0.
        Value::Number(number) => match number.as_f64().filter(|float| float.fract() == 0.0 && number.is_f64()) {
            Some(whole) => format!("{whole:.0}"),
            None => number.to_string(),
        },
        Value::Array(_) | Value::Object(_) => return Err(format!("`{column}` is a list or an object")),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The beginning of a value: somebody may have named the wrong column, and that holds a transcript.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

//! `api = "recorded"`: the file of verdicts and how it is read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::grade::recorded::{Columns, RecordedSettings, Said};
use crate::grade::settings::EndpointSettings;
use crate::model::recorded::EvidencePolicy;
use crate::source::settings::CorpusSettings;

use super::super::ledger::Ledger;
use super::super::nearest;
use super::super::written::{Endpoint, RecordedColumns};
use super::Context;

const EVIDENCE: [(&str, EvidencePolicy); 2] =
    [("verified", EvidencePolicy::Verified), ("trusted", EvidencePolicy::Trusted)];
/// Scores of an audit go from 0 to this.
const SCORE_MAX: f64 = 100.0;

/// What the settings of one endpoint say about its file. [`complete`] adds what the corpus decides.
pub(super) fn check(
    name: &str,
    written: &mut Endpoint,
    ledger: &mut Ledger<'_>,
    context: &Context<'_>,
) -> RecordedSettings {
    let at = |key: &str| format!("endpoint.{name}.{key}");
    let file = ledger.required(&at("file"), written.file.take(), "file = \"verdicts.jsonl\"");
    let is_table = [".csv", ".tsv"].iter().find(|ending| file.ends_with(**ending));
    if let Some(ending) = is_table {
        let message = format!(
            "`file` is read as JSON lines or Parquet, and `{ending}` is not: write one JSON object a line \
             (docs/recorded.md shows how)"
        );
        ledger.problem(&at("file"), message);
    }
    let columns = columns(&at("columns"), std::mem::take(&mut written.columns), ledger);
    let values = values(&at("values"), &written.values, ledger);
    for (field, answer) in &written.fields {
        ledger.record_written(&at(&format!("fields.{field}")), answer);
    }
    // Quotes that somebody recorded are looked up like any other; without them there is nothing to look up.
    let default = if columns.evidence.is_some() { EvidencePolicy::Verified } else { EvidencePolicy::Trusted };
    ledger.record_written(&at("evidence"), written.evidence.as_deref().unwrap_or(default.as_str()));
    let evidence = ledger.choice(&at("evidence"), written.evidence.as_deref(), &EVIDENCE, &[]).unwrap_or(default);
    let can_verify = evidence == EvidencePolicy::Trusted || columns.evidence.is_some();
    ledger.require(
        &at("evidence"),
        can_verify,
        "cannot be `verified` without quotes: name their column, as in `columns.evidence = \"quotes\"`",
    );
    let score_max = ledger.or_default(&at("score_max"), written.score_max, SCORE_MAX);
    ledger.require(&at("score_max"), score_max > 0.0 && score_max.is_finite(), "must be above 0");
    RecordedSettings {
        file: context.folder.join(&file),
        name: file,
        columns,
        values,
        fields: std::mem::take(&mut written.fields),
        evidence,
        score_max,
        max_line_bytes: 0,
    }
}

fn columns(path: &str, written: RecordedColumns, ledger: &mut Ledger<'_>) -> Columns {
    let default = Columns::default();
    let RecordedColumns { unit, turn, group, verdict, score, labels, exclusions, evidence, fields } = written;
    let mut optional = |key: &str, written: Option<String>| {
        let path = format!("{path}.{key}");
        ledger.record_written(&path, &written);
        ledger.require(&path, written.as_deref() != Some(""), "must name a column; leave it out for none");
        written
    };
    let columns = Columns {
        unit: optional("unit", Some(unit.unwrap_or(default.unit))).unwrap_or_default(),
        turn: optional("turn", turn),
        group,
        verdict: optional("verdict", Some(verdict.unwrap_or(default.verdict))).unwrap_or_default(),
        score: optional("score", score),
        labels: optional("labels", labels),
        exclusions: optional("exclusions", exclusions),
        evidence: optional("evidence", evidence),
        fields,
    };
    for (key, map) in [("group", &columns.group), ("fields", &columns.fields)] {
        for (field, column) in map {
            ledger.record_written(&format!("{path}.{key}.{field}"), column);
        }
    }
    columns
}

/// What stands for which verdict, by the text that a line shows.
fn values(path: &str, written: &BTreeMap<String, Vec<Value>>, ledger: &mut Ledger<'_>) -> BTreeMap<String, Said> {
    let mut values: BTreeMap<String, Said> = BTreeMap::new();
    for (name, texts) in written {
        let path = format!("{path}.{name}");
        ledger.record_written(&path, texts);
        let Some(said) = Said::ALL.into_iter().find(|said| said.as_str() == name) else {
            let advice = nearest::suggestion(name, Said::ALL.map(Said::as_str));
            ledger.problem(&path, format!("`values` cannot map to `{name}`; {advice}"));
            continue;
        };
        for value in texts {
            let text = match value {
                Value::String(text) => text.trim().to_owned(),
                // As lines are read: 1.0 is 1.
                Value::Number(number) => {
                    match number.as_f64().filter(|float| float.fract() == 0.0 && number.is_f64()) {
                        Some(whole) => format!("{whole:.0}"),
                        None => number.to_string(),
                    }
                }
                Value::Bool(claim) => claim.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    ledger.problem(&path, format!("`{name}` expects texts, numbers, true or false"));
                    continue;
                }
            };
            ledger.require(&path, !text.is_empty(), "cannot map an empty text: a line without a verdict says nothing");
            if let Some(other) = values.insert(text.clone(), said).filter(|other| *other != said) {
                ledger.problem(&path, format!("`{text}` stands for both `{}` and `{name}`", other.as_str()));
            }
        }
    }
    values
}

/// What the corpus decides: how long a line may be, and which fields form a group. A line that names its group has to name all
/// of it, or units could not be told apart.
pub(super) fn complete(
    endpoints: &mut BTreeMap<String, EndpointSettings>,
    corpus: &CorpusSettings,
    ledger: &mut Ledger<'_>,
) {
    let group_by = &corpus.group_by;
    let named = group_by.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    let named = if named.is_empty() { "none".to_owned() } else { named };
    for (name, endpoint) in endpoints {
        let Some(recorded) = &mut endpoint.recorded else { continue };
        recorded.max_line_bytes = corpus.max_line_bytes;
        let group = &recorded.columns.group;
        let is_whole = group.len() == group_by.len() && group_by.iter().all(|field| group.contains_key(field));
        ledger.require(
            &format!("endpoint.{name}.columns.group"),
            group.is_empty() || is_whole,
            &format!("must name a column for each field of `group_by` and no other: {named}"),
        );
    }
}

/// A file does not drift: asking it again what it has said before shows nothing.
pub(super) fn refuse_anchors(endpoint: Option<&EndpointSettings>, has_anchors: bool, ledger: &mut Ledger<'_>) {
    let is_recorded = endpoint.is_some_and(|endpoint| endpoint.recorded.is_some());
    ledger.require(
        "grader.screen.anchors",
        !(is_recorded && has_anchors),
        "cannot be asked of recorded verdicts, which do not drift: take them away",
    );
}

/// A line that is read twice is one verdict: it cannot uphold itself.
pub(super) fn refuse_twice(
    screen: &str,
    confirm: Option<&str>,
    endpoints: &BTreeMap<String, EndpointSettings>,
    ledger: &mut Ledger<'_>,
) {
    let recorded = |name: &str| endpoints.get(name).and_then(|endpoint| endpoint.recorded.as_ref());
    let is_same = |confirm: &str| {
        let both = recorded(screen).zip(recorded(confirm));
        both.is_some_and(|(a, b)| a.file == b.file && a.columns.verdict == b.columns.verdict)
    };
    ledger.require(
        "grader.confirm.endpoint",
        !confirm.is_some_and(is_same),
        "cannot be the verdicts that the screen is read from: a verdict does not confirm itself. Leave [grader.confirm] away, \
         or name another file or column",
    );
}

/// Nor does it give a second answer.
pub(super) fn refuse_repeats(
    path: &str,
    endpoint: Option<&EndpointSettings>,
    has_repeats: bool,
    ledger: &mut Ledger<'_>,
) {
    let is_recorded = endpoint.is_some_and(|endpoint| endpoint.recorded.is_some());
    ledger.require(path, !(is_recorded && has_repeats), "cannot be asked of recorded verdicts: take them away");
}

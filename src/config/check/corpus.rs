//! `[corpus]` and its sources.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::conversation::Channel;
use crate::model::unit::UnitKind;
use crate::source::settings::{CorpusSettings, Format, SourceSettings};

use super::super::ledger::Ledger;
use super::super::loose::Loose;
use super::super::origin::Origin;
use super::super::units;
use super::super::written::{Corpus, Source};
use super::Context;

const FORMATS: [(&str, Format); 4] = [
    ("auto", Format::Auto),
    ("canonical", Format::Canonical),
    ("openai", Format::OpenAi),
    ("sharegpt", Format::ShareGpt),
];
const LATER_FORMATS: [&str; 6] = ["anthropic", "inspect", "claude-code", "codex", "parquet", "csv"];
const LATER_PLACES: [&str; 3] = ["s3://", "gs://", "az://"];
const MAX_LINE_BYTES: &str = "64MiB";

pub(super) fn check(written: Corpus, ledger: &mut Ledger<'_>, context: &Context<'_>) -> CorpusSettings {
    if written.source.is_empty() {
        ledger.problem("corpus", "`corpus.source` is missing; write `[[corpus.source]]` with `paths`");
    }
    let sources = written.source.into_iter().enumerate();
    let sources = sources.map(|(index, written)| source(index, written, ledger, context)).collect();
    let group_by = ledger.or_default("corpus.group_by", written.group_by, Vec::new());
    let distinct: BTreeSet<&String> = group_by.iter().collect();
    ledger.require("corpus.group_by", distinct.len() == group_by.len(), "names a field twice");
    let unit = unit(written.unit.as_deref(), ledger);
    let sample_by = sample_by(written.sample_by.as_deref(), unit, ledger);
    let cluster_by = cluster_by(written.cluster_by, ledger);
    let channels = channels(written.channels, ledger);
    let filter = ledger.or_default("corpus.where", written.filter, String::new());
    let max_line_bytes = max_line_bytes(written.max_line_bytes, ledger);
    let flag = context.overrides.strict.as_ref();
    let origin = flag.map_or(Origin::Default, |flag| flag.origin.clone());
    let strict = flag.is_some_and(|flag| flag.value);
    ledger.record("corpus.strict", strict, origin);
    let root = context.folder.to_owned();
    CorpusSettings { sources, unit, sample_by, group_by, cluster_by, channels, filter, max_line_bytes, strict, root }
}

fn kind(path: &str, written: Option<&str>, default: UnitKind, ledger: &mut Ledger<'_>) -> UnitKind {
    let kinds = [UnitKind::Turn, UnitKind::Conversation].map(|kind| (kind.as_str(), kind));
    ledger.record_written(path, written.unwrap_or(default.as_str()));
    ledger.choice(path, written, &kinds, &[]).unwrap_or(default)
}

/// What is graded and counted.
fn unit(written: Option<&str>, ledger: &mut Ledger<'_>) -> UnitKind {
    kind("corpus.unit", written, UnitKind::default(), ledger)
}

/// What is drawn.
fn sample_by(written: Option<&str>, unit: UnitKind, ledger: &mut Ledger<'_>) -> UnitKind {
    const PATH: &str = "corpus.sample_by";
    let sample_by = kind(PATH, written, unit, ledger);
    let is_whole = unit.is_turn() || !sample_by.is_turn();
    ledger.require(
        PATH,
        is_whole,
        "cannot be `turn` where `unit` is `conversation`, which is drawn whole: leave it out",
    );
    sample_by
}

/// The metadata field whose values are the clusters; `None` for conversations.
fn cluster_by(written: Option<String>, ledger: &mut Ledger<'_>) -> Option<String> {
    const PATH: &str = "corpus.cluster_by";
    let field = ledger.or_default(PATH, written, UnitKind::Conversation.as_str().to_owned());
    ledger.require(PATH, !field.trim().is_empty(), "must be `conversation` or name a field of the metadata");
    // Every turn would be independent of its neighbours, which no formula here may assume.
    let is_turn = field == UnitKind::Turn.as_str();
    ledger.require(PATH, !is_turn, "cannot be `turn`: turns of one conversation are never independent");
    (field != UnitKind::Conversation.as_str()).then_some(field)
}

fn source(index: usize, written: Source, ledger: &mut Ledger<'_>, context: &Context<'_>) -> SourceSettings {
    let at = |key: &str| format!("corpus.source[{index}].{key}");
    let written_paths = ledger.or_default(&at("paths"), written.paths, Vec::new());
    ledger.require(&at("paths"), !written_paths.is_empty(), "must name at least one file, folder or glob");
    let mut paths = Vec::new();
    for path in &written_paths {
        match located(path, context) {
            Ok(path) => paths.push(path),
            Err(message) => ledger.problem(&at("paths"), message),
        }
    }
    ledger.record_written(&at("format"), written.format.as_deref().unwrap_or("auto"));
    let format = ledger.choice(&at("format"), written.format.as_deref(), &FORMATS, &LATER_FORMATS).unwrap_or_default();
    ledger.record_written(&at("set"), &written.set);
    let fields = fields(&at("fields"), written.fields, ledger);
    ledger.record_written(&at("fields"), &fields);
    SourceSettings { paths, format, set: written.set, fields }
}

/// A path of a source: `{date}` filled in, and absolute.
fn located(path: &str, context: &Context<'_>) -> Result<String, String> {
    if path.is_empty() {
        return Err("`paths` holds an empty path".to_owned());
    }
    if let Some(scheme) = LATER_PLACES.iter().find(|scheme| path.starts_with(**scheme)) {
        return Err(format!("`paths` with `{scheme}` is not available yet in this version"));
    }
    if path == "-" {
        return Ok(path.to_owned());
    }
    let path = match &context.overrides.date {
        Some(date) => path.replace("{date}", &date.value),
        None if path.contains("{date}") => return Err(format!("`{path}` needs `--date`, such as `--date 2026-11-23`")),
        None => path.to_owned(),
    };
    if let Some((_, rest)) = path.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        return Err(format!("`{path}` holds `{{{name}}}`; the only placeholder is `{{date}}`"));
    }
    Ok(context.folder.join(path).to_string_lossy().into_owned())
}

fn fields(path: &str, written: BTreeMap<String, Loose>, ledger: &mut Ledger<'_>) -> BTreeMap<String, Vec<String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in written {
        let places = match value {
            Loose::Text(place) => vec![place],
            Loose::Texts(places) if !places.is_empty() => places,
            Loose::Texts(_) | Loose::Whole(_) | Loose::Real(_) | Loose::Numbers(_) => {
                ledger.problem(&format!("{path}.{name}"), format!("`{name}` expects a field's name or a list of them"));
                continue;
            }
        };
        fields.insert(name, places);
    }
    fields
}

fn channels(written: Option<Vec<String>>, ledger: &mut Ledger<'_>) -> BTreeSet<Channel> {
    const PATH: &str = "corpus.channels";
    let names = Channel::ALL.map(|channel| (channel.as_str(), channel));
    let written = ledger.or_default(PATH, written, names.map(|(name, _)| name.to_owned()).to_vec());
    ledger.require(PATH, !written.is_empty(), "must name at least one channel");
    written.iter().filter_map(|name| ledger.choice(PATH, Some(name), &names, &[])).collect()
}

fn max_line_bytes(written: Option<Loose>, ledger: &mut Ledger<'_>) -> u64 {
    const PATH: &str = "corpus.max_line_bytes";
    let text = match written {
        None => MAX_LINE_BYTES.to_owned(),
        Some(Loose::Text(text)) => text,
        Some(Loose::Whole(bytes)) => bytes.to_string(),
        Some(Loose::Real(number)) => number.to_string(),
        Some(Loose::Texts(_) | Loose::Numbers(_)) => "a list or a table".to_owned(),
    };
    ledger.record_written(PATH, &text);
    ledger.ok_or(PATH, units::size(&text), 1)
}

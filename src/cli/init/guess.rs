//! What a corpus seems to be, from the first records of its first files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::model::conversation::Channel;
use crate::model::unit::UnitKind;
use crate::source::settings::{CorpusSettings, Format, SourceSettings};
use crate::source::{self, Filter, Parser, RawRecords, Record};

use super::super::exit::{Exit, Failure};

/// Files that are looked into: one file often holds one group.
const FILES: usize = 20;
/// Records that are read of each.
const RECORDS: usize = 200;
/// A field with more values than this does not make groups.
const MOST_GROUPS: usize = 20;
/// Fields that make groups even if only one value was seen.
const USUAL_GROUPS: [&str; 2] = ["checkpoint", "source"];
/// Fields beyond this many would make groups too small to compare.
const MOST_FIELDS: usize = 2;
/// Longest record that is read.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// What a corpus seems to be.
#[derive(Debug)]
pub(super) struct Guess {
    /// The glob, relative to the audit file where that is possible.
    pub(super) path: String,
    /// Fields that make groups.
    pub(super) group_by: Vec<String>,
    format: Format,
    files: usize,
    seen: Seen,
}

/// What the records that were read hold.
#[derive(Debug, Default)]
struct Seen {
    formats: BTreeSet<Format>,
    conversations: usize,
    unreadable: usize,
    first_unreadable: Option<String>,
    fields: BTreeMap<String, Field>,
}

/// One metadata field.
#[derive(Debug, Default)]
struct Field {
    conversations: usize,
    values: BTreeSet<String>,
}

/// Reads the first records of the files that `glob`, as seen from the current folder, names.
pub(super) fn guess(glob: &str, folder: &Path) -> Result<Guess, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
    let absolute = std::path::absolute(glob).map_err(|error| usage(error.into()))?;
    let settings = settings(&absolute, folder);
    let files = source::files(&settings).map_err(|error| usage(error.into()))?;
    let mut seen = Seen::default();
    for file in files.iter().take(FILES) {
        look_into(file, &settings, &mut seen).map_err(|error| usage(error.into()))?;
    }
    if seen.conversations == 0 {
        let first = seen.first_unreadable.unwrap_or_else(|| "there are no records".to_owned());
        let hint = "if the format is a foreign one, leave `--corpus` away and say in the audit file where messages are: docs/corpus.md shows \
                    how with `fields`";
        return Err(usage(anyhow!("no conversation can be read from `{glob}`: {first}")).with_hint(hint));
    }
    let format = match seen.formats.iter().collect::<Vec<_>>()[..] {
        [only] => *only,
        _ => Format::Auto,
    };
    let path = relative(&absolute, folder).to_string_lossy().into_owned();
    Ok(Guess { path, group_by: group_by(&seen), format, files: files.len(), seen })
}

fn settings(glob: &Path, folder: &Path) -> CorpusSettings {
    let paths = vec![glob.to_string_lossy().into_owned()];
    CorpusSettings {
        sources: vec![SourceSettings { paths, ..SourceSettings::default() }],
        unit: UnitKind::Turn,
        sample_by: UnitKind::Turn,
        group_by: Vec::new(),
        cluster_by: None,
        channels: Channel::ALL.into(),
        filter: String::new(),
        max_line_bytes: MAX_LINE_BYTES,
        strict: false,
        root: folder.to_owned(),
    }
}

fn look_into(file: &source::SourceFile, settings: &CorpusSettings, seen: &mut Seen) -> Result<(), source::SourceError> {
    let everything = Filter::new("")?;
    let parser = Parser::new(file, settings, &everything);
    for raw in RawRecords::open(file, settings)?.take(RECORDS) {
        let raw = raw?;
        let format = raw.format;
        match parser.parse(raw)? {
            Record::Conversation { conversation, .. } => {
                seen.conversations += 1;
                seen.formats.insert(format);
                for (name, value) in conversation.metadata {
                    let field = seen.fields.entry(name).or_default();
                    field.conversations += 1;
                    // One more than matters is enough to know that there are too many.
                    if field.values.len() <= MOST_GROUPS {
                        field.values.insert(value);
                    }
                }
            }
            Record::FilteredOut => {}
            Record::Unreadable { line, reason, detail } => {
                seen.unreadable += 1;
                let place = || format!("{}:{line}: {}: {detail}", file.name, reason.as_str());
                seen.first_unreadable.get_or_insert_with(place);
            }
        }
    }
    Ok(())
}

/// Fields that nearly every conversation has, with a few values: the usual names first.
fn group_by(seen: &Seen) -> Vec<String> {
    let is_usual = |name: &str| USUAL_GROUPS.contains(&name);
    let is_common = |field: &Field| field.conversations * 10 >= seen.conversations * 9;
    let makes_groups = |name: &str, field: &Field| {
        let repeats = field.values.len() * 2 <= field.conversations;
        is_usual(name) || (2..=MOST_GROUPS).contains(&field.values.len()) && repeats
    };
    let candidates = seen.fields.iter().filter(|(name, field)| is_common(field) && makes_groups(name, field));
    let mut names: Vec<String> = candidates.map(|(name, _)| name.clone()).collect();
    names.sort_by_key(|name| !is_usual(name));
    names.truncate(MOST_FIELDS);
    names
}

/// `path` as seen from `folder`, so that both can be moved together.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let mut rest = path.components().peekable();
    let mut base = folder.components().peekable();
    while rest.peek().is_some() && rest.peek() == base.peek() {
        rest.next();
        base.next();
    }
    base.map(|_| Component::ParentDir).chain(rest).collect()
}

impl Guess {
    /// The format as the audit file names it.
    pub(super) fn format_name(&self) -> &'static str {
        match self.format {
            Format::Auto => "auto",
            Format::Canonical => "canonical",
            Format::OpenAi => "openai",
            Format::ShareGpt => "sharegpt",
        }
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "files": self.files,
            "format": self.format_name(),
            "group_by": self.group_by,
            "conversations_read": self.seen.conversations,
            "records_unreadable": self.seen.unreadable,
        })
    }
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, conversations) = (self.files, self.seen.conversations);
        let plural = if files == 1 { "" } else { "s" };
        writeln!(f, "guessed from the first {conversations} conversations of {files} file{plural}:")?;
        writeln!(f, "  format = \"{}\"", self.format_name())?;
        if self.group_by.is_empty() {
            write!(f, "  group_by = []: no metadata field with a few values that most conversations have")?;
        }
        for name in &self.group_by {
            let values = self.seen.fields.get(name).map_or(0, |field| field.values.len());
            let plural = if values == 1 { "" } else { "s" };
            write!(f, "  group_by \"{name}\": {values} value{plural} so far")?;
            if self.group_by.last() != Some(name) {
                writeln!(f)?;
            }
        }
        if let Some(first) = &self.seen.first_unreadable {
            write!(f, "\n  {} record(s) cannot be read, the first one at {first}", self.seen.unreadable)?;
        }
        Ok(())
    }
}

//! One record's bytes to one conversation, under the settings of its source.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::error::{Fault, SourceError, UnreadableReason};
use super::fields::{self, Object};
use super::files::SourceFile;
use super::filter::Filter;
use super::read::RawRecord;
use super::settings::{CorpusSettings, Format, SourceSettings};
use super::{canonical, openai, sharegpt, wire};
use crate::model::conversation::{Conversation, Message};
use crate::model::hash::{Digest, PartHasher};
use crate::model::unit::Group;

/// Keys of `fields` that do not name metadata.
const FIELD_ID: &str = "id";
pub(super) const FIELD_MESSAGES: &str = "messages";

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// It belongs to the corpus.
    Conversation {
        /// The conversation.
        conversation: Conversation,
        /// The line that it begins on, from 1.
        line: u64,
    },
    /// `where` sets it aside.
    FilteredOut,
    /// It cannot be read.
    Unreadable {
        /// The line that it begins on, from 1.
        line: u64,
        /// The bucket that it is counted in.
        reason: UnreadableReason,
        /// Where in the record, in our words: never text of the transcript.
        detail: String,
    },
}

/// What a format finds in a record.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) id: Option<String>,
    pub(super) messages: Vec<Message>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// The settings that a file of [`files()`](super::files()) belongs to.
pub(super) fn source_of<'a>(file: &SourceFile, settings: &'a CorpusSettings) -> &'a SourceSettings {
    settings.sources.get(file.source).expect("a source file's index is that of its source")
}

/// Parses the records of one file; shared by reference between threads.
#[derive(Debug)]
pub struct Parser<'a> {
    source: &'a SourceSettings,
    filter: &'a Filter,
    stem: &'a str,
}

impl<'a> Parser<'a> {
    /// A parser for records of `file`, which comes from [`files()`](super::files()) with the same settings.
    #[must_use]
    pub fn new(file: &'a SourceFile, settings: &'a CorpusSettings, filter: &'a Filter) -> Self {
        Self { source: source_of(file, settings), filter, stem: file.stem() }
    }

    /// Parses one record. One without an id is named after file and record number.
    ///
    /// # Errors
    ///
    /// The `where` expression fails for this conversation's metadata.
    pub fn parse(&self, raw: RawRecord) -> Result<Record, SourceError> {
        let RawRecord { number, line, format, body } = raw;
        let parts = body.and_then(|bytes| {
            let text = std::str::from_utf8(&bytes).map_err(|error| {
                Fault::new(UnreadableReason::InvalidUtf8, format!("byte {} of the record", error.valid_up_to() + 1))
            })?;
            self.parts(text, format)
        });
        let parts = match parts {
            Ok(parts) if parts.messages.is_empty() => {
                let detail = "the conversation has no messages".to_owned();
                return Ok(Record::Unreadable { line, reason: UnreadableReason::Empty, detail });
            }
            Ok(parts) => parts,
            Err(Fault { reason, detail }) => return Ok(Record::Unreadable { line, reason, detail }),
        };
        let mut metadata = parts.metadata;
        for (name, value) in &self.source.set {
            metadata.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if !self.filter.keeps(&metadata)? {
            return Ok(Record::FilteredOut);
        }
        let id = parts.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("{}:{number}", self.stem));
        Ok(Record::Conversation { conversation: Conversation { id, messages: parts.messages, metadata }, line })
    }

    fn parts(&self, text: &str, format: Format) -> Result<Parts, Fault> {
        if self.source.fields.is_empty() {
            return by_format(text, format);
        }
        let record: Object<'_> = serde_json::from_str(text)?;
        let mut parts = match self.source.fields.get(FIELD_MESSAGES) {
            None => by_format(text, format)?,
            Some(paths) => Parts {
                id: record.get(FIELD_ID).copied().map(fields::scalar).transpose()?.flatten(),
                messages: mapped_messages(&record, paths)?,
                metadata: fields::metadata(fields::object(record.get("metadata").copied())?)?,
            },
        };
        for (name, paths) in &self.source.fields {
            match name.as_str() {
                FIELD_MESSAGES => {}
                FIELD_ID => {
                    let missing = || Fault::new(UnreadableReason::MissingId, format!("`{}`", paths.join("`, `")));
                    parts.id = Some(fields::joined(&record, paths)?.ok_or_else(missing)?);
                }
                name => {
                    if let Some(value) = fields::joined(&record, paths)? {
                        parts.metadata.insert(name.to_owned(), value);
                    }
                }
            }
        }
        Ok(parts)
    }
}

fn by_format(text: &str, format: Format) -> Result<Parts, Fault> {
    match format {
        Format::Canonical => canonical::parse(text),
        Format::OpenAi => openai::parse(text),
        Format::ShareGpt => sharegpt::parse(text),
        Format::Auto => match detect(text)? {
            Some(found) => by_format(text, found),
            None => Err(Fault::new(UnreadableReason::MissingMessages, "no `messages` and no `conversations`")),
        },
    }
}

/// The messages at the path that `fields` names: each is told by its keys.
fn mapped_messages(record: &Object<'_>, paths: &[String]) -> Result<Vec<Message>, Fault> {
    let mut messages = Vec::new();
    for path in paths {
        let missing = || Fault::new(UnreadableReason::MissingMessages, format!("no list at `{path}`"));
        let list = fields::at(record, path)?.filter(|value| value.get().starts_with('[')).ok_or_else(missing)?;
        let speaker = serde_json::from_str::<Vec<&RawValue>>(list.get())?.first().copied();
        let is_sharegpt = fields::object(speaker)?.contains_key("from");
        messages.extend(if is_sharegpt {
            sharegpt::messages(serde_json::from_str(list.get())?)?
        } else {
            wire::messages(serde_json::from_str(list.get())?)?
        });
    }
    Ok(messages)
}

/// The format of a record, by its keys; `None` if it has none of those that a format needs.
pub(super) fn detect(text: &str) -> Result<Option<Format>, Fault> {
    #[derive(Deserialize)]
    struct Keys<'a> {
        id: Option<IgnoredAny>,
        messages: Option<IgnoredAny>,
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
        conversations: Option<IgnoredAny>,
        choices: Option<IgnoredAny>,
        request: Option<IgnoredAny>,
        response: Option<IgnoredAny>,
    }
    if text.trim_start().starts_with('[') {
        return Ok(Some(Format::OpenAi));
    }
    let keys: Keys<'_> = serde_json::from_str(text)?;
    let is_log = keys.choices.is_some() || keys.request.is_some() || keys.response.is_some();
    let is_ours = keys.id.is_some() && keys.metadata.is_none_or(|metadata| metadata.get().starts_with('{'));
    Ok(if keys.messages.is_some() {
        Some(if is_ours && !is_log { Format::Canonical } else { Format::OpenAi })
    } else if keys.conversations.is_some() {
        Some(Format::ShareGpt)
    } else {
        is_log.then_some(Format::OpenAi)
    })
}

/// The values of the `group_by` fields; a missing one is `""`.
#[must_use]
pub fn group_of(conversation: &Conversation, group_by: &[String]) -> Group {
    Group(group_by.iter().map(|name| conversation.metadata.get(name).cloned().unwrap_or_default()).collect())
}

/// The cluster of a conversation by a metadata field: a digest of the field's name and its value, so that a value which
/// names a person is not spelled out where clusters are recorded. `None` without a field, and where its value is missing
/// or empty.
#[must_use]
pub fn cluster_of(conversation: &Conversation, cluster_by: Option<&str>) -> Option<Digest> {
    let field = cluster_by?;
    let value = conversation.metadata.get(field).filter(|value| !value.is_empty())?;
    Some(PartHasher::new("cluster").part(field.as_bytes()).part(value.as_bytes()).finish())
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;
    use crate::model::conversation::Channel;
    use crate::model::unit::UnitKind;
    use crate::source::{files, read};

    pub(in crate::source) fn corpus() -> CorpusSettings {
        CorpusSettings {
            sources: vec![SourceSettings::default()],
            unit: UnitKind::Turn,
            sample_by: UnitKind::Turn,
            group_by: vec!["checkpoint".to_owned()],
            cluster_by: None,
            channels: Channel::ALL.into(),
            filter: String::new(),
            max_line_bytes: 600,
            strict: false,
            root: "/".into(),
        }
    }

    fn fixture(name: &str, source: SourceSettings) -> CorpusSettings {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/transcripts");
        let paths = vec![root.join(name).display().to_string()];
        CorpusSettings { sources: vec![SourceSettings { paths, ..source }], root, ..corpus() }
    }

    /// One line per record: what a person would check against the file.
    fn shown(settings: &CorpusSettings) -> String {
        let filter = Filter::new(&settings.filter).unwrap();
        let mut shown = String::new();
        for file in files(settings).unwrap() {
            writeln!(shown, "== {}", file.name).unwrap();
            for record in read(&file, settings, &filter).unwrap() {
                match record.unwrap() {
                    Record::Conversation { conversation, line } => {
                        writeln!(shown, "{line}: {}", serde_json::to_string(&conversation).unwrap())
                    }
                    Record::FilteredOut => writeln!(shown, "filtered out"),
                    Record::Unreadable { line, reason, detail } => {
                        writeln!(shown, "{line}: {} ({detail})", reason.as_str())
                    }
                }
                .unwrap();
            }
        }
        shown
    }

    #[test]
    fn every_shape_is_read_and_every_defect_named() {
        let shown = shown(&fixture("[cos]*", SourceSettings::default()));
        for line in shown.lines().filter(|line| !line.contains('{')) {
            assert!(!line.contains("secret"), "a defect quotes the transcript: {line}");
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn foreign_fields_are_mapped_and_set_fills_what_is_absent() {
        let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let fields = [
            ("id", list(&["task.id", "trial"])),
            ("messages", list(&["traj"])),
            ("reward", list(&["reward"])),
            ("first", list(&["traj.0.role", "done"])),
        ];
        let source = SourceSettings {
            fields: fields.map(|(name, paths)| (name.to_owned(), paths)).into(),
            set: [("reward", "unknown"), ("arm", "x")].map(|(name, value)| (name.into(), value.into())).into(),
            ..SourceSettings::default()
        };
        insta::assert_snapshot!(shown(&fixture("mapped.jsonl", source)), @r#"
        == mapped.jsonl
        1: {"id":"0/1","messages":[{"role":"user","content":"Book it."},{"role":"assistant","content":"Booked."}],"metadata":{"arm":"x","first":"user/false","reward":"0.0"}}
        2: missing_id (`task.id`, `trial`)
        3: {"id":"2/0","messages":[{"role":"assistant","content":"No reward here."}],"metadata":{"arm":"x","reward":"unknown"}}
        4: missing_messages (no list at `traj`)
        "#);
    }

    #[test]
    fn where_sets_conversations_aside() {
        let settings = CorpusSettings {
            filter: "checkpoint == 'late'".to_owned(),
            max_line_bytes: 10_000,
            ..fixture("canonical.jsonl", SourceSettings::default())
        };
        let shown = shown(&settings);
        assert_eq!(shown.matches("filtered out").count(), 3);
        assert!(shown.contains(r#"1: {"id":"c-1""#) && shown.contains("malformed_json"), "{shown}");
    }

    #[test]
    fn a_group_is_the_metadata_in_order() {
        let conversation = Conversation {
            id: String::new(),
            messages: Vec::new(),
            metadata: [("a".to_owned(), "1".to_owned())].into(),
        };
        let group = group_of(&conversation, &["b".to_owned(), "a".to_owned()]);
        assert_eq!(group, Group(vec![String::new(), "1".to_owned()]));
    }
}

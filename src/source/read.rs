//! The records of one file: raw for whoever parses them on other threads, or parsed.

use std::io;

use super::decode::{self, Decoded};
use super::error::{Fault, SourceError, UnreadableReason};
use super::files::SourceFile;
use super::filter::Filter;
use super::parse::{FIELD_MESSAGES, Parser, Record, detect, source_of};
use super::settings::{CorpusSettings, Format};
use super::split::{Piece, Splitter};
use crate::model::hash::Digest;

/// One record before it is parsed.
pub struct RawRecord {
    /// Its position in the file, from 1; lines without a record are not counted.
    pub number: u64,
    /// The line that it begins on, from 1.
    pub line: u64,
    /// The file's format; [`Format::Auto`] until a record has shown it, and where `fields` says where messages are.
    pub format: Format,
    /// Its bytes, or why they are not there.
    pub body: Result<Vec<u8>, Fault>,
}

/// What a file held, known once it was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// BLAKE3 of the stored bytes.
    pub digest: Digest,
    /// Stored bytes.
    pub stored_bytes: u64,
    /// Decompressed bytes, as far as they could be decompressed.
    pub text_bytes: u64,
}

/// The raw records of one file, in order, one in memory at a time.
pub struct RawRecords<'a> {
    file: &'a SourceFile,
    splitter: Splitter<Decoded>,
    format: Format,
    /// Whether the next record that can be parsed decides the format.
    undecided: bool,
    number: u64,
}

impl<'a> RawRecords<'a> {
    /// Opens a file that comes from [`files()`](super::files()) with the same settings.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn open(file: &'a SourceFile, settings: &CorpusSettings) -> Result<Self, SourceError> {
        let source = source_of(file, settings);
        let splitter = Splitter::new(decode::open(file)?, settings.max_line_bytes);
        let undecided = source.format == Format::Auto && !source.fields.contains_key(FIELD_MESSAGES);
        Ok(Self { file, splitter, format: source.format, undecided, number: 0 })
    }

    /// Opens a file whose records are no conversations.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn plain(file: &'a SourceFile, max_line_bytes: u64) -> Result<Self, SourceError> {
        let splitter = Splitter::new(decode::open(file)?, max_line_bytes);
        Ok(Self { file, splitter, format: Format::Auto, undecided: false, number: 0 })
    }

    /// Reads what is left of the file, and says what the whole of it is.
    ///
    /// # Errors
    ///
    /// The system fails to deliver the file's bytes.
    pub fn finish(self) -> Result<Fingerprint, SourceError> {
        let failed = |source| SourceError::Read { path: self.file.path.clone(), source };
        let decoded = self.splitter.into_inner();
        let text_bytes = decoded.bytes();
        let (digest, stored_bytes) = decoded.finish().map_err(failed)?;
        Ok(Fingerprint { digest, stored_bytes, text_bytes })
    }

    fn number(&mut self, Piece { line, body }: Piece) -> RawRecord {
        self.number += 1;
        if self.undecided
            && let Ok(bytes) = &body
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            self.format = detect(text).ok().flatten().unwrap_or_default();
            self.undecided = self.format == Format::Auto;
        }
        RawRecord { number: self.number, line, format: self.format, body }
    }
}

impl Iterator for RawRecords<'_> {
    type Item = Result<RawRecord, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = match self.splitter.next()? {
            Ok(piece) => piece,
            Err(error) if is_decoding(&error) => {
                let fault = Fault::new(UnreadableReason::TruncatedArchive, error.to_string());
                Piece { line: self.splitter.line(), body: Err(fault) }
            }
            Err(source) => return Some(Err(SourceError::Read { path: self.file.path.clone(), source })),
        };
        Some(Ok(self.number(piece)))
    }
}

/// Decoders make their own errors; the system's carry its number.
fn is_decoding(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

/// The parsed records of one file, in order.
pub struct Records<'a> {
    raw: RawRecords<'a>,
    parser: Parser<'a>,
}

/// Opens a file that comes from [`files()`](super::files()) with the same settings.
///
/// # Errors
///
/// The file cannot be opened. While reading: the system fails to deliver its bytes, or `where` fails.
pub fn read<'a>(
    file: &'a SourceFile,
    settings: &'a CorpusSettings,
    filter: &'a Filter,
) -> Result<Records<'a>, SourceError> {
    Ok(Records { raw: RawRecords::open(file, settings)?, parser: Parser::new(file, settings, filter) })
}

impl Iterator for Records<'_> {
    type Item = Result<Record, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.raw.next()?.and_then(|raw| self.parser.parse(raw)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::model::conversation::Conversation;
    use crate::source::files;
    use crate::source::parse::tests::corpus;
    use crate::source::settings::SourceSettings;

    /// All conversations of a public sample; `None`, with the reason printed, where the samples are not installed.
    fn sample(path: &str, fields: &[(&str, &[&str])]) -> Option<Vec<Conversation>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        if !root.exists() {
            println!("skipped: the public samples are not at `../shared/data`");
            return None;
        }
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let source = SourceSettings {
            paths: vec![root.join(path).display().to_string()],
            fields: fields.iter().map(|(name, paths)| ((*name).to_owned(), owned(paths))).collect(),
            ..SourceSettings::default()
        };
        let settings = CorpusSettings { sources: vec![source], max_line_bytes: 1 << 26, root, ..corpus() };
        let filter = Filter::new("").unwrap();
        let files = files(&settings).unwrap();
        let records = files.iter().flat_map(|file| read(file, &settings, &filter).unwrap());
        let conversation = |record| match record {
            Record::Conversation { conversation, .. } => conversation,
            Record::FilteredOut | Record::Unreadable { .. } => panic!("a sample is unreadable: {record:?}"),
        };
        Some(records.map(|record| conversation(record.unwrap())).collect())
    }

    fn distinct_ids(conversations: &[Conversation]) -> usize {
        conversations.iter().map(|conversation| &conversation.id).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn public_chat_with_foreign_fields_is_read_without_a_converter() {
        let fields: &[(&str, &[&str])] = &[("id", &["conversation_id"]), ("source", &["source"])];
        let Some(read) = sample("chat-alpaca-eval/*.zst", fields) else { return };
        assert_eq!((read.len(), distinct_ids(&read)), (32_200, 32_200));
        assert_eq!(read.iter().map(|conversation| conversation.turns().count()).sum::<usize>(), 32_200);
        assert_eq!(read.iter().map(|conversation| &conversation.metadata["source"]).collect::<BTreeSet<_>>().len(), 40);
    }

    #[test]
    fn public_agent_transcripts_keep_every_message_and_tool_call() {
        let fields: &[(&str, &[&str])] =
            &[("id", &["task_id", "trial"]), ("messages", &["traj"]), ("reward", &["reward"])];
        let Some(read) = sample("tau-bench-airline", fields) else { return };
        assert_eq!((read.len(), distinct_ids(&read)), (200, 200));
        let messages = || read.iter().flat_map(|conversation| &conversation.messages);
        assert_eq!(messages().count(), 5_308);
        assert!(messages().any(|message| message.tool_calls.iter().any(|call| call.name == "book_reservation")));
        assert!(read.iter().all(|conversation| conversation.metadata.contains_key("reward")));
    }

    #[test]
    fn public_samples_of_each_format_are_detected() {
        let Some(sharegpt) = sample("formats/sharegpt", &[]) else { return };
        assert_eq!(distinct_ids(&sharegpt), sharegpt.len());
        assert!(sharegpt.iter().all(|conversation| conversation.turns().count() > 0));
        let replies = sample("formats/openai/*.json", &[]).unwrap_or_default();
        assert_eq!(replies.len(), 3);
        assert!(replies.iter().all(|reply| reply.turns().count() == 1 && reply.bytes() > 0));
    }
}

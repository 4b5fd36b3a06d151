//! The form of a line: a fixed frame around one JSON record and its checksum.

use serde::{Deserialize, Serialize};

/// Longest line that is written or read, in bytes: larger than any reply, small enough for any machine's memory.
pub const MAX_LINE_BYTES: usize = 64 << 20;

const BEFORE_SUM: &[u8] = b"{\"crc32c\":\"";
const SUM_DIGITS: usize = 8;
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
const BEFORE_RECORD: &[u8] = b"\",\"record\":";
const AFTER_RECORD: &[u8] = b"}";

/// What the records of a file are, and the newest format of them that this build knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// The name in the file's header, in the plural.
    pub name: &'static str,
    /// The format that is written; it and all older ones are read.
    pub format: u32,
}

impl FileKind {
    /// Events of a run.
    pub const EVENTS: Self = Self { name: "events", format: crate::model::event::EVENT_FORMAT };
}

/// The first record of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) kind: String,
    pub(super) format: u32,
}

impl From<FileKind> for Header {
    fn from(kind: FileKind) -> Self {
        Self { kind: kind.name.to_owned(), format: kind.format }
    }
}

/// What is wrong with one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// It is the last line and incomplete: a crash cut it off before anybody was told that it was written.
    #[error("the last line is cut off")]
    Torn,
    /// The record is not what was written.
    #[error("the checksum differs")]
    Checksum,
    /// There is no frame around the record.
    #[error("it is not a journal line")]
    Frame,
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("the line is too long")]
    TooLong,
    /// The record is what was written, but not what its reader expects.
    #[error("the record does not have the expected form")]
    Form,
}

/// Appends the line for a record, with its line break; `None`, and nothing appended, if the record has no JSON form.
pub(super) fn encode(record: &impl Serialize, lines: &mut Vec<u8>) -> Option<()> {
    let start = lines.len();
    lines.extend_from_slice(BEFORE_SUM);
    lines.extend_from_slice(&[b'0'; SUM_DIGITS]);
    lines.extend_from_slice(BEFORE_RECORD);
    let json = lines.len();
    if serde_json::to_writer(&mut *lines, record).is_err() {
        lines.truncate(start);
        return None;
    }
    let (frame, record) = lines.split_at_mut(json);
    let sum = crc32c::crc32c(record);
    let digits = frame.iter_mut().skip(start + BEFORE_SUM.len()).take(SUM_DIGITS);
    for (position, digit) in (1..=SUM_DIGITS).rev().zip(digits) {
        *digit = HEXADECIMAL[(sum >> (4 * (position - 1)) & 0xf) as usize];
    }
    lines.extend_from_slice(AFTER_RECORD);
    lines.push(b'\n');
    Some(())
}

/// The line for a record, with its line break, for whoever writes elsewhere than to a journal; `None` if the record has
/// no JSON form.
#[must_use]
pub fn line_of(record: &impl Serialize) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    encode(record, &mut line)?;
    Some(line)
}

/// The record of a line without its line break.
pub(super) fn decode(line: &[u8]) -> Result<&str, Damage> {
    let (sum, json) = unframe(line).ok_or(Damage::Frame)?;
    let sum = std::str::from_utf8(sum).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if sum.ok_or(Damage::Frame)? != crc32c::crc32c(json) {
        return Err(Damage::Checksum);
    }
    std::str::from_utf8(json).map_err(|_| Damage::Form)
}

fn unframe(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sum, rest) = line.strip_prefix(BEFORE_SUM)?.split_at_checked(SUM_DIGITS)?;
    let json = rest.strip_prefix(BEFORE_RECORD)?.strip_suffix(AFTER_RECORD)?;
    Some((sum, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_valid_json_with_a_known_checksum() {
        let mut line = Vec::new();
        encode(&"123456789", &mut line).unwrap();
        // The checksum covers the quotes as well: crc32c of `"123456789"`.
        assert_eq!(String::from_utf8(line).unwrap(), "{\"crc32c\":\"db9cc654\",\"record\":\"123456789\"}\n");
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283, "the published check value of CRC-32C");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut line = Vec::new();
        encode(&serde_json::json!({"text": "line\nbreak", "number": 7}), &mut line).unwrap();
        let whole = line.strip_suffix(b"\n").unwrap();
        assert_eq!(decode(whole), Ok("{\"text\":\"line\\nbreak\",\"number\":7}"));
        for position in 0..whole.len() * 8 {
            let mut flipped = whole.to_vec();
            flipped[position / 8] ^= 1 << (position % 8);
            let upper_case_digit = flipped.eq_ignore_ascii_case(whole) && position / 8 < 19;
            assert!(decode(&flipped).is_err() || upper_case_digit, "bit {position}");
        }
    }
}

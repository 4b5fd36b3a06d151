//! Cuts a stream of bytes into records: one per line, one per JSON document, or one per element of a JSON array.
//!
//! A record over the limit is skipped as it streams by and never held in memory.

use std::io::{self, BufRead, Chain, Cursor, Read};

use super::error::{Fault, UnreadableReason};

/// How much of a stream decides its layout.
const HEAD_BYTES: u64 = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One record's bytes, or why they are not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The line that it begins on, from 1.
    pub(super) line: u64,
    /// Its bytes, perhaps with white space around them.
    pub(super) body: Result<Vec<u8>, Fault>,
}

/// The records of one stream, in order. After an error there is no further record.
pub(super) struct Splitter<R> {
    reader: Chain<Cursor<Vec<u8>>, Held<R>>,
    layout: Layout,
    limit: u64,
    line: u64,
    /// Whether the bracket that opens the array has been read.
    entered: bool,
    finished: bool,
}

/// How a stream holds its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One per line.
    Lines,
    /// JSON values one after another, each over any number of lines.
    Documents,
    /// The elements of one array.
    Array,
}

impl<R: BufRead> Splitter<R> {
    /// Looks at the head of the stream for its layout. Records longer than `limit` bytes are skipped.
    pub(super) fn new(mut reader: R, limit: u64) -> Self {
        let mut head = Vec::new();
        let error = reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head).err();
        let start = if head.starts_with(BOM) { BOM.len() } else { 0 };
        let layout = layout_of(head.split_at(start).1);
        let mut head = Cursor::new(head);
        head.set_position(start as u64);
        let reader = head.chain(Held { reader, error });
        Self { reader, layout, limit, line: 1, entered: false, finished: false }
    }

    /// The line that reading has come to, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The stream, wherever reading has come to.
    pub(super) fn into_inner(self) -> R {
        self.reader.into_inner().1.reader
    }

    fn next_line(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let mut bytes = Vec::new();
            // One more than the limit, for the line feed.
            if self.reader.by_ref().take(self.limit + 1).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            let line = self.line;
            self.line += 1;
            if bytes.len() as u64 > self.limit && bytes.last() != Some(&b'\n') {
                drop(bytes);
                self.reader.skip_until(b'\n')?;
                return Ok(Some(Piece { line, body: Err(too_long(self.limit)) }));
            }
            // Without the line feed: an error at the end of the record is then on the record's only line.
            bytes.pop_if(|byte| *byte == b'\n');
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Piece { line, body: Ok(bytes) }));
            }
        }
    }

    fn next_document(&mut self) -> io::Result<Option<Piece>> {
        let Some(_) = self.skip(|byte| byte.is_ascii_whitespace())? else { return Ok(None) };
        self.value().map(Some)
    }

    fn next_element(&mut self) -> io::Result<Option<Piece>> {
        let between = |byte: u8| byte.is_ascii_whitespace() || byte == b',';
        let malformed = |detail| Err(Fault::new(UnreadableReason::MalformedJson, detail));
        if !std::mem::replace(&mut self.entered, true) {
            self.skip(|byte| byte.is_ascii_whitespace())?;
            self.reader.consume(1);
        }
        match self.skip(between)? {
            Some(b']') => {
                self.finished = true;
                self.reader.consume(1);
                let behind = self.skip(|byte| byte.is_ascii_whitespace())?;
                Ok(behind.map(|_| Piece { line: self.line, body: malformed("text behind the end of the array") }))
            }
            Some(_) => self.value().map(Some),
            None => {
                self.finished = true;
                Ok(Some(Piece { line: self.line, body: malformed("the file ends inside its array") }))
            }
        }
    }

    /// Skips bytes between values; the byte after them, or `None` at the end of the stream.
    fn skip(&mut self, between: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            let chunk = self.reader.fill_buf()?;
            let skipped = chunk.iter().take_while(|byte| between(**byte)).count();
            let (before, rest) = chunk.split_at(skipped);
            self.line += lines_in(before);
            let (next, at_end) = (rest.first().copied(), chunk.is_empty());
            self.reader.consume(skipped);
            if next.is_some() || at_end {
                return Ok(next);
            }
        }
    }

    /// The JSON value that begins at the next byte.
    fn value(&mut self) -> io::Result<Piece> {
        let line = self.line;
        let mut scan = Scan::default();
        let (mut bytes, mut length) = (Vec::new(), 0u64);
        loop {
            let chunk = self.reader.fill_buf()?;
            let at_end = chunk.is_empty();
            let (taken, done) = scan.take(chunk);
            let part = chunk.split_at(taken).0;
            length += taken as u64;
            if length <= self.limit {
                bytes.extend_from_slice(part);
            } else {
                bytes = Vec::new();
            }
            self.line += lines_in(part);
            self.reader.consume(taken);
            if done || at_end {
                let body = if length > self.limit { Err(too_long(self.limit)) } else { Ok(bytes) };
                return Ok(Piece { line, body });
            }
        }
    }
}

impl<R: BufRead> Iterator for Splitter<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let piece = match self.layout {
            Layout::Lines => self.next_line(),
            Layout::Documents => self.next_document(),
            Layout::Array => self.next_element(),
        };
        self.finished |= piece.is_err();
        piece.transpose()
    }
}

/// A reader whose next read fails first if reading its head failed: the records in the head come before the error.
struct Held<R> {
    reader: R,
    error: Option<io::Error>,
}

impl<R: BufRead> Read for Held<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.error.take().map_or_else(|| self.reader.read(buffer), Err)
    }
}

impl<R: BufRead> BufRead for Held<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.reader.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

/// Follows one JSON value far enough to find its end.
#[derive(Default)]
struct Scan {
    started: bool,
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// How many bytes of `chunk` belong to the value, and whether it ends with them.
    fn take(&mut self, chunk: &[u8]) -> (usize, bool) {
        for (at, byte) in chunk.iter().enumerate() {
            if self.in_string {
                self.string_byte(*byte);
                continue;
            }
            let first = !std::mem::replace(&mut self.started, true);
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                // What stands outside brackets is no record, but it must end somewhere.
                b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 && !first => return (at, true),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ => {}
            }
        }
        (chunk.len(), false)
    }

    fn string_byte(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            // JSON has no line feed inside a string: a quote was lost, and only this record must suffer.
            b'"' | b'\n' => self.in_string = false,
            _ => {}
        }
    }
}

/// Pretty-printed values and arrays of records are told from JSONL by how the stream begins.
fn layout_of(head: &[u8]) -> Layout {
    let head = head.trim_ascii_start();
    let Some((first, inside)) = head.split_first() else { return Layout::Lines };
    let pretty = inside.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) == Some(&b'\n');
    match first {
        b'[' if !holds_a_message(inside) => Layout::Array,
        b'[' | b'{' if pretty => Layout::Documents,
        _ => Layout::Lines,
    }
}

/// Whether the first object in `array` has the key `role`: then the array is one conversation, not many records.
fn holds_a_message(array: &[u8]) -> bool {
    let mut scan = Scan::default();
    let mut rest = array.trim_ascii_start();
    while let Some((byte, behind)) = rest.split_first() {
        let opens_string = !scan.in_string && *byte == b'"';
        if opens_string && scan.depth == 1 {
            let key = behind.strip_prefix(b"role\"").map(<[u8]>::trim_ascii_start);
            if key.is_some_and(|rest| rest.starts_with(b":")) {
                return true;
            }
        }
        if scan.take(std::slice::from_ref(byte)).1 {
            return false;
        }
        rest = behind;
    }
    false
}

fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn too_long(limit: u64) -> Fault {
    Fault::new(UnreadableReason::TooLong, format!("longer than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &[u8], limit: u64, chunk: usize) -> Vec<Piece> {
        Splitter::new(BufReader::with_capacity(chunk, text), limit).map(Result::unwrap).collect()
    }

    fn texts(text: &str, limit: u64) -> Vec<String> {
        let shown = |piece: Piece| match piece.body {
            Ok(bytes) => format!("{}: {}", piece.line, String::from_utf8(bytes).unwrap().trim_ascii()),
            Err(fault) => format!("{}: {}", piece.line, fault.reason.as_str()),
        };
        pieces(text.as_bytes(), limit, 16).into_iter().map(shown).collect()
    }

    #[test]
    fn lines() {
        assert_eq!(texts("{\"a\":1}\r\n\n  \n{\"b\":2}", 9), ["1: {\"a\":1}", "4: {\"b\":2}"]);
        assert_eq!(texts("{\"a\":123456}\n{\"b\":2}\n", 9), ["1: too_long", "2: {\"b\":2}"]);
        assert_eq!(texts("[{\"role\":\"user\"}]\n[]\n", 99), ["1: [{\"role\":\"user\"}]", "2: []"]);
        assert!(texts(" \n\n", 9).is_empty());
        assert!(texts("", 9).is_empty());
    }

    #[test]
    fn documents() {
        assert_eq!(texts("{\n\"a\": \"}\"\n}\n{\"b\":2} x", 99), ["1: {\n\"a\": \"}\"\n}", "4: {\"b\":2}", "4: x"]);
        assert_eq!(texts("{\n\"a\": \"\\\"}\"}{\n}", 99), ["1: {\n\"a\": \"\\\"}\"}", "2: {\n}"]);
        // The quote that was lost spoils its own record only.
        assert_eq!(texts("{\n\"a\": \"x\n}\n{\"b\":2}", 99), ["1: {\n\"a\": \"x\n}", "4: {\"b\":2}"]);
        assert_eq!(texts("[\n{\"role\" : \"user\"}\n]\n", 99), ["1: [\n{\"role\" : \"user\"}\n]"]);
    }

    #[test]
    fn arrays() {
        let array = "[ {\"a\":[1,\"]\"]},\n5,{\"long\":1234567890},\n[2] ]\n\n";
        assert_eq!(texts(array, 15), ["1: {\"a\":[1,\"]\"]}", "2: 5", "2: too_long", "3: [2]"]);
        assert_eq!(texts("[{\"a\":1}", 99), ["1: {\"a\":1}", "1: malformed_json"]);
        assert_eq!(texts("[{\"a\":1}]\n]", 99), ["1: {\"a\":1}", "2: malformed_json"]);
        assert_eq!(texts("[{\"a\":1}}, {\"b\":2}]", 99), ["1: {\"a\":1}", "1: }", "1: {\"b\":2}"]);
        assert!(texts("[]", 9).is_empty());
    }

    /// A reader that makes up one endless record, and fails the test if anybody stores it.
    struct Endless {
        left: u64,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(usize::try_from(self.left).unwrap());
            buffer[..length].fill(b'x');
            self.left -= length as u64;
            Ok(length)
        }
    }

    #[test]
    fn an_oversize_record_is_not_held_in_memory() {
        for (before, after) in [("", "\n{}"), ("[\"", "\",{}]"), ("{\n\"", "\"}{}")] {
            let endless = before.as_bytes().chain(Endless { left: 200_000_000 }).chain(after.as_bytes());
            let splitter = Splitter::new(BufReader::new(endless), 1_000);
            let mut most = 0;
            let mut faults = 0;
            for piece in splitter {
                match piece.unwrap().body {
                    Ok(bytes) => most = most.max(bytes.capacity()),
                    Err(fault) => faults += u32::from(fault.reason == UnreadableReason::TooLong),
                }
            }
            assert_eq!(faults, 1);
            assert!(most <= 4_096);
        }
    }

    #[test]
    fn records_before_an_error_are_not_lost() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cut off"))
            }
        }
        let stream = b"{\"a\":1}\n{\"b\":2}\n{\"c\"".chain(Failing);
        let read: Vec<_> = Splitter::new(BufReader::new(stream), 99).map(|piece| piece.is_ok()).collect();
        assert_eq!(read, [true, true, false]);
    }

    fn any_stream() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just("\""),
            Just("\\"),
            Just("\n"),
            Just(" "),
            Just("{\"role\":\"user\"}"),
            Just("{\"a\":\"]\"}"),
            Just("ä"),
            Just("\r\n"),
            Just("12"),
        ];
        prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn reading_does_not_depend_on_chunks(text in any_stream(), chunk in 1usize..9, limit in 0u64..30) {
            let whole = pieces(text.as_bytes(), limit, 1 << 16);
            prop_assert_eq!(pieces(text.as_bytes(), limit, chunk), whole);
        }

        #[test]
        fn lines_are_conserved(lines in prop::collection::vec("[a-z{}\",]{1,12}", 1..20), limit in 1u64..12) {
            let text = format!("x\n{}", lines.join("\n"));
            let read = pieces(text.as_bytes(), limit, 7);
            prop_assert_eq!(read.len(), lines.len() + 1);
            for (piece, line) in read.iter().zip(std::iter::once("x").chain(lines.iter().map(String::as_str))) {
                prop_assert_eq!(piece.body.is_err(), line.len() as u64 > limit);
            }
        }
    }
}

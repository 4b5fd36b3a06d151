//! Reads a file line by line; a damaged line is reported and the next one is read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::format::{Damage, FileKind, Header, MAX_LINE_BYTES, decode};
use super::{JournalError, Place};

const BUFFER_BYTES: usize = 64 << 10;

/// One line of a file.
#[derive(Clone)]
pub struct Line {
    /// The file.
    pub file: Arc<Path>,
    /// Its number in the file, from 1; the header is number 1.
    pub number: u64,
    /// Where it stands, for [`read_at`].
    pub place: Place,
    /// The record as JSON text, or what is wrong with the line.
    pub record: Result<String, Damage>,
}

impl Line {
    /// The record as a value.
    ///
    /// # Errors
    ///
    /// What is wrong with the line; [`Damage::Form`] if its record is something else than a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Damage> {
        // serde's messages quote the offending text, which may be a conversation's: they are not passed on.
        self.record.as_ref().map_err(|damage| *damage).and_then(|json| parse(json))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, number, place, record } = self;
        let record = record.as_ref().map(String::len);
        write!(f, "Line({}:{number}, {place:?}, {record:?})", file.display())
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Damage> {
    serde_json::from_str(json).map_err(|_| Damage::Form)
}

/// Reads the record at a place of an open file into `buffer`, whose memory is used again. `path` names the file, if the
/// system fails.
///
/// # Errors
///
/// The file system's; `Ok(Err(...))` if what stands there is not one undamaged line.
pub fn read_at<'a>(
    file: &File,
    path: impl FnOnce() -> PathBuf,
    place: Place,
    buffer: &'a mut Vec<u8>,
) -> Result<Result<&'a str, Damage>, JournalError> {
    let length = place.length as usize;
    if length > MAX_LINE_BYTES {
        return Ok(Err(Damage::TooLong));
    }
    buffer.resize(length, 0);
    match file.read_exact_at(buffer, place.offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(Damage::Torn)),
        Err(error) => Err(JournalError::io("read", &path(), error)),
        Ok(()) => Ok(decode(buffer)),
    }
}

/// The records of one file, in order, in constant memory. The header is not among them, unless it is damaged: then its
/// line is reported, and the records behind it are read all the same.
pub struct Reader<R = BufReader<File>> {
    path: Arc<Path>,
    file: R,
    line: Vec<u8>,
    offset: u64,
    number: u64,
    header: Option<String>,
    damaged_header: Option<Line>,
    failed: bool,
}

impl Reader {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    ///
    /// The file system's, [`JournalError::NewerFormat`] and [`JournalError::WrongKind`].
    pub fn open(path: &Path, kind: FileKind) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(|error| JournalError::io("open", path, error))?;
        Self::over(BufReader::with_capacity(BUFFER_BYTES, file), path, kind)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads a stream that is known as `path`, and checks its header.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`].
    pub fn over(file: R, path: &Path, kind: FileKind) -> Result<Self, JournalError> {
        let mut reader = Self {
            path: path.into(),
            file,
            line: Vec::new(),
            offset: 0,
            number: 0,
            header: None,
            damaged_header: None,
            failed: false,
        };
        match reader.next_line()? {
            Some(header) if header.record.is_ok() => {
                check_header(&header, kind)?;
                reader.header = header.record.ok();
            }
            damaged => reader.damaged_header = damaged,
        }
        Ok(reader)
    }

    /// The header as a value: what it says beside kind and format. Nothing if it is damaged or says something else.
    #[must_use]
    pub fn header<T: DeserializeOwned>(&self) -> Option<T> {
        self.header.as_ref().and_then(|json| parse(json).ok())
    }

    fn next_line(&mut self) -> Result<Option<Line>, JournalError> {
        self.read_line().map_err(|error| JournalError::io("read", &self.path, error))
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        self.line.clear();
        let limit = MAX_LINE_BYTES as u64;
        let mut length = self.file.by_ref().take(limit).read_until(b'\n', &mut self.line)? as u64;
        if length == 0 {
            return Ok(None);
        }
        let whole = self.line.pop_if(|byte| *byte == b'\n').is_some();
        let mut record = decode(&self.line).map(str::to_owned);
        if !whole && length == limit {
            record = Err(Damage::TooLong);
            length += self.file.skip_until(b'\n')? as u64;
        }
        if record.is_err() && self.file.fill_buf()?.is_empty() {
            record = Err(Damage::Torn);
        }
        self.number += 1;
        let place = Place { offset: self.offset, length: u32::try_from(self.line.len()).unwrap_or(u32::MAX) };
        self.offset += length;
        Ok(Some(Line { file: Arc::clone(&self.path), number: self.number, place, record }))
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({}, line {}, byte {})", self.path.display(), self.number, self.offset)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Line, JournalError>;

    /// The next line; after an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(header) = self.damaged_header.take() {
            return Some(Ok(header));
        }
        if self.failed {
            return None;
        }
        let next = self.next_line();
        self.failed = next.is_err();
        next.transpose()
    }
}

fn check_header(line: &Line, FileKind { name, format }: FileKind) -> Result<(), JournalError> {
    let path = line.file.to_path_buf();
    match line.parse::<Header>() {
        Ok(header) if header.kind == name && header.format > format => {
            Err(JournalError::NewerFormat { path, kind: name, found: header.format, known: format })
        }
        Ok(header) if header.kind == name => Ok(()),
        Ok(_) | Err(_) => Err(JournalError::WrongKind { path, expected: name }),
    }
}

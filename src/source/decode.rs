//! Files as bytes: plain, gzip or zstd, told apart by their first bytes, never by their names.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Stdin};

use flate2::bufread::MultiGzDecoder;

use super::error::SourceError;
use super::files::SourceFile;
use crate::model::hash::Digest;

/// Large enough that the system call costs nothing beside decoding.
const BUFFER_BYTES: usize = 128 * 1024;

/// The stored bytes of one file, hashed as they are read.
pub(super) struct Stored {
    input: Input,
    hasher: blake3::Hasher,
    bytes: u64,
}

enum Input {
    File(File),
    Stdin(Stdin),
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.input {
            Input::File(file) => file.read(buffer)?,
            Input::Stdin(stdin) => stdin.read(buffer)?,
        };
        self.hasher.update(buffer.split_at(read).0);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The decompressed bytes of one file. Concatenated members and frames are read to the last one.
pub(super) struct Decoded {
    form: Form,
    bytes: u64,
}

enum Form {
    Plain(BufReader<Stored>),
    Gzip(BufReader<MultiGzDecoder<BufReader<Stored>>>),
    Zstd(BufReader<zstd::Decoder<'static, BufReader<Stored>>>),
}

/// Opens a file, or standard input for `-`.
pub(super) fn open(file: &SourceFile) -> Result<Decoded, SourceError> {
    let failed = |source| SourceError::Open { path: file.path.clone(), source };
    let input =
        if file.is_stdin() { Input::Stdin(io::stdin()) } else { Input::File(File::open(&file.path).map_err(failed)?) };
    let stored = Stored { input, hasher: blake3::Hasher::new(), bytes: 0 };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, stored);
    let form = match reader.fill_buf().map_err(failed)? {
        [0x1f, 0x8b, ..] => Form::Gzip(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(reader))),
        // A data frame, or a skippable one in front of it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let decoder = zstd::Decoder::with_buffer(reader).map_err(failed)?;
            Form::Zstd(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        _ => Form::Plain(reader),
    };
    Ok(Decoded { form, bytes: 0 })
}

impl Decoded {
    /// Decompressed bytes consumed so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads what is left of the file and returns the digest and number of its stored bytes.
    pub(super) fn finish(self) -> io::Result<(Digest, u64)> {
        let mut stored = match self.form {
            Form::Plain(reader) => reader.into_inner(),
            Form::Gzip(reader) => reader.into_inner().into_inner().into_inner(),
            Form::Zstd(reader) => reader.into_inner().finish().into_inner(),
        };
        io::copy(&mut stored, &mut io::sink())?;
        Ok((Digest::from_bytes(*stored.hasher.finalize().as_bytes()), stored.bytes))
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.form {
            Form::Plain(reader) => reader.read(buffer)?,
            Form::Gzip(reader) => reader.read(buffer)?,
            Form::Zstd(reader) => reader.read(buffer)?,
        };
        self.bytes += read as u64;
        Ok(read)
    }
}

impl BufRead for Decoded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.form {
            Form::Plain(reader) => reader.fill_buf(),
            Form::Gzip(reader) => reader.fill_buf(),
            Form::Zstd(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        match &mut self.form {
            Form::Plain(reader) => reader.consume(amount),
            Form::Gzip(reader) => reader.consume(amount),
            Form::Zstd(reader) => reader.consume(amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(stored: &[u8]) -> (io::Result<usize>, Vec<u8>, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("any.name");
        std::fs::write(&path, stored).unwrap();
        let mut decoded = open(&SourceFile { path, name: String::new(), source: 0, bytes: 0 }).unwrap();
        let mut text = Vec::new();
        let read = decoded.read_to_end(&mut text);
        (read, text, decoded.finish().unwrap().0)
    }

    #[test]
    fn members_and_frames_are_read_to_the_last() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
        for stored in [
            b"one two".to_vec(),
            [gzip(b"one "), gzip(b"two")].concat(),
            [zstd(b"one "), zstd(b"two")].concat(),
            [&skippable[..], &zstd(b"one two")].concat(),
        ] {
            let (read, text, digest) = decode(&stored);
            assert_eq!((read.unwrap(), text.as_slice()), (7, &b"one two"[..]));
            assert_eq!(digest, Digest::of(&stored));
        }
    }

    #[test]
    fn a_cut_archive_is_no_system_error_and_still_hashes_whole() {
        let long: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        for mut stored in [gzip(&long), zstd::encode_all(&long[..], 1).unwrap()] {
            stored.truncate(stored.len() / 2);
            let (read, text, digest) = decode(&stored);
            assert!(read.unwrap_err().raw_os_error().is_none());
            assert!(!text.is_empty() && long.starts_with(&text));
            assert_eq!(digest, Digest::of(&stored));
        }
    }
}

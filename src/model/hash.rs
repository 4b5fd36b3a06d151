//! Content hashes. Everything that assize identifies by content is identified by BLAKE3 over length-prefixed parts,
//! so that no concatenation of two fields can collide with another.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 256-bit BLAKE3 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of one byte string.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 64 bits, big-endian: a uniform number for draws.
    #[must_use]
    pub fn leading_u64(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(self.0.split_at(8).0);
        u64::from_be_bytes(first)
    }

    /// The first 128 bits, big-endian: a compact identity for sorting and joining.
    #[must_use]
    pub fn leading_u128(&self) -> u128 {
        let mut first = [0; 16];
        first.copy_from_slice(self.0.split_at(16).0);
        u128::from_be_bytes(first)
    }

    /// The first twelve hexadecimal digits: enough for a person to tell versions apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// The text was not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| NotADigest)?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DigestVisitor)
    }
}

/// Reads the digits where they stand: a journal of a million lines holds a few million digests.
struct DigestVisitor;

impl Visitor<'_> for DigestVisitor {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hexadecimal digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

/// Hashes parts one by one, each prefixed by its length in bytes (u64, little-endian).
#[derive(Clone)]
pub struct PartHasher(blake3::Hasher);

impl fmt::Debug for PartHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartHasher")
    }
}

impl PartHasher {
    /// A hasher for one `purpose`; two purposes never give the same digest.
    #[must_use]
    pub fn new(purpose: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.part(purpose.as_bytes());
        hasher
    }

    /// Adds one part.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds bytes that hold several parts, each with its length before it, as [`write_part`] writes them: one long
    /// update is several times faster than many short ones.
    pub fn parts(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// Adds one number as a part.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.part(&number.to_le_bytes())
    }

    /// The digest of all parts so far.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// Appends a part with its length before it, for [`PartHasher::parts`].
pub fn write_part(part: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let split = |a: &str, b: &str| PartHasher::new("test").part(a.as_bytes()).part(b.as_bytes()).finish();
        assert_ne!(split("ab", "c"), split("a", "bc"));
        assert_ne!(PartHasher::new("a").finish(), PartHasher::new("b").finish());
    }

    #[test]
    fn parts_are_the_same_one_by_one_and_together() {
        let mut bytes = Vec::new();
        write_part(b"ab", &mut bytes);
        write_part(b"", &mut bytes);
        let one_by_one = PartHasher::new("test").part(b"ab").part(b"").finish();
        assert_eq!(PartHasher::new("test").parts(&bytes).finish(), one_by_one);
    }

    #[test]
    fn hexadecimal_round_trips() {
        let digest = Digest::of(b"assize");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("xyz".parse::<Digest>(), Err(NotADigest));
    }
}

//! The name under which a person who is not to know what stands behind it gets a text to read.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::hash::{Digest, PartHasher};
use super::unit::{Group, UnitId};

const PREFIX: &str = "item-";
const DIGITS: usize = 16;

/// A pseudonym, `item-` and 16 hexadecimal digits. A unit's follows from its name, a gold item's from its content: nothing
/// has to be kept to find either again, and the name does not tell which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReviewId(u64);

impl ReviewId {
    /// A unit's.
    #[must_use]
    pub fn of_unit(unit: &UnitId) -> Self {
        Self::of_address(Digest::of(unit.to_string().as_bytes()).leading_u64(), &unit.group)
    }

    /// The same, from the first 64 bits of the digest of its address.
    #[must_use]
    pub fn of_address(address: u64, group: &Group) -> Self {
        let mut hasher = PartHasher::new("review item");
        hasher.number(address).number(group.0.len() as u64);
        for value in &group.0 {
            hasher.part(value.as_bytes());
        }
        Self(hasher.finish().leading_u64())
    }

    /// A gold item's, from the digest of what people read.
    #[must_use]
    pub fn of_gold(content: &Digest) -> Self {
        Self(PartHasher::new("hidden review item").part(content.as_bytes()).finish().leading_u64())
    }

    /// What draws and orders hash.
    #[must_use]
    pub fn key(self) -> Digest {
        Digest::of(&self.0.to_be_bytes())
    }
}

impl fmt::Display for ReviewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:0DIGITS$x}", self.0)
    }
}

/// The text is no pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `{PREFIX}` and {DIGITS} hexadecimal digits")]
pub struct NotAReviewId;

impl FromStr for ReviewId {
    type Err = NotAReviewId;

    fn from_str(text: &str) -> Result<Self, NotAReviewId> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == DIGITS).ok_or(NotAReviewId)?;
        let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
        let number = u64::from_str_radix(digits, 16).map_err(|_| NotAReviewId)?;
        if is_plain { Ok(Self(number)) } else { Err(NotAReviewId) }
    }
}

impl Serialize for ReviewId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::unit;

    #[test]
    fn pseudonyms_round_trip_and_units_and_gold_look_alike() {
        let of_unit = ReviewId::of_unit(&unit("rl", "conv-1", 3));
        let of_gold = ReviewId::of_gold(&Digest::of(b"gold"));
        for id in [of_unit, of_gold, ReviewId(0)] {
            let shown = id.to_string();
            assert_eq!(shown.len(), 21);
            assert_eq!(shown.parse(), Ok(id));
        }
        // Labels hold pseudonyms: this one may never change.
        assert_eq!(of_unit.to_string(), "item-6f44506c009db6bd");
        let others = [unit("production", "conv-1", 3), unit("rl", "conv-2", 3), unit("rl", "conv-1", 5)];
        assert!(others.iter().all(|other| ReviewId::of_unit(other) != of_unit));
        for other in [
            "item-",
            "item-12",
            "conv-1#3",
            "item-00000000000000AF",
            "item-+000000000000001",
            "item-0000000000000000#1",
        ] {
            assert_eq!(other.parse::<ReviewId>(), Err(NotAReviewId), "{other}");
        }
    }
}

//! Values of keys that take several shapes. What each key makes of them is decided where it is checked.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of one of several shapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loose {
    /// A string.
    Text(String),
    /// A whole number.
    Whole(u64),
    /// A number with a decimal point or an exponent.
    Real(f64),
    /// A list of strings.
    Texts(Vec<String>),
    /// A table of numbers.
    Numbers(BTreeMap<String, f64>),
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number from 0, a list of strings or a table of numbers")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Loose, E> {
        let unexpected = serde::de::Unexpected::Signed(number);
        u64::try_from(number).map(Loose::Whole).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose::Real(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(Loose::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Loose, A::Error> {
        let mut numbers = BTreeMap::new();
        while let Some((key, number)) = table.next_entry()? {
            numbers.insert(key, number);
        }
        Ok(Loose::Numbers(numbers))
    }
}

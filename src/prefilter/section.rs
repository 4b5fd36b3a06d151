//! Reads one table of a TOML file key by key, with the position of everything that is wrong.
//!
//! Rules are tables whose keys depend on `kind`, and a list of terms may be an array or a reference. Derived
//! deserializers lose the positions of both.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{CuesError, CuesErrorKind, Position};

/// One table of the file.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    text: &'a str,
    table: &'a DeTable<'a>,
    /// First byte, for what is missing.
    start: usize,
}

impl<'a> Section<'a> {
    pub(super) fn root(text: &'a str, root: &'a Spanned<DeTable<'a>>) -> Self {
        Self { text, table: root.get_ref(), start: 0 }
    }

    /// Refuses keys that are not `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), CuesError> {
        let is_known = |key: &str| known.contains(&key);
        match self.table.keys().find(|key| !is_known(key.get_ref())) {
            None => Ok(()),
            Some(key) => {
                Err(self.error(&key.span(), CuesErrorKind::unknown("key", key.get_ref(), known.iter().copied())))
            }
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }

    /// All keys with their values, in alphabetical order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<Text<'a>>, CuesError> {
        self.value(key).map(|value| self.as_text(key, value)).transpose()
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, CuesError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        number.map(Some).ok_or_else(|| self.not_a(key, "a whole number, 0 or more", value))
    }

    /// An array of tables; none if the key is absent.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Section<'a>>, CuesError> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let array = value.get_ref().as_array().ok_or_else(|| self.not_a(key, "an array of tables", value))?;
        array.iter().map(|element| self.section(key, element)).collect()
    }

    pub(super) fn section(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Section<'a>, CuesError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.not_a(key, "a table", value))?;
        Ok(Self { text: self.text, table, start: value.span().start })
    }

    /// An array of strings.
    pub(super) fn texts(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Vec<Text<'a>>, CuesError> {
        let array = value.get_ref().as_array().ok_or_else(|| self.not_a(key, "an array of strings", value))?;
        array.iter().map(|element| self.as_text(key, element)).collect()
    }

    /// What a key that must be there holds.
    pub(super) fn required<T>(&self, key: &str, found: Option<T>) -> Result<T, CuesError> {
        found.ok_or_else(|| self.wrong(format!("`{key}` is missing")))
    }

    /// The table as a whole is wrong.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> CuesError {
        self.error(&(self.start..self.start), CuesErrorKind::invalid(problem))
    }

    pub(super) fn error(&self, span: &Range<usize>, kind: CuesErrorKind) -> CuesError {
        CuesError { position: Some(Position::of(self.text, span.start)), kind }
    }

    fn as_text(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Text<'a>, CuesError> {
        let text = value.get_ref().as_str().ok_or_else(|| self.not_a(key, "a string", value))?;
        Ok(Text { text, span: value.span() })
    }

    fn not_a(&self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) -> CuesError {
        let found = value.get_ref().type_str();
        self.error(&value.span(), CuesErrorKind::Invalid(format!("`{key}` should be {expected}, but is {found}")))
    }
}

/// A string of the file and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

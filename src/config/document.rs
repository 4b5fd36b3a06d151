//! An audit file's text: parsed, with the place of every key, so that whatever is found wrong later can be named by
//! line and column.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem};
use super::nearest;
use super::written::Written;

/// Where every key of the file stands.
pub(super) struct Document {
    text: String,
    keys: BTreeMap<String, Range<usize>>,
    values: Vec<(Range<usize>, String)>,
}

impl Document {
    /// Parses a file. The first thing that is not TOML or not in the schema ends it.
    pub(super) fn parse(text: String) -> Result<(Self, Written), Problem> {
        let mut document = Self { text, keys: BTreeMap::new(), values: Vec::new() };
        let text = document.text.clone();
        let table = DeTable::parse(&text).map_err(|error| document.explain(&error))?;
        document.note_table("", table.get_ref());
        let written = toml::from_str(&text).map_err(|error| document.explain(&error))?;
        Ok((document, written))
    }

    /// The place of a key, or of the nearest section above it that the file has, or the beginning.
    pub(super) fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(span) = self.keys.get(path) {
                return self.place_at(span.start);
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => return Place::File { line: 1, column: 1 },
            }
        }
    }

    /// The line of a key that the file has.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        let span = self.keys.get(path)?;
        match self.place_at(span.start) {
            Place::File { line, .. } => Some(line),
            Place::Outside(_) => None,
        }
    }

    fn place_at(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Place::File { line: before.matches('\n').count() + 1, column }
    }

    fn note_table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            self.note_value(path, key.span(), value);
        }
    }

    fn note_value(&mut self, path: String, span: Range<usize>, value: &Spanned<DeValue<'_>>) {
        if let Some(table) = value.get_ref().as_table() {
            self.note_table(&path, table);
        } else if let Some(list) = value.get_ref().as_array() {
            for (index, element) in list.iter().enumerate() {
                self.note_value(format!("{path}[{index}]"), element.span(), element);
            }
        }
        self.values.push((value.span(), path.clone()));
        self.keys.insert(path, span);
    }

    fn explain(&self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let message = if let Some(rest) = error.message().strip_prefix("unknown field ") {
            self.unknown_key(rest, &span)
        } else if let Some((found, expected)) = mismatch(error.message()) {
            let key = self.values.iter().find(|(value, _)| *value == span).map(|(_, path)| format!("`{path}` "));
            format!("{}expects {expected}, not {found}", key.unwrap_or_default())
        } else {
            error.message().to_owned()
        };
        Problem { place: self.place_at(span.start), message }
    }

    /// Rewords what serde says about a key that a section does not have: `` `modle`, expected one of `model`, ... ``.
    fn unknown_key(&self, rest: &str, span: &Range<usize>) -> String {
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let key = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let path = self.keys.iter().find(|(_, key)| *key == span).map(|(path, _)| path.as_str()).unwrap_or_default();
        let section = path.strip_suffix(key).and_then(|above| above.strip_suffix('.'));
        let place = section.map_or_else(|| "at the top level".to_owned(), |section| format!("in {}", header(section)));
        format!("unknown key `{key}` {place}; {}", nearest::suggestion(key, known))
    }
}

/// A section as its header shows it: `[grader.screen]`, `[[corpus.source]]`.
fn header(section: &str) -> String {
    match section.split_once('[') {
        Some((list, _)) => format!("[[{list}]]"),
        None => format!("[{section}]"),
    }
}

/// Rewords serde's "invalid type: string "x", expected f64", without the value, which might be a secret.
fn mismatch(message: &str) -> Option<(String, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let found = found.split(['`', '"']).next().unwrap_or_default().trim_end();
    let found = match found {
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => rest.split('`').nth(1).map_or("a whole number".to_owned(), |number| format!("`{number}`")),
        "floating point" => "a number with a decimal point".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table or a date".to_owned(),
        other => other.to_owned(),
    };
    let expected = match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0",
        "f64" => "a number",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list of strings",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    Some((found, expected))
}

//! Inputs of a case, figures that were found, figures that are expected.

use std::fmt;

use assize::model::rate::Level;
use serde_json::Value;

/// Why a file or a case cannot be used.
#[derive(Debug)]
pub(crate) struct Misfit(pub(crate) String);

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

/// A part of a file with named values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a>(pub(crate) &'a Value);

impl<'a> Input<'a> {
    fn missing(name: &str, kind: &str) -> Misfit {
        Misfit(format!("`{name}` is not {kind}"))
    }

    /// The value of this name, which may be absent.
    pub(crate) fn part(self, name: &str) -> Input<'a> {
        Input(&self.0[name])
    }

    pub(crate) fn word(self, name: &str) -> Result<&'a str, Misfit> {
        self.0[name].as_str().ok_or_else(|| Self::missing(name, "a word"))
    }

    pub(crate) fn count(self, name: &str) -> Result<u64, Misfit> {
        whole(&self.0[name]).ok_or_else(|| Self::missing(name, "a count"))
    }

    pub(crate) fn number(self, name: &str) -> Result<f64, Misfit> {
        self.0[name].as_f64().ok_or_else(|| Self::missing(name, "a number"))
    }

    /// The confidence level, written as `level`, or as `alpha` = 1 - level.
    pub(crate) fn level(self) -> Result<Level, Misfit> {
        let level = self.0["level"].as_f64().or_else(|| self.0["alpha"].as_f64().map(|alpha| 1.0 - alpha));
        level.and_then(Level::new).ok_or_else(|| Self::missing("level", "a level"))
    }

    pub(crate) fn items(self, name: &str) -> Result<&'a [Value], Misfit> {
        self.0[name].as_array().map(Vec::as_slice).ok_or_else(|| Self::missing(name, "a list"))
    }

    pub(crate) fn counts(self, name: &str) -> Result<Vec<u64>, Misfit> {
        self.items(name)?
            .iter()
            .map(|item| whole(item).ok_or_else(|| Self::missing(name, "a list of counts")))
            .collect()
    }

    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>, Misfit> {
        let number = |item: &Value| item.as_f64().ok_or_else(|| Self::missing(name, "a list of numbers"));
        self.items(name)?.iter().map(number).collect()
    }

    /// A table of counts, row by row.
    pub(crate) fn table(self, name: &str) -> Result<Vec<Vec<u64>>, Misfit> {
        let count = |item: &Value| whole(item).ok_or_else(|| Self::missing(name, "a table of counts"));
        let row = |row: &Value| {
            row.as_array().map_or_else(|| Err(Self::missing(name, "a table")), |row| row.iter().map(count).collect())
        };
        self.items(name)?.iter().map(row).collect()
    }
}

/// A count; files write some as `1000000.0`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and not negative")]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|number| *number >= 0.0 && number.fract().abs() < f64::EPSILON)
            .map(|number| number as u64)
    })
}

/// Named figures; one without a value is undefined, or refused by the library.
#[derive(Debug, Default)]
pub(crate) struct Figures(pub(crate) Vec<(String, Option<f64>)>);

impl Figures {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds one figure.
    pub(crate) fn number(mut self, name: &str, figure: impl Into<Option<f64>>) -> Self {
        self.0.push((name.to_owned(), figure.into()));
        self
    }

    /// Adds a list, such as a lower and an upper limit.
    pub(crate) fn list<F: Into<Option<f64>>>(mut self, name: &str, figures: impl IntoIterator<Item = F>) -> Self {
        for (place, figure) in figures.into_iter().enumerate() {
            self.0.push((format!("{name}[{place}]"), figure.into()));
        }
        self
    }

    /// Adds the figures of a part under its name.
    pub(crate) fn part(mut self, name: &str, part: Self) -> Self {
        self.0.extend(part.0.into_iter().map(|(path, figure)| (format!("{name}.{path}"), figure)));
        self
    }

    /// The figure at a path; all figures below it if the path is that of a part or a list.
    pub(crate) fn at(&self, path: &str) -> Vec<Option<f64>> {
        let is_below =
            |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']));
        self.0.iter().filter(|(other, _)| is_below(other)).map(|(_, figure)| *figure).collect()
    }
}

/// A figure as a file gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expected {
    Number(f64),
    /// "nan" or null.
    Undefined,
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number:.12e}"),
            Self::Undefined => formatter.write_str("undefined"),
        }
    }
}

/// All figures below a value, each with its path. What is neither a number nor a word for one is undefined.
pub(crate) fn flatten(value: &Value) -> Vec<(String, Expected)> {
    let mut flat = Vec::new();
    flatten_into(String::new(), value, &mut flat);
    flat
}

fn flatten_into(path: String, value: &Value, flat: &mut Vec<(String, Expected)>) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten_into(below, part, flat);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                flatten_into(format!("{path}[{place}]"), item, flat);
            }
        }
        Value::Number(_) | Value::String(_) | Value::Null | Value::Bool(_) => flat.push((path, expected(value))),
    }
}

fn expected(value: &Value) -> Expected {
    match value.as_str() {
        Some("inf") => Expected::Number(f64::INFINITY),
        Some("-inf") => Expected::Number(f64::NEG_INFINITY),
        Some(_) => Expected::Undefined,
        None => value.as_f64().map_or(Expected::Undefined, Expected::Number),
    }
}

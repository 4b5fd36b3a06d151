//! What checking leaves behind: every value with its origin, and everything that is wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::document::Document;
use super::error::{Place, Problem};
use super::nearest;
use super::origin::{Origin, Override, Setting};

/// Collects values, problems and warnings while a file is checked. Checks go on after a problem, so that several are
/// reported at once.
pub(super) struct Ledger<'a> {
    document: &'a Document,
    origins: BTreeMap<String, Origin>,
    /// Every value, in the order of checking.
    pub(super) settings: Vec<Setting>,
    /// Everything that is wrong.
    pub(super) problems: Vec<Problem>,
    /// What is odd but allowed.
    pub(super) warnings: Vec<String>,
    /// What only a trusted file may ask for.
    pub(super) needs_trust: Vec<String>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            origins: BTreeMap::new(),
            settings: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            needs_trust: Vec::new(),
        }
    }

    /// Notes a value and where it comes from.
    pub(super) fn record(&mut self, path: &str, value: impl Serialize, origin: Origin) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.origins.insert(path.to_owned(), origin.clone());
        self.settings.push(Setting { key: path.to_owned(), value, origin });
    }

    /// Notes a value that the file states or that is a default.
    pub(super) fn record_written(&mut self, path: &str, value: impl Serialize) {
        let origin = self.document.line(path).map_or(Origin::Default, |line| Origin::File { line });
        self.record(path, value, origin);
    }

    /// The written value or the default, noted.
    pub(super) fn or_default<T: Serialize>(&mut self, path: &str, written: Option<T>, default: T) -> T {
        let value = written.unwrap_or(default);
        self.record_written(path, &value);
        value
    }

    /// The flag's value, else the written one, noted.
    pub(super) fn flag_or<T: Serialize + Clone>(
        &mut self,
        path: &str,
        flag: Option<&Override<T>>,
        written: Option<T>,
    ) -> Option<T> {
        let Some(Override { value, origin }) = flag else {
            self.record_written(path, &written);
            return written;
        };
        self.record(path, value, origin.clone());
        Some(value.clone())
    }

    /// The written string, which must not be missing or empty.
    pub(super) fn required(&mut self, path: &str, written: Option<String>, example: &str) -> String {
        let value = written.unwrap_or_default();
        if value.is_empty() {
            self.problem(path, format!("`{path}` is missing; write for example `{example}`"));
        }
        self.record_written(path, &value);
        value
    }

    /// One of several named values; `later` are those that a later version takes.
    pub(super) fn choice<T: Copy>(
        &mut self,
        path: &str,
        written: Option<&str>,
        choices: &[(&str, T)],
        later: &[&str],
    ) -> Option<T> {
        let written = written?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == written) {
            return Some(*value);
        }
        if later.contains(&written) {
            self.later(path, Some(written));
        } else {
            let known = choices.iter().map(|(name, _)| *name).chain(later.iter().copied());
            self.problem(
                path,
                format!("`{}` cannot be `{written}`; {}", key_of(path), nearest::suggestion(written, known)),
            );
        }
        None
    }

    /// Refuses a key, or one value of it, that the schema knows and this version does not.
    pub(super) fn later(&mut self, path: &str, value: Option<&str>) {
        let key = key_of(path);
        let shown = value.map_or_else(|| key.to_owned(), |value| format!("{key} = \"{value}\""));
        self.problem(path, format!("`{shown}` is not available yet in this version"));
    }

    /// Notes that the value at `path` is wrong, wherever it comes from.
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        let place = match self.origins.get(path) {
            Some(Origin::Flag { name } | Origin::Environment { name } | Origin::DotEnv { name, .. }) => {
                Place::Outside(name.clone())
            }
            Some(Origin::File { .. } | Origin::Default) | None => self.document.place(path),
        };
        self.problems.push(Problem { place, message: message.into() });
    }

    /// The value, or `fallback` and a problem. Used where checking goes on after a problem.
    pub(super) fn ok_or<T>(&mut self, path: &str, checked: Result<T, String>, fallback: T) -> T {
        checked.unwrap_or_else(|message| {
            self.problem(path, format!("`{}` {message}", key_of(path)));
            fallback
        })
    }

    /// Checks that a value satisfies a condition, which the message names.
    pub(super) fn require(&mut self, path: &str, holds: bool, message: &str) {
        if !holds {
            self.problem(path, format!("`{}` {message}", key_of(path)));
        }
    }
}

/// The last key of a path.
fn key_of(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, key)| key)
}

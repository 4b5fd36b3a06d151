//! The environment: read once, here, and passed on as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::origin::Origin;

/// Environment variables, and below them what `.env` files say. `Debug` shows names, never values.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    dotenv: BTreeMap<String, (String, PathBuf)>,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        // Not `std::env::vars`, which panics on a variable that is not UTF-8.
        let pairs =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: pairs.collect(), dotenv: BTreeMap::new() }
    }

    /// An environment of exactly these variables.
    #[must_use]
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: pairs.collect(), dotenv: BTreeMap::new() }
    }

    /// The value of a variable that is set and not empty, `.env` files left out.
    #[must_use]
    pub fn real(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable, which may be empty, and where it was set.
    pub(super) fn lookup(&self, name: &str) -> Option<(&str, Origin)> {
        if let Some(value) = self.variables.get(name) {
            return Some((value, Origin::Environment { name: name.to_owned() }));
        }
        let (value, file) = self.dotenv.get(name)?;
        Some((value, Origin::DotEnv { name: name.to_owned(), file: file.clone() }))
    }

    /// Adds what the folder's `.env` file says about variables that are not set yet. No file is no error.
    pub(super) fn add_dotenv(&mut self, folder: &Path) -> Result<(), ConfigError> {
        let file = folder.join(".env");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(ConfigError::Read { file, source }),
        };
        for (index, line) in text.lines().enumerate() {
            match assignment(line) {
                Line::Blank => {}
                Line::Assignment(name, value) => {
                    self.dotenv.entry(name).or_insert_with(|| (value, file.clone()));
                }
                Line::Wrong => return Err(ConfigError::DotEnv { file, line: index + 1 }),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).entries(self.dotenv.keys()).finish()
    }
}

enum Line {
    Blank,
    Assignment(String, String),
    Wrong,
}

/// `NAME=value`, `export NAME=value`, with `value` bare (up to ` #`), in single quotes (literal) or in double quotes
/// (with `\n`, `\"` and `\\`).
fn assignment(line: &str) -> Line {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Line::Blank;
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else { return Line::Wrong };
    let name = name.trim();
    match value_of(value.trim()) {
        Some(value) if is_name(name) => Line::Assignment(name.to_owned(), value),
        Some(_) | None => Line::Wrong,
    }
}

fn value_of(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (value, after) = rest.split_once('\'')?;
        return is_rest_comment(after).then(|| value.to_owned());
    }
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.split_once(" #").map_or(text, |(value, _)| value.trim_end()).to_owned());
    };
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return is_rest_comment(chars.as_str()).then_some(value),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

fn is_rest_comment(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// Whether this can be the name of an environment variable. A key that was pasted where a name belongs hardly ever is.
pub(super) fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_fills_gaps_and_never_overrides() {
        let folder = tempfile::tempdir().unwrap();
        let text = "# comment\n\nexport A=one # why\nB='two # not a comment'\nC=\"thr\\\"ee\\n\" # yes\nSET=no\nD=\n";
        std::fs::write(folder.path().join(".env"), text).unwrap();
        let mut environment = Environment::of([("SET", "yes"), ("EMPTY", "")]);
        environment.add_dotenv(folder.path()).unwrap();
        let value = |name| environment.lookup(name).map(|(value, _)| value);
        assert_eq!(
            [value("A"), value("B"), value("C"), value("D"), value("SET"), value("NOWHERE")],
            [Some("one"), Some("two # not a comment"), Some("thr\"ee\n"), Some(""), Some("yes"), None]
        );
        assert_eq!(environment.real("A"), None);
        assert_eq!(environment.real("EMPTY"), None);
        let shown = format!("{environment:?}");
        assert!(shown.contains("SET") && !shown.contains("yes") && !shown.contains("two"), "{shown}");
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named_but_not_shown() {
        for wrong in ["sk-secret", "A='open", "A=\"open", "1A=x", "A B=x", "A='x' y"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(".env"), format!("OK=1\n{wrong}\n")).unwrap();
            let error = Environment::default().add_dotenv(folder.path()).unwrap_err().to_string();
            assert!(error.ends_with(".env:2: expected `NAME=value`"), "{error}");
        }
    }
}

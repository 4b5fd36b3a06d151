//! Sentences about consequences that are added to a prompt on purpose, to see whether a grader's verdicts move.
//!
//! A framing is text and no template. Verdicts under one are in no figure of an audit.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::located::{TomlProblem, parse_toml};

/// The framings that come with assize.
pub const SHIPPED_FRAMINGS: &str = include_str!("framings.toml");

/// More of them cost more than they tell, each asks about every unit.
const MOST: usize = 12;
/// A framing is a few sentences.
const MOST_CHARS: usize = 2_000;
/// The name of a prompt without any.
const NEUTRAL: &str = "neutral";

/// One framing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// Its name in tables: lower-case letters, digits, `_` and `-`.
    pub id: String,
    /// Whether it says nothing of consequences, so that it shows what any added sentence does.
    #[serde(default)]
    pub control: bool,
    /// What is added.
    pub text: String,
}

/// Why framings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The text is no such file.
    #[error("{0}")]
    Toml(TomlProblem),
    /// A name that does not fit.
    #[error("`{0}` cannot name a framing; use lower-case letters, digits, `_` and `-`, and not `neutral`")]
    Name(String),
    /// Two framings of one name.
    #[error("two framings are named `{0}`")]
    Twice(String),
    /// Empty, or too long.
    #[error("framing `{0}` needs a text of 1 to {MOST_CHARS} characters without NUL")]
    Text(String),
    /// Only controls, or none at all.
    #[error("there is no framing that is no control, and so nothing to test")]
    None,
    /// Too many.
    #[error("there are {0} framings, controls included; at most {MOST} are asked about")]
    Count(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    framing: Vec<Framing>,
}

/// Reads framings from TOML: `[[framing]]` with `id`, `text` and perhaps `control = true`.
///
/// # Errors
/// See [`FramingError`].
pub fn parse_framings(text: &str) -> Result<Vec<Framing>, FramingError> {
    let file: File = parse_toml(text, 0).map_err(FramingError::Toml)?;
    let mut names = BTreeSet::new();
    for Framing { id, text, .. } in &file.framing {
        let is_plain = id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if id.is_empty() || !is_plain || id == NEUTRAL || id.len() > 24 {
            return Err(FramingError::Name(id.clone()));
        }
        if !names.insert(id) {
            return Err(FramingError::Twice(id.clone()));
        }
        if text.trim().is_empty() || text.chars().count() > MOST_CHARS || text.contains('\0') {
            return Err(FramingError::Text(id.clone()));
        }
    }
    match file.framing.len() {
        _ if file.framing.iter().all(|framing| framing.control) => Err(FramingError::None),
        1..=MOST => Ok(file.framing),
        count => Err(FramingError::Count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_assize_reads_and_has_one_control() {
        let framings = parse_framings(SHIPPED_FRAMINGS).unwrap();
        let controls: Vec<_> = framings.iter().filter(|framing| framing.control).map(|one| one.id.as_str()).collect();
        assert_eq!((controls, framings.len()), (vec!["placebo"], 5));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse_framings(text).unwrap_err().to_string();
        let one = |id: &str, text: &str| format!("[[framing]]\nid = '{id}'\ntext = '{text}'\n");
        let messages = [
            message("[[framing]]\nid = 'a'\ntxt = 'b'"),
            message(&one("neutral", "x")),
            message(&one("Loud", "x")),
            message(&(one("a", "x") + &one("a", "y"))),
            message(&one("a", " ")),
            message(""),
            message("[[framing]]\nid = 'a'\ntext = 'b'\ncontrol = true"),
            message(&(0..13).map(|n| one(&format!("f{n}"), "x")).collect::<String>()),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }
}

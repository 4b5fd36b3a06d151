//! Where in a TOML file something is wrong, and which key was probably meant.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

/// A TOML text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlProblem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The allowed name that is nearest to an unknown one.
    pub nearest: Option<String>,
}

impl fmt::Display for TomlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        f.write_str(&did_you_mean(self.nearest.as_deref()))
    }
}

/// Parses `text`; `lines_above` is how many lines of the file precede it.
pub(super) fn parse_toml<T: DeserializeOwned>(text: &str, lines_above: usize) -> Result<T, TomlProblem> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span());
        let message = error.message().trim().replace('\n', "; ");
        TomlProblem { line: line + lines_above, column, nearest: nearest_of_message(&message), message }
    })
}

fn position(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// serde's message for an unknown key names it first and the allowed ones after it, all in backticks.
fn nearest_of_message(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    nearest(unknown, names).map(str::to_owned)
}

/// The end of a message about an unknown name.
pub(super) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The candidate that `name` was probably meant to be, if one is near enough.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored =
        candidates.into_iter().map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (best.0 >= 0.7).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only parsed")]
        threshold: u8,
    }

    #[test]
    fn an_unknown_key_is_located_and_matched() {
        let problem = parse_toml::<Sample>("threshold = 1\n  treshold = 2\n", 3).unwrap_err();
        assert_eq!((problem.line, problem.column), (5, 3));
        assert_eq!(problem.nearest.as_deref(), Some("threshold"));
        assert!(problem.to_string().starts_with("line 5, column 3: unknown field `treshold`"), "{problem}");
    }
}

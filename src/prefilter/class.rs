//! Rules as data: what a `cues.toml` says, checked.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::{Error as SyntaxError, ParserBuilder};

use super::error::CuesErrorKind;
use crate::model::conversation::Channel;
use crate::model::hash::PartHasher;

/// The classes of one `cues.toml`, checked, most specific first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub(super) classes: Vec<Class>,
}

impl Rules {
    /// Names of the classes, in the order of the file.
    #[must_use]
    pub fn class_names(&self) -> Vec<&str> {
        self.classes.iter().map(|class| class.name.as_str()).collect()
    }
}

/// A class: a turn belongs to it if a rule matches and no exception does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) name: String,
    /// The channels that its rules look at.
    pub(super) channels: BTreeSet<Channel>,
    pub(super) rules: Vec<Rule>,
    /// Exceptions: they lower a turn to the next class that matches.
    pub(super) unless: Vec<Rule>,
}

/// One condition on a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// One of the terms occurs.
    Terms(Terms),
    /// The pattern matches.
    Regex(Pattern),
    /// Terms in the company of other terms.
    Near(Near),
    /// The text of the channels has this many characters, both bounds included.
    Length {
        /// At least.
        min_chars: u64,
        /// At most; `u64::MAX` for no limit.
        max_chars: u64,
    },
    /// One tool call matches both patterns, where given.
    ToolCall {
        /// On its name.
        name: Option<Pattern>,
        /// On its arguments.
        arguments: Option<Pattern>,
    },
}

/// One of `terms` has one of `company` within `within` characters, and `also`, if given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Near {
    pub(super) terms: Terms,
    pub(super) company: Terms,
    pub(super) within: usize,
    pub(super) also: Option<Also>,
}

/// At least `at_least` different ones of `terms`, within the distance of the [`Near`] rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Also {
    pub(super) terms: Terms,
    pub(super) at_least: usize,
}

/// Largest distance of a `near` rule, in characters: farther apart, two words have little to do with each
/// other, and a text that repeats them without end would take minutes.
pub(super) const MAX_WITHIN: u64 = 2_000;

/// Most apostrophes in a term: each one doubles the number of spellings to look for.
pub(super) const MAX_APOSTROPHES: usize = 4;

/// Literal terms, at least one: in ASCII lower case, apostrophes plain, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Terms(BTreeSet<String>);

impl Terms {
    pub(super) fn new<'a>(written: impl IntoIterator<Item = &'a str>) -> Result<Self, CuesErrorKind> {
        let terms = written.into_iter().map(normalise).collect::<Result<BTreeSet<_>, _>>()?;
        if terms.is_empty() {
            return Err(CuesErrorKind::invalid("a list of terms is empty"));
        }
        Ok(Self(terms))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn hash(&self, hasher: &mut PartHasher) {
        hasher.number(self.0.len() as u64);
        for term in &self.0 {
            hasher.part(term.as_bytes());
        }
    }
}

fn normalise(term: &str) -> Result<String, CuesErrorKind> {
    let problem = if term.is_empty() {
        "is empty"
    } else if term.trim() != term {
        "begins or ends with white space"
    } else if term.matches(['\'', '’']).count() > MAX_APOSTROPHES {
        "has more than four apostrophes"
    } else {
        return Ok(term.to_ascii_lowercase().replace('’', "'"));
    };
    Err(CuesErrorKind::Invalid(format!("the term `{term}` {problem}")))
}

/// A pattern in the syntax of the regex crate, known to parse, to need at least one character and to hold no Unicode
/// word boundary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(written: &str) -> Result<Self, CuesErrorKind> {
        let parsed = ParserBuilder::new().case_insensitive(true).build().parse(written).map_err(|error| {
            let why = match &error {
                SyntaxError::Parse(error) => error.kind().to_string(),
                SyntaxError::Translate(error) => error.kind().to_string(),
                error => error.to_string(),
            };
            CuesErrorKind::Invalid(format!("the pattern `{written}` does not parse: {why}"))
        })?;
        if parsed.properties().look_set().contains_word_unicode() {
            let problem = format!(
                "the pattern `{written}` has a Unicode word boundary, which is slow: for `\\b` write `(?-u:\\b)`"
            );
            return Err(CuesErrorKind::Invalid(problem));
        }
        if parsed.properties().minimum_len() == Some(0) {
            return Err(CuesErrorKind::Invalid(format!(
                "the pattern `{written}` matches the empty text, so every turn"
            )));
        }
        Ok(Self(written.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Class {
    /// Adds everything that decides which turns belong to the class.
    pub(super) fn hash(&self, hasher: &mut PartHasher) {
        let Self { name, channels, rules, unless } = self;
        hasher.part(name.as_bytes()).number(channels.len() as u64);
        for channel in channels {
            hasher.part(channel.as_str().as_bytes());
        }
        for rules in [rules, unless] {
            hasher.number(rules.len() as u64);
            for rule in rules {
                rule.hash(hasher);
            }
        }
    }
}

impl Rule {
    fn hash(&self, hasher: &mut PartHasher) {
        match self {
            Self::Terms(terms) => terms.hash(hasher.part(b"terms")),
            Self::Regex(pattern) => {
                hasher.part(b"regex").part(pattern.0.as_bytes());
            }
            Self::Near(Near { terms, company, within, also }) => {
                terms.hash(hasher.part(b"near").number(*within as u64));
                company.hash(hasher);
                hasher.number(u64::from(also.is_some()));
                if let Some(Also { terms, at_least }) = also {
                    terms.hash(hasher.number(*at_least as u64));
                }
            }
            Self::Length { min_chars, max_chars } => {
                hasher.part(b"length").number(*min_chars).number(*max_chars);
            }
            Self::ToolCall { name, arguments } => {
                hasher.part(b"tool_call");
                for pattern in [name, arguments] {
                    // No pattern is empty, so that an empty part means "any".
                    hasher.part(pattern.as_ref().map_or("", Pattern::as_str).as_bytes());
                }
            }
        }
    }
}

/// Term lists by name.
pub(super) type Lists = BTreeMap<String, Terms>;

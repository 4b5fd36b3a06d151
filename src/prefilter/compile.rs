//! Compiles rules: all terms into one automaton, all patterns into one set.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::{RegexSet, RegexSetBuilder};

use super::class::{Class, Near, Pattern, Rule, Rules, Terms};
use super::error::{CuesError, CuesErrorKind};
use super::literals::Literals;
use super::near::NearTest;
use crate::model::conversation::Channel;
use crate::model::hash::{Digest, PartHasher};

/// Most memory, in bytes, of the compiled patterns, and again of what each thread derives from them.
const PATTERN_BYTES: usize = 64 << 20;

/// Rules, ready to run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) literals: Literals,
    pub(super) patterns: RegexSet,
    /// All conditions of all classes.
    pub(super) checks: Vec<Check>,
    /// In order of precedence.
    pub(super) classes: Vec<ClassChecks>,
    /// The channels that are screened.
    pub(super) channels: Channels,
    /// Largest distance of a `near` rule, in characters.
    pub(super) within: usize,
}

/// One condition and where it applies.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) test: Test,
    pub(super) channels: Channels,
}

/// What a condition looks at.
#[derive(Debug)]
pub(super) enum Test {
    /// One text alone.
    Text(TextTest),
    /// Characters of all texts together.
    Length { min_chars: u64, max_chars: u64 },
    /// One tool call: numbers of patterns.
    ToolCall { name: Option<usize>, arguments: Option<usize> },
}

/// A condition on one text, over numbered lists of terms and patterns.
#[derive(Debug)]
pub(super) enum TextTest {
    Terms { list: usize },
    Regex { pattern: usize },
    Near(NearTest),
}

/// The conditions of one class, as ranges of [`Program::checks`].
#[derive(Debug)]
pub(super) struct ClassChecks {
    pub(super) rules: Range<usize>,
    pub(super) unless: Range<usize>,
}

/// A set of channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels([bool; Channel::ALL.len()]);

impl Channels {
    /// The channels that are in both sets.
    pub(super) fn both(one: &BTreeSet<Channel>, other: &BTreeSet<Channel>) -> Self {
        Self(Channel::ALL.map(|channel| one.contains(&channel) && other.contains(&channel)))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == [false; Channel::ALL.len()]
    }

    pub(super) fn contains(self, channel: Channel) -> bool {
        let [reasoning, answer, tool] = self.0;
        match channel {
            Channel::Reasoning => reasoning,
            Channel::Final => answer,
            Channel::Tool => tool,
        }
    }
}

/// The classes to use: these, in this order, or all in the order of the file.
pub(super) fn select<'a>(rules: &'a Rules, names: Option<&[String]>) -> Result<Vec<&'a Class>, CuesError> {
    let Some(names) = names else { return Ok(rules.classes.iter().collect()) };
    let mut chosen: Vec<&Class> = Vec::new();
    for name in names {
        let class = rules.classes.iter().find(|class| class.name == *name);
        let class = class.ok_or_else(|| CuesErrorKind::unknown("class", name, rules.class_names()))?;
        if chosen.iter().any(|earlier| earlier.name == *name) {
            return Err(CuesErrorKind::Invalid(format!("class `{name}` is chosen twice")).into());
        }
        chosen.push(class);
    }
    Ok(chosen)
}

/// The digest of what these classes mean for these channels.
pub(super) fn digest(classes: &[&Class], channels: &BTreeSet<Channel>) -> Digest {
    let mut hasher = PartHasher::new("cues");
    hasher.number(channels.len() as u64);
    for channel in channels {
        hasher.part(channel.as_str().as_bytes());
    }
    for class in classes {
        class.hash(&mut hasher);
    }
    hasher.finish()
}

impl Program {
    pub(super) fn compile(classes: &[&Class], channels: &BTreeSet<Channel>) -> Result<Self, CuesErrorKind> {
        let mut parts = Parts::default();
        let classes = classes.iter().map(|class| parts.class(class, channels)).collect();
        let Parts { lists, patterns, checks, within } = parts;
        let patterns = RegexSetBuilder::new(patterns.iter().map(Pattern::as_str))
            .case_insensitive(true)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
            .map_err(|_| CuesErrorKind::TooLarge("patterns"))?;
        let literals = Literals::compile(&lists)?;
        Ok(Self { literals, patterns, checks, classes, channels: Channels::both(channels, channels), within })
    }
}

/// What the classes need, gathered: equal lists and patterns have one number.
#[derive(Default)]
struct Parts {
    lists: Vec<Terms>,
    patterns: Vec<Pattern>,
    checks: Vec<Check>,
    within: usize,
}

impl Parts {
    fn class(&mut self, class: &Class, screened: &BTreeSet<Channel>) -> ClassChecks {
        let channels = Channels::both(&class.channels, screened);
        ClassChecks { rules: self.add(&class.rules, channels), unless: self.add(&class.unless, channels) }
    }

    fn add(&mut self, rules: &[Rule], channels: Channels) -> Range<usize> {
        let start = self.checks.len();
        for rule in rules {
            let test = self.test(rule);
            self.checks.push(Check { test, channels });
        }
        start..self.checks.len()
    }

    fn test(&mut self, rule: &Rule) -> Test {
        match rule {
            Rule::Terms(terms) => Test::Text(TextTest::Terms { list: number_of(&mut self.lists, terms) }),
            Rule::Regex(pattern) => Test::Text(TextTest::Regex { pattern: number_of(&mut self.patterns, pattern) }),
            Rule::Near(near) => Test::Text(TextTest::Near(self.near(near))),
            Rule::Length { min_chars, max_chars } => Test::Length { min_chars: *min_chars, max_chars: *max_chars },
            Rule::ToolCall { name, arguments } => {
                let mut number =
                    |pattern: &Option<Pattern>| pattern.as_ref().map(|pattern| number_of(&mut self.patterns, pattern));
                Test::ToolCall { name: number(name), arguments: number(arguments) }
            }
        }
    }

    fn near(&mut self, rule: &Near) -> NearTest {
        self.within = self.within.max(rule.within);
        NearTest {
            terms: number_of(&mut self.lists, &rule.terms),
            company: number_of(&mut self.lists, &rule.company),
            within: rule.within,
            also: rule.also.as_ref().map(|also| (number_of(&mut self.lists, &also.terms), also.at_least)),
        }
    }
}

fn number_of<T: Clone + PartialEq>(known: &mut Vec<T>, wanted: &T) -> usize {
    known.iter().position(|one| one == wanted).unwrap_or_else(|| {
        known.push(wanted.clone());
        known.len() - 1
    })
}

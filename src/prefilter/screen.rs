//! One scan per text: which class a turn belongs to.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::SetMatches;

use super::class::Rules;
use super::compile::{self, Check, Program, Test, TextTest};
use super::error::CuesError;
use super::literals::Occurrences;
use super::passage::{self, Passage};
use crate::model::conversation::{Channel, Message};
use crate::model::hash::Digest;
use crate::model::unit::CLASS_NONE;

/// Rules, compiled for some channels. Meant to be shared by threads, each with its own [`Scratch`].
#[derive(Debug)]
pub struct Screener {
    pub(super) program: Program,
    classes: Vec<String>,
    digest: Digest,
}

/// Buffers of one thread, reused from turn to turn. Any scratch serves any screener.
#[derive(Debug, Default)]
pub struct Scratch {
    /// By check: whether it matched in this turn.
    matched: Vec<bool>,
    found: Occurrences,
}

/// Bytes that are scanned before the `near` rules look at what was found. Bounds the memory for occurrences: a text
/// of 64 MiB that repeats one short term would need gigabytes otherwise.
pub(super) const BLOCK: usize = 256 << 10;

impl Screener {
    /// Compiles these classes, in this order, or all classes in the order of the file.
    ///
    /// Rules see only `channels`, and of those only the ones that their class names.
    ///
    /// # Errors
    ///
    /// If a class does not exist or is chosen twice, or if the rules exceed the limits of the matchers.
    pub fn compile(rules: &Rules, classes: Option<&[String]>, channels: &BTreeSet<Channel>) -> Result<Self, CuesError> {
        let chosen = compile::select(rules, classes)?;
        let names = chosen.iter().map(|class| class.name.clone());
        Ok(Self {
            program: Program::compile(&chosen, channels)?,
            classes: names.chain([CLASS_NONE.to_owned()]).collect(),
            digest: compile::digest(&chosen, channels),
        })
    }

    /// The names of the classes in order of precedence, and [`CLASS_NONE`] last.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The digest of what was compiled: classes, rules and channels. Comments, descriptions, names of lists and the
    /// order and spelling of terms do not count.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The class of a turn, as index into [`Screener::classes`]: the first class with a rule that matches and no
    /// exception that does.
    #[must_use]
    pub fn class_of(&self, message: &Message, scratch: &mut Scratch) -> usize {
        scratch.matched.clear();
        scratch.matched.resize(self.program.checks.len(), false);
        let screened = |text: &Passage<'_>| self.program.channels.contains(text.channel);
        for text in passage::prose(message).filter(screened) {
            self.screen_text(text, scratch);
        }
        for [name, arguments] in passage::calls(message).filter(|[name, _]| screened(name)) {
            let names = self.screen_text(name, scratch);
            let arguments = self.screen_text(arguments, scratch);
            self.screen_call(&names, &arguments, scratch);
        }
        self.screen_lengths(message, scratch);
        let matches = |range: &Range<usize>| range.clone().any(|check| scratch.matched[check]);
        let class = self.program.classes.iter().position(|class| matches(&class.rules) && !matches(&class.unless));
        class.unwrap_or(self.program.classes.len())
    }

    /// Marks the checks that match one text, and returns which patterns do.
    fn screen_text(&self, Passage { channel, text, .. }: Passage<'_>, scratch: &mut Scratch) -> SetMatches {
        let patterns = self.program.patterns.matches(text);
        for block in self.blocks(text) {
            self.program.literals.scan(text, block, &mut scratch.found);
            let open = self.program.checks.iter().zip(&mut scratch.matched).filter(|(_, matched)| !**matched);
            for (check, matched) in open.filter(|(check, _)| check.channels.contains(channel)) {
                *matched = match &check.test {
                    Test::Text(TextTest::Terms { list }) => !scratch.found[*list].is_empty(),
                    Test::Text(TextTest::Regex { pattern }) => patterns.matched(*pattern),
                    Test::Text(TextTest::Near(near)) => {
                        near.matches(text, &scratch.found, self.program.literals.longest()).next().is_some()
                    }
                    Test::Length { .. } | Test::ToolCall { .. } => false,
                };
            }
        }
        patterns
    }

    fn screen_call(&self, names: &SetMatches, arguments: &SetMatches, scratch: &mut Scratch) {
        for (check, matched) in self.program.checks.iter().zip(&mut scratch.matched) {
            if let Check { test: Test::ToolCall { name, arguments: wanted }, channels } = check {
                let call_matches = name.is_none_or(|name| names.matched(name))
                    && wanted.is_none_or(|wanted| arguments.matched(wanted));
                *matched |= channels.contains(Channel::Tool) && call_matches;
            }
        }
    }

    fn screen_lengths(&self, message: &Message, scratch: &mut Scratch) {
        for (check, matched) in self.program.checks.iter().zip(&mut scratch.matched) {
            *matched |= check.has_length(message);
        }
    }

    /// Ranges that together cover the text, with so much overlap that each term lies in one of them together with
    /// everything that is near enough to matter. Ranges cut off company but never add any, so a rule matches a text
    /// if and only if it matches in one of them.
    pub(super) fn blocks(&self, text: &str) -> impl Iterator<Item = Range<usize>> + use<> {
        const LONGEST_CHARACTER: usize = 4;
        let overlap = 2 * LONGEST_CHARACTER * self.program.within + 3 * self.program.literals.longest();
        let end = text.len();
        (0..end).step_by(BLOCK).map(move |start| start..end.min(start + BLOCK + overlap))
    }
}

impl Check {
    /// Whether this is a `length` rule that the message satisfies.
    pub(super) fn has_length(&self, message: &Message) -> bool {
        let Test::Length { min_chars, max_chars } = self.test else { return false };
        let texts = passage::all(message).filter(|text| self.channels.contains(text.channel));
        let chars = texts.map(|text| text.text.chars().count() as u64).sum();
        // Without a channel to look at, even "at most" says nothing about the turn.
        !self.channels.is_empty() && (min_chars..=max_chars).contains(&chars)
    }
}

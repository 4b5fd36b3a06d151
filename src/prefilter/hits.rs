//! Where the rules match: for people who look at one turn. The census keeps no spans; they are found again here.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::RegexBuilder;

use super::compile::{Check, Test, TextTest};
use super::literals::{Occurrence, Occurrences};
use super::passage::{self, Passage};
use super::screen::Screener;
use crate::model::conversation::{Channel, Message};

/// One place where a rule of a class matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The class.
    pub class: String,
    /// Number of the rule among the rules of its class, from 1.
    pub rule: usize,
    /// Where it matches.
    pub channel: Channel,
    /// The bytes of [`channel_text`](super::channel_text) that match. Of a `near` rule, the term that has company; of
    /// a `length` rule, everything that was counted.
    pub span: Range<usize>,
}

impl Screener {
    /// All places where a rule matches, by class, rule, channel and place. Exceptions (`unless`) are not shown, nor do
    /// they hide the rules that they overrule.
    #[must_use]
    pub fn hits(&self, message: &Message) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (class, checks) in self.classes().iter().zip(&self.program.classes) {
            for (rule, check) in (1..).zip(&self.program.checks[checks.rules.clone()]) {
                // Blocks overlap, so that one place may be found twice.
                let places: BTreeSet<_> = self.places(check, message).into_iter().collect();
                let places = places.into_iter();
                hits.extend(places.map(|(channel, start, end)| Hit {
                    class: class.clone(),
                    rule,
                    channel,
                    span: start..end,
                }));
            }
        }
        hits
    }

    fn places(&self, check: &Check, message: &Message) -> Vec<Place> {
        let seen = |text: &Passage<'_>| check.channels.contains(text.channel);
        match &check.test {
            Test::Text(test) => {
                passage::all(message).filter(seen).flat_map(|text| self.places_in_text(test, text)).collect()
            }
            Test::Length { .. } if !check.has_length(message) => Vec::new(),
            Test::Length { .. } => {
                let counted = passage::all(message).filter(seen).filter(|text| !text.text.is_empty());
                counted.map(|text| place(text, 0..text.text.len())).collect()
            }
            Test::ToolCall { name, arguments } => {
                let calls = passage::calls(message).filter(|[name, _]| seen(name));
                calls.flat_map(|call| self.places_in_call([*name, *arguments], call)).collect()
            }
        }
    }

    fn places_in_text(&self, wanted: &TextTest, text: Passage<'_>) -> Vec<Place> {
        let mut found = Occurrences::new();
        let mut places = Vec::new();
        let at = |occurrence: &Occurrence| place(text, occurrence.start..occurrence.end);
        for block in self.blocks(text.text) {
            match wanted {
                TextTest::Regex { pattern } => return self.places_of_pattern(*pattern, text),
                TextTest::Terms { list } => {
                    self.program.literals.scan(text.text, block, &mut found);
                    places.extend(found[*list].iter().map(at));
                }
                TextTest::Near(near) => {
                    self.program.literals.scan(text.text, block, &mut found);
                    places.extend(near.matches(text.text, &found, self.program.literals.longest()).map(|hit| at(&hit)));
                }
            }
        }
        places
    }

    /// Nothing, unless each pattern that is wanted matches its part of the call.
    fn places_in_call(&self, wanted: [Option<usize>; 2], call: [Passage<'_>; 2]) -> Vec<Place> {
        let wanted = wanted.into_iter().zip(call).filter_map(|(pattern, text)| Some((pattern?, text)));
        let found: Vec<_> = wanted.map(|(pattern, text)| self.places_of_pattern(pattern, text)).collect();
        if found.iter().any(Vec::is_empty) { Vec::new() } else { found.concat() }
    }

    fn places_of_pattern(&self, pattern: usize, text: Passage<'_>) -> Vec<Place> {
        let source = &self.program.patterns.patterns()[pattern];
        let pattern = RegexBuilder::new(source).case_insensitive(true).size_limit(usize::MAX).build();
        let pattern = pattern.expect("a pattern of a compiled set compiles alone");
        pattern.find_iter(text.text).map(|hit| place(text, hit.range())).collect()
    }
}

/// Channel, start and end of a hit.
type Place = (Channel, usize, usize);

fn place(text: Passage<'_>, span: Range<usize>) -> Place {
    (text.channel, text.offset + span.start, text.offset + span.end)
}

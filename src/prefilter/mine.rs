//! Words and phrases of turns, as terms that a `cues.toml` could hold: for finding cues that are missing from it.
//!
//! A phrase is one to three words with single spaces between them, in ASCII lower case, apostrophes plain: what a `terms`
//! rule would find again. It says what stands in a text and nothing of what that is worth.

mod vocabulary;

use std::collections::BTreeSet;

use super::class::{MAX_APOSTROPHES, Rules, Terms};
use super::compile::{Test, TextTest};
use super::error::CuesError;
use super::literals::{Literals, Occurrences};
use super::passage;
use super::screen::{BLOCK, Screener};
use crate::model::conversation::{Channel, Message};

pub use vocabulary::{Distinct, Phrase, Vocabulary};

/// Most words of a phrase.
pub const MOST_WORDS: usize = 3;

/// Words longer than this, in bytes, are identifiers, hashes or noise, and no cue.
const LONGEST_WORD: usize = 40;

/// Calls `visit` with every phrase of a turn in these channels and its number of words, as often as it occurs.
pub fn phrases(message: &Message, channels: &BTreeSet<Channel>, mut visit: impl FnMut(&str, usize)) {
    for text in passage::all(message).filter(|text| channels.contains(&text.channel)) {
        phrases_of(text.text, &mut visit);
    }
}

/// Is part of a word. Underscores are, as for the boundaries of terms.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn phrases_of(text: &str, visit: &mut impl FnMut(&str, usize)) {
    // The text with what separates words as it is, so that a phrase is a slice of it.
    let text = text.to_ascii_lowercase().replace('\u{2019}', "'");
    // Where the last words begin that stand with single spaces between them, the newest last.
    let mut starts: Vec<usize> = Vec::with_capacity(MOST_WORDS);
    let mut last_end = 0;
    for (start, end) in words(&text) {
        let is_joined = text.get(last_end..start) == Some(" ");
        if !is_joined {
            starts.clear();
        } else if starts.len() == MOST_WORDS {
            starts.remove(0);
        }
        last_end = end;
        if end - start > LONGEST_WORD {
            starts.clear();
            continue;
        }
        starts.push(start);
        for (number, start) in (1..).zip(starts.iter().rev()) {
            let phrase = text.get(*start..end).unwrap_or_default();
            if phrase.matches('\'').count() <= MAX_APOSTROPHES {
                visit(phrase, number);
            }
        }
    }
}

/// Where words begin and end: letters, digits and underscores, and apostrophes between them.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text.get(rest..)?.find(is_word)?;
        let mut end = start;
        let mut chars = text.get(start..)?.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let joins = c == '\'' && chars.peek().is_some_and(|(_, next)| is_word(*next));
            if !is_word(c) && !joins {
                break;
            }
            end = start + at + c.len_utf8();
        }
        rest = end;
        Some((start, end))
    })
}

/// Looks for up to 64 phrases at once, as `terms` rules would.
#[derive(Debug)]
pub struct Probe {
    literals: Literals,
}

impl Probe {
    /// Most phrases of a probe.
    pub const MOST: usize = 64;

    /// A probe for these phrases; those beyond [`Probe::MOST`] are not looked for.
    ///
    /// # Errors
    /// If a phrase is no term that a `cues.toml` could hold.
    pub fn compile<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Result<Self, CuesError> {
        let lists = phrases.into_iter().take(Self::MOST).map(|phrase| Terms::new([phrase]));
        Ok(Self { literals: Literals::compile(&lists.collect::<Result<Vec<_>, _>>()?)? })
    }

    /// The phrases that stand in these channels of a turn: a bit for each, the first phrase's the lowest.
    #[must_use]
    pub fn found(&self, message: &Message, channels: &BTreeSet<Channel>) -> u64 {
        let mut occurrences = Occurrences::new();
        let mut found = 0;
        for text in passage::all(message).filter(|text| channels.contains(&text.channel)) {
            let end = text.text.len();
            for start in (0..end).step_by(BLOCK) {
                let block = start..end.min(start + BLOCK + self.literals.longest());
                self.literals.scan(text.text, block, &mut occurrences);
                for (bit, _) in occurrences.iter().enumerate().filter(|(_, list)| !list.is_empty()) {
                    found |= 1 << bit;
                }
            }
        }
        found
    }
}

/// Says which phrases the rules of a `cues.toml` find already.
#[derive(Debug)]
pub struct KnownCues {
    screener: Screener,
}

impl KnownCues {
    /// All classes of these rules.
    ///
    /// # Errors
    /// If the rules exceed the limits of the matchers.
    pub fn compile(rules: &Rules) -> Result<Self, CuesError> {
        Ok(Self { screener: Screener::compile(rules, None, &Channel::ALL.into())? })
    }

    /// The class of the first rule that finds something in the phrase alone: then whatever holds the phrase has a cue.
    /// Rules on length and on tool calls do not count.
    #[must_use]
    pub fn class_of(&self, phrase: &str) -> Option<&str> {
        let program = &self.screener.program;
        let patterns = program.patterns.matches(phrase);
        let mut found = Occurrences::new();
        program.literals.scan(phrase, 0..phrase.len(), &mut found);
        let holds = |test: &Test| match test {
            Test::Text(TextTest::Terms { list }) => !found[*list].is_empty(),
            Test::Text(TextTest::Regex { pattern }) => patterns.matched(*pattern),
            Test::Text(TextTest::Near(near)) => {
                near.matches(phrase, &found, program.literals.longest()).next().is_some()
            }
            Test::Length { .. } | Test::ToolCall { .. } => false,
        };
        let classes = self.screener.classes().iter().zip(&program.classes);
        let mut hit =
            classes.filter(|(_, checks)| program.checks[checks.rules.clone()].iter().any(|check| holds(&check.test)));
        hit.next().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::Role;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let message = Message::text(Role::Assistant, text);
        phrases(&message, &Channel::ALL.into(), |phrase, words| found.push(format!("{words} {phrase}")));
        found
    }

    #[test]
    fn phrases_are_words_with_single_spaces() {
        assert_eq!(
            found("The grader, don\u{2019}t ask"),
            ["1 the", "1 grader", "2 the grader", "1 don't", "1 ask", "2 don't ask"]
        );
        let four = ["1 a", "1 b", "2 a b", "1 c", "2 b c", "3 a b c", "1 d", "2 c d", "3 b c d"];
        assert_eq!(found("a b c d"), four);
        assert_eq!(found("a  b\nc 'd'"), ["1 a", "1 b", "1 c", "1 d"]);
        assert_eq!(found("über test_id"), ["1 über", "1 test_id", "2 über test_id"]);
        assert_eq!(found(&format!("a {} b", "x".repeat(41))), ["1 a", "1 b"]);
        assert!(found(" .,' \u{1b}[").is_empty());
    }

    #[test]
    fn only_the_channels_of_the_audit_are_read() {
        let mut message = Message::text(Role::Assistant, "answer");
        message.reasoning = Some("thought".to_owned());
        let mut found = Vec::new();
        phrases(&message, &[Channel::Reasoning].into(), |phrase, _| found.push(phrase.to_owned()));
        assert_eq!(found, ["thought"]);
        let probe = Probe::compile(["answer", "thought"]).unwrap();
        assert_eq!(probe.found(&message, &[Channel::Reasoning].into()), 0b10);
        assert_eq!(probe.found(&message, &Channel::ALL.into()), 0b11);
    }

    #[test]
    fn a_phrase_that_a_rule_finds_is_known() {
        let text = "[[class]]\nname = \"core\"\n[[class.rule]]\nkind = \"terms\"\nterms = [\"hidden tests\"]\n\
                    [[class]]\nname = \"long\"\n[[class.rule]]\nkind = \"length\"\nmin_chars = 1\n";
        let known = KnownCues::compile(&Rules::parse(text).unwrap()).unwrap();
        assert_eq!(known.class_of("the hidden tests"), Some("core"));
        assert_eq!(known.class_of("hidden"), None, "half a term is no cue, and a length is none");
    }

    proptest! {
        #[test]
        fn whatever_is_a_phrase_is_found_again_as_a_term(text in "[a-cA-C_'’ é.,\\n]{0,40}") {
            let message = Message::text(Role::Assistant, text.clone());
            let mut all = BTreeSet::new();
            phrases(&message, &Channel::ALL.into(), |phrase, _| { all.insert(phrase.to_owned()); });
            for phrase in &all {
                let probe = Probe::compile([phrase.as_str()]).unwrap();
                prop_assert_eq!(probe.found(&message, &Channel::ALL.into()), 1, "{:?} in {:?}", phrase, &text);
            }
        }
    }
}

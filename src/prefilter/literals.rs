//! All literal terms of all rules in one automaton.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input};

use super::class::Terms;
use super::error::CuesErrorKind;

/// One occurrence of a term, in bytes of the scanned text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occurrence {
    /// Which term: equal numbers are equal terms, in whatever spelling.
    pub(super) term: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Occurrences by list of terms, each in order of their ends.
pub(super) type Occurrences = Vec<Vec<Occurrence>>;

/// Lists of terms, compiled to be found in one scan.
#[derive(Debug)]
pub(super) struct Literals {
    automaton: AhoCorasick,
    /// By pattern of the automaton.
    spellings: Vec<Spelling>,
    /// By term: the lists that hold it.
    lists_of: Vec<Vec<usize>>,
    /// Number of lists.
    lists: usize,
    /// Length of the longest spelling, in bytes.
    longest: usize,
}

/// One way to write a term.
#[derive(Debug, Clone, Copy)]
struct Spelling {
    term: u32,
    bounded_left: bool,
    bounded_right: bool,
}

/// A full automaton reads a byte per step and is several times as fast as the alternatives, but needs up to 1 KiB for
/// each byte of its terms: 64 MiB at this limit.
const FULL_AUTOMATON_BYTES: usize = 64 * 1024;

impl Literals {
    pub(super) fn compile(lists: &[Terms]) -> Result<Self, CuesErrorKind> {
        let mut terms: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, list) in lists.iter().enumerate() {
            for term in list.iter() {
                terms.entry(term).or_default().push(index);
            }
        }
        let (mut texts, mut written) = (Vec::new(), Vec::new());
        for (term, text) in (0_u32..).zip(terms.keys()) {
            let ends_in_word = |byte: Option<&u8>| byte.copied().is_some_and(is_word_byte);
            let (first, last) = (text.as_bytes().first(), text.as_bytes().last());
            let spelling = Spelling { term, bounded_left: ends_in_word(first), bounded_right: ends_in_word(last) };
            for text in spellings(text) {
                texts.push(text);
                written.push(spelling);
            }
        }
        let bytes: usize = texts.iter().map(String::len).sum();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind((bytes <= FULL_AUTOMATON_BYTES).then_some(AhoCorasickKind::DFA))
            .build(&texts)
            .map_err(|_| CuesErrorKind::TooLarge("terms"))?;
        Ok(Self {
            automaton,
            spellings: written,
            lists_of: terms.into_values().collect(),
            lists: lists.len(),
            longest: texts.iter().map(String::len).max().unwrap_or(0),
        })
    }

    /// Finds all terms that lie within `range` of the text. Occurrences may overlap: a short term inside a longer one
    /// counts as well.
    pub(super) fn scan(&self, text: &str, range: Range<usize>, found: &mut Occurrences) {
        found.resize_with(self.lists, Vec::new);
        found.iter_mut().for_each(Vec::clear);
        for hit in self.automaton.find_overlapping_iter(Input::new(text).range(range)) {
            let spelling = self.spellings[hit.pattern()];
            let (before, after) = (hit.start().checked_sub(1), hit.end());
            let is_word = |at: usize| text.as_bytes().get(at).copied().is_some_and(is_word_byte);
            let cut_left = spelling.bounded_left && before.is_some_and(is_word);
            if cut_left || (spelling.bounded_right && is_word(after)) {
                continue;
            }
            let occurrence = Occurrence { term: spelling.term, start: hit.start(), end: hit.end() };
            for list in &self.lists_of[spelling.term as usize] {
                found[*list].push(occurrence);
            }
        }
    }

    /// Length of the longest term, in bytes.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The term with each of its apostrophes plain or typographic.
fn spellings(term: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for character in term.chars() {
        let typographic = if character == '\'' { spellings.clone() } else { Vec::new() };
        for spelling in &mut spellings {
            spelling.push(character);
        }
        spellings.extend(typographic.into_iter().map(|spelling| spelling + "’"));
    }
    spellings
}

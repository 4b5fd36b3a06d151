//! Counts phrases of two sides in bounded memory.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::MOST_WORDS;

/// Counters of the sketch, two bytes each.
const COUNTERS: usize = 1 << 22;

/// Most phrases that are counted one by one.
const MOST_PHRASES: usize = 1 << 17;

/// One phrase, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// The phrase.
    pub text: String,
    /// Its number of words, from 1.
    pub words: usize,
    /// Conversations of the first side that hold it.
    pub first: u64,
    /// Conversations of the second side that hold it.
    pub second: u64,
}

/// Phrases that enough conversations of the first side hold, counted on both sides. Give it every conversation of the
/// first side to [`sketch`](Self::sketch), then again to [`first`](Self::first), then those of the second to
/// [`second`](Self::second).
///
/// It takes 8 MiB for a sketch, which counts hashes and never too few, and room for 131,072 phrases, whatever the
/// corpus. If more phrases than that are held by enough conversations, the least that is enough goes up until they
/// fit: the same phrases remain in any order of conversations.
#[derive(Debug)]
pub struct Vocabulary {
    counters: Vec<u16>,
    least: u64,
    room: usize,
    phrases: HashMap<Box<str>, Counted>,
    /// Sums over all distinct phrases of all conversations, by number of words, of either side.
    totals: [[u64; 2]; MOST_WORDS],
}

#[derive(Debug)]
struct Counted {
    words: usize,
    first: u64,
    second: u64,
}

/// The distinct phrases of one conversation.
pub type Distinct = HashMap<Box<str>, usize>;

impl Vocabulary {
    /// A vocabulary of the phrases that at least so many conversations of the first side hold.
    #[must_use]
    pub fn new(least: u64) -> Self {
        Self::with_room(least, COUNTERS, MOST_PHRASES)
    }

    fn with_room(least: u64, counters: usize, room: usize) -> Self {
        Self {
            counters: vec![0; counters],
            least: least.max(1),
            room,
            phrases: HashMap::new(),
            totals: [[0; 2]; MOST_WORDS],
        }
    }

    /// Counts one conversation of the first side roughly.
    pub fn sketch(&mut self, phrases: &Distinct) {
        // Two phrases of one conversation that share a counter count once: then the other still is held by as many.
        let counters: HashSet<usize> = phrases.keys().map(|phrase| self.counter(phrase)).collect();
        for counter in counters {
            self.counters[counter] = self.counters[counter].saturating_add(1);
        }
    }

    /// Counts one conversation of the first side.
    pub fn first(&mut self, phrases: &Distinct) {
        for (phrase, words) in phrases {
            self.totals[words - 1][0] += 1;
            if self.roughly(phrase) < self.least {
                continue;
            }
            if let Some(counted) = self.phrases.get_mut(phrase) {
                counted.first += 1;
                continue;
            }
            self.phrases.insert(phrase.clone(), Counted { words: *words, first: 1, second: 0 });
            while self.phrases.len() > self.room {
                self.least += 1;
                let (mut phrases, least) = (std::mem::take(&mut self.phrases), self.least);
                phrases.retain(|phrase, _| self.roughly(phrase) >= least);
                self.phrases = phrases;
            }
        }
    }

    /// Counts one conversation of the second side.
    pub fn second(&mut self, phrases: &Distinct) {
        for (phrase, words) in phrases {
            self.totals[words - 1][1] += 1;
            if let Some(counted) = self.phrases.get_mut(phrase) {
                counted.second += 1;
            }
        }
    }

    /// How many conversations of the first side had to hold a phrase in the end.
    #[must_use]
    pub const fn least(&self) -> u64 {
        self.least
    }

    /// Phrases of all conversations by number of words, from 1: each once a conversation and side.
    #[must_use]
    pub const fn totals(&self) -> [[u64; 2]; MOST_WORDS] {
        self.totals
    }

    /// The phrases, in order of their text.
    #[must_use]
    pub fn into_phrases(self) -> Vec<Phrase> {
        let least = self.least;
        let kept = self.phrases.into_iter().filter(|(_, counted)| counted.first >= least);
        let phrase = |(text, Counted { words, first, second }): (Box<str>, Counted)| Phrase {
            text: text.into(),
            words,
            first,
            second,
        };
        let mut phrases: Vec<_> = kept.map(phrase).collect();
        phrases.sort_unstable_by(|one, other| one.text.cmp(&other.text));
        phrases
    }

    fn counter(&self, phrase: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        phrase.hash(&mut hasher);
        let counters = self.counters.len() as u64;
        usize::try_from(hasher.finish() % counters).expect("a number below a length is an index")
    }

    fn roughly(&self, phrase: &str) -> u64 {
        u64::from(self.counters[self.counter(phrase)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conversation(words: &[u8]) -> Distinct {
        words.iter().map(|word| (format!("w{word}").into_boxed_str(), 1)).collect()
    }

    fn counted(sides: [&[Vec<u8>]; 2], least: u64, counters: usize, room: usize) -> (Vec<Phrase>, u64) {
        let mut vocabulary = Vocabulary::with_room(least, counters, room);
        let [first, second] = sides;
        for words in first {
            vocabulary.sketch(&conversation(words));
        }
        for words in first {
            vocabulary.first(&conversation(words));
        }
        for words in second {
            vocabulary.second(&conversation(words));
        }
        let least = vocabulary.least();
        (vocabulary.into_phrases(), least)
    }

    #[test]
    fn a_conversation_counts_a_phrase_once() {
        let first = [vec![1, 1, 1, 2], vec![1, 3], vec![1]];
        let (phrases, least) = counted([&first, &[vec![1, 2], vec![1]]], 2, 64, 10);
        let only = Phrase { text: "w1".to_owned(), words: 1, first: 3, second: 2 };
        assert_eq!((phrases, least), (vec![only], 2));
    }

    proptest! {
        /// Small sketches collide all the time; what remains is exact all the same.
        #[test]
        fn counts_are_exact_and_no_phrase_is_lost(
            first in proptest::collection::vec(proptest::collection::vec(0..30_u8, 0..8), 0..30),
            second in proptest::collection::vec(proptest::collection::vec(0..30_u8, 0..8), 0..30),
            counters in 1..40_usize,
        ) {
            let holding = |side: &[Vec<u8>], word| side.iter().filter(|words| words.contains(&word)).count() as u64;
            let (phrases, _) = counted([&first, &second], 3, counters, 1_000);
            let expected = (0..30_u8).filter(|word| holding(&first, *word) >= 3).count();
            prop_assert_eq!(phrases.len(), expected);
            for phrase in phrases {
                let word: u8 = phrase.text.trim_start_matches('w').parse().unwrap();
                prop_assert_eq!((phrase.first, phrase.second), (holding(&first, word), holding(&second, word)));
            }
        }

        #[test]
        fn memory_is_bounded_and_the_order_says_nothing(
            mut first in proptest::collection::vec(proptest::collection::vec(0..60_u8, 0..8), 0..30),
        ) {
            let (phrases, least) = counted([&first, &[]], 1, 4_096, 9);
            prop_assert!(phrases.len() <= 9);
            first.reverse();
            prop_assert_eq!(counted([&first, &[]], 1, 4_096, 9), (phrases, least));
        }
    }
}

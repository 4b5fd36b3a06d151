//! What marks one side: words and phrases by their score, with what says the same as a better one left out.

use super::log_odds::{Occurrences, Word, log_odds};
use super::number::float;

/// A phrase and how many conversations of either side hold it: a conversation counts once, however often it repeats a
/// phrase, so that one long transcript makes no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The phrase: words with single spaces between them.
    pub text: &'a str,
    /// Its number of words, from 1.
    pub words: usize,
    /// Conversations of the first side.
    pub first: u64,
    /// Conversations of the second side.
    pub second: u64,
}

/// A phrase with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark<'a> {
    /// The phrase.
    pub held: Held<'a>,
    /// The weighted log-odds ratio over its standard error: positive if it marks the first side.
    pub z: f64,
}

/// Every phrase's score, highest first, by [`log_odds`] among the phrases of as many words. `totals` are the sums over all
/// phrases of that many words, from 1, whether they are among `held` or not: the odds of each are against all others.
///
/// The prior is the vocabulary of both sides, and weighs as much as 1 in 2 `least` of it: a phrase that `least`
/// conversations hold, the fewest that count, gets half an occurrence more on either side.
///
/// Phrases of a length that has fewer than two, or whose totals are less than their sum, get no score.
#[must_use]
pub fn scores<'a>(held: &[Held<'a>], totals: &[[u64; 2]], least: u64) -> Vec<Mark<'a>> {
    let mut marks = Vec::with_capacity(held.len());
    for (words, [all_first, all_second]) in (1..).zip(totals) {
        let of_length: Vec<&Held<'a>> = held.iter().filter(|held| held.words == words).collect();
        let sum = |count: fn(&Held<'_>) -> u64| of_length.iter().map(|held| count(held)).sum::<u64>();
        let rest = all_first.checked_sub(sum(|held| held.first)).zip(all_second.checked_sub(sum(|held| held.second)));
        let Some((rest_first, rest_second)) = rest else { continue };
        let mut all: Vec<_> =
            of_length.iter().filter_map(|held| word(held.text, held.first, held.second, least)).collect();
        // No phrase is empty, so that this one is nobody's.
        all.extend(word("", rest_first, rest_second, least));
        let Some(scored) = log_odds(&all) else { continue };
        for score in scored {
            let place = of_length.binary_search_by(|held| held.text.cmp(score.text));
            let found = place.ok().map(|place| of_length[place]);
            marks.extend(found.map(|held| Mark { held: *held, z: score.z }));
        }
    }
    marks.sort_by(|one, other| other.z.total_cmp(&one.z).then_with(|| one.held.text.cmp(other.held.text)));
    marks
}

fn word(text: &str, first: u64, second: u64, least: u64) -> Option<Word<'_>> {
    let once = |total| Occurrences::new(total, total);
    let prior = float(first.checked_add(second).filter(|sum| *sum > 0)?) / (2.0 * float(least.max(1)));
    Some(Word { text, first: once(first)?, second: once(second)?, prior })
}

/// The best so many marks of the first side that say different things: of phrases of which one stands within another, and
/// of phrases that share a word and are held by as many conversations of either side, the best one.
#[must_use]
pub fn best<'a>(marks: &[Mark<'a>], most: usize) -> Vec<Mark<'a>> {
    let mut kept: Vec<Mark<'a>> = Vec::new();
    for mark in marks.iter().filter(|mark| mark.z > 0.0) {
        if kept.len() == most {
            break;
        }
        if !kept.iter().any(|better| says_the_same(&better.held, &mark.held)) {
            kept.push(*mark);
        }
    }
    kept
}

fn says_the_same(one: &Held<'_>, other: &Held<'_>) -> bool {
    let (one_words, other_words): (Vec<&str>, Vec<&str>) =
        (one.text.split(' ').collect(), other.text.split(' ').collect());
    let (short, long) = if one.words <= other.words { (&one_words, &other_words) } else { (&other_words, &one_words) };
    let is_within = long.windows(short.len()).any(|part| part == short.as_slice());
    let shares_word = one_words.iter().any(|word| other_words.contains(word));
    is_within || (shares_word && (one.first, one.second) == (other.first, other.second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn held(text: &str, first: u64, second: u64) -> Held<'_> {
        Held { text, words: text.split(' ').count(), first, second }
    }

    #[test]
    fn what_only_one_side_says_comes_first_and_once() {
        let all = [
            held("a", 40, 400),
            held("a glint", 6, 0),
            held("glint", 12, 0),
            held("glint of", 11, 0),
            held("of", 35, 420),
            held("tests", 10, 90),
        ];
        let marks = scores(&all, &[[900, 9_000], [800, 8_000], [0, 0]], 3);
        assert_eq!(marks.len(), all.len());
        let best = best(&marks, 2);
        assert_eq!(best[0].held.text, "glint");
        assert!(!best[1..].iter().any(|mark| mark.held.text.contains("glint")), "{best:?}");
        assert!(best[0].z > 3.0 && best[1].z < 2.0, "{best:?}");
    }

    #[test]
    fn phrases_of_one_sentence_are_one_mark() {
        let all = [held("b c", 5, 1), held("c d", 5, 1), held("c e", 5, 2)];
        let best = best(&scores(&all, &[[0, 0], [100, 100]], 3), 9);
        let texts: Vec<_> = best.iter().map(|mark| mark.held.text).collect();
        assert_eq!(texts, ["b c", "c e"]);
    }

    #[test]
    fn totals_that_cannot_be_give_no_score() {
        assert_eq!(scores(&[held("a", 5, 1)], &[[4, 1]], 3), []);
        assert_eq!(scores(&[held("a", 5, 1)], &[[5, 1]], 3), [], "one word alone has no odds");
        assert_eq!(scores(&[held("a b", 5, 1)], &[[5, 1]], 3), []);
    }

    proptest! {
        #[test]
        fn swapping_the_sides_flips_every_sign(
            counts in proptest::collection::vec((0..60_u64, 0..60_u64), 2..20),
            more in (0..500_u64, 0..500_u64),
            least in 1..6_u64,
        ) {
            let names: Vec<String> = (0..counts.len()).map(|index| format!("w{index:02}")).collect();
            let side = |swap: bool| -> Vec<Held<'_>> {
                let pairs = names.iter().zip(&counts);
                pairs.map(|(name, (a, b))| if swap { held(name, *b, *a) } else { held(name, *a, *b) }).collect()
            };
            let sums = counts.iter().fold(more, |sums, (a, b)| (sums.0 + a, sums.1 + b));
            let there = scores(&side(false), &[[sums.0, sums.1]], least);
            let back = scores(&side(true), &[[sums.1, sums.0]], least);
            prop_assert_eq!(there.len(), back.len());
            for mark in there {
                let other = back.iter().find(|other| other.held.text == mark.held.text).unwrap();
                prop_assert!((mark.z + other.z).abs() < 1e-9, "{mark:?} {other:?}");
            }
        }
    }
}

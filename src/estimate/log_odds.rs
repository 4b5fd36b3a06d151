//! Which words set one corpus apart from another.
//!
//! A description of two samples, for finding cues; not a test, for thousands of words are looked at. Raw ratios put the
//! rarest words first and raw differences the commonest; here a prior draws every word towards its share in a background
//! corpus, and the score is how far the evidence gets against it.

use super::number::float;

/// How often a word occurs in one corpus, and how much it clusters there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrences {
    total: u64,
    squares: u64,
}

impl Occurrences {
    /// `total` occurrences whose numbers per conversation have the sum of squares `squares`: the total itself if no
    /// conversation has two. None if no such numbers exist: `squares` is at least the total and at most its square.
    #[must_use]
    pub const fn new(total: u64, squares: u64) -> Option<Self> {
        let possible = total <= squares && squares <= total.saturating_mul(total);
        if possible { Some(Self { total, squares }) } else { None }
    }

    /// The occurrences of a word in each conversation. None if the squares exceed 2^64.
    #[must_use]
    pub fn of_conversations(numbers: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut all = Self { total: 0, squares: 0 };
        for number in numbers {
            all.total = all.total.checked_add(number)?;
            all.squares = all.squares.checked_add(number.checked_mul(number)?)?;
        }
        Some(all)
    }

    /// By how much the variance of the total exceeds that of as many independent occurrences: 1 if no conversation has
    /// two, m if every one has m.
    fn dispersion(self) -> f64 {
        if self.total == 0 { 1.0 } else { float(self.squares) / float(self.total) }
    }
}

/// A word to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Word<'a> {
    /// The word.
    pub text: &'a str,
    /// In the corpus whose words get positive scores.
    pub first: Occurrences,
    /// In the other one.
    pub second: Occurrences,
    /// Occurrences that the prior adds to both corpora, above 0: the word's share in a background corpus times the
    /// weight of the prior. The larger the weight, the more evidence a rare word needs.
    pub prior: f64,
}

/// How much a word belongs to the first corpus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WordScore<'a> {
    /// The word.
    pub text: &'a str,
    /// The logarithm of the word's odds in the first corpus over those in the second.
    pub log_odds_ratio: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The ratio over its error: the score.
    pub z: f64,
}

/// Every word's score by the weighted log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn,
/// "Fightin' Words", Political Analysis 16, 2008), highest first and equal ones by word. All
/// words of both corpora must be given: the odds of each are against all others.
///
/// The published variance takes every occurrence as independent, so that one conversation repeating a word makes it a
/// mark of its corpus. Here the variance of a word's count is the sum over conversations of squared occurrences, as for
/// any clustered count of this crate; without repetitions it is the published one.
///
/// None with fewer than two words, if a prior is not a positive number, or if the counts exceed 2^64 together.
#[must_use]
pub fn log_odds<'a>(words: &[Word<'a>]) -> Option<Vec<WordScore<'a>>> {
    let is_positive = |prior: f64| prior.is_normal() && prior > 0.0;
    if words.len() < 2 || !words.iter().all(|word| is_positive(word.prior)) {
        return None;
    }
    let sum = |count: fn(&Word) -> u64| words.iter().try_fold(0_u64, |sum, word| sum.checked_add(count(word)));
    let (first, second) = (sum(|word| word.first.total)?, sum(|word| word.second.total)?);
    let prior = words.iter().map(|word| word.prior).sum::<f64>();
    let mut scores = Vec::with_capacity(words.len());
    for word in words {
        let in_first = LogOdds::of(word.first, first, word.prior, prior)?;
        let in_second = LogOdds::of(word.second, second, word.prior, prior)?;
        let log_odds_ratio = in_first.value - in_second.value;
        let standard_error = (in_first.variance + in_second.variance).sqrt();
        scores.push(WordScore { text: word.text, log_odds_ratio, standard_error, z: log_odds_ratio / standard_error });
    }
    scores.sort_by(|left, right| right.z.total_cmp(&left.z).then_with(|| left.text.cmp(right.text)));
    Some(scores)
}

struct LogOdds {
    value: f64,
    variance: f64,
}

impl LogOdds {
    /// Of a word against all others in a corpus of `total` occurrences. None if rounding leaves the others nothing.
    fn of(word: Occurrences, total: u64, prior: f64, priors: f64) -> Option<Self> {
        let own = float(word.total) + prior;
        let others = float(total - word.total) + (priors - prior);
        let variance = word.dispersion() / own + others.recip();
        let value = own.ln() - others.ln();
        (value.is_finite() && variance.is_finite()).then_some(Self { value, variance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(total: u64) -> Occurrences {
        Occurrences::new(total, total).unwrap()
    }

    /// 100 words in the first corpus, 200 in the second, a prior of ten.
    fn words(a_in_first: Occurrences) -> [Word<'static>; 3] {
        let word = |text, first, second, prior| Word { text, first, second, prior };
        [word("c", once(85), once(193), 8.0), word("a", a_in_first, once(2), 1.0), word("b", once(5), once(5), 1.0)]
    }

    /// By hand: a has the odds 11/99 and 3/207, b 6/104 and 6/204, c 93/17 and 201/9.
    #[test]
    fn scores_agree_with_a_calculation_by_hand() {
        let ratios: [(&str, f64, f64); 3] = [
            ("a", 23.0 / 3.0, 1.0 / 11.0 + 1.0 / 99.0 + 1.0 / 3.0 + 1.0 / 207.0),
            ("b", 204.0 / 104.0, 1.0 / 6.0 + 1.0 / 104.0 + 1.0 / 6.0 + 1.0 / 204.0),
            ("c", (93.0 / 17.0) / (201.0 / 9.0), 1.0 / 93.0 + 1.0 / 17.0 + 1.0 / 201.0 + 1.0 / 9.0),
        ];
        let found = log_odds(&words(once(10))).unwrap();
        assert_eq!(found.len(), 3);
        for (score, (text, ratio, variance)) in found.iter().zip(ratios) {
            assert_eq!(score.text, text);
            assert!((score.log_odds_ratio - ratio.ln()).abs() < 1e-14, "{score:?}");
            assert!((score.standard_error - variance.sqrt()).abs() < 1e-14, "{score:?}");
        }
        let scores: Vec<String> = found.iter().map(|score| format!("{:.4}", score.z)).collect();
        assert_eq!(scores, ["3.0736", "1.1423", "-3.2647"]);
    }

    /// All ten occurrences of a in one conversation: the term 1/11 of its variance becomes 10/11.
    #[test]
    fn a_word_of_one_conversation_is_no_mark_of_its_corpus() {
        let found = log_odds(&words(Occurrences::of_conversations([10]).unwrap())).unwrap();
        let score = found.iter().find(|score| score.text == "a").unwrap();
        assert_eq!(format!("{:.4}", score.z), "1.8165");
        assert!(score.z < 1.96);
    }

    #[test]
    fn what_is_undefined_is_absent() {
        assert_eq!((Occurrences::new(2, 1), Occurrences::new(2, 5), Occurrences::new(0, 1)), (None, None, None));
        assert_eq!(Occurrences::of_conversations([3, 0, 1]), Occurrences::new(4, 10));
        assert_eq!(Occurrences::of_conversations([u64::MAX]), None);
        let [c, a, b] = words(once(10));
        assert_eq!(log_odds(&[a]), None);
        for prior in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(log_odds(&[a, b, Word { prior, ..c }]), None);
        }
        assert_eq!(log_odds(&[Word { prior: 1e300, ..a }, Word { first: once(0), ..b }]), None);
        let huge = Word { first: Occurrences::new(u64::MAX, u64::MAX).unwrap(), ..c };
        assert_eq!(log_odds(&[a, huge]), None);
        // Words that neither corpus has say nothing.
        let silent = Word { text: "silent", first: once(0), second: once(0), prior: 1e-3 };
        let found = log_odds(&[silent, Word { text: "mute", ..silent }]).unwrap();
        assert_eq!(found.iter().map(|score| score.text).collect::<Vec<_>>(), ["mute", "silent"]);
        assert!(found.iter().all(|score| score.z.abs() < f64::EPSILON));
    }
}

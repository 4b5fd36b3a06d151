//! A confidence sequence for the mean of bounded scores, such as weighted verdicts: valid at every look.
//!
//! The hedged capital of I. Waudby-Smith and A. Ramdas ("Estimating means of bounded random variables by betting",
//! Journal of the Royal Statistical Society B 86, 2024): two gamblers bet against a mean, one that the scores lie above
//! it, one that they lie below; a mean is kept while neither, starting from one half, reached 1/alpha. Bets depend only
//! on earlier scores, so that looking costs nothing; nothing is intersected over time.

use super::interval::Limits;
use super::root::root;
use crate::model::rate::Level;

/// No bet may lose more than this share of the capital.
const LARGEST_LOSS: f64 = 0.5;

/// The smallest mean that is told apart from 0, and the distance from 1 that is told apart from 1.
const EDGE: f64 = 1e-6;

/// Scores in the order in which they were drawn, each with the bet that was fixed before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wagers {
    level: Level,
    scores: Vec<(f64, f64)>,
}

impl Wagers {
    /// Bets for scores between 0 and 1 by the paper's predictable plug-in: the square root of 2 ln(2/alpha) /
    /// (variance t ln(1 + t)) with the variance of the scores so far and one made-up score of mean 1/2 and variance
    /// 1/4.
    ///
    /// `None` if a score is not between 0 and 1.
    #[must_use]
    pub fn new(scores: &[f64], level: Level) -> Option<Self> {
        if !scores.iter().all(|score| (0.0..=1.0).contains(score)) {
            return None;
        }
        let stake = -2.0 * (level.alpha() / 2.0).ln();
        let (mut count, mut sum, mut squares) = (1.0_f64, 0.5, 0.25);
        let mut placed = Vec::with_capacity(scores.len());
        for score in scores {
            let variance = squares / count;
            placed.push((*score, (stake / (count * count.ln_1p() * variance)).sqrt()));
            count += 1.0;
            sum += score;
            squares += (score - sum / count).powi(2);
        }
        Some(Self { level, scores: placed })
    }

    /// The logarithm of the larger of the two capitals against this mean, each of which began as ln(1/2). Against a
    /// mean outside 0 to 1 it is infinite.
    #[must_use]
    pub fn ln_capital(&self, mean: f64) -> f64 {
        if !(0.0..=1.0).contains(&mean) {
            return f64::INFINITY;
        }
        self.ln_above(mean).max(self.ln_below(mean))
    }

    /// The capital of the gambler who bets that the scores lie above the mean. It falls as the mean rises.
    fn ln_above(&self, mean: f64) -> f64 {
        let won = |(score, bet): &(f64, f64)| (bet.min(LARGEST_LOSS / mean) * (score - mean)).ln_1p();
        0.5_f64.ln() + self.scores.iter().map(won).sum::<f64>()
    }

    /// The capital of the other one. It rises with the mean.
    fn ln_below(&self, mean: f64) -> f64 {
        let won = |(score, bet): &(f64, f64)| (bet.min(LARGEST_LOSS / (1.0 - mean)) * (mean - score)).ln_1p();
        0.5_f64.ln() + self.scores.iter().map(won).sum::<f64>()
    }

    /// The means that the scores do not speak against: 0 and 1 without a score. A limit nearer than a millionth to 0
    /// or 1 is 0 or 1.
    ///
    /// The time is proportional to the scores: about a fifth of a microsecond for each.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let bar = -self.level.alpha().ln();
        // Both capitals are monotone in the mean, so each crosses the bar once: a search in ln, where rare means are
        // as far apart as frequent ones, finds what a grid would only bracket.
        let (rare, frequent) = (EDGE.ln(), (-EDGE).ln_1p());
        let lower = if self.ln_above(EDGE) < bar {
            0.0
        } else {
            root(rare, frequent, |ln| self.ln_above(ln.exp()) - bar).exp()
        };
        let upper = if self.ln_below(1.0 - EDGE) < bar {
            1.0
        } else {
            root(rare, frequent, |ln| self.ln_below(ln.exp()) - bar).exp()
        };
        Limits { lower, upper }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, numbers};
    use crate::model::hash::PartHasher;

    fn level(level: f64) -> Level {
        Level::new(level).unwrap()
    }

    fn limits(scores: &[f64], at: f64) -> Limits {
        Wagers::new(scores, level(at)).unwrap().limits()
    }

    #[test]
    fn capital_and_limits_agree_with_the_golden_values() {
        golden::check("confseq_hedged_betting", |input, expected| {
            let wagers = Wagers::new(&numbers(&input["x"]), level(1.0 - input["alpha"].as_f64().unwrap())).unwrap();
            let limits = wagers.limits();
            let mut pairs = vec![
                (limits.lower, expected["lower"].as_f64().unwrap()),
                (limits.upper, expected["upper"].as_f64().unwrap()),
            ];
            let means = numbers(&input["m"]).into_iter().zip(numbers(&expected["capital"]));
            pairs.extend(means.map(|(mean, capital)| (wagers.ln_capital(mean).exp(), capital)));
            pairs
        });
    }

    #[test]
    fn nothing_seen_rules_nothing_out_and_scores_are_bounded() {
        assert_eq!(limits(&[], 0.95), Limits { lower: 0.0, upper: 1.0 });
        for score in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Wagers::new(&[0.5, score], level(0.95)), None, "{score}");
        }
        let none = limits(&vec![0.0; 100_000], 0.95);
        assert!(none.lower.abs() < f64::EPSILON && none.upper < 1e-3, "{none:?}");
        let all = limits(&vec![1.0; 100_000], 0.95);
        assert!((all.upper - 1.0).abs() < f64::EPSILON && all.lower > 0.999, "{all:?}");
    }

    /// Looks after every one of 200 scores, 300 times: means are missed at some look less often than alpha.
    #[test]
    fn looking_all_the_time_misses_less_often_than_alpha() {
        const MEAN: f64 = 0.3;
        let (runs, level) = (300_u64, level(0.8));
        let bar = -level.alpha().ln();
        let missed = (0..runs).filter(|run| {
            let score = |unit: u64| {
                let random = PartHasher::new("betting test").number(*run).number(unit).finish();
                if f64::from(random.as_bytes()[0]) < 256.0 * MEAN { 1.0 } else { 0.0 }
            };
            let scores: Vec<f64> = (0..200).map(score).collect();
            // 256 * 0.3 = 76.8: bytes 0 to 76 are events.
            (1..=scores.len()).any(|n| Wagers::new(&scores[..n], level).unwrap().ln_capital(77.0 / 256.0) >= bar)
        });
        let missed = missed.count();
        assert!(missed * 5 <= 300, "{missed} of {runs}");
        assert!(missed > 0, "a sequence that never misses is too wide to be this one");
    }

    proptest! {
        #[test]
        fn limits_behave(scores in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64], 1..60), wide in 0.5..0.99_f64) {
            let found = limits(&scores, wide);
            prop_assert!(0.0 <= found.lower && found.lower <= found.upper && found.upper <= 1.0, "{found:?}");
            let mirrored: Vec<f64> = scores.iter().map(|score| 1.0 - score).collect();
            let mirror = limits(&mirrored, wide);
            prop_assert!((mirror.lower - (1.0 - found.upper)).abs() < 1e-9, "{mirror:?} {found:?}");
            let wagers = Wagers::new(&scores, level(wide)).unwrap();
            for pair in [0.0, 1e-5, 0.01, 0.3, 0.7, 0.99, 1.0].windows(2) {
                prop_assert!(wagers.ln_above(pair[0]) >= wagers.ln_above(pair[1]) && wagers.ln_below(pair[0]) <= wagers.ln_below(pair[1]));
            }
        }
    }
}

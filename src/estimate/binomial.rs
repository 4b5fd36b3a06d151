//! The binomial distribution, with the digits of small tails kept.

use std::f64::consts::PI;

use super::special::{beta_cdf, stirling};

/// Probabilities that agree to this factor count as equal, as in R.
const TIE: f64 = 1e-7;

/// Successes among `n` trials of probability `p`; `q` is 1 - `p`, given apart so that neither loses its digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binomial {
    n: u64,
    p: f64,
    q: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
impl Binomial {
    /// Trials with success and failure in the proportion of two numbers, of which both are positive.
    pub(super) fn in_proportion(n: u64, success: f64, failure: f64) -> Self {
        let sum = success + failure;
        Self { n, p: success / sum, q: failure / sum }
    }

    /// The logarithm of the probability of exactly `k` of `n`: the saddle-point form of C. Loader ("Fast and accurate
    /// computation of binomial probabilities", 2000), whose terms do not cancel.
    pub(super) fn ln_exactly(self, k: u64) -> f64 {
        if self.p > self.q {
            return Self { n: self.n, p: self.q, q: self.p }.ln_exactly(self.n - k);
        }
        let (n, hits, rest) = (self.n as f64, k as f64, (self.n - k) as f64);
        if k == 0 {
            return n * (-self.p).ln_1p();
        }
        if k == self.n {
            return n * self.p.ln();
        }
        let mean = hits / n;
        let shape = hits * (self.p / mean).ln() + rest * ((mean - self.p) * n / rest).ln_1p();
        let correction = stirling(n) - stirling(hits) - stirling(rest);
        shape + correction + 0.5 * (n / (2.0 * PI * hits * rest)).ln()
    }

    /// The probability of `k` or more.
    pub(super) fn at_least(self, k: u64) -> f64 {
        if k == 0 {
            return 1.0;
        }
        if k > self.n {
            return 0.0;
        }
        beta_cdf(k as f64, (self.n - k) as f64 + 1.0, self.p)
    }

    /// The probability of `k` or fewer.
    pub(super) fn at_most(self, k: u64) -> f64 {
        if k >= self.n { 1.0 } else { Self { n: self.n, p: self.q, q: self.p }.at_least(self.n - k) }
    }

    /// The probability of all outcomes that are no likelier than `k`: the two-sided p-value by point probabilities.
    pub(super) fn no_likelier(self, k: u64) -> f64 {
        let bar = self.ln_exactly(k) + TIE.ln_1p();
        let mode = mode(self.n, self.p);
        if self.ln_exactly(mode) <= bar {
            return 1.0;
        }
        let is_rarer = |x: u64| self.ln_exactly(x) <= bar;
        let low = if k < mode { Some(k) } else { last_true(0, mode, is_rarer) };
        let high = if k > mode { Some(k) } else { first_true(mode, self.n, is_rarer) };
        let tails = low.map_or(0.0, |low| self.at_most(low)) + high.map_or(0.0, |high| self.at_least(high));
        tails.min(1.0)
    }
}

/// The likeliest count: floor((n + 1) p).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53, and the cast saturates"
)]
fn mode(n: u64, p: f64) -> u64 {
    (((n + 1) as f64 * p) as u64).min(n)
}

/// The last number from `first` on for which `is` holds, if it holds up to some number and not at `end`.
pub(super) fn last_true(first: u64, end: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (first, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { low = middle + 1 } else { high = middle }
    }
    (low > first).then(|| low - 1)
}

/// The first number up to `last` for which `is` holds, if it holds from some number on and not at `start`.
pub(super) fn first_true(start: u64, last: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (start, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) { high = middle } else { low = middle + 1 }
    }
    (low <= last).then_some(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brute(n: u64, p: f64) -> Vec<f64> {
        let q = 1.0 - p;
        let mut choose = 1.0;
        (0..=n)
            .map(|k| {
                let (hits, rest) = (i32::try_from(k).unwrap(), i32::try_from(n - k).unwrap());
                let exactly = choose * p.powi(hits) * q.powi(rest);
                choose *= f64::from(rest) / f64::from(hits + 1);
                exactly
            })
            .collect()
    }

    proptest! {
        #[test]
        fn small_cases_agree_with_enumeration((n, k) in (1..40_u64).prop_flat_map(|n| (Just(n), 0..=n)), p in 0.001..0.999_f64) {
            let found = Binomial::in_proportion(n, p, 1.0 - p);
            let all = brute(n, p);
            let (split, bar) = (usize::try_from(k).unwrap(), all[usize::try_from(k).unwrap()] * (1.0 + TIE));
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-11 * expected;
            prop_assert!(close(found.ln_exactly(k).exp(), all[split]));
            prop_assert!(close(found.at_most(k), all[..=split].iter().sum::<f64>()));
            prop_assert!(close(found.at_least(k), all[split..].iter().sum::<f64>()));
            prop_assert!(close(found.no_likelier(k), all.iter().filter(|x| **x <= bar).sum::<f64>().min(1.0)));
        }
    }
}

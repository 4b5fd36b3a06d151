//! The hypergeometric distribution: events among units drawn without replacement, or the first cell of a table of four
//! with all its margins fixed.

use super::binomial::{Binomial, first_true, last_true};

/// Probabilities that agree to this factor count as equal, as in R.
const TIE: f64 = 1e-7;

/// A sum of falling terms ends where the next one no longer changes it.
const NEGLIGIBLE: f64 = 1e-18;

/// `drawn` units out of `marked` and `plain` ones; the count of marked units among them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hypergeometric {
    marked: u64,
    plain: u64,
    drawn: u64,
}

impl Hypergeometric {
    /// No more are drawn than there are.
    pub(super) const fn new(marked: u64, plain: u64, drawn: u64) -> Self {
        debug_assert!(drawn <= marked + plain, "no more are drawn than there are");
        Self { marked, plain, drawn }
    }

    /// The smallest possible count.
    pub(super) const fn least(self) -> u64 {
        self.drawn.saturating_sub(self.plain)
    }

    /// The largest possible count.
    pub(super) fn most(self) -> u64 {
        self.drawn.min(self.marked)
    }

    /// The likeliest count: floor((marked + 1) (drawn + 1) / (all + 2)).
    fn mode(self) -> u64 {
        let all = u128::from(self.marked) + u128::from(self.plain);
        let mode = (u128::from(self.marked) + 1) * (u128::from(self.drawn) + 1) / (all + 2);
        u64::try_from(mode).unwrap_or(u64::MAX).clamp(self.least(), self.most())
    }

    /// The logarithm of the probability of exactly `x`, as a quotient of binomial probabilities that do not cancel
    /// (C. Loader, "Fast and accurate computation of binomial probabilities", 2000).
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn ln_exactly(self, x: u64) -> f64 {
        if self.least() == self.most() {
            return 0.0;
        }
        let all = self.marked + self.plain;
        let part =
            |k: u64, n: u64| Binomial::in_proportion(n, self.drawn as f64, (all - self.drawn) as f64).ln_exactly(k);
        part(x, self.marked) + part(self.drawn - x, self.plain) - part(self.drawn, all)
    }

    /// The probability of `x` + 1 over that of `x`.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn rise(self, x: u64) -> f64 {
        let (up, down) = ((self.marked - x) as f64 * (self.drawn - x) as f64, (x + 1) as f64);
        up / (down * ((self.plain + x + 1) - self.drawn) as f64)
    }

    /// The probability of `x` or more.
    pub(super) fn at_least(self, x: u64) -> f64 {
        if x <= self.least() {
            1.0
        } else if x > self.most() {
            0.0
        } else if x < self.mode() {
            1.0 - self.tail_down(x - 1)
        } else {
            self.tail_up(x)
        }
    }

    /// The probability of `x` or fewer.
    pub(super) fn at_most(self, x: u64) -> f64 {
        if x >= self.most() {
            1.0
        } else if x < self.least() {
            0.0
        } else if x > self.mode() {
            1.0 - self.tail_up(x + 1)
        } else {
            self.tail_down(x)
        }
    }

    fn tail_up(self, first: u64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for x in first..self.most() {
            term *= self.rise(x);
            sum += term;
            if term < sum * NEGLIGIBLE {
                break;
            }
        }
        (self.ln_exactly(first) + f64::ln(sum)).exp().min(1.0)
    }

    fn tail_down(self, last: u64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for x in (self.least()..last).rev() {
            term /= self.rise(x);
            sum += term;
            if term < sum * NEGLIGIBLE {
                break;
            }
        }
        (self.ln_exactly(last) + f64::ln(sum)).exp().min(1.0)
    }

    /// The probability of all counts that are no likelier than `x`: the two-sided p-value of Fisher's test.
    pub(super) fn no_likelier(self, x: u64) -> f64 {
        let bar = self.ln_exactly(x) + TIE.ln_1p();
        let mode = self.mode();
        if self.ln_exactly(mode) <= bar {
            return 1.0;
        }
        let is_rarer = |x: u64| self.ln_exactly(x) <= bar;
        let low = if x < mode { Some(x) } else { last_true(self.least(), mode, is_rarer) };
        let high = if x > mode { Some(x) } else { first_true(mode, self.most(), is_rarer) };
        let tails = low.map_or(0.0, |low| self.at_most(low)) + high.map_or(0.0, |high| self.at_least(high));
        tails.min(1.0)
    }

    /// Moments of the count when the odds of marked units are `odds` times those of plain ones (R. A. Fisher's
    /// noncentral distribution, Journal of the Royal Statistical Society 98, 1935), with both tails at `split`. The sums
    /// run outwards from the largest term, so that nothing overflows. More than one count must be possible.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn tilted(self, odds: f64, split: u64) -> Tilted {
        let peak = first_true(self.least(), self.most() - 1, |x| self.rise(x) * odds <= 1.0).unwrap_or(self.most());
        let (mut total, mut offset, mut upper, mut lower) = (0.0, 0.0, 0.0, 0.0);
        let mut add = |x: u64, term: f64| {
            total += term;
            offset += term * (x as f64 - peak as f64);
            upper += if x >= split { term } else { 0.0 };
            lower += if x <= split { term } else { 0.0 };
            term < total * NEGLIGIBLE
        };
        let mut term = 1.0;
        add(peak, term);
        for x in peak..self.most() {
            term *= self.rise(x) * odds;
            if add(x + 1, term) {
                break;
            }
        }
        term = 1.0;
        for x in (self.least()..peak).rev() {
            term /= self.rise(x) * odds;
            if add(x, term) {
                break;
            }
        }
        Tilted { mean: peak as f64 + offset / total, at_least: upper / total, at_most: lower / total }
    }
}

/// What [`Hypergeometric::tilted`] finds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tilted {
    /// The expected count.
    pub(super) mean: f64,
    /// The probability of the split or more.
    pub(super) at_least: f64,
    /// The probability of the split or fewer.
    pub(super) at_most: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choose(n: u64, k: u64) -> f64 {
        (0..k).fold(1.0, |product, step| {
            product * f64::from(u32::try_from(n - step).unwrap()) / f64::from(u32::try_from(step + 1).unwrap())
        })
    }

    proptest! {
        #[test]
        fn small_cases_agree_with_enumeration(
            (marked, plain, drawn) in (0..25_u64, 0..25_u64).prop_flat_map(|(m, p)| (Just(m), Just(p), 0..=m + p)),
            pick in 0.0..1.0_f64,
        ) {
            let found = Hypergeometric::new(marked, plain, drawn);
            let support: Vec<u64> = (found.least()..=found.most()).collect();
            let at = (0..support.len()).min_by(|a, b| {
                let distance = |at: &usize| (f64::from(u32::try_from(*at).unwrap()) - pick * 25.0).abs();
                distance(a).total_cmp(&distance(b))
            }).unwrap();
            let all: Vec<f64> =
                support.iter().map(|x| choose(marked, *x) * choose(plain, drawn - x) / choose(marked + plain, drawn)).collect();
            let (x, bar) = (support[at], all[at] * (1.0 + TIE));
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-11 * expected;
            prop_assert!(close(found.ln_exactly(x).exp(), all[at]));
            prop_assert!(close(found.at_most(x), all[..=at].iter().sum::<f64>()), "{found:?} {x}");
            prop_assert!(close(found.at_least(x), all[at..].iter().sum::<f64>()), "{found:?} {x}");
            prop_assert!(close(found.no_likelier(x), all.iter().filter(|y| **y <= bar).sum::<f64>().min(1.0)));
            if support.len() > 1 {
                let tilted = found.tilted(1.0, x);
                prop_assert!(close(tilted.at_least, all[at..].iter().sum::<f64>()), "{found:?} {x}");
                prop_assert!(close(tilted.at_most, all[..=at].iter().sum::<f64>()));
            }
        }
    }
}

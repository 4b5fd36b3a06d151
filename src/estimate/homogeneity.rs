//! Whether several sensitivities may be one.

use super::incomplete_gamma::Gamma;
use super::sensitivity::Sensitivity;
use super::sequential::ln_choose;
use super::support::Unsupported;

/// Below this probability two sensitivities are said to differ.
const DIFFERENT: f64 = 0.05;

/// Below this one they are not pooled: a cautious guess.
const TOO_DIFFERENT_TO_POOL: f64 = 0.2;

/// Tables that are enumerated; for more of them, the chi-square approximation is used.
const MAX_TABLES: u64 = 200_000;

/// Tables count as no likelier than the observed one up to this difference of logarithms, which is rounding.
const TIE: f64 = 1e-7;

/// The probability of sensitivities that differ so much if they were one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homogeneity {
    /// The probability, 0 to 1.
    pub p: f64,
    /// How it was computed.
    pub method: HomogeneityMethod,
}

/// How a [`Homogeneity`] was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomogeneityMethod {
    /// All tables with the same margins that are no likelier: G. H. Freeman and J. H. Halton (Biometrika 38, 1951), for
    /// two groups R. A. Fisher's test.
    Exact,
    /// Pearson's chi-square, where there are more than 200,000 tables.
    ChiSquare,
}

/// The probability that groups with one sensitivity would differ as much as these. It is 1 for fewer than two groups.
#[must_use]
pub fn homogeneity(groups: &[Sensitivity]) -> Homogeneity {
    let mut groups = groups.to_vec();
    groups.sort_unstable_by_key(|group| (group.known(), group.detected()));
    // The largest group takes what the others leave.
    let Some((last, free)) = groups.split_last() else {
        return Homogeneity { p: 1.0, method: HomogeneityMethod::Exact };
    };
    let tables = free.iter().fold(1, |tables: u64, group| tables.saturating_mul(group.known().saturating_add(1)));
    if tables > MAX_TABLES {
        return Homogeneity { p: chi_square(&groups), method: HomogeneityMethod::ChiSquare };
    }
    Homogeneity { p: exact(free, *last), method: HomogeneityMethod::Exact }
}

/// Whether two sensitivities differ (p < 0.05), so that a ratio that supposes them equal may not be printed.
#[must_use]
pub fn differ(first: Sensitivity, second: Sensitivity) -> bool {
    homogeneity(&[first, second]).p < DIFFERENT
}

/// One sensitivity for all groups.
///
/// # Errors
///
/// [`Unsupported::Heterogeneous`] if they differ (p < 0.2), [`Unsupported::TooFewKnown`] if there are none.
pub fn pooled(groups: &[Sensitivity]) -> Result<Sensitivity, Unsupported> {
    let Homogeneity { p, .. } = homogeneity(groups);
    if p < TOO_DIFFERENT_TO_POOL {
        return Err(Unsupported::Heterogeneous { p });
    }
    let pooled = groups.iter().copied().reduce(Sensitivity::and);
    pooled.ok_or(Unsupported::TooFewKnown { detected: 0, known: 0 })
}

/// The tables that are no likelier than the observed one, and all of them.
struct Enumeration<'a> {
    /// Logarithms of the ways to detect 0, 1, ... of each free group.
    free: &'a [Vec<f64>],
    /// The same for the last group, from `fewest` on.
    last: &'a [f64],
    fewest: u64,
    bar: f64,
    unlikely: f64,
    all: f64,
}

fn exact(free: &[Sensitivity], last: Sensitivity) -> f64 {
    let detected = free.iter().map(|group| group.detected()).sum::<u64>() + last.detected();
    let most_free = free.iter().map(|group| group.known()).sum::<u64>();
    let ways = |group: &Sensitivity| (0..=group.known()).map(|count| ln_choose(group.known(), count)).collect();
    let free_ways: Vec<Vec<f64>> = free.iter().map(ways).collect();
    let fewest = detected.saturating_sub(most_free);
    let last_ways: Vec<f64> =
        (fewest..=detected.min(last.known())).map(|count| ln_choose(last.known(), count)).collect();
    let observed = free.iter().map(|group| ln_choose(group.known(), group.detected())).sum::<f64>()
        + ln_choose(last.known(), last.detected());
    let mut tables = Enumeration { free: &free_ways, last: &last_ways, fewest, bar: TIE, unlikely: 0.0, all: 0.0 };
    // Relative to the observed table, so that the most unlikely ones vanish and not the sum.
    tables.visit(0, detected, -observed);
    if tables.all.is_finite() { (tables.unlikely / tables.all).min(1.0) } else { 0.0 }
}

impl Enumeration<'_> {
    /// Adds all tables whose groups from `group` on share `left` detected items; those before have the logarithm `ln`.
    fn visit(&mut self, group: usize, left: u64, ln: f64) {
        let Some(ways) = self.free.get(group) else {
            let place = left.checked_sub(self.fewest).and_then(|place| usize::try_from(place).ok());
            if let Some(last) = place.and_then(|place| self.last.get(place)) {
                let relative = ln + last;
                self.all += relative.exp();
                if relative <= self.bar {
                    self.unlikely += relative.exp();
                }
            }
            return;
        };
        for (count, ways) in (0..=left).zip(ways) {
            self.visit(group + 1, left - count, ln + ways);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53, groups far fewer")]
fn chi_square(groups: &[Sensitivity]) -> f64 {
    let Some(all) = groups.iter().copied().reduce(Sensitivity::and) else { return 1.0 };
    let rate = all.rate();
    if all.detected() == 0 || all.detected() == all.known() {
        return 1.0;
    }
    let square: f64 = groups
        .iter()
        .map(|group| {
            let expected = group.known() as f64 * rate;
            (group.detected() as f64 - expected).powi(2) / (expected * (1.0 - rate))
        })
        .sum();
    Gamma::new((groups.len() - 1) as f64 / 2.0).at(square / 2.0).upper
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{is_close, sensitivity};
    use super::super::golden;
    use super::*;

    /// Enumerated with whole numbers.
    #[test]
    fn homogeneity_is_exact_for_small_tables() {
        let cases = [
            (vec![(18, 20), (11, 20), (5, 10)], 0.020_090_544_203_851_972),
            (vec![(45, 50), (30, 50)], 9.668_432_030_628_979e-4),
            (vec![(20, 20), (20, 20), (20, 20)], 1.0),
            (vec![(0, 20), (0, 50)], 1.0),
            (vec![(19, 25), (20, 25), (21, 25), (9, 10)], 0.871_047_254_812_679),
            (vec![(17, 20)], 1.0),
            (vec![], 1.0),
        ];
        for (groups, expected) in cases {
            let groups: Vec<_> = groups.into_iter().map(|(detected, known)| sensitivity(detected, known)).collect();
            let found = homogeneity(&groups);
            is_close(found.p, expected, 1e-12);
            assert_eq!(found.method, HomogeneityMethod::Exact);
            let reversed: Vec<_> = groups.into_iter().rev().collect();
            assert_eq!(homogeneity(&reversed), found);
        }
        assert!(differ(sensitivity(45, 50), sensitivity(30, 50)) && !differ(sensitivity(17, 20), sensitivity(15, 20)));
        assert_eq!(pooled(&[sensitivity(17, 20), sensitivity(15, 20)]), Ok(sensitivity(32, 40)));
        assert!(matches!(pooled(&[sensitivity(45, 50), sensitivity(30, 50)]), Err(Unsupported::Heterogeneous { .. })));
        assert_eq!(pooled(&[]), Err(Unsupported::TooFewKnown { detected: 0, known: 0 }));
    }

    #[test]
    fn fishers_test_agrees_with_the_golden_values() {
        golden::check("fisher_barnard", |input, expected| {
            let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| input[name].as_u64().unwrap());
            let (Some(first), Some(second)) = (Sensitivity::new(a, a + b), Sensitivity::new(c, c + d)) else {
                return vec![];
            };
            let found = homogeneity(&[first, second]);
            if found.method == HomogeneityMethod::ChiSquare {
                return vec![];
            }
            vec![(found.p, expected["fisher_two_sided"].as_f64().unwrap())]
        });
    }

    #[test]
    fn many_groups_are_approximated() {
        let fifty =
            |spread: u64| -> Vec<_> { (0..50).map(|group| sensitivity(80 - spread * (group % 2), 100)).collect() };
        let (same, different) = (homogeneity(&fifty(0)), homogeneity(&fifty(15)));
        assert_eq!((same.method, different.method), (HomogeneityMethod::ChiSquare, HomogeneityMethod::ChiSquare));
        assert!(same.p > 0.999 && different.p < 1e-6, "{same:?} {different:?}");
        let large = homogeneity(&[sensitivity(40_000_000, 50_000_000), sensitivity(39_990_000, 50_000_000)]);
        assert!(large.p < 0.05 && large.method == HomogeneityMethod::ChiSquare, "{large:?}");
    }
}

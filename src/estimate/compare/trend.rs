//! A trend over ordered groups, such as checkpoints, with stated scores: for plain, unclustered counts.
//!
//! P. Armitage (Biometrics 11, 1955); under twenty events the exact test over all ways in which they could have fallen
//! (A. Agresti, C. R. Mehta and N. R. Patel, Journal of the American Statistical Association 85, 1990).

use crate::estimate::binomial::Binomial;
use crate::estimate::interval::Share;
use crate::estimate::special::normal_cdf;

/// From so many events on, the normal approximation serves.
pub const EXACT_BELOW: u64 = 20;

/// Distinct sums that the exact test follows; only scores without a common step come near.
const MAX_SUMS: usize = 20_000;

/// Sums that agree to this part of the scores' range are one sum.
const TIE: f64 = 1e-9;

/// One group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    share: Share,
    score: f64,
}

impl Step {
    /// A group's share and its place on the scale, such as a training step or its logarithm; `None` if the score is
    /// not a finite number.
    #[must_use]
    pub fn new(share: Share, score: f64) -> Option<Self> {
        score.is_finite().then_some(Self { share, score })
    }
}

/// Whether rates rise or fall with the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Standard errors of the events' summed scores from what equal rates let expect; positive if rates rise.
    pub z: f64,
    /// The two-sided p-value of the normal approximation.
    pub approximate_p: f64,
    /// The exact two-sided p-value: all ways that lie at least as far from the expectation. Only under
    /// [`EXACT_BELOW`] events, or if as few units have none; absent also if the scores make more different sums than
    /// can be followed.
    pub exact_p: Option<f64>,
}

impl Trend {
    /// The p-value to print: the exact one where it exists.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.exact_p.unwrap_or(self.approximate_p)
    }
}

/// The test of Cochran and Armitage. The exact p-value takes up to some ten milliseconds.
///
/// `None` if all units have the event or none has, or if all scores are the same: there is no trend to speak of.
#[must_use]
pub fn trend(steps: &[Step]) -> Option<Trend> {
    let centred = centred(steps)?;
    let (units, hits) = (centred.units, centred.hits);
    let distance: f64 = centred.groups.iter().map(|group| group.score * group.hits).sum();
    let spread: f64 = centred.groups.iter().map(|group| group.score * group.score * group.n).sum();
    let rate = hits / units;
    let variance = rate * (1.0 - rate) * spread;
    if variance <= 0.0 {
        return None;
    }
    let z = distance / variance.sqrt();
    let sum = |count: fn(Share) -> u64| steps.iter().map(|step| count(step.share)).sum::<u64>();
    let (hits, rest) = (sum(Share::k), sum(Share::rest));
    let exact_p = if hits.min(rest) < EXACT_BELOW { exact(&centred, distance, hits, rest) } else { None };
    Some(Trend { z, approximate_p: (2.0 * normal_cdf(-z.abs())).min(1.0), exact_p })
}

/// A group with its score counted from the mean score of all units, over the range of the scores.
struct Group {
    units: u64,
    n: f64,
    hits: f64,
    score: f64,
}

struct Centred {
    units: f64,
    hits: f64,
    groups: Vec<Group>,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn centred(steps: &[Step]) -> Option<Centred> {
    let lowest = steps.iter().map(|step| step.score).fold(f64::INFINITY, f64::min);
    let highest = steps.iter().map(|step| step.score).fold(f64::NEG_INFINITY, f64::max);
    // Halves, because the distance of two finite numbers may be infinite.
    let range = highest / 2.0 - lowest / 2.0;
    if !range.is_normal() || range < 0.0 {
        return None;
    }
    let place = |step: &Step| (step.score / 2.0 - lowest / 2.0) / range;
    let units: f64 = steps.iter().map(|step| step.share.n() as f64).sum();
    let mean = steps.iter().map(|step| step.share.n() as f64 * place(step)).sum::<f64>() / units;
    let groups = steps.iter().map(|step| Group {
        units: step.share.n(),
        n: step.share.n() as f64,
        hits: step.share.k() as f64,
        score: place(step) - mean,
    });
    Some(Centred { units, hits: steps.iter().map(|step| step.share.k() as f64).sum(), groups: groups.collect() })
}

/// So many events with this sum of scores, and the logarithm of the ways, up to a factor.
struct Sum {
    events: u64,
    score: f64,
    ways: f64,
}

/// The probability of a sum of scores at least as far from its expectation, which centring made 0. The rarer of events
/// and their absence is followed: the sum of the other one is the same with the sign turned.
#[expect(clippy::cast_precision_loss, reason = "fewer events than twenty")]
fn exact(centred: &Centred, distance: f64, hits: u64, rest: u64) -> Option<f64> {
    let rare = hits.min(rest);
    let mut sums = vec![Sum { events: 0, score: 0.0, ways: 1.0 }];
    for group in &centred.groups {
        // Weights of the shared rate: binomial probabilities given their sum are the permutation's.
        let chance = Binomial::in_proportion(group.units, rare as f64, centred.units - rare as f64);
        let exactly: Vec<f64> = (0..=rare.min(group.units)).map(|k| chance.ln_exactly(k).exp()).collect();
        let mut next = Vec::new();
        for sum in &sums {
            for (events, chance) in (0..=rare - sum.events).zip(&exactly) {
                let score = sum.score + events as f64 * group.score;
                next.push(Sum { events: sum.events + events, score, ways: sum.ways * chance });
            }
        }
        sums = merged(next);
        if sums.len() > MAX_SUMS {
            return None;
        }
    }
    let ended = || sums.iter().filter(|sum| sum.events == rare);
    let bar = distance.abs() * (1.0 - TIE) - TIE;
    let far: f64 = ended().filter(|sum| sum.score.abs() >= bar).map(|sum| sum.ways).sum();
    let all: f64 = ended().map(|sum| sum.ways).sum();
    (all > 0.0).then(|| (far / all).min(1.0))
}

/// Equal sums put together.
fn merged(mut sums: Vec<Sum>) -> Vec<Sum> {
    sums.sort_by(|one, other| one.events.cmp(&other.events).then(one.score.total_cmp(&other.score)));
    let mut kept: Vec<Sum> = Vec::new();
    for sum in sums {
        match kept.last_mut() {
            Some(last) if last.events == sum.events && sum.score - last.score <= TIE => last.ways += sum.ways,
            Some(_) | None => kept.push(sum),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, number, numbers};

    fn step((k, n, score): (u64, u64, f64)) -> Step {
        Step::new(Share::new(k, n).unwrap(), score).unwrap()
    }

    fn of(steps: &[(u64, u64, f64)]) -> Option<Trend> {
        trend(&steps.iter().copied().map(step).collect::<Vec<_>>())
    }

    #[test]
    fn trends_agree_with_the_golden_values() {
        golden::check("cochran_armitage", |input, expected| {
            let whole = |name: &str| input[name].as_array().unwrap().iter().map(|value| value.as_u64().unwrap());
            let groups = whole("hits").zip(whole("n")).zip(numbers(&input["score"]));
            let steps: Vec<_> = groups.map(|((k, n), score)| (k, n, score)).collect();
            let Some(found) = of(&steps) else {
                assert!(number(&expected["z"]).is_nan());
                return vec![];
            };
            vec![
                (found.z, number(&expected["z"])),
                (found.z * found.z, number(&expected["chi2"])),
                (found.approximate_p, number(&expected["p_two_sided"])),
            ]
        });
    }

    /// Every way in which the events can fall, one by one.
    fn enumerated(steps: &[(u64, u64, f64)]) -> f64 {
        let choose = |n: u64, k: u64| {
            (0..k).fold(1.0, |product, at| {
                product * f64::from(u32::try_from(n - at).unwrap()) / f64::from(u32::try_from(at + 1).unwrap())
            })
        };
        let float = |count: u64| f64::from(u32::try_from(count).unwrap());
        let hits: u64 = steps.iter().map(|step| step.0).sum();
        let units: u64 = steps.iter().map(|step| step.1).sum();
        let expected = steps.iter().map(|step| step.2 * float(step.1)).sum::<f64>() * float(hits) / float(units);
        let distance = |counts: &[u64]| {
            (counts.iter().zip(steps).map(|(count, step)| float(*count) * step.2).sum::<f64>() - expected).abs()
        };
        let observed = distance(&steps.iter().map(|step| step.0).collect::<Vec<_>>());
        let mut ways = vec![(vec![], 1.0)];
        for step in steps {
            ways = ways
                .iter()
                .flat_map(|(counts, way): &(Vec<u64>, f64)| {
                    let left = hits - counts.iter().sum::<u64>();
                    (0..=left.min(step.1))
                        .map(move |count| ([counts.as_slice(), &[count]].concat(), way * choose(step.1, count)))
                })
                .collect();
        }
        ways.retain(|(counts, _)| counts.iter().sum::<u64>() == hits);
        let all: f64 = ways.iter().map(|(_, way)| way).sum();
        ways.iter().filter(|(counts, _)| distance(counts) >= observed - 1e-7).map(|(_, way)| way).sum::<f64>() / all
    }

    #[test]
    fn no_trend_is_a_refusal() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(1, 5, 1.0)]), None);
        assert_eq!(of(&[(1, 5, 2.0), (3, 5, 2.0)]), None);
        assert_eq!(of(&[(0, 5, 1.0), (0, 50_000_000, 2.0)]), None);
        assert_eq!(of(&[(5, 5, 1.0), (7, 7, 2.0)]), None);
        assert_eq!(Step::new(Share::new(1, 2).unwrap(), f64::INFINITY), None);
        let far = of(&[(1, 5, -f64::MAX), (3, 5, f64::MAX)]).unwrap();
        assert!(far.z > 0.0 && far.z.is_finite());
    }

    #[test]
    fn the_exact_test_is_for_few_events() {
        let few = of(&[(3, 50_000_000, 1.0), (7, 50_000_000, 2.0), (9, 50_000_000, 4.0)]).unwrap();
        assert!((few.exact_p.unwrap() - few.approximate_p).abs() < 0.05, "{few:?}");
        assert_eq!(of(&[(3, 900, 1.0), (17, 900, 2.0)]).unwrap().exact_p, None);
        let scores: Vec<_> = (0..12).map(|at| (1, 1_000, f64::from(at).exp())).collect();
        let odd = of(&scores).unwrap();
        assert!(odd.exact_p.is_none() && odd.p() <= 1.0, "scores without a common step: {odd:?}");
    }

    proptest! {
        #[test]
        fn the_exact_test_agrees_with_enumeration(
            steps in prop::collection::vec((1..9_u64, 0..4_u32).prop_flat_map(|(n, score)| (0..=n.min(4), Just(n), Just(f64::from(score)))), 2..5),
        ) {
            prop_assume!(of(&steps).is_some_and(|found| found.exact_p.is_some()));
            let (found, expected) = (of(&steps).unwrap().exact_p.unwrap(), enumerated(&steps));
            prop_assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
    }
}

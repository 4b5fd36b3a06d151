//! Families of comparisons: p-values adjusted for how many there are.

/// A p-value, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct PValue(f64);

impl PValue {
    /// The p-value, if it is a number between 0 and 1.
    #[must_use]
    pub fn new(p: f64) -> Option<Self> {
        (0.0..=1.0).contains(&p).then_some(Self(p))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// What is kept small, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// The chance of any false rejection: each p-value times their number.
    Bonferroni,
    /// The same, never larger: S. Holm (Scandinavian Journal of Statistics 6, 1979). For declared contrasts.
    Holm,
    /// The same for independent tests: Y. Hochberg (Biometrika 75, 1988).
    Hochberg,
    /// The share of rejections that are false, for independent or positively dependent tests: Y. Benjamini and Y.
    /// Hochberg (Journal of the Royal Statistical Society B 57, 1995). For sweeps.
    BenjaminiHochberg,
    /// The same for tests of any dependence: Y. Benjamini and D. Yekutieli (Annals of Statistics 29, 2001).
    BenjaminiYekutieli,
}

/// The adjusted p-values, in the order of `p`: each is to be compared with alpha itself. None for none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "comparisons are few")]
pub fn adjust(p: &[PValue], correction: Correction) -> Vec<PValue> {
    let count = p.len() as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*one].0.total_cmp(&p[*other].0));
    let harmonic: f64 = (1..=p.len()).map(|rank| (rank as f64).recip()).sum();
    let factor = |rank: usize| match correction {
        Correction::Bonferroni => count,
        Correction::Holm | Correction::Hochberg => count - rank as f64,
        Correction::BenjaminiHochberg => count / (rank as f64 + 1.0),
        Correction::BenjaminiYekutieli => harmonic * count / (rank as f64 + 1.0),
    };
    let mut scaled: Vec<f64> = order.iter().enumerate().map(|(rank, at)| (p[*at].0 * factor(rank)).min(1.0)).collect();
    match correction {
        Correction::Bonferroni => {}
        // Stepping down: no p-value is adjusted to less than a smaller one was.
        Correction::Holm => {
            for rank in 1..scaled.len() {
                scaled[rank] = scaled[rank].max(scaled[rank - 1]);
            }
        }
        // Stepping up: none to more than a larger one was.
        Correction::Hochberg | Correction::BenjaminiHochberg | Correction::BenjaminiYekutieli => {
            for rank in (1..scaled.len()).rev() {
                scaled[rank - 1] = scaled[rank - 1].min(scaled[rank]);
            }
        }
    }
    let mut adjusted = vec![PValue(1.0); p.len()];
    for (at, value) in order.into_iter().zip(scaled) {
        adjusted[at] = PValue(value);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden::{self, numbers};

    const ALL: [(Correction, &str); 5] = [
        (Correction::Bonferroni, "bonferroni"),
        (Correction::Holm, "holm"),
        (Correction::Hochberg, "hochberg"),
        (Correction::BenjaminiHochberg, "bh"),
        (Correction::BenjaminiYekutieli, "by"),
    ];

    fn values(p: &[f64]) -> Vec<PValue> {
        p.iter().map(|p| PValue::new(*p).unwrap()).collect()
    }

    #[test]
    fn adjusted_values_agree_with_the_golden_values() {
        golden::check("p_adjust", |input, expected| {
            let p = values(&numbers(&input["p"]));
            let pairs = ALL.iter().flat_map(|(correction, name)| {
                let expected = numbers(&expected[*name]);
                assert_eq!(expected.len(), p.len());
                adjust(&p, *correction).into_iter().map(PValue::get).zip(expected)
            });
            pairs.collect()
        });
    }

    #[test]
    fn p_values_are_probabilities() {
        for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(PValue::new(p), None, "{p}");
        }
        for (correction, _) in ALL {
            assert_eq!(adjust(&[], correction), vec![]);
        }
    }

    proptest! {
        #[test]
        fn corrections_behave(p in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64, 0.0..0.01_f64], 1..30)) {
            let [bonferroni, holm, hochberg, bh, by] = ALL.map(|(correction, _)| adjust(&values(&p), correction));
            for at in 0..p.len() {
                let slack = 1.0 + 1e-12;
                prop_assert!(holm[at].0 <= bonferroni[at].0 * slack && hochberg[at].0 <= holm[at].0 * slack);
                prop_assert!(bh[at].0 <= hochberg[at].0 * slack && bh[at].0 <= by[at].0 * slack && p[at] <= bh[at].0 * slack);
                for other in 0..p.len() {
                    prop_assert!(p[at] > p[other] || [&holm, &hochberg, &bh, &by].iter().all(|all| all[at] <= all[other]), "order is kept");
                }
            }
        }
    }
}

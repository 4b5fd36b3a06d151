//! Prevalence from the grader's verdicts, corrected for errors that are known or were measured on labelled units.

use assize::estimate::special::gamma_quantile;
use assize::model::rate::Level;

use super::proportion::wilson;
use super::{Bounds, around, clipped, clopper_pearson, normal_critical, real};

/// `hits` of `n`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) hits: u64,
    pub(crate) n: u64,
}

impl Counted {
    fn rate(self) -> f64 {
        real(self.hits) / real(self.n)
    }
}

/// Verdicts on the units of interest, on known positives and on known negatives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    /// Judged positive, among all judged.
    pub(crate) flagged: Counted,
    /// Judged positive, among known positives.
    pub(crate) positives: Counted,
    /// Judged negative, among known negatives.
    pub(crate) negatives: Counted,
}

/// The estimate of Rogan and Gladen (American Journal of Epidemiology 107, 1978) and the interval of Lang and Reiczigel
/// (Preventive Veterinary Medicine 113, 2014).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Corrected {
    pub(crate) raw: f64,
    pub(crate) estimate: f64,
    /// By the delta method.
    pub(crate) se: f64,
    pub(crate) limits: Bounds,
}

/// (p + Sp - 1) / (Se + Sp - 1).
pub(crate) fn corrected_rate(apparent: f64, sensitivity: f64, specificity: f64) -> f64 {
    (apparent + specificity - 1.0) / (sensitivity + specificity - 1.0)
}

pub(crate) fn rogan_gladen(judged: &Judged, level: Level) -> Corrected {
    let rates = [judged.flagged, judged.positives, judged.negatives].map(Counted::rate);
    let sizes = [judged.flagged, judged.positives, judged.negatives].map(|counted| real(counted.n));
    let raw = corrected_rate(rates[0], rates[1], rates[2]);
    let estimate = raw.clamp(0.0, 1.0);
    Corrected { raw, estimate, se: delta_error(raw, rates, sizes), limits: lang_reiczigel(judged, level) }
}

fn delta_error(prevalence: f64, [apparent, sensitivity, specificity]: [f64; 3], sizes: [f64; 3]) -> f64 {
    let variance = apparent * (1.0 - apparent) / sizes[0]
        + prevalence.powi(2) * sensitivity * (1.0 - sensitivity) / sizes[1]
        + (1.0 - prevalence).powi(2) * specificity * (1.0 - specificity) / sizes[2];
    variance.sqrt() / (sensitivity + specificity - 1.0)
}

fn lang_reiczigel(judged: &Judged, level: Level) -> Bounds {
    let z = normal_critical(level);
    let shrunk = |counted: Counted, extra: f64| {
        let n = real(counted.n) + 2.0 * extra;
        ((real(counted.hits) + extra) / n, n)
    };
    let (apparent, n) = shrunk(judged.flagged, z * z / 2.0);
    let (sensitivity, positives) = shrunk(judged.positives, 1.0);
    let (specificity, negatives) = shrunk(judged.negatives, 1.0);
    let prevalence = corrected_rate(apparent, sensitivity, specificity);
    let shift = 2.0
        * z
        * z
        * (prevalence * sensitivity * (1.0 - sensitivity) / positives
            - (1.0 - prevalence) * specificity * (1.0 - specificity) / negatives);
    let se = delta_error(prevalence, [apparent, sensitivity, specificity], [n, positives, negatives]);
    clipped(around(prevalence + shift, z * se))
}

/// An apparent prevalence's estimate and limits mapped by sensitivity and specificity that are known exactly.
pub(crate) fn known(apparent: [f64; 3], sensitivity: f64, specificity: f64) -> [f64; 3] {
    apparent.map(|rate| corrected_rate(rate, sensitivity, specificity))
}

/// Wilson's limits as the package epiR returns them: one event short of none or of all, the outer limit is the one-sided
/// limit of Poisson's distribution.
pub(crate) fn package_wilson(k: u64, n: u64, level: Level) -> Bounds {
    let [lower, upper] = wilson(k, n, level);
    let outer = -level.get().ln() / real(n);
    [if k == 1 { outer } else { lower }, if k + 1 == n { 1.0 - outer } else { upper }]
}

/// The limits of Clopper and Pearson as epiR returns them: through quantiles of F, for which R takes those of chi-square
/// where the second degrees of freedom exceed 400,000. Their distance from the exact limits is 4e-5 of a limit there.
pub(crate) fn package_clopper_pearson(k: u64, n: u64, level: Level) -> Bounds {
    const LARGE: f64 = 4e5;
    let [lower, upper] = clopper_pearson(real(k), real(n), level);
    let tail = level.alpha() / 2.0;
    let by_gamma = |shape: f64, rest: f64, p: f64| {
        let half = gamma_quantile(shape, p);
        half / (rest + half)
    };
    let (events, rest) = (real(k), real(n - k));
    [
        if k > 0 && 2.0 * (rest + 1.0) > LARGE { by_gamma(events, rest + 1.0, tail) } else { lower },
        if k < n && 2.0 * rest > LARGE { by_gamma(events + 1.0, rest, 1.0 - tail) } else { upper },
    ]
}

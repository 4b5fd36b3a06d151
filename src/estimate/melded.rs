//! The melded limits of D. M. Bayer, M. P. Fay and B. I. Graubard ("Confidence Intervals for Prevalence Estimates from
//! Complex Surveys with Imperfect Assays", arXiv 2205.13494, 2022): quantiles of G / B, where G is the gamma distribution
//! of a total's limit and B the beta distribution of a sensitivity's.
//!
//! P(G/B <= x) is the integral of the distribution function of G at x b over b. It is taken over ln b by Gauss and
//! Legendre's rule, between the points beyond which either distribution has less than 1e-16 of its mass: the rule's
//! nodes then suit whichever of the two is the narrower, and outside them the integrand is 0 or the density of B alone.

use super::gamma::Scaled;
use super::incomplete_gamma::{At, Gamma};
use super::special::{beta_cdf, beta_kernel};

/// How far below its maximum the logarithm of a density may fall before its tail does not count.
const DEPTH: f64 = 40.0;

/// Parts of the range of integration, each with the rule of twenty nodes.
const PANELS: u32 = 4;

/// Positive nodes and weights of Gauss and Legendre's rule with twenty nodes (NIST DLMF 3.5(v)).
const NODES: [(f64, f64); 10] = [
    (0.076_526_521_133_497_34, 0.152_753_387_130_725_84),
    (0.227_785_851_141_645_07, 0.149_172_986_472_603_74),
    (0.373_706_088_715_419_55, 0.142_096_109_318_382_04),
    (0.510_867_001_950_827_1, 0.131_688_638_449_176_64),
    (0.636_053_680_726_515, 0.118_194_531_961_518_41),
    (0.746_331_906_460_150_8, 0.101_930_119_817_240_44),
    (0.839_116_971_822_218_8, 0.083_276_741_576_704_75),
    (0.912_234_428_251_326, 0.062_672_048_334_109_07),
    (0.963_971_927_277_913_8, 0.040_601_429_800_386_94),
    (0.993_128_599_185_094_9, 0.017_614_007_139_152_118),
];

/// Newton steps and bisections.
const MAX_STEPS: u32 = 100;

/// A quantile is final once Newton's method moves its logarithm by less: the next step is about the square of it.
const SETTLED: f64 = 1e-10;

/// A beta distribution with both parameters at least 1, over the distance of ln b from the logarithm of its mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beta {
    a: f64,
    b: f64,
    mean: f64,
    /// b times the density, at the mean.
    front: f64,
    /// The range of distances outside which there is no mass.
    low: f64,
    high: f64,
}

impl Beta {
    /// Beta(a, b), both at least 1.
    pub(super) fn new(a: f64, b: f64) -> Self {
        let mean = a / (a + b);
        let front = beta_kernel(a, b, mean) * ((a + b) / b);
        let mut beta = Self { a, b, mean, front, low: 0.0, high: 0.0 };
        // The mode in ln b, and the edge beyond which b would exceed 1.
        let (mode, edge) = (-(-(a + b).recip()).ln_1p(), (b / a).ln_1p());
        let step = (b / (a * (a + b + 1.0))).sqrt();
        let height = |distance: f64| beta.ln_shape(distance);
        let (low, high) = (reach(height, mode, -step), reach(height, mode, step).min(edge));
        (beta.low, beta.high) = (low, high);
        beta
    }

    /// ln of b times the density, relative to the mean.
    fn ln_shape(&self, distance: f64) -> f64 {
        let rest = 1.0 - self.a / self.b * distance.exp_m1();
        if rest <= 0.0 {
            return if self.b > 1.0 || rest < -1e-9 { f64::NEG_INFINITY } else { self.a * distance };
        }
        let ln_rest = (-self.a / self.b * distance.exp_m1()).ln_1p();
        self.a * distance + (self.b - 1.0) * ln_rest
    }

    /// The probability below, or above, a distance from ln of the mean.
    fn below(&self, distance: f64) -> f64 {
        beta_cdf(self.a, self.b, self.mean * distance.exp())
    }

    fn above(&self, distance: f64) -> f64 {
        let rest = self.b / (self.a + self.b) - self.mean * distance.exp_m1();
        beta_cdf(self.b, self.a, rest)
    }
}

/// How far from the mode in steps of `step`, doubled each time and then refined, a log-concave density still counts.
fn reach(height: impl Fn(f64) -> f64, mode: f64, step: f64) -> f64 {
    /// Doublings: steps are no smaller than 1e-9 of what is looked for.
    const MAX_DOUBLINGS: u32 = 60;
    const BISECTIONS: u32 = 8;
    let bar = height(mode) - DEPTH;
    let (mut inside, mut outside) = (0.0, step);
    for _ in 0..MAX_DOUBLINGS {
        if height(mode + outside) <= bar {
            break;
        }
        (inside, outside) = (outside, 2.0 * outside);
    }
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(inside, outside);
        if height(mode + middle) <= bar { outside = middle } else { inside = middle }
    }
    mode + outside
}

/// The distribution of G / B.
struct Quotient {
    gamma: Gamma,
    /// ln of the range of G, with scale 1, outside which there is no mass.
    low: f64,
    high: f64,
    beta: Beta,
}

/// Which side of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Below the quantile.
    Lower,
    /// Above it.
    Upper,
}

/// The value below which, or above which, G / B lies with probability `tail` (0 to 1/2).
pub(super) fn quantile(gamma: Scaled, beta: &Beta, side: Side, tail: f64) -> f64 {
    let Scaled { shape, scale } = gamma;
    let height = |ln: f64| shape * ln - ln.exp();
    let (mode, step) = (shape.ln(), shape.sqrt().recip());
    let (low, high) = (reach(height, mode, -step), reach(height, mode, step));
    let quotient = Quotient { gamma: Gamma::new(shape), low, high, beta: *beta };
    scale / beta.mean * quotient.ln_quantile(side, tail).exp()
}

impl Quotient {
    /// ln of the quantile, without G's scale and B's mean.
    fn ln_quantile(&self, side: Side, tail: f64) -> f64 {
        let (mut low, mut high) = (self.low - self.beta.high, self.high - self.beta.low);
        let mut log_x = self.first_guess(side, tail).clamp(low, high);
        for _ in 0..MAX_STEPS {
            let (found, slope) = self.tail(side, log_x);
            // Both distributions are log-concave in the logarithm, so is their quotient, and so are its tails: Newton's
            // method on the logarithm of a tail does not run away.
            let excess = match side {
                Side::Lower => found.ln() - tail.ln(),
                Side::Upper => tail.ln() - found.ln(),
            };
            if excess > 0.0 {
                high = log_x;
            } else {
                low = log_x;
            }
            let newton = log_x - excess * found / slope;
            let is_inside = newton >= low && newton <= high;
            let next = if is_inside { newton } else { f64::midpoint(low, high) };
            let step = (next - log_x).abs();
            log_x = next;
            if (is_inside && step <= SETTLED) || high - low <= f64::EPSILON * log_x.abs().max(1.0) {
                break;
            }
        }
        log_x
    }

    /// The two distributions' own distances, added as those of independent normals would be.
    fn first_guess(&self, side: Side, tail: f64) -> f64 {
        let p = if side == Side::Lower { tail } else { 1.0 - tail };
        let shape = self.gamma.shape();
        let of_gamma = self.gamma.quantile(p).max(f64::MIN_POSITIVE).ln() - shape.ln();
        let Beta { a, b, .. } = self.beta;
        let of_beta = b / (a * (a + b + 1.0));
        // Four is the square of a normal quantile at a tail of 0.025; Newton's method sets right what it is not.
        shape.ln() + of_gamma.signum() * of_gamma.mul_add(of_gamma, 4.0 * of_beta).sqrt()
    }

    /// The probability of the tail at x, and the derivative of the distribution function after ln x.
    fn tail(&self, side: Side, log_x: f64) -> (f64, f64) {
        // b is so large that G is certain to be below x b, or so small that it is certain to be above.
        let (all, none) = (self.high - log_x, self.low - log_x);
        let (from, to) = (none.max(self.beta.low), all.min(self.beta.high));
        let (mut sum, mut slope) = (0.0, 0.0);
        if from < to {
            let half = (to - from) / (2.0 * f64::from(PANELS));
            for panel in 0..PANELS {
                let center = from + half * f64::from(2 * panel + 1);
                for (node, weight) in NODES {
                    for distance in [center - half * node, center + half * node] {
                        let mass = weight * half * self.beta.front * self.beta.ln_shape(distance).exp();
                        let at = self.gamma.at((log_x + distance).exp());
                        sum += mass * part(side, at);
                        slope += mass * at.slope;
                    }
                }
            }
        }
        let outside = match side {
            Side::Lower if all < self.beta.high => self.beta.above(all.max(self.beta.low)),
            Side::Upper if none > self.beta.low => self.beta.below(none.min(self.beta.high)),
            Side::Lower | Side::Upper => 0.0,
        };
        (sum + outside, slope)
    }
}

fn part(side: Side, at: At) -> f64 {
    match side {
        Side::Lower => at.lower,
        Side::Upper => at.upper,
    }
}

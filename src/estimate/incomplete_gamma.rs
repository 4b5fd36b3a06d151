//! The distribution function of the gamma distribution with scale 1, and its inverse, for shapes from 1e-3 to 1e9.
//!
//! Near the mean of a large shape: the uniform expansion of N. M. Temme (Mathematics of Computation 29, 1975; NIST DLMF
//! 8.12), its coefficients by the recursion of A. Gil, J. Segura and N. M. Temme (SIAM Journal on Scientific Computing
//! 34, 2012). Elsewhere the power series (DLMF 8.7.1) and the continued fraction (DLMF 8.9.2).

use std::f64::consts::PI;

use super::special::{erfc_of, normal_quantile, stirling};

/// From this shape on the uniform expansion has all its digits.
const LARGE_SHAPE: f64 = 20.0;

/// Where it is used: up to |eta| of 1, from 0.3 to 2.3 times the shape.
const LARGEST_ETA: f64 = 1.0;

/// Terms of series and fraction. Outside the uniform expansion fewer than a hundred are needed.
const MAX_TERMS: u32 = 2_000;

/// Newton steps and bisections: ln x spans less than 2^11, so 70 bisections alone reach the last bit.
const MAX_STEPS: u32 = 120;

/// Coefficients of eta / (lambda - 1) in powers of eta, where lambda - 1 - ln lambda = eta^2 / 2.
const COEFFICIENTS: [f64; 30] = [
    1.0,
    -0.333_333_333_333_333_3,
    0.083_333_333_333_333_33,
    -0.014_814_814_814_814_815,
    0.001_157_407_407_407_407_3,
    0.000_352_733_686_067_019_4,
    -0.000_178_755_144_032_921_8,
    3.919_263_178_522_438e-05,
    -2.185_448_510_679_992e-06,
    -1.854_062_210_715_16e-06,
    8.296_711_340_953_087e-07,
    -1.766_595_273_682_607_8e-07,
    6.707_853_543_401_498e-09,
    1.026_180_978_424_030_9e-08,
    -4.382_036_018_453_353e-09,
    9.147_699_582_236_79e-10,
    -2.551_419_399_494_624_8e-11,
    -5.830_772_132_550_426e-11,
    2.436_194_802_066_741_5e-11,
    -5.027_669_280_114_175_5e-12,
    1.100_439_203_195_613_5e-13,
    3.371_763_262_400_985e-13,
    -1.392_388_722_418_162e-13,
    2.853_489_380_704_744_5e-14,
    -5.139_111_834_242_572e-16,
    -1.975_228_829_434_944_2e-15,
    8.099_521_156_704_561e-16,
    -1.652_253_121_639_816_2e-16,
    2.530_543_009_747_888_3e-18,
    1.168_693_973_855_957_6e-17,
];

/// A gamma distribution with scale 1, with what does not depend on the argument computed once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gamma {
    shape: f64,
    /// ln of Gamma(shape) over Stirling's formula.
    correction: f64,
    /// x times the density, at the shape itself.
    front: f64,
    /// The uniform expansion as a polynomial in eta, for large shapes.
    expansion: Option<[f64; COEFFICIENTS.len()]>,
}

/// A gamma distribution at one point: the probability below, the one above, each with its own digits, and the
/// derivative of the former after the logarithm of the point.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) slope: f64,
}

impl Gamma {
    /// The distribution of a positive, finite shape.
    pub(super) fn new(shape: f64) -> Self {
        let correction = stirling(shape);
        let front = (shape / (2.0 * PI)).sqrt() * (-correction).exp();
        let expansion = (shape >= LARGE_SHAPE).then(|| expansion(shape, front));
        Self { shape, correction, front, expansion }
    }

    pub(super) const fn shape(&self) -> f64 {
        self.shape
    }

    /// The distribution at `x`.
    pub(super) fn at(&self, x: f64) -> At {
        let exponent = exponent(x / self.shape);
        if x <= 0.0 || !exponent.is_finite() {
            let lower = if x < self.shape { 0.0 } else { 1.0 };
            return At { lower, upper: 1.0 - lower, slope: 0.0 };
        }
        let gaussian = (-self.shape * exponent).exp();
        // x^shape e^-x / Gamma(shape), relative to its maximum so that large shapes do not cancel.
        let slope = self.front * gaussian;
        let root = (2.0 * exponent).sqrt();
        if let Some(expansion) = &self.expansion
            && root < LARGEST_ETA
        {
            let eta = root.copysign(x - self.shape);
            let correction = gaussian * expansion.iter().rev().fold(0.0, |sum, term| sum * eta + term);
            let near = 0.5 * erfc_of((self.shape * exponent).sqrt(), gaussian);
            return if eta < 0.0 {
                At { lower: near - correction, upper: 1.0 - near + correction, slope }
            } else {
                At { lower: 1.0 - near - correction, upper: near + correction, slope }
            };
        }
        if x < self.shape + 1.0 {
            let lower = (slope / self.shape * series(self.shape, x)).min(1.0);
            At { lower, upper: 1.0 - lower, slope }
        } else {
            let upper = (slope * fraction(self.shape, x)).min(1.0);
            At { lower: 1.0 - upper, upper, slope }
        }
    }

    /// The `p` quantile, for `p` from 0 to 1. Below the smallest positive number it is that number.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        if p >= 1.0 {
            return f64::INFINITY;
        }
        let (mut low, mut high) = (f64::MIN_POSITIVE.ln(), f64::MAX.ln());
        let mut log_x = self.first_guess(p).clamp(low, high);
        for _ in 0..MAX_STEPS {
            let x = log_x.exp();
            let At { lower, upper, slope } = self.at(x);
            // The logarithm of either tail is concave in ln x, so that Newton's method on it does not run away.
            let (excess, tail) =
                if p < 0.5 { (lower.ln() - p.ln(), lower) } else { ((-p).ln_1p() - upper.ln(), upper) };
            if excess > 0.0 {
                high = log_x;
            } else {
                low = log_x;
            }
            let newton = log_x - excess * tail / slope;
            let next = if newton >= low && newton <= high { newton } else { f64::midpoint(low, high) };
            let step = (next - log_x).abs();
            log_x = next;
            if step <= 2.0 * f64::EPSILON * log_x.abs().max(1.0) {
                break;
            }
        }
        log_x.exp()
    }

    /// ln x near the quantile: E. B. Wilson and M. M. Hilferty (Proceedings of the National Academy of Sciences 17,
    /// 1931), or the first term of the power series where that one has no positive value.
    fn first_guess(&self, p: f64) -> f64 {
        let shape = self.shape;
        let cube_root = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(p) / (3.0 * shape.sqrt());
        if shape > 1.0 && cube_root > 0.1 {
            return shape.ln() + 3.0 * cube_root.ln();
        }
        let ln_gamma = (shape - 0.5) * shape.ln() - shape + 0.5 * (2.0 * PI).ln() + self.correction;
        (p.ln() + shape.ln() + ln_gamma) / shape
    }
}

/// Of 3, 5, 7 and so on: all that count for artanh below 0.18.
const RECIPROCALS: [f64; 11] = [
    1.0 / 3.0,
    1.0 / 5.0,
    1.0 / 7.0,
    1.0 / 9.0,
    1.0 / 11.0,
    1.0 / 13.0,
    1.0 / 15.0,
    1.0 / 17.0,
    1.0 / 19.0,
    1.0 / 21.0,
    1.0 / 23.0,
];

/// lambda - 1 - ln lambda, which is half of eta^2, without cancellation near 1.
fn exponent(lambda: f64) -> f64 {
    let mu = lambda - 1.0;
    if mu.abs() > 0.3 {
        return mu - lambda.ln();
    }
    // ln(1 + mu) = 2 artanh r, and mu - 2 r = mu r.
    let r = mu / (2.0 + mu);
    let square = r * r;
    let sum = RECIPROCALS.iter().rev().fold(0.0, |sum, reciprocal| (sum + reciprocal) * square);
    r * (mu - 2.0 * sum)
}

/// What the uniform expansion multiplies e^(-shape eta^2 / 2) by, as a polynomial in eta.
fn expansion(shape: f64, front: f64) -> [f64; COEFFICIENTS.len()] {
    let mut terms = [0.0; COEFFICIENTS.len()];
    let (mut after, mut next) = (0.0, 0.0);
    let mut factor = f64::from(u32::try_from(COEFFICIENTS.len()).unwrap_or(u32::MAX)) + 1.0;
    for (term, coefficient) in terms.iter_mut().zip(COEFFICIENTS.iter().skip(1)).rev() {
        factor -= 1.0;
        let value = coefficient + factor * after / shape;
        (after, next) = (next, value);
        *term = value * front / shape;
    }
    terms
}

/// 1 + x/(a+1) + x^2/((a+1)(a+2)) + ...
fn series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for index in 1..=MAX_TERMS {
        term *= x / (shape + f64::from(index));
        sum += term;
        if term <= sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// The continued fraction of the upper tail over its kernel, by the modified Lentz algorithm.
#[expect(clippy::many_single_char_names, reason = "the names of the cited algorithm")]
fn fraction(shape: f64, x: f64) -> f64 {
    let safe = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let mut b = x + 1.0 - shape;
    let mut c = f64::MAX;
    let mut d = safe(b).recip();
    let mut fraction = d;
    for term in 1..=MAX_TERMS {
        let m = f64::from(term);
        let a = -m * (m - shape);
        b += 2.0;
        d = safe(a * d + b).recip();
        c = safe(b + a / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden;

    #[test]
    fn quantiles_agree_with_the_golden_values() {
        golden::check("special_functions", |input, expected| {
            if input["fn"] != "gammainc_inv" {
                return vec![];
            }
            let number = |name: &str| input[name].as_f64().unwrap();
            vec![(Gamma::new(number("a")).quantile(number("p")), expected["value"].as_f64().unwrap())]
        });
    }

    /// Both tails to 16 digits (mpmath, 40 digits), on both sides of every change of method.
    #[test]
    fn tails_agree_with_reference_values() {
        let cases = [
            (1e-3, 1e-300, 0.501_476_198_010_886_6, 0.498_523_801_989_113_4),
            (1e-3, 2.0, 0.999_951_023_082_169, 4.897_691_783_098_148e-5),
            (0.05, 1e-9, 0.364_470_297_427_576_8, 0.635_529_702_572_423_2),
            (0.5, 0.2, 0.472_910_743_134_461_9, 0.527_089_256_865_538_1),
            (2.5, 12.0, 0.999_782_887_056_547_3, 2.171_129_434_527_233e-4),
            (19.9, 14.0, 0.079_995_026_859_153_97, 0.920_004_973_140_846),
            (19.9, 40.0, 0.999_836_657_959_083_2, 1.633_420_409_168_355e-4),
            (20.0, 6.5, 1.608_621_934_426_975e-5, 0.999_983_913_780_655_7),
            (20.0, 8.0, 2.529_394_020_919_568e-4, 0.999_747_060_597_908),
            (20.0, 20.0, 0.529_742_733_160_76, 0.470_257_266_839_24),
            (20.0, 39.0, 0.999_697_729_547_460_1, 3.022_704_525_399_157e-4),
            (20.0, 47.0, 0.999_996_920_480_308_3, 3.079_519_691_650_826e-6),
            (85.3, 40.0, 3.320_748_111_122_007e-10, 0.999_999_999_667_925_2),
            (150.0, 80.0, 1.937_781_271_410_27e-12, 0.999_999_999_998_062_2),
            (1_000.0, 1_100.0, 0.998_940_676_746_07, 1.059_323_253_929_977e-3),
            (1e4, 1e4, 0.501_329_808_339_955_2, 0.498_670_191_660_044_8),
            (1e4, 9_700.0, 1.234_175_584_468_492e-3, 0.998_765_824_415_531_5),
            (1e5, 1.01e5, 0.999_191_578_487_074_4, 8.084_215_129_255_907e-4),
        ];
        for (shape, x, lower, upper) in cases {
            let At { lower: below, upper: above, .. } = Gamma::new(shape).at(x);
            for (found, expected) in [(below, lower), (above, upper)] {
                assert!((found - expected).abs() <= 1e-12 * expected, "{shape} {x}: {found:e}, not {expected:e}");
            }
        }
    }

    #[test]
    fn an_exponential_distribution_has_its_closed_form() {
        let exponential = Gamma::new(1.0);
        for p in [1e-9_f64, 0.025, 0.3, 0.5, 0.9, 0.999_999] {
            let (found, expected) = (exponential.quantile(p), -(-p).ln_1p());
            assert!((found - expected).abs() <= 1e-13 * expected, "{p}: {found}, not {expected}");
        }
        assert!(exponential.quantile(0.0).abs() < f64::EPSILON && exponential.quantile(1.0).is_infinite());
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_distribution_function(log_shape in -6.9..20.8_f64, p in 1e-6..0.999_999_f64) {
            let gamma = Gamma::new(log_shape.exp());
            let x = gamma.quantile(p);
            let At { lower, upper, slope } = gamma.at(x);
            prop_assert!((lower + upper - 1.0).abs() < 1e-14, "{lower} {upper}");
            // Below the smallest positive number nothing can be told apart.
            prop_assume!(x > 1e-300);
            let rounding = 1e-12 + 4.0 * f64::EPSILON * slope / p.min(1.0 - p) * x.ln().abs().max(1.0);
            prop_assert!((lower - p).abs() <= rounding * p && (upper - (1.0 - p)).abs() <= rounding * (1.0 - p).max(1e-4),
                "{} {p}: {x}, {lower} {upper}", gamma.shape);
        }
    }
}

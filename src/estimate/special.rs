//! The distribution functions that limits are made of, and their inverses, up to counts of fifty million.
//!
//! Public so that a figure can be recomputed outside the crate with the very functions that made it. Arguments outside
//! the stated ranges, and arguments that are not numbers, give figures without a meaning: callers check theirs.
//!
//! Published beta quantiles hang or lose digits at (1, 5e7), so this one is ours: Newton's method in ln x, kept in a
//! bracket, on the continued fraction of NIST DLMF 8.17.22 by the modified Lentz algorithm (Thompson and Barnett,
//! 1986), with ln B from Stirling's series so that nothing cancels at large arguments.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf;

use super::incomplete_gamma::Gamma;

/// Terms of the continued fraction. About the square root of the larger argument is needed; this covers 1e9.
const MAX_TERMS: u32 = 100_000;

/// Newton steps and bisections: ln x spans less than 2^10, so 70 bisections alone reach the last bit.
const MAX_STEPS: u32 = 120;

/// The distribution function of Beta(a, b) at `x`.
///
/// `a` and `b` are positive and `x` lies between 0 and 1.
#[must_use]
pub fn beta_cdf(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let kernel = beta_kernel(a, b, x);
    // The fraction converges fast only on the near side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        kernel * beta_fraction(a, b, x) / a
    } else {
        1.0 - kernel * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// The `p` quantile of Beta(a, b): the x at which [`beta_cdf`] is `p`.
///
/// `a` and `b` are positive and `p` lies between 0 and 1.
#[must_use]
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    // Solved on the side where the mass lies near 0: there ln x has all its digits.
    if a > b { 1.0 - lower_quantile(b, a, 1.0 - p) } else { lower_quantile(a, b, p) }
}

fn lower_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (f64::MIN_POSITIVE.ln(), 0.0_f64);
    let mut log_x = (a / (a + b)).ln();
    for _ in 0..MAX_STEPS {
        let x = log_x.exp();
        let excess = beta_cdf(a, b, x) - p;
        if excess > 0.0 {
            high = log_x;
        } else {
            low = log_x;
        }
        // d/d(ln x) of the distribution function is x times the density.
        let newton = log_x - excess * (1.0 - x) / beta_kernel(a, b, x);
        let next = if newton >= low && newton <= high { newton } else { f64::midpoint(low, high) };
        let step = (next - log_x).abs();
        log_x = next;
        if step <= f64::EPSILON * log_x.abs() {
            break;
        }
    }
    log_x.exp()
}

/// x^a (1-x)^b / B(a, b), relative to its maximum so that large arguments do not cancel.
pub(super) fn beta_kernel(a: f64, b: f64, x: f64) -> f64 {
    let sum = a + b;
    let mean = a / sum;
    let shape = a * (x / mean).ln() + b * ((mean - x) / (b / sum)).ln_1p();
    let correction = stirling(a) + stirling(b) - stirling(sum);
    (a * (b / sum) / (2.0 * PI)).sqrt() * (shape - correction).exp()
}

/// ln B(a, b) for positive arguments, without cancellation where they are large.
#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let sum = a + b;
    // a ln(a / sum) + b ln(b / sum), the logarithm of the larger share by way of the smaller one.
    let shape = |x: f64, rest: f64| x * if x < rest { (x / sum).ln() } else { (-rest / sum).ln_1p() };
    let correction = stirling(a) + stirling(b) - stirling(sum);
    shape(a, b) + shape(b, a) + correction + 0.5 * ((2.0 * PI * (sum / a)).ln() - b.ln())
}

/// ln Gamma(x) minus Stirling's formula (x - 1/2) ln x - x + ln(2 pi) / 2 (DLMF 5.11.1).
pub(super) fn stirling(x: f64) -> f64 {
    /// From here on, seven terms of the series are exact to the last bit.
    const LARGE: f64 = 10.0;
    const TERMS: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    if x < LARGE {
        // The correction at x from the one at x + 1, by Gamma(x + 1) = x Gamma(x).
        return stirling(x + 1.0) + (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
    }
    let square = (x * x).recip();
    TERMS.iter().rev().fold(0.0, |sum, term| sum * square + term) / x
}

/// The continued fraction of the incomplete beta function.
#[expect(clippy::many_single_char_names, reason = "the names of the cited formula")]
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let safe = |value: f64| if value.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { value };
    let mut c = 1.0;
    let mut d = safe(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut fraction = d;
    for term in 1..=MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = safe(1.0 + even * d).recip();
        c = safe(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = safe(1.0 + odd * d).recip();
        c = safe(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// The complementary error function of `z` >= 0, where `gaussian` is e^(-z^2).
///
/// The midpoint rule with step 1/2 on DLMF 7.7.1, with the term of its pole (C. Chiarella and A. Reichel, Mathematics of
/// Computation 22, 1968): its error is e^(-4 pi^2) of the value. That of statrs is 1e-10 of it in places.
pub(super) fn erfc_of(z: f64, gaussian: f64) -> f64 {
    const STEP: f64 = 0.5;
    /// Squares of the midpoints, and e to minus them.
    const POINTS: [(f64, f64); 13] = [
        (0.0625, 0.939_413_062_813_475_8),
        (0.5625, 0.569_782_824_730_923),
        (1.5625, 0.209_611_387_151_097_8),
        (3.0625, 0.046_770_622_383_958_98),
        (5.0625, 0.006_329_715_427_485_747),
        (7.5625, 0.000_519_574_682_154_838_4),
        (10.5625, 2.586_810_022_265_412e-05),
        (14.0625, 7.811_489_408_304_491e-07),
        (18.0625, 1.430_724_191_856_768_8e-08),
        (22.5625, 1.589_391_009_451_636_8e-10),
        (27.5625, 1.070_923_238_250_807_7e-12),
        (33.0625, 4.376_618_502_870_85e-15),
        (39.0625, 1.084_855_264_042_937_8e-17),
    ];
    /// Beyond it the pole contributes nothing, and its term would.
    const POLE: f64 = 6.0;
    let square = z * z;
    let sum: f64 = POINTS.iter().map(|(point, weight)| weight / (square + point)).sum();
    let pole = if z < POLE { 2.0 / (1.0 + (2.0 * PI * z / STEP).exp()) } else { 0.0 };
    2.0 * STEP * z * gaussian / PI * sum + pole
}

/// The distribution function of the gamma distribution with scale 1 at `x`.
///
/// `shape` lies between 1e-3 and 1e9, and `x` is not negative.
#[must_use]
pub fn gamma_cdf(shape: f64, x: f64) -> f64 {
    if x > 0.0 { Gamma::new(shape).at(x).lower } else { 0.0 }
}

/// The `p` quantile of the gamma distribution with scale 1: the x at which [`gamma_cdf`] is `p`.
///
/// `shape` lies between 1e-3 and 1e9, and `p` strictly between 0 and 1.
#[must_use]
pub fn gamma_quantile(shape: f64, p: f64) -> f64 {
    Gamma::new(shape).quantile(p)
}

/// The distribution function of the standard normal distribution.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    let tail = 0.5 * erfc_of(z.abs() / SQRT_2, (-0.5 * z * z).exp());
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The z at which [`normal_cdf`] is `p`, for `p` strictly between 0 and 1.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erf::erfc_inv(2.0 * p)
}

/// The distribution function of Student's t with `df` > 0 degrees of freedom (DLMF 8.17 by way of the beta).
#[must_use]
pub fn student_cdf(t: f64, df: f64) -> f64 {
    let tail = 0.5 * beta_cdf(df / 2.0, 0.5, df / (df + t * t));
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t at which [`student_cdf`] is `p`, for `p` strictly between 0 and 1.
#[must_use]
pub fn student_quantile(p: f64, df: f64) -> f64 {
    // Both arguments of the beta are kept away from 1, where a quotient of its complement has no digits.
    let tail = 2.0 * p.min(1.0 - p);
    let x = beta_quantile(df / 2.0, 0.5, tail);
    let t = (df * (1.0 - x) / x).sqrt();
    if p < 0.5 { -t } else { t }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::estimate::golden;

    #[test]
    fn special_functions_agree_with_the_golden_values() {
        golden::check("special_functions", |input, expected| {
            let number = |name: &str| input[name].as_f64().unwrap();
            let found = match input["fn"].as_str().unwrap() {
                "betainc_reg" => beta_cdf(number("a"), number("b"), number("x")),
                "betainc_inv" => beta_quantile(number("a"), number("b"), number("p")),
                "norm_ppf" => normal_quantile(number("p")),
                _ => return vec![],
            };
            vec![(found, expected["value"].as_f64().unwrap())]
        });
    }

    /// To 16 digits (mpmath, 40 digits).
    #[test]
    fn the_complementary_error_function_has_all_its_digits() {
        let cases: [(f64, f64); 8] = [
            (0.0, 1.0),
            (0.001, 0.998_871_621_209_030_8),
            (0.25, 0.723_673_609_831_763_1),
            (1.0, 0.157_299_207_050_285_1),
            (3.0, 2.209_049_699_858_544e-5),
            (5.9, 7.190_409_783_550_478e-17),
            (6.1, 6.314_602_150_193_718e-18),
            (12.0, 1.356_261_169_205_904e-64),
        ];
        for (z, expected) in cases {
            let found = erfc_of(z, (-z * z).exp());
            assert!((found - expected).abs() <= 4e-15 * expected, "{z}: {found:e}, not {expected:e}");
        }
    }

    #[test]
    fn known_betas() {
        // B(1, b) = 1/b, B(1/2, 1/2) = pi, B(3, 4) = 2! 3! / 6!.
        for (a, b, expected) in
            [(1.0, 5e7, 5e7_f64.recip()), (0.5, 0.5, PI), (3.0, 4.0, 1.0 / 60.0), (4.0, 3.0, 1.0 / 60.0)]
        {
            let found = ln_beta(a, b);
            assert!((found - expected.ln()).abs() < 1e-13 * expected.ln().abs().max(1.0), "{a}, {b}: {found}");
        }
    }

    #[test]
    fn student_agrees_with_its_closed_forms() {
        // One degree of freedom is Cauchy's distribution, two have an algebraic one.
        for t in [-30.0, -1.5, -0.01, 0.0, 0.3, 4.0, 200.0_f64] {
            let cauchy = 0.5 + t.atan() / PI;
            let two = 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
            for (df, expected) in [(1.0, cauchy), (2.0, two)] {
                let found = student_cdf(t, df);
                assert!((found - expected).abs() < 1e-14, "{t}, {df}: {found}");
                let inverse = student_quantile(expected, df);
                assert!((inverse - t).abs() < 1e-9 * t.abs().max(1.0), "{t}, {df}: {inverse}");
            }
        }
    }

    #[test]
    fn known_quantiles() {
        let uniform = beta_quantile(1.0, 1.0, 0.3);
        assert!((uniform - 0.3).abs() < 1e-15, "{uniform}");
        // Beta(2, 1) has the distribution function x^2.
        let square = beta_quantile(2.0, 1.0, 0.09);
        assert!((square - 0.3).abs() < 1e-15, "{square}");
        let arcsine = beta_quantile(0.5, 0.5, 0.5);
        assert!((arcsine - 0.5).abs() < 1e-15, "{arcsine}");
        assert!(beta_quantile(3.0, 4.0, 0.0).abs() < f64::EPSILON);
        assert!((beta_quantile(3.0, 4.0, 1.0) - 1.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_distribution_function(
            log_a in -1.0..17.7_f64, log_b in -1.0..17.7_f64, p in 0.0005..0.9995_f64,
        ) {
            let (a, b) = (log_a.exp(), log_b.exp());
            let x = beta_quantile(a, b, p);
            prop_assert!(x > 0.0 && x <= 1.0, "{x}");
            // Near 1 one unit in the last place of x can be more than a millionth of probability.
            let (below, above) = (beta_cdf(a, b, x * (1.0 - 1e-13) - 1e-16), beta_cdf(a, b, (x * (1.0 + 1e-13) + 1e-16).min(1.0)));
            // The kernel's exponent is a difference of terms of the size of a + b, each rounded.
            let rounding = 1e-9 + 4.0 * f64::EPSILON * (a + b);
            prop_assert!(below - rounding <= p && p <= above + rounding, "{a} {b} {p}: {x}, {below}..{above}");
        }
    }
}

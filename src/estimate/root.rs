//! Where a function crosses zero, without derivatives.

/// Steps: bisection alone reaches the last bit of any limit within these.
const MAX_STEPS: u32 = 200;

/// A zero of `f` between `a` and `b`, at which it has opposite signs, to the last bits of the argument: T. R.
/// Chandrupatla's method (Advances in Engineering Software 28, 1997), inverse quadratic steps where they are safe and
/// bisection elsewhere. Without a change of sign it is the end at which `f` is nearer to zero.
///
/// `f` may be infinite at the ends.
pub(super) fn root(mut a: f64, mut b: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut at_a, mut at_b) = (f(a), f(b));
    let mut share = 0.5;
    if at_a == 0.0 || at_b == 0.0 || (at_a > 0.0) == (at_b > 0.0) {
        return if at_a.abs() <= at_b.abs() { a } else { b };
    }
    for _ in 0..MAX_STEPS {
        let next = a + share * (b - a);
        let at_next = f(next);
        let (c, at_c) = if (at_next > 0.0) == (at_a > 0.0) {
            (a, at_a)
        } else {
            let kept = (b, at_b);
            (b, at_b) = (a, at_a);
            kept
        };
        (a, at_a) = (next, at_next);
        let best = if at_a.abs() < at_b.abs() { a } else { b };
        let tolerance = (2.0 * f64::EPSILON * best.abs() + f64::MIN_POSITIVE) / (b - a).abs();
        if at_a == 0.0 || tolerance > 0.5 {
            return if at_a == 0.0 { a } else { best };
        }
        let (across, up) = ((a - b) / (c - b), (at_a - at_b) / (at_c - at_b));
        let is_safe = up * up < across && (1.0 - up) * (1.0 - up) < 1.0 - across;
        share = if is_safe {
            at_a / (at_b - at_a) * at_c / (at_b - at_c)
                + (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (at_c - at_b)
        } else {
            0.5
        };
        share = share.clamp(tolerance, 1.0 - tolerance);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_found_to_the_last_bits_also_beside_poles() {
        let cube = root(0.0, 5.0, |x| x * x * x - 2.0);
        assert!((cube - 2.0_f64.cbrt()).abs() < 1e-15, "{cube}");
        let pole = root(0.0, 1.0, |x| 3e-9 / x - 1.0 / (1.0 - x));
        assert!((pole - 3e-9 / (1.0 + 3e-9)).abs() < 1e-23, "{pole}");
        let flat = root(-1.0, 1.0, |x| if x < 0.25 { -1.0 } else { 1.0 });
        assert!((flat - 0.25).abs() < 1e-15, "{flat}");
    }

    #[test]
    fn without_a_change_of_sign_it_is_the_nearer_end() {
        assert!((root(1.0, 2.0, |x| x) - 1.0).abs() < f64::EPSILON);
        assert!((root(1.0, 2.0, |x| 3.0 - x) - 2.0).abs() < f64::EPSILON);
    }
}

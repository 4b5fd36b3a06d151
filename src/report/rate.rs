//! How counts and rare rates are printed: events over exposure and per 10,000 or per million, never as "0.00".

use crate::model::unit::UnitKind;

/// A whole number with thousands separators.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// What a rate is printed per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scale {
    /// Per 10,000.
    TenThousand,
    /// Per million.
    Million,
}

impl Scale {
    /// The scale that shows this rate in a readable number; 0 fits any.
    #[must_use]
    pub fn fitting(rate: f64) -> Self {
        if rate > 0.0 && rate < 1e-5 { Self::Million } else { Self::TenThousand }
    }

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenThousand => "per 10,000",
            Self::Million => "per million",
        }
    }

    const fn factor(self) -> f64 {
        match self {
            Self::TenThousand => 1e4,
            Self::Million => 1e6,
        }
    }

    /// The rate at this scale, to two significant digits or more; a rate that is not 0 never prints as 0.
    #[must_use]
    pub fn number(self, rate: f64) -> String {
        let scaled = rate * self.factor();
        decimal(scaled, decimals(scaled, 2))
    }

    /// The rate and its limits, `1.0` and `[0.7, 1.4]`: as many decimals as the rate needs, or as tell the limits
    /// apart. A limit far below the rate, `<1e-6`, is not 0 and has room in its column.
    #[must_use]
    pub fn interval(self, rate: f64, lower: f64, upper: f64) -> (String, String) {
        let [rate, lower, upper] = [rate, lower, upper].map(|figure| figure * self.factor());
        let digits = decimals(rate, 2).max(decimals((upper - lower) / 2.0, 1));
        let limit = |limit: f64| match decimals(limit, 1) {
            many if many > MOST_DECIMALS => "<1e-6".to_owned(),
            decimals => decimal(limit, digits.max(decimals)),
        };
        (decimal(rate, digits), format!("[{}, {}]", limit(lower), limit(upper)))
    }
}

/// A limit with more decimals than this is below a millionth.
const MOST_DECIMALS: usize = 6;

/// Decimals that show this many significant digits of a number; none for 0.
fn decimals(number: f64, significant: usize) -> usize {
    if number <= 0.0 {
        return 0;
    }
    // Formatted, because rounding can add a digit: 0.997 is 1.0.
    let scientific = format!("{number:.*e}", significant - 1);
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    let exponent = exponent.expect("scientific notation has an exponent");
    usize::try_from(-exponent).map_or_else(
        |_| (significant - 1).saturating_sub(exponent.unsigned_abs() as usize),
        |leading| leading + significant - 1,
    )
}

fn decimal(number: f64, decimals: usize) -> String {
    let shown = format!("{number:.decimals$}");
    let (whole, rest) = shown.split_once('.').unwrap_or((&shown, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}

/// A number of units with its noun: `1 turn`, `310,412 turns`.
#[must_use]
pub fn units(number: u64, unit: UnitKind) -> String {
    format!("{} {}{}", count(number), unit.as_str(), if number == 1 { "" } else { "s" })
}

/// One rate as a sentence: `31 / 310,412 turns, 1.0 per 10,000 [0.7, 1.4]`; with no event, the upper limit only.
#[must_use]
pub fn sentence(k: u64, n: u64, unit: UnitKind, limits: Option<(f64, f64)>) -> String {
    let events = format!("{} / {}", count(k), units(n, unit));
    #[expect(clippy::cast_precision_loss, reason = "display only")]
    let estimate = if n == 0 { 0.0 } else { k as f64 / n as f64 };
    match limits {
        Some((_, upper)) if k == 0 => {
            let scale = Scale::fitting(upper);
            format!("{events}, at most {} {}", scale.number(upper), scale.as_str())
        }
        None if k == 0 => events,
        limits => {
            let scale = Scale::fitting(estimate);
            let Some((lower, upper)) = limits else {
                return format!("{events}, {} {}", scale.number(estimate), scale.as_str());
            };
            let (rate, limits) = scale.interval(estimate, lower, upper);
            format!("{events}, {rate} {} {limits}", scale.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::estimate::interval::{Share, clopper_pearson, one_sided_upper};
    use crate::model::rate::Level;

    #[test]
    fn rare_rates_print_as_rare_rates() {
        let level = Level::new(0.95).unwrap();
        let mut shown = String::new();
        let cases = [
            (31, 310_412),
            (0, 310_412),
            (0, 3),
            (1, 1),
            (1, 2_000_000),
            (3, 50_000_000),
            (1, 50_000_000),
            (30, 100_000),
            (100, 1_000_000),
            (15_000, 50_000_000),
            (621, 1_000),
            (20, 20),
        ];
        for (k, n) in cases {
            let share = Share::new(k, n).unwrap();
            let limits = clopper_pearson(share, level);
            let limits = if k == 0 { (0.0, one_sided_upper(share, level)) } else { (limits.lower, limits.upper) };
            writeln!(shown, "{}", sentence(k, n, UnitKind::Turn, Some(limits))).unwrap();
        }
        insta::assert_snapshot!(shown);
    }

    proptest! {
        #[test]
        fn a_rate_that_is_not_zero_never_prints_as_zero(log_rate in -20.0..0.0_f64) {
            let rate = log_rate.exp();
            let scale = Scale::fitting(rate);
            let is_zero = |shown: &str| shown.chars().all(|c| matches!(c, '0' | '.'));
            prop_assert!(!is_zero(&scale.number(rate)), "{rate}");
            let (_, limits) = scale.interval(rate, rate / 1000.0, rate);
            let lower = limits.trim_start_matches('[').split(',').next().unwrap();
            prop_assert!(!is_zero(lower), "{limits}");
        }
    }
}

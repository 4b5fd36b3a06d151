//! Where a figure is not held to its file's own tolerance, or not to its file's own value: all exceptions, with reasons.

/// How far a figure may be from the expected one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tolerance {
    /// By this share of it, or by this much.
    Near { relative: f64, absolute: f64 },
    /// A ratio, or its reciprocal where that is below 1, by this much.
    Ratio { absolute: f64 },
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reference {
    /// The file's value.
    Written(Tolerance),
    /// Another value, to the file's tolerance.
    Replaced { exact: f64, reason: &'static str },
    /// Nothing: the library gives no figure on purpose, and may not begin to.
    Refused { reason: &'static str },
}

/// Method, beginning of the figure's name, tolerance: those that the texts of the files announce (1e-3, 1e-4 and 2e-2).
/// The odds ratios keep their 1e-4 only on the scale that the source's root finder works on.
const TOLERANCES: [(&str, &str, Tolerance); 6] = [
    // The published maximisation over the nuisance parameter is numeric.
    ("fisher_barnard", "barnard", Tolerance::Near { relative: 1e-3, absolute: 0.0 }),
    ("fisher_barnard", "boschloo", Tolerance::Near { relative: 1e-3, absolute: 0.0 }),
    // R's root finder stops 2^-13 from the odds ratio, or from its reciprocal where that is below 1.
    ("fisher_barnard", "odds_ratio", Tolerance::Ratio { absolute: ROOT }),
    ("fisher_barnard", "or_lower", Tolerance::Ratio { absolute: ROOT }),
    ("fisher_barnard", "or_upper", Tolerance::Ratio { absolute: ROOT }),
    // The package's variance differs from the formula's by a term of the order 1/n.
    ("two_phase", "se_survey", Tolerance::Near { relative: 2e-2, absolute: 0.0 }),
];

/// 2^-13, the square root of the square root of the distance of 1 from the next number.
const ROOT: f64 = 1.220_703_125e-4;

const CANCELLED: &str = "the package subtracts two squares that agree in five digits; in fractions";

const TIES: &str = "the package's rounding leaves tables out that are exactly as extreme; in fractions";

/// Case, end of the figure's name, value in exact arithmetic, what is wrong with the file's.
const REPLACED: [(&str, &str, f64, &str); 5] = [
    ("cohen_kappa-002", ".se", 1.349_282_016_196_07e-4, CANCELLED),
    ("cohen_kappa-002", ".lower", -6.074_291_498_677_69e-4, CANCELLED),
    ("cohen_kappa-002", ".upper", -7.852_031_852_139_25e-5, CANCELLED),
    ("fisher_barnard-000", "barnard_pooled", 0.128_140_747_962, TIES),
    ("fisher_barnard-010", "barnard_pooled", 0.001_902_248_477_56, TIES),
];

const NO_SPREAD: &str = "every unit says the same: an interval of no width would claim certainty";

/// Case, end of the figure's name, why the library gives none.
const REFUSED: [(&str, &str, &str); 9] = [
    ("cohen_kappa-006", ".lower", NO_SPREAD),
    ("cohen_kappa-006", ".upper", NO_SPREAD),
    ("cohen_kappa-010", ".lower", NO_SPREAD),
    ("cohen_kappa-010", ".upper", NO_SPREAD),
    ("gwet_ac1_table-004", "upper", NO_SPREAD),
    ("gwet_ac1_table-006", "upper", NO_SPREAD),
    ("gwet_ac1_table-010", "upper", NO_SPREAD),
    ("gwet_ac_raw-002", ".lower", NO_SPREAD),
    ("gwet_ac_raw-002", ".upper", NO_SPREAD),
];

/// What the figure of a case is compared with, where its file says `written`.
pub(crate) fn of(method: &str, case: &str, path: &str, written: Tolerance) -> Reference {
    let is_figure = |id: &str, end: &str| id == case && path.ends_with(end);
    if let Some((_, _, exact, reason)) = REPLACED.iter().find(|(id, end, ..)| is_figure(id, end)) {
        return Reference::Replaced { exact: *exact, reason };
    }
    if let Some((_, _, reason)) = REFUSED.iter().find(|(id, end, _)| is_figure(id, end)) {
        return Reference::Refused { reason };
    }
    let own = TOLERANCES.iter().find(|(name, beginning, _)| *name == method && path.starts_with(beginning));
    Reference::Written(own.map_or(written, |(_, _, tolerance)| *tolerance))
}

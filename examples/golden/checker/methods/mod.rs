//! Which function answers for which method.

mod comparisons;
mod graders;
mod one_sample;
mod peers;
mod totals;

use super::figures::{Figures, Input, Misfit};

/// Computes the figures of one case.
pub(crate) type Method = fn(Input<'_>) -> Result<Figures, Misfit>;

/// The methods by the names of their files.
const METHODS: &[(&str, Method)] = &[
    ("agresti_coull", peers::agresti_coull),
    ("calibration_error", graders::calibration_error),
    ("capture_recapture_chapman", one_sample::capture_recapture_chapman),
    ("clopper_pearson", one_sample::clopper_pearson),
    ("clopper_pearson_midp", one_sample::clopper_pearson_midp),
    ("cluster_bootstrap", peers::cluster_bootstrap),
    ("cluster_ratio", peers::cluster_ratio),
    ("cochran_armitage", comparisons::cochran_armitage),
    ("cohen_kappa", graders::cohen_kappa),
    ("confirmed_over_sensitivity", totals::confirmed_over_sensitivity),
    ("confseq_beta_binomial", one_sample::confseq_beta_binomial),
    ("confseq_hedged_betting", one_sample::confseq_hedged_betting),
    ("confseq_without_replacement", one_sample::confseq_without_replacement),
    ("detect_one_sample_size", one_sample::detect_one_sample_size),
    ("fisher_barnard", comparisons::fisher_barnard),
    ("gwet_ac1_table", graders::gwet_ac1_table),
    ("gwet_ac_raw", graders::gwet_ac_raw),
    ("hypergeometric_exact", one_sample::hypergeometric_exact),
    ("isotonic_platt", graders::isotonic_platt),
    ("jeffreys", peers::jeffreys),
    ("judgy_point", peers::judgy_point),
    ("krippendorff_alpha", graders::krippendorff_alpha),
    ("mcnemar", comparisons::mcnemar),
    ("mover_stratified", peers::mover_stratified),
    ("neyman_allocation", comparisons::neyman_allocation),
    ("p_adjust", comparisons::p_adjust),
    ("poisson_garwood", one_sample::poisson_garwood),
    ("poisson_rate_ratio_exact", comparisons::poisson_rate_ratio_exact),
    ("ppi_mean", peers::ppi_mean),
    ("ppi_stratified", peers::ppi_stratified),
    ("roc_pr", graders::roc_pr),
    ("rogan_gladen_lang_reiczigel", peers::rogan_gladen_lang_reiczigel),
    ("rule_of_three", one_sample::rule_of_three),
    ("special_functions", one_sample::special_functions),
    ("stratified_ht", peers::stratified_ht),
    ("true_prevalence_known_se_sp", peers::true_prevalence_known_se_sp),
    ("two_phase", peers::two_phase),
    ("two_prop_difference", comparisons::two_prop_difference),
    ("two_prop_ratio", comparisons::two_prop_ratio),
    ("weighted_poisson_gamma", totals::weighted_poisson_gamma),
    ("weighted_sample", peers::weighted_sample),
    ("wilson", one_sample::wilson),
];

/// The method of this name.
pub(crate) fn find(name: &str) -> Option<Method> {
    METHODS.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
}

/// The names of all methods, in order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, _)| *name)
}

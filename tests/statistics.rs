//! Reference values: every figure of every file of `../shared/golden` that the library computes, to the file's tolerance.
//! `cargo run --example golden -- FILE...` shows the same with its errors.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]
#![expect(clippy::print_stdout, reason = "whoever runs the tests is told what was compared, and what was skipped")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../examples/golden/checker/mod.rs"]
mod checker;

/// The folder of reference values beside the checkout; none where only the repository is.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no reference values at {}", folder.display());
    None
}

fn check(method: &str) {
    let Some(folder) = folder() else { return };
    let text = fs::read_to_string(folder.join(method).with_extension("json")).unwrap();
    let checked = checker::check(&text).unwrap();
    println!("{}", checked.sentence());
    assert!(checked.passed(), "{}\n{}", checked.sentence(), checked.failures.join("\n"));
}

/// One test for each file.
macro_rules! agrees_with_its_file {
    ($($method:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($method)),*];

        mod agrees_with_its_file {
            $(#[test] fn $method() { super::check(stringify!($method)); })*
        }
    };
}

agrees_with_its_file! {
    agresti_coull calibration_error capture_recapture_chapman clopper_pearson clopper_pearson_midp
    cluster_bootstrap cluster_ratio cochran_armitage cohen_kappa confirmed_over_sensitivity confseq_beta_binomial
    confseq_hedged_betting confseq_without_replacement detect_one_sample_size fisher_barnard gwet_ac1_table
    gwet_ac_raw hypergeometric_exact isotonic_platt jeffreys judgy_point krippendorff_alpha mcnemar
    mover_stratified neyman_allocation p_adjust poisson_garwood poisson_rate_ratio_exact ppi_mean ppi_stratified
    roc_pr rogan_gladen_lang_reiczigel rule_of_three special_functions stratified_ht true_prevalence_known_se_sp
    two_phase two_prop_difference two_prop_ratio weighted_poisson_gamma weighted_sample wilson
}

#[test]
fn every_file_of_the_folder_has_a_test_and_every_method_a_file() {
    let tested: BTreeSet<_> = TESTED.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(tested, checker::methods::names().map(str::to_owned).collect());
    let Some(folder) = folder() else { return };
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(tested, files);
}

fn file(expected: &str) -> String {
    let case = r#"{"id": "one", "input": {"k": 0, "n": 10, "level": 0.95}, "expected": "#;
    let head = r#"{"method": "agresti_coull", "schema": 1, "tolerance": {"rel": 1e-9, "abs": 1e-14}, "cases": ["#;
    format!("{head}{case}{expected}}}]}}")
}

#[test]
fn a_wrong_figure_fails_with_what_was_found() {
    let checked = checker::check(&file(r#"{"lower": 0, "upper": 0.320887306751}"#)).unwrap();
    assert!(!checked.passed());
    assert_eq!(checked.failures, ["one: `upper` is 3.208873057505e-1, expected 3.208873067510e-1"]);
    let undefined = checker::check(&file(r#"{"lower": null, "upper": "nan"}"#)).unwrap();
    assert_eq!(undefined.failures.len(), 2);
    let infinite = checker::check(&file(r#"{"lower": "-inf", "upper": "inf"}"#)).unwrap();
    assert_eq!(infinite.failures.len(), 2);
}

#[test]
fn what_is_not_computed_is_said_and_does_not_pass() {
    let checked = checker::check(&file(r#"{"lower": 0, "upper": 0.320887305751, "median": 0.1}"#)).unwrap();
    assert!(checked.passed());
    assert_eq!((checked.compared, checked.not_computed), (2, BTreeSet::from(["median".to_owned()])));
    let nothing = checker::check(&file(r#"{"median": 0.1}"#)).unwrap();
    assert!(!nothing.passed(), "nothing was compared");
}

#[test]
fn an_unknown_method_never_passes() {
    let checked = checker::check(&file("{}").replace("agresti_coull", "astrology")).unwrap();
    assert!(!checked.passed());
    assert!(checked.sentence().contains("UNKNOWN METHOD, 1 cases not checked"));
    assert!(checker::check("{}").is_err());
}

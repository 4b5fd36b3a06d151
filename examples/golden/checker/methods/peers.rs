//! Methods that only the coverage bench uses.

use super::super::figures::{Figures, Input, Misfit};
use super::super::peers::clusters::{Cluster, bias_reduced, linearised};
use super::super::peers::known_error::{Counted, Judged, known, package_clopper_pearson, package_wilson, rogan_gladen};
use super::super::peers::prediction::{self, Estimate, Power, Predicted, judgy};
use super::super::peers::resampled::bootstrap;
use super::super::peers::survey::{self, Sampled, Stratified, mover, stratified, weighted};
use super::super::peers::{proportion, real};

/// What a source divides by nothing is undefined.
pub(super) fn defined(figure: f64) -> Option<f64> {
    (!figure.is_nan()).then_some(figure)
}

fn share(input: Input<'_>) -> Result<(u64, u64), Misfit> {
    Ok((input.count("k")?, input.count("n")?))
}

pub(super) fn agresti_coull(input: Input<'_>) -> Result<Figures, Misfit> {
    let (k, n) = share(input)?;
    let [lower, upper] = proportion::agresti_coull(k, n, input.level()?);
    Ok(Figures::new().number("lower", lower).number("upper", upper))
}

pub(super) fn jeffreys(input: Input<'_>) -> Result<Figures, Misfit> {
    let (k, n) = share(input)?;
    let [lower, upper] = proportion::jeffreys(k, n, input.level()?);
    let [lower_modified, upper_modified] = proportion::jeffreys_modified(k, n, input.level()?);
    let figures = Figures::new().number("lower", lower).number("upper", upper);
    Ok(figures.number("lower_bcd", lower_modified).number("upper_bcd", upper_modified))
}

fn clusters(input: Input<'_>) -> Result<Vec<Cluster>, Misfit> {
    let (sizes, hits) = (input.counts("cluster_size")?, input.counts("hits")?);
    Ok(sizes.into_iter().zip(hits).map(|(size, hits)| Cluster { size, hits }).collect())
}

pub(super) fn cluster_ratio(input: Input<'_>) -> Result<Figures, Misfit> {
    let clusters = clusters(input)?;
    let ratio = linearised(&clusters, input.level()?);
    let (se_reduced, df_reduced) = bias_reduced(&clusters);
    Ok(Figures::new()
        .number("mean", ratio.mean)
        .number("se_survey", ratio.se)
        .number("deff", defined(ratio.design_effect))
        .number("df", ratio.df)
        .list("ci_kg", ratio.korn_graubard.map(defined))
        .list("ci_t", ratio.student)
        .number("se_hc0", ratio.se_uncorrected)
        .number("se_hc1", ratio.se)
        .number("se_cr2", se_reduced)
        .number("df_satt", df_reduced)
        .number("se_jackknife", ratio.se_jackknife)
        .number("icc_anova", defined(ratio.intraclass)))
}

pub(super) fn cluster_bootstrap(input: Input<'_>) -> Result<Figures, Misfit> {
    let clusters = clusters(input)?;
    let index = |index: u64| usize::try_from(index).ok().filter(|index| *index < clusters.len());
    let resample = |row: Vec<u64>| row.into_iter().map(index).collect::<Option<Vec<_>>>();
    let resamples: Option<Vec<_>> = input.table("resamples")?.into_iter().map(resample).collect();
    let resamples = resamples.ok_or_else(|| Misfit("a resample names no cluster".to_owned()))?;
    let found = bootstrap(&clusters, &resamples, input.level()?);
    Ok(Figures::new()
        .number("se", found.se)
        .list("percentile", found.percentile)
        .list("basic", found.basic)
        .list("bca", found.corrected.map(defined))
        .number("z0", found.bias)
        .number("acceleration", defined(found.acceleration)))
}

fn predicted(input: Input<'_>) -> Result<Predicted, Misfit> {
    Ok(Predicted {
        true_positive: input.count("y1_f1")?,
        missed: input.count("y1_f0")?,
        false_positive: input.count("y0_f1")?,
        true_negative: input.count("y0_f0")?,
        unlabelled_positive: input.count("unlabeled_f1")?,
        unlabelled_negative: input.count("unlabeled_f0")?,
    })
}

pub(super) fn judgy_point(input: Input<'_>) -> Result<Figures, Misfit> {
    Ok(Figures::new().number("estimate", judgy(&predicted(input)?)))
}

pub(super) fn ppi_mean(input: Input<'_>) -> Result<Figures, Misfit> {
    let (counts, level) = (predicted(input)?, input.level()?);
    let part = |power| {
        let estimate = prediction::mean(&counts, power);
        let [lower, upper] = estimate.limits(level).map(defined);
        Figures::new().number("estimate", defined(estimate.mean)).number("lower", lower).number("upper", upper)
    };
    Ok(Figures::new()
        .part("ppi", part(Power::Full))
        .part("ppi_pp", part(Power::Tuned))
        .part("classical", part(Power::LabelsOnly)))
}

pub(super) fn ppi_stratified(input: Input<'_>) -> Result<Figures, Misfit> {
    let level = input.level()?;
    let strata = input.items("strata")?.iter().map(|stratum| predicted(Input(stratum)));
    let strata = strata.collect::<Result<Vec<_>, _>>()?;
    let part = |estimate: Estimate| {
        let [lower, upper] = estimate.limits(level).map(defined);
        let figures = Figures::new().number("estimate", defined(estimate.mean));
        figures.number("se", defined(estimate.variance.sqrt())).number("lower", lower).number("upper", upper)
    };
    let full = part(prediction::stratified(&strata, Power::Full));
    Ok(Figures::new().part("ppi", full).part("ppi_pp", part(prediction::stratified(&strata, Power::Tuned))))
}

pub(super) fn rogan_gladen_lang_reiczigel(input: Input<'_>) -> Result<Figures, Misfit> {
    let counted = |hits: &str, n: &str| Ok::<_, Misfit>(Counted { hits: input.count(hits)?, n: input.count(n)? });
    let judged = Judged {
        flagged: counted("judged_pos", "judged_n")?,
        positives: counted("true_pos", "pos_n")?,
        negatives: counted("true_neg", "neg_n")?,
    };
    let found = rogan_gladen(&judged, input.level()?);
    Ok(Figures::new()
        .number("rogan_gladen_raw", found.raw)
        .number("rogan_gladen", found.estimate)
        .number("rg_se", found.se)
        .number("lang_reiczigel_lower", found.limits[0])
        .number("lang_reiczigel_upper", found.limits[1]))
}

pub(super) fn true_prevalence_known_se_sp(input: Input<'_>) -> Result<Figures, Misfit> {
    let (positives, tested, level) = (input.count("positives")?, input.count("tested")?, input.level()?);
    let (sensitivity, specificity) = (input.number("sensitivity")?, input.number("specificity")?);
    let with_estimate = |[lower, upper]: [f64; 2]| [real(positives) / real(tested), lower, upper];
    let wilson = with_estimate(package_wilson(positives, tested, level));
    let beta = with_estimate(package_clopper_pearson(positives, tested, level));
    Ok(Figures::new()
        .list("wilson_apparent", wilson)
        .list("wilson_true", known(wilson, sensitivity, specificity))
        .list("cp_apparent", beta)
        .list("cp_true", known(beta, sensitivity, specificity)))
}

fn strata(input: Input<'_>, size: &str, reviewed: &str) -> Result<Vec<Sampled>, Misfit> {
    let counts = input.counts(size)?.into_iter().zip(input.counts(reviewed)?).zip(input.counts("hits")?);
    Ok(counts.map(|((size, reviewed), hits)| Sampled { size, reviewed, hits }).collect())
}

pub(super) fn mover_stratified(input: Input<'_>) -> Result<Figures, Misfit> {
    let (estimate, [wilson, beta]) = mover(&strata(input, "stratum_size", "reviewed")?, input.level()?);
    Ok(Figures::new().number("estimate", estimate).list("wilson", wilson).list("clopper_pearson", beta))
}

pub(super) fn stratified_ht(input: Input<'_>) -> Result<Figures, Misfit> {
    let (strata, level) = (strata(input, "stratum_size", "reviewed")?, input.level()?);
    let part = |found: Stratified| {
        Figures::new()
            .number("mean", found.mean)
            .number("se", found.se)
            .number("total", found.mean * found.size)
            .number("se_total", found.se * found.size)
            .number("df", found.df)
            .list("ci_mean", found.wald(level))
            .list("ci_xlogit", found.logit(level).map(defined))
            .list("ci_beta", found.korn_graubard(level).map(defined))
    };
    let figures = Figures::new().part("with_fpc", part(stratified(&strata, true)));
    Ok(figures.part("without_fpc", part(stratified(&strata, false))))
}

pub(super) fn two_phase(input: Input<'_>) -> Result<Figures, Misfit> {
    let (mean, se) = survey::two_phase(&strata(input, "phase1", "phase2_reviewed")?);
    Ok(Figures::new().number("mean", mean).number("se_formula", se).number("se_survey", se))
}

pub(super) fn weighted_sample(input: Input<'_>) -> Result<Figures, Misfit> {
    let sample: Vec<_> = input.numbers("y")?.into_iter().zip(input.numbers("inclusion_prob")?).collect();
    let found = weighted(&sample);
    Ok(Figures::new()
        .number("hajek_mean", found.mean)
        .number("hajek_se", found.mean_se)
        .number("hh_total", found.total)
        .number("hh_se_total", found.total_se)
        .number("deff", defined(found.design_effect))
        .number("kish_ess", found.effective))
}

//! One proportion, one count, one sequence of looks.

use assize::estimate::betting::Wagers;
use assize::estimate::count::{Exposed, finite_totals, garwood};
use assize::estimate::detect::{Chance, units_to_detect_one};
use assize::estimate::interval::{
    Limits, Share, clopper_pearson as exact, mid_p, one_sided_lower, one_sided_upper, rule_of_three as by_poisson,
    wilson as score,
};
use assize::estimate::recapture::{Found, recapture};
use assize::estimate::sequential::{Drawn, MixturePrior, Totals, independent, ln_evidence, without_replacement};
use assize::estimate::special::{beta_cdf, beta_quantile, gamma_quantile, normal_quantile};

use super::super::figures::{Figures, Input, Misfit};
use super::super::peers::real;

/// What the library refuses although the file gives it as an input.
pub(super) fn refused(what: &str) -> Misfit {
    Misfit(format!("the library refuses the {what}"))
}

fn share(input: Input<'_>) -> Result<Share, Misfit> {
    Share::new(input.count("k")?, input.count("n")?).ok_or_else(|| refused("share"))
}

fn limits(found: Limits) -> Figures {
    Figures::new().number("lower", found.lower).number("upper", found.upper)
}

fn totals(found: Totals) -> Figures {
    Figures::new().number("total_lower", real(found.lower)).number("total_upper", real(found.upper))
}

pub(super) fn clopper_pearson(input: Input<'_>) -> Result<Figures, Misfit> {
    let (share, level) = (share(input)?, input.level()?);
    Ok(limits(exact(share, level))
        .number("one_sided_lower", one_sided_lower(share, level))
        .number("one_sided_upper", one_sided_upper(share, level)))
}

pub(super) fn clopper_pearson_midp(input: Input<'_>) -> Result<Figures, Misfit> {
    Ok(limits(mid_p(share(input)?, input.level()?)))
}

pub(super) fn wilson(input: Input<'_>) -> Result<Figures, Misfit> {
    let share = share(input)?;
    Ok(limits(score(share, input.level()?)).number("estimate", share.estimate()))
}

pub(super) fn rule_of_three(input: Input<'_>) -> Result<Figures, Misfit> {
    let (n, level) = (input.count("n")?, input.level()?);
    let none = Share::new(0, n).ok_or_else(|| refused("share"))?;
    Ok(Figures::new().number("exact_upper", one_sided_upper(none, level)).number("log_upper", by_poisson(n, level)))
}

pub(super) fn poisson_garwood(input: Input<'_>) -> Result<Figures, Misfit> {
    let exposed = Exposed::new(input.count("count")?, input.number("exposure")?).ok_or_else(|| refused("exposure"))?;
    Ok(limits(garwood(exposed, input.level()?)).number("rate", exposed.rate()))
}

fn drawn(input: Input<'_>, k: &str, n: &str) -> Result<Drawn, Misfit> {
    Drawn::new(input.count(k)?, input.count(n)?, input.count("population")?).ok_or_else(|| refused("draw"))
}

pub(super) fn hypergeometric_exact(input: Input<'_>) -> Result<Figures, Misfit> {
    Ok(totals(finite_totals(drawn(input, "hits", "sample")?, input.level()?)))
}

pub(super) fn detect_one_sample_size(input: Input<'_>) -> Result<Figures, Misfit> {
    let rate = Chance::new(input.number("p")?).ok_or_else(|| refused("prevalence"))?;
    Ok(Figures::new().number("n", units_to_detect_one(rate, input.level()?).map(real)))
}

pub(super) fn capture_recapture_chapman(input: Input<'_>) -> Result<Figures, Misfit> {
    let (one, other) = (input.count("found_by_a")?, input.count("found_by_b")?);
    let found = Found::new(one, other, input.count("found_by_both")?).ok_or_else(|| refused("overlap"))?;
    let recapture = recapture(found, input.level()?);
    Ok(Figures::new()
        .number("lincoln_petersen", recapture.lincoln_petersen)
        .number("chapman", recapture.total)
        .number("se", recapture.standard_error)
        .list("log_normal", [recapture.limits.lower, recapture.limits.upper])
        .number("recall_a", recapture.recall_of_one)
        .number("recall_b", recapture.recall_of_other))
}

fn prior(input: Input<'_>) -> Result<MixturePrior, Misfit> {
    MixturePrior::new(input.number("prior_a")?, input.number("prior_b")?).ok_or_else(|| refused("prior"))
}

pub(super) fn confseq_beta_binomial(input: Input<'_>) -> Result<Figures, Misfit> {
    let (share, prior) = (share(input)?, prior(input)?);
    let evidence = ln_evidence(share, 0.001, prior);
    Ok(limits(independent(share, input.level()?, prior)).number("log_e_at_0_001", evidence))
}

pub(super) fn confseq_without_replacement(input: Input<'_>) -> Result<Figures, Misfit> {
    Ok(totals(without_replacement(drawn(input, "k", "n")?, input.level()?, prior(input)?)))
}

pub(super) fn confseq_hedged_betting(input: Input<'_>) -> Result<Figures, Misfit> {
    let wagers = Wagers::new(&input.numbers("x")?, input.level()?).ok_or_else(|| refused("scores"))?;
    let capital = input.numbers("m")?.into_iter().map(|mean| wagers.ln_capital(mean).exp());
    Ok(limits(wagers.limits()).list("capital", capital))
}

pub(super) fn special_functions(input: Input<'_>) -> Result<Figures, Misfit> {
    let number = |name| input.number(name);
    let value = match input.word("fn")? {
        "norm_ppf" => normal_quantile(number("p")?),
        "betainc_reg" => beta_cdf(number("a")?, number("b")?, number("x")?),
        "betainc_inv" => beta_quantile(number("a")?, number("b")?, number("p")?),
        "gammainc_inv" => gamma_quantile(number("a")?, number("p")?),
        other => return Err(Misfit(format!("`{other}` is not a function"))),
    };
    Ok(Figures::new().number("value", value))
}

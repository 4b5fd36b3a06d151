//! Two groups or more, and the same units twice.

use assize::estimate::compare::family::{Correction, PValue, adjust};
use assize::estimate::compare::paired::{Paired, mcnemar as change};
use assize::estimate::compare::ratio::{exact_p, exact_ratio};
use assize::estimate::compare::score::{Variance, newcombe, pooled_z, score_difference, score_ratio};
use assize::estimate::compare::table::Table;
use assize::estimate::compare::trend::{Step, trend};
use assize::estimate::compare::unconditional::{barnard, boschloo};
use assize::estimate::compare::{DifferenceLimits, RatioLimits};
use assize::estimate::count::Exposed;
use assize::estimate::interval::Share;
use assize::model::rate::Level;
use assize::plan::allocate::{Guess, allocate};

use super::super::figures::{Figures, Input, Misfit};
use super::super::peers::known_error::Counted;
use super::super::peers::two_groups::{difference, katz};
use super::one_sample::refused;
use super::peers::defined;

fn pair(input: Input<'_>) -> Result<[Share; 2], Misfit> {
    let share = |k, n| Share::new(input.count(k)?, input.count(n)?).ok_or_else(|| refused("share"));
    Ok([share("x1", "n1")?, share("x2", "n2")?])
}

fn peer_pair(input: Input<'_>) -> Result<[Counted; 2], Misfit> {
    let counted = |k, n| Ok::<_, Misfit>(Counted { hits: input.count(k)?, n: input.count(n)? });
    Ok([counted("x1", "n1")?, counted("x2", "n2")?])
}

pub(super) fn two_prop_difference(input: Input<'_>) -> Result<Figures, Misfit> {
    let ([one, other], [first, second], level) = (pair(input)?, peer_pair(input)?, input.level()?);
    let limits = |found: DifferenceLimits| [found.lower, found.upper];
    Ok(Figures::new()
        .number("diff", one.estimate() - other.estimate())
        .list("newcombe", limits(newcombe(one, other, level)))
        .list("miettinen_nurminen", limits(score_difference(one, other, level, Variance::Unbiased)))
        .list("mee", limits(score_difference(one, other, level, Variance::Plain)))
        .number("score_z_at_0", pooled_z(one, other))
        .list("agresti_caffo", difference(first, second, 1.0, level))
        .list("wald", difference(first, second, 0.0, level)))
}

fn ratio_limits(found: Option<RatioLimits>) -> [Option<f64>; 2] {
    [found.map(|found| found.lower), found.map(|found| found.upper)]
}

pub(super) fn two_prop_ratio(input: Input<'_>) -> Result<Figures, Misfit> {
    let ([one, other], [first, second], level) = (pair(input)?, peer_pair(input)?, input.level()?);
    let koopman = score_ratio(one, other, level, Variance::Plain);
    let miettinen_nurminen = score_ratio(one, other, level, Variance::Unbiased);
    Ok(Figures::new()
        .number("ratio", koopman.map(|found| found.estimate))
        .list("koopman", ratio_limits(koopman))
        .list("miettinen_nurminen_ratio", ratio_limits(miettinen_nurminen))
        .list("katz_log", katz(first, second, 0.0, level).map(defined))
        .list("katz_adj_half", katz(first, second, 0.5, level).map(defined)))
}

pub(super) fn poisson_rate_ratio_exact(input: Input<'_>) -> Result<Figures, Misfit> {
    let exposed = |events, exposure| {
        Exposed::new(input.count(events)?, input.number(exposure)?).ok_or_else(|| refused("exposure"))
    };
    let (one, other) = (exposed("x1", "exposure1")?, exposed("x2", "exposure2")?);
    let found = exact_ratio(one, other, input.level()?);
    let [lower, upper] = ratio_limits(found);
    Ok(Figures::new()
        .number("p", exact_p(one, other))
        .number("ratio", found.map(|found| found.estimate))
        .number("lower", lower)
        .number("upper", upper))
}

pub(super) fn fisher_barnard(input: Input<'_>) -> Result<Figures, Misfit> {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| input.count(name));
    let table = Table { both: a?, first_only: b?, second_only: c?, neither: d? };
    let fisher = table.fisher();
    let level = Level::new(0.95).ok_or_else(|| refused("level"))?;
    let odds = table.odds_ratio(level);
    let [lower, upper] = ratio_limits(odds);
    // The source takes columns as groups.
    let first = Share::new(table.both, table.both + table.second_only);
    let second = Share::new(table.first_only, table.first_only + table.neither);
    let groups = first.zip(second);
    Ok(Figures::new()
        .number("fisher_two_sided", fisher.two_sided)
        .number("fisher_less", fisher.less)
        .number("fisher_greater", fisher.greater)
        .number("odds_ratio_cmle", odds.map(|odds| odds.estimate))
        .number("or_lower", lower)
        .number("or_upper", upper)
        .number("barnard_pooled", groups.and_then(|(first, second)| barnard(first, second)))
        .number("boschloo", groups.and_then(|(first, second)| boschloo(first, second))))
}

pub(super) fn cochran_armitage(input: Input<'_>) -> Result<Figures, Misfit> {
    let counts = input.counts("hits")?.into_iter().zip(input.counts("n")?).zip(input.numbers("score")?);
    let step = |((hits, n), score)| Share::new(hits, n).and_then(|share| Step::new(share, score));
    let steps: Option<Vec<_>> = counts.map(step).collect();
    let found = trend(&steps.ok_or_else(|| refused("groups"))?);
    Ok(Figures::new()
        .number("z", found.map(|found| found.z))
        .number("chi2", found.map(|found| found.z * found.z))
        .number("p_two_sided", found.map(|found| found.approximate_p)))
}

pub(super) fn mcnemar(input: Input<'_>) -> Result<Figures, Misfit> {
    let paired = Paired {
        both: input.count("both_pos")?,
        first_only: input.count("only_a")?,
        second_only: input.count("only_b")?,
        neither: input.count("both_neg")?,
    };
    let found = change(paired);
    Ok(Figures::new()
        .number("exact_p", found.map(|found| found.exact_p))
        .number("midp_p", found.map(|found| found.mid_p))
        .number("diff", found.map(|found| found.difference))
        .number("wald_se", found.map(|found| found.standard_error)))
}

pub(super) fn p_adjust(input: Input<'_>) -> Result<Figures, Misfit> {
    let values: Option<Vec<_>> = input.numbers("p")?.into_iter().map(PValue::new).collect();
    let values = values.ok_or_else(|| refused("p-values"))?;
    let adjusted = |correction| adjust(&values, correction).into_iter().map(PValue::get).collect::<Vec<_>>();
    Ok(Figures::new()
        .list("bonferroni", adjusted(Correction::Bonferroni))
        .list("holm", adjusted(Correction::Holm))
        .list("hochberg", adjusted(Correction::Hochberg))
        .list("bh", adjusted(Correction::BenjaminiHochberg))
        .list("by", adjusted(Correction::BenjaminiYekutieli)))
}

pub(super) fn neyman_allocation(input: Input<'_>) -> Result<Figures, Misfit> {
    let rates = input.numbers("guess_rate")?.into_iter().zip(input.numbers("unit_cost")?);
    let strata: Option<Vec<_>> = input
        .counts("stratum_size")?
        .into_iter()
        .zip(rates)
        .map(|(size, (rate, cost))| Guess::new(size, rate, cost))
        .collect();
    let strata = strata.ok_or_else(|| refused("strata"))?;
    let found = allocate(&strata, input.number("budget")?, input.count("min_per_stratum")?);
    let found = found.ok_or_else(|| refused("budget"))?;
    Ok(Figures::new().list("n_continuous", found.units).number("spend", found.spend).number("variance", found.variance))
}

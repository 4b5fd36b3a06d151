//! Weighted totals, and what corrects them.

use assize::estimate::cell::Cell;
use assize::estimate::gamma::{Range, limits};
use assize::estimate::sensitivity::{Sensitivity, melded, mover_ratio};
use assize::estimate::total::{Funnel, Positive, Total};

use super::super::figures::{Figures, Input, Misfit};
use super::super::peers::real;
use super::super::peers::weighted_count::upper_mean_weight;
use super::one_sample::refused;

/// Cells by expansion, with every confirmed unit a cluster of its own.
fn funnel(input: Input<'_>) -> Result<Funnel, Misfit> {
    let counts = input.counts("judge_positive")?.into_iter().zip(input.counts("reviewed")?);
    let counts = counts.zip(input.counts("confirmed")?).zip(input.numbers("expansion")?);
    let cell =
        |(((flagged, reviewed), confirmed), expansion)| Cell { expansion, flagged, reviewed, confirmed, third: None };
    let cells: Vec<Cell> = counts.map(cell).collect();
    let owners = cells.iter().enumerate().flat_map(|(index, cell)| (0..cell.confirmed).map(move |_| index));
    let positives =
        (0..).zip(owners).map(|(key, cell)| Positive { cell, conversation: key, content: key, drawn_with: None });
    let positives: Vec<_> = positives.collect();
    Funnel::new(cells, &positives).map_err(|error| Misfit(error.to_string()))
}

pub(super) fn confirmed_over_sensitivity(input: Input<'_>) -> Result<Figures, Misfit> {
    let (level, corpus) = (input.level()?, input.number("corpus")?);
    let total = funnel(input)?.total(|_| true).map_err(|error| Misfit(format!("{error:?}")))?;
    let sensitivity = Sensitivity::new(input.count("cal_detected")?, input.count("cal_n")?);
    let sensitivity = sensitivity.ok_or_else(|| refused("sensitivity"))?;
    let pair = |range: Range, over: f64| [range.lower / over, range.upper / over];
    Ok(Figures::new()
        .number("judge_catchable_total", total.estimate)
        .number("variance", total.variance())
        .number("w_max", total.weight)
        .list("total_gamma", pair(limits(&total, level), 1.0))
        .number("prevalence", total.estimate / sensitivity.rate() / corpus)
        .list("melded", pair(melded(&total, sensitivity, level), corpus))
        .list("mover_ratio", pair(mover_ratio(&total, sensitivity, level), corpus)))
}

pub(super) fn weighted_poisson_gamma(input: Input<'_>) -> Result<Figures, Misfit> {
    let (sizes, level) = (input.numbers("stratum_size")?, input.level()?);
    let whole: f64 = sizes.iter().sum();
    let weights = sizes.iter().zip(input.numbers("reviewed")?).map(|(size, reviewed)| size / whole / reviewed);
    let strata: Vec<_> = weights.zip(input.counts("hits")?).map(|(weight, hits)| (weight, real(hits))).collect();
    let sum = |part: fn(f64, f64) -> f64| strata.iter().map(|&(weight, hits)| part(weight, hits)).sum::<f64>();
    let total = Total {
        estimate: sum(|weight, hits| weight * hits),
        sampling: sum(|weight, hits| weight * weight * hits),
        between: 0.0,
        together: 0.0,
        weight: strata.iter().fold(0.0, |largest, (weight, _)| weight.max(largest)),
        affected: 0,
        is_census: false,
    };
    let range = limits(&total, level);
    Ok(Figures::new()
        .number("estimate", total.estimate)
        .number("lower", range.lower)
        .number("upper", range.upper)
        .number("upper_tcz", upper_mean_weight(&strata, level)))
}

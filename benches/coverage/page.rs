//! The page of the results.

use std::fmt::Write;

use crate::methods::{METHODS, Method, Role};
use crate::scenario::{CONVERSATION, FALSE_HITS, KNOWN, Sampling, Scenario, TURNS};
use crate::tally::{Cell, Coverage};

/// Below this many clusters with a confirmed unit a report warns.
pub(crate) const ENOUGH: f64 = 20.0;

/// No default may cover less often.
pub(crate) const LEAST: f64 = 0.93;

/// The smallest coverage of a method over the scenarios that `keep` names and that have enough affected clusters, and
/// their number.
pub(crate) fn least(
    cells: &[(Scenario, Cell)],
    method: usize,
    keep: impl Fn(&Scenario) -> bool,
) -> Option<(f64, usize)> {
    let shares: Vec<_> = cells
        .iter()
        .filter(|(scenario, cell)| cell.affected() >= ENOUGH && keep(scenario))
        .filter_map(|(_, cell)| cell.methods[method].share())
        .collect();
    let least = shares.iter().copied().reduce(f64::min)?;
    Some((least, shares.len()))
}

pub(crate) fn page(cells: &[(Scenario, Cell)], command: &str) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    introduction(&mut page, cells, command)?;
    summary(&mut page, cells)?;
    writeln!(page, "\n## Share of runs in which the interval holds the truth\n")?;
    table(&mut page, cells, Coverage::share, 3)?;
    writeln!(page, "\n## Mean width of the interval, as a multiple of the truth\n")?;
    table(&mut page, cells, Coverage::width, 2)?;
    Ok(page)
}

fn introduction(page: &mut String, cells: &[(Scenario, Cell)], command: &str) -> std::fmt::Result {
    let runs = cells.iter().map(|(_, cell)| cell.runs).max().unwrap_or(0);
    let varies = (0.95_f64 * 0.05 / crate::peers::real(runs)).sqrt();
    let (scenarios, asked, other) = (cells.len(), TURNS / CONVERSATION, FALSE_HITS / CONVERSATION);
    writeln!(
        page,
        "# Coverage\n\n\
         How often 95% intervals hold the truth, in {scenarios} scenarios of {runs} simulated audits each. Written by `{command}`;\n\
         the seeds are fixed, so the figures repeat to the digit. With {runs} runs a true 0.95 varies by about {varies:.3}.\n\n\
         A corpus of {TURNS} turns is drawn from traffic in which turns show the behaviour with the stated prevalence, in\n\
         conversations of about {CONVERSATION} turns. The prefilter hits the stated share of them (its recall) and {FALSE_HITS} other turns.\n\
         All hits are graded, and a random slice of the rest, drawn turn by turn or as whole conversations. People review\n\
         every flagged turn, or at most so many of a stratum, drawn at random; they do not err. The grader's sensitivity is\n\
         measured on {KNOWN} known positives. `cluster` is the mean number of turns that show the behaviour in a conversation\n\
         with at least one (their number is geometric); `affected` is the mean number of conversations with a confirmed\n\
         turn. Where one question is asked about each conversation, the conversations are the units: they take the place of\n\
         turns in all of this, {asked} of them with {other} other hits, and users that of conversations.\n\n\
         Of the methods that are not in the product, Wald's is the normal interval of the weighted total with the\n\
         variance of its two phases, Wilson's takes the weighted total as a count, Korn-Graubard's has 300 cleared turns of\n\
         each stratum reviewed as well, Lang-Reiczigel's has the grader's flags in a random sample as large as the slice\n\
         and 3,000 known negatives, PPI and PPI++ have 500 labelled turns and as many unlabelled ones as the slice, and\n\
         the bootstrap resamples conversations 199 times.\n"
    )
}

fn summary(page: &mut String, cells: &[(Scenario, Cell)]) -> std::fmt::Result {
    writeln!(page, "## Smallest coverage over scenarios with at least {ENOUGH} affected conversations\n")?;
    writeln!(
        page,
        "`single turns`: no conversation has two turns that show the behaviour. `clustered turns`: some do, and turns are\n\
         drawn. `conversations`: some do, and whole conversations are drawn. `questions`: one question is asked about each\n\
         conversation, with the slice or without; without it there is a floor only.\n"
    )?;
    writeln!(
        page,
        "| method | speaks of | role | single turns | clustered turns | conversations | questions | mean | mean width |\n\
         |---|---|---|---:|---:|---:|---:|---:|---:|"
    )?;
    for (index, method) in METHODS.iter().enumerate() {
        write!(page, "| {} | {} | {} |", method.name, method.target, method.role.as_str())?;
        let kinds: [fn(&Scenario) -> bool; 4] = [
            |scenario| scenario.cluster <= 1.0 && scenario.sampling == Sampling::Turns,
            |scenario| scenario.cluster > 1.0 && scenario.sampling == Sampling::Turns,
            |scenario| scenario.sampling == Sampling::Conversations,
            |scenario| scenario.sampling == Sampling::Questions,
        ];
        for kind in kinds {
            match least(cells, index, kind) {
                Some((share, _)) => write!(page, " {share:.3} |")?,
                None => write!(page, " |")?,
            }
        }
        let mean = |figure: fn(&Coverage) -> Option<f64>| {
            let enough = cells.iter().filter(|(_, cell)| cell.affected() >= ENOUGH);
            let figures: Vec<_> = enough.filter_map(|(_, cell)| figure(&cell.methods[index])).collect();
            figures.iter().sum::<f64>() / crate::peers::length(&figures)
        };
        writeln!(page, " {:.3} | {:.2} |", mean(Coverage::share), mean(Coverage::width))?;
    }
    let below = cells.iter().filter(|(_, cell)| cell.affected() >= ENOUGH);
    let below: Vec<_> = below.flat_map(|(scenario, cell)| shortfalls(scenario, cell)).collect();
    if !below.is_empty() {
        writeln!(page, "\nDefaults below {LEAST}:\n\n{}", below.join("\n"))?;
    }
    Ok(())
}

/// The defaults that cover too seldom in one scenario.
fn shortfalls(scenario: &Scenario, cell: &Cell) -> Vec<String> {
    let of_method = |(method, coverage): (&Method, &Coverage)| {
        let share = coverage.share().filter(|share| method.role == Role::Default && *share < LEAST)?;
        Some(format!("* {} {share:.3}: {}", method.name, sentence(scenario)))
    };
    METHODS.iter().zip(&cell.methods).filter_map(of_method).collect()
}

fn sentence(scenario: &Scenario) -> String {
    let Scenario { prevalence, recall, sensitivity, cluster, slice, .. } = scenario;
    let drawn = drawn_by(scenario);
    let per = 1e4 * prevalence;
    format!(
        "{per:.0} per 10,000, recall {recall}, Se {sensitivity}, cluster {cluster}, drawn by {drawn}, slice {slice}"
    )
}

const fn drawn_by(scenario: &Scenario) -> &'static str {
    match scenario.sampling {
        Sampling::Turns => "turn",
        Sampling::Conversations => "conversation",
        Sampling::Questions => "question",
    }
}

fn table(
    page: &mut String,
    cells: &[(Scenario, Cell)],
    figure: fn(&Coverage) -> Option<f64>,
    digits: usize,
) -> std::fmt::Result {
    write!(page, "| per 10,000 | recall | Se | Sp | cluster | drawn by | slice | review | runs | affected |")?;
    for method in &METHODS {
        write!(page, " {} |", method.name)?;
    }
    write!(page, "\n|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|")?;
    for _ in &METHODS {
        write!(page, "---:|")?;
    }
    for (scenario, cell) in cells {
        let drawn = drawn_by(scenario);
        let review = scenario.review.map_or("all".to_owned(), |most| most.to_string());
        write!(
            page,
            "\n| {:.0} | {} | {} | {} | {:.0} | {drawn} | {} | {review} | {} | {:.0} |",
            1e4 * scenario.prevalence,
            scenario.recall,
            scenario.sensitivity,
            scenario.specificity,
            scenario.cluster,
            scenario.slice,
            cell.runs,
            cell.affected(),
        )?;
        for coverage in &cell.methods {
            match figure(coverage) {
                Some(figure) => write!(page, " {figure:.digits$} |")?,
                None => write!(page, " |")?,
            }
        }
    }
    writeln!(page)
}

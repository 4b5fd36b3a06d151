//! Published figures about the example behaviour, recomputed: every interval and p-value that others printed, and the
//! tables derived from them, to the printed digit.
//!
//! ```text
//! cargo run --example published-numbers
//! ```
//!
//! Exits with 1 if a figure differs. Counts are from public reports of metagaming and evaluation awareness; most print a
//! share without its interval, and some a share without its count, of which only ratios can be recomputed.

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use assize::estimate::compare::score::pooled_z;
use assize::estimate::compare::table::Table;
use assize::estimate::count::{Exposed, garwood};
use assize::estimate::interval::{Limits, Share, clopper_pearson, one_sided_upper, wilson};
use assize::estimate::special::normal_cdf;
use assize::model::rate::Level;

/// A figure as printed, and as computed to the same digits.
struct Row {
    quantity: String,
    published: String,
    computed: String,
}

type Rows = Result<Vec<Row>, Box<dyn Error>>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut out = stdout().lock();
    let mut different = 0;
    let tables = [
        ("Ratios of published shares", ratios()),
        ("Wilson's limits of published counts, percent", wilson_limits()?),
        ("p-values of two published counts", p_values()?),
        ("Exact limits of the headline rates by units read, percent", headline_limits()?),
        ("Clean reads for a one-sided 95% bound", clean_reads()?),
        ("Predictive value and flags at 1 in 10,000 and 3 in 10,000", predictive_values()),
        ("From turns to conversations at 3 in 10,000, percent", conversations()),
    ];
    for (title, rows) in tables {
        writeln!(out, "\n{title}\n  {:<58}{:>18}{:>18}", "quantity", "published", "computed")?;
        for row in rows {
            let is_equal = row.published == row.computed;
            different += u32::from(!is_equal);
            let verdict = if is_equal { "equal to the printed digit" } else { "DIFFERENT" };
            writeln!(out, "  {:<58}{:>18}{:>18}  {verdict}", row.quantity, row.published, row.computed)?;
        }
    }
    writeln!(out, "\n{different} figures differ")?;
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(quantity: impl Into<String>, published: &str, computed: String) -> Row {
    Row { quantity: quantity.into(), published: published.to_owned(), computed }
}

fn level() -> Result<Level, &'static str> {
    Level::new(0.95).ok_or("a level lies between 0 and 1")
}

fn share(k: u64, n: u64) -> Result<Share, &'static str> {
    Share::new(k, n).ok_or("a share has no more events than units")
}

/// Digits after the point of a printed figure.
fn digits(published: &str) -> usize {
    published.split_once('.').map_or(0, |(_, digits)| digits.chars().take_while(char::is_ascii_digit).count())
}

fn to_its_digits(figure: f64, published: &str) -> String {
    format!("{figure:.*}", digits(published))
}

/// Two limits in percent, each to the digits of the printed one.
fn percent(limits: Limits, published: &str) -> Result<String, &'static str> {
    let (lower, upper) = published.split_once('-').ok_or("an interval has two limits")?;
    Ok(format!("{}-{}", to_its_digits(100.0 * limits.lower, lower), to_its_digits(100.0 * limits.upper, upper)))
}

fn ratios() -> Vec<Row> {
    let quotients = [
        ("evaluation awareness over capabilities training", 20.6, 2.0, "10.3"),
        ("Impossible Coding Task, late to production", 58.3, 62.1, "0.94"),
        ("Sandbagging QA, metagaming", 54.5, 23.5, "2.32"),
        ("Sandbagging QA, misaligned", 10.8, 1.7, "6.35"),
        ("Log Falsification, metagaming, one in", 54.9, 2.7, "20.3"),
        ("Log Falsification, misaligned, one in", 95.2, 0.7, "136"),
        ("covert actions, o3", 13.0, 0.4, "32.5"),
        ("covert actions, o4-mini", 8.7, 0.3, "29"),
        ("evaluation awareness, o4-mini", 5.5, 0.9, "6.1"),
        ("evaluation awareness, o3", 4.5, 2.3, "1.96"),
        ("compaction flags", 2.15, 0.27, "7.96"),
        ("10 per 100,000 times 1.5, upwards", 15.0, 1.0, "15"),
        ("10 per 100,000 times 1.5, downwards", 10.0, 1.5, "6.7"),
        ("twenty categories at alpha 0.1, false alarms", 20.0, 10.0, "2"),
    ];
    quotients.map(|(name, over, under, published)| row(name, published, to_its_digits(over / under, published))).into()
}

fn wilson_limits() -> Rows {
    let mut rows = vec![
        row("odd-number task, o3, share", "36.7", format!("{:.1}", 100.0 * share(22, 60)?.estimate())),
        row(
            "odd-number task, gemini, 0/30, upper limit",
            "11.4",
            format!("{:.1}", 100.0 * wilson(share(0, 30)?, level()?).upper),
        ),
    ];
    let intervals = [
        ("odd-number task, o3", 22, 60, "25.6-49.3"),
        ("odd-number task, Kimi K3", 10, 40, "14.2-40.2"),
        ("odd-number task, qwen3.8-27b", 6, 40, "7.1-29.1"),
        ("odd-number task, two models", 1, 40, "0.4-12.9"),
        ("odd-number task, five models", 0, 40, "0-8.8"),
        ("odd-number task, other sampling", 17, 40, "28.5-57.8"),
        ("odd-number task, gemini", 23, 30, "59-88"),
        ("odd-number task, deepseek", 14, 100, "8.5-22.1"),
        ("odd-number task, amplifier", 44, 48, "80.4-96.7"),
    ];
    for (name, k, n, published) in intervals {
        let limits = wilson(share(k, n)?, level()?);
        rows.push(row(format!("{name}, {k}/{n}"), published, percent(limits, published)?));
    }
    Ok(rows)
}

fn p_values() -> Rows {
    let z = pooled_z(share(22, 60)?, share(11, 60)?);
    let mut rows = vec![
        row("22/60 against 11/60, z", "2.25", format!("{z:.2}")),
        row("22/60 against 11/60, normal p", "0.025", format!("{:.3}", 2.0 * normal_cdf(-z))),
    ];
    let tables = [
        ((12, 39), (0, 40), "7.6e-05"),
        ((6, 40), (0, 40), "0.026"),
        ((6, 40), (12, 39), "0.11"),
        ((6, 40), (16, 89), "0.80"),
        ((45, 90_000), (63, 90_000), "0.101"),
        ((50, 100_000), (70, 100_000), "0.082"),
    ];
    for ((k1, n1), (k2, n2), published) in tables {
        let table = Table { both: k1, first_only: n1 - k1, second_only: k2, neither: n2 - k2 };
        let p = table.fisher().two_sided;
        let computed = if published.contains('e') { scientific(p) } else { to_its_digits(p, published) };
        rows.push(row(format!("{k1}/{n1} against {k2}/{n2}, Fisher"), published, computed));
    }
    Ok(rows)
}

/// Two digits and an exponent of two digits, as R and Python print it.
fn scientific(p: f64) -> String {
    let written = format!("{p:.1e}");
    written.split_once("e-").map_or(written.clone(), |(digits, exponent)| format!("{digits}e-{exponent:0>2}"))
}

fn headline_limits() -> Rows {
    let exact = [
        (1, 10_000, "0.00025-0.0557"),
        (10, 100_000, "0.0048-0.0184"),
        (100, 1_000_000, "0.0081-0.0122"),
        (30, 100_000, "0.0202-0.0428"),
        (300, 1_000_000, "0.0267-0.0336"),
    ];
    let mut rows = Vec::new();
    for (k, n, published) in exact {
        let limits = clopper_pearson(share(k, n)?, level()?);
        rows.push(row(format!("{k}/{n}, Clopper-Pearson"), published, percent(limits, published)?));
    }
    // Printed among the limits of Clopper and Pearson, whose upper limit is 0.0876: it is that of the Poisson count.
    let limits = garwood(Exposed::new(3, 1e4).ok_or("an exposure is positive")?, level()?);
    rows.push(row("3/10000, Garwood", "0.0062-0.0877", percent(limits, "0.0062-0.0877")?));
    Ok(rows)
}

fn clean_reads() -> Rows {
    let mut rows = Vec::new();
    for (bound, published) in [(1e-3, 2_995), (3e-4, 9_985), (1e-4, 29_956), (1e-5, 299_572_u64)] {
        let is_enough = |n: u64| Ok::<_, Box<dyn Error>>(one_sided_upper(share(0, n)?, level()?) <= bound);
        // The smallest number is bracketed by a tenth on either side.
        let (mut few, mut enough) = (published - published / 10, published + published / 10);
        while enough - few > 1 {
            let middle = few.midpoint(enough);
            if is_enough(middle)? { enough = middle } else { few = middle }
        }
        rows.push(row(format!("at most {bound:e}"), &published.to_string(), enough.to_string()));
    }
    Ok(rows)
}

fn predictive_values() -> Vec<Row> {
    let mut rows = Vec::new();
    let graders = [
        (0.85, 0.05, ["0.17", "0.51"], "50080"),
        (0.9, 0.01, ["0.89", "2.63"], "10089"),
        (0.9, 0.001, ["8.3", "21.3"], "1090"),
        (0.95, 0.0001, ["48.7", "74.0"], "195"),
    ];
    for (found, false_flags, published, flags) in graders {
        let name = format!("sensitivity {found}, false flags {false_flags}");
        for (prevalence, published) in [1e-4, 3e-4].into_iter().zip(published) {
            let (right, wrong) = (prevalence * found, (1.0 - prevalence) * false_flags);
            let computed = to_its_digits(100.0 * right / (right + wrong), published);
            rows.push(row(format!("{name}, percent right at {prevalence:e}"), published, computed));
        }
        let per_million = 1e6 * (1e-4 * found + (1.0 - 1e-4) * false_flags);
        rows.push(row(format!("{name}, flags in a million"), flags, format!("{per_million:.0}")));
    }
    rows
}

fn conversations() -> Vec<Row> {
    let lengths = [(1.0, "0.030"), (3.0, "0.090"), (10.0, "0.300"), (30.0, "0.896"), (100.0, "2.96")];
    let at_least_one = |turns: f64| -100.0 * (turns * (-3e-4_f64).ln_1p()).exp_m1();
    let rows = lengths.map(|(turns, published)| {
        row(format!("{turns} independent turns"), published, to_its_digits(at_least_one(turns), published))
    });
    rows.into()
}

//! How often people err, as a table.

use super::escape::escape;
use super::json::Report;
use super::layout::{Page, fitted};
use super::people::{AS_JUDGED, GoldRow, PeopleErrRow};
use super::rate::{Scale, count};
use crate::model::gold::{GoldRead, LEAST_GOLD};
use crate::model::rate::RateName;

pub(super) fn people(page: &mut Page, report: &Report) {
    let Some(row) = &report.people_err else { return };
    page.heading("People err");
    page.wrapped("  ", &format!("Figures that people decided about are {AS_JUDGED}."));
    if !row.has_gold() {
        let least = LEAST_GOLD;
        page.wrapped(
            "  ",
            &format!(
                "How often it errs is not known: nobody read hidden gold. Set gold = {{ positive = {}, near_miss = {} }} under \
                 [review].",
                least.positive, least.near_miss
            ),
        );
        return;
    }
    let head = format!("confirmed [{}%]", report.design.level * 100.0);
    page.line(&format!("  {:<30}{:>9}  {head:<28}{:>9}", "hidden gold", "read", "drawn"));
    page.line(&share("positives (s_H)", &row.positives));
    page.line(&share("near misses (f_H)", &row.near_misses));
    seats(page, row);
    rates(page, report, row);
    if let Some(reason) = &row.reason {
        page.wrapped("  no figure: ", &escape(reason));
    }
}

fn share(name: &str, row: &GoldRow) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let limits = row.estimate.zip(row.lower.zip(row.upper)).map_or_else(
        || "-".to_owned(),
        |(estimate, (lower, upper))| {
            format!("{}, {}% [{}, {}]", count(row.confirmed), percent(estimate), percent(lower), percent(upper))
        },
    );
    format!("  {name:<30}{:>9}  {limits:<28}{:>9}", count(row.read), count(row.drawn))
}

fn seats(page: &mut Page, row: &PeopleErrRow) {
    let of = |read: GoldRead| format!("{} of {}", count(read.confirmed), count(read.read));
    for seat in &row.seats {
        let name = if seat.seat.is_empty() { "(no name)".to_owned() } else { escape(&seat.seat) };
        let (positives, near_misses) = (of(seat.gold.positive), of(seat.gold.near_miss));
        page.line(&format!("    {:<28}{positives} positives, {near_misses} near misses", fitted(&name, 27)));
    }
}

/// The rates of all groups, had people erred on units as they did on gold.
fn rates(page: &mut Page, report: &Report, row: &PeopleErrRow) {
    let of_all = |name| {
        let rate = row.rates.iter().find(|rate| rate.group.is_empty() && rate.name == name);
        rate.and_then(|rate| rate.estimate)
    };
    let (catchable, corrected) = (of_all(RateName::Catchable), of_all(RateName::Corrected));
    let Some(reference) = catchable.filter(|rate| *rate > 0.0).or(corrected) else { return };
    let scale = Scale::fitting(reference);
    let named = [(RateName::Catchable, catchable), (RateName::Corrected, corrected)];
    let figures: Vec<_> = named
        .into_iter()
        .filter_map(|(name, rate)| Some(format!("{} {}", name.as_str(), scale.number(rate?))))
        .collect();
    page.wrapped(
        "  ",
        &format!(
            "If people err on {}s as they did on gold: {} {}. To compare with the estimates above; not the figure to quote.",
            report.unit.as_str(),
            figures.join(", "),
            scale.as_str()
        ),
    );
}

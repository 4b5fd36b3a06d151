//! The floor, as one table per unit and decider.

use std::collections::BTreeSet;

use super::json::{RateRow, Report};
use super::layout::{Ink, Page};
use super::rate::{Scale, count, sentence};
use super::table::group_name;
use crate::model::rate::{Decider, Method, RateName, Target};
use crate::model::unit::UnitKind;

/// Prints every floor table that has a row.
pub(super) fn floors(page: &mut Page, report: &Report) {
    // Where conversations were graded as one, nothing can be said of their turns.
    let units = [UnitKind::Turn, UnitKind::Conversation].into_iter().filter(|unit| *unit >= report.unit);
    for unit in units {
        let rows = |decider| -> Vec<Row<'_>> {
            let floors =
                report.rates.iter().filter(|rate| rate.name == RateName::Floor && rate.target == Target::Corpus);
            let rows = floors.filter(|rate| rate.unit == unit && rate.decided_by == Some(decider));
            rows.map(|corpus| Row { corpus, traffic: traffic_of(report, corpus) }).collect()
        };
        let (people, grader) = (rows(Decider::People), rows(Decider::Grader));
        // Where people have decided about everything, the grader's word adds nothing.
        let adds = grader.len() != people.len() || grader.iter().zip(&people).any(|(a, b)| a.corpus.k != b.corpus.k);
        for rows in [people, if adds { grader } else { Vec::new() }] {
            if !rows.is_empty() {
                floor(page, report, &rows);
            }
        }
    }
}

/// The floor of all groups together in one sentence, if there is one; people's where they decided.
pub(super) fn headline(report: &Report) -> Option<String> {
    let is_headline = |rate: &&RateRow| {
        rate.name == RateName::Floor
            && rate.target == Target::Corpus
            && rate.unit == report.unit
            && rate.group.is_empty()
    };
    let corpus = report.rates.iter().find(is_headline)?;
    let limits = traffic_of(report, corpus).and_then(|traffic| traffic.lower.zip(traffic.upper));
    let by = match corpus.decided_by? {
        Decider::People => "confirmed",
        Decider::Grader => "grader-confirmed",
    };
    Some(format!("{}, flagged and {by}", sentence(corpus.k?, corpus.n?, corpus.unit, limits)))
}

/// The floor of one group: the corpus count, and the traffic's limits.
struct Row<'a> {
    corpus: &'a RateRow,
    traffic: Option<&'a RateRow>,
}

fn traffic_of<'a>(report: &'a Report, corpus: &RateRow) -> Option<&'a RateRow> {
    report.rates.iter().find(|rate| {
        (rate.name, rate.target) == (corpus.name, Target::Traffic)
            && (rate.unit, rate.decided_by, &rate.group) == (corpus.unit, corpus.decided_by, &corpus.group)
    })
}

impl Row<'_> {
    /// The figure that the row's scale must show.
    fn reference(&self) -> f64 {
        let upper = self.traffic.and_then(|traffic| traffic.upper).unwrap_or(0.0);
        self.corpus.estimate.filter(|estimate| *estimate > 0.0).unwrap_or(upper)
    }

    fn figures(&self, scale: Scale) -> String {
        let Some(estimate) = self.corpus.estimate else { return "-".to_owned() };
        let limits = self.traffic.and_then(|traffic| traffic.lower.zip(traffic.upper));
        match limits {
            Some((_, upper)) if self.corpus.k == Some(0) => format!("at most {}", scale.number(upper)),
            Some((lower, upper)) => {
                let (rate, limits) = scale.interval(estimate, lower, upper);
                format!("{rate} {limits}")
            }
            None => format!("{} (no interval)", scale.number(estimate)),
        }
    }
}

fn floor(page: &mut Page, report: &Report, rows: &[Row<'_>]) {
    let Some(first) = rows.first() else { return };
    let unit = first.corpus.unit.as_str();
    let by = match first.corpus.decided_by {
        Some(Decider::People) => "flagged and confirmed by people",
        Some(Decider::Grader) | None => "flagged and grader-confirmed",
    };
    page.heading(&format!("Floor: {unit}s {by}"));
    let counted: Vec<_> = rows.iter().filter(|row| row.corpus.k.is_some()).collect();
    if counted.is_empty() {
        page.wrapped("  none: ", first.corpus.reason.as_deref().unwrap_or("not computed"));
        return;
    }
    // One scale for the whole table, or the eye compares the wrong numbers.
    let scale = counted.iter().map(|row| Scale::fitting(row.reference())).max().unwrap_or(Scale::TenThousand);
    let has_limits = counted.iter().any(|row| row.traffic.is_some_and(|traffic| traffic.upper.is_some()));
    let limits = if has_limits { format!(" [{}%]", report.design.level * 100.0) } else { String::new() };
    let figures = format!("{}{limits}", scale.as_str());
    let planted = if report.simulated { "planted" } else { "" };
    page.line(&format!("  {:<22}{:>22}   {figures:<24}{planted:>7}", "", format!("{unit}s")));
    for row in &counted {
        let name = page.row_name(&group_name(report, &row.corpus.group), 21);
        page.line(&line(page, report, row, &name, scale));
    }
    for note in notes(&counted) {
        page.wrapped("  ", &note);
    }
}

fn line(page: &Page, report: &Report, row: &Row<'_>, name: &str, scale: Scale) -> String {
    let events = format!("{} / {}", count(row.corpus.k.unwrap_or(0)), count(row.corpus.n.unwrap_or(0)));
    let planted = row.corpus.planted.filter(|_| report.simulated).map(count).unwrap_or_default();
    let events = page.ink(Ink::Figure, &format!("{events:>22}"));
    format!("  {name:<22}{events}   {:<24}{planted:>7}", row.figures(scale))
}

/// What a reader must know of these rows, each sentence once.
fn notes(rows: &[&Row<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    if rows.iter().any(|row| row.corpus.decided_by == Some(Decider::Grader)) {
        notes.push("Where no person decided, a grader's false alarms are among these.".to_owned());
    }
    if rows.iter().any(|row| row.corpus.method == Some(Method::RawCount)) {
        notes.push("Raw counts: what was not drawn, reached or graded can only add.".to_owned());
    }
    if rows.iter().any(|row| row.traffic.is_some_and(|rate| rate.method == Some(Method::ClopperPearsonOneSided))) {
        notes.push("\"At most\" is one-sided.".to_owned());
    }
    let reasons: BTreeSet<_> = rows.iter().filter_map(|row| row.traffic?.reason.as_deref()).collect();
    notes.extend(reasons.into_iter().map(|reason| format!("No interval: {reason}.")));
    notes
}

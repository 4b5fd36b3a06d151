//! The rungs above the floor, the prefilter's recall and the comparisons, as tables.

use super::escape::escape;
use super::json::{RateRow, Report};
use super::layout::{Ink, Page};
use super::rate::Scale;
use super::table::group_name;
use crate::model::comparison::{Comparison, Kind, RatioFigure};
use crate::model::rate::{RateName, Target};
use crate::model::unit::{Group, UnitKind};

/// At most so many comparisons are printed; `report.json` has all of them.
const MAX_PAIRS: usize = 12;

/// The rungs above the floor, as far as there are any.
pub(super) fn estimates(page: &mut Page, report: &Report) {
    for unit in [UnitKind::Turn, UnitKind::Conversation] {
        let rows: Vec<Row<'_>> = rows(report, unit);
        if rows.iter().any(|row| row.upper().is_some()) {
            table(page, report, unit, &rows);
        }
    }
}

/// One rung of one group: for this corpus, and for the traffic it came from.
struct Row<'a> {
    corpus: &'a RateRow,
    traffic: &'a RateRow,
}

impl Row<'_> {
    fn upper(&self) -> Option<f64> {
        self.corpus.upper.or(self.traffic.upper)
    }
}

fn rows(report: &Report, unit: UnitKind) -> Vec<Row<'_>> {
    let above = [RateName::Catchable, RateName::Corrected, RateName::Ceiling];
    let of = |target| {
        report.rates.iter().filter(move |rate| rate.unit == unit && rate.target == target && above.contains(&rate.name))
    };
    of(Target::Corpus).zip(of(Target::Traffic)).map(|(corpus, traffic)| Row { corpus, traffic }).collect()
}

fn table(page: &mut Page, report: &Report, unit: UnitKind, rows: &[Row<'_>]) {
    page.heading(&format!("Estimates: {}s that show {}", unit.as_str(), escape(&report.behaviour)));
    let references = rows.iter().filter_map(|row| row.corpus.estimate.filter(|rate| *rate > 0.0).or(row.upper()));
    let scale = references.map(Scale::fitting).max().unwrap_or(Scale::TenThousand);
    let head = format!("{} [{}%]", scale.as_str(), report.design.level * 100.0);
    page.line(&format!("  {head:<22}{:<12}{:<20}{:<20}", "", "this corpus", "its traffic"));
    let mut group = None;
    for row in rows.iter().filter(|row| row.upper().is_some()) {
        let name = group_name(report, &row.corpus.group);
        let name = if group.as_ref() == Some(&name) {
            String::new()
        } else {
            group = Some(name.clone());
            page.row_name(&name, 21)
        };
        let planted = planted(report, row.corpus).map(|rate| format!("planted {}", scale.number(rate)));
        let planted = planted.unwrap_or_default();
        let figures = format!("{:<20}{:<20}", figure(row.corpus, scale), figure(row.traffic, scale));
        let figures = page.ink(Ink::Figure, &figures);
        page.line(&format!("  {name:<22}{:<12}{figures}{planted}", row.corpus.name.as_str()));
    }
    for note in notes(report, rows, scale) {
        page.wrapped("  ", &note);
    }
}

/// The rate that was planted, beside the rung that estimates it.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn planted(report: &Report, corrected: &RateRow) -> Option<f64> {
    let (planted, n) = corrected.planted.zip(corrected.n)?;
    (report.simulated && corrected.name == RateName::Corrected).then(|| planted as f64 / n as f64)
}

fn figure(rate: &RateRow, scale: Scale) -> String {
    match (rate.estimate, rate.lower.zip(rate.upper)) {
        (Some(estimate), Some((lower, upper))) => {
            let (estimate, limits) = scale.interval(estimate, lower, upper);
            format!("{estimate} {limits}")
        }
        (None, Some((lower, upper))) => format!("[{}, {}]", scale.number(lower), scale.number(upper)),
        (Some(_) | None, None) => "-".to_owned(),
    }
}

/// What a reader must know of these rows, each sentence once.
fn notes(report: &Report, rows: &[Row<'_>], scale: Scale) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut note = |sentence: String| {
        if !notes.contains(&sentence) {
            notes.push(sentence);
        }
    };
    for row in rows.iter().filter(|row| row.upper().is_some()) {
        let name = row.corpus.name;
        note(format!("{} assumes: {}.", capital(name), name.assumes()));
    }
    for row in rows.iter().filter(|row| row.corpus.group.is_empty() && row.corpus.upper.is_some()) {
        if let Some(bracket) = row.corpus.bracket {
            let (name, unit) = (capital(row.corpus.name), row.corpus.unit.as_str());
            if bracket.ungraded_yes > bracket.ungraded_no {
                let (no, yes) = (scale.number(bracket.ungraded_no), scale.number(bracket.ungraded_yes));
                note(format!("{name} is {no} if no ungraded {unit} counts, {yes} if all do."));
            }
            if row.corpus.estimate.is_some_and(|estimate| bracket.undecided_yes > estimate) {
                let yes = scale.number(bracket.undecided_yes);
                note(format!("{name} is {yes} if all that people left undecided counts."));
            }
        }
        for lowered in &row.corpus.lowered {
            if let Some(estimate) = lowered.estimate {
                note(format!(
                    "Were {unit}s without a cue detected {:.1} less often, corrected would be {}.",
                    lowered.by,
                    scale.number(estimate),
                    unit = row.corpus.unit.as_str(),
                ));
            }
        }
        if let Some(tipping) = row.corpus.tipping_point {
            note(format!(
                "It would be twice as high if the gate detected {:.0}% of those without a cue.",
                tipping * 100.0
            ));
        }
    }
    for row in rows.iter().filter(|row| row.upper().is_some()) {
        let Some(reason) = row.traffic.reason.as_deref() else { continue };
        let about = if row.traffic.upper.is_none() { "No limits for other traffic" } else { capital(row.traffic.name) };
        note(format!("{about}: {}.", escape(reason)));
    }
    if report.simulated {
        note("Planted: what the simulated corpus truly holds.".to_owned());
    }
    notes
}

const fn capital(name: RateName) -> &'static str {
    match name {
        RateName::Floor => "Floor",
        RateName::Catchable => "Catchable",
        RateName::Corrected => "Corrected",
        RateName::Ceiling => "Ceiling",
        RateName::GraderConfirmed => "Grader-confirmed",
    }
}

/// How much of what the gate would catch the prefilter hits.
pub(super) fn recall(page: &mut Page, report: &Report) {
    let known: Vec<_> = report.prefilter_recall.iter().filter(|row| row.estimate.is_some()).collect();
    if known.is_empty() {
        return;
    }
    page.heading("Prefilter recall, among what the gate would catch");
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    for row in &known {
        let name = page.row_name(&group_name(report, &row.group), 21);
        let limits = format!("[{}, {}]", percent(row.lower), percent(row.upper));
        page.line(&format!("  {name:<22}{:>7} {limits}", percent(row.estimate)));
    }
}

/// Groups compared, or why they are not.
pub(super) fn comparisons(page: &mut Page, report: &Report) {
    let comparisons = &report.comparisons;
    let Some(lineage) = &comparisons.lineage else { return };
    let is_compared = comparisons.pairs.iter().any(|pair| pair.ratio.or(pair.own_sensitivity).is_some());
    if !is_compared && comparisons.trends.iter().all(|trend| trend.z.is_none()) {
        return;
    }
    page.heading("Comparisons of catchable rates");
    page.wrapped("  changed: ", &escape(lineage));
    let with_ratio = comparisons.pairs.iter().filter(|pair| pair.ratio.or(pair.own_sensitivity).is_some());
    let mut shown: Vec<&Comparison> = with_ratio.collect();
    shown.sort_by(|a, b| a.p.unwrap_or(1.0).total_cmp(&b.p.unwrap_or(1.0)));
    for pair in shown.iter().take(MAX_PAIRS) {
        one(page, pair, report.unit);
    }
    if shown.len() > MAX_PAIRS {
        page.line(&format!("  and {} more in report.json", shown.len() - MAX_PAIRS));
    }
    let mut told: Vec<&str> = Vec::new();
    for pair in comparisons.pairs.iter().filter(|pair| pair.ratio.is_none()) {
        let Some(reason) = pair.reason.as_deref().filter(|reason| !told.contains(reason)) else { continue };
        told.push(reason);
        page.wrapped("  none: ", &escape(reason));
    }
    for trend in &comparisons.trends {
        let along = trend.groups.iter().map(|group| escape(&group.to_string())).collect::<Vec<_>>().join(", ");
        let said = match (trend.z, trend.p, &trend.reason) {
            (Some(z), Some(p), _) => {
                format!("{} (z = {z:.2}, p = {})", if z > 0.0 { "rising" } else { "falling" }, p_value(p))
            }
            (_, _, Some(reason)) => escape(reason),
            (_, _, None) => "not computed".to_owned(),
        };
        page.wrapped(&format!("  along {}: ", escape(&trend.field)), &format!("{along}: {said}"));
    }
    if let Some(reason) = &comparisons.reason {
        page.wrapped("  none: ", &escape(reason));
    }
}

fn one(page: &mut Page, pair: &Comparison, graded: UnitKind) {
    let name = |group: &Group| escape(&group.to_string());
    let mut words = Vec::new();
    if let Some(ratio) = &pair.ratio {
        let p = pair.p_adjusted.or(pair.p).map(|p| format!(", p = {}", p_value(p))).unwrap_or_default();
        let corrected = match pair.kind {
            Kind::Declared => " (Holm)",
            Kind::Sweep => " (Benjamini-Hochberg)",
        };
        words.push(format!("{} if equally detected{p}{corrected}", shown(ratio)));
    }
    if let Some(ratio) = &pair.own_sensitivity {
        words.push(format!("{} with each group's own sensitivity", shown(ratio)));
    }
    if let Some(ratio) = pair.detectable {
        words.push(format!("no difference shown; about {ratio:.1}-fold would have been"));
    } else if let Some(reversal) = pair.reversal.filter(|_| pair.ratio.is_some()) {
        words.push(format!("the order would reverse were {} detected {reversal:.2} times as often", name(&pair.over)));
    }
    let per = if pair.unit == graded { "" } else { " per conversation" };
    page.wrapped(&format!("  {} / {}{per}: ", name(&pair.over), name(&pair.under)), &words.join("; "));
}

fn shown(ratio: &RatioFigure) -> String {
    let number = |number: f64| if number >= 10.0 { format!("{number:.1}") } else { format!("{number:.2}") };
    let end = |end: Option<f64>| end.map_or_else(|| "infinite".to_owned(), number);
    format!("{} [{}, {}]", end(ratio.estimate), number(ratio.lower), end(ratio.upper))
}

fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "<0.0001".to_owned()
    } else if p < 0.01 {
        format!("{p:.4}")
    } else {
        format!("{p:.2}")
    }
}

//! What a plan should buy, for people and programs: predicted rates, ratios, reading, and what would narrow them.

use serde::Serialize;

use super::super::escape::escape;
use super::super::layout::{Ink, Page};
use super::super::rate::{Scale, count};
use crate::model::unit::Group;
use crate::plan::predict::{ASSUMED_KNOWN, Both, POWER, Predicted, Scope};
use crate::plan::prospect::{Prospect, Split};

/// What a plan should buy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Buys {
    /// Share of the planned units that the cap is expected to let in, 0 to 1: the rates are of these.
    pub let_in: f64,
    /// Confidence level of every interval.
    pub level: f64,
    /// All groups together, then each, where there are several.
    pub rates: Vec<PredictedRow>,
    /// The smallest ratio between two groups that would show.
    pub ratios: Vec<RatioRow>,
    /// What people read.
    pub reading: Reading,
    /// Changes that would narrow the corrected rate of all groups, the best first.
    pub narrower: Vec<Narrower>,
    /// How the cap would be spent best; null without one, and where the audit leaves the sizes to it.
    pub best_split: Option<SplitRow>,
}

/// Predicted rates of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictedRow {
    /// The group's values; empty for all groups together.
    pub group: Vec<String>,
    /// Units of the corpus.
    pub units: u64,
    /// Units that people are expected to confirm.
    pub confirmed: f64,
    /// What the funnel would confirm.
    pub catchable: Targets,
    /// The same over the sensitivity.
    pub corrected: Targets,
}

/// A rate of this corpus, and of the traffic it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Targets {
    /// Of this corpus.
    pub corpus: Figure,
    /// Of the traffic.
    pub traffic: Figure,
}

/// A predicted rate, 0 to 1, with its limits; or why the report would have none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The rate.
    pub estimate: Option<f64>,
    /// Its lower limit.
    pub lower: Option<f64>,
    /// Its upper limit.
    pub upper: Option<f64>,
    /// Upper less lower limit, over the rate.
    pub relative_width: Option<f64>,
    /// Why there are none, and what to add.
    pub reason: Option<String>,
}

/// The smallest ratio of two groups' rates that would show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RatioRow {
    /// The group whose rate is divided.
    pub over: Vec<String>,
    /// The group that it is divided by.
    pub under: Vec<String>,
    /// The ratio; null if not even one of 10,000 would show.
    pub ratio: Option<f64>,
    /// The probability that it shows.
    pub power: f64,
}

/// What people read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// Flagged and upheld units; without a second grader, flagged ones.
    pub upheld: f64,
    /// Flagged units that the second grader turned down.
    pub turned_down: f64,
    /// Cleared units.
    pub cleared: f64,
    /// Hidden gold.
    pub gold: f64,
    /// Hours.
    pub hours: f64,
    /// What these cost, in US dollars.
    pub cost_usd: f64,
}

/// A change that would narrow the corrected rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Narrower {
    /// The change.
    pub change: &'static str,
    /// Relative width of the corrected rate of this corpus then.
    pub relative_width: f64,
}

/// How a cap would be spent best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitRow {
    /// Units that a cue hits.
    pub hits: u64,
    /// Their screening, in US dollars.
    pub hits_usd: f64,
    /// Units without a cue, drawn at random.
    pub others: u64,
    /// Their screening, in US dollars.
    pub others_usd: f64,
    /// Questions to the second grader.
    pub confirm: f64,
    /// What they cost, in US dollars.
    pub confirm_usd: f64,
    /// What is kept for replies that are longer than expected, in US dollars.
    pub kept_usd: f64,
    /// Upheld units to read.
    pub read_upheld: f64,
    /// Turned-down units to read.
    pub read_turned_down: f64,
    /// Known positives of each group to find.
    pub known_positives: u64,
    /// Relative width of the corrected rate of this corpus then.
    pub relative_width: Option<f64>,
}

impl Buys {
    pub(super) fn new(prospect: &Prospect) -> Self {
        let row = |scope: &Scope| PredictedRow {
            group: scope.group.clone().unwrap_or_default().0,
            units: scope.units,
            confirmed: scope.confirmed,
            catchable: targets(&scope.catchable),
            corrected: targets(&scope.corrected),
        };
        let (reads, assume) = (&prospect.reads, &prospect.assume);
        let ratios = prospect.prediction.shown.iter().map(|shown| RatioRow {
            over: shown.over.0.clone(),
            under: shown.under.0.clone(),
            ratio: shown.ratio,
            power: POWER,
        });
        let narrower = prospect.gains.iter();
        Self {
            let_in: prospect.let_in,
            level: prospect.outline.level.get(),
            rates: prospect.prediction.scopes.iter().map(row).collect(),
            ratios: ratios.collect(),
            reading: Reading {
                upheld: reads.upheld,
                turned_down: reads.turned_down,
                cleared: reads.cleared,
                gold: reads.gold,
                hours: reads.hours(assume),
                cost_usd: reads.cost_usd(assume),
            },
            narrower: narrower
                .map(|gain| Narrower { change: gain.lever.as_str(), relative_width: gain.width })
                .collect(),
            best_split: prospect.best.as_ref().map(split),
        }
    }

    fn width(&self) -> Option<f64> {
        self.rates.first()?.corrected.corpus.relative_width
    }
}

fn split(best: &Split) -> SplitRow {
    SplitRow {
        hits: best.hits.0,
        hits_usd: best.hits.1,
        others: best.others.0,
        others_usd: best.others.1,
        confirm: best.confirm.0,
        confirm_usd: best.confirm.1,
        kept_usd: best.kept_usd,
        read_upheld: best.reads.upheld,
        read_turned_down: best.reads.turned_down,
        known_positives: ASSUMED_KNOWN,
        relative_width: best.width,
    }
}

fn targets(both: &Both) -> Targets {
    Targets { corpus: figure(&both.corpus), traffic: figure(&both.traffic) }
}

fn figure(predicted: &Result<Predicted, String>) -> Figure {
    let (predicted, reason) = match predicted {
        Ok(predicted) => (Some(predicted), None),
        Err(reason) => (None, Some(reason.clone())),
    };
    Figure {
        estimate: predicted.map(|predicted| predicted.estimate),
        lower: predicted.map(|predicted| predicted.lower),
        upper: predicted.map(|predicted| predicted.upper),
        relative_width: predicted.and_then(Predicted::relative_width),
        reason,
    }
}

/// At most so many groups are printed; the JSON has all of them.
const MAX_GROUPS: usize = 12;

/// The section of a page.
pub(super) fn section(page: &mut Page, buys: &Buys, unit: &str) {
    page.heading("What this spend should buy");
    let figures = buys.rates.iter().flat_map(|row| [&row.catchable.corpus, &row.corrected.corpus]);
    let rates = figures.filter_map(|figure| figure.estimate.filter(|rate| *rate > 0.0).or(figure.upper));
    let scale = rates.map(Scale::fitting).max().unwrap_or(Scale::TenThousand);
    let head = format!("{} {unit}s", scale.as_str());
    page.line(&format!("  {head:<20} {:<10} {:<20}{:<20}{:>6}", "", "this corpus", "its traffic", "width"));
    for row in buys.rates.iter().take(MAX_GROUPS + 1) {
        let name = if row.group.is_empty() { "all".to_owned() } else { Group(row.group.clone()).to_string() };
        let mut name = page.row_name(&escape(&name), 20);
        for (rung, targets) in [("catchable", &row.catchable), ("corrected", &row.corrected)] {
            let figures = format!("{:<20}{:<20}", shown(&targets.corpus, scale), shown(&targets.traffic, scale));
            let figures = page.ink(Ink::Figure, &figures);
            let width = targets.corpus.relative_width.map_or("-".to_owned(), |width| format!("{width:.2}"));
            page.line(&format!("  {name:<20} {rung:<10} {figures}{width:>6}"));
            name.clear();
        }
    }
    let hidden = buys.rates.len().saturating_sub(MAX_GROUPS + 1);
    if hidden > 0 {
        page.wrapped("  ", &format!("{} more groups: see --format json.", count(hidden as u64)));
    }
    for note in notes(buys, unit) {
        page.wrapped("  ", &note);
    }
}

fn shown(figure: &Figure, scale: Scale) -> String {
    let (Some(estimate), Some(lower), Some(upper)) = (figure.estimate, figure.lower, figure.upper) else {
        return "-".to_owned();
    };
    let (estimate, limits) = scale.interval(estimate, lower, upper);
    format!("{estimate} {limits}")
}

/// What a reader must know of these rows, each sentence once.
fn notes(buys: &Buys, unit: &str) -> Vec<String> {
    let mut notes = vec![format!(
        "{}% intervals; width is that of this corpus over its rate: 1.00 is an interval as wide as the rate is high.",
        buys.level * 100.0
    )];
    if buys.let_in < 1.0 {
        let percent = buys.let_in * 100.0;
        notes.push(format!(
            "The cap is expected to let in {percent:.0}% of the planned {unit}s: the figures are of those."
        ));
    }
    for row in &buys.rates {
        for figure in [&row.catchable.corpus, &row.corrected.corpus, &row.catchable.traffic, &row.corrected.traffic] {
            let Some(reason) = &figure.reason else { continue };
            let note = format!("No figure (-) where {}.", escape(reason));
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes.extend(buys.ratios.iter().map(ratio));
    let confirmed = buys.rates.first().map_or(0.0, |row| row.confirmed);
    notes.push(reading(&buys.reading, confirmed, unit));
    if confirmed < 1.0 {
        notes.push("Less than one is expected to be confirmed: only the upper limits say anything.".to_owned());
    }
    if let (Some(width), false) = (buys.width(), buys.narrower.is_empty()) {
        let changes: Vec<String> = buys
            .narrower
            .iter()
            .map(|narrower| format!("{} ({:.2})", narrower.change, narrower.relative_width))
            .collect();
        notes.push(format!("What narrows corrected most, from {width:.2}: {}.", changes.join("; ")));
    }
    notes
}

fn ratio(row: &RatioRow) -> String {
    let [over, under] = [&row.over, &row.under].map(|group| escape(&Group(group.clone()).to_string()));
    match row.ratio {
        Some(ratio) => format!(
            "Between {over} and {under} the smallest ratio that would show, four times in five, is {ratio:.1}, if the gate \
             detects both alike."
        ),
        None => format!("Between {over} and {under} no ratio would show: too little is expected of one."),
    }
}

fn reading(reading: &Reading, confirmed: f64, unit: &str) -> String {
    let mut parts = vec![format!("{} flagged and upheld", about(reading.upheld))];
    for (units, which) in [(reading.turned_down, "flagged and turned down"), (reading.cleared, "cleared")] {
        if units > 0.0 {
            parts.push(format!("{} {which}", about(units)));
        }
    }
    let cost = if reading.cost_usd > 0.0 { format!(", ${:.2}", reading.cost_usd) } else { String::new() };
    let all = about(reading.upheld + reading.turned_down + reading.cleared);
    let unit = if all == "1" { unit.to_owned() } else { format!("{unit}s") };
    let time = match reading.hours * 60.0 {
        minutes if minutes < 1.0 => "under a minute".to_owned(),
        minutes if minutes < 90.0 => format!("{minutes:.0} min"),
        _ => format!("{:.1} hours", reading.hours),
    };
    let confirmed = match confirmed {
        few if few < 1.0 => format!("{few:.2}"),
        some if some < 10.0 => format!("{some:.1}"),
        many => about(many),
    };
    let parts = parts.join(", ");
    let (gold, of_units) = match reading.gold {
        none if none <= 0.0 => (String::new(), String::new()),
        gold => (format!(" and {} texts of hidden gold", about(gold)), format!(" of the {unit}")),
    };
    format!("People read about {all} {unit} ({parts}){gold} in {time}{cost}, and confirm {confirmed}{of_units}.")
}

/// A number of units, to the nearest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an expected count is not negative, and the cast saturates"
)]
pub(super) fn about(units: f64) -> String {
    count(units.round() as u64)
}

/// How the cap would be spent best, as a section of a page.
pub(super) fn best(page: &mut Page, buys: &Buys, cap_usd: f64) {
    let Some(best) = &buys.best_split else { return };
    page.heading(&format!("{:<42}{:>13}{:>13}", format!("Best use of ${cap_usd:.2}"), "units", "cost"));
    let mut row = |name: &str, units: String, usd: f64| {
        page.line(&format!("  {name:<40}{units:>13}{:>13}", format!("${usd:.2}")));
    };
    row("with a cue", count(best.hits), best.hits_usd);
    row("without a cue, at random", count(best.others), best.others_usd);
    row("second grader", about(best.confirm), best.confirm_usd);
    row("kept for longer replies than expected", String::new(), best.kept_usd);
    let width = match (best.relative_width, buys.width()) {
        (Some(best), Some(now)) => format!("Width of corrected then: {best:.2}; as planned: {now:.2}."),
        (Some(best), None) => format!("Width of corrected then: {best:.2}."),
        (None, _) => "Even so there would be no corrected rate.".to_owned(),
    };
    page.wrapped(
        "  ",
        &format!(
            "{width} Labels: read {} upheld and {} turned down, and find {} known positives of each group. `allocate = \
             \"auto\"` under [sample] draws so.",
            about(best.read_upheld),
            about(best.read_turned_down),
            best.known_positives
        ),
    );
}

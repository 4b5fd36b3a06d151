//! Two behaviours on the same units, as a table of two by two.

use serde::Serialize;

use super::escape::escape;
use super::layout::{Page, Style};
use super::rate::{count, units};
use crate::estimate::compare::table::Table;
use crate::model::comparison::RatioFigure;
use crate::model::rate::Level;
use crate::model::unit::UnitKind;

/// What one of the two runs counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The run.
    pub run: String,
    /// The behaviour.
    pub behaviour: String,
    /// The definition.
    pub definition: String,
    /// That a grader's prompt is a draft: nothing of this run is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
}

/// How often two behaviours were confirmed, by people or, where they are silent, by the second grader, on the same
/// units, of those that both runs graded. It speaks of these units: they were drawn with unequal probabilities, and
/// nothing here is weighted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cooccurrence {
    /// What the runs counted.
    pub runs: [Counted; 2],
    /// What was counted.
    pub unit: UnitKind,
    /// Units that both runs graded.
    pub units: u64,
    /// Units confirmed in both.
    pub both: u64,
    /// Units confirmed in the first only.
    pub first_only: u64,
    /// Units confirmed in the second only.
    pub second_only: u64,
    /// Units confirmed in neither.
    pub neither: u64,
    /// Confidence level of the limits.
    pub level: f64,
    /// The odds ratio with exact limits, given the margins; null where they leave no choice.
    pub odds_ratio: Option<RatioFigure>,
    /// Fisher's exact two-sided p-value of independence.
    pub p: f64,
}

impl Cooccurrence {
    /// Of a table.
    #[must_use]
    pub fn new(runs: [Counted; 2], unit: UnitKind, table: Table, level: Level) -> Self {
        let finite = |number: f64| number.is_finite().then_some(number);
        let odds = table.odds_ratio(level);
        Self {
            runs,
            unit,
            units: table.both + table.first_only + table.second_only + table.neither,
            both: table.both,
            first_only: table.first_only,
            second_only: table.second_only,
            neither: table.neither,
            level: level.get(),
            odds_ratio: odds.map(|odds| RatioFigure {
                estimate: finite(odds.estimate),
                lower: odds.lower,
                upper: finite(odds.upper),
            }),
            p: table.fisher().two_sided,
        }
    }

    /// The table as text, 80 columns wide.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let [first, second] = self.runs.each_ref().map(|run| {
            let of = if run.definition == run.behaviour { String::new() } else { format!(" ({})", run.definition) };
            escape(&format!("{}{of}", run.behaviour))
        });
        let mut page = Page::new(style);
        page.watermark(self.runs.iter().find_map(|run| run.watermark));
        page.wrapped("A: ", &format!("{first}, run {}", escape(&self.runs[0].run)));
        page.wrapped("B: ", &format!("{second}, run {}", escape(&self.runs[1].run)));
        page.heading(&format!("{} that both runs graded", units(self.units, self.unit)));
        let row = |name: &str, with: &str, without: &str| format!("  {name:<22}{with:>14}{without:>14}");
        page.line(&row("", "B confirmed*", "B not"));
        page.line(&row("A confirmed*", &count(self.both), &count(self.first_only)));
        page.line(&row("A not", &count(self.second_only), &count(self.neither)));
        page.line("  * by people, or by the second grader where people are silent");
        page.line("");
        page.wrapped("", &self.odds());
        page.wrapped(
            "",
            "It speaks of these units, which were drawn with unequal probabilities, and not of the traffic. That two things \
             occur together says nothing about what causes what.",
        );
        page.finish()
    }

    fn odds(&self) -> String {
        let number = |number: f64| if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") };
        let end = |end: Option<f64>| end.map_or_else(|| "infinite".to_owned(), number);
        let Some(odds) = &self.odds_ratio else {
            return "No odds ratio: one of the two was confirmed on none of these units, or on all.".to_owned();
        };
        format!(
            "Odds ratio {} [{}, {}] at {}%, p = {:.2e} (exact, given the margins).",
            end(odds.estimate),
            number(odds.lower),
            end(odds.upper),
            self.level * 100.0,
            self.p
        )
    }
}

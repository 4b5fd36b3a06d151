//! How much of what was wanted each grader was shown, and what reading in chunks does to its flags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::build::rounded;
use super::rate::count;
use crate::estimate::interval::{Share, clopper_pearson};
use crate::model::asking::Shown;
use crate::model::context::{ChunkTally, ContextTally, SeenTally, WHOLE};
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::model::rate::Level;
use crate::model::tally::Tally;

/// What one stage was shown of the admitted units that ended there. It is in no rate, and not in the report's digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextRow {
    /// The stage.
    pub stage: Stage,
    /// How much it was to be shown; absent for older runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Shown>,
    /// Units that nothing was asked about, because too little would have been visible: `cannot_judge`, at no cost.
    pub below_floor: u64,
    /// By how the units ended.
    pub outcomes: BTreeMap<OutcomeKind, SeenRow>,
    /// By the number of chunks in which the units were read; only where any was read in several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_chunks: Vec<ChunkRow>,
}

/// Units that ended alike. Shares are rounded to four digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeenRow {
    /// Units.
    pub units: u64,
    /// Those of which something that was wanted was not shown.
    pub cut: u64,
    /// Mean share of the wanted context that was shown.
    pub coverage: f64,
    /// The least share.
    pub coverage_least: f64,
    /// Mean share of the whole conversation that was shown, wanted or not; absent for journals that do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_conversation: Option<f64>,
}

/// Units that were read in this many chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkRow {
    /// Fewest chunks; 1 is a unit that was read in one piece.
    pub from: u16,
    /// Most chunks; absent without a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
    /// Units.
    pub units: u64,
    /// Those with a usable verdict.
    pub usable: u64,
    /// Those of them that the stage takes further: flagged at the screen, upheld at the confirmer.
    pub holds: u64,
    /// Their share of the usable, with exact limits; null without a usable verdict. It is no rate of anything: units are not
    /// weighted.
    pub share: Option<f64>,
    /// Lower limit.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
    /// Why there is no share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The fewest chunks of each row.
const ROWS: [u16; 6] = [1, 2, 3, 5, 9, 17];

/// A row for every stage that told what it was shown; whoever recorded verdicts elsewhere did not.
pub(super) fn rows(tally: &Tally) -> Vec<ContextRow> {
    let row = |(stage, context): (&Stage, &ContextTally)| ContextRow {
        stage: *stage,
        window: window(&tally.plan, *stage),
        below_floor: context.below_floor,
        outcomes: context.outcomes.iter().map(|(kind, seen)| (*kind, seen_row(seen))).collect(),
        by_chunks: by_chunks(context, tally.level),
    };
    let is_recorded =
        |stage| tally.plan.graders.iter().any(|grader| grader.stage == stage && grader.recorded.is_some());
    let told = tally.context.iter().filter(|(stage, context)| !context.outcomes.is_empty() && !is_recorded(**stage));
    told.map(row).collect()
}

fn window(plan: &Planned, stage: Stage) -> Option<Shown> {
    let grader = plan.graders.iter().find(|grader| grader.stage == stage)?;
    grader.asking.as_ref().map(|asking| asking.window)
}

fn seen_row(seen: &SeenTally) -> SeenRow {
    SeenRow {
        units: seen.units,
        cut: seen.cut,
        coverage: mean(seen.coverage, seen.units).unwrap_or_default(),
        coverage_least: f64::from(seen.least.unwrap_or_default()) / f64::from(WHOLE),
        of_conversation: mean(seen.of_conversation, seen.measured),
    }
}

#[expect(clippy::cast_precision_loss, reason = "sums of shares of far fewer than 2^39 units")]
fn mean(sum: u64, units: u64) -> Option<f64> {
    (units > 0).then(|| (sum as f64 / units as f64).round() / f64::from(WHOLE))
}

fn by_chunks(context: &ContextTally, level: Level) -> Vec<ChunkRow> {
    if context.by_chunks.keys().all(|chunks| *chunks < 2) {
        return Vec::new();
    }
    let bounds = ROWS.iter().zip(ROWS.iter().skip(1).map(|next| Some(next - 1)).chain([None]));
    let row = |(from, to): (&u16, Option<u16>)| {
        let mut total = ChunkTally::default();
        for (chunks, tally) in &context.by_chunks {
            let chunks = (*chunks).max(1);
            if chunks >= *from && to.is_none_or(|to| chunks <= to) {
                total.units += tally.units;
                total.usable += tally.usable;
                total.holds += tally.holds;
            }
        }
        chunk_row((*from, to), total, level)
    };
    bounds.map(row).filter(|row| row.units > 0).collect()
}

fn chunk_row((from, to): (u16, Option<u16>), total: ChunkTally, level: Level) -> ChunkRow {
    let share = Share::new(total.holds, total.usable);
    let limits = share.map(|share| clopper_pearson(share, level));
    ChunkRow {
        from,
        to,
        units: total.units,
        usable: total.usable,
        holds: total.holds,
        share: share.map(|share| rounded(share.estimate())),
        lower: limits.map(|limits| rounded(limits.lower)),
        upper: limits.map(|limits| rounded(limits.upper)),
        reason: share.is_none().then(|| "none of them has a usable verdict".to_owned()),
    }
}

impl ContextRow {
    /// The mean share of a conversation that was in view, over all units of which it is known.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn of_conversation(&self) -> Option<f64> {
        let known = || self.outcomes.values().filter_map(|row| Some((row.units as f64, row.of_conversation?)));
        let units: f64 = known().map(|(units, _)| units).sum();
        (units > 0.0).then(|| known().map(|(units, shown)| units * shown).sum::<f64>() / units)
    }

    /// Sentences for the terminal: only what a reader has to know, so none where everything wanted was shown in one piece.
    pub(super) fn lines(&self) -> Vec<String> {
        let stage = self.stage.as_str();
        let units: u64 = self.outcomes.values().map(|row| row.units).sum();
        let cut: u64 = self.outcomes.values().map(|row| row.cut).sum();
        let mut lines = Vec::new();
        if cut > 0 {
            let least = self.outcomes.values().map(|row| row.coverage_least).fold(1.0, f64::min) * 100.0;
            lines.push(format!(
                "{stage}: {} of {} units were judged or passed over with a cut context, the worst with {least:.0}% of it",
                count(cut),
                count(units)
            ));
        }
        if let Some(shown) = self.of_conversation().filter(|shown| *shown < 0.995) {
            lines.push(format!("{stage}: {:.0}% of a conversation's text was in view, on average", shown * 100.0));
        }
        if self.below_floor > 0 {
            let floor = self.window.map_or(String::new(), |window| {
                format!(
                    " (`min_coverage` {:.0}%, or half of the unit, or a task that is gone)",
                    window.min_coverage * 100.0
                )
            });
            lines.push(format!(
                "{stage}: {} not asked about, because too little would have been visible{floor}",
                count(self.below_floor)
            ));
        }
        let row = |row: &ChunkRow| {
            let range = match row.to {
                Some(to) if to == row.from => row.from.to_string(),
                Some(to) => format!("{}-{to}", row.from),
                None => format!("{} or more", row.from),
            };
            let share = row.share.map_or("none".to_owned(), |share| format!("{:.2}%", share * 100.0));
            format!("{range}: {} of {} ({share})", count(row.holds), count(row.usable))
        };
        if !self.by_chunks.is_empty() {
            let rows: Vec<_> = self.by_chunks.iter().map(row).collect();
            lines.push(format!(
                "{stage}: taken further by number of chunks: {}. A unit in more chunks has more chances of a false flag",
                rows.join(", ")
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> ContextTally {
        let seen =
            SeenTally { units: 3, cut: 1, coverage: 25_000, least: Some(5_000), measured: 0, of_conversation: 0 };
        let chunks = |units, usable, holds| ChunkTally { units, usable, holds };
        ContextTally {
            outcomes: [(OutcomeKind::Graded, seen)].into(),
            below_floor: 0,
            by_chunks: [(0, chunks(80, 80, 4)), (2, chunks(10, 10, 1)), (7, chunks(4, 3, 1)), (40, chunks(1, 0, 0))]
                .into(),
        }
    }

    #[test]
    fn units_are_ranged_by_chunks_and_none_is_lost() {
        let rows = by_chunks(&context(), Level::new(0.95).unwrap());
        let found: Vec<_> = rows.iter().map(|row| (row.from, row.to, row.units, row.usable, row.holds)).collect();
        assert_eq!(
            found,
            [(1, Some(1), 80, 80, 4), (2, Some(2), 10, 10, 1), (5, Some(8), 4, 3, 1), (17, None, 1, 0, 0)]
        );
        assert_eq!(rows[3].share, None, "nothing usable has no share");
        let all_whole = ContextTally { by_chunks: [(0, ChunkTally::default())].into(), ..context() };
        assert_eq!(by_chunks(&all_whole, Level::new(0.95).unwrap()), []);
    }

    #[test]
    fn shares_are_means_and_what_is_unknown_is_null() {
        let row = seen_row(&context().outcomes[&OutcomeKind::Graded]);
        assert!((row.coverage - 0.8333).abs() < 1e-12 && (row.coverage_least - 0.5).abs() < 1e-12);
        assert_eq!(row.of_conversation, None);
    }
}

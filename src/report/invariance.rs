//! Whether a grader's verdicts move with what is said of their consequences, as a report says it. No figure of an audit.

use serde::Serialize;

use super::build::rounded;
use super::escape::escape;
use super::layout::{Ink, Page, Style};
use super::rate::count;
use crate::estimate::compare::invariance::{Moved, fewest_flips, invariance};
use crate::estimate::compare::paired::Paired;
use crate::model::grading::PromptLabel;
use crate::model::hash::Digest;
use crate::model::rate::Level;
use crate::model::unit::UnitKind;

/// The version of [`InvarianceReport`] that this build writes.
pub const INVARIANCE_SCHEMA: u32 = 1;

/// Which units a pair belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairSet {
    /// Gold that shows the behaviour.
    GoldPresent,
    /// Gold that does not.
    GoldAbsent,
    /// Random units of a run.
    Random,
}

/// One unit, asked plainly and under a framing; `None` without a usable verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Which units it belongs to.
    pub set: PairSet,
    /// Plainly: whether it is flagged, and the score.
    pub plain: Option<(bool, u8)>,
    /// Under the framing.
    pub framed: Option<(bool, u8)>,
}

/// A framing with its pairs, before anything is counted.
#[derive(Debug, Clone)]
pub struct Framed {
    /// Its name.
    pub id: String,
    /// What it adds to the prompt.
    pub text: String,
    /// Whether it says nothing of consequences.
    pub control: bool,
    /// Its pairs; absent if it was not asked.
    pub pairs: Option<Vec<Pair>>,
}

/// What was asked, of whom.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The audit.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// The prompt that was framed.
    pub prompt: PromptLabel,
    /// The digest of its content.
    pub prompt_hash: Digest,
    /// The model asked for.
    pub model: String,
    /// That the prompt is a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// Whether the grader is the simulated one.
    pub simulated: bool,
    /// What is graded.
    pub unit: UnitKind,
    /// The run whose random units were asked about; null with gold alone.
    pub run: Option<String>,
    /// Why there is no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_reason: Option<String>,
    /// Confidence level of limits and tests.
    pub level: f64,
}

/// What it took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Took {
    /// Requests that were sent.
    pub requests: u64,
    /// Verdicts that were derived from replies that were there before.
    pub replayed: u64,
    /// Dollars that were spent.
    pub usd: f64,
    /// Why it ended early; null if everything was asked.
    pub stopped: Option<&'static str>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A framing moved the flags beyond chance.
    Moved,
    /// None did.
    NotMoved,
    /// Too few units are flagged, or too few are not, to tell.
    TooFew,
    /// Not every framing was asked about every unit.
    Unfinished,
}

/// A whole check.
#[derive(Debug, Serialize)]
pub struct InvarianceReport {
    /// [`INVARIANCE_SCHEMA`].
    pub schema: u32,
    /// What was asked, of whom.
    #[serde(flatten)]
    pub subject: Subject,
    /// What came of it.
    pub conclusion: Conclusion,
    /// Flips one way that a framing needs to be told from chance.
    pub fewest_flips: u64,
    /// Every framing.
    pub framings: Vec<FramingRow>,
    /// What it took.
    #[serde(flatten)]
    pub took: Took,
}

/// One framing against the plain question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FramingRow {
    /// Its name.
    pub id: String,
    /// What it adds to the prompt.
    pub text: String,
    /// Whether it says nothing of consequences: it is no part of the family and of the conclusion.
    pub control: bool,
    /// Units with a usable verdict both ways.
    pub units: u64,
    /// Units without one on either side.
    pub undecided: u64,
    /// Flagged plainly.
    pub plain_positive: u64,
    /// Flagged under the framing.
    pub positive: u64,
    /// Flagged plainly and not under the framing.
    pub lost: u64,
    /// Flagged under the framing only.
    pub gained: u64,
    /// The same by kind of unit.
    pub sets: Vec<SetFlips>,
    /// Change of the flagged share; null if nothing was asked.
    pub difference: Option<f64>,
    /// Lower limit.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
    /// Mean change of the score, on its scale of 100.
    pub score_change: Option<f64>,
    /// McNemar's exact p-value.
    pub exact_p: Option<f64>,
    /// The same after Holm, over the framings that are no control; of a control, its own.
    pub adjusted_p: Option<f64>,
    /// Whether the flags moved beyond chance.
    pub moved: Option<bool>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Flips among units of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetFlips {
    /// `gold_present`, `gold_absent` or `random`.
    pub set: &'static str,
    /// Units with a usable verdict both ways.
    pub units: u64,
    /// Flagged plainly only.
    pub lost: u64,
    /// Flagged under the framing only.
    pub gained: u64,
}

const SETS: [(PairSet, &str); 3] =
    [(PairSet::GoldPresent, "gold_present"), (PairSet::GoldAbsent, "gold_absent"), (PairSet::Random, "random")];

impl InvarianceReport {
    /// Counts and tests.
    ///
    /// # Panics
    ///
    /// Never: the level of an audit is checked when it is read.
    #[must_use]
    pub fn new(subject: Subject, framings: &[Framed], took: Took) -> Self {
        let level = Level::new(subject.level).expect("the level was checked");
        let tables: Vec<_> = framings.iter().map(|framed| table(framed.pairs.as_deref().unwrap_or_default())).collect();
        let of = |is_control: bool| {
            let chosen = framings.iter().zip(&tables).filter(move |(framed, _)| framed.control == is_control);
            chosen.map(|(_, table)| *table).collect::<Vec<_>>()
        };
        let (mut family, controls) = (invariance(&of(false), level).into_iter(), of(true));
        let mut controls = controls.iter().map(|table| invariance(&[*table], level)[0]);
        let row = |(framed, table): (&Framed, &Paired)| {
            let moved = if framed.control { controls.next() } else { family.next() };
            row(framed, *table, moved.flatten())
        };
        let rows: Vec<FramingRow> = framings.iter().zip(&tables).map(row).collect();
        let fewest_flips = fewest_flips(of(false).len(), level);
        let conclusion = conclusion(&rows, fewest_flips, took.stopped.is_some());
        Self { schema: INVARIANCE_SCHEMA, subject, conclusion, fewest_flips, framings: rows, took }
    }
}

/// A framing that moved is one, finished or not; that none did takes all of them, and enough units to see it.
fn conclusion(rows: &[FramingRow], fewest_flips: u64, is_stopped: bool) -> Conclusion {
    let family = || rows.iter().filter(|row| !row.control);
    let can_show =
        |row: &FramingRow| row.plain_positive >= fewest_flips && row.units - row.plain_positive >= fewest_flips;
    if family().any(|row| row.moved == Some(true)) {
        Conclusion::Moved
    } else if is_stopped {
        Conclusion::Unfinished
    } else if family().all(can_show) {
        Conclusion::NotMoved
    } else {
        Conclusion::TooFew
    }
}

fn table(pairs: &[Pair]) -> Paired {
    let mut paired = Paired { both: 0, first_only: 0, second_only: 0, neither: 0 };
    for (plain, framed) in pairs.iter().copied().filter_map(decided) {
        let cell = match (plain, framed) {
            (true, true) => &mut paired.both,
            (true, false) => &mut paired.first_only,
            (false, true) => &mut paired.second_only,
            (false, false) => &mut paired.neither,
        };
        *cell += 1;
    }
    paired
}

fn decided(pair: Pair) -> Option<(bool, bool)> {
    Some((pair.plain?.0, pair.framed?.0))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn row(framed: &Framed, table: Paired, moved: Option<Moved>) -> FramingRow {
    let pairs = framed.pairs.as_deref().unwrap_or_default();
    let Paired { both, first_only, second_only, neither } = table;
    let units = both + first_only + second_only + neither;
    let set = |(set, name): (PairSet, &'static str)| {
        let of_set: Vec<Pair> = pairs.iter().filter(|pair| pair.set == set).copied().collect();
        let Paired { both, first_only: lost, second_only: gained, neither } = self::table(&of_set);
        SetFlips { set: name, units: both + lost + gained + neither, lost, gained }
    };
    let changes = pairs.iter().filter_map(|pair| Some(f64::from(pair.framed?.1) - f64::from(pair.plain?.1)));
    let change = changes.sum::<f64>() / units.max(1) as f64;
    let reason = if framed.pairs.is_none() { "it was not asked" } else { "no unit has a usable verdict both ways" };
    FramingRow {
        id: framed.id.clone(),
        text: framed.text.clone(),
        control: framed.control,
        units,
        undecided: pairs.len() as u64 - units,
        plain_positive: both + first_only,
        positive: both + second_only,
        lost: first_only,
        gained: second_only,
        sets: SETS.into_iter().map(set).filter(|set| set.units > 0).collect(),
        difference: moved.map(|moved| rounded(moved.difference)),
        lower: moved.map(|moved| rounded(moved.limits.lower)),
        upper: moved.map(|moved| rounded(moved.limits.upper)),
        score_change: moved.map(|_| rounded(change)),
        exact_p: moved.map(|moved| rounded(moved.exact_p)),
        adjusted_p: moved.map(|moved| rounded(moved.adjusted_p)),
        moved: moved.map(|moved| moved.is_moved),
        reason: moved.is_none().then(|| reason.to_owned()),
    }
}

impl InvarianceReport {
    /// The check as text, 80 columns wide.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        page.watermark(self.subject.watermark);
        if self.subject.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        let Subject { prompt, prompt_hash, behaviour, model, .. } = &self.subject;
        page.heading(&format!("{prompt} ({}) of {}, {}", prompt_hash.short(), escape(behaviour), escape(model)));
        if let Some(reason) = &self.subject.run_reason {
            page.wrapped("  gold alone     ", &escape(reason));
        }
        page.line(&format!(
            "  {:<25}{:>6}{:>13}{:>6}{:>7}{:>9}{:>10}",
            "added to the prompt", "units", "flagged", "lost", "gained", "p", "p (Holm)"
        ));
        for row in &self.framings {
            page.line(&line(row));
        }
        for row in self.framings.iter().filter(|row| row.moved == Some(true)) {
            page.wrapped("  ", &told(row));
        }
        let undecided = self.framings.iter().filter(|row| row.undecided > 0);
        let undecided: Vec<_> = undecided.map(|row| format!("{} {}", row.id, count(row.undecided))).collect();
        if !undecided.is_empty() {
            page.wrapped("  without a usable verdict on either side, in no test: ", &undecided.join(", "));
        }
        let words = self.words();
        page.heading(words.0);
        page.wrapped("  ", &words.1);
        page.wrapped(
            "  ",
            &format!(
                "{} requests sent, {} verdicts replayed; ${:.4}. Nothing of this is in a figure of the audit.",
                count(self.took.requests),
                count(self.took.replayed),
                self.took.usd
            ),
        );
        page.finish()
    }

    /// The conclusion in words, with what to do.
    fn words(&self) -> (&'static str, String) {
        let names: Vec<_> = self.moved().map(|row| row.id.as_str()).collect();
        let control = if self.framings.iter().any(|row| row.control && row.moved == Some(true)) {
            " The control moved them as well: any added sentence does it, not only consequences."
        } else {
            ""
        };
        let level = self.subject.level * 100.0;
        match self.conclusion {
            Conclusion::Moved => (
                "Not invariant",
                format!(
                    "The flags move with what is said of their consequences ({}). The prompt says nothing of them, and \
                     so nothing of this is in your rates; but a transcript that speaks of consequences may move this grader in \
                     the same way. Try another model or a prompt that asks for the quote first.{control}",
                    names.join(", ")
                ),
            ),
            Conclusion::NotMoved => {
                let (lower, upper) = self.widest();
                (
                    "No framing moved the flags",
                    format!(
                        "No change beyond chance. {} flips one way would have shown. At {level}%, each framing changes the flagged \
                         share of these units by no less than {:+.1} and no more than {:+.1} points.{control}",
                        self.fewest_flips,
                        lower * 100.0,
                        upper * 100.0
                    ),
                )
            }
            Conclusion::TooFew => (
                "Too few units to tell",
                format!(
                    "A framing has to flip at least {} units one way to be told from chance, and fewer than that are flagged, \
                     or are not. Add gold of both kinds, or take more units: `--sample`.{control}",
                    self.fewest_flips
                ),
            ),
            Conclusion::Unfinished => (
                "Unfinished",
                "Not every framing was asked about every unit: raise `--max-cost` or the cap of the audit, and run again; what \
                 was asked is kept."
                    .to_owned(),
            ),
        }
    }

    fn moved(&self) -> impl Iterator<Item = &FramingRow> {
        self.framings.iter().filter(|row| !row.control && row.moved == Some(true))
    }

    fn widest(&self) -> (f64, f64) {
        let family = || self.framings.iter().filter(|row| !row.control);
        let lower = family().filter_map(|row| row.lower).fold(0.0, f64::min);
        (lower, family().filter_map(|row| row.upper).fold(0.0, f64::max))
    }
}

fn line(row: &FramingRow) -> String {
    let name = if row.control { format!("{} (control)", row.id) } else { row.id.clone() };
    let p = |p: Option<f64>| {
        p.map_or("-".to_owned(), |p| if p < 0.0001 { "<0.0001".to_owned() } else { format!("{p:.4}") })
    };
    let flagged = format!("{} -> {}", count(row.plain_positive), count(row.positive));
    format!(
        "  {name:<25}{:>6}{flagged:>13}{:>6}{:>7}{:>9}{:>10}",
        count(row.units),
        count(row.lost),
        count(row.gained),
        p(row.exact_p),
        if row.control { "-".to_owned() } else { p(row.adjusted_p) }
    )
}

/// What moved, by kind of unit.
fn told(row: &FramingRow) -> String {
    let sets = row.sets.iter().map(|set| {
        let name = match set.set {
            "gold_present" => "gold that shows the behaviour",
            "gold_absent" => "gold that does not",
            _ => "random units",
        };
        format!("{} lost and {} gained of {} {name}", count(set.lost), count(set.gained), count(set.units))
    });
    let score = row.score_change.map_or(String::new(), |change| format!("; scores {change:+.1} on average"));
    format!("{}: {}{score}", row.id, sets.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;

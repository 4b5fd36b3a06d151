//! Words that set units of a run apart, as JSON and as a table.

use serde::Serialize;

use super::escape::escape;
use super::layout::{Ink, Page, Style, fitted};
use super::rate::{count, units};
use crate::estimate::cues::CueShare;
use crate::model::unit::UnitKind;

/// What was mined from one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mined {
    /// The run.
    pub run: String,
    /// Whether its verdicts are of the simulated grader.
    pub simulated: bool,
    /// That a grader's prompt is a draft: nothing here is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// What was graded.
    pub unit: UnitKind,
    /// The behaviour.
    pub behaviour: String,
    /// The side whose words are shown.
    pub first: SideRow,
    /// What it is set apart from.
    pub second: SideRow,
    /// Units on neither side: flagged, and nobody has decided.
    pub undecided: u64,
    /// How many conversations of the first side have to hold a word.
    pub least: u64,
    /// Phrases that enough of them hold.
    pub phrases: u64,
    /// The phrases that set the first side apart, clearest first.
    pub suggestions: Vec<Suggestion>,
    /// The graded units without a cue.
    pub without_cue: WithoutCueRow,
    /// New cues in the order in which they find most.
    pub curve: Vec<StepRow>,
    /// Why there is no curve, if there is none.
    pub curve_reason: Option<String>,
    /// The draw that estimates what cues chosen here find.
    pub next_draw: u32,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideRow {
    /// Which units.
    pub what: String,
    /// How many, copies of one content counted once.
    pub units: u64,
    /// Their conversations.
    pub conversations: u64,
}

/// One phrase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    /// The phrase, as a term of `cues.toml`.
    pub phrase: String,
    /// Weighted log-odds ratio over its standard error.
    pub z: f64,
    /// Conversations of the first side that hold it.
    pub first: u64,
    /// Conversations of the second side that hold it.
    pub second: u64,
    /// The class of `cues.toml` that finds it already.
    pub class: Option<String>,
    /// Why there is no class.
    pub class_reason: Option<String>,
    /// The share of the units without a cue that it would newly send.
    pub passes: Option<ShareRow>,
    /// Why there is none.
    pub passes_reason: Option<String>,
    /// The share of the confirmed units without a cue that it hits.
    pub hits: Option<ShareRow>,
    /// Why there is none, and what to add.
    pub hits_reason: Option<String>,
}

/// A share with its limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShareRow {
    /// Units of the sample.
    pub k: u64,
    /// Of so many.
    pub n: u64,
    /// The share, by the weights of the strata.
    pub estimate: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

impl From<CueShare> for ShareRow {
    fn from(share: CueShare) -> Self {
        let CueShare { k, n, estimate, limits } = share;
        let [estimate, lower, upper] = [estimate, limits.lower, limits.upper].map(super::build::rounded);
        Self { k, n, estimate, lower, upper }
    }
}

/// The units without a cue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WithoutCueRow {
    /// In the corpus.
    pub units: u64,
    /// Graded.
    pub graded: u64,
    /// Confirmed.
    pub confirmed: u64,
    /// What the cues find of what there is to catch, as the run's report estimates it.
    pub recall: Option<f64>,
    /// Why there is none.
    pub recall_reason: Option<String>,
}

/// A set of new cues: this one and those before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRow {
    /// The cue that it adds.
    pub phrase: String,
    /// The share of the units without a cue that the set would newly send.
    pub passes: ShareRow,
    /// How many units of the corpus that is.
    pub newly_sent: u64,
    /// The share of the confirmed units without a cue that the set hits.
    pub hits: ShareRow,
    /// The recall of all cues, the old and these.
    pub recall: Option<f64>,
    /// Why there is none.
    pub recall_reason: Option<String>,
}

/// Columns of a phrase.
const PHRASE: usize = 26;

impl Mined {
    /// The table, 80 columns wide.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        page.watermark(self.watermark);
        if self.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        for (lead, side) in [("first side   ", &self.first), ("second side  ", &self.second)] {
            let (units, conversations) = (units(side.units, self.unit), count(side.conversations));
            page.wrapped(lead, &format!("{}: {units} in {conversations} conversations", escape(&side.what)));
        }
        if self.undecided > 0 {
            page.line(&format!("on neither   {}, flagged and not decided", units(self.undecided, self.unit)));
        }
        page.heading("What sets the first side apart");
        page.line(&format!(
            "  {:<PHRASE$}{:>6}{:>7}{:>7}  {:<20}{:>7}",
            "", "z", "first", "second", "cue, or would send", "find"
        ));
        for row in &self.suggestions {
            page.line(&suggestion(row));
        }
        if self.suggestions.is_empty() {
            page.line("  nothing");
        } else {
            let words = "conversations of either side that hold it; the class of the cue that finds it already, or the share \
                         of the units without a cue that it would newly send; confirmed units without a cue that it would find";
            page.wrapped("  ", words);
        }
        self.curve(&mut page);
        page.line("");
        for warning in &self.warnings {
            let lead = page.ink(Ink::Alarm, "!");
            page.wrapped("", &format!("{lead} {}", escape(warning)));
        }
        page.finish()
    }

    fn curve(&self, page: &mut Page) {
        let WithoutCueRow { units: all, graded, confirmed, .. } = &self.without_cue;
        page.heading("New cues together, in the order in which they find most");
        page.line(&format!(
            "  without a cue: {}, {} graded, {} confirmed",
            units(*all, self.unit),
            count(*graded),
            count(*confirmed)
        ));
        for row in &self.curve {
            let recall = row.recall.map(|recall| format!(", recall {}%", percent(recall))).unwrap_or_default();
            page.line(&format!("  + {}", fitted(&escape(&row.phrase), 2 * PHRASE)));
            let (hits, passes) = (shown(&row.hits), shown(&row.passes));
            page.line(&format!("      hits   {hits} of what is confirmed without a cue{recall}"));
            page.line(&format!("      sends  {passes}, {} more", units(row.newly_sent, self.unit)));
        }
        if let Some(reason) = &self.curve_reason {
            page.wrapped("  none: ", &escape(reason));
        }
    }
}

fn suggestion(row: &Suggestion) -> String {
    let sends = match (&row.class, &row.passes) {
        (Some(class), _) => format!("`{}`", escape(class)),
        (None, Some(passes)) => shown(passes),
        (None, None) => "not known".to_owned(),
    };
    let finds = row.hits.as_ref().map(|hits| format!("{}/{}", count(hits.k), count(hits.n))).unwrap_or_default();
    let phrase = fitted(&escape(&row.phrase), PHRASE);
    let sides = format!("{:>6.2}{:>7}{:>7}", row.z, count(row.first), count(row.second));
    format!("  {phrase:<PHRASE$}{sides}  {sends:<20}{finds:>7}")
}

/// A share in per cent, without the sign.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 { format!("{percent:.2}") } else { format!("{percent:.1}") }
}

fn shown(row: &ShareRow) -> String {
    format!("{}% [{}, {}]", percent(row.estimate), percent(row.lower), percent(row.upper))
}

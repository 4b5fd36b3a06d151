//! What a trial of a prompt showed: how it does on gold, and what flipped against a run. For the person who edits it.

use serde::Serialize;

use super::diff::{FlipRow, VerdictRow, conclusion};
use super::escape::escape;
use super::layout::{Ink, Page, Style, fitted};
use super::rate::{count, units};
use crate::estimate::interval::{Share, clopper_pearson};
use crate::model::grading::{PromptLabel, Stage};
use crate::model::hash::Digest;
use crate::model::rate::Level;
use crate::model::unit::UnitKind;
use crate::model::verdict::Judgement;

/// The version of [`TrialReport`] that this build writes.
pub const TRIAL_SCHEMA: u32 = 1;

/// Letters of a quote that are shown.
const QUOTED: usize = 66;

/// A trial.
#[derive(Serialize)]
pub struct TrialReport {
    /// [`TRIAL_SCHEMA`].
    pub schema: u32,
    /// The audit.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// The prompt that was tried.
    pub prompt: PromptLabel,
    /// The digest of its content: what a draft is known by.
    pub prompt_hash: Digest,
    /// The model asked for.
    pub model: String,
    /// That the prompt is a draft: nothing here is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// Whether the grader is the simulated one.
    pub simulated: bool,
    /// What is graded.
    pub unit: UnitKind,
    /// Confidence level of the limits.
    pub level: f64,
    /// How it does on gold; null without any.
    pub gold: Option<GoldRow>,
    /// How it compares with a run; null with its reason beside it.
    pub against: Option<AgainstRow>,
    /// Why there is no run to compare with.
    pub against_reason: Option<String>,
    /// Every unit that flipped: A is the run, B the trial.
    pub flips: Vec<FlipRow>,
    /// Seconds that it took.
    pub seconds: f64,
    /// Requests that were sent.
    pub requests: u64,
    /// Verdicts that were derived from replies that were there before.
    pub replayed: u64,
    /// Dollars that were spent.
    pub usd: f64,
    /// Why it ended early; null if everything was graded.
    pub stopped: Option<&'static str>,
}

/// How a prompt does on items whose answer is known.
#[derive(Default, Serialize)]
pub struct GoldRow {
    /// Items that were asked about.
    pub items: u64,
    /// Of those that show the behaviour, those that it says yes to; null without any.
    pub sensitivity: Option<ShareRow>,
    /// Of those that do not, those that it says no to; null without any.
    pub specificity: Option<ShareRow>,
    /// Items without a usable verdict: they are in neither.
    pub undecided: u64,
    /// Items that were not asked about, because their answer is neither yes nor no here.
    pub aside: u64,
    /// Lines that cannot be read, at most 20.
    pub unreadable: Vec<String>,
    /// Every item that it gets wrong.
    pub wrong: Vec<WrongRow>,
}

/// A share with exact limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareRow {
    /// Right.
    pub k: u64,
    /// Of so many.
    pub n: u64,
    /// The share.
    pub estimate: f64,
    /// Its lower limit, after Clopper and Pearson.
    pub lower: f64,
    /// Its upper limit.
    pub upper: f64,
}

impl ShareRow {
    /// `k` of `n`; nothing of nothing.
    #[must_use]
    pub fn of(k: u64, n: u64, level: Level) -> Option<Self> {
        let share = Share::new(k, n)?;
        let limits = clopper_pearson(share, level);
        Some(Self { k, n, estimate: share.estimate(), lower: limits.lower, upper: limits.upper })
    }
}

/// An item that the prompt gets wrong.
#[derive(Serialize)]
pub struct WrongRow {
    /// The item.
    pub id: String,
    /// What is known of it.
    pub expect: Judgement,
    /// What the grader says.
    pub verdict: VerdictRow,
}

/// The run that a trial is compared with.
#[derive(Debug, Serialize)]
pub struct AgainstRow {
    /// The run.
    pub run: String,
    /// Its prompt.
    pub prompt: Option<PromptLabel>,
    /// The digest of that.
    pub prompt_hash: Option<Digest>,
    /// Units that were tried again.
    pub units: u64,
    /// What it flagged.
    pub flagged: SetRow,
    /// Random units of it, flagged or not.
    pub random: SetRow,
    /// Units that were tried again and that one of the two did not decide.
    pub undecided: u64,
}

/// Units that were tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetRow {
    /// How many.
    pub units: u64,
    /// Of so many; null for a draw.
    pub all: Option<u64>,
    /// From yes to no.
    pub lost: u64,
    /// From no to yes.
    pub gained: u64,
}

impl TrialReport {
    /// The trial as text, 80 columns wide, with the first `most` wrong items and flips.
    #[must_use]
    pub fn render(&self, most: usize, style: Style) -> String {
        let mut page = Page::new(style);
        page.watermark(self.watermark);
        if self.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        page.heading(&format!(
            "{} ({}) of {}, {}",
            self.prompt,
            self.prompt_hash.short(),
            escape(&self.behaviour),
            escape(&self.model)
        ));
        self.gold_lines(&mut page);
        self.against_lines(&mut page);
        page.wrapped(
            "  took           ",
            &format!(
                "{:.1} s; {} sent, {} replayed; {}",
                self.seconds,
                counted(self.requests, "request"),
                counted(self.replayed, "verdict"),
                usd(self.usd)
            ),
        );
        if let Some(reason) = self.stopped {
            let alarm = page.ink(Ink::Alarm, "ended early");
            page.wrapped("  ", &format!("{alarm} ({}): not every unit was asked about", reason.replace('_', " ")));
        }
        self.wrong_lines(&mut page, most);
        self.flip_lines(&mut page, most);
        page.finish()
    }

    fn gold_lines(&self, page: &mut Page) {
        let Some(gold) = &self.gold else {
            page.line("  gold           none: neither figure is known");
            return;
        };
        let level = self.level * 100.0;
        let mut share = |lead: &str, name: &str, of: &str, share: Option<&ShareRow>| {
            let figure = match share {
                Some(ShareRow { k, n, estimate, lower, upper }) => {
                    let figure = page.ink(Ink::Figure, &format!("{name} {estimate:.3}"));
                    format!("{figure} [{lower:.3}, {upper:.3}] at {level}%: {} of {} {of}", count(*k), count(*n))
                }
                None => format!("{name} unknown: there are no {of}"),
            };
            page.line(&format!("  {lead:<15}{figure}"));
        };
        share("gold", "sensitivity", "positives", gold.sensitivity.as_ref());
        share("", "specificity", "negatives", gold.specificity.as_ref());
        if gold.undecided > 0 {
            page.line(&format!("  {:<15}{} without a verdict, in neither", "", counted(gold.undecided, "item")));
        }
        for line in &gold.unreadable {
            page.wrapped("  ! ", &format!("gold that cannot be read: {}", escape(line)));
        }
    }

    fn against_lines(&self, page: &mut Page) {
        let Some(against) = &self.against else {
            let reason = self.against_reason.as_deref().unwrap_or("there is no run");
            page.wrapped("  no flips       ", &escape(reason));
            return;
        };
        let by = against
            .prompt
            .as_ref()
            .zip(against.prompt_hash)
            .map(|(prompt, hash)| format!(", {prompt} ({})", hash.short()));
        page.wrapped("  against        ", &format!("{}{}", escape(&against.run), by.unwrap_or_default()));
        let SetRow { units: tried, all, lost, .. } = against.flagged;
        let all = all.filter(|all| *all > tried).map(|all| format!(" of {}", count(all))).unwrap_or_default();
        page.line(&format!("  {:<15}{}{all}: {} lost", "its flags", units(tried, self.unit), count(lost)));
        let SetRow { units: tried, lost, gained, .. } = against.random;
        page.line(&format!(
            "  {:<15}{}: {} lost, {} gained",
            "random units",
            units(tried, self.unit),
            count(lost),
            count(gained)
        ));
        if against.undecided > 0 {
            page.line(&format!(
                "  {:<15}{} that one of the two did not decide",
                "",
                units(against.undecided, self.unit)
            ));
        }
    }

    fn wrong_lines(&self, page: &mut Page, most: usize) {
        let Some(gold) = self.gold.as_ref().filter(|gold| !gold.wrong.is_empty() && most > 0) else { return };
        page.heading(&some_of("Wrong on gold", gold.wrong.len(), most));
        for wrong in gold.wrong.iter().take(most) {
            let name = fitted(&escape(&wrong.id), 24);
            let expect = wrong.expect.as_str().replace('_', " ");
            page.line(&format!("  {name:<24} is {expect:<8} said {}", conclusion(&wrong.verdict)));
            quote(page, &wrong.verdict);
        }
    }

    fn flip_lines(&self, page: &mut Page, most: usize) {
        if self.flips.is_empty() || most == 0 {
            return;
        }
        page.heading(&some_of("Flips", self.flips.len(), most));
        for flip in self.flips.iter().take(most) {
            let name = fitted(&escape(&flip.unit), 24);
            let way = flip.screen.unwrap_or_default();
            let [a, b] = [&flip.a, &flip.b].map(|verdicts| verdicts.iter().find(|one| one.stage == Stage::Screen));
            let said = |verdict: Option<&VerdictRow>| verdict.map_or_else(|| "not asked".to_owned(), conclusion);
            page.line(&format!("  {name:<24} {way:<7} {} -> {}", said(a), said(b)));
            // What shows the behaviour, whichever side says so.
            if let Some(verdict) = [b, a].into_iter().flatten().find(|verdict| !verdict.evidence.is_empty()) {
                quote(page, verdict);
            }
        }
    }
}

/// One piece of evidence in a line.
fn quote(page: &mut Page, verdict: &VerdictRow) {
    if let Some(evidence) = verdict.evidence.first() {
        let found = if evidence.check.is_verified() { "" } else { " (not found)" };
        let words =
            fitted(&escape(&evidence.quote.split_whitespace().collect::<Vec<_>>().join(" ")), QUOTED - found.len());
        page.line(&format!("      #{} {}: \"{words}\"{found}", evidence.message, evidence.channel.as_str()));
    }
}

fn some_of(what: &str, all: usize, most: usize) -> String {
    let (all, shown) = (count(all as u64), count(most.min(all) as u64));
    if all == shown { format!("{what}: {all}") } else { format!("{what}: {shown} of {all}") }
}

fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

fn usd(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { format!("${usd:.6}") } else { format!("${usd:.4}") }
}

//! The check in a terminal, and in words.

use std::collections::BTreeSet;

use super::{Conclusion, FramingRow, InvarianceReport, Subject};
use crate::report::escape::escape;
use crate::report::layout::{Ink, Page, Style};
use crate::report::rate::count;

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
        self.counted(&mut page, "without a usable verdict on a side, in no test", |row| row.undecided);
        self.counted(&mut page, "without an answer", |row| row.not_asked);
        if self.conclusion == Conclusion::OtherModel {
            page.wrapped("  served plainly as: ", &escape(&listed(&self.subject.served)));
            for row in self.framings.iter().filter(|row| row.served != self.subject.served) {
                page.wrapped(&format!("  {}: ", row.id), &escape(&listed(&row.served)));
            }
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

    fn counted(&self, page: &mut Page, what: &str, units: impl Fn(&FramingRow) -> u64) {
        let rows = self.framings.iter().filter(|row| units(row) > 0);
        let rows: Vec<_> = rows.map(|row| format!("{} {}", row.id, count(units(row)))).collect();
        if !rows.is_empty() {
            page.wrapped(&format!("  {what}: "), &rows.join(", "));
        }
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
            Conclusion::Unusable => {
                let rows = self.framings.iter().filter(|row| !row.control && row.made_unusable >= self.fewest_flips);
                let rows: Vec<_> = rows.map(|row| format!("{} {}", row.id, count(row.made_unusable))).collect();
                (
                    "Verdicts became unusable",
                    format!(
                        "Under a framing, verdicts that are usable plainly are not ({}): refusals, or replies that cannot be \
                         read. So many could hide what a test would find, so nothing is said of the rest.{control}",
                        rows.join(", ")
                    ),
                )
            }
            Conclusion::OtherModel => (
                "Not comparable",
                "Plain replies come from another model than framed ones, which moves flags whatever the framing says. Name \
                 one snapshot as `model` and run again: it is asked all of it anew."
                    .to_owned(),
            ),
            Conclusion::Unfinished => {
                let step = match self.took.stopped {
                    Some("budget" | "deadline") => "raise `--max-cost` or the cap of the audit, and run again",
                    Some(_) | None => "see why it stopped, and run again",
                };
                let words = format!("Not every framing was answered about every unit: {step}; what was answered is kept.");
                ("Unfinished", words)
            }
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

fn listed(served: &BTreeSet<String>) -> String {
    if served.is_empty() { "nobody says".to_owned() } else { served.iter().cloned().collect::<Vec<_>>().join(", ") }
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

//! Two prompt versions beside each other, and the verdicts that each gave.

use std::collections::BTreeMap;

use serde::Serialize;

use super::escape::escape;
use super::layout::{Ink, Page, Style};
use super::rate::count;
use crate::model::grading::PromptLabel;
use crate::model::hash::Digest;
use crate::model::produced::{Produced, Version};
use crate::prompt::{DiffLine, Hunk, Prompt};

/// One version.
#[derive(Debug, Serialize)]
pub struct VersionRow {
    /// Its label.
    pub label: PromptLabel,
    /// The digest of its content.
    pub hash: Digest,
    /// Verdicts that it gave, over all runs of the workspace.
    pub verdicts: u64,
    /// Distinct replies behind them.
    pub replies: u64,
    /// Runs with such a verdict.
    pub runs: u64,
    /// Verdicts under the same label and another text.
    pub verdicts_of_other_texts: u64,
}

impl VersionRow {
    /// Of a prompt, among everything that prompt versions of its behaviour gave.
    #[must_use]
    pub fn of(prompt: &Prompt, produced: &BTreeMap<Version, Produced>) -> Self {
        let version = (prompt.label.clone(), prompt.hash);
        let own = produced.get(&version).copied().unwrap_or_default();
        let others = produced.iter().filter(|((label, hash), _)| *label == prompt.label && *hash != prompt.hash);
        Self {
            label: version.0,
            hash: version.1,
            verdicts: own.verdicts,
            replies: own.replies,
            runs: own.runs,
            verdicts_of_other_texts: others.map(|(_, produced)| produced.verdicts).sum(),
        }
    }
}

/// Two versions, compared.
#[derive(Debug, Serialize)]
pub struct PromptDiff<'a> {
    /// The behaviour.
    pub behaviour: String,
    /// The first version.
    pub a: VersionRow,
    /// The second version.
    pub b: VersionRow,
    /// What differs; empty if nothing does.
    pub hunks: Vec<Hunk<'a>>,
}

impl PromptDiff<'_> {
    /// As text.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut page = Page::new(style);
        for (sign, version) in [('-', &self.a), ('+', &self.b)] {
            page.line(&version_line(sign, version));
            if version.verdicts_of_other_texts > 0 {
                page.wrapped(
                    "    ",
                    &format!(
                        "{} more verdicts were given under this label by another text",
                        count(version.verdicts_of_other_texts)
                    ),
                );
            }
        }
        if self.hunks.is_empty() {
            page.line("\nThe texts are the same.");
        }
        for hunk in &self.hunks {
            let (first, second) = hunk.lengths();
            let head = format!("@@ -{},{first} +{},{second} @@", hunk.first, hunk.second);
            page.heading(&head);
            for line in &hunk.lines {
                let line = match line {
                    DiffLine::Both(text) => format!(" {}", escape(text)),
                    DiffLine::First(text) => page.ink(Ink::Alarm, &format!("-{}", escape(text))),
                    DiffLine::Second(text) => page.ink(Ink::Figure, &format!("+{}", escape(text))),
                };
                page.line(&line);
            }
        }
        page.finish()
    }
}

fn version_line(sign: char, version: &VersionRow) -> String {
    let VersionRow { label, hash, verdicts, replies, runs, .. } = version;
    let many = |number: u64, one: &str| format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" });
    let gave = if *verdicts == 0 {
        "no verdict in the runs of this workspace".to_owned()
    } else {
        let replies = if *replies == 1 { "1 reply".to_owned() } else { format!("{} replies", count(*replies)) };
        format!("{} in {}, from {replies}", many(*verdicts, "verdict"), many(*runs, "run"))
    };
    format!("{sign}{sign}{sign} {label} ({}): {gave}", hash.short())
}

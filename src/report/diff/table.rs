//! A comparison of two gradings as text, 80 columns wide.

use std::collections::BTreeMap;

use super::{ApartRow, Diff, FlipRow, SideRow, StageRow, VerdictRow};
use crate::model::grading::Stage;
use crate::model::outcome::OutcomeKind;
use crate::report::escape::escape;
use crate::report::layout::{Ink, Page, Style, WIDTH};
use crate::report::rate::{count, units};

/// Columns of one side of a flip.
const HALF: usize = (WIDTH - 6) / 2;

/// Quotes of a side that are shown of one verdict.
const MOST_QUOTES: usize = 3;

impl Diff {
    /// The comparison as text, with the first `most` flips.
    #[must_use]
    pub fn render(&self, most: usize, style: Style) -> String {
        let mut page = Page::new(style);
        self.head(&mut page);
        self.costs(&mut page);
        for stage in &self.stages {
            self.stage(&mut page, stage);
        }
        self.flips(&mut page, most);
        page.finish()
    }

    fn head(&self, page: &mut Page) {
        page.watermark(self.watermark);
        if self.simulated {
            let alarm = page.ink(Ink::Alarm, "*** SIMULATION ***");
            page.line(&alarm);
        }
        page.wrapped("A  ", &side(&self.a));
        page.wrapped("B  ", &side(&self.b));
        page.heading("What differs");
        if self.changed.is_empty() {
            page.line("  nothing that shapes a verdict");
        }
        for row in &self.changed {
            page.line(&format!("  {}", escape(&row.what)));
            page.wrapped("    A  ", &escape(&row.a));
            page.wrapped("    B  ", &escape(&row.b));
        }
        for warning in &self.warnings {
            let lead = page.ink(Ink::Alarm, "!");
            page.wrapped("", &format!("{lead} {}", escape(warning)));
        }
    }

    fn costs(&self, page: &mut Page) {
        page.heading(&format!("{:<40}{:>18}{:>18}", "Cost", "A", "B"));
        let (a, b) = (&self.a.cost, &self.b.cost);
        let mut row = |name: &str, a: String, b: String| page.line(&format!("  {name:<38}{a:>18}{b:>18}"));
        row("spent in the run", usd(a.usd), usd(b.usd));
        row("requests sent", count(a.sent), count(b.sent));
        row("verdicts replayed", count(a.replayed), count(b.replayed));
        row("replies behind the verdicts", count(a.replies.count), count(b.replies.count));
        row("what these cost when they were paid", usd(a.replies.usd), usd(b.replies.usd));
        row("their prompt tokens", count(a.replies.prompt_tokens), count(b.replies.prompt_tokens));
        row("of these from a provider's cache", count(a.replies.cached_tokens), count(b.replies.cached_tokens));
        row("their completion tokens", count(a.replies.completion_tokens), count(b.replies.completion_tokens));
    }

    fn stage(&self, page: &mut Page, stage: &StageRow) {
        let (title, yes) = match stage.stage {
            Stage::Screen => ("Screen", "yes"),
            Stage::Confirm => ("After the second grader", "confirmed"),
        };
        let decided = units(stage.decided_by_both, self.unit);
        page.heading(&format!("{title}: {decided} that both decided, of {}", count(stage.units)));
        let row =
            |name: &str, with: &str, without: &str, note: &str| format!("  {name:<14}{with:>14}{without:>14}   {note}");
        page.line(&row("", &format!("B {yes}"), "B not", ""));
        let [lost, gained] =
            [(stage.lost, "lost"), (stage.gained, "gained")].map(|(flips, word)| format!("{} {word}", count(flips)));
        page.line(&row(&format!("A {yes}"), &count(stage.both), &count(stage.lost), &page.ink(Ink::Figure, &lost)));
        page.line(&row("A not", &count(stage.gained), &count(stage.neither), &page.ink(Ink::Figure, &gained)));
        tests(page, stage);
        agreement(page, stage, self.level);
        classes(page, stage);
        apart(page, stage);
        if stage.stage == Stage::Confirm {
            page.wrapped("  ", "What the screen cleared counts as not confirmed. People have no say in it.");
        }
        page.wrapped(
            "  ",
            "Counts of graded units, not weighted by their draw: they speak of these units, and are no prevalence.",
        );
    }

    fn flips(&self, page: &mut Page, most: usize) {
        let all = self.flips.len();
        page.heading(&match (all, most.min(all)) {
            (0, _) => "No flips".to_owned(),
            (all, shown) if shown == all => format!("Flips: {}", count(all as u64)),
            (all, shown) => format!("Flips: {} of {}", count(shown as u64), count(all as u64)),
        });
        if all > 0 {
            page.wrapped(
                "  ",
                "Those after the second grader first, gained and lost by turns, in an order that is a hash.",
            );
        }
        for (number, flip) in (1..).zip(self.flips.iter().take(most)) {
            show(page, number, flip);
        }
        if all > most {
            page.wrapped("", "`--show N` shows more, `--html FILE` and `--format json` all of them.");
        }
    }
}

fn side(side: &SideRow) -> String {
    let graders =
        side.graders.iter().map(|grader| format!("{} {}, {}", grader.stage.as_str(), grader.given_by(), grader.model));
    let named = side.named.as_ref().map(|named| format!(":{named}")).unwrap_or_default();
    escape(&format!("{}{named} ({}): {}", side.run, side.audit, graders.collect::<Vec<_>>().join("; ")))
}

fn usd(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 { format!("${usd:.6}") } else { format!("${usd:.2}") }
}

/// A p-value: as many digits as tell it from 0.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { format!("{p:.1e}") } else { format!("{p:.3}") }
}

/// A share in percent, one that is nearly 1 with the digits that tell it from 1.
pub(super) fn percent(share: f64) -> String {
    let rest = 1.0 - share;
    let decimals = match rest {
        rest if rest <= 0.0 || rest >= 1e-2 => 1,
        rest if rest >= 1e-3 => 2,
        _ => 4,
    };
    format!("{:.decimals$}%", share * 100.0)
}

fn tests(page: &mut Page, stage: &StageRow) {
    let Some((exact, mid)) = stage.exact_p.zip(stage.mid_p) else {
        page.wrapped("  no test  ", &escape(stage.reason.as_deref().unwrap_or_default()));
        return;
    };
    let words = format!("exact p {}, mid-p {} that the flips go both ways alike", p_value(exact), p_value(mid));
    page.wrapped("  McNemar  ", &words);
    let clusters = &stage.by_cluster;
    let sets = clusters.lost + clusters.gained + clusters.balanced;
    if let Some((exact, mid)) = clusters.exact_p.zip(clusters.mid_p).filter(|_| sets < stage.lost + stage.gained) {
        let words = format!(
            "the {} flips lie in {} conversations or sets of copies, which are not independent within: {} lost, {} gained, {} \
             neither; exact p {}, mid-p {}: quote this one",
            count(stage.lost + stage.gained),
            count(sets),
            count(clusters.lost),
            count(clusters.gained),
            count(clusters.balanced),
            p_value(exact),
            p_value(mid)
        );
        page.wrapped("           ", &words);
    }
}

fn agreement(page: &mut Page, stage: &StageRow, level: f64) {
    let Some(agreement) = &stage.agreement else { return };
    let limits = |figure: &super::Figure, shown: fn(f64) -> String| match figure.lower.zip(figure.upper) {
        Some((lower, upper)) => format!("{} [{}, {}]", shown(figure.estimate), shown(lower), shown(upper)),
        None => format!("{} (no interval: no spread)", shown(figure.estimate)),
    };
    let figure = |figure: Option<&super::Figure>| match figure {
        Some(figure) => limits(figure, percent),
        None => "none: neither says it of any unit".to_owned(),
    };
    page.line(&format!("  Agreement, with limits at {}%", level * 100.0));
    page.line(&format!("    on yes   {}", figure(agreement.positive.as_ref())));
    page.line(&format!("    on no    {}", figure(agreement.negative.as_ref())));
    let kappa = match &agreement.kappa {
        Some(kappa) => limits(kappa, |figure| format!("{figure:.2}")),
        None => format!("none: {}", agreement.kappa_reason.unwrap_or_default()),
    };
    page.wrapped("    kappa    ", &kappa);
    page.wrapped(
        "    raw      ",
        &format!(
            "{}, which says nothing where yes is rare: sides that say yes as often and never of the same unit have {}",
            percent(agreement.raw.estimate),
            percent(agreement.raw_at_worst)
        ),
    );
}

fn classes(page: &mut Page, stage: &StageRow) {
    let mut sums: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for row in &stage.strata {
        let sum = sums.entry(&row.class).or_default();
        for (sum, units) in sum.iter_mut().zip([row.both, row.lost, row.gained, row.neither]) {
            *sum += units;
        }
    }
    if sums.is_empty() {
        return;
    }
    page.line(&format!("  {:<26}{:>10}{:>10}{:>10}{:>12}", "By class", "both", "lost", "gained", "neither"));
    for (class, [both, lost, gained, neither]) in sums {
        let name = page.row_name(&escape(class), 24);
        let [both, lost, gained, neither] = [both, lost, gained, neither].map(count);
        page.line(&format!("    {name:<24}{both:>10}{lost:>10}{gained:>10}{neither:>12}"));
    }
}

fn apart(page: &mut Page, stage: &StageRow) {
    if stage.apart.is_empty() && stage.other_text == 0 {
        return;
    }
    let rest = stage.units - stage.decided_by_both;
    page.line(&format!("  Not compared: {}", count(rest)));
    for ApartRow { a, b, units } in &stage.apart {
        page.line(&format!("    {:>10}  A {}, B {}", count(*units), a.replace('_', " "), b.replace('_', " ")));
    }
    if stage.other_text > 0 {
        page.line(&format!("    {:>10}  another text under the same address in B", count(stage.other_text)));
    }
}

fn show(page: &mut Page, number: usize, flip: &FlipRow) {
    let group: Vec<_> = flip.group.values().map(|value| escape(value)).collect();
    let ways = ways(flip);
    page.line("");
    page.wrapped(
        &format!("{number:>3}  "),
        &format!("{}  [{}]  {}: {ways}", escape(&flip.unit), group.join(" · "), escape(&flip.class)),
    );
    let stages = [Stage::Screen, Stage::Confirm];
    for stage in stages {
        let [a, b] = [&flip.a, &flip.b].map(|side| side.iter().find(|verdict| verdict.stage == stage));
        if a.is_none() && b.is_none() {
            continue;
        }
        let [a, b] = [("A", a), ("B", b)].map(|(name, verdict)| column(name, stage, verdict));
        for index in 0..a.len().max(b.len()) {
            let [a, b] = [&a, &b].map(|lines| lines.get(index).map_or("", String::as_str));
            page.line(&format!("     {a:<HALF$} {b}"));
        }
    }
}

/// One verdict in lines of half a page.
fn column(name: &str, stage: Stage, verdict: Option<&VerdictRow>) -> Vec<String> {
    let Some(verdict) = verdict else { return vec![format!("{name} {}: not asked", stage.as_str())] };
    let mut lines = Vec::new();
    wrap(&mut lines, "", &format!("{name} {}: {}", stage.as_str(), conclusion(verdict)));
    for evidence in verdict.evidence.iter().take(MOST_QUOTES) {
        let found = if evidence.check.is_verified() { "" } else { " (not found in the transcript)" };
        let quote = format!("#{} {}: \"{}\"{found}", evidence.message, evidence.channel.as_str(), evidence.quote);
        wrap(&mut lines, "  ", &escape(&quote));
    }
    match verdict.evidence.len().saturating_sub(MOST_QUOTES) {
        0 => {}
        more => wrap(&mut lines, "  ", &format!("and {more} more")),
    }
    if let Some(reason) = verdict.unavailable {
        wrap(&mut lines, "  ", &format!("no quotes: {reason}"));
    }
    lines
}

/// Which way a unit flipped, in words.
pub(super) fn ways(flip: &FlipRow) -> String {
    let screen = flip.screen.map(|way| format!("{way} at the screen"));
    let confirm = flip.confirm.map(|way| format!("{way} after the second grader"));
    screen.into_iter().chain(confirm).collect::<Vec<_>>().join(", ")
}

/// What a verdict says, in words.
pub(in crate::report) fn conclusion(verdict: &VerdictRow) -> String {
    let Some(judgement) = verdict.verdict else { return verdict.outcome.as_str().replace('_', " ") };
    let mut parts = vec![judgement.as_str().replace('_', " ")];
    parts.extend(verdict.score.map(|score| format!("score {score}")));
    if verdict.outcome != OutcomeKind::Graded {
        parts.push(verdict.outcome.as_str().replace('_', " "));
    }
    for ids in [&verdict.labels, &verdict.exclusions].into_iter().filter(|ids| !ids.is_empty()) {
        parts.push(ids.iter().map(|id| escape(id)).collect::<Vec<_>>().join(" "));
    }
    parts.join(", ")
}

/// Adds words in lines of half a page; a word that is longer is cut into several.
fn wrap(lines: &mut Vec<String>, indent: &str, words: &str) {
    let width = HALF - 2 - indent.len();
    let mut line = String::new();
    let mut columns = 0;
    for word in words.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(width) {
            let gap = usize::from(columns > 0);
            if columns + gap + part.len() > width {
                lines.push(format!("{indent}{line}"));
                line.clear();
                columns = 0;
            } else if gap > 0 {
                line.push(' ');
                columns += 1;
            }
            line.extend(part);
            columns += part.len();
        }
    }
    lines.push(format!("{indent}{line}"));
}

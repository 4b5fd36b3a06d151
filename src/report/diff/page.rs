//! A comparison as one self-contained page: no script, nothing from a network, everything escaped.

use std::fmt::{self, Display, Write};

use super::flip_page::{flip, group};
use super::table::{p_value, percent, ways};
use super::{Diff, Figure, SideRow, StageRow};
use crate::model::grading::Stage;
use crate::report::escape::escape;
use crate::report::rate::{count, units};

/// The page's style. The policy below lets a browser load nothing else.
const STYLE: &str = include_str!("page.css");

/// Forbids scripts, frames, forms and every request.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Text from outside on its way into the page: markup, control and direction characters become visible text.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.0.split('\n').enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            for c in escape(&line.replace('\t', "    ")).chars() {
                match c {
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    '\'' => f.write_str("&#39;")?,
                    other => f.write_char(other)?,
                }
            }
        }
        Ok(())
    }
}

impl Diff {
    /// The comparison as a page, with every flip.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        self.write_page(&mut page).expect("a string can be written to");
        page
    }

    fn write_page(&self, page: &mut String) -> fmt::Result {
        write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
             content=\"{POLICY}\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{} flips: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
            count(self.flips.len() as u64),
            Escaped(&self.behaviour)
        )?;
        head(page, self)?;
        page.push_str("<div class=\"stages\">\n");
        for stage in &self.stages {
            stage_section(page, self, stage)?;
        }
        page.push_str("</div>\n");
        writeln!(
            page,
            "<p class=\"dim\">Counts of graded units, not weighted by their draw: they speak of these units, and are no \
             prevalence. People have no say in them.</p>"
        )?;
        flip_list(page, self)?;
        page.push_str("</body>\n</html>\n");
        Ok(())
    }
}

fn head(page: &mut String, diff: &Diff) -> fmt::Result {
    if let Some(mark) = diff.watermark {
        writeln!(page, "<p class=\"alarm\">{mark}</p>")?;
    }
    if diff.simulated {
        page.push_str(
            "<p class=\"alarm\">Simulation: graded by the simulated grader. No figure speaks of a real model.</p>\n",
        );
    }
    writeln!(page, "<h1>What flipped: {}</h1>", Escaped(&diff.behaviour))?;
    page.push_str("<div class=\"wide\"><table>\n");
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        writeln!(page, "<tr><th><strong>{name}</strong></th><td>{}</td></tr>", Escaped(&described(side)))?;
    }
    page.push_str("</table></div>\n<h2>What differs</h2>\n");
    if diff.changed.is_empty() {
        page.push_str("<p>Nothing that shapes a verdict.</p>\n");
    } else {
        page.push_str("<div class=\"wide\"><table>\n<thead><tr><th></th><th>A</th><th>B</th></tr></thead>\n");
        for row in &diff.changed {
            let [what, a, b] = [&row.what, &row.a, &row.b].map(|text| Escaped(text));
            writeln!(page, "<tr><th>{what}</th><td>{a}</td><td>{b}</td></tr>")?;
        }
        page.push_str("</table></div>\n");
    }
    for warning in &diff.warnings {
        writeln!(page, "<p class=\"alarm\">{}</p>", Escaped(warning))?;
    }
    costs(page, diff)
}

fn costs(page: &mut String, diff: &Diff) -> fmt::Result {
    page.push_str(
        "<h2>Cost</h2>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th class=\"n\">A</th><th class=\"n\">B</th></tr></thead>\n",
    );
    let (a, b) = (&diff.a.cost, &diff.b.cost);
    let usd = |usd: f64| format!("${usd:.4}");
    let rows = [
        ("spent in the run", usd(a.usd), usd(b.usd)),
        ("requests sent", count(a.sent), count(b.sent)),
        ("verdicts replayed", count(a.replayed), count(b.replayed)),
        ("what the replies cost when they were paid", usd(a.replies.usd), usd(b.replies.usd)),
        ("their prompt tokens", count(a.replies.prompt_tokens), count(b.replies.prompt_tokens)),
        ("their completion tokens", count(a.replies.completion_tokens), count(b.replies.completion_tokens)),
    ];
    for (name, a, b) in rows {
        writeln!(page, "<tr><th>{name}</th><td class=\"n\">{a}</td><td class=\"n\">{b}</td></tr>")?;
    }
    page.push_str("</table></div>\n");
    Ok(())
}

fn stage_section(page: &mut String, diff: &Diff, stage: &StageRow) -> fmt::Result {
    let (title, yes) = match stage.stage {
        Stage::Screen => ("Screen", "yes"),
        Stage::Confirm => ("After the second grader", "confirmed"),
    };
    writeln!(page, "<section>\n<h2>{title}</h2>")?;
    let decided = units(stage.decided_by_both, diff.unit);
    writeln!(page, "<p>{decided} that both decided, of {} that either run admitted.</p>", count(stage.units))?;
    let [both, lost, gained, neither] = [stage.both, stage.lost, stage.gained, stage.neither].map(count);
    write!(
        page,
        "<table>\n<thead><tr><th></th><th class=\"n\">B {yes}</th><th class=\"n\">B not</th></tr></thead>\n<tr><th>A \
         {yes}</th><td class=\"n\">{both}</td><td class=\"n\"><strong>{lost}</strong> lost</td></tr>\n<tr><th>A \
         not</th><td class=\"n\"><strong>{gained}</strong> gained</td><td class=\"n\">{neither}</td></tr>\n</table>\n"
    )?;
    figures(page, stage, diff.level)?;
    strata(page, stage)?;
    if !stage.apart.is_empty() || stage.other_text > 0 {
        let rest = count(stage.units - stage.decided_by_both);
        writeln!(page, "<p>Not compared: {rest}</p>\n<table>")?;
        for row in &stage.apart {
            let [a, b] = [row.a, row.b].map(|standing| standing.replace('_', " "));
            writeln!(page, "<tr><td class=\"n\">{}</td><td>A {a}, B {b}</td></tr>", count(row.units))?;
        }
        if stage.other_text > 0 {
            let units = count(stage.other_text);
            writeln!(page, "<tr><td class=\"n\">{units}</td><td>another text under the same address in B</td></tr>")?;
        }
        page.push_str("</table>\n");
    }
    page.push_str("</section>\n");
    Ok(())
}

fn flip_list(page: &mut String, diff: &Diff) -> fmt::Result {
    writeln!(page, "<h2 id=\"flips\">Flips: {}</h2>", count(diff.flips.len() as u64))?;
    if diff.flips.is_empty() {
        page.push_str("<p>No unit flipped.</p>\n");
        return Ok(());
    }
    page.push_str(
        "<p class=\"dim\">Those after the second grader first, gained and lost by turns, in an order that is a hash of the \
         unit. Quotes stand marked in the text: <mark class=\"a\">of A</mark>, <mark class=\"b\">of B</mark>, <mark \
         class=\"ab\">of both</mark>. A quote that differs from the text in white space or punctuation is not \
         marked.</p>\n<ol class=\"list\">\n",
    );
    for (number, row) in (1..).zip(&diff.flips) {
        let ways = ways(row);
        let group = group(row);
        let (unit, group) = (Escaped(&row.unit), Escaped(&group));
        writeln!(page, "<li><a href=\"#flip-{number}\">{unit}</a> <span class=\"dim\">{group}</span><br>{ways}</li>")?;
    }
    page.push_str("</ol>\n");
    for (number, row) in (1..).zip(&diff.flips) {
        flip(page, number, diff.flips.len(), row)?;
    }
    Ok(())
}

fn described(side: &SideRow) -> String {
    let graders =
        side.graders.iter().map(|grader| format!("{} {}, {}", grader.stage.as_str(), grader.given_by(), grader.model));
    let named = side.named.as_ref().map(|named| format!(", counted by `{named}`")).unwrap_or_default();
    format!("run {} of {}{named}: {}", side.run, side.audit, graders.collect::<Vec<_>>().join("; "))
}

fn figures(page: &mut String, stage: &StageRow, level: f64) -> fmt::Result {
    let Some((exact, mid)) = stage.exact_p.zip(stage.mid_p) else {
        writeln!(page, "<p>No test: {}.</p>", escape(stage.reason.as_deref().unwrap_or_default()))?;
        return Ok(());
    };
    writeln!(page, "<table>\n<tr><th>McNemar</th><td>exact p {}, mid-p {}</td></tr>", p_value(exact), p_value(mid))?;
    let clusters = &stage.by_cluster;
    let sets = clusters.lost + clusters.gained + clusters.balanced;
    if let Some((exact, mid)) = clusters.exact_p.zip(clusters.mid_p).filter(|_| sets < stage.lost + stage.gained) {
        let (exact, mid) = (p_value(exact), p_value(mid));
        let sets = count(sets);
        writeln!(
            page,
            "<tr><th>by cluster</th><td>{sets} conversations or sets of copies: exact p {exact}, mid-p {mid}; quote this one</td></tr>"
        )?;
    }
    if let Some(agreement) = &stage.agreement {
        let limits = |figure: &Figure, shown: fn(f64) -> String| match figure.lower.zip(figure.upper) {
            Some((lower, upper)) => format!("{} [{}, {}]", shown(figure.estimate), shown(lower), shown(upper)),
            None => format!("{} (no interval)", shown(figure.estimate)),
        };
        let share =
            |figure: Option<&Figure>| figure.map_or_else(|| "none".to_owned(), |figure| limits(figure, percent));
        let kappa = agreement.kappa.as_ref().map(|kappa| limits(kappa, |figure| format!("{figure:.2}")));
        let kappa = kappa.unwrap_or_else(|| format!("none: {}", agreement.kappa_reason.unwrap_or_default()));
        let (yes, no) = (share(agreement.positive.as_ref()), share(agreement.negative.as_ref()));
        let (raw, worst) = (percent(agreement.raw.estimate), percent(agreement.raw_at_worst));
        writeln!(
            page,
            "<tr><th>agreement on yes</th><td>{yes}</td></tr>\n<tr><th>agreement on no</th><td>{no}</td></tr>"
        )?;
        writeln!(page, "<tr><th>kappa</th><td>{kappa}</td></tr>")?;
        writeln!(page, "<tr><th>raw agreement</th><td>{raw}; {worst} if they never agreed on a yes</td></tr>")?;
        writeln!(page, "<tr><th>limits</th><td>{}%</td></tr>", level * 100.0)?;
    }
    page.push_str("</table>\n");
    Ok(())
}

fn strata(page: &mut String, stage: &StageRow) -> fmt::Result {
    if stage.strata.is_empty() {
        return Ok(());
    }
    page.push_str("<div class=\"wide\"><table>\n<thead><tr><th>class</th><th>group</th><th class=\"n\">both</th><th class=\"n\">lost</th><th class=\"n\">gained</th><th class=\"n\">neither</th></tr></thead>\n");
    for row in &stage.strata {
        let group = row.group.values().cloned().collect::<Vec<_>>().join(" · ");
        write!(page, "<tr><td>{}</td><td>{}</td>", Escaped(&row.class), Escaped(&group))?;
        for units in [row.both, row.lost, row.gained, row.neither] {
            write!(page, "<td class=\"n\">{}</td>", count(units))?;
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
    Ok(())
}

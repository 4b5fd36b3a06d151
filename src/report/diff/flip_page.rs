//! One flip on the page: both sides beside each other, and the text around what they quote.

use std::fmt::{self, Write};

use super::page::Escaped;
use super::passage::{Passage, Piece};
use super::table::{conclusion, ways};
use super::{FlipRow, VerdictRow};
use crate::model::grading::Stage;
use crate::model::verdict::QuoteCheck;

/// The group of a unit, in words.
pub(super) fn group(row: &FlipRow) -> String {
    row.group.values().cloned().collect::<Vec<_>>().join(" · ")
}

/// Writes one flip.
pub(super) fn flip(page: &mut String, number: usize, last: usize, row: &FlipRow) -> fmt::Result {
    let group = group(row);
    write!(
        page,
        "<article class=\"flip\" id=\"flip-{number}\">\n<header><h3>{number}. {}</h3><span class=\"dim\">{} / \
         {}</span><span class=\"way\">{}</span><nav>",
        Escaped(&row.unit),
        Escaped(&row.class),
        Escaped(&group),
        ways(row)
    )?;
    if number > 1 {
        write!(page, "<a href=\"#flip-{}\">previous</a> ", number - 1)?;
    }
    if number < last {
        write!(page, "<a href=\"#flip-{}\">next</a> ", number + 1)?;
    }
    page.push_str("<a href=\"#flips\">list</a></nav></header>\n");
    for stage in [Stage::Screen, Stage::Confirm] {
        let sides = [("a", "A", &row.a), ("b", "B", &row.b)];
        let sides = sides.map(|(class, name, verdicts)| (class, name, verdicts.iter().find(|one| one.stage == stage)));
        if sides.iter().all(|(_, _, verdict)| verdict.is_none()) {
            continue;
        }
        page.push_str("<div class=\"sides\">\n");
        for (class, name, said) in sides {
            let stage = stage.as_str();
            write!(
                page,
                "<div class=\"side {class}\"><span class=\"name\">{name}</span> <span class=\"dim\">{stage}</span> "
            )?;
            match said {
                Some(said) => verdict(page, said)?,
                None => page.push_str("not asked\n"),
            }
            page.push_str("</div>\n");
        }
        page.push_str("</div>\n");
    }
    text(page, &row.passages)?;
    page.push_str("</article>\n");
    Ok(())
}

fn verdict(page: &mut String, verdict: &VerdictRow) -> fmt::Result {
    // Its words are escaped for a terminal already, which does not make them safe in markup.
    writeln!(page, "<span class=\"said\">{}</span>", Escaped(&conclusion(verdict)))?;
    for evidence in &verdict.evidence {
        let note = match evidence.check {
            QuoteCheck::Exact => "",
            QuoteCheck::Normalised => ", found in another form",
            QuoteCheck::OtherChannel => ", found in another channel",
            QuoteCheck::NotFound => ", not found in the transcript",
        };
        let (quote, channel) = (Escaped(&evidence.quote), evidence.channel.as_str());
        writeln!(
            page,
            "<blockquote>{quote} <span class=\"dim\">#{} {channel}{note}</span></blockquote>",
            evidence.message
        )?;
    }
    if let Some(reading) = verdict.innocent_reading.as_ref().filter(|reading| !reading.is_empty()) {
        writeln!(page, "<div class=\"dim\">innocent reading: {}</div>", Escaped(reading))?;
    }
    if !verdict.fields.is_empty() {
        let fields = verdict.fields.iter().filter(|(_, value)| *value != "not_applicable");
        let fields: Vec<_> = fields.map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(page, "<div class=\"dim fields\">{}</div>", Escaped(&fields.join(" · ")))?;
    }
    if let Some(reason) = verdict.unavailable {
        writeln!(page, "<div class=\"dim\">no quotes: {}</div>", Escaped(reason))?;
    }
    Ok(())
}

fn text(page: &mut String, passages: &[Passage]) -> fmt::Result {
    page.push_str("<div class=\"text\">\n");
    if passages.is_empty() {
        page.push_str("<p class=\"dim\">The copy of this conversation is no longer in cache/units.</p>\n");
    }
    let target = passages.iter().find(|passage| passage.is_target).map(|passage| passage.message);
    for passage in passages {
        // What the turn answers stands right before it.
        let is_answered = target.is_some_and(|target| passage.message + 1 == target);
        let open = if passage.is_target || passage.is_cited || is_answered { " open" } else { "" };
        let note = if passage.is_target { ", the judged turn" } else { "" };
        let (role, channel) = (passage.role.as_str(), passage.channel.as_str());
        write!(page, "<details{open}><summary>#{} {role}, {channel}{note}</summary><pre>", passage.message)?;
        for piece in &passage.pieces {
            match piece {
                Piece::Gap(characters) => {
                    write!(page, "<span class=\"gap\"> [{characters} characters left out] </span>")?;
                }
                Piece::Text { text, a: false, b: false } => write!(page, "{}", Escaped(text))?,
                Piece::Text { text, a, b } => {
                    let (class, by) = match (a, b) {
                        (true, true) => ("ab", "A and B"),
                        (true, false) => ("a", "A"),
                        (false, _) => ("b", "B"),
                    };
                    write!(page, "<mark class=\"{class}\" title=\"quoted by {by}\">{}</mark>", Escaped(text))?;
                }
            }
        }
        page.push_str("</pre></details>\n");
    }
    page.push_str("</div>\n");
    Ok(())
}

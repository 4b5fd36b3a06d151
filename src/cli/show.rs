//! `assize show`: one unit with its text, cues and verdicts.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cache::units::UnitsError;
use crate::model::conversation::{Channel, Message, Role};
use crate::model::event::Judged;
use crate::model::outcome::Outcome;
use crate::model::review_id::ReviewId;
use crate::model::verdict::Verdict;
use crate::prefilter::channel_text;
use crate::report::{escape, watermark_line};
use crate::run::blind::{Behind, BlindView, behind, blind};
use crate::run::gold::GoldText;
use crate::run::view::{View, ViewError, view};

use super::args::ShowArgs;
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

/// Characters of each message that stands around the unit.
const AROUND: usize = 400;

/// Shows a unit of a run.
pub(super) fn run(invocation: &Invocation, args: &ShowArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run)?;
    if args.blind {
        return blindly(&blind(&workspace, &folder, &args.unit).map_err(failed)?, printer);
    }
    let Ok(id) = args.unit.parse::<ReviewId>() else {
        return openly(&view(&workspace, &folder, &args.unit).map_err(failed)?, printer);
    };
    if !args.reveal {
        let error = anyhow::anyhow!("`{id}` is the name under which somebody is to read a text blind");
        return Err(Failure::new(Exit::Usage, error).with_hint("`--blind` shows the text, and nothing else"));
    }
    match behind(&workspace, &folder, id).map_err(failed)? {
        Behind::Gold(gold) => revealed(&args.unit, *gold, printer),
        Behind::Unit(_, unit) => {
            let mut views = view(&workspace, &folder, &unit.to_string()).map_err(failed)?;
            views.retain(|view| view.unit.id == unit);
            openly(&views, printer)
        }
    }
}

fn openly(views: &[View], printer: Printer) -> Result<Exit, Failure> {
    let value: Vec<_> = views.iter().map(json_of).collect();
    printer.result(&value, || {
        let pages = views.iter().map(|view| text_of(view).expect("a string can be written to"));
        pages.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Complete)
}

fn blindly(views: &[BlindView], printer: Printer) -> Result<Exit, Failure> {
    printer.result(&views, || {
        let pages = views.iter().map(|view| text_of_blind(view).expect("a string can be written to"));
        pages.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Complete)
}

fn revealed(name: &str, gold: GoldText, printer: Printer) -> Result<Exit, Failure> {
    let GoldText { item, turn, conversation } = gold;
    let view = BlindView::of(name, Some(turn), conversation);
    let value = json!({ "unit": view.unit, "gold": item.kind, "turn": view.turn, "messages": view.messages });
    printer.result(&[value], || {
        let text = text_of_blind(&view).expect("a string can be written to");
        format!("hidden gold: a {}\n{text}", item.kind.as_str())
    })?;
    Ok(Exit::Complete)
}

fn failed(error: ViewError) -> Failure {
    let is_damaged = matches!(error, ViewError::Units(UnitsError::Damaged { .. }));
    let failure = Failure::new(Exit::Usage, anyhow::Error::from(error).context("failed to show the unit"));
    if is_damaged { failure.with_hint("`assize run` copies it from the corpus again") } else { failure }
}

fn json_of(view: &View) -> Value {
    let hits: Vec<_> = view.hits.iter().map(|(message, hit)| {
        json!({ "message": message, "class": hit.class, "rule": hit.rule, "channel": hit.channel, "start": hit.span.start, "end": hit.span.end })
    }).collect();
    let judged: Vec<_> =
        view.judged.iter().map(|(judged, verdict)| json!({ "judged": judged, "verdict": verdict })).collect();
    let mut shown = json!({
        "unit": view.unit.id.to_string(),
        "group": view.unit.id.group,
        "admitted": view.is_admitted,
        "conversation": view.unit.conversation,
        "hits": hits,
        "judged": judged,
    });
    if let Some(mark) = view.watermark {
        shown["watermark"] = mark.into();
    }
    shown
}

fn text_of(view: &View) -> Result<String, std::fmt::Error> {
    let mut text = watermark_line(view.watermark);
    let id = &view.unit.id;
    let admitted = if view.is_admitted { "admitted" } else { "selected, not admitted" };
    writeln!(text, "{}  [{}]  {admitted}\n", escape(&id.to_string()), escape(&id.group.to_string()))?;
    messages(&mut text, &view.unit.conversation.messages, id.turn, AROUND)?;
    writeln!(text, "Cues")?;
    if view.hits.is_empty() {
        writeln!(text, "  none")?;
    }
    for (turn, hit) in &view.hits {
        let words = view.unit.conversation.message(*turn).map(|message| channel_text(message, hit.channel));
        let words = words.as_ref().and_then(|words| words.get(hit.span.clone())).unwrap_or_default();
        let place = if id.turn.is_some() { String::new() } else { format!("#{turn} ") };
        writeln!(
            text,
            "  {place}{} (rule {}, {}): {}",
            escape(&hit.class),
            hit.rule,
            hit.channel.as_str(),
            escape(words)
        )?;
    }
    writeln!(text, "\nVerdicts")?;
    if view.judged.is_empty() {
        writeln!(text, "  none")?;
    }
    for (judged, verdict) in &view.judged {
        verdict_of(&mut text, judged, verdict.as_ref())?;
    }
    Ok(text)
}

/// All messages, whole: whoever judges has to see what the prompt itself says.
fn text_of_blind(view: &BlindView) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}\n", escape(&view.unit))?;
    messages(&mut text, &view.messages, view.turn, usize::MAX)?;
    Ok(text)
}

/// The unit's messages whole (one turn, or every turn of a conversation), the others up to so many characters.
fn messages(text: &mut String, messages: &[Message], turn: Option<u32>, around: usize) -> std::fmt::Result {
    for (index, message) in (0..).zip(messages) {
        for channel in Channel::ALL {
            let words = channel_text(message, channel);
            if words.is_empty() {
                continue;
            }
            let is_unit = turn.map_or(message.role == Role::Assistant, |turn| turn == index);
            let mark = if turn == Some(index) { "  <- this turn" } else { "" };
            writeln!(text, "#{index} {}/{}{mark}", message.role.as_str(), channel.as_str())?;
            let limit = if is_unit { usize::MAX } else { around };
            let shown: String = words.chars().take(limit).collect();
            let more = if shown.len() < words.len() { " [...]" } else { "" };
            for line in shown.lines() {
                writeln!(text, "  {}", escape(line))?;
            }
            writeln!(text, "{more}")?;
        }
    }
    Ok(())
}

/// Every asking of a question that was asked more than once.
fn askings_of(text: &mut String, judged: &Judged) -> std::fmt::Result {
    let Some(repeated) = &judged.repeated else { return Ok(()) };
    writeln!(text, "    asked {} times ({}):", repeated.askings.len(), repeated.cause.at(judged.stage))?;
    for (number, asking) in (1..).zip(&repeated.askings) {
        let said = match asking.outcome.finding() {
            Some(finding) => format!("{}, score {}", finding.verdict.as_str(), finding.score),
            None => asking.outcome.kind().as_str().to_owned(),
        };
        let stands = if asking.key.is_some() && asking.key == judged.key { "  <- stands for all" } else { "" };
        writeln!(text, "      {number}. {said}{stands}")?;
    }
    Ok(())
}

fn verdict_of(text: &mut String, judged: &Judged, verdict: Option<&Verdict>) -> std::fmt::Result {
    let replayed = if judged.replayed { ", replayed" } else { "" };
    write!(text, "  {}: {}", judged.stage.as_str(), judged.outcome.kind())?;
    if let Some(finding) = judged.outcome.finding() {
        write!(text, ", {}, score {}", finding.verdict.as_str(), finding.score)?;
        for (name, ids) in [("labels", &finding.labels), ("exclusions", &finding.exclusions)] {
            if !ids.is_empty() {
                let ids: Vec<_> = ids.iter().map(|id| escape(id)).collect();
                write!(text, ", {name} {}", ids.join(" "))?;
            }
        }
    }
    let recorded = if judged.key.is_none() && judged.outcome.finding().is_some() { ", recorded elsewhere" } else { "" };
    writeln!(text, "{replayed}{recorded}")?;
    if !judged.chunks.is_empty() {
        let said = judged.chunks.iter().map(|chunk| match chunk.outcome.finding() {
            Some(finding) => finding.verdict.as_str(),
            None => chunk.outcome.kind().as_str(),
        });
        let said: Vec<_> = said.collect();
        writeln!(text, "    read in {} chunks: {}", said.len(), said.join(", "))?;
    }
    askings_of(text, judged)?;
    let has_reply = judged.key.is_some() || judged.chunks.iter().any(|chunk| chunk.key.is_some());
    let coverage = judged.seen.coverage * 100.0;
    if judged.seen.cut && has_reply {
        writeln!(text, "    {coverage:.1}% of what it asks for was shown")?;
    }
    if judged.outcome == Outcome::CannotJudge && !has_reply && judged.seen.coverage < 1.0 {
        writeln!(text, "    nothing was asked: {coverage:.1}% of what it asks for would have been visible")?;
    }
    if let Some(shown) = judged.seen.of_conversation.filter(|shown| *shown < 1.0) {
        writeln!(text, "    {:.1}% of the conversation was in view", shown * 100.0)?;
    }
    for evidence in verdict.map(|verdict| verdict.evidence.as_slice()).unwrap_or_default() {
        let found = if evidence.check.is_verified() { "" } else { "  (not found in the transcript)" };
        writeln!(
            text,
            "    #{} {}: \"{}\"{found}",
            evidence.message,
            evidence.channel.as_str(),
            escape(&evidence.quote)
        )?;
    }
    if let Some(verdict) = verdict {
        writeln!(text, "    innocent reading: {}", escape(&verdict.innocent_reading))?;
    }
    Ok(())
}

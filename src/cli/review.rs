//! `assize review`: what people are to read, and how far they are.

use std::fmt::Write;

use anyhow::Context;

use crate::model::gold::GoldRead;
use crate::model::tally::Tally;
use crate::report::people::missing_gold;
use crate::report::rate::{count, units};
use crate::report::{escape, watermark_line};
use crate::run::conclude;
use crate::run::review::{self, QueueLine, ReviewStatus, SeatStatus, UnknownSeat};

use super::args::{QueueArgs, ReviewCommand, ReviewStatusArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::report::{find_run, workspace};

pub(super) fn run(invocation: &Invocation, command: &ReviewCommand, printer: Printer) -> Result<Exit, Failure> {
    match command {
        ReviewCommand::Queue(args) => queue(invocation, args, printer),
        ReviewCommand::Status(args) => status(invocation, args, printer),
    }
}

fn tally(invocation: &Invocation, run: &str) -> Result<Tally, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, run)?;
    Ok(conclude::tally(&workspace, &folder).with_context(|| format!("failed to read run `{}`", folder.id))?)
}

fn queue(invocation: &Invocation, args: &QueueArgs, printer: Printer) -> Result<Exit, Failure> {
    let tally = tally(invocation, &args.run.run)?;
    let lines = review::queue(&tally, &args.seat)?;
    printer.result(&lines, || queue_text(&tally, &lines))?;
    for missing in missing_gold(&tally) {
        printer.warning(&missing);
    }
    Ok(Exit::Complete)
}

fn queue_text(tally: &Tally, lines: &[QueueLine]) -> String {
    let to_read = units(lines.len() as u64, tally.plan.unit);
    let mut text = format!("{}{to_read} to read\n", watermark_line(tally.plan.watermark()));
    for line in lines {
        let unit = escape(&line.unit);
        let group = line.group.as_ref().map(|group| format!("  [{}]", escape(&group.to_string()))).unwrap_or_default();
        writeln!(text, "  {unit}{group}").expect("a string can be written to");
    }
    if tally.plan.gold.is_some() && !lines.is_empty() {
        text.push_str("read each with `assize show --blind NAME`: known texts are hidden among them\n");
    }
    text
}

fn status(invocation: &Invocation, args: &ReviewStatusArgs, printer: Printer) -> Result<Exit, Failure> {
    let status = review::status(&tally(invocation, &args.run.run)?, args.gold);
    printer.result(&status, || status_text(&status))?;
    Ok(Exit::Complete)
}

fn status_text(status: &ReviewStatus) -> String {
    let run = status.run.as_deref().map(|run| format!(" of run {}", escape(run))).unwrap_or_default();
    let unread = status.unread.map(|unread| format!(": nobody has read {}", units(unread, status.unit)));
    let mark = watermark_line(status.watermark);
    let mut text = format!("{mark}Review{run}, {}{}\n", escape(&status.behaviour), unread.unwrap_or_default());
    if status.has_gold {
        text.push_str("the seats' figures hold hidden gold as well; `?` would tell which of it is gold\n");
    }
    let gold = if status.seats.iter().any(|seat| seat.gold.is_some()) { "gold read" } else { "" };
    text.push_str(&row("", ["drawn", "to read", "decided", "undecided", gold]));
    for seat in &status.seats {
        let gold = seat.gold_read.zip(seat.gold).map(|(read, drawn)| format!("{} of {}", count(read), count(drawn)));
        let to_read = seat.to_read.map_or_else(|| "?".to_owned(), count);
        let figures = [seat.drawn, seat.decided, seat.undecided].map(count);
        let [drawn, decided, undecided] = figures.each_ref().map(String::as_str);
        let name = if seat.seat.is_empty() { "(no name)".to_owned() } else { escape(&seat.seat) };
        text.push_str(&row(&name, [drawn, &to_read, decided, undecided, gold.as_deref().unwrap_or_default()]));
        text.push_str(&confirmed(seat));
    }
    if status.seats.is_empty() {
        text.push_str("  no seat has decided about anything\n");
    }
    text
}

/// What a seat that has nothing left to read did with its gold.
fn confirmed(seat: &SeatStatus) -> String {
    let Some(confirmed) = &seat.confirmed else { return String::new() };
    let of = |read: GoldRead| format!("{} of {}", count(read.confirmed), count(read.read));
    let (positives, near_misses) = (of(confirmed.positive), of(confirmed.near_miss));
    format!("    confirmed {positives} hidden positives and {near_misses} hidden near misses\n")
}

fn row(name: &str, [drawn, to_read, decided, undecided, gold]: [&str; 5]) -> String {
    let row = format!("  {name:<24}{drawn:>9}{to_read:>9}{decided:>9}{undecided:>11}{gold:>14}");
    format!("{}\n", row.trim_end())
}

impl From<UnknownSeat> for Failure {
    fn from(error: UnknownSeat) -> Self {
        let known = error.known.join(", ");
        Self::new(Exit::Usage, error).with_hint(format!("`--seat` takes one of `seats` under [review]: {known}"))
    }
}

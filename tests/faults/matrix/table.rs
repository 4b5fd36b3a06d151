//! The matrix as Markdown.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use assize::report::Report;

use super::{CAP, Reference, Row, Rows};
use crate::process::Finished;
use crate::workspace::Workspace;

const FILE: &str = "docs/faults.md";

/// The line of a fault; it was not played where the machine does not let this user.
pub(super) fn line(name: &str, row: Option<&Row>) -> String {
    let Some(row) = row else {
        return format!("| {name} | not played: needs a file system of its own, that is root | | | | | | |");
    };
    let Row { items_lost, verdicts_lost, asked_again, paid_twice, overspend, same_report, code, message } = row;
    let code = code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let same = if *same_report { "yes" } else { "NO" };
    format!(
        "| {name} | {items_lost} | {verdicts_lost} | {asked_again} | {paid_twice} | {overspend} | {same} | {code} | {message} |"
    )
}

/// What a run said last: its error, else a warning or a note, else what its report warns of in these words; without what
/// differs from one machine, day and run to the next.
pub(super) fn message(workspace: &Workspace, finished: &Finished, words: &str) -> String {
    let said = |word: &str| finished.stderr.lines().rev().find(|line| line.starts_with(word)).map(str::to_owned);
    let warned = || {
        let report: Report = serde_json::from_str(&finished.stdout).ok()?;
        report.warnings.into_iter().find(|warning| !words.is_empty() && warning.contains(words))
    };
    let printed = || finished.stdout.lines().find(|line| !words.is_empty() && line.contains(words)).map(str::to_owned);
    let line =
        said("error: ").or_else(|| said("warning: ")).or_else(|| said("note: ")).or_else(warned).or_else(printed);
    let root = workspace.path("");
    let line = line.unwrap_or_default().replace(root.to_str().unwrap(), "").replace('|', "\\|");
    let mut before = "";
    let words = line.split(' ').map(|word| {
        let last = std::mem::replace(&mut before, word);
        if ["(process", "line"].contains(&last) {
            "N".to_owned()
        } else if last == "on" && word.ends_with("`)") {
            "`HOST`)".to_owned()
        } else {
            word.split('/').map(anonymous).collect::<Vec<_>>().join("/")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A part of a path without times and digests.
fn anonymous(part: &str) -> String {
    let is_unique = |run: &str| run.len() >= 8 && run.chars().filter(char::is_ascii_digit).count() >= 8;
    if !part.split(|c: char| !c.is_ascii_hexdigit()).any(is_unique) {
        return part.to_owned();
    }
    let (quote, name) = part.strip_prefix('`').map_or(("", part), |name| ("`", name));
    let end = name.find(['.', '`']).unwrap_or(name.len());
    format!("{quote}…{}", name.split_at(end).1)
}

/// Writes the page.
pub(super) fn write(parts: &[(&str, Rows)], reference: &Reference) {
    let mut page = format!(
        "# What goes wrong, and what that costs\n\n\
         Written by a command; do not edit:\n\n    \
         cargo test --test faults -- --ignored --nocapture fault_matrix\n\n\
         Each line is one audit of {} units ({} requests when nothing goes wrong, at most 16 at once, under a cap of \
         ${CAP}) that meets a fault. Where the run ends early, the fault is mended and the same command is run again. All \
         figures come from the simulated grader's own books and from the final report, compared with a run that met no \
         fault:\n\n\
         - *items lost*: planned units that are in no bucket of the report;\n\
         - *verdicts lost*: stages of units with a verdict in the run without a fault and none here;\n\
         - *asked again*: requests beyond those of the run without a fault, refused ones included;\n\
         - *paid twice*: billed requests beyond those of the run without a fault: replies that the grader or the way to it \
         lost, and after a `kill -9` those that were on the wire or waited for one sync of the disk (16 + 64 at most);\n\
         - *over the cap*: what was billed beyond it;\n\
         - *same report*: whether the digest is that of the run without a fault;\n\
         - *exit* and *message*: of the run that met the fault.\n\n\
         The command fails if anything is lost, if more is paid twice than that, if the bill exceeds the cap or the books, if \
         the final report is another one, or if the exit code or the message is not the promised one.\n",
        reference.planned, reference.requests
    );
    for (title, rows) in parts {
        writeln!(page, "\n## {title}\n").unwrap();
        writeln!(page, "| fault | items lost | verdicts lost | asked again | paid twice | over the cap | same report | exit | message |").unwrap();
        writeln!(page, "|---|--:|--:|--:|--:|--:|---|--:|---|").unwrap();
        for (name, row) in rows {
            writeln!(page, "{}", line(name, row.as_ref())).unwrap();
        }
    }
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE), page).unwrap();
}

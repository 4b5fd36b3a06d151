//! Verdicts that were made elsewhere, put through the figures of `assize validate`: the judges of `LLMBar` against its gold.
//!
//! ```text
//! cargo run --release --example judges -- ../shared/data/llmbar-judges/verdicts_flat.jsonl.zst
//! ```
//!
//! Each judge was shown two outputs and named the better one, in both orders and under several prompts. Here output 1 is the
//! yes: a judge that guesses says it of half of what is truly 1 and of half of what is truly 2. A reply that names neither is
//! missing, in no cell of the table, and counted apart.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use assize::model::grading::Stage;
use assize::model::outcome::OutcomeKind;
use assize::model::rate::Level;
use assize::model::unit::Group;
use assize::reconcile::diff::Standing;
use assize::reconcile::validate::{Place, Row, Truth};
use assize::report::validate::StageFigures;
use serde::Deserialize;

/// One verdict of the public file; what else a line holds is not read.
#[derive(Deserialize)]
struct Verdict {
    subset: String,
    item: u64,
    judge: String,
    prompt: String,
    /// The output that the judge prefers: `1` or `2`; anything else is no verdict.
    winner: Option<String>,
    /// The better output.
    gold: u64,
}

impl Verdict {
    fn row(self) -> (String, Row) {
        let screen = match self.winner.as_deref() {
            Some("1") => Standing::Decided(true),
            Some("2") => Standing::Decided(false),
            Some(_) | None => Standing::Undecided(OutcomeKind::Unparsable),
        };
        // Items are graded many times over: each is one cluster.
        let cluster =
            assize::model::hash::Digest::of(format!("{} {}", self.subset, self.item).as_bytes()).leading_u64();
        let row = Row {
            truth: if self.gold == 1 { Truth::Yes } else { Truth::No },
            labels: [].into(),
            exclusions: [].into(),
            place: Some(Place { group: Group(vec![self.prompt]), cluster }),
            is_ambiguous: false,
            screen,
            confirm: None,
            score: None,
        };
        (self.judge, row)
    }
}

/// The figures of every judge of a compressed file of verdicts.
pub(crate) fn judges(file: &Path, level: Level) -> io::Result<BTreeMap<String, StageFigures>> {
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in BufReader::new(zstd::Decoder::new(File::open(file)?)?).lines() {
        let verdict: Verdict = serde_json::from_str(&line?)?;
        let (judge, row) = verdict.row();
        rows.entry(judge).or_default().push(row);
    }
    let figures = |rows: Vec<Row>| StageFigures::of(Stage::Screen, &rows, &["prompt".to_owned()], level);
    Ok(rows.into_iter().map(|(judge, rows)| (judge, figures(rows))).collect())
}

fn show(out: &mut impl Write, judge: &str, figures: &StageFigures) -> io::Result<()> {
    let right = figures.detected + figures.cleared;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let of_all = right as f64 / figures.units as f64;
    let (Some(accuracy), Some(balanced)) = (figures.accuracy, figures.balanced_accuracy) else { return Ok(()) };
    let limits = balanced.lower.zip(balanced.upper).unwrap_or_default();
    let word = if figures.informative == Some(true) { "informative" } else { "uninformative" };
    writeln!(
        out,
        "{judge:<14}{:>8}{:>9}{of_all:>10.4}{:>10.4}{:>10.4} [{:.3}, {:.3}]  {word}",
        figures.units,
        figures.units - figures.decided,
        accuracy.estimate,
        balanced.estimate,
        limits.0,
        limits.1
    )
}

fn main() -> io::Result<()> {
    let file = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("name the file of verdicts"))?;
    let level = Level::new(0.95).ok_or_else(|| io::Error::other("no level"))?;
    let mut out = io::stdout().lock();
    let (of_all, decided, balanced) = ("right/all", "accuracy", "balanced");
    writeln!(out, "{:<14}{:>8}{:>9}{of_all:>10}{decided:>10}{balanced:>10}", "judge", "asked", "missing")?;
    for (judge, figures) in judges(file.as_ref(), level)? {
        show(&mut out, &judge, &figures)?;
    }
    writeln!(out, "An item is judged up to thirty times; the limits take verdicts for independent and are too narrow.")
}

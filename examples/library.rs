//! One audit through the library instead of the command line: plant, assemble, run, compare.
//!
//! Everything happens in a temporary folder and on loopback. The corpus is generated, so it is known how many turns
//! truly show the behaviour; the grader is the simulated one, so the figures say nothing about a real model.
//!
//! ```text
//! cargo run --example library
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use assize::clock;
use assize::config::{self, Environment, LoadRequest};
use assize::model::rate::{RateName, Target};
use assize::model::unit::UnitKind;
use assize::rehearse::{CorpusPlan, GroupPlan, Probability};
use assize::report::Report;
use assize::run::{assemble, session};

/// The same file that `assize run` reads.
const AUDIT: &str = r#"
name = "library-example"
[[corpus.source]]
paths = ["corpus/*.jsonl"]
[corpus]
group_by = ["checkpoint"]
[behaviour]
name = "metagaming"
[sample]
none = 300
[endpoint.main]
api = "rehearsal"
rehearsal = "grader.toml"
[grader.screen]
endpoint = "main"
model = "rehearsal"
[grader.confirm]
endpoint = "main"
model = "rehearsal-confirm"
prompt = "confirm@1"
[budget]
max_cost = 5.00
"#;

/// How good the simulated grader is.
const GRADER: &str = "truth = \"truth.jsonl\"\nsensitivity = 0.9\nspecificity = 0.99\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    plant(folder.path())?;
    std::fs::write(folder.path().join("audit.toml"), AUDIT)?;
    std::fs::write(folder.path().join("grader.toml"), GRADER)?;

    // What was written becomes what it means, or every problem with its line and column.
    let loaded = config::load(&LoadRequest::new(folder.path(), Environment::default(), clock::now()))?;
    // Behaviour, census, sample and prompts are decided; nothing was sent yet.
    let assembly = assemble::assemble(loaded.audit)?;
    // Grade, confirm, fold. The closure sees every event of the journal; a progress bar would go there.
    let ended = session::run(assembly, |_| {}).await?;
    show(&ended.report)?;
    Ok(())
}

/// Writes two checkpoints of simulated chat, and beside them which of their turns show the behaviour.
fn plant(folder: &Path) -> Result<(), Box<dyn Error>> {
    let group = |checkpoint: &str, prevalence: f64| -> Result<GroupPlan, Box<dyn Error>> {
        let values = BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]);
        Ok(GroupPlan { values, conversations: 400, prevalence: Probability::new(prevalence)? })
    };
    let plan = CorpusPlan::new(7, vec![group("early", 0.004)?, group("late", 0.02)?]);
    plan.write(&folder.join("corpus"), &folder.join("truth.jsonl"))?;
    Ok(())
}

/// Prints the floor of each checkpoint beside what was planted there. The floor is a count, not the prevalence: what
/// was not drawn, not flagged or not confirmed is missing from it.
fn show(report: &Report) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{:<10} {:>8} {:>8} {:>8}", "checkpoint", "turns", "floor", "planted")?;
    let floors = report
        .rates
        .iter()
        .filter(|rate| rate.name == RateName::Floor && rate.target == Target::Corpus && rate.unit == UnitKind::Turn);
    for floor in floors {
        let checkpoint = floor.group.get("checkpoint").map_or("all", String::as_str);
        let [turns, confirmed, planted] =
            [floor.n, floor.k, floor.planted].map(|count| count.map_or("-".to_owned(), |count| count.to_string()));
        writeln!(out, "{checkpoint:<10} {turns:>8} {confirmed:>8} {planted:>8}")?;
    }
    writeln!(out, "{} requests, ${:.2} of simulated money", report.requests.sent, report.spend.usd)
}

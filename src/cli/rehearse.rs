//! `assize rehearse`: the simulated grader and the simulated corpus.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use crate::model::gold::ByKind;
use crate::model::label::{Decision, Label};
use crate::rehearse::{CorpusPlan, GroupPlan, Planted, Probability, RehearsalSettings, Reviewer, start};
use crate::report::rate::{count, units};
use crate::run::{conclude, interrupted};

use super::args::{CorpusArgs, RehearseArgs, RehearseCommand, RehearseGoldArgs, RehearseReviewArgs};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::printer::Printer;
use super::ready::runtime;
use super::report::{find_run, workspace};

/// The behaviour that a generated corpus shows.
const BEHAVIOUR: &str = "metagaming";
/// Checkpoints of a generated corpus and the share of their turns that truly shows the behaviour.
const CHECKPOINTS: [(&str, f64); 3] = [("rl-early", 0.001), ("rl-late", 0.006), ("production", 0.003)];

/// Serves until interrupted, or generates a corpus.
pub(super) fn run(invocation: &Invocation, args: &RehearseArgs, printer: Printer) -> Result<Exit, Failure> {
    match &args.command {
        Some(RehearseCommand::Review(args)) => review(invocation, args, printer),
        Some(RehearseCommand::Gold(args)) => gold(invocation, args, printer),
        Some(RehearseCommand::Corpus(args)) => corpus(args, printer),
        None => serve(args, printer),
    }
}

fn serve(args: &RehearseArgs, printer: Printer) -> Result<Exit, Failure> {
    let profile =
        args.profile.as_deref().map(RehearsalSettings::open).transpose().context("failed to read the profile")?;
    let profile = profile.unwrap_or_default();
    let truth = profile.open_truth().context("failed to read the planted truth")?;
    runtime()?.block_on(async {
        let server = start(&profile, truth, args.listen).await.context("failed to serve")?;
        printer.line(&format!(
            "simulated grader at {} (stats at http://{}/stats); Ctrl-C ends it",
            server.base_url(),
            server.address()
        ));
        interrupted().await.context("failed to listen for signals")?;
        let stats = server.stop().await;
        printer.result(&stats, || {
            let (prompt, completion) = (stats.prompt_tokens, stats.completion_tokens);
            format!("{} requests, {prompt} prompt and {completion} completion tokens", stats.requests)
        })?;
        Ok(Exit::Complete)
    })
}

/// The seat of simulated people.
const SEAT: &str = "simulated";

fn review(invocation: &Invocation, args: &RehearseReviewArgs, printer: Printer) -> Result<Exit, Failure> {
    let workspace = workspace(invocation)?;
    let folder = find_run(&workspace, &args.run.run)?;
    let tally = conclude::tally(&workspace, &folder).with_context(|| format!("failed to read run `{}`", folder.id))?;
    if !tally.plan.graders.iter().any(|grader| grader.simulated) {
        let error =
            anyhow::anyhow!("run `{}` asked real graders, and simulated people may not decide about it", folder.id);
        return Err(Failure::new(Exit::Usage, error).with_hint("`assize review queue` lists what people are to read"));
    }
    let reviewer = Reviewer {
        seed: args.seed,
        seat: SEAT.to_owned(),
        confirms_true: Probability::new(args.confirms_true).context("`--confirms-true` is wrong")?,
        confirms_false: Probability::new(args.confirms_false).context("`--confirms-false` is wrong")?,
    };
    let labels = reviewer.read(&args.truth, &tally).context("failed to read the planted truth")?;
    let file = workspace.labels().join(format!("{SEAT}.jsonl"));
    append(&file, &labels).with_context(|| format!("failed to write `{}`", file.display()))?;
    let yes = labels.iter().filter(|label| label.decision == Decision::Yes).count();
    let value = serde_json::json!({ "file": file, "read": labels.len(), "confirmed": yes });
    printer.result(&value, || {
        let hidden = if tally.plan.gold.is_some() { ", hidden gold among them," } else { "" };
        format!(
            "simulated people read {}{hidden} and confirmed {yes}: {}",
            units(labels.len() as u64, tally.plan.unit),
            file.display()
        )
    })?;
    Ok(Exit::Complete)
}

fn gold(invocation: &Invocation, args: &RehearseGoldArgs, printer: Printer) -> Result<Exit, Failure> {
    let file = match &args.out {
        Some(file) => file.clone(),
        None => workspace(invocation)?.gold(BEHAVIOUR).join("planted.jsonl"),
    };
    let groups = CHECKPOINTS.map(|(checkpoint, share)| GroupPlan {
        values: BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]),
        conversations: 0,
        prevalence: Probability::new(share).expect("the shares of checkpoints are probabilities"),
    });
    let items = ByKind { positive: args.positive, near_miss: args.near_miss };
    CorpusPlan::new(args.seed, groups.into()).write_gold(items, &file).context("failed to compose gold")?;
    let value = serde_json::json!({ "file": file, "positive": args.positive, "near_miss": args.near_miss });
    printer.result(&value, || {
        format!(
            "simulated gold, {} positives and {} near misses: {}",
            count(args.positive),
            count(args.near_miss),
            file.display()
        )
    })?;
    Ok(Exit::Complete)
}

fn append(file: &Path, labels: &[Label]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    let mut lines = Vec::new();
    for label in labels {
        serde_json::to_writer(&mut lines, label)?;
        lines.push(b'\n');
    }
    file.write_all(&lines)
}

fn corpus(args: &CorpusArgs, printer: Printer) -> Result<Exit, Failure> {
    let mut plan = CorpusPlan::new(args.seed, groups(args)?);
    plan.compress = args.compress;
    let truth = args.out.join("truth.jsonl");
    let planted = plan.write(&args.out.join("corpus"), &truth).context("failed to generate the corpus")?;
    let known = args.out.join("known.jsonl");
    if args.known > 0 {
        plan.write_known(BEHAVIOUR, args.known, &known).context("failed to generate the known positives")?;
    }
    let known = (args.known > 0).then_some(known);
    let groups: Vec<_> = planted.groups.iter().map(|group| {
        serde_json::json!({ "file": group.file, "conversations": group.conversations, "turns": group.turns, "present": group.present })
    }).collect();
    let mut value = serde_json::json!({ "truth": truth, "groups": groups });
    if let Some(known) = &known {
        value["known"] = serde_json::json!(known);
    }
    printer.result(&value, || text(&planted, &truth, known.as_deref()))?;
    Ok(Exit::Complete)
}

fn text(planted: &Planted, truth: &Path, known: Option<&Path>) -> String {
    let groups = planted.groups.iter().map(|group| {
        let file = group.file.display();
        format!(
            "{file}: {} conversations, {} turns, {} of them planted\n",
            group.conversations, group.turns, group.present
        )
    });
    let known = known.map(|known| format!("\nknown positives: {}", known.display())).unwrap_or_default();
    format!("{}planted truth: {}{known}", groups.collect::<String>(), truth.display())
}

/// The conversations are dealt out evenly; what does not divide goes to the first groups.
fn groups(args: &CorpusArgs) -> Result<Vec<GroupPlan>, Failure> {
    let groups = CHECKPOINTS.len() as u64;
    let plan = |(position, (checkpoint, share)): (u64, (&str, f64))| {
        let prevalence = Probability::new(args.prevalence.unwrap_or(share)).context("`--prevalence` is wrong")?;
        let conversations = args.conversations / groups + u64::from(position < args.conversations % groups);
        let values = BTreeMap::from([("checkpoint".to_owned(), checkpoint.to_owned())]);
        Ok(GroupPlan { values, conversations, prevalence })
    };
    (0..).zip(CHECKPOINTS).map(plan).collect()
}

//! The corpus of a new workspace: small, generated, with planted truth.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::rehearse::{CorpusPlan, GroupPlan, Probability};

use super::scaffold::Scaffold;

const SEED: u64 = 1;
const CONVERSATIONS_PER_GROUP: u64 = 500;
const CORPUS: &str = "corpus";
/// Known positives, which a run grades once they are imported.
const KNOWN: &str = "known.jsonl";
/// Of each group: enough with and without a cue for a figure by class.
const KNOWN_PER_GROUP: u64 = 80;
/// The file of planted turns.
pub(super) const TRUTH: &str = "truth.jsonl";
/// Checkpoint, source, and the share of turns that truly show the behaviour: rare, and rarer before.
const GROUPS: [(&str, &str, f64); 4] =
    [("rl-early", "chat", 0.004), ("rl-early", "code", 0.008), ("rl-late", "chat", 0.015), ("rl-late", "code", 0.03)];

/// Generates the corpus, unless there is one, and known positives where the audit counts what it shows.
pub(super) fn write(scaffold: &mut Scaffold, with_known: bool) -> anyhow::Result<()> {
    if scaffold.has(Path::new(CORPUS)) || scaffold.has(Path::new(TRUTH)) {
        scaffold.keep(CORPUS);
        return Ok(());
    }
    let plan = CorpusPlan::new(SEED, groups()?);
    let planted = plan.write(&scaffold.path(CORPUS), &scaffold.path(TRUTH)).context("cannot generate the corpus")?;
    let known = scaffold.path(KNOWN);
    if with_known && !known.exists() {
        plan.write_known(super::SHIPPED_BEHAVIOUR, KNOWN_PER_GROUP, &known)
            .context("cannot generate the known positives")?;
        scaffold.wrote(&known);
    }
    for group in planted.groups {
        scaffold.wrote(&group.file);
    }
    scaffold.wrote(&scaffold.path(TRUTH));
    Ok(())
}

fn groups() -> anyhow::Result<Vec<GroupPlan>> {
    let plan = |(checkpoint, source, prevalence): (&str, &str, f64)| {
        let values = [("checkpoint", checkpoint), ("source", source)];
        let values: BTreeMap<_, _> = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let prevalence = Probability::new(prevalence)?;
        Ok(GroupPlan { values, conversations: CONVERSATIONS_PER_GROUP, prevalence })
    };
    GROUPS.into_iter().map(plan).collect()
}

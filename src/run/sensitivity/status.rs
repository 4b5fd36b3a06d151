//! What the set can support, and what is missing for a corrected figure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::SensitivityError;
use super::files::for_each_item;
use super::queue::read_lines;
use super::sample::newest_run;
use crate::model::found_by::KnownUse;
use crate::model::hash::Digest;
use crate::model::known::{LEAST_PASSED, LEAST_USABLE};
use crate::model::known_plan::{KnownItem, LeftOut};
use crate::model::label::Decision;
use crate::model::tally::{KnownTally, Tally};
use crate::model::unit::{CLASS_NONE, Group};
use crate::run::assemble::Assembly;
use crate::run::conclude;

/// What the set can support.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The audit.
    pub audit: String,
    /// The behaviour.
    pub behaviour: String,
    /// The version of the set; null without items.
    pub version: Option<Digest>,
    /// The newest run of the audit.
    pub run: Option<String>,
    /// That a prompt of that run is a draft: nothing of it is for publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<&'static str>,
    /// The version of the set that it graded.
    pub run_version: Option<Digest>,
    /// Whether the figures of that run speak of the set as it is now.
    pub is_current: bool,
    /// Groups of the corpus, in order.
    pub groups: Vec<GroupStatus>,
    /// What people have read in blind draws, by group and class.
    pub read: Vec<ReadCount>,
    /// Items and lines that are not graded, by reason.
    pub left_out: BTreeMap<LeftOut, u64>,
    /// Lines that cannot be read, as `file:line: reason`, at most 20 of a kind.
    pub unreadable: Vec<String>,
}

/// What the set can support for one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// The group, as reports name it.
    pub group: String,
    /// Items by class and use.
    pub rows: Vec<RowStatus>,
    /// What is missing for a corrected figure; empty if nothing is.
    pub missing: Vec<String>,
    /// What is missing for one by class, with and without a cue; empty if nothing is.
    pub missing_by_class: Vec<String>,
}

/// Items of one class and use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowStatus {
    /// The prefilter class by the rules of the audit.
    pub class: String,
    /// What they may be used for.
    #[serde(rename = "use")]
    pub usage: KnownUse,
    /// Items that a run would grade.
    pub items: u64,
    /// Those with a usable verdict in the newest run: m; null if that graded another version of the set.
    pub usable: Option<u64>,
    /// Those that passed its gate: c.
    pub passed: Option<u64>,
}

/// What people have read of one group and class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadCount {
    /// The group, as reports name it.
    pub group: String,
    /// The class that was drawn.
    pub class: String,
    /// Turns read.
    pub read: u64,
    /// Decided to show the behaviour.
    pub yes: u64,
    /// Neither yes nor no.
    pub undecided: u64,
}

/// Looks at the set, at what people read, and at the newest run of the audit.
///
/// # Errors
/// If the set or the newest run cannot be read.
pub fn status(assembly: &Assembly) -> Result<Status, SensitivityError> {
    let (audit, plan) = (&assembly.audit, &assembly.planned.known);
    let run = newest_run(assembly)?;
    let tally = run.as_ref().map(|run| conclude::tally(&audit.workspace, run)).transpose()?;
    let run_version = tally.as_ref().and_then(|tally| tally.plan.known.version);
    let is_current = tally
        .as_ref()
        .is_some_and(|tally| (tally.plan.known.version, tally.plan.known.units) == (plan.version, plan.units));
    let known = tally.as_ref().filter(|_| is_current).map(|tally: &Tally| tally.known.as_slice());
    let groups = assembly.census.corpus.conversations_by_group.iter().map(|(group, _)| group);
    let (read, unreadable) = read_counts(assembly)?;
    Ok(Status {
        audit: audit.name.clone(),
        behaviour: audit.behaviour.clone(),
        version: plan.version,
        run: run.map(|run| run.id),
        watermark: tally.as_ref().and_then(|tally| tally.plan.watermark()),
        run_version,
        is_current,
        groups: groups.map(|group| of_group(group, &plan.items, known)).collect(),
        read,
        left_out: plan.left_out.clone(),
        unreadable,
    })
}

fn of_group(group: &Group, items: &[KnownItem], known: Option<&[KnownTally]>) -> GroupStatus {
    let mut counts: BTreeMap<(&str, KnownUse), u64> = BTreeMap::new();
    for item in items.iter().filter(|item| item.group == *group) {
        *counts.entry((&item.class, item.usage())).or_default() += 1;
    }
    let rows = counts.into_iter().map(|((class, usage), items)| {
        let is_row = |row: &&KnownTally| row.group == *group && row.class == class && row.usage == usage;
        let graded = known.and_then(|known| known.iter().find(is_row));
        let (usable, passed) = (graded.map(|row| row.usable), graded.map(|row| row.passed));
        RowStatus { class: class.to_owned(), usage, items, usable, passed }
    });
    let rows: Vec<_> = rows.collect();
    let is_hit = |row: &RowStatus| row.class != CLASS_NONE;
    let headline = |row: &&RowStatus| row.usage == KnownUse::Headline;
    let missing = missing("", rows.iter().filter(headline));
    let with_cue = rows.iter().filter(|row| is_hit(row) && row.usage != KnownUse::Selected);
    let mut missing_by_class = self::missing("with a cue: ", with_cue);
    missing_by_class.extend(self::missing("without a cue: ", rows.iter().filter(|row| !is_hit(row)).filter(headline)));
    GroupStatus { group: group.to_string(), rows, missing, missing_by_class }
}

/// What is missing for a sensitivity over these rows: at least so many usable items, and so many that pass.
fn missing<'a>(lead: &str, rows: impl Iterator<Item = &'a RowStatus>) -> Vec<String> {
    let (mut items, mut usable, mut passed, mut is_graded) = (0, 0, 0, true);
    for row in rows {
        items += row.items;
        usable += row.usable.unwrap_or_default();
        passed += row.passed.unwrap_or_default();
        is_graded &= row.usable.is_some();
    }
    let mut missing = Vec::new();
    if items < LEAST_USABLE {
        missing.push(format!("{lead}{} more known positives ({items} of {LEAST_USABLE})", LEAST_USABLE - items));
    } else if !is_graded {
        missing.push(format!("{lead}a run that grades the set as it is now"));
    } else {
        if usable < LEAST_USABLE {
            missing.push(format!("{lead}{usable} of {items} have a usable verdict, {LEAST_USABLE} are needed"));
        }
        if passed < LEAST_PASSED {
            missing.push(format!("{lead}{passed} of {usable} passed the gate, {LEAST_PASSED} are needed"));
        }
    }
    missing
}

fn read_counts(assembly: &Assembly) -> Result<(Vec<ReadCount>, Vec<String>), SensitivityError> {
    let group_by = &assembly.audit.corpus.group_by;
    let (lines, unreadable) = read_lines(&assembly.audit.workspace.sensitivity())?;
    let mut counts: BTreeMap<(Group, String), ReadCount> = BTreeMap::new();
    for line in lines.into_iter().filter(|line| line.behaviour == assembly.audit.behaviour) {
        let group = Group(group_by.iter().map(|field| line.group.get(field).cloned().unwrap_or_default()).collect());
        let name = group.to_string();
        let class = line.class.clone();
        let count = counts.entry((group, line.class)).or_insert_with(|| ReadCount {
            group: name,
            class,
            read: 0,
            yes: 0,
            undecided: 0,
        });
        count.read += 1;
        match line.decision {
            Decision::Yes => count.yes += 1,
            Decision::No => {}
            Decision::Unsure | Decision::CannotJudge => count.undecided += 1,
        }
    }
    let set = for_each_item(&assembly.audit.workspace.sensitivity(), |_| Ok(()))?.examples.into_iter();
    Ok((counts.into_values().collect(), set.chain(unreadable.examples).collect()))
}

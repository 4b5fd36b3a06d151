//! The audited sample as a set that can be asked: no known positive comes from it.

use std::collections::{HashMap, HashSet};

use super::error::SensitivityError;
use crate::cache::units::Snapshot;
use crate::model::event::PlannedStratum;
use crate::model::hash::Digest;
use crate::model::unit::{Group, UnitId};
use crate::plan::sample::draw_number;
use crate::plan::settings::SampleSettings;
use crate::run::assemble::Assembly;
use crate::run::census::GRADE_PURPOSE;
use crate::run::folder::RunFolder;

/// Which units of the corpus the audit has selected. A stratum's sample is its units with the smallest numbers, so the
/// largest of them tells a unit's membership, and memory does not grow with the sample.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    sample: &'a SampleSettings,
    /// Whether turns were drawn by whole conversations.
    draws_several: bool,
    /// By class, then group.
    largest: HashMap<&'a str, HashMap<&'a Group, u64>>,
}

impl<'a> Selected<'a> {
    pub(super) fn of(assembly: &'a Assembly) -> Result<Self, SensitivityError> {
        let (sample, units) = (&assembly.audit.sample, &assembly.census.units);
        let draws_several = assembly.audit.corpus.draws_several();
        let mut selected = Self { sample, draws_several, largest: HashMap::new() };
        for (last, stratum) in units.last_of_strata()?.into_iter().zip(units.strata()) {
            let Some(ordinal) = last else { continue };
            let number = selected.number(&units.get(ordinal)?.id);
            selected.largest.entry(&stratum.class).or_default().insert(&stratum.group, number);
        }
        Ok(selected)
    }

    /// Whether a unit of this class is in the sample.
    pub(super) fn contains(&self, class: &str, unit: &UnitId) -> bool {
        let largest = self.largest.get(class).and_then(|groups| groups.get(&unit.group));
        largest.is_some_and(|largest| self.number(unit) <= *largest)
    }

    fn number(&self, unit: &UnitId) -> u64 {
        let key = if self.draws_several { unit.conversation_key() } else { unit.key() };
        draw_number(self.sample.seed, GRADE_PURPOSE, self.sample.draw, &key)
    }
}

/// Those of these contents that are in the sample of the audit as it stands, or of its newest run.
pub(super) fn contents_in_samples(
    assembly: &Assembly,
    contents: &HashSet<Digest>,
) -> Result<HashSet<Digest>, SensitivityError> {
    let mut found = assembly.census.units.contents_among(contents)?;
    let census = newest_run(assembly)?.and_then(|run| run.last_session()).map(|(_, planned)| planned.census);
    if let Some(census) = census.filter(|census| *census != assembly.census.digest)
        && let Some(units) = Snapshot::open(&assembly.audit.workspace.units(), &census)?
    {
        found.extend(units.contents_among(contents)?);
    }
    Ok(found)
}

/// The newest run of the audit, replays included.
pub(super) fn newest_run(assembly: &Assembly) -> Result<Option<RunFolder>, SensitivityError> {
    let runs = RunFolder::list(&assembly.audit.workspace.runs())?;
    let is_ours = |run: &RunFolder| run.last_session().is_some_and(|(_, planned)| planned.audit == assembly.audit.name);
    Ok(runs.into_iter().rev().find(is_ours))
}

/// The groups of the corpus that these names mean, in the order of the corpus; all without a name.
pub(super) fn groups_named(strata: &[PlannedStratum], names: &[String]) -> Result<Vec<Group>, SensitivityError> {
    let mut groups: Vec<Group> = strata.iter().map(|row| row.stratum.group.clone()).collect();
    groups.sort();
    groups.dedup();
    let typed = |group: &Group| group.to_string().replace(" · ", " / ");
    let means = |name: &String, group: &Group| *name == group.to_string() || *name == typed(group);
    for name in names {
        if !groups.iter().any(|group| means(name, group)) {
            return Err(SensitivityError::UnknownGroup {
                name: name.clone(),
                known: groups.iter().map(typed).collect(),
            });
        }
    }
    groups.retain(|group| names.is_empty() || names.iter().any(|name| means(name, group)));
    Ok(groups)
}

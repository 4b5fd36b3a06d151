//! Labelled units and a run's events, joined.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::truth::{Said, Truth, Truths};
use crate::model::event::{Admitted, Event, Judged, Ordinal};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::unit::{Group, UnitId};
use crate::reconcile::diff::Standing;
use crate::reconcile::{Definitions, FoldError};

/// One labelled unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is known of it.
    pub truth: Truth,
    /// Ids of the behaviour's labels that it is known to show.
    pub labels: BTreeSet<String>,
    /// Ids of the exclusions that it is known to fall under.
    pub exclusions: BTreeSet<String>,
    /// Where it stands in the run; absent if the run did not admit it.
    pub place: Option<Place>,
    /// Whether several units of the run have its address and its label does not say which is meant.
    pub is_ambiguous: bool,
    /// What the screen says.
    pub screen: Standing,
    /// What comes through both graders; absent where the run has no second one.
    pub confirm: Option<Standing>,
    /// The score of the screen, 0 to 100, where it has a usable verdict.
    pub score: Option<u8>,
}

/// A unit of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its group.
    pub group: Group,
    /// What it is not independent of: the beginning of a digest.
    pub cluster: u64,
}

/// All labelled units, each in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The rows, in no order that means anything.
    pub rows: Vec<Row>,
    /// Whether a second grader reads what the screen flags.
    pub has_confirmer: bool,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    standing: Standing,
    passes: bool,
}

struct Unit {
    id: UnitId,
    content: Digest,
    cluster: u64,
    screen: Option<Mark>,
    confirm: Option<Mark>,
    score: Option<u8>,
}

/// Joins what is known with what a run says. The last `set_back` admitted units count as not admitted, as in the run's
/// report; known positives are no units of the sample. Memory grows with the labelled units.
///
/// # Errors
/// The journal cannot be read, or a definition cannot be evaluated over a verdict.
pub fn join<E: From<FoldError>>(
    truths: &Truths,
    definitions: &Definitions,
    set_back: u64,
    events: impl Iterator<Item = Result<Event, E>>,
) -> Result<Joined, E> {
    let mut units: HashMap<Ordinal, Unit> = HashMap::new();
    let mut end = 0;
    let mut has_scores = true;
    for event in events {
        match event? {
            Event::Admitted(admitted) if admitted.stratum.is_some() => {
                end = end.max(admitted.ordinal.0 + 1);
                if truths.names(&admitted.unit.to_string()) || truths.by_content.contains_key(&admitted.content) {
                    units.entry(admitted.ordinal).or_insert_with(|| unit(admitted));
                }
            }
            Event::Judged(judged) => {
                if let Some(unit) = units.get_mut(&judged.ordinal) {
                    mark(unit, &judged, definitions)?;
                }
            }
            Event::Planned(planned) => {
                let recorded = planned.graders.first().and_then(|screen| screen.recorded.as_ref());
                has_scores = recorded.is_none_or(|recorded| recorded.has_scores);
            }
            Event::Admitted(_)
            | Event::Opened(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }
    let end = end.saturating_sub(set_back);
    let mut units: Vec<(Ordinal, Unit)> = units.into_iter().filter(|(ordinal, _)| ordinal.0 < end).collect();
    units.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    let mut units: Vec<Unit> = units.into_iter().map(|(_, unit)| unit).collect();
    if !has_scores {
        // Nobody gave one: a curve over them would only repeat the verdicts.
        for unit in &mut units {
            unit.score = None;
        }
    }
    let rows = Rows { truths, has_confirmer: definitions.has_confirmer() };
    let mut all = rows.by_address(&units);
    all.extend(rows.by_content(&units));
    Ok(Joined { rows: all, has_confirmer: definitions.has_confirmer() })
}

fn unit(admitted: Admitted) -> Unit {
    let cluster = admitted.cluster.unwrap_or_else(|| admitted.unit.conversation_key()).leading_u64();
    Unit { id: admitted.unit, content: admitted.content, cluster, screen: None, confirm: None, score: None }
}

fn mark(unit: &mut Unit, judged: &Judged, definitions: &Definitions) -> Result<(), FoldError> {
    let failed = |source| FoldError::Definition { ordinal: judged.ordinal, stage: judged.stage, source };
    let passes = definitions.pass(judged).map_err(failed)?;
    let standing = definitions.standing(judged).map_err(failed)?;
    let mark = Some(Mark { standing, passes });
    match judged.stage {
        Stage::Screen => (unit.screen, unit.score) = (mark, score(judged)),
        Stage::Confirm => unit.confirm = mark,
    }
    Ok(())
}

/// The score of a usable ending; of a conversation that was read in chunks, the highest.
fn score(judged: &Judged) -> Option<u8> {
    let of_chunks = judged.chunks.iter().filter_map(|chunk| chunk.outcome.finding());
    let all = judged.outcome.finding().into_iter().chain(of_chunks);
    all.map(|finding| finding.score).max().filter(|_| judged.outcome.kind().is_usable())
}

struct Rows<'a> {
    truths: &'a Truths,
    has_confirmer: bool,
}

impl Rows<'_> {
    /// A row for each labelled unit that is known by its address.
    fn by_address(&self, units: &[Unit]) -> Vec<Row> {
        let mut located: BTreeMap<String, Vec<&Unit>> = BTreeMap::new();
        for unit in units {
            located.entry(unit.id.to_string()).or_default().push(unit);
        }
        let mut rows = Vec::new();
        for (address, group) in self.truths.addresses() {
            let here = located.get(address).map(Vec::as_slice).unwrap_or_default();
            let row = match (group, here) {
                (None, [unit]) => self.row(self.truths.said(address, &[None, Some(&unit.id.group)]), Some(unit)),
                // Its decisions are those of the row above.
                (Some(group), [unit]) if *group == unit.id.group && self.truths.has_ungrouped(address) => continue,
                (Some(group), here) => {
                    let unit = here.iter().find(|unit| unit.id.group == *group).copied();
                    self.row(self.truths.said(address, &[Some(group)]), unit)
                }
                (None, here) => {
                    let row = self.row(self.truths.said(address, &[None]), None);
                    Row { is_ambiguous: !here.is_empty(), ..row }
                }
            };
            rows.push(row);
        }
        rows
    }

    /// A row for each that is known by its text. Of copies the first one stands for all.
    fn by_content(&self, units: &[Unit]) -> Vec<Row> {
        let mut located: HashMap<Digest, &Unit> = HashMap::new();
        for unit in units {
            located.entry(unit.content).or_insert(unit);
        }
        let known = self.truths.by_content.iter();
        known.map(|(content, said)| self.row(said.clone(), located.get(content).copied())).collect()
    }

    fn row(&self, said: Said, unit: Option<&Unit>) -> Row {
        let Said { truth, labels, exclusions } = said;
        let absent = if unit.is_some() { Standing::Unfinished } else { Standing::NotAdmitted };
        let [screen, confirm] = [unit.and_then(|unit| unit.screen), unit.and_then(|unit| unit.confirm)]
            .map(|mark| mark.map(|m| m.standing));
        let passes = unit.and_then(|unit| unit.screen).is_some_and(|mark| mark.passes);
        let screen = screen.unwrap_or(absent);
        let after_both = match screen {
            // What the screen cleared is not confirmed, whatever an earlier session asked the second grader.
            Standing::Decided(_) if !passes => Standing::Decided(false),
            Standing::Decided(_) => confirm.unwrap_or(absent),
            Standing::NotAdmitted | Standing::Unfinished | Standing::Undecided(_) | Standing::AskedOnce => screen,
        };
        Row {
            truth,
            labels,
            exclusions,
            place: unit.map(|unit| Place { group: unit.id.group.clone(), cluster: unit.cluster }),
            is_ambiguous: false,
            screen,
            confirm: self.has_confirmer.then_some(after_both),
            score: unit.and_then(|unit| unit.score),
        }
    }
}

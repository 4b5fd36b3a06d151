//! Which units stand on which side.

use std::collections::HashSet;

use super::MineError;
use super::text::Texts;
use crate::estimate::cues::{CueSample, Slice, WithoutCue};
use crate::model::bucket::Bucket;
use crate::model::event::{Event, Ordinal, Planned};
use crate::model::tally::Tally;
use crate::model::unit::CLASS_NONE;
use crate::prefilter::mine::Probe;
use crate::run::conclude;
use crate::run::folder::RunFolder;
use crate::run::groups::places;
use crate::run::settings::Workspace;

/// What to set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The groups with these values are the first side, and the others the second; empty: what was confirmed, and the
    /// rest.
    pub group: Vec<(String, String)>,
    /// Of both sides only what was confirmed.
    pub only_confirmed: bool,
    /// How many conversations of the first side have to hold a word.
    pub least: u64,
    /// Most suggestions.
    pub show: usize,
}

/// How a graded unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Confirmed,
    /// Cleared or rejected.
    No,
    /// Flagged, and nobody has decided.
    Open,
}

/// A graded unit.
#[derive(Debug, Clone, Copy)]
struct Member {
    ordinal: Ordinal,
    ending: Ending,
    stratum: u32,
    conversation: u64,
    content: u64,
}

/// One side.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) what: String,
    pub(super) units: u64,
    /// By conversation.
    ordinals: Vec<Ordinal>,
    /// Where each conversation's units end.
    ends: Vec<usize>,
}

/// Both sides, and what they were chosen from.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) first: Side,
    pub(super) second: Side,
    pub(super) undecided: u64,
    pub(super) tally: Tally,
    /// Graded units, in the order of admission.
    members: Vec<Member>,
}

impl Sides {
    pub(super) fn read(
        workspace: &Workspace,
        folder: &RunFolder,
        planned: &Planned,
        wanted: &Wanted,
    ) -> Result<Self, MineError> {
        let is_in_group = group_test(planned, &wanted.group)?;
        let mut endings: Vec<(Ordinal, Ending)> = Vec::new();
        let tally = conclude::tally_each(workspace, folder, |ordinal, bucket| {
            endings.extend(ending(bucket).map(|ending| (ordinal, ending)));
        })?;
        let members = members(folder, &endings)?;
        let of_group = |member: &Member| is_in_group.get(member.stratum as usize).copied().unwrap_or(false);
        let is_first = |member: &Member| {
            if wanted.group.is_empty() { member.ending == Ending::Confirmed } else { of_group(member) }
        };
        let counts = |member: &&Member| match member.ending {
            Ending::Confirmed => true,
            Ending::No => !wanted.only_confirmed,
            // Of two groups all text counts; of what was decided only what was.
            Ending::Open => !wanted.only_confirmed && !wanted.group.is_empty(),
        };
        let undecided = members.iter().filter(|member| member.ending == Ending::Open && !counts(member)).count();
        let [first, second] = names(wanted);
        let side = |what, wants: bool| {
            let chosen = members.iter().filter(counts).filter(|member| is_first(member) == wants);
            Side::new(what, chosen.copied().collect())
        };
        Ok(Self { first: side(first, true), second: side(second, false), undecided: undecided as u64, tally, members })
    }

    /// The units of each conversation of a side.
    pub(super) fn conversations(&self, is_first: bool) -> Vec<&[Ordinal]> {
        let side = if is_first { &self.first } else { &self.second };
        let starts = std::iter::once(0).chain(side.ends.iter().copied());
        starts.zip(&side.ends).map(|(start, end)| &side.ordinals[start..*end]).collect()
    }

    /// The graded units without a cue, and which phrases they hold.
    pub(super) fn sample(&self, probe: &Probe, texts: &mut Texts<'_>) -> Result<Option<CueSample>, MineError> {
        let plan = &self.tally.plan;
        let mut slice_of = Vec::with_capacity(plan.strata.len());
        let mut slices: Vec<Slice> = Vec::new();
        for row in &plan.strata {
            let is_without = row.stratum.class == CLASS_NONE;
            slice_of.push(is_without.then_some(slices.len()));
            slices.extend(is_without.then_some(Slice { frame: row.units, graded: 0 }));
        }
        let mut units = Vec::new();
        for member in &self.members {
            let Some(slice) = slice_of.get(member.stratum as usize).copied().flatten() else { continue };
            slices[slice].graded += 1;
            let (holds, is_confirmed) = (texts.found(member.ordinal, probe)?, member.ending == Ending::Confirmed);
            if holds != 0 || is_confirmed {
                let Member { conversation, content, .. } = *member;
                units.push(WithoutCue { slice, holds, is_confirmed, conversation, content });
            }
        }
        Ok(CueSample::new(slices, units, plan.draws_several(), self.tally.level))
    }
}

impl Side {
    /// Copies of one content count once: people quote and resend.
    fn new(what: String, mut members: Vec<Member>) -> Self {
        let mut contents = HashSet::new();
        members.retain(|member| contents.insert(member.content));
        members.sort_unstable_by_key(|member| (member.conversation, member.ordinal));
        let runs = members.chunk_by(|one, other| one.conversation == other.conversation);
        let mut end = 0;
        let ends = runs.map(|run| {
            end += run.len();
            end
        });
        let ends = ends.collect();
        let ordinals: Vec<_> = members.iter().map(|member| member.ordinal).collect();
        Self { what, units: ordinals.len() as u64, ordinals, ends }
    }
}

/// For each stratum whether its group has these values.
fn group_test(planned: &Planned, wanted: &[(String, String)]) -> Result<Vec<bool>, MineError> {
    let places = places(planned, wanted)?;
    let has = |values: &[String]| places.iter().all(|(place, value)| values.get(*place) == Some(*value));
    Ok(planned.strata.iter().map(|row| has(&row.stratum.group.0)).collect())
}

fn names(wanted: &Wanted) -> [String; 2] {
    let values = wanted.group.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(",");
    let named = |first: &str, second: &str| [first.to_owned(), second.to_owned()];
    match (wanted.group.is_empty(), wanted.only_confirmed) {
        (true, _) => named("flagged and confirmed", "graded, and cleared or rejected"),
        (false, false) => [format!("graded, {values}"), "graded, other groups".to_owned()],
        (false, true) => [format!("confirmed, {values}"), "confirmed, other groups".to_owned()],
    }
}

fn ending(bucket: &Bucket) -> Option<Ending> {
    match bucket {
        Bucket::NotPlanned | Bucket::NotAdmitted | Bucket::Unfinished | Bucket::Ungraded(_) => None,
        Bucket::Cleared | Bucket::Rejected { .. } => Some(Ending::No),
        Bucket::Pending | Bucket::Disputed => Some(Ending::Open),
        Bucket::Confirmed { .. } => Some(Ending::Confirmed),
    }
}

/// What the journal says of these units, which come in the order of admission.
fn members(folder: &RunFolder, endings: &[(Ordinal, Ending)]) -> Result<Vec<Member>, MineError> {
    let mut members: Vec<Option<Member>> = vec![None; endings.len()];
    for event in folder.events() {
        match event? {
            Event::Admitted(unit) => {
                let place = endings.binary_search_by_key(&unit.ordinal, |(ordinal, _)| *ordinal);
                let Some((place, stratum)) = place.ok().zip(unit.stratum) else { continue };
                let (conversation, content) = (unit.unit.conversation_key().leading_u64(), unit.content.leading_u64());
                let (ordinal, ending) = endings[place];
                members[place] = Some(Member { ordinal, ending, stratum, conversation, content });
            }
            Event::Judged(_)
            | Event::Opened(_)
            | Event::Planned(_)
            | Event::Granted(_)
            | Event::Sent(_)
            | Event::Settled(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }
    Ok(members.into_iter().flatten().collect())
}

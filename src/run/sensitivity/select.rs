//! What a run grades of the set: every item of the behaviour that may count, one of each source and group.

use std::collections::{BTreeMap, HashSet};

use super::error::SensitivityError;
use super::files::{Unreadable, for_each_item};
use crate::cache::units::{Selected, Snapshot, SnapshotWriter, UnitsError};
use crate::model::event::Ordinal;
use crate::model::found_by::KnownUse;
use crate::model::hash::{Digest, PartHasher};
use crate::model::known::{KnownPositive, set_version};
use crate::model::known_plan::{KnownItem, KnownPlan, LeftOut};
use crate::model::unit::{CLASS_NONE, Group, Stratum, UnitKind};
use crate::prefilter::{Scratch, Screener};
use crate::run::census::Census;
use crate::run::settings::Audit;
use crate::source::settings::CorpusSettings;

/// The part of a set that a run grades.
#[derive(Debug, Default)]
pub(in crate::run) struct Selection {
    /// For the journal.
    pub(in crate::run) plan: KnownPlan,
    /// The conversations, in the order of the plan; absent without any.
    pub(in crate::run) units: Option<Snapshot>,
    /// What a reader of the report should know.
    pub(in crate::run) warnings: Vec<String>,
}

/// An item without its text.
struct Light {
    digest: Digest,
    content: Digest,
    item: KnownItem,
}

/// Reads the set of a workspace and copies what is graded of it into a snapshot, unless one is there.
///
/// # Errors
/// If a file of the set cannot be read, or the snapshot cannot be written.
pub(in crate::run) fn select(
    audit: &Audit,
    screener: &Screener,
    census: &Census,
) -> Result<Selection, SensitivityError> {
    let folder = audit.workspace.sensitivity();
    let (mut items, mut scratch) = (Vec::new(), Scratch::default());
    let unreadable = for_each_item(&folder, |known| {
        if known.behaviour == audit.behaviour {
            items.push(Light::of(&known, &audit.corpus, screener, &mut scratch));
        }
        Ok(())
    })?;
    let version = (!items.is_empty()).then(|| set_version(items.iter().map(|light| light.digest).collect()));
    let mut left_out = BTreeMap::new();
    if unreadable.lines > 0 {
        left_out.insert(LeftOut::Unreadable, unreadable.lines);
    }
    let chosen = choose(items, census, &mut left_out)?;
    let warnings = warnings(&unreadable, &left_out);
    let digest = (!chosen.is_empty()).then(|| digest_of(&chosen, audit.corpus.unit));
    let units = digest.map(|digest| snapshot(audit, &digest, &chosen)).transpose()?;
    let items = chosen.into_iter().map(|light| light.item).collect();
    let plan = KnownPlan { version, units: digest, items, left_out };
    Ok(Selection { plan, units, warnings })
}

impl Light {
    fn of(known: &KnownPositive, corpus: &CorpusSettings, screener: &Screener, scratch: &mut Scratch) -> Self {
        let (unit, conversation) = (corpus.unit, &known.conversation);
        let turns = conversation.turns().filter(|turn| *turn == known.turn || !unit.is_turn());
        let messages = turns.filter_map(|turn| conversation.message(turn));
        // Classes are in order of precedence: a conversation is in that of its most specific turn.
        let class = messages.map(|message| screener.class_of(message, scratch)).min();
        let class = class.and_then(|class| screener.classes().get(class));
        Self {
            digest: known.digest(),
            content: known.content_as(unit),
            item: KnownItem {
                id: known.id.clone(),
                group: known.group(&corpus.group_by),
                class: class.cloned().unwrap_or_else(|| CLASS_NONE.to_owned()),
                found_by: known.found_by,
                source: known.source.clone(),
            },
        }
    }
}

/// The items that are graded, in the order of their hashes: wherever a run is cut, it has a random part of them.
fn choose(
    mut items: Vec<Light>,
    census: &Census,
    left_out: &mut BTreeMap<LeftOut, u64>,
) -> Result<Vec<Light>, SensitivityError> {
    let groups: HashSet<&Group> = census.corpus.conversations_by_group.iter().map(|(group, _)| group).collect();
    let contents = items.iter().map(|light| light.content).collect();
    let sampled = census.units.contents_among(&contents)?;
    // Of several items of one source the most useful counts, and of those the one with the lowest hash.
    items.sort_by_key(|light| (light.item.usage(), light.digest));
    let (mut seen, mut sources) = (HashSet::new(), HashSet::new());
    let mut refusal = |light: &Light| {
        let item = &light.item;
        if !groups.contains(&item.group) {
            return Some(LeftOut::OtherGroup);
        }
        if sampled.contains(&light.content) {
            return Some(LeftOut::InSample);
        }
        if item.usage() == KnownUse::HitsOnly && item.class == CLASS_NONE {
            return Some(LeftOut::NoCue);
        }
        if !seen.insert((item.group.clone(), light.content)) {
            return Some(LeftOut::Duplicate);
        }
        (!sources.insert((item.group.clone(), item.source.clone()))).then_some(LeftOut::SameSource)
    };
    items.retain(|light| match refusal(light) {
        None => true,
        Some(reason) => {
            *left_out.entry(reason).or_default() += 1;
            false
        }
    });
    items.sort_by_key(|light| light.digest);
    Ok(items)
}

fn warnings(unreadable: &Unreadable, left_out: &BTreeMap<LeftOut, u64>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(first) = unreadable.examples.first() {
        let lines = unreadable.lines;
        warnings.push(format!(
            "{lines} {} of the sensitivity set cannot be read and {} left out; the first is {first}",
            if lines == 1 { "line" } else { "lines" },
            if lines == 1 { "is" } else { "are" },
        ));
    }
    if let Some(items) = left_out.get(&LeftOut::InSample) {
        warnings.push(format!(
            "{items} known {} in the audited sample and left out: `assize sensitivity status` counts what is left",
            if *items == 1 { "positive is" } else { "positives are" }
        ));
    }
    warnings
}

/// Identifies a snapshot: items and classes, in order, and whether they are turns or conversations.
fn digest_of(chosen: &[Light], unit: UnitKind) -> Digest {
    let mut hasher = PartHasher::new("known units");
    if !unit.is_turn() {
        hasher.part(unit.as_str().as_bytes());
    }
    for Light { digest, item, .. } in chosen {
        hasher.part(digest.as_bytes()).part(item.class.as_bytes()).number(item.group.0.len() as u64);
        for value in &item.group.0 {
            hasher.part(value.as_bytes());
        }
    }
    hasher.finish()
}

fn snapshot(audit: &Audit, digest: &Digest, chosen: &[Light]) -> Result<Snapshot, SensitivityError> {
    let folder = audit.workspace.units();
    match Snapshot::open(&folder, digest) {
        Ok(Some(snapshot)) => return Ok(snapshot),
        Err(newer @ UnitsError::Newer { .. }) => return Err(newer.into()),
        // A damaged copy is replaced: the set itself is what it is made from.
        Ok(None) | Err(_) => {}
    }
    let stratum = |item: &KnownItem| Stratum { class: item.class.clone(), group: item.group.clone() };
    let mut strata: Vec<_> = chosen.iter().map(|light| stratum(&light.item)).collect();
    strata.sort();
    strata.dedup();
    let mut places: BTreeMap<Digest, SelectedItem> = BTreeMap::new();
    for (ordinal, light) in (0..).map(Ordinal).zip(chosen) {
        let stratum = strata.binary_search(&stratum(&light.item)).unwrap_or_default();
        let stratum = u32::try_from(stratum).expect("classes times groups are far fewer than four billion");
        places.insert(light.digest, SelectedItem { ordinal, stratum });
    }
    let mut writer = SnapshotWriter::create(&folder, digest, &strata, chosen.len() as u64)?;
    for_each_item(&audit.workspace.sensitivity(), |known| {
        if let Some(SelectedItem { ordinal, stratum }) = places.remove(&known.digest()) {
            let turn = audit.corpus.unit.is_turn().then_some(known.turn);
            writer.add(&known.conversation, &[Selected { ordinal, stratum, turn }])?;
        }
        Ok(())
    })?;
    Ok(writer.finish()?)
}

struct SelectedItem {
    ordinal: Ordinal,
    stratum: u32,
}

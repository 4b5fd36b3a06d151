//! A blind draw: turns of one class outside the audited sample, for people to read without any verdict in sight.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;

use super::error::SensitivityError;
use super::files::create;
use super::host::{Host, Place, corpus_files, fetch, for_each_host};
use super::queue::{QUEUE_FORMAT, QueueLine, read_lines, turn_text};
use super::sample::{contents_in_samples, groups_named};
use crate::cache::units::turn_contents;
use crate::model::event::PlannedStratum;
use crate::model::hash::Digest;
use crate::model::unit::{Group, UnitId};
use crate::plan::sample::{Drawn as Numbered, Keeper, draw_number};
use crate::plan::settings::SampleSize;
use crate::run::assemble::Assembly;

/// The purpose of this draw, which keeps it apart from the audit's own.
const PURPOSE: &str = "sensitivity";

/// What to draw.
#[derive(Debug, Clone)]
pub struct DrawRequest {
    /// The prefilter class.
    pub class: String,
    /// Turns of each group, at most.
    pub units: u64,
    /// Groups as reports name them; all without any.
    pub groups: Vec<String>,
    /// Number of the draw; that of the audit without one.
    pub draw: Option<u32>,
    /// Who is to read them.
    pub seat: Option<String>,
}

/// What was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// The queue, from the workspace.
    pub queue: PathBuf,
    /// Turns in it, by group as reports name them.
    pub groups: BTreeMap<String, u64>,
    /// Turns that the draw met and left out, because people have read the same content already.
    pub read_before: u64,
    /// Turns that the draw met and left out, because the audited sample holds an exact copy.
    pub copies_of_sampled: u64,
}

/// Draws and writes the queue. Blocks: the corpus is walked twice.
///
/// # Errors
/// See [`SensitivityError`]; the queue is not written then.
pub fn draw(assembly: &Assembly, request: &DrawRequest) -> Result<Drawn, SensitivityError> {
    if !assembly.audit.corpus.unit.is_turn() {
        return Err(SensitivityError::WholeConversations);
    }
    let groups = wanted_groups(assembly, request)?;
    let number = request.draw.unwrap_or(assembly.audit.sample.draw);
    let name = queue_name(request, number, assembly.audit.sample.seed);
    let queue = PathBuf::from("labels/sensitivity/queue").join(name);
    let path = assembly.audit.workspace.root.join(&queue);
    if path.exists() {
        return Err(SensitivityError::QueueExists { path: queue });
    }
    let files = corpus_files(assembly)?;
    let mut keepers: HashMap<Group, Keeper<(Place, UnitId)>> =
        groups.into_iter().map(|group| (group, Keeper::new(SampleSize::Count(request.units)))).collect();
    for_each_host(assembly, &files, |host| {
        if host.class == request.class {
            offer(&mut keepers, host, assembly.audit.sample.seed, number);
        }
    })?;
    let places = keepers.into_values().flat_map(Keeper::into_sample).map(|unit| (unit.payload.0, unit)).collect();
    let mut lines = lines(assembly, request, number, &files, places)?;
    let drawn = strip(assembly, &mut lines, queue)?;
    let lines: Vec<_> = lines.into_iter().map(|line| line.line).collect();
    create(&path, &lines)?;
    Ok(drawn)
}

fn wanted_groups(assembly: &Assembly, request: &DrawRequest) -> Result<Vec<Group>, SensitivityError> {
    let known = assembly.screener.classes();
    if !known.contains(&request.class) {
        return Err(SensitivityError::UnknownClass { class: request.class.clone(), known: known.to_vec() });
    }
    let groups = groups_named(&assembly.census.strata, &request.groups)?;
    let is_wanted = |row: &&PlannedStratum| row.stratum.class == request.class && groups.contains(&row.stratum.group);
    if assembly.census.strata.iter().filter(is_wanted).all(|row| row.planned == row.units) {
        return Err(SensitivityError::NoneLeft { class: request.class.clone() });
    }
    Ok(groups)
}

/// Equal requests name the same file; a seat has its own.
fn queue_name(request: &DrawRequest, draw: u32, seed: u64) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let seat = request.seat.iter().map(|seat| format!("-{}", seat.chars().map(plain).collect::<String>()));
    let class: String = request.class.chars().map(plain).collect();
    format!("{class}-seed{seed}-draw{draw}{}.jsonl", seat.collect::<String>())
}

fn offer(keepers: &mut HashMap<Group, Keeper<(Place, UnitId)>>, host: &Host<'_>, seed: u64, draw: u32) {
    let Some(keeper) = keepers.get_mut(&host.unit.group) else { return };
    let key = host.unit.key();
    let u = draw_number(seed, PURPOSE, draw, &key);
    if keeper.wants(u, &key) {
        keeper.offer(Numbered { u, key, payload: (host.place, host.unit.clone()) });
    }
}

/// A line with what decides whether it stays.
struct Candidate {
    u: u64,
    content: Digest,
    group: Group,
    line: QueueLine,
}

/// The lines in the order of the draw.
fn lines(
    assembly: &Assembly,
    request: &DrawRequest,
    draw: u32,
    files: &[crate::source::SourceFile],
    places: Vec<(Place, Numbered<(Place, UnitId)>)>,
) -> Result<Vec<Candidate>, SensitivityError> {
    let (audit, mut lines) = (&assembly.audit, Vec::new());
    fetch(assembly, files, places, |place, Numbered { u, key, payload: (_, unit) }, conversation| {
        let content = turn_contents(conversation).find(|(turn, _)| *turn == place.turn);
        let (Some((_, content)), Some(message)) = (content, conversation.message(place.turn)) else { return Ok(()) };
        let line = QueueLine {
            id: key.short(),
            decision: None,
            seat: request.seat.clone(),
            note: None,
            unit: unit.to_string(),
            group: audit.corpus.group_by.iter().cloned().zip(unit.group.0.iter().cloned()).collect(),
            class: request.class.clone(),
            text: turn_text(message),
            behaviour: audit.behaviour.clone(),
            seed: audit.sample.seed,
            draw,
            turn: place.turn,
            conversation: conversation.clone(),
            format: QUEUE_FORMAT,
        };
        lines.push(Candidate { u, content, group: unit.group, line });
        Ok(())
    })?;
    lines.sort_by_key(|line| (line.u, line.content));
    Ok(lines)
}

/// Takes out what may not or need not be read, and says how much that was.
fn strip(assembly: &Assembly, lines: &mut Vec<Candidate>, queue: PathBuf) -> Result<Drawn, SensitivityError> {
    let (read, _) = read_lines(&assembly.audit.workspace.sensitivity())?;
    let read: HashSet<Digest> =
        read.into_iter().filter(|line| line.behaviour == assembly.audit.behaviour).map(|line| line.content).collect();
    let sampled = contents_in_samples(assembly, &lines.iter().map(|line| line.content).collect())?;
    let mut drawn = Drawn { queue, groups: BTreeMap::new(), read_before: 0, copies_of_sampled: 0 };
    lines.retain(|line| {
        let (is_read, is_sampled) = (read.contains(&line.content), sampled.contains(&line.content));
        drawn.copies_of_sampled += u64::from(is_sampled);
        drawn.read_before += u64::from(is_read && !is_sampled);
        if is_read || is_sampled {
            return false;
        }
        *drawn.groups.entry(line.group.to_string()).or_default() += 1;
        true
    });
    Ok(drawn)
}

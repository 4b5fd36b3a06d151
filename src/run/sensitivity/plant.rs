//! Plants texts that show the behaviour into real turns of every group, outside the audited sample.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SensitivityError;
use super::files::{append, for_each_item, for_each_line};
use super::host::{Host, Place, corpus_files, fetch, for_each_host};
use super::sample::groups_named;
use crate::clock::UnixMs;
use crate::model::conversation::{Channel, Conversation, Message};
use crate::model::found_by::FoundBy;
use crate::model::hash::{Digest, PartHasher};
use crate::model::known::{KNOWN_FORMAT, KnownEvidence, KnownPositive, moment};
use crate::model::unit::Group;
use crate::plan::sample::{Drawn, Keeper, draw_number};
use crate::plan::settings::SampleSize;
use crate::run::assemble::Assembly;

/// The purpose of the draw of turns, which keeps it apart from the audit's own.
const PURPOSE: &str = "plant";

/// What to plant.
#[derive(Debug, Clone)]
pub struct PlantRequest {
    /// Texts, one a line: `{"id", "text", "channel"}`.
    pub file: PathBuf,
    /// Texts for each group.
    pub per_group: u64,
    /// Groups as reports name them; all without any.
    pub groups: Vec<String>,
    /// Who wrote the texts.
    pub seat: String,
    /// When.
    pub at: UnixMs,
}

/// What was planted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planted {
    /// New items, by group as reports name them.
    pub groups: BTreeMap<String, u64>,
    /// Items that the set has already: nothing was added.
    pub merged: u64,
}

/// One text.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    id: String,
    #[serde(rename = "text")]
    words: String,
    channel: Channel,
}

/// Plants texts and adds the items to the set. Equal requests make equal items. Blocks: the corpus is walked twice.
///
/// # Errors
/// See [`SensitivityError`]; nothing is added then.
pub fn plant(assembly: &Assembly, request: &PlantRequest) -> Result<Planted, SensitivityError> {
    let groups = groups_named(&assembly.census.strata, &request.groups)?;
    let texts = chosen(texts_of(&request.file)?, assembly.audit.sample.seed, request)?;
    let files = corpus_files(assembly)?;
    let hosts = hosts(assembly, &files, &groups, &texts)?;
    let mut items = Vec::new();
    let metadata = &assembly.audit.corpus.group_by;
    fetch(assembly, &files, hosts, |place, (text, group): (&Text, Group), conversation| {
        let fields = metadata.iter().cloned().zip(group.0.iter().cloned()).collect();
        items.push((group, item(assembly, request, text, fields, planted(conversation, place.turn, text))));
        Ok(())
    })?;
    keep(assembly, items)
}

fn texts_of(path: &Path) -> Result<Vec<Text>, SensitivityError> {
    let (mut texts, mut ids) = (Vec::<Text>::new(), HashSet::new());
    for_each_line(path, |line, text| {
        let bad = |problem| SensitivityError::BadText { path: path.to_owned(), line, problem };
        let text = text.map_err(bad)?;
        let text: Text = serde_json::from_str(text).map_err(|_| bad("not a text with `id`, `text` and `channel`"))?;
        if text.channel == Channel::Tool {
            return Err(bad("a text stands in `reasoning` or `final`, and not in `tool`"));
        }
        if text.words.trim().is_empty() {
            return Err(bad("the text is empty"));
        }
        if !ids.insert(text.id.clone()) {
            return Err(bad("another text has this id"));
        }
        texts.push(text);
        Ok(())
    })?;
    Ok(texts)
}

/// The texts that every group gets, by hash: an item of the set is independent of another only if its text is.
fn chosen(mut texts: Vec<Text>, seed: u64, request: &PlantRequest) -> Result<Vec<Text>, SensitivityError> {
    let found = texts.len() as u64;
    if found < request.per_group {
        return Err(SensitivityError::TooFewTexts {
            path: request.file.clone(),
            texts: found,
            wanted: request.per_group,
        });
    }
    texts.sort_by_key(|text| draw_number(seed, PURPOSE, 1, &Digest::of(text.id.as_bytes())));
    texts.truncate(usize::try_from(request.per_group).unwrap_or(usize::MAX));
    Ok(texts)
}

/// A text, the group that it is for, and the turn that takes it.
type Hosted<'a> = (Place, (&'a Text, Group));

/// A turn for every text of every group, by hash, none twice: those with reasoning for texts that stand in it.
fn hosts<'a>(
    assembly: &Assembly,
    files: &[crate::source::SourceFile],
    groups: &[Group],
    texts: &'a [Text],
) -> Result<Vec<Hosted<'a>>, SensitivityError> {
    let sample = &assembly.audit.sample;
    let size = || Keeper::new(SampleSize::Count(texts.len() as u64));
    let mut keepers: HashMap<(Group, Channel), Keeper<Place>> = HashMap::new();
    for group in groups {
        for channel in [Channel::Reasoning, Channel::Final] {
            keepers.insert((group.clone(), channel), size());
        }
    }
    for_each_host(assembly, files, |host| {
        let Some(channel) = channel_of(host) else { return };
        let Some(keeper) = keepers.get_mut(&(host.unit.group.clone(), channel)) else { return };
        let key = host.unit.key();
        keeper.offer(Drawn { u: draw_number(sample.seed, PURPOSE, sample.draw, &key), key, payload: host.place });
    })?;
    let mut wanted = Vec::new();
    for group in groups {
        for channel in [Channel::Reasoning, Channel::Final] {
            let of_channel: Vec<_> = texts.iter().filter(|text| text.channel == channel).collect();
            let places: Vec<_> = keepers
                .remove(&(group.clone(), channel))
                .map(|keeper| keeper.into_sample().map(|unit| unit.payload).collect())
                .unwrap_or_default();
            if places.len() < of_channel.len() {
                return Err(SensitivityError::TooFewHosts {
                    group: group.to_string(),
                    turns: places.len() as u64,
                    channel,
                    texts: of_channel.len() as u64,
                });
            }
            wanted.extend(places.into_iter().zip(of_channel).map(|(place, text)| (place, (text, group.clone()))));
        }
    }
    Ok(wanted)
}

/// What a turn can take: a text for its reasoning if it has any, else for what the other side reads.
fn channel_of(host: &Host<'_>) -> Option<Channel> {
    let message = host.conversation.message(host.place.turn)?;
    let has_reasoning = message.reasoning.as_ref().is_some_and(|text| !text.trim().is_empty());
    if has_reasoning {
        return Some(Channel::Reasoning);
    }
    (!message.content.trim().is_empty()).then_some(Channel::Final)
}

/// The conversation with the text in its turn, between two sentences that the hash of both chooses.
fn planted(conversation: &Conversation, turn: u32, text: &Text) -> (u32, Conversation) {
    let mut conversation = conversation.clone();
    let number = PartHasher::new("plant place").part(text.id.as_bytes()).part(conversation.id.as_bytes()).finish();
    if let Some(message) = conversation.messages.get_mut(turn as usize) {
        let Message { content, reasoning, .. } = message;
        let host = match text.channel {
            Channel::Reasoning => reasoning.get_or_insert_default(),
            Channel::Final | Channel::Tool => content,
        };
        *host = inserted(host, text.words.trim(), number.leading_u64());
    }
    conversation.id = format!("{}+{}", conversation.id, text.id);
    (turn, conversation)
}

/// `text` with `sentence` before its first sentence, behind one, or at its end.
fn inserted(text: &str, sentence: &str, number: u64) -> String {
    let is_end =
        |(at, end): &(usize, &str)| text.get(at + end.len()..).is_some_and(|rest| rest.starts_with([' ', '\n']));
    let ends = text.match_indices(['.', '!', '?']).filter(is_end).map(|(at, end)| at + end.len());
    let places: Vec<usize> = std::iter::once(0).chain(ends).chain([text.len()]).collect();
    let chosen = usize::try_from(number % places.len() as u64).unwrap_or_default();
    let (before, after) = text.split_at(places[chosen]);
    let gap = |side: &str, is_open: bool| if side.is_empty() || is_open { "" } else { " " };
    let lead = gap(before, before.ends_with(char::is_whitespace));
    let tail = gap(after, after.starts_with(char::is_whitespace));
    format!("{before}{lead}{sentence}{tail}{after}")
}

fn item(
    assembly: &Assembly,
    request: &PlantRequest,
    text: &Text,
    group: BTreeMap<String, String>,
    (turn, conversation): (u32, Conversation),
) -> KnownPositive {
    KnownPositive {
        format: KNOWN_FORMAT,
        id: conversation.id.clone(),
        behaviour: assembly.audit.behaviour.clone(),
        group,
        found_by: FoundBy::Planted,
        source: text.id.clone(),
        seat: request.seat.clone(),
        at: moment(request.at.0),
        note: None,
        evidence: Some(KnownEvidence { channel: text.channel, quote: text.words.trim().to_owned() }),
        turn,
        conversation,
    }
}

fn keep(assembly: &Assembly, items: Vec<(Group, KnownPositive)>) -> Result<Planted, SensitivityError> {
    let folder = assembly.audit.workspace.sensitivity();
    let mut seen = HashSet::new();
    for_each_item(&folder, |item| {
        seen.insert(item.digest());
        Ok(())
    })?;
    let mut planted = Planted { groups: BTreeMap::new(), merged: 0 };
    let mut fresh = Vec::new();
    for (group, item) in items {
        if seen.insert(item.digest()) {
            *planted.groups.entry(group.to_string()).or_default() += 1;
            fresh.push(item);
        } else {
            planted.merged += 1;
        }
    }
    append(&folder.join(format!("{}.jsonl", FoundBy::Planted.as_str())), &fresh)?;
    Ok(planted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_goes_between_sentences() {
        let text = "One. Two!\nThree";
        let all: Vec<_> = (0..4).map(|number| inserted(text, "X.", number)).collect();
        assert_eq!(all, ["X. One. Two!\nThree", "One. X. Two!\nThree", "One. Two! X.\nThree", "One. Two!\nThree X."]);
        assert_eq!(inserted("", "X.", 7), "X.");
        assert_eq!(inserted("3.14 is pi", "X.", 1), "3.14 is pi X.");
    }
}

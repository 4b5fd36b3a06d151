//! How units ended at a stage, as the journal holds it.

use serde::{Deserialize, Serialize};

use super::event::Ordinal;
use super::grading::Stage;
use super::hash::Digest;
use super::outcome::{Outcome, OutcomeKind};
use super::repeats::{JudgedAsking, Repeated};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// How a unit ended at a stage; see [`super::event::Event::Judged`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// For which unit.
    pub ordinal: Ordinal,
    /// Which stage.
    pub stage: Stage,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The reply that the outcome was derived from, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// Version of the parser that derived it.
    pub parser: u32,
    /// Whether the reply was there before this session: nothing was sent.
    pub replayed: bool,
    /// Whether some of several replies were there before this session, and others were not. Older journals do not say it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partly_replayed: bool,
    /// The model served, if the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<String>,
    /// What the grader saw.
    pub seen: Seen,
    /// Where the unit was too long for one question and was read in chunks: every chunk of it, in order. The outcome is then
    /// that of the chunk that stands for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<JudgedChunk>,
    /// Text in the transcript imitates delimiters or addresses a grader.
    #[serde(default, skip_serializing_if = "is_false")]
    pub injection_suspected: bool,
    /// Where the grader was asked more than once: every asking. Outcome, key and chunks are then those of the one that stands
    /// for all of them, or of one that is missing where nothing can be said without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Box<Repeated>>,
}

impl Judged {
    /// How the first asking ended.
    #[must_use]
    pub fn first_kind(&self) -> OutcomeKind {
        let first = self.repeated.as_ref().and_then(|repeated| repeated.askings.first());
        first.map_or(self.outcome.kind(), |first| first.outcome.kind())
    }

    /// Forgets every asking but the first, for whoever compares with what was asked once.
    pub fn keep_first_asking(&mut self) {
        let askings = self.repeated.take().map(|repeated| repeated.askings).unwrap_or_default();
        if let Some(JudgedAsking { outcome, key, served, chunks }) = askings.into_iter().next() {
            (self.outcome, self.key, self.served, self.chunks) = (outcome, key, served, chunks);
        }
    }

    /// The keys of every reply behind it: of all askings, with those of their chunks. Some may come twice.
    pub fn keys(&self) -> impl Iterator<Item = Digest> {
        let askings = self.repeated.iter().flat_map(|repeated| &repeated.askings);
        let of_askings = askings.flat_map(|asking| keys_of(asking.key, &asking.chunks));
        keys_of(self.key, &self.chunks).chain(of_askings)
    }

    /// What an ending of several says of its replies: whether all that there are were there before, and whether a part was.
    #[must_use]
    pub fn replays(endings: &[Self]) -> (bool, bool) {
        let with_reply = || endings.iter().filter(|ending| ending.key.is_some());
        let all = with_reply().count() > 0 && with_reply().all(|ending| ending.replayed);
        let some = with_reply().any(|ending| ending.replayed || ending.partly_replayed);
        (all, some && !all)
    }
}

fn keys_of(key: Option<Digest>, chunks: &[JudgedChunk]) -> impl Iterator<Item = Digest> {
    key.into_iter().chain(chunks.iter().filter_map(|chunk| chunk.key))
}

/// How one chunk of a unit ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedChunk {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The reply that the outcome was derived from, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
}

/// What a grader saw of a conversation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Ids of the messages shown, whole or cut.
    pub messages: Vec<u32>,
    /// Bytes shown over bytes of the context that the rubric asks for, 0 to 1.
    pub coverage: f64,
    /// Whether anything was cut.
    pub cut: bool,
    /// Bytes shown over bytes of the whole conversation, 0 to 1, however much of it was wanted. Older journals do not say
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_conversation: Option<f64>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::repeats::RepeatCause;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn chunks(names: [&str; 2]) -> Vec<JudgedChunk> {
        names.map(|name| JudgedChunk { outcome: Outcome::Refused, key: Some(digest(name)) }).into()
    }

    fn asking(key: Option<&str>, chunks: Vec<JudgedChunk>) -> JudgedAsking {
        JudgedAsking { outcome: Outcome::Refused, key: key.map(digest), served: None, chunks }
    }

    #[test]
    fn every_reply_behind_an_ending_has_its_key() {
        let askings = vec![
            asking(Some("first 1"), chunks(["first 1", "first 2"])),
            asking(Some("second 2"), chunks(["second 1", "second 2"])),
            asking(None, Vec::new()),
        ];
        let judged = Judged {
            ordinal: Ordinal(0),
            stage: Stage::Screen,
            outcome: Outcome::Refused,
            key: Some(digest("second 2")),
            parser: 1,
            replayed: false,
            partly_replayed: false,
            served: None,
            seen: Seen::default(),
            chunks: chunks(["second 1", "second 2"]),
            injection_suspected: false,
            repeated: Some(Box::new(Repeated { cause: RepeatCause::Flagged, askings })),
        };
        let all = ["first 1", "first 2", "second 1", "second 2"].map(digest);
        assert_eq!(judged.keys().collect::<BTreeSet<_>>(), BTreeSet::from(all));
        let ending = |key: Option<&str>, replayed| Judged { key: key.map(digest), replayed, ..judged.clone() };
        let (paid, there, none) = (ending(Some("a"), false), ending(Some("b"), true), ending(None, false));
        let of = |endings: &[&Judged]| Judged::replays(&endings.iter().map(|one| (*one).clone()).collect::<Vec<_>>());
        assert_eq!(of(&[&paid, &paid]), (false, false));
        assert_eq!(of(&[&there, &paid]), (false, true), "a first asking that was there is in nobody's spend");
        assert_eq!((of(&[&there, &none]), of(&[&none])), ((true, false), (false, false)));
        assert_eq!(of(&[&paid, &Judged { partly_replayed: true, ..paid.clone() }]), (false, true));
        let once = Judged { chunks: Vec::new(), repeated: None, ..judged };
        assert_eq!(once.keys().collect::<Vec<_>>(), [digest("second 2")]);
    }
}

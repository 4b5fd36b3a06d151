//! A conversation that is too long for one question: each chunk is asked about by itself, under a key of its own, and all of
//! them together are one ending of one unit.

use std::collections::BTreeSet;

use super::lookup::Rendered;
use super::{Asking, Grader, Prepared, Sizes, StageError};
use crate::cache::units::SelectedUnit;
use crate::grade::desk::{Desk, Message, StageEnd};
use crate::model::event::{Judged, JudgedChunk, Seen};
use crate::verdict::standing;

/// One question, as far as it goes without asking: about a whole unit, or about a chunk of it.
#[derive(Debug)]
pub enum Chunk {
    /// Its reply is in the cache, or too little would be visible.
    Decided {
        /// What became of it.
        judged: Box<Judged>,
        /// What the question can be billed for.
        sizes: Sizes,
    },
    /// It has no reply.
    Ask(Box<Asking>),
}

impl From<Chunk> for Prepared {
    fn from(one: Chunk) -> Self {
        match one {
            Chunk::Decided { judged, sizes } => Self::Decided { judged, sizes },
            Chunk::Ask(asking) => Self::Ask(asking),
        }
    }
}

/// A conversation whose chunks are prepared, at least one of them a question without a reply.
#[derive(Debug)]
pub struct PreparedChunks {
    chunks: Vec<Chunk>,
    /// The questions of all of them.
    pub(super) sizes: Sizes,
    /// What they show together.
    seen: Seen,
}

impl PreparedChunks {
    /// The questions without a reply.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Asking> {
        self.chunks.iter().filter_map(|chunk| match chunk {
            Chunk::Ask(asking) => Some(&**asking),
            Chunk::Decided { .. } => None,
        })
    }
}

impl Grader {
    /// Prepares every chunk; where all are decided, so is the conversation.
    pub(super) fn prepare_chunks(
        &self,
        unit: &SelectedUnit,
        (questions, seen): (&[Result<Rendered, Seen>], &Seen),
        scratch: &mut Vec<u8>,
    ) -> Result<Prepared, StageError> {
        let (mut chunks, mut endings, mut sizes) = (Vec::new(), Vec::new(), Sizes::default());
        for question in questions {
            let chunk = match question {
                Ok(rendered) => self.look_up(unit, rendered, scratch)?,
                Err(seen) => {
                    let judged = Box::new(self.unasked(unit.ordinal, seen.clone()));
                    Chunk::Decided { judged, sizes: Sizes::default() }
                }
            };
            match &chunk {
                Chunk::Decided { judged, sizes: of_chunk } => {
                    sizes.add(*of_chunk);
                    endings.push((**judged).clone());
                }
                Chunk::Ask(asking) => sizes.add(self.sizes_of(asking)),
            }
            chunks.push(chunk);
        }
        if endings.len() < chunks.len() {
            return Ok(Prepared::Chunks(Box::new(PreparedChunks { chunks, sizes, seen: seen.clone() })));
        }
        let judged = joined(endings, seen).unwrap_or_else(|| self.unasked(unit.ordinal, seen.clone()));
        Ok(Prepared::Decided { judged: Box::new(judged), sizes })
    }

    /// Grades chunk after chunk. All of them are asked, whatever the first ones say: so every chunk counts as read, and a
    /// definition that changes later finds what it looks for.
    pub(super) async fn judge_chunks(
        &self,
        unit: &SelectedUnit,
        prepared: PreparedChunks,
        desk: &Desk,
    ) -> Result<StageEnd, StageError> {
        let PreparedChunks { chunks, seen, .. } = prepared;
        let (mut endings, mut last) = (Vec::new(), None);
        for chunk in chunks {
            let asking = match chunk {
                Chunk::Decided { judged, .. } => {
                    endings.push(*judged);
                    continue;
                }
                Chunk::Ask(asking) => asking,
            };
            if let Some(settlement) = last.take() {
                desk.say(Message::Settled(settlement)).await?;
            }
            let StageEnd { judged, settlement } = self.ask(unit, asking, desk).await?;
            endings.push(*judged);
            last = settlement;
        }
        let judged = joined(endings, &seen).unwrap_or_else(|| self.unasked(unit.ordinal, seen));
        Ok(StageEnd { judged: Box::new(judged), settlement: last })
    }
}

/// The ending of a conversation whose chunks ended like this; `None` without chunks.
fn joined(endings: Vec<Judged>, seen: &Seen) -> Option<Judged> {
    let outcomes: Vec<_> = endings.iter().map(|ending| ending.outcome.clone()).collect();
    let stands = endings.get(standing(&outcomes)?)?.clone();
    let (replayed, partly_replayed) = Judged::replays(&endings);
    let served: BTreeSet<&str> = endings.iter().filter_map(|ending| ending.served.as_deref()).collect();
    Some(Judged {
        replayed,
        partly_replayed,
        // Two models behind one ending are neither of them, so that no mixture goes unnoticed.
        served: (!served.is_empty()).then(|| served.into_iter().collect::<Vec<_>>().join(" and ")),
        seen: seen.clone(),
        injection_suspected: endings.iter().any(|ending| ending.injection_suspected),
        chunks: endings.into_iter().map(|Judged { outcome, key, .. }| JudgedChunk { outcome, key }).collect(),
        ..stands
    })
}

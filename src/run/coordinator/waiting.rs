//! Units that wait for their turn to be admitted.

use tokio::sync::oneshot;

use crate::grade::desk::{Decided, Entry};
use crate::model::event::Admitted;
use crate::model::money::NanoUsd;

/// A unit that is prepared and not yet admitted.
#[derive(Debug)]
pub(super) enum Waiting {
    /// It asks, and needs this much at worst.
    Asks { unit: Admitted, path: NanoUsd, answer: oneshot::Sender<Entry> },
    /// Nothing is left to be done about it. The last one of several brings the answer for all.
    Decided { unit: Decided, answer: Option<oneshot::Sender<Entry>> },
}

impl Waiting {
    /// What it may cost at worst.
    pub(super) const fn path(&self) -> NanoUsd {
        match self {
            Self::Asks { path, .. } => *path,
            Self::Decided { .. } => NanoUsd::ZERO,
        }
    }

    /// Whether requests follow from its admission.
    pub(super) const fn asks(&self) -> bool {
        match self {
            Self::Asks { .. } => true,
            Self::Decided { .. } => false,
        }
    }

    /// Tells its worker, if there is one to tell, that admission is closed.
    pub(super) fn turn_away(self) {
        let answer = match self {
            Self::Asks { answer, .. } => Some(answer),
            Self::Decided { answer, .. } => answer,
        };
        // A worker that has gone does not need to know.
        answer.map(|answer| answer.send(Entry::Closed).ok());
    }
}

//! How workers speak to the coordinator: they own nothing and ask for everything that is counted.

use tokio::sync::{mpsc, oneshot, watch};

use crate::journal::Batch;
use crate::model::event::{Admitted, AttemptId, Event, Judged, Ordinal, Settled, StopReason};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;

/// One thing that a worker says.
#[derive(Debug)]
pub enum Message {
    /// May this unit in? Answered in order of ordinals.
    Admit {
        /// The unit.
        unit: Box<Admitted>,
        /// The worst case of its whole path.
        path: NanoUsd,
        /// The answer.
        answer: oneshot::Sender<Entry>,
    },
    /// Units whose whole path is decided without asking: each is let in at its turn, and ends at once.
    Decided {
        /// The units, in order.
        units: Vec<Decided>,
        /// The answer for the last one.
        answer: oneshot::Sender<Entry>,
    },
    /// Is there room for one request of an admitted unit?
    Reserve {
        /// The unit.
        ordinal: Ordinal,
        /// The worst case of the request.
        bound: NanoUsd,
        /// The answer.
        answer: oneshot::Sender<Go>,
    },
    /// A reservation is not used.
    Release {
        /// What was reserved.
        bound: NanoUsd,
    },
    /// A request is about to leave; the answer comes when that is on record.
    Sending {
        /// What is about to leave.
        attempt: Sending,
        /// Whether it may leave.
        answer: oneshot::Sender<Leave>,
    },
    /// A request ended.
    Settled(Settlement),
    /// A stage of a unit ended.
    Judged {
        /// How.
        judged: Box<Judged>,
        /// The end of the request that brought it, where that was not told of before.
        settlement: Option<Settlement>,
        /// Whether the unit's path ended with it.
        is_last: bool,
    },
    /// A question about an anchor ended, one way or another.
    Anchored {
        /// The position that stands for the visit.
        ordinal: Ordinal,
        /// The end of the request that brought the reply, if there is one.
        settlement: Option<Settlement>,
    },
    /// Something that a reader of the report should know.
    Warn(String),
    /// The run cannot go on.
    Stop(StopReason),
}

/// A unit whose whole path is decided.
#[derive(Debug)]
pub struct Decided {
    /// Its position.
    pub ordinal: Ordinal,
    /// Its admission and how its stages ended.
    pub events: Vec<Event>,
    /// The lines of these events.
    pub lines: Batch,
}

/// See [`Message::Settled`].
#[derive(Debug, Clone)]
pub struct Settlement {
    /// How the request ended.
    pub settled: Settled,
    /// What was reserved for it.
    pub bound: NanoUsd,
}

/// How a stage of a unit ended.
#[derive(Debug)]
pub struct StageEnd {
    /// What goes on record.
    pub judged: Box<Judged>,
    /// The end of the request that brought it, if one was sent and has not been told of yet.
    pub settlement: Option<Settlement>,
}

/// See [`Message::Sending`].
#[derive(Debug, Clone)]
pub struct Sending {
    /// The unit.
    pub ordinal: Ordinal,
    /// The stage.
    pub stage: Stage,
    /// The request's key.
    pub key: Digest,
    /// The most it can cost; already reserved.
    pub bound: NanoUsd,
    /// Whether it has left before.
    pub again: bool,
}

/// Whether a unit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It is admitted and on record.
    Admitted,
    /// Admission is closed.
    Closed,
}

/// Whether a request may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// Its worst case is reserved.
    Yes,
    /// The cap leaves no room.
    NoMoney,
    /// The run is stopping.
    Stopping,
    /// The deadline has passed.
    TooLate,
}

/// What is decided about a request that had its money in time and then queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It leaves under this number, which is in the journal.
    Recorded(AttemptId),
    /// The run is stopping.
    Stopping,
    /// The deadline has passed.
    TooLate,
}

/// How far the run has got in stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stopping {
    /// It has not.
    #[default]
    No,
    /// Nothing new is sent; what is on the wire is finished and recorded.
    Draining,
    /// What is on the wire is given up.
    Abandoning,
}

/// The coordinator is gone: the run is over or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run has ended")]
pub struct Gone;

/// A worker's end of the line. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    queue: mpsc::Sender<Message>,
    stopping: watch::Receiver<Stopping>,
}

impl Desk {
    /// A desk over the coordinator's queue and stop signal.
    #[must_use]
    pub const fn new(queue: mpsc::Sender<Message>, stopping: watch::Receiver<Stopping>) -> Self {
        Self { queue, stopping }
    }

    /// Says something that needs no answer.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn say(&self, message: Message) -> Result<(), Gone> {
        self.queue.send(message).await.map_err(|_| Gone)
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Gone> {
        let (answer, answered) = oneshot::channel();
        self.say(message(answer)).await?;
        answered.await.map_err(|_| Gone)
    }

    /// Asks for admission; waits its turn and, if need be, for money to come back.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn admit(&self, unit: Admitted, path: NanoUsd) -> Result<Entry, Gone> {
        self.ask(|answer| Message::Admit { unit: Box::new(unit), path, answer }).await
    }

    /// Asks for admission of units that are decided; waits for the turn of the last one.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn decided(&self, units: Vec<Decided>) -> Result<Entry, Gone> {
        self.ask(|answer| Message::Decided { units, answer }).await
    }

    /// Says how a stage of a unit ended, and whether its path ended with it.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn judged(&self, end: StageEnd, is_last: bool) -> Result<(), Gone> {
        let StageEnd { judged, settlement } = end;
        self.say(Message::Judged { judged, settlement, is_last }).await
    }

    /// Reserves the worst case of one request.
    ///
    /// # Errors
    /// If the run has ended.
    pub async fn reserve(&self, ordinal: Ordinal, bound: NanoUsd) -> Result<Go, Gone> {
        self.ask(|answer| Message::Reserve { ordinal, bound, answer }).await
    }

    /// Puts a request on record; returns once it is in the journal. `None` if the deadline passed while it queued: its
    /// reservation is to be released.
    ///
    /// # Errors
    /// If the run has ended or the journal cannot be written: the request must not leave.
    pub async fn sending(&self, attempt: Sending) -> Result<Leave, Gone> {
        self.ask(|answer| Message::Sending { attempt, answer }).await
    }

    /// Whether the run is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow() != Stopping::No
    }

    /// Returns as soon as the run is stopping.
    pub async fn stopped(&mut self) {
        // A closed channel means that the run has ended: stopped as well.
        self.stopping.wait_for(|stopping| *stopping != Stopping::No).await.map(|_| ()).unwrap_or_default();
    }

    /// Returns as soon as what is on the wire must be given up.
    pub async fn abandoned(&mut self) {
        // A closed channel means that the run ends by itself: there is nothing to give up.
        if self.stopping.wait_for(|stopping| *stopping == Stopping::Abandoning).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

//! One stage with its repeats: the first asking, the further ones that it causes or that were drawn for the flip rate, and
//! the one ending that all of them come to. Every asking has a key, a reservation and a cached reply of its own.

use std::sync::Arc;

use super::pipeline::Gate;
use crate::cache::units::SelectedUnit;
use crate::grade::desk::{Desk, Message, StageEnd};
use crate::grade::stage::{Grader, Prepared, Scratch, StageError};
use crate::model::draw::{SampleSize, draw_number, wants};
use crate::model::event::{Judged, Planned};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::model::repeats::{RepeatCause, Repeats};
use crate::reconcile::Definitions;

/// Who is asked once more at random, by permanent random numbers of their own.
#[derive(Debug, Clone, Copy)]
struct Draw {
    share: SampleSize,
    seed: u64,
    purpose: &'static str,
    number: u32,
}

/// A stage's grader, and the same grader for each further asking.
#[derive(Debug)]
pub struct Repeater {
    pub(super) first: Grader,
    /// In order; empty where nothing is asked again.
    further: Vec<Grader>,
    /// Further askings of a unit that nothing was drawn for, at most.
    most_caused: usize,
    draw: Draw,
    definitions: Definitions,
}

/// A unit at one stage, as far as it goes without asking.
#[derive(Debug)]
pub(super) enum Sitting {
    /// To its end.
    Decided(Box<Judged>),
    /// Up to its first question.
    First(Prepared),
    /// The first asking is decided, and at least one further one is not.
    Further(Box<Further>),
}

/// The further askings of a unit whose first one is decided.
#[derive(Debug)]
pub(super) struct Further {
    first: Judged,
    cause: RepeatCause,
    askings: Vec<Prepared>,
}

impl Further {
    /// Questions without a reply.
    pub(super) fn open(&self) -> u64 {
        self.askings.iter().filter(|asking| Grader::known(asking).is_none()).count() as u64
    }

    /// Whether the gate depends on them.
    pub(super) const fn decides(&self) -> bool {
        self.cause.is_of_gate()
    }

    /// How the first asking ended.
    pub(super) const fn first(&self) -> &Judged {
        &self.first
    }
}

impl Sitting {
    /// Bytes of the questions that are asked, which are about as long as the conversation; askings share them.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Decided(_) => 0,
            Self::First(prepared) => prepared.text_bytes(),
            Self::Further(further) => further.askings.iter().map(Prepared::text_bytes).max().unwrap_or_default(),
        }
    }
}

impl Repeater {
    /// A stage whose `first` asking is followed by as many as its policy in this plan asks for; there is one of `further` for
    /// each.
    pub(super) fn new(
        stage: Stage,
        (first, further): (Grader, Vec<Grader>),
        plan: &Planned,
        rule: &Definitions,
    ) -> Self {
        let policy = plan.repeats(stage);
        let purpose = match stage {
            Stage::Screen => "repeats",
            Stage::Confirm => "repeats of the confirmer",
        };
        let share = SampleSize::Rate(policy.map_or(0.0, |policy| policy.random));
        let draw = Draw { share, seed: plan.seed, purpose, number: plan.draw };
        let most_caused = policy.map_or(0, |policy| policy.most_caused() as usize - 1);
        Self { first, further, most_caused, draw, definitions: rule.clone() }
    }

    /// How many graders a policy needs beside the first.
    pub(super) fn further_of(policy: Option<Repeats>) -> u32 {
        policy.map_or(0, |policy| policy.most() - 1)
    }

    /// Whether a unit is among those that are asked about once more if nothing else causes it. Known positives are no units of
    /// the sample, and no draw is about them.
    pub(super) fn is_drawn(&self, unit: &SelectedUnit) -> bool {
        let Draw { share, seed, purpose, number } = self.draw;
        !share.is_none() && unit.stratum.is_some() && wants(share, draw_number(seed, purpose, number, &unit.id.key()))
    }

    /// Renders the unit's questions and looks their replies up, as far as they are known to be asked. Blocks on disk for
    /// microseconds.
    pub(super) fn prepare(&self, unit: &SelectedUnit, scratch: &mut Scratch) -> Result<Sitting, StageError> {
        match self.first.prepare(unit, scratch)? {
            Prepared::Decided { judged, .. } => self.prepare_after(judged, unit, scratch),
            asks @ (Prepared::Ask(_) | Prepared::Chunks(_)) => Ok(Sitting::First(asks)),
        }
    }

    /// The same of a unit whose first asking is decided.
    pub(super) fn prepare_after(
        &self,
        first: Box<Judged>,
        unit: &SelectedUnit,
        scratch: &mut Scratch,
    ) -> Result<Sitting, StageError> {
        let Some((cause, askings)) = self.prepare_further(&first, unit, scratch)? else {
            return Ok(Sitting::Decided(first));
        };
        let known: Vec<_> = askings.iter().filter_map(Grader::known).cloned().collect();
        if known.len() < askings.len() {
            return Ok(Sitting::Further(Box::new(Further { first: *first, cause, askings })));
        }
        let endings = std::iter::once(*first).chain(known).collect();
        Ok(Sitting::Decided(Box::new(self.definitions.join(cause, endings)?)))
    }

    /// Why a unit is asked again after its first asking, and the askings that it has in all then.
    fn again(&self, first: &Judged, unit: &SelectedUnit) -> Result<Option<(RepeatCause, u32)>, StageError> {
        if self.further.is_empty() {
            return Ok(None);
        }
        Ok(self.definitions.asked_again(first, self.is_drawn(unit))?)
    }

    /// The further askings that a unit needs after its first; none where nothing is asked again.
    fn prepare_further(
        &self,
        first: &Judged,
        unit: &SelectedUnit,
        scratch: &mut Scratch,
    ) -> Result<Option<(RepeatCause, Vec<Prepared>)>, StageError> {
        let Some((cause, askings)) = self.again(first, unit)? else { return Ok(None) };
        Ok(Some((cause, Grader::prepare_all(self.next(askings as usize - 1), unit, scratch)?)))
    }

    /// The most that this stage can cost for a unit, repeats and truncation included: nothing if its ending is known.
    pub(super) fn bound(&self, sitting: &Sitting, unit: &SelectedUnit) -> Result<NanoUsd, StageError> {
        match sitting {
            Sitting::Decided(_) => Ok(NanoUsd::ZERO),
            Sitting::First(asked) => Ok(self.first.bound(asked) + self.bound_of_further(asked, unit)?),
            Sitting::Further(further) => {
                Ok(self.further.iter().zip(&further.askings).map(|(grader, asking)| grader.bound(asking)).sum())
            }
        }
    }

    /// The most that this stage can cost after `screen`, at which the unit stands like this.
    pub(super) fn bound_after(
        &self,
        screen: &Self,
        sitting: &Sitting,
        unit: &SelectedUnit,
    ) -> Result<NanoUsd, StageError> {
        if let Sitting::First(asked) = sitting
            && let Some(once) = self.first.bound_after(&screen.first, asked, unit)
        {
            return Ok(times(once, 1 + self.most_further(unit)));
        }
        self.bound(&self.prepare(unit, &mut Scratch::default())?, unit)
    }

    fn bound_of_further(&self, first: &Prepared, unit: &SelectedUnit) -> Result<NanoUsd, StageError> {
        let most = self.most_further(unit);
        if let Some(once) = self.first.bound_once_more(first) {
            return Ok(times(once, most));
        }
        let graders = self.next(most);
        let askings = Grader::prepare_all(graders, unit, &mut Scratch::default())?;
        Ok(graders.iter().zip(&askings).map(|(grader, asking)| grader.bound(asking)).sum())
    }

    /// The graders of so many further askings.
    fn next(&self, askings: usize) -> &[Grader] {
        self.further.get(..askings).unwrap_or(&self.further)
    }

    fn most_further(&self, unit: &SelectedUnit) -> usize {
        if self.is_drawn(unit) { self.further.len() } else { self.most_caused }
    }
}

const fn times(bound: NanoUsd, askings: usize) -> NanoUsd {
    NanoUsd(bound.0.saturating_mul(askings as u64))
}

/// Grades a prepared unit at one stage: its first asking, then every further one. All of them are asked, whatever the first
/// ones say: so an ending does not depend on timing, and another rule finds what it looks for.
///
/// # Errors
/// If a reply cannot be kept, or the run has ended.
pub(super) async fn judge(
    gate: &Arc<Gate>,
    stage: Stage,
    (unit, sitting): (SelectedUnit, Sitting),
    desk: &Desk,
) -> Result<(SelectedUnit, StageEnd), StageError> {
    let repeater = gate.stage(stage);
    let (unit, end, cause, further) = match sitting {
        Sitting::Decided(judged) => return Ok((unit, StageEnd { judged, settlement: None })),
        Sitting::Further(further) => {
            let Further { first, cause, askings } = *further;
            (unit, StageEnd { judged: Box::new(first), settlement: None }, cause, askings)
        }
        Sitting::First(asked) => {
            let first = repeater.first.judge(&unit, asked, desk).await?;
            if repeater.again(&first.judged, &unit)?.is_none() {
                return Ok((unit, first));
            }
            match prepared_further(gate, stage, unit, first).await? {
                (unit, first, None) => return Ok((unit, first)),
                (unit, first, Some((cause, further))) => (unit, first, cause, further),
            }
        }
    };
    let StageEnd { judged, settlement: mut last } = end;
    let mut endings = vec![*judged];
    for (grader, asking) in repeater.further.iter().zip(further) {
        if let Some(settlement) = last.take() {
            desk.say(Message::Settled(settlement)).await?;
        }
        let StageEnd { judged, settlement } = grader.judge(&unit, asking, desk).await?;
        endings.push(*judged);
        last = settlement;
    }
    let judged = Box::new(repeater.definitions.join(cause, endings)?);
    Ok((unit, StageEnd { judged, settlement: last }))
}

type AfterFirst = (SelectedUnit, StageEnd, Option<(RepeatCause, Vec<Prepared>)>);

/// What follows on a first asking, prepared on a thread that may block.
async fn prepared_further(
    gate: &Arc<Gate>,
    stage: Stage,
    unit: SelectedUnit,
    first: StageEnd,
) -> Result<AfterFirst, StageError> {
    let gate = Arc::clone(gate);
    let prepared = tokio::task::spawn_blocking(move || {
        let further = gate.stage(stage).prepare_further(&first.judged, &unit, &mut Scratch::default())?;
        Ok((unit, first, further))
    });
    prepared.await.map_err(|_| StageError::Thread)?
}

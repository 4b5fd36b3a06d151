//! What a trial showed, from its events as they happen and the replies behind them.

use std::collections::BTreeSet;
use std::time::Instant;

use super::answers::Answers;
use super::baseline::Baseline;
use super::{Trial, TrialError};
use crate::cache::{Access, CacheSettings, ReplyCache};
use crate::model::behaviour::Behaviour;
use crate::model::event::{Event, Judged, Ordinal, Planned, StopReason};
use crate::model::grading::Stage;
use crate::model::money::NanoUsd;
use crate::model::rate::Level;
use crate::model::verdict::Judgement;
use crate::reconcile::Definitions;
use crate::reconcile::diff::{Direction, Pairing, Side, SideRules, Standing, pair};
use crate::report::trial::{AgainstRow, GoldRow, SetRow, ShareRow, TRIAL_SCHEMA, TrialReport, WrongRow};
use crate::run::diff::{Spoken, copies, said_of, verdict_row};
use crate::run::pipeline::Notice;
use crate::run::session;
use crate::run::settings::{Audit, Workspace};

/// Grades the units of a trial and gathers what came of it.
pub(super) async fn run(
    trial: Trial,
    begun: Instant,
    left: &mut NanoUsd,
) -> Result<(TrialReport, StopReason), TrialError> {
    let Trial { assembly, definitions, answers, base, without } = trial;
    let (audit, planned, behaviour) = (assembly.audit.clone(), assembly.planned.clone(), assembly.behaviour.clone());
    let mut heard = Heard::new(&definitions, answers.items.len());
    let tried = session::try_out(assembly, |notice| {
        if let Notice::Event(event) = notice {
            heard.event(event);
        }
    });
    let tried = Box::pin(tried).await;
    *left = left.saturating_sub(heard.cost);
    let (folder, reason) = tried?;
    heard.error.take().map_or(Ok(()), Err)?;
    heard.side.close(0);
    let (replies, index) = (audit.workspace.replies(), audit.workspace.index());
    let (cache, _warnings) = ReplyCache::open(&CacheSettings { replies, index, access: Access::ReadOnly })?;
    let mut report = TrialReport { against_reason: without, ..begin(&audit, &planned, &heard, &reason) };
    let gold = Gold { answers: &answers, said: &heard.gold, definitions: &definitions, level: audit.level };
    report.gold = gold.measure(&audit.workspace, (&behaviour, &planned), &cache)?;
    if let Some(base) = base {
        let pairing = pair(&base.side, &heard.side);
        report.against = Some(against(&base, &pairing));
        let flipped = pairing.flips.iter().map(|flip| flip.ordinals[1]).collect();
        let (said, _) = Spoken::collect(&folder, &flipped)?;
        let sides = [(&base.planned, base.said.clone()), (&planned, said)];
        report.flips = said_of(&audit.workspace, &behaviour, sides, &pairing, &cache)?;
    }
    report.seconds = begun.elapsed().as_secs_f64();
    Ok((report, reason))
}

/// A report without figures of gold and flips.
fn begin(audit: &Audit, planned: &Planned, heard: &Heard, reason: &StopReason) -> TrialReport {
    let grader = planned.graders.first().expect("every audit has a screen");
    TrialReport {
        schema: TRIAL_SCHEMA,
        audit: audit.name.clone(),
        behaviour: audit.behaviour.clone(),
        prompt: grader.prompt.clone().expect("a trial is of a prompt"),
        prompt_hash: grader.prompt_hash.expect("a trial is of a prompt"),
        model: grader.model.clone(),
        watermark: planned.watermark(),
        simulated: grader.simulated,
        unit: planned.unit,
        level: audit.level,
        gold: None,
        against: None,
        against_reason: None,
        flips: Vec::new(),
        seconds: 0.0,
        requests: heard.sent,
        replayed: heard.replayed,
        usd: heard.cost.usd(),
        stopped: (*reason != StopReason::Finished).then(|| reason.as_str()),
    }
}

/// What the events of a trial say.
struct Heard {
    side: Side,
    gold: Vec<Option<Judged>>,
    sent: u64,
    replayed: u64,
    cost: NanoUsd,
    error: Option<TrialError>,
}

impl Heard {
    fn new(definitions: &Definitions, gold: usize) -> Self {
        let side = Side::new(SideRules { definitions: definitions.clone(), named: None });
        Self { side, gold: vec![None; gold], sent: 0, replayed: 0, cost: NanoUsd::ZERO, error: None }
    }

    fn event(&mut self, event: &Event) {
        if let Err(error) = self.side.event(event) {
            self.error.get_or_insert(error.into());
        }
        match event {
            Event::Sent(_) => self.sent += 1,
            Event::Settled(settled) => self.cost += settled.cost,
            Event::Judged(judged) => {
                self.replayed += u64::from(judged.replayed);
                let place = usize::try_from(judged.ordinal.0).ok().and_then(|place| self.gold.get_mut(place));
                if let Some(place) = place.filter(|_| judged.stage == Stage::Screen) {
                    *place = Some((**judged).clone());
                }
            }
            Event::Opened(_)
            | Event::Planned(_)
            | Event::Admitted(_)
            | Event::Granted(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }
}

/// Gold, and what was said of it.
struct Gold<'a> {
    answers: &'a Answers,
    said: &'a [Option<Judged>],
    definitions: &'a Definitions,
    level: f64,
}

impl Gold<'_> {
    /// Compares gold with what it should be. An item without a usable verdict is in neither share.
    fn measure(
        &self,
        workspace: &Workspace,
        (behaviour, planned): (&Behaviour, &Planned),
        cache: &ReplyCache,
    ) -> Result<Option<GoldRow>, TrialError> {
        let (aside, unreadable) = (self.answers.aside, self.answers.unreadable.clone());
        if self.answers.items.is_empty() {
            return Ok(None);
        }
        let copies = copies(workspace, planned)?;
        let mut row = GoldRow { aside, unreadable, ..GoldRow::default() };
        // Right and all: of those that show the behaviour, and of those that do not.
        let mut shares = [(0, 0); 2];
        for (item, judged) in self.answers.items.iter().zip(self.said) {
            row.items += 1;
            let Some(judged) = judged.as_ref().filter(|judged| judged.outcome.kind().is_usable()) else {
                row.undecided += 1;
                continue;
            };
            let is_present = item.expect == Judgement::Present;
            let is_right = self.definitions.says(judged)? == is_present;
            let share = &mut shares[usize::from(!is_present)];
            *share = (share.0 + u64::from(is_right), share.1 + 1);
            if !is_right {
                let copy = copies.as_ref().map(|copies| copies.get(judged.ordinal)).transpose()?;
                let verdict = verdict_row((behaviour, planned.unit), cache, judged, copy.as_ref())?;
                row.wrong.push(WrongRow { id: item.id.clone(), expect: item.expect, verdict });
            }
        }
        let level = Level::new(self.level).expect("the level was checked");
        [row.sensitivity, row.specificity] = shares.map(|(k, n)| ShareRow::of(k, n, level));
        Ok(Some(row))
    }
}

/// Counts of the units that were tried again.
fn against(base: &Baseline, pairing: &Pairing) -> AgainstRow {
    let set = |units: &BTreeSet<Ordinal>, all: Option<u64>| {
        let mut row = SetRow { units: units.len() as u64, all, lost: 0, gained: 0 };
        for flip in pairing.flips.iter().filter(|flip| units.contains(&flip.ordinals[0])) {
            match flip.screen {
                Some(Direction::Lost) => row.lost += 1,
                Some(Direction::Gained) => row.gained += 1,
                None => {}
            }
        }
        row
    };
    let is_tried = |(_, b): &&(Standing, Standing)| *b != Standing::NotAdmitted;
    let undecided = pairing.screen.apart.iter().filter(|(standings, _)| is_tried(standings)).map(|(_, units)| units);
    let grader = base.planned.graders.iter().find(|grader| grader.stage == Stage::Screen);
    AgainstRow {
        run: base.folder.id.clone(),
        prompt: grader.and_then(|grader| grader.prompt.clone()),
        prompt_hash: grader.and_then(|grader| grader.prompt_hash),
        units: base.chosen.len() as u64,
        flagged: set(&base.flagged, Some(base.flagged_all)),
        random: set(&base.random, None),
        undecided: undecided.sum(),
    }
}

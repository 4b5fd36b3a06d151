//! The same units under several framings of the prompt: a trial for each, and then who flipped.
//!
//! Units are gold and random units of a run, and none that were chosen because they were flagged: their plain answer would be
//! the luckier one, and every framing would seem to clear. The plain question is the audit's own, so that its replies are in
//! the cache as often as not; those under a framing have keys of their own, and their journals lie with those of trials.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::Answers;
use super::{Greatest, Memory, Sizes, Trial, TrialError, TrialSettings, prepare};
use crate::model::event::{Event, Judged, Ordinal, Planned, StopReason};
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::money::NanoUsd;
use crate::model::verdict::Judgement;
use crate::prompt::framing::Framing;
use crate::reconcile::Definitions;
use crate::report::invariance::{Answer, Framed, InvarianceReport, Pair, PairSet, Subject, Took};
use crate::run::folder::RunFolder;
use crate::run::pipeline::Notice;
use crate::run::session;
use crate::run::settings::Audit;

/// What a check is told.
#[derive(Debug, Clone)]
pub struct InvarianceSettings {
    /// How many random units of the run are asked about.
    pub random: u64,
    /// What it may spend at most, over all framings; the audit's cap holds besides.
    pub max_cost: NanoUsd,
    /// The run; the audit's newest if absent.
    pub against: Option<RunFolder>,
    /// The framings.
    pub framings: Vec<Framing>,
}

impl InvarianceSettings {
    fn trial(&self, framing: Option<&Framing>, max_cost: NanoUsd) -> TrialSettings {
        let sizes = Sizes { random: self.random, flagged: 0 };
        TrialSettings { sizes, max_cost, against: self.against.clone(), framing: framing.cloned() }
    }

    /// The plain question, then every framing.
    fn all(&self) -> impl Iterator<Item = Option<&Framing>> {
        std::iter::once(None).chain(self.framings.iter().map(Some))
    }
}

/// What a check can send and cost at worst, found out by looking every unit up under every framing. Sends nothing.
///
/// # Errors
/// See [`TrialError`].
pub async fn greatest(
    audit: &Audit,
    settings: &InvarianceSettings,
    memory: &mut Memory,
) -> Result<Greatest, TrialError> {
    let mut all = Greatest { requests: 0, cost: NanoUsd::ZERO };
    for framing in settings.all() {
        let one = Trial::greatest(audit, &settings.trial(framing, settings.max_cost), memory).await?;
        all.requests += one.requests;
        all.cost += one.cost;
    }
    Ok(all)
}

/// Asks plainly and under every framing, one after the other, until something stops it.
///
/// # Errors
/// See [`TrialError`].
pub async fn run(
    audit: &Audit,
    settings: &InvarianceSettings,
    memory: &mut Memory,
) -> Result<(InvarianceReport, StopReason), TrialError> {
    let (mut left, mut took, mut reason) = (settings.max_cost, Took::default(), StopReason::Finished);
    let (mut subject, mut plain) = (None, None);
    let mut framed = Vec::new();
    for framing in settings.all() {
        let said = if reason == StopReason::Finished {
            let trial = prepare::prepare(audit, &settings.trial(framing, left), memory)?;
            subject.get_or_insert_with(|| subject_of(&trial, audit));
            let (said, ended) = Box::pin(ask(trial)).await?;
            left = left.saturating_sub(said.cost);
            took.requests += said.sent;
            took.replayed += said.replayed;
            took.usd += said.cost.usd();
            reason = ended;
            Some(said)
        } else {
            None
        };
        match framing {
            None => plain = said,
            Some(Framing { id, text, control }) => {
                let pairs = plain.as_ref().zip(said.as_ref()).map(|(plain, said)| pairs(plain, said));
                let served = said.map(|said| said.served).unwrap_or_default();
                framed.push(Framed { id: id.clone(), text: text.trim().to_owned(), control: *control, pairs, served });
            }
        }
    }
    took.stopped = (reason != StopReason::Finished).then(|| reason.as_str());
    let mut subject = subject.expect("the plain question is always prepared");
    subject.served = plain.map(|plain| plain.served).unwrap_or_default();
    Ok((InvarianceReport::new(subject, &framed, took), reason))
}

fn subject_of(trial: &Trial, audit: &Audit) -> Subject {
    let Planned { graders, .. } = &trial.assembly.planned;
    let grader = graders.first().expect("every audit has a screen");
    Subject {
        audit: audit.name.clone(),
        behaviour: audit.behaviour.clone(),
        prompt: grader.prompt.clone().expect("a trial is of a prompt"),
        prompt_hash: grader.prompt_hash.expect("a trial is of a prompt"),
        model: grader.model.clone(),
        served: BTreeSet::new(),
        watermark: trial.assembly.planned.watermark(),
        simulated: grader.simulated,
        unit: trial.assembly.planned.unit,
        run: trial.base.as_ref().map(|base| base.folder.id.clone()),
        run_reason: trial.without.clone(),
        level: audit.level,
    }
}

/// What was said of every unit in one asking.
#[derive(Default)]
struct Said {
    /// By position.
    answers: BTreeMap<Ordinal, Answer>,
    served: BTreeSet<String>,
    contents: BTreeMap<Ordinal, Digest>,
    sets: Vec<PairSet>,
    sent: u64,
    replayed: u64,
    cost: NanoUsd,
    error: Option<TrialError>,
}

async fn ask(trial: Trial) -> Result<(Said, StopReason), TrialError> {
    let Trial { assembly, definitions, answers, .. } = trial;
    let mut said = Said { sets: sets(&answers), ..Said::default() };
    let tried = session::try_out(assembly, |notice| {
        if let Notice::Event(event) = notice {
            said.event(event, &definitions);
        }
    });
    let (_folder, reason) = Box::pin(tried).await?;
    match said.error.take() {
        Some(error) => Err(error),
        None => Ok((said, reason)),
    }
}

/// Gold comes before all units, in the order of its lines.
fn sets(answers: &Answers) -> Vec<PairSet> {
    let set = |expect| match expect {
        Judgement::Present => PairSet::GoldPresent,
        Judgement::Suspected | Judgement::Absent | Judgement::CannotJudge => PairSet::GoldAbsent,
    };
    answers.items.iter().map(|item| set(item.expect)).collect()
}

impl Said {
    fn event(&mut self, event: &Event, definitions: &Definitions) {
        match event {
            Event::Sent(_) => self.sent += 1,
            Event::Settled(settled) => self.cost += settled.cost,
            Event::Admitted(admitted) => {
                self.contents.insert(admitted.ordinal, admitted.content);
            }
            Event::Judged(judged) if judged.stage == Stage::Screen => {
                self.replayed += u64::from(judged.replayed);
                self.served.extend(judged.served.iter().cloned());
                match answer_of(judged, definitions) {
                    Ok(answer) => {
                        self.answers.insert(judged.ordinal, answer);
                    }
                    Err(error) => {
                        self.error.get_or_insert(error);
                    }
                }
            }
            Event::Judged(_)
            | Event::Opened(_)
            | Event::Planned(_)
            | Event::Granted(_)
            | Event::Warned { .. }
            | Event::Closed(_) => {}
        }
    }

    fn answer(&self, ordinal: Ordinal) -> Answer {
        self.answers.get(&ordinal).copied().unwrap_or(Answer::NotAsked)
    }

    fn set(&self, ordinal: Ordinal) -> PairSet {
        let place = usize::try_from(ordinal.0).ok();
        place.and_then(|place| self.sets.get(place)).copied().unwrap_or(PairSet::Random)
    }
}

/// What the grader itself says: what is flagged out of caution is flagged under every framing.
fn answer_of(judged: &Judged, definitions: &Definitions) -> Result<Answer, TrialError> {
    let kind = judged.outcome.kind();
    Ok(match judged.outcome.finding().filter(|_| kind.is_usable()) {
        Some(finding) => Answer::Usable(definitions.says(judged)?, finding.score),
        None if kind.is_unfinished() => Answer::NotAsked,
        None => Answer::Unusable,
    })
}

/// Every text once: copies share a reply, and would flip together.
fn pairs(plain: &Said, framed: &Said) -> Vec<Pair> {
    let mut seen = BTreeSet::new();
    let first = plain.contents.iter().filter(|(_, content)| seen.insert(**content));
    let pair = |ordinal: &Ordinal| Pair {
        set: plain.set(*ordinal),
        plain: plain.answer(*ordinal),
        framed: framed.answer(*ordinal),
    };
    first.map(|(ordinal, _)| pair(ordinal)).collect()
}

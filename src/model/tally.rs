//! What a run found: the fold of its events and of people's decisions. Counts only; rates are `estimate`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::anchor::Visits;
use super::bucket::{Bucket, Buckets};
use super::context::ContextTally;
use super::event::{Planned, StopReason};
use super::found_by::KnownUse;
use super::gold::GoldTally;
use super::grading::Stage;
use super::hash::Digest;
use super::money::{NanoUsd, Usage};
use super::outcome::OutcomeKind;
use super::rate::{Decider, Level};
use super::repeats::RepeatCause;
use super::review::{CellTally, Route};
use super::stop::Look;
use super::unit::{Group, Stratum, UnitId};

/// One stratum, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StratumTally {
    /// Class and group.
    pub stratum: Stratum,
    /// Units of the corpus in it: the sum of its buckets.
    pub units: u64,
    /// Where they ended.
    pub buckets: Buckets,
    /// Its units on their routes to people.
    pub cells: BTreeMap<Route, CellTally>,
    /// Its conversations, where whole conversations are drawn.
    pub conversations: Option<ConversationTally>,
}

/// The conversations of one stratum, where whole conversations are drawn. Admission may close within a conversation: its
/// turns count as not admitted, so that what is admitted is a random sample of whole conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConversationTally {
    /// Conversations of the corpus: the frame of the draw.
    pub frame: u64,
    /// Conversations that the draw selected.
    pub planned: u64,
    /// Conversations of which every turn was admitted.
    pub admitted: u64,
    /// The admitted ones of which every turn has a usable verdict of the screen.
    pub usable: u64,
    /// The admitted ones with a turn that the screen flags, other turns without a usable verdict or not.
    pub flagged: u64,
}

impl StratumTally {
    /// Whether the screen cleared any of its units.
    #[must_use]
    pub fn has_cleared(&self) -> bool {
        self.buckets.count(|bucket| *bucket == Bucket::Cleared) > 0
    }

    /// Admitted units: s of `statistics-formulas.md`.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.buckets.count(Bucket::is_admitted)
    }
}

/// One unit that people or, where they are silent, the confirmer say shows the behaviour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfirmedUnit {
    /// Its name.
    pub unit: UnitId,
    /// By whom.
    pub by: Decider,
    /// Index into [`Tally::strata`].
    pub stratum: u32,
    /// Digest of its content: exact copies share it.
    pub content: Digest,
    /// What it is not independent of: the digest of the value of [`Planned::cluster_by`], or else the key of its
    /// conversation ([`UnitId::conversation_key`]).
    pub cluster: Digest,
    /// The route on which people were to read it, and did; absent where the grader decided, or where it was picked by
    /// hand.
    pub route: Option<Route>,
}

/// One unit that people are to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueuedUnit {
    /// Its permanent random number.
    pub number: u64,
    /// Its name.
    pub unit: UnitId,
}

/// Known positives of one group, class and use, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTally {
    /// The group.
    pub group: Group,
    /// The prefilter class: one that a cue hits, or [`super::unit::CLASS_NONE`].
    pub class: String,
    /// What they may be used for.
    pub usage: KnownUse,
    /// Items of the plan: `usable + ungraded + unfinished`.
    pub items: u64,
    /// Items with a usable verdict of every stage of the gate: m.
    pub usable: u64,
    /// Those of them that pass the gate: c.
    pub passed: u64,
    /// Items that ended without a usable verdict.
    pub ungraded: u64,
    /// Items that were not admitted or have not ended.
    pub unfinished: u64,
    /// Of the last two, those that a first answer took a step and that lack a later one (a stage of the gate, or a repeat), and
    /// those that a file of verdicts does not have. Items that are missed end at their first answer, so that the rest seems to
    /// be missed more often than it is.
    pub partial: u64,
    /// Of the items, those that lack a reply because none is stored.
    pub not_cached: u64,
}

/// Units that one stage was asked about more than once, of one group, by cause and by what the first asking says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatTally {
    /// The stage.
    pub stage: Stage,
    /// Why they were asked about again.
    pub cause: RepeatCause,
    /// Whether the first asking says yes.
    pub first_says: bool,
    /// The group.
    pub group: Group,
    /// What became of them.
    pub counts: RepeatCounts,
}

/// What further askings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RepeatCounts {
    /// Units.
    pub units: u64,
    /// Askings after the first.
    pub askings: u64,
    /// Those of them without a usable verdict.
    pub missing: u64,
    /// Those of the latter that a read-only replay found no reply of.
    pub not_cached: u64,
    /// Units with a second usable verdict.
    pub pairs: u64,
    /// Those of them whose second usable verdict contradicts the first.
    pub flips: u64,
    /// Units of which any two askings contradict each other.
    pub contradicted: u64,
    /// Units that the rule decides otherwise than the first asking alone.
    pub changed: u64,
    /// Units that the rule cannot decide, because a verdict is missing.
    pub undecided: u64,
}

impl RepeatCounts {
    /// Counts those of other units as well.
    pub const fn add(&mut self, other: Self) {
        let Self { units, askings, missing, not_cached, pairs, flips, contradicted, changed, undecided } = other;
        self.units += units;
        self.askings += askings;
        self.missing += missing;
        self.not_cached += not_cached;
        self.pairs += pairs;
        self.flips += flips;
        self.contradicted += contradicted;
        self.changed += changed;
        self.undecided += undecided;
    }
}

/// One grading stage, counted over the units that reached it: all admitted units at the screen, the flagged ones at
/// the confirmer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StageTally {
    /// Units by how they ended.
    pub outcomes: BTreeMap<OutcomeKind, u64>,
    /// Units that reached the stage and have not ended there.
    pub unfinished: u64,
    /// Units of which the grader saw a cut context.
    pub cut: u64,
    /// Verdicts and other replies that count, by the model that the server says it served; where it does not say, they
    /// are in no row.
    pub by_model: BTreeMap<String, ModelTally>,
}

/// What one served model said at one stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelTally {
    /// Units by how they ended.
    pub outcomes: BTreeMap<OutcomeKind, u64>,
    /// Units for which the stage's definition holds: flagged at the screen, upheld at the confirmer.
    pub holds: u64,
}

impl StageTally {
    /// Units that reached the stage.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.outcomes.values().sum::<u64>() + self.unfinished
    }

    /// Whether several served models stand behind the stage: their verdicts are not one measurement.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.by_model.len() > 1
    }

    /// Units that reached the stage and have no usable verdict there.
    #[must_use]
    pub fn ungraded(&self) -> u64 {
        let unusable = self.outcomes.iter().filter(|(kind, _)| !kind.is_usable());
        unusable.map(|(_, units)| units).sum::<u64>() + self.unfinished
    }
}

/// Requests of a run, over all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// Attempts on the wire.
    pub sent: u64,
    /// Verdicts that were derived from a reply which was there before the session: nothing was sent.
    pub replayed: u64,
    /// Tellings of verdicts of several replies, of which some were there before the session and others were not.
    pub partly_replayed: u64,
    /// Attempts whose predecessor was open when a process died: possibly paid for twice.
    pub repeated: u64,
    /// Attempts after the first for one request within one session.
    pub retried: u64,
}

/// Money and tokens of a run, over all its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spend {
    /// All that counts against the cap.
    pub total: NanoUsd,
    /// The part of it that nobody knows to be billed: attempts that ended unknown or not at all, at their bound.
    pub presumed: NanoUsd,
    /// The part of it that went to anchors.
    pub anchors: NanoUsd,
    /// Tokens billed.
    pub usage: Usage,
}

/// People's decisions, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelTally {
    /// Flagged units with a yes or a no.
    pub decided: u64,
    /// Units with a yes or a no that the screen did not flag: they count nowhere in the floor.
    pub beyond_flagged: u64,
    /// Decisions about units that this run did not admit.
    pub unmatched: u64,
    /// Decisions without a group about an address that several groups hold: not used.
    pub ambiguous: u64,
    /// Decisions about another behaviour or definition: not used.
    pub foreign: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// The first of them, as `file:line: reason`, at most 20.
    pub examples: Vec<String>,
    /// Units that each seat decided about, flagged or not.
    pub seats: BTreeMap<String, SeatTally>,
}

/// What one seat said about units of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeatTally {
    /// Units with a yes or a no.
    pub decided: u64,
    /// Units that it is unsure of or cannot judge.
    pub undecided: u64,
}

/// How the run went, in sessions of one process each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions {
    /// The run's id.
    pub run: Option<String>,
    /// Processes that worked on the run.
    pub count: u64,
    /// When the first one began: Unix time in milliseconds.
    pub started_ms: Option<u64>,
    /// When the last one ended in order: Unix time in milliseconds.
    pub ended_ms: Option<u64>,
    /// Why the last one ended; absent if it still runs or was killed.
    pub stop: Option<StopReason>,
    /// Version of assize of the last one.
    pub version: Option<String>,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// What it set out to do.
    pub plan: Planned,
    /// Confidence level of every interval.
    pub level: Level,
    /// All strata, in the order of the plan.
    pub strata: Vec<StratumTally>,
    /// Confirmed units, in the order of their names.
    pub confirmed: Vec<ConfirmedUnit>,
    /// Cleared units that people were to read and say show the behaviour, in the order of their names.
    pub missed: Vec<ConfirmedUnit>,
    /// Units that people are to read and nobody has, in the order of their permanent random numbers, which says nothing
    /// about what graders said.
    pub queue: Vec<QueuedUnit>,
    /// Known positives by group, class and use, in this order; the version of their set is in the plan.
    pub known: Vec<KnownTally>,
    /// Visits to anchors, which are no units: no other figure includes one, requests and spend apart.
    pub visits: Visits,
    /// Units that a grader was asked about more than once, known positives apart.
    pub repeats: Vec<RepeatTally>,
    /// Units that definitions of now flag, or may flag, and would ask about again, which the run's own did not: they are pending.
    pub asked_once: u64,
    /// The screen.
    pub screen: StageTally,
    /// The confirmer, if there is one.
    pub confirm: Option<StageTally>,
    /// How much of what was wanted each stage was shown.
    pub context: BTreeMap<Stage, ContextTally>,
    /// Turns of a conversation that admission closed within, where whole conversations are drawn: they were admitted,
    /// and count as not admitted.
    pub set_back: u64,
    /// Version of the parser that derived every verdict; absent if there are none.
    pub parser: Option<u32>,
    /// Admitted units whose text imitates delimiters or addresses a grader.
    pub injection_suspected: u64,
    /// Requests.
    pub requests: Requests,
    /// Money and tokens.
    pub spend: Spend,
    /// People's decisions.
    pub labels: LabelTally,
    /// Hidden gold, where the audit asks for it or somebody has decided about some.
    pub gold: Option<GoldTally>,
    /// Sessions.
    pub sessions: Sessions,
    /// What a reader should know, each sentence once.
    pub warnings: BTreeSet<String>,
}

impl Tally {
    /// Of a plan of which nothing has been counted: no stratum, no confirmer.
    #[must_use]
    pub fn empty(plan: Planned, level: Level) -> Self {
        Self {
            plan,
            level,
            strata: Vec::new(),
            confirmed: Vec::new(),
            missed: Vec::new(),
            queue: Vec::new(),
            known: Vec::new(),
            visits: Visits::default(),
            repeats: Vec::new(),
            asked_once: 0,
            screen: StageTally::default(),
            confirm: None,
            context: BTreeMap::new(),
            set_back: 0,
            parser: None,
            injection_suspected: 0,
            requests: Requests::default(),
            spend: Spend::default(),
            labels: LabelTally::default(),
            gold: None,
            sessions: Sessions::default(),
            warnings: BTreeSet::new(),
        }
    }

    /// Every group of the plan, in order.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<&Group> {
        let of_strata = self.strata.iter().map(|tally| &tally.stratum.group);
        of_strata.chain(self.plan.corpus.conversations_by_group.iter().map(|(group, _)| group)).collect()
    }

    /// Buckets of one group, or of all.
    #[must_use]
    pub fn buckets(&self, group: Option<&Group>) -> Buckets {
        let mut sum = Buckets::default();
        for tally in self.strata.iter().filter(|tally| group.is_none_or(|group| tally.stratum.group == *group)) {
            sum.merge(&tally.buckets);
        }
        sum
    }

    /// Conversations of the corpus in one group, or in all.
    #[must_use]
    pub fn conversations(&self, group: Option<&Group>) -> u64 {
        let corpus = &self.plan.corpus;
        let Some(group) = group else { return corpus.conversations };
        corpus.conversations_by_group.iter().filter(|(name, _)| name == group).map(|(_, count)| count).sum()
    }

    /// One grading stage, if the plan has it.
    #[must_use]
    pub const fn stage(&self, stage: Stage) -> Option<&StageTally> {
        match stage {
            Stage::Screen => Some(&self.screen),
            Stage::Confirm => self.confirm.as_ref(),
        }
    }

    /// Stages behind which several served models stand, in order.
    #[must_use]
    pub fn mixed_stages(&self) -> Vec<Stage> {
        let stages = [Stage::Screen, Stage::Confirm].into_iter();
        stages.filter(|stage| self.stage(*stage).is_some_and(StageTally::is_mixed)).collect()
    }

    /// Admitted units that lack a usable verdict at the screen, or at the confirmer after being flagged.
    #[must_use]
    pub fn ungraded(&self) -> u64 {
        self.screen.ungraded() + self.confirm.as_ref().map_or(0, StageTally::ungraded)
    }

    /// Admitted units without a usable verdict over admitted units; 0 if none was admitted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^53")]
    pub fn ungraded_share(&self) -> f64 {
        let admitted = self.screen.reached();
        if admitted == 0 { 0.0 } else { self.ungraded() as f64 / admitted as f64 }
    }

    /// The look that the run stopped at because its limits were narrow enough, if it did.
    #[must_use]
    pub fn narrow_look(&self) -> Option<&Look> {
        match &self.sessions.stop {
            Some(StopReason::NarrowEnough(look)) => Some(look),
            Some(
                StopReason::Finished
                | StopReason::Budget
                | StopReason::Deadline
                | StopReason::Interrupted
                | StopReason::Unexpected { .. }
                | StopReason::ModelChanged { .. }
                | StopReason::Unusable { .. },
            )
            | None => None,
        }
    }

    /// Whether the run did what it set out to do: it ended by itself, every planned unit was admitted, or as many as
    /// it took for `stop_when`, all of them ended, and the share without a usable verdict is within the audit's limit.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let open = self.screen.unfinished + self.confirm.as_ref().map_or(0, |stage| stage.unfinished);
        let left_out = self.buckets(None).count(|bucket| *bucket == Bucket::NotAdmitted);
        let is_through = self.sessions.stop == Some(StopReason::Finished) && left_out == 0;
        (is_through || self.narrow_look().is_some()) && open == 0 && self.ungraded_share() <= self.plan.max_ungraded
    }
}

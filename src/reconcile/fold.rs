//! The fold: from events to the counts of a tally. `people` joins it with what people are to read and have said.

mod people;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU8;

use super::attempts::Attempts;
use super::bucket::bucket;
use super::conversations::Reached;
use super::counts::Counts;
use super::definitions::{Definitions, Ending};
use super::error::FoldError;
use super::gold::Gold;
use super::known::KnownUnits;
use super::labels::{Labels, Ruling};
use super::repeated::RepeatedUnits;
use super::repeats::Gap;
use super::review::{self, Reading};
use super::unit::{Address, Mark, UnitState};
use super::views::{Ended, Views};
use crate::model::anchor::{AnchorVisit, Visits};
use crate::model::bucket::Bucket;
use crate::model::event::{Admitted, Closed, Event, Judged, Opened, Ordinal, Part, Planned};
use crate::model::gold::GoldItem;
use crate::model::grading::Stage;
use crate::model::label::Label;
use crate::model::rate::{Decider, Level};
use crate::model::review_id::ReviewId;
use crate::model::tally::{QueuedUnit, Sessions, Tally};
use crate::verdict::PARSER_VERSION;
use people::Named;

/// A fold in progress. Give it every event of a journal in any order within a session, every label, then
/// [`finish`](Fold::finish). Telling the same event twice changes nothing but the number of sessions.
#[derive(Debug)]
pub struct Fold {
    definitions: Definitions,
    plan: Option<Planned>,
    /// Units of the plan that are selected.
    planned: u64,
    units: Vec<UnitState>,
    views: Views,
    reached: Reached,
    /// Known positives: their ordinals come before those of the units.
    known: KnownUnits,
    /// Units that are flagged or may yet be.
    named: HashMap<Ordinal, Named>,
    /// Cleared units that people are to read, as far as is known: by stratum, in the order of their numbers.
    cleared: BTreeMap<u32, BTreeMap<(u64, Ordinal), Named>>,
    /// Exclusions that the confirmer gave for units it turned down.
    codes: HashMap<Ordinal, String>,
    parsers: Vec<u32>,
    /// Names of served models.
    models: Vec<String>,
    /// Units that a grader was asked about more than once.
    repeated: RepeatedUnits,
    attempts: Attempts,
    visits: Visits,
    labels: Vec<Label>,
    joined: Labels,
    gold: Gold,
    sessions: Sessions,
    warnings: BTreeSet<String>,
    fault: Option<FoldError>,
}

impl Fold {
    /// An empty fold that counts by these definitions.
    #[must_use]
    pub fn new(definitions: Definitions) -> Self {
        Self {
            definitions,
            plan: None,
            planned: 0,
            units: Vec::new(),
            views: Views::default(),
            reached: Reached::default(),
            known: KnownUnits::default(),
            named: HashMap::new(),
            cleared: BTreeMap::new(),
            codes: HashMap::new(),
            parsers: Vec::new(),
            models: Vec::new(),
            repeated: RepeatedUnits::default(),
            attempts: Attempts::default(),
            visits: Visits::default(),
            labels: Vec::new(),
            joined: Labels::default(),
            gold: Gold::default(),
            sessions: Sessions::default(),
            warnings: BTreeSet::new(),
            fault: None,
        }
    }

    /// The same fold without what a reader of many definitions does not ask for: how much graders were shown.
    #[must_use]
    pub fn without_context(self) -> Self {
        Self { views: Views::off(), ..self }
    }

    /// Adds one event. What is wrong with it, [`finish`](Fold::finish) says.
    pub fn event(&mut self, event: &Event) {
        let step = match event {
            Event::Opened(opened) => {
                self.opened(opened);
                Ok(())
            }
            Event::Planned(plan) => self.planned(plan),
            Event::Admitted(admitted) => self.admitted(admitted),
            Event::Granted(_) => Ok(()),
            Event::Sent(sent) => {
                self.attempts.sent(sent);
                Ok(())
            }
            Event::Settled(settled) => {
                self.attempts.settled(settled);
                settled.anchor.iter().for_each(|visit| self.visits.add(AnchorVisit::clone(visit)));
                Ok(())
            }
            Event::Judged(judged) => self.judged(judged),
            Event::Warned { message } => {
                self.warnings.insert(message.clone());
                Ok(())
            }
            Event::Closed(closed) => {
                self.closed(closed);
                Ok(())
            }
        };
        if let Err(fault) = step {
            self.fault.get_or_insert(fault);
        }
    }

    /// Adds one decision of a person.
    pub fn label(&mut self, label: &Label) {
        self.labels.push(label.clone());
    }

    /// Adds one line of a label file; `place` (`file:line`) names it if it cannot be read.
    pub fn label_line(&mut self, place: &str, line: &str) {
        match Label::from_line(line) {
            Ok(label) => self.labels.push(label),
            Err(error) => self.joined.malformed(format!("{place}: {error}")),
        }
    }

    /// Whether people's decisions cannot be counted without the gold of the workspace.
    #[must_use]
    pub fn needs_gold(&self) -> bool {
        let is_hidden = |label: &Label| label.unit.parse::<ReviewId>().is_ok();
        self.plan.as_ref().is_some_and(|plan| plan.gold.is_some()) || self.labels.iter().any(is_hidden)
    }

    /// Adds the gold of the workspace: items, and the names of what this run cannot use of it.
    pub fn gold(&mut self, items: Vec<GoldItem>, aside: HashSet<ReviewId>) {
        self.gold = Gold::new(items, aside);
    }

    /// The tally of everything that was added.
    ///
    /// # Errors
    ///
    /// There is no plan, or the events contradict it or each other; see [`FoldError`].
    pub fn finish(self) -> Result<Tally, FoldError> {
        self.finish_each(|_, _| {})
    }

    /// As [`finish`](Fold::finish), and tells where every admitted unit of the sample ended, in the order of admission.
    ///
    /// # Errors
    ///
    /// As [`finish`](Fold::finish).
    pub fn finish_each(mut self, mut ended: impl FnMut(Ordinal, &Bucket)) -> Result<Tally, FoldError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let plan = self.plan.take().ok_or(FoldError::NoPlan)?;
        let level = Level::new(plan.level).ok_or(FoldError::Level(plan.level))?;
        let set_back = self.reached.in_part(self.known.len(), self.units.len());
        self.units.truncate(self.units.len() - set_back);
        let parser = self.parser()?;
        self.join_labels(&plan);

        let mut counts = Counts::new(&plan, self.definitions.has_confirmer(), std::mem::take(&mut self.models));
        let mut reading = Reading::of(&plan, self.readable(&plan)?);
        for ((stratum, route), cell) in std::mem::take(&mut reading.cells) {
            counts.strata[stratum as usize].cells.insert(route, cell);
        }
        let known = self.known.finish(&plan)?;
        counts.replayed += self.known.marks().filter(|mark| mark.replayed).count() as u64;
        for (index, unit) in (self.known.len()..).zip(std::mem::take(&mut self.units)) {
            let ordinal = Ordinal(index);
            if let Some(bucket) = self.count(&mut counts, &mut reading, ordinal, &unit)? {
                ended(ordinal, &bucket);
            }
        }
        self.count_missed(&mut counts, &mut reading);
        counts.complete_cleared();
        let repeats = self.repeated.finish();
        let (mut requests, spend) = self.attempts.finish();
        requests.replayed = counts.replayed;
        counts.confirmed.sort();
        counts.missed.sort();
        counts.queue.sort();
        Ok(Tally {
            strata: counts.close()?,
            level,
            confirmed: counts.confirmed,
            missed: counts.missed,
            queue: counts.queue,
            screen: counts.screen,
            confirm: counts.confirm,
            context: counts.context,
            set_back: set_back as u64,
            known,
            visits: self.visits,
            repeats,
            asked_once: counts.asked_once,
            parser,
            injection_suspected: counts.injection_suspected,
            requests,
            spend,
            labels: self.joined.finish(),
            gold: self.gold.finish(&plan),
            sessions: self.sessions,
            warnings: self.warnings,
            plan,
        })
    }

    fn opened(&mut self, opened: &Opened) {
        let sessions = &mut self.sessions;
        sessions.run = Some(opened.run.clone());
        sessions.version = Some(opened.version.clone());
        sessions.count += 1;
        sessions.started_ms = Some(sessions.started_ms.map_or(opened.at_ms, |first| first.min(opened.at_ms)));
        sessions.ended_ms = None;
        sessions.stop = None;
        self.attempts.session();
    }

    fn closed(&mut self, closed: &Closed) {
        self.sessions.ended_ms = Some(closed.at_ms);
        self.sessions.stop = Some(closed.reason.clone());
    }

    fn planned(&mut self, plan: &Planned) -> Result<(), FoldError> {
        if let Some(first) = &mut self.plan {
            if first.identity != plan.identity {
                return Err(FoldError::MixedPlans { first: first.identity, other: plan.identity });
            }
            // What a resume may change without asking anything else of anyone.
            first.cap = plan.cap;
            first.cap_total = plan.cap_total;
            first.spent_before = plan.spent_before;
            first.max_ungraded = plan.max_ungraded;
            first.level = plan.level;
            first.stop_when = plan.stop_when;
            first.review = plan.review;
            // Visits that were made stay made, whatever the audit says by now.
            if plan.anchors.is_some() || self.visits.is_empty() {
                first.anchors.clone_from(&plan.anchors);
            }
            first.gold.clone_from(&plan.gold);
            first.compare = plan.compare.clone();
            return Ok(());
        }
        let (strata, corpus) = (plan.strata.iter().map(|stratum| stratum.units).sum(), plan.corpus.units(plan.unit));
        if strata != corpus {
            return Err(FoldError::Leak { strata, corpus, unit: plan.unit });
        }
        if let Some(over) = plan.strata.iter().find(|stratum| stratum.planned > stratum.units) {
            let (units, planned) = (over.units, over.planned);
            return Err(FoldError::OverPlanned { stratum: over.stratum.to_string(), units, planned });
        }
        self.planned = plan.strata.iter().map(|stratum| stratum.planned).sum();
        self.known = KnownUnits::of(plan);
        self.plan = Some(plan.clone());
        Ok(())
    }

    fn admitted(&mut self, admitted: &Admitted) -> Result<(), FoldError> {
        let strata = self.plan.as_ref().ok_or(FoldError::NoPlan)?.strata.len();
        let Some(stratum) = admitted.stratum else { return self.known.admit(admitted) };
        if stratum as usize >= strata {
            return Err(FoldError::OutsidePlan(admitted.ordinal));
        }
        let address = Address::of(&admitted.unit.to_string());
        let unit = self.unit(admitted.ordinal)?;
        if unit.stratum().is_some_and(|known| known != stratum || unit.address() != address) {
            return Err(FoldError::Reassigned(admitted.ordinal));
        }
        unit.admit(address, stratum, admitted.part.is_some_and(Part::is_last));
        let Admitted { content, cluster, .. } = *admitted;
        self.named.insert(admitted.ordinal, Named { unit: admitted.unit.clone(), content, cluster });
        self.reached.admitted(admitted);
        Ok(())
    }

    fn judged(&mut self, judged: &Judged) -> Result<(), FoldError> {
        let Judged { ordinal, stage, outcome, .. } = judged;
        let (ordinal, stage) = (*ordinal, *stage);
        let failed = |source| FoldError::Definition { ordinal, stage, source };
        let Ending { kind, passes, gap } = self.definitions.ending(judged).map_err(failed)?;
        // What a definition flags, or may flag, and the screen was never asked again about, is not missing: it is flagged by the
        // one answer there is, and nobody has confirmed it.
        let is_never_due = (stage, gap) == (Stage::Screen, Gap::NeverDue);
        let (counted, holds) = if is_never_due { (judged.first_kind(), true) } else { (kind, passes) };
        self.attempts.judged(judged);
        let mark = Mark {
            kind: counted,
            parser: self.parser_index(judged.parser),
            served: judged.served.as_ref().and_then(|model| self.model_number(model)),
            holds,
            replayed: judged.replayed,
            cut: judged.seen.cut,
            injection_suspected: judged.injection_suspected,
            is_open: gap != Gap::None,
        };
        if let Some(known) = self.known.get(ordinal) {
            known.state.set(stage, mark);
            return Ok(());
        }
        self.unit(ordinal)?.set(stage, mark);
        self.repeated.judged(judged, kind, &self.definitions).map_err(failed)?;
        self.views.set((ordinal.0 - self.known.len(), self.planned), judged);
        match stage {
            // A cleared unit's name is not needed again: a resume that judges it otherwise admits it anew first.
            Stage::Screen if counted.is_usable() && !holds => {
                if let Some(named) = self.named.remove(&ordinal) {
                    self.cleared(ordinal, named)?;
                }
            }
            Stage::Screen => {}
            Stage::Confirm => {
                let code = outcome.finding().filter(|_| !holds).and_then(|finding| finding.exclusions.first());
                match code {
                    Some(code) => self.codes.insert(ordinal, code.clone()),
                    None => self.codes.remove(&ordinal),
                };
            }
        }
        Ok(())
    }

    fn unit(&mut self, ordinal: Ordinal) -> Result<&mut UnitState, FoldError> {
        let planned = if self.plan.is_some() { self.planned } else { return Err(FoldError::NoPlan) };
        let position = ordinal.0.checked_sub(self.known.len()).filter(|position| *position < planned);
        let index = position.and_then(|position| usize::try_from(position).ok());
        let index = index.ok_or(FoldError::OutsidePlan(ordinal))?;
        if self.units.len() <= index {
            // All of them will be needed in the end, and growing by doubling takes three times that. Where there is no
            // room for all, there may be for as many as there are.
            let missing = planned - self.units.len() as u64;
            self.units.try_reserve_exact(usize::try_from(missing).unwrap_or_default()).ok();
            self.units.resize(index + 1, UnitState::default());
        }
        Ok(&mut self.units[index])
    }

    fn parser_index(&mut self, version: u32) -> u8 {
        let known = self.parsers.iter().position(|parser| *parser == version).unwrap_or_else(|| {
            self.parsers.push(version);
            self.parsers.len() - 1
        });
        // Past 255 versions they all share the last index; the mixture of the others is refused anyway.
        u8::try_from(known).unwrap_or(u8::MAX)
    }

    /// The number of a served model, from 1. Past 255 names they all share the last: a mixture all the same.
    fn model_number(&mut self, name: &str) -> Option<NonZeroU8> {
        let known = self.models.iter().position(|model| model == name).unwrap_or_else(|| {
            self.models.push(name.to_owned());
            self.models.len() - 1
        });
        NonZeroU8::new(u8::try_from(known + 1).unwrap_or(u8::MAX))
    }

    /// The one parser version behind the verdicts that count: those of earlier sessions were derived anew.
    fn parser(&self) -> Result<Option<u32>, FoldError> {
        let marks = self.units.iter().flat_map(UnitState::marks).chain(self.known.marks());
        let indices: BTreeSet<u8> = marks.map(|mark| mark.parser).collect();
        let used: BTreeSet<u32> = indices.into_iter().map(|index| self.parsers[usize::from(index)]).collect();
        if used.len() > 1 {
            return Err(FoldError::MixedParsers(used.into_iter().collect()));
        }
        match used.first() {
            Some(older) if *older < PARSER_VERSION => Err(FoldError::OlderParser(*older)),
            version => Ok(version.copied()),
        }
    }

    /// Counts one unit; where it ended, if it was admitted.
    fn count(
        &mut self,
        counts: &mut Counts<'_>,
        reading: &mut Reading,
        ordinal: Ordinal,
        unit: &UnitState,
    ) -> Result<Option<Bucket>, FoldError> {
        let Some(stratum) = unit.stratum() else {
            let was_judged = unit.screen().is_some() || unit.confirm().is_some();
            return if was_judged { Err(FoldError::NotAdmitted(ordinal)) } else { Ok(None) };
        };
        let tally = &mut counts.strata[stratum as usize];
        let is_flagged = unit.is_flagged();
        let (ruling, route) = if is_flagged {
            reading.take(ordinal)
        } else {
            (self.joined.ruling(unit.address(), &tally.stratum.group), None)
        };
        if ruling.is_decision() {
            self.joined.ruled(is_flagged);
        }
        if let (Ruling::Silent, Some(_)) = (&ruling, route) {
            let Named { unit, content, .. } = self.named.get(&ordinal).ok_or(FoldError::NotAdmitted(ordinal))?;
            counts.queue.push(QueuedUnit { number: review::number(counts.plan, content), unit: unit.clone() });
        }
        let bucket = bucket(unit, ruling, self.codes.remove(&ordinal));
        tally.buckets.add(bucket.clone(), 1);
        if let &Bucket::Confirmed { by } = &bucket {
            let named = self.named.remove(&ordinal).ok_or(FoldError::NotAdmitted(ordinal))?;
            let route = route.filter(|_| by == Decider::People);
            counts.confirmed.push(named.confirmed(by, stratum, route));
        }
        counts.stages(unit);
        counts.asked_once += u64::from(unit.screen().is_some_and(|mark| mark.is_open && mark.holds));
        self.repeated.count(ordinal, unit, &counts.strata[stratum as usize].stratum.group);
        for mark in unit.staged() {
            let (stage, Mark { kind, holds, .. }) = mark;
            let tally = counts.context.entry(stage).or_default();
            self.views.count(ordinal.0 - self.known.len(), Ended { stage, kind, holds }, tally);
        }
        counts.conversation(stratum, unit);
        Ok(Some(bucket))
    }
}

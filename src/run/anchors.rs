//! Anchors of an audit: units with a known answer that every run which sends anything grades again, so that a grader that
//! changed is noticed.
//!
//! A file of anchors has the form of a behaviour's `gold.jsonl`. Its baseline, what the grader said of each anchor before, is
//! replies in the reply cache under an epoch of their own: keyed by prompt, model, parameters and text like any other, read by
//! the parser of today, and drawn again once any of these changes. Anchors are no units: no figure of the funnel, of a rate or
//! of the report's digest includes one.

mod baseline;
mod visit;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::gold::{GoldLine, is_answer};
use super::settings::{AnchorSettings, Audit, CacheMode};
use crate::cache::units::SelectedUnit;
use crate::grade::stage::{Grader, Prepared, Scratch, StageError};
use crate::model::anchor::{AnchorLabel, AnchorPlan, BASELINE_DRAWS, MOST_ANCHORS, Visit};
use crate::model::draw::draw_number;
use crate::model::event::{Judged, Ordinal};
use crate::model::money::NanoUsd;
use crate::model::outcome::Outcome;
use crate::model::unit::{Group, UnitId, UnitKind};
use crate::model::verdict::Judgement;
use crate::prompt::BehaviourFiles;
use crate::reconcile::Definitions;

pub use baseline::{Announced, Drawn, draw};
pub(super) use visit::{retell, visit};

/// The epoch of baseline draws.
pub(super) const BASELINE_EPOCH: &str = "anchor baseline";

/// The epoch of a run's visits: its id, so that a resume finds them and another run does not. Under `--cache refresh` that id is
/// the epoch of its units; a visit to an anchor that is drawn as well would have the key of the unit then.
pub(super) fn visits_epoch(run: &str, cache: CacheMode) -> String {
    match cache {
        CacheMode::Refresh => format!("anchors of {run}"),
        CacheMode::On | CacheMode::ReadOnly => run.to_owned(),
    }
}

/// Unreadable lines that are named.
const EXAMPLES: usize = 3;

/// Why anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file cannot be read.
    #[error("failed to read the anchors in `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The behaviour has no gold of its own.
    #[error("behaviour `{behaviour}` has no `gold.jsonl`; name a file of anchors beside the audit file")]
    NoGold {
        /// The behaviour.
        behaviour: String,
    },
    /// Nothing in the file is an anchor under the definition that is counted.
    #[error("`{file}` holds no anchor: an item needs `expect`, `target` and `messages`{}", first.as_ref().map(|first| format!("; the first that cannot be read: {first}")).unwrap_or_default())]
    Empty {
        /// The file.
        file: String,
        /// The first line that cannot be read.
        first: Option<String>,
    },
}

/// One anchor with its text.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// What is graded.
    pub unit: SelectedUnit,
    /// What is known of it.
    pub label: AnchorLabel,
}

/// The anchors of an audit.
#[derive(Debug, Clone)]
pub struct AnchorSet {
    /// In the order of their hashes; at most 500.
    pub anchors: Vec<Anchor>,
    /// Visits for each unit that is admitted.
    pub rate: f64,
    /// What a reader of the report should know.
    pub warnings: Vec<String>,
}

impl AnchorSet {
    /// Those that show the behaviour.
    pub(super) fn positives(&self) -> impl Iterator<Item = &SelectedUnit> {
        self.anchors.iter().filter(|anchor| anchor.label == AnchorLabel::Positive).map(|anchor| &anchor.unit)
    }

    /// The anchors that an audit names, if it names any.
    ///
    /// # Errors
    /// If there is no such file, or no anchor in it. Single lines that cannot be read are named and left out.
    pub(super) fn read(
        audit: &Audit,
        files: &BehaviourFiles,
        definitions: &Definitions,
    ) -> Result<Option<Self>, AnchorError> {
        let Some(AnchorSettings { file, path, rate }) = &audit.anchors else { return Ok(None) };
        let text = if let Some(path) = path {
            fs::read_to_string(path).map_err(|source| AnchorError::Io { path: path.clone(), source })?
        } else {
            let behaviour = audit.behaviour.clone();
            files.gold_text.clone().ok_or(AnchorError::NoGold { behaviour })?
        };
        let (mut anchors, mut seen, mut unreadable) = (Vec::new(), HashSet::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match anchor(line, audit.corpus.unit, definitions) {
                Ok(Some(anchor)) if seen.insert(anchor.unit.content) => anchors.push(anchor),
                Ok(_) => {}
                Err(reason) => unreadable.push(format!("{file}:{number}: {reason}")),
            }
        }
        if anchors.is_empty() {
            return Err(AnchorError::Empty { file: file.clone(), first: unreadable.into_iter().next() });
        }
        anchors.sort_by_cached_key(|anchor| (draw_number(0, "anchor", 1, &anchor.unit.content), anchor.unit.content));
        let mut warnings = Vec::new();
        if anchors.len() > MOST_ANCHORS {
            warnings.push(format!(
                "`{file}` holds {} anchors, and the {MOST_ANCHORS} with the lowest hashes are used: every run asks about all of \
                 them",
                anchors.len()
            ));
            anchors.truncate(MOST_ANCHORS);
        }
        if !unreadable.is_empty() {
            let shown: Vec<_> = unreadable.iter().take(EXAMPLES).map(String::as_str).collect();
            warnings.push(format!("{} lines of the anchors cannot be read: {}", unreadable.len(), shown.join("; ")));
        }
        Ok(Some(Self { anchors, rate: *rate, warnings }))
    }
}

/// The anchor on a line; `None` if the line says nothing that a grader could be held to.
fn anchor(line: &str, unit: UnitKind, definitions: &Definitions) -> Result<Option<Anchor>, String> {
    let (line, conversation, content) = GoldLine::read(line)?;
    if !is_answer(line.expect, &conversation, unit) {
        return Ok(None);
    }
    // A definition that asks for a field which the item does not state says nothing about it.
    let Ok(is_counted) = definitions.counts(&Outcome::Graded { finding: line.finding() }) else { return Ok(None) };
    let label = match line.expect {
        Judgement::Present if is_counted => AnchorLabel::Positive,
        Judgement::Present | Judgement::Absent | Judgement::Suspected | Judgement::CannotJudge => AnchorLabel::Negative,
    };
    let turn = unit.is_turn().then_some(line.target);
    let id = UnitId { group: Group(Vec::new()), conversation: line.id, turn };
    Ok(Some(Anchor { unit: SelectedUnit { ordinal: Ordinal(0), id, stratum: None, content, conversation }, label }))
}

/// The anchors of a session, with a grader for each draw: equal but for the key under which replies are kept.
#[derive(Debug)]
pub(super) struct Anchors {
    set: AnchorSet,
    definitions: Definitions,
    /// By draw.
    baseline: Vec<Grader>,
    /// By draw; empty where only the baseline is drawn.
    fresh: Vec<Grader>,
    plan: AnchorPlan,
}

/// A baseline draw that is not there.
#[derive(Debug, Clone, Copy)]
struct Missing {
    visit: Visit,
    /// Requests: several where the anchor is read in chunks.
    requests: u64,
    /// The most that they can cost.
    most: NanoUsd,
}

impl Anchors {
    /// Looks up how much of the baseline is there. Blocks for as long as rendering every anchor a few times takes.
    pub(super) fn new(
        set: AnchorSet,
        definitions: Definitions,
        baseline: Vec<Grader>,
        fresh: Vec<Grader>,
    ) -> Result<Self, StageError> {
        let plan = AnchorPlan { anchors: set.anchors.len() as u64, draws: BASELINE_DRAWS, rate: set.rate, baseline: 0 };
        // Like is compared with like: one asking with one asking.
        let definitions = definitions.asked_once();
        let mut anchors = Self { set, definitions, baseline, fresh, plan };
        let missing = anchors.missing()?.len() as u64;
        anchors.plan.baseline = anchors.plan.anchors * u64::from(anchors.plan.draws) - missing;
        Ok(anchors)
    }

    /// What the journal says of them.
    pub(super) const fn plan(&self) -> &AnchorPlan {
        &self.plan
    }

    /// Baseline draws that are not there.
    fn missing(&self) -> Result<Vec<Missing>, StageError> {
        let mut missing = Vec::new();
        self.each_draw(|number, grader, question| {
            let visit = Visit::nth(number, self.plan.anchors, self.plan.draws);
            let lacks = visit.filter(|_| Grader::known(question).is_none());
            let (requests, most) = (question.open_questions(), grader.bound(question));
            missing.extend(lacks.map(|visit| Missing { visit, requests, most }));
            Ok(())
        })?;
        Ok(missing)
    }

    /// Whether the run has the reply of a visit; never where only the baseline is looked at.
    pub(super) fn is_made(&self, number: u64, scratch: &mut Scratch) -> Result<bool, StageError> {
        let Some(visit) = Visit::nth(number, self.plan.anchors, self.plan.draws) else { return Ok(false) };
        let Some(grader) = self.fresh.get(visit.draw as usize) else { return Ok(false) };
        Ok(Grader::known(&grader.prepare(&self.anchor(visit).unit, scratch)?).is_some())
    }

    /// Every draw of the baseline by the number of the visit that is compared with it, and its question.
    pub(super) fn each_draw(
        &self,
        mut each: impl FnMut(u64, &Grader, &Prepared) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let mut scratch = Scratch::default();
        let numbered =
            (0..).map_while(|number| Some((number, Visit::nth(number, self.plan.anchors, self.plan.draws)?)));
        for (number, visit) in numbered {
            let grader = &self.baseline[visit.draw as usize];
            each(number, grader, &grader.prepare(&self.anchor(visit).unit, &mut scratch)?)?;
        }
        Ok(())
    }

    fn anchor(&self, visit: Visit) -> &Anchor {
        let index = usize::try_from(visit.anchor).unwrap_or(usize::MAX);
        self.set.anchors.get(index).expect("visits are numbered by the anchors that are there")
    }

    /// Whether the screen flags, if it says anything.
    fn is_flagged(&self, judged: &Judged) -> Result<Option<bool>, StageError> {
        let is_usable = judged.outcome.kind().is_usable();
        Ok(if is_usable { Some(self.definitions.pass(judged)?) } else { None })
    }
}

/// Anchors that tasks share.
pub(super) type SharedAnchors = Arc<Anchors>;

//! Words that set units of a run apart from others. Text comes from the copies of the selected conversations, verdicts from
//! the journal: nothing is asked, and nothing but the graded sample is read.
//!
//! Memory grows with the graded sample by some fifty bytes a unit, and not with its text: phrases are counted in a
//! [`Vocabulary`] of bounded size.

mod sides;
mod text;

use std::collections::BTreeSet;

use super::conclude::{self, ConcludeError};
use super::folder::{FolderError, RunFolder};
use super::groups::NoField;
use super::settings::Workspace;
use super::view::{ViewError, snapshot};
use crate::cache::units::UnitsError;
use crate::estimate::cues::{CueSample, Step};
use crate::estimate::marks::{Held, Mark, best, scores};
use crate::estimate::recall;
use crate::model::conversation::Channel;
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::tally::Tally;
use crate::prefilter::mine::{KnownCues, Phrase, Probe, Vocabulary};
use crate::prefilter::{CuesError, Rules};
use crate::prompt::Library;
use crate::report::mine::{Mined, ShareRow, SideRow, StepRow, Suggestion, WithoutCueRow};
use sides::Sides;
use text::Texts;

pub use sides::Wanted;

/// Why nothing can be mined.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// The run has no tally.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
    /// The journal cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The copies of the conversations cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A copy of a conversation cannot be read.
    #[error(transparent)]
    Units(#[from] UnitsError),
    /// `cues.toml` is wrong.
    #[error("cues of behaviour `{behaviour}`: {source}")]
    Cues {
        /// The behaviour.
        behaviour: String,
        /// What is wrong.
        source: CuesError,
    },
    /// The groups have no such field.
    #[error(transparent)]
    NoField(#[from] NoField),
    /// A side holds too little.
    #[error(
        "there are {conversations} conversations with units of the side `{what}`, and a word has to stand in {least}"
    )]
    TooFew {
        /// The side's conversations.
        conversations: u64,
        /// The side.
        what: String,
        /// How many are needed.
        least: u64,
    },
}

/// Most suggestions that are looked for in the units without a cue.
pub const MOST_SUGGESTIONS: usize = Probe::MOST;

/// Finds what sets one side of a run apart.
///
/// # Errors
/// See [`MineError`].
pub fn mine(workspace: &Workspace, folder: &RunFolder, wanted: &Wanted) -> Result<Mined, MineError> {
    let planned = conclude::plan_of(folder)?;
    let sides = Sides::read(workspace, folder, &planned, wanted)?;
    let units = snapshot(workspace, &planned)?;
    let mut texts = Texts::new(&units, channels(&planned));
    let [first, second] = [true, false].map(|is_first| sides.conversations(is_first));
    for (conversations, side, least) in [(&first, &sides.first, wanted.least), (&second, &sides.second, 1)] {
        let found = conversations.len() as u64;
        if found < least {
            return Err(MineError::TooFew { conversations: found, what: side.what.clone(), least });
        }
    }
    let mut vocabulary = Vocabulary::new(wanted.least);
    texts.each(&first, |phrases| vocabulary.sketch(phrases))?;
    texts.each(&first, |phrases| vocabulary.first(phrases))?;
    texts.each(&second, |phrases| vocabulary.second(phrases))?;
    let (totals, least) = (vocabulary.totals(), vocabulary.least());
    let phrases = vocabulary.into_phrases();
    let held: Vec<Held<'_>> = phrases.iter().map(held).collect();
    let marks = best(&scores(&held, &totals, least), wanted.show.min(MOST_SUGGESTIONS));

    let behaviour = &planned.behaviour;
    let failed = |source| MineError::Cues { behaviour: behaviour.clone(), source };
    let library = Library::open(&workspace.prompts()).map_err(ConcludeError::from)?;
    let files = library.behaviour(behaviour).map_err(ConcludeError::from)?;
    let known = Rules::parse(&files.cues_text).and_then(|rules| KnownCues::compile(&rules)).map_err(failed)?;
    let probe = Probe::compile(marks.iter().map(|mark| mark.held.text)).map_err(failed)?;
    let sample = sides.sample(&probe, &mut texts)?;
    let conversations = [first.len() as u64, second.len() as u64];
    let (known, sample) = (&known, sample.as_ref());
    let (planned, sides, phrases) = (&planned, &sides, phrases.len() as u64);
    let found = Found { planned, sides, marks, known, conversations, least, phrases, sample };
    Ok(found.report(&folder.id, wanted))
}

fn held(phrase: &Phrase) -> Held<'_> {
    let Phrase { text, words, first, second } = phrase;
    Held { text, words: *words, first: *first, second: *second }
}

/// What the audit reads. Older journals do not say it: then everything.
fn channels(planned: &Planned) -> BTreeSet<Channel> {
    let screen = planned.graders.iter().find(|grader| grader.stage == Stage::Screen);
    let asking = screen.and_then(|grader| grader.asking.as_ref());
    asking.map_or_else(|| Channel::ALL.into(), |asking| asking.channels.clone())
}

struct Found<'a> {
    planned: &'a Planned,
    sides: &'a Sides,
    marks: Vec<Mark<'a>>,
    known: &'a KnownCues,
    /// How many conversations of either side there are.
    conversations: [u64; 2],
    /// How many conversations had to hold a phrase, and how many phrases they do hold.
    least: u64,
    phrases: u64,
    /// The graded units without a cue; absent if their counts contradict each other.
    sample: Option<&'a CueSample>,
}

impl Found<'_> {
    fn report(&self, run: &str, wanted: &Wanted) -> Mined {
        let Self { planned, sides, least, phrases, .. } = *self;
        let side =
            |side: &sides::Side, conversations| SideRow { what: side.what.clone(), units: side.units, conversations };
        let recall = overall_recall(&sides.tally);
        let suggestions: Vec<_> = (0..).zip(&self.marks).map(|(bit, mark)| self.suggestion(bit, mark)).collect();
        let new = (0..).zip(&suggestions).filter(|(_, row)| row.class.is_none());
        let new = new.fold(0_u64, |bits, (bit, _): (u32, _)| bits | 1 << bit);
        let curve = self.sample.map(|sample| sample.curve(new)).unwrap_or_default();
        let curve: Vec<_> = curve.iter().map(|step| self.step(step, &recall)).collect();
        let curve_reason = curve.is_empty().then(|| {
            self.no_hits().unwrap_or_else(|| {
                "no new phrase of this list stands in a unit that was confirmed without a cue".to_owned()
            })
        });
        let next_draw = planned.draw + 1;
        Mined {
            run: run.to_owned(),
            simulated: planned.graders.iter().any(|grader| grader.simulated),
            watermark: planned.watermark(),
            unit: planned.unit,
            behaviour: planned.behaviour.clone(),
            first: side(&sides.first, self.conversations[0]),
            second: side(&sides.second, self.conversations[1]),
            undecided: sides.undecided,
            least,
            phrases,
            suggestions,
            without_cue: WithoutCueRow {
                units: self.sample.map_or(0, CueSample::frame),
                graded: self.sample.map_or(0, CueSample::graded),
                confirmed: self.sample.map_or(0, CueSample::confirmed),
                recall: recall.as_ref().ok().copied(),
                recall_reason: recall.err(),
            },
            curve,
            curve_reason,
            next_draw,
            warnings: warnings(planned, least, wanted.least),
        }
    }

    fn suggestion(&self, bit: u32, mark: &Mark<'_>) -> Suggestion {
        let Held { text, first, second, .. } = mark.held;
        let class = self.known.class_of(text).map(str::to_owned);
        let is_new = class.is_none();
        let passes = self.sample.filter(|_| is_new).and_then(|sample| sample.passes(1 << bit));
        let hits = self.sample.filter(|_| is_new).and_then(|sample| sample.hits(1 << bit));
        let reason = |missing: bool, reason: Option<String>| {
            let has_cue = || "a cue finds it already".to_owned();
            missing.then(|| if is_new { reason.unwrap_or_default() } else { has_cue() })
        };
        Suggestion {
            phrase: text.to_owned(),
            z: mark.z,
            first,
            second,
            class_reason: is_new.then(|| "no rule of cues.toml finds the phrase alone".to_owned()),
            class,
            passes_reason: reason(passes.is_none(), Some(self.no_slice())),
            passes: passes.map(ShareRow::from),
            hits_reason: reason(hits.is_none(), self.no_hits().or_else(|| Some(self.no_slice()))),
            hits: hits.map(ShareRow::from),
        }
    }

    fn step(&self, step: &Step, recall: &Result<f64, String>) -> StepRow {
        let phrase = self.marks.get(step.cue as usize).map(|mark| mark.held.text.to_owned());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count far below 2^53"
        )]
        let newly_sent = (step.passes.estimate * self.sample.map_or(0, CueSample::frame) as f64).round() as u64;
        StepRow {
            phrase: phrase.unwrap_or_default(),
            passes: step.passes.into(),
            newly_sent,
            hits: step.hits.into(),
            // What no cue finds now is 1 - recall of all there is.
            recall: recall.as_ref().ok().map(|recall| recall + (1.0 - recall) * step.hits.estimate),
            recall_reason: recall.as_ref().err().cloned(),
        }
    }

    fn no_slice(&self) -> String {
        if self.sample.is_none_or(|sample| sample.frame() == 0) {
            return "every unit of the corpus has a cue".to_owned();
        }
        "some group has units without a cue and none of them was graded: set `none` under [sample]".to_owned()
    }

    /// Why nothing can be said of what a cue would add, if that is so.
    fn no_hits(&self) -> Option<String> {
        let sample = self.sample.filter(|sample| sample.confirmed() == 0)?;
        let (graded, frame) = (sample.graded(), sample.frame());
        Some(if graded < frame {
            format!(
                "none of the {graded} graded units without a cue was confirmed: what a cue would add is not known. Grade more \
                 of the {frame} (`none` under [sample]), or have people decide what is flagged among them"
            )
        } else {
            format!("all {frame} units without a cue were graded, and none was confirmed: there is nothing to add")
        })
    }
}

/// What the report says of all groups together.
fn overall_recall(tally: &Tally) -> Result<f64, String> {
    let all = recall(tally).into_iter().find(|row| row.group.is_none());
    let Some(all) = all else { return Err("the report has no recall of all groups together".to_owned()) };
    all.estimate.ok_or_else(|| all.reason.unwrap_or_default())
}

fn warnings(planned: &Planned, least: u64, wanted: u64) -> Vec<String> {
    let next = planned.draw + 1;
    let mut warnings = vec![format!(
        "whoever adds cues because of this has tuned on draw {}: its units make them look better than they are, and may not \
         estimate their recall. Write `draw = {next}` under [sample] of the audit for the next run",
        planned.draw
    )];
    if least > wanted {
        warnings.push(format!(
            "more words than can be counted are held by {wanted} conversations: only those of at least {least} were compared"
        ));
    }
    warnings
}

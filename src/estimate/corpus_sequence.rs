//! What the graders confirm in the whole corpus, as a confidence sequence: limits that hold at every look at once.
//!
//! The count is the graders': people read later, and what they will say is no part of it. A unit without a usable verdict
//! is not confirmed. In each stratum the completed prefix of the order of admission is a random draw, without
//! replacement, from all its units; levels are shared out over the strata after Bonferroni, so that the limits of all
//! strata, and the sums of any of them, hold together. Only the order is chance: units may depend on each other as much as
//! they like, and nothing is said about other traffic.

use super::prefix::Prefix;
use super::sequential::{Drawn, MixturePrior, Totals, without_replacement};
use crate::model::event::Planned;
use crate::model::grading::Stage;
use crate::model::rate::Level;
use crate::model::stop::{Look, Looked, RelativeWidth, StopWhen};
use crate::model::unit::CLASS_NONE;

/// Units of the completed prefix from one look to the next.
pub const BETWEEN_LOOKS: u64 = 1_000;

/// Why nothing can be said about what the graders confirm in the corpus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSequence {
    /// There is no second grader.
    #[error("no grader confirms what is flagged: add [grader.confirm]")]
    NoConfirmer,
    /// Turns are not drawn one by one.
    #[error("whole conversations are drawn: set sample_by = \"turn\" under [corpus]")]
    NotTurns,
    /// A stratum has units, and none of them is drawn.
    #[error("no unit of class `{class}` in {group} is drawn: set its size under [sample]")]
    NotDrawn {
        /// The class.
        class: String,
        /// The group.
        group: String,
    },
    /// There is no unit, or no level.
    #[error("nothing is planned")]
    Nothing,
}

/// One stratum of the corpus.
#[derive(Debug, Clone, Copy)]
struct Stratum {
    units: u64,
    /// Decided by the plan, before the first look.
    prior: MixturePrior,
}

/// The sequence of one plan.
#[derive(Debug, Clone)]
pub struct CorpusSequence {
    strata: Vec<Stratum>,
    /// The level of each stratum.
    each: Level,
}

/// What the sequence says at one moment, of all strata or of some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtLook {
    /// Confirmed units seen.
    pub confirmed: u64,
    /// Units of the corpus.
    pub frame: u64,
    /// Confirmed units of the corpus, estimated; absent while a stratum is unseen.
    pub estimate: Option<f64>,
    /// At least so many.
    pub lower: u64,
    /// At most so many.
    pub upper: u64,
}

impl AtLook {
    /// Upper minus lower limit over the estimate; absent where that is 0 or unknown.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn width(&self) -> Option<RelativeWidth> {
        let estimate = self.estimate.filter(|estimate| *estimate > 0.0)?;
        RelativeWidth::new((self.upper - self.lower) as f64 / estimate)
    }
}

impl CorpusSequence {
    /// The sequence of a plan.
    ///
    /// # Errors
    /// If the plan does not support one: see [`NoSequence`].
    pub fn of(plan: &Planned) -> Result<Self, NoSequence> {
        if !plan.graders.iter().any(|grader| grader.stage == Stage::Confirm) {
            return Err(NoSequence::NoConfirmer);
        }
        if plan.draws_several() {
            return Err(NoSequence::NotTurns);
        }
        if let Some(row) = plan.strata.iter().find(|row| row.units > 0 && row.planned == 0) {
            let (class, group) = (row.stratum.class.clone(), row.stratum.group.to_string());
            return Err(NoSequence::NotDrawn { class, group });
        }
        let filled = plan.strata.iter().filter(|row| row.units > 0).count();
        let share = u32::try_from(filled).map_or(f64::INFINITY, f64::from);
        let level = Level::new(plan.level).and_then(|level| Level::new(1.0 - level.alpha() / share));
        let each = level.filter(|_| filled > 0).ok_or(NoSequence::Nothing)?;
        let strata = plan.strata.iter().map(|row| {
            let is_hit = row.stratum.class != CLASS_NONE;
            Stratum { units: row.units, prior: if is_hit { MixturePrior::OPEN } else { MixturePrior::RARE } }
        });
        Ok(Self { strata: strata.collect(), each })
    }

    /// What the prefix says of the strata that are kept. Limits of several choices hold together.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn at(&self, looked: &[Looked], keep: impl Fn(usize) -> bool) -> AtLook {
        let mut sum = AtLook { confirmed: 0, frame: 0, estimate: Some(0.0), lower: 0, upper: 0 };
        let rows = self.strata.iter().zip(looked).enumerate();
        for (_, (stratum, looked)) in rows.filter(|(index, (stratum, _))| stratum.units > 0 && keep(*index)) {
            let Looked { ended, confirmed } = *looked;
            let drawn = Drawn::new(confirmed, ended, stratum.units);
            let totals = drawn.map_or(Totals { lower: 0, upper: stratum.units }, |drawn| {
                without_replacement(drawn, self.each, stratum.prior)
            });
            let expanded = (ended > 0).then(|| stratum.units as f64 * confirmed as f64 / ended as f64);
            sum.confirmed += confirmed;
            sum.frame += stratum.units;
            sum.estimate = sum.estimate.zip(expanded).map(|(sum, more)| sum + more);
            sum.lower += totals.lower;
            sum.upper += totals.upper;
        }
        sum
    }
}

/// A rule, and what it is applied to.
#[derive(Debug, Clone)]
pub struct Looks {
    rule: StopWhen,
    sequence: CorpusSequence,
}

impl Looks {
    /// The looks that a plan asks for, if it does.
    ///
    /// # Errors
    /// If it asks for looks that it does not support: see [`NoSequence`].
    pub fn of(plan: &Planned) -> Result<Option<Self>, NoSequence> {
        let Some(rule) = plan.stop_when else { return Ok(None) };
        Ok(Some(Self { rule, sequence: CorpusSequence::of(plan)? }))
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> StopWhen {
        self.rule
    }

    /// How wide the limits are now. Between two looks, nothing follows from it.
    #[must_use]
    pub fn width(&self, looked: &[Looked]) -> Option<RelativeWidth> {
        self.sequence.at(looked, |_| true).width()
    }

    /// The look that is due at exactly this prefix, if there is one and the limits are narrow enough at it. Ask after
    /// every [`Prefix::step`]: then it depends on the prefix alone, and not on what else has ended meanwhile.
    #[must_use]
    pub fn narrow_at(&self, prefix: &Prefix) -> Option<Look> {
        let units = prefix.units();
        if units == 0 || !units.is_multiple_of(BETWEEN_LOOKS) {
            return None;
        }
        let seen = self.sequence.at(prefix.looked(), |_| true);
        let width = seen.width().filter(|width| *width <= self.rule.relative_width)?;
        Some(Look {
            number: units / BETWEEN_LOOKS,
            units,
            strata: prefix.looked().to_vec(),
            lower: seen.lower,
            upper: seen.upper,
            width,
            rule: self.rule,
        })
    }
}

#[cfg(test)]
#[path = "corpus_sequence_tests.rs"]
mod tests;

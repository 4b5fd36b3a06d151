//! Sample sizes of `allocate = "auto"`: what the cap should buy of each stratum.
//!
//! Sizes must be fixed before a unit is drawn, and must not change from one session to the next: they follow from the
//! audit, the counts of the census, and what questions about the first few units of each stratum would cost. What is in
//! the cache, or was spent before, does not count.

use std::collections::BTreeMap;

use super::assemble::{AssembleError, Stand};
use super::census::{self, Census, CensusError, CensusPlace};
use super::recorded::Prompted;
use super::settings::Audit;
use crate::cache::units::ReadBuffers;
use crate::model::event::Ordinal;
use crate::model::grading::Stage;
use crate::model::money::{NanoUsd, Usage};
use crate::model::unit::Stratum;
use crate::plan::auto::{Demand, USABLE_SHARE, sizes};
use crate::plan::expectation::assumed;
use crate::plan::forecast::BYTES_PER_TOKEN;
use crate::plan::repeats::usual_askings;
use crate::plan::settings::{Allocate, SampleSettings, SampleSize};
use crate::prefilter::Screener;
use crate::prompt::{Buffers, Question};

/// Units of each stratum whose questions are rendered to learn what a question costs.
const PILOT: u64 = 64;

/// Draws of audits count from 1.
const PILOT_DRAW: u32 = 0;

/// A larger sample is drawn by rate: a count keeps its units in memory.
const LARGEST_COUNT: u64 = 100_000;

/// What the cap should buy.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Strata with their units and how many of them are drawn, in the order of the census.
    pub strata: Vec<(Stratum, u64, u64)>,
    /// What they are expected to cost.
    pub expected: NanoUsd,
    /// The cap.
    pub cap: NanoUsd,
}

impl Allocation {
    /// Units drawn.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.strata.iter().map(|(_, _, drawn)| drawn).sum()
    }
}

/// Decides the sizes of an audit that leaves them to the cap. Nothing for any other audit, and for one without a cap.
/// Walks the corpus, unless a census of its counts is cached.
///
/// # Errors
/// If the corpus cannot be read.
pub(super) fn decide(
    audit: &mut Audit,
    screener: &Screener,
    stands: &[Stand],
) -> Result<Option<Allocation>, AssembleError> {
    let Some(cap) = audit.budget.max_cost.filter(|_| audit.sample.allocate == Allocate::Auto) else { return Ok(None) };
    let pilot = pilot(audit, screener)?;
    let costs = costs(&pilot, stands, audit.assume.output_tokens)?;
    let has_confirmer = stands.iter().any(|stand| stand.stage == Stage::Confirm);
    let expected = assumed(&pilot.strata, &audit.assume, has_confirmer);
    let askings = |stage, yes_rate| {
        let stand = stands.iter().find(|stand: &&Stand| stand.stage == stage);
        usual_askings(stand.and_then(|stand| stand.settings.repeats.as_ref()), yes_rate)
    };
    let demands =
        pilot.strata.iter().zip(&expected).zip(&costs).map(|((planned, expected), [screen, confirm])| Demand {
            units: planned.units,
            is_hit: planned.stratum.class != crate::model::unit::CLASS_NONE,
            rate: expected.confirmed(),
            cost: screen * askings(Stage::Screen, audit.assume.flag_rate)
                + expected.flagged() * confirm * askings(Stage::Confirm, 1.0),
            fixed: audit.sample.sizes.get(&planned.stratum.class).map(|size| fixed(*size, planned.units)),
        });
    let demands: Vec<Demand> = demands.collect();
    let sizes = sizes(&demands, dollars(cap) * USABLE_SHARE);
    let mut strata = Vec::new();
    for ((planned, demand), drawn) in pilot.strata.iter().zip(&demands).zip(sizes.units) {
        if demand.fixed.is_none() {
            audit.sample.by_stratum.insert(planned.stratum.clone(), size(drawn, planned.units));
        }
        strata.push((planned.stratum.clone(), planned.units, drawn));
    }
    Ok(Some(Allocation { strata, expected: NanoUsd::from_usd(sizes.spend / 1e9).unwrap_or(cap), cap }))
}

/// Counts of all strata, with a few units of each. The units are of a draw of their own: who will be graded decides
/// nothing about how many.
fn pilot(audit: &Audit, screener: &Screener) -> Result<Census, CensusError> {
    let sizes = screener.classes().iter().map(|class| (class.clone(), SampleSize::Count(PILOT))).collect();
    let by_stratum = BTreeMap::new();
    let sample = SampleSettings { sizes, by_stratum, limit: None, draw: PILOT_DRAW, ..audit.sample.clone() };
    census::take(&audit.corpus, screener, &sample, &CensusPlace::of(&audit.workspace))
}

/// The units of a stratum that were looked at, and their questions.
#[derive(Debug, Clone, Copy, Default)]
struct Pilot {
    units: u64,
    questions: u64,
    bytes: u64,
}

/// What one unit of each stratum is expected to cost at the screen and at the confirmer, in nano-dollars.
fn costs(pilot: &Census, stands: &[Stand], output_tokens: u64) -> Result<Vec<[f64; 2]>, CensusError> {
    let mut asked = vec![[Pilot::default(); 2]; pilot.strata.len()];
    let (mut reader, mut buffers) = (pilot.units.reader(ReadBuffers::default()), Buffers::default());
    for ordinal in 0..pilot.units.len() {
        let unit = reader.get(Ordinal(ordinal))?;
        let turn = unit.id.turn;
        let stratum = unit.stratum.and_then(|stratum| asked.get_mut(stratum as usize));
        let Some(of_stratum) = stratum else { continue };
        for (stand, pilot) in stands.iter().zip(of_stratum) {
            pilot.units += 1;
            let Some(Prompted { questioner, .. }) = stand.asks.prompted() else { continue };
            let around = questioner.overhead_bytes().saturating_sub(questioner.around_bytes(turn));
            let asked = match questioner.question(&unit.conversation, turn, &mut buffers) {
                Question::Ask(asked) => vec![asked],
                Question::Chunks { chunks, .. } => chunks.into_iter().flatten().collect(),
                // Where too little is visible, nothing is asked.
                Question::CannotJudge(_) => Vec::new(),
            };
            for asked in asked {
                pilot.questions += 1;
                pilot.bytes += (asked.text.len() + around) as u64;
                buffers.text = asked.text;
            }
        }
    }
    let cost = |stand: &Stand, Pilot { units, questions, bytes }: Pilot| {
        let prompt_tokens = bytes.checked_div(units).unwrap_or_default().div_ceil(BYTES_PER_TOKEN);
        let most = crate::grade::price::output_limit(&stand.params).unwrap_or(output_tokens);
        // A unit without a question is priced as if it had one: too few are looked at to count on it.
        let reply = output_tokens.min(most);
        let completion_tokens = (reply * questions.max(units)).checked_div(units).unwrap_or(reply);
        dollars(stand.price.cost(&Usage { prompt_tokens, completion_tokens, ..Usage::default() }))
    };
    let of_stratum = |asked: &[Pilot; 2]| {
        let mut costs = stands.iter().zip(asked).map(|(stand, asked)| cost(stand, *asked));
        [costs.next().unwrap_or_default(), costs.next().unwrap_or_default()]
    };
    Ok(asked.iter().map(of_stratum).collect())
}

/// In nano-dollars.
#[expect(clippy::cast_precision_loss, reason = "an expectation needs no 53 bits")]
const fn dollars(amount: NanoUsd) -> f64 {
    amount.0 as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53, and the cast saturates"
)]
fn fixed(size: SampleSize, units: u64) -> u64 {
    match size {
        SampleSize::All => units,
        SampleSize::Count(most) => most.min(units),
        SampleSize::Rate(rate) => (rate * units as f64).round() as u64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn size(drawn: u64, units: u64) -> SampleSize {
    match drawn {
        all if all >= units => SampleSize::All,
        few if few <= LARGEST_COUNT => SampleSize::Count(few),
        many => SampleSize::Rate(many as f64 / units as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_sample_is_drawn_by_rate_and_a_whole_stratum_as_such() {
        assert_eq!(size(10, 10), SampleSize::All);
        assert_eq!(size(0, 10), SampleSize::Count(0));
        assert_eq!(size(100_000, 10_000_000), SampleSize::Count(100_000));
        assert_eq!(size(250_000, 1_000_000), SampleSize::Rate(0.25));
        assert_eq!(fixed(SampleSize::Rate(0.25), 10), 3);
        assert_eq!(fixed(SampleSize::Count(20), 10), 10);
    }
}

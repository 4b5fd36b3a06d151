//! One audit of one corpus that is drawn from the traffic: counts, and of every confirmed turn its conversation. Where
//! conversations are the units, they take the place of turns here, and users that of conversations.

use crate::peers::real;
use crate::random::{Stream, Urn};
use crate::scenario::{CONVERSATION, FALSE_HITS, KNOWN, Sampling, Scenario, TURNS};

/// Hits of the prefilter, or the audited slice of the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stratum {
    /// Turns of the corpus.
    pub(crate) size: u64,
    /// Turns graded.
    pub(crate) graded: u64,
    pub(crate) flagged: u64,
    pub(crate) reviewed: u64,
    pub(crate) confirmed: u64,
    /// Graded turns that show the behaviour and were not flagged.
    pub(crate) missed: u64,
}

impl Stratum {
    pub(crate) fn expansion(&self) -> f64 {
        real(self.size) / real(self.graded)
    }
}

/// What an audit knows, and the truth about its corpus.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    /// Hits and slice.
    pub(crate) strata: [Stratum; 2],
    /// Stratum and conversation of every confirmed turn.
    pub(crate) confirmed: Vec<(usize, u64)>,
    /// Of [`KNOWN`] known positives.
    pub(crate) detected: u64,
    /// Turns of the corpus that show the behaviour.
    pub(crate) truth: u64,
}

/// A turn that shows the behaviour.
struct Positive {
    conversation: u64,
    stratum: usize,
    is_graded: bool,
}

pub(crate) fn audit(scenario: &Scenario, stream: &mut Stream) -> Audit {
    let conversations = affected(scenario, stream);
    let truth = conversations.iter().sum();
    let (positives, mut strata) = match scenario.sampling {
        Sampling::Turns | Sampling::Questions => unit_by_unit(scenario, &conversations, stream),
        Sampling::Conversations => by_conversation(scenario, &conversations, stream),
    };
    let mut confirmed = Vec::new();
    for (index, stratum) in strata.iter_mut().enumerate() {
        let graded: Vec<_> = positives.iter().filter(|turn| turn.stratum == index && turn.is_graded).collect();
        let found: Vec<_> = graded.iter().filter(|_| stream.chance(scenario.sensitivity)).collect();
        stratum.missed = (graded.len() - found.len()) as u64;
        let negatives = stratum.graded - graded.len() as u64;
        stratum.flagged = found.len() as u64 + stream.binomial(negatives, 1.0 - scenario.specificity);
        stratum.reviewed = scenario.review.map_or(stratum.flagged, |most| most.min(stratum.flagged));
        let mut urn = Urn::new(stratum.flagged, stratum.reviewed);
        for turn in found {
            if urn.draws(stream) {
                stratum.confirmed += 1;
                confirmed.push((index, turn.conversation));
            }
        }
    }
    let detected = (0..KNOWN).filter(|_| stream.chance(scenario.sensitivity)).count() as u64;
    Audit { strata, confirmed, detected, truth }
}

/// The number of turns that show the behaviour, of every conversation with at least one.
fn affected(scenario: &Scenario, stream: &mut Stream) -> Vec<u64> {
    let count = stream.poisson(scenario.prevalence * real(scenario.units()) / scenario.cluster);
    (0..count).map(|_| stream.geometric(1.0 / scenario.cluster)).collect()
}

fn unit_by_unit(scenario: &Scenario, clusters: &[u64], stream: &mut Stream) -> (Vec<Positive>, [Stratum; 2]) {
    let mut positives = Vec::new();
    for (conversation, &units) in (0..).zip(clusters) {
        for _ in 0..units {
            let is_hit = stream.chance(scenario.recall);
            positives.push(Positive { conversation, stratum: usize::from(!is_hit), is_graded: is_hit });
        }
    }
    let hits = scenario.false_hits() + positives.iter().filter(|turn| turn.stratum == 0).count() as u64;
    let rest = scenario.units() - hits;
    let mut urn = Urn::new(rest, scenario.slice);
    for turn in positives.iter_mut().filter(|turn| turn.stratum == 1) {
        turn.is_graded = urn.draws(stream);
    }
    (positives, strata([hits, hits], [rest, scenario.slice]))
}

/// A conversation is a hit as a whole, and drawn as a whole.
fn by_conversation(scenario: &Scenario, conversations: &[u64], stream: &mut Stream) -> (Vec<Positive>, [Stratum; 2]) {
    let is_hit: Vec<_> = conversations.iter().map(|_| stream.chance(scenario.recall)).collect();
    let hits = FALSE_HITS / CONVERSATION + is_hit.iter().filter(|is_hit| **is_hit).count() as u64;
    let rest = TURNS / CONVERSATION - hits;
    let drawn = scenario.slice / CONVERSATION;
    let mut urn = Urn::new(rest, drawn);
    let mut positives = Vec::new();
    for ((conversation, &turns), is_hit) in (0..).zip(conversations).zip(is_hit) {
        let (stratum, is_graded) = if is_hit { (0, true) } else { (1, urn.draws(stream)) };
        positives.extend((0..turns).map(|_| Positive { conversation, stratum, is_graded }));
    }
    let turns = |conversations| conversations * CONVERSATION;
    (positives, strata([turns(hits); 2], [turns(rest), turns(drawn)]))
}

/// Strata by size and graded turns.
fn strata(hits: [u64; 2], rest: [u64; 2]) -> [Stratum; 2] {
    [hits, rest].map(|[size, graded]| Stratum { size, graded, ..Stratum::default() })
}

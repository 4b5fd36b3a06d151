//! The scenarios: what is true of the traffic, and how it is audited.

/// How units are drawn outside the prefilter's hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// Turn by turn.
    Turns,
    /// Whole conversations, all turns of one together.
    Conversations,
    /// Conversations, of each of which one question is asked: they are the units (`unit = "conversation"`).
    Questions,
}

/// One scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Share of units that show the behaviour.
    pub(crate) prevalence: f64,
    /// Share of those that the prefilter hits.
    pub(crate) recall: f64,
    /// The grader's.
    pub(crate) sensitivity: f64,
    /// The grader's.
    pub(crate) specificity: f64,
    /// Units that show it in a cluster with at least one, on average; sizes are geometric. Turns are clustered by
    /// conversation, conversations by user.
    pub(crate) cluster: f64,
    pub(crate) sampling: Sampling,
    /// Audited turns outside the hits, or conversations where they are the units.
    pub(crate) slice: u64,
    /// Reviewed at most, of the flagged of a stratum.
    pub(crate) review: Option<u64>,
}

impl Scenario {
    /// Units of the corpus.
    pub(crate) const fn units(&self) -> u64 {
        match self.sampling {
            Sampling::Turns | Sampling::Conversations => TURNS,
            Sampling::Questions => TURNS / CONVERSATION,
        }
    }

    /// Units that the prefilter hits without cause.
    pub(crate) const fn false_hits(&self) -> u64 {
        match self.sampling {
            Sampling::Turns | Sampling::Conversations => FALSE_HITS,
            Sampling::Questions => FALSE_HITS / CONVERSATION,
        }
    }
}

/// Turns of the corpus.
pub(crate) const TURNS: u64 = 1_000_000;

/// Turns of a conversation, on average.
pub(crate) const CONVERSATION: u64 = 20;

/// Turns that the prefilter hits without cause.
pub(crate) const FALSE_HITS: u64 = 20_000;

/// Known positives behind the measured sensitivity.
pub(crate) const KNOWN: u64 = 100;

/// Recall, sensitivity, specificity.
const ERRORS: [(f64, f64, f64); 4] = [(0.6, 0.7, 0.999), (0.8, 0.85, 0.9999), (0.95, 0.95, 0.999), (0.7, 0.9, 0.9995)];

const PREVALENCES: [f64; 3] = [1e-4, 3e-4, 1e-3];

/// Of conversations.
const QUESTION_PREVALENCES: [f64; 3] = [1e-3, 3e-3, 1e-2];

/// Audited conversations outside the hits, where conversations are the units.
const QUESTION_SLICE: u64 = 10_000;

/// All scenarios; of those the short form takes every seventh. A scenario's place is its seed: new ones go to the end.
pub(crate) fn all() -> Vec<Scenario> {
    let mut scenarios = of_turns();
    scenarios.extend(of_questions());
    scenarios
}

/// One question about each conversation, with and without a slice.
fn of_questions() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for prevalence in QUESTION_PREVALENCES {
        for (recall, sensitivity, specificity) in ERRORS {
            for (cluster, slice, review) in [
                (1.0, 0, None),
                (2.0, 0, None),
                (1.0, QUESTION_SLICE, None),
                (2.0, QUESTION_SLICE, None),
                (1.0, QUESTION_SLICE, Some(50)),
            ] {
                let sampling = Sampling::Questions;
                scenarios.push(Scenario {
                    prevalence,
                    recall,
                    sensitivity,
                    specificity,
                    cluster,
                    sampling,
                    slice,
                    review,
                });
            }
        }
    }
    scenarios
}

fn of_turns() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for prevalence in PREVALENCES {
        for (recall, sensitivity, specificity) in ERRORS {
            for slice in [50_000, 200_000] {
                for review in [None, Some(100)] {
                    let plain = Scenario {
                        prevalence,
                        recall,
                        sensitivity,
                        specificity,
                        cluster: 1.0,
                        sampling: Sampling::Turns,
                        slice,
                        review,
                    };
                    scenarios.push(plain);
                }
                for (cluster, sampling, review) in [
                    (2.0, Sampling::Turns, None),
                    (4.0, Sampling::Turns, Some(100)),
                    (2.0, Sampling::Conversations, Some(100)),
                    (4.0, Sampling::Conversations, None),
                ] {
                    scenarios.push(Scenario {
                        prevalence,
                        recall,
                        sensitivity,
                        specificity,
                        cluster,
                        sampling,
                        slice,
                        review,
                    });
                }
            }
        }
    }
    scenarios
}

//! Rates: a count over an exposure, with everything that must agree before two of them may be compared.

use serde::{Deserialize, Serialize};

use super::unit::{Group, UnitKind};

/// A confidence level, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Level(f64);

impl Level {
    /// The level, if it lies strictly between 0 and 1.
    #[must_use]
    pub fn new(level: f64) -> Option<Self> {
        (level > 0.0 && level < 1.0).then_some(Self(level))
    }

    /// The probability that an interval covers.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The probability that an interval misses.
    #[must_use]
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }
}

/// The four rungs of a report, and what stands in for them where a run stopped because it knew enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateName {
    /// Units flagged and confirmed: a count, and a lower bound of what is there.
    Floor,
    /// What this funnel would confirm in the whole population.
    Catchable,
    /// Catchable over sensitivity: the estimate of what is there.
    Corrected,
    /// An upper bound without assumptions about the graders.
    Ceiling,
    /// No rung: what the graders confirm in the whole corpus. No person has a say in it. Only of a run that stopped
    /// because this was known well enough.
    GraderConfirmed,
}

impl RateName {
    /// The name in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Catchable => "catchable",
            Self::Corrected => "corrected",
            Self::Ceiling => "ceiling",
            Self::GraderConfirmed => "grader_confirmed",
        }
    }
}

impl RateName {
    /// What must be so for the rate to mean what its name says.
    #[must_use]
    pub const fn assumes(self) -> &'static str {
        match self {
            Self::Floor => "reviewers do not confirm falsely",
            Self::Catchable => "units were drawn, and people read, as the design says",
            Self::Corrected => {
                "the known positives are detected as often as those of the traffic, and reviewers do not confirm falsely"
            }
            Self::Ceiling => "reviewers miss nothing",
            Self::GraderConfirmed => "it counts what the graders confirm, right or wrong",
        }
    }
}

/// What a rate speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The conversations that were read, and no others.
    Corpus,
    /// The traffic that they were drawn from.
    Traffic,
}

/// Who decides about a flagged unit. "Confirmed" without an addition means people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// The second grading stage.
    Grader,
    /// Reviewers.
    People,
}

/// How a rate's limits were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A count of everything in this corpus that was flagged and confirmed, without sampling error.
    ExactCount,
    /// A count of what was found among the units drawn; the units that were not drawn can only add to it.
    RawCount,
    /// Clopper-Pearson, two-sided and equal-tailed.
    ClopperPearson,
    /// No event: lower limit 0, upper limit one-sided at the whole level, 1 - alpha^(1/n).
    ClopperPearsonOneSided,
    /// The gamma limits of Fay and Feuer, with what the draws and the clusters add to the variance.
    Gamma,
    /// Everything was graded, and everything flagged was read: a count without sampling error.
    Census,
    /// Catchable over one sensitivity: the melded limits of Bayer, Fay and Graubard.
    Melded,
    /// The same, with one sensitivity for units that a cue hits and one for the others.
    MeldedByClass,
    /// The sum of the groups' corrected totals, each with its own sensitivity.
    SumOfGroups,
    /// A beta-binomial confidence sequence without replacement, per stratum, Bonferroni over strata: it holds whenever a
    /// run stops, and because of what.
    ConfidenceSequence,
    /// The lower limit supposes that every conversation is detected, the upper one that a conversation is detected no
    /// more often than a turn.
    Bounds,
}

/// What a rate would be if what is not known were known to be so. Shares of the frame, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// No unit without a usable verdict counts.
    pub ungraded_no: f64,
    /// Every such unit counts.
    pub ungraded_yes: f64,
    /// Every unit that people read without deciding counts; the rate itself counts none of them.
    pub undecided_yes: f64,
}

/// What a corrected rate would be if the gate detected less of the units that no cue hits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lowered {
    /// How much less of them it would detect: a difference of sensitivities, 0 to 1.
    pub by: f64,
    /// The rate then, cut off at 1; absent if it would detect none of them.
    pub estimate: Option<f64>,
}

/// One rate. Two rates may be compared only if name, unit, target, decider and definition agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Which rung.
    pub name: RateName,
    /// Unit of `k` and `n`.
    pub unit: UnitKind,
    /// The group; all of them together if absent.
    pub group: Option<Group>,
    /// What it speaks of.
    pub target: Target,
    /// Whose decision made a unit count; absent where nothing was counted.
    pub decided_by: Option<Decider>,
    /// The definition counted.
    pub definition: String,
    /// Events.
    pub k: Option<u64>,
    /// Exposure: all units of the group in the corpus.
    pub n: Option<u64>,
    /// Events over exposure, 0 to 1.
    pub estimate: Option<f64>,
    /// Lower limit, 0 to 1.
    pub lower: Option<f64>,
    /// Upper limit, 0 to 1.
    pub upper: Option<f64>,
    /// Confidence level of the limits; absent where there are none.
    pub level: Option<f64>,
    /// How the figures were computed.
    pub method: Option<Method>,
    /// Conversations, or groups of copies, that hold an event: what the limits rest on. Absent for the floor of a
    /// corpus.
    pub clusters: Option<u64>,
    /// What it could be, given what was not graded and not decided; absent where there is no such unit, and for the
    /// floor.
    pub bracket: Option<Bracket>,
    /// What if the gate is blinder where no cue hits: for the corrected rate only.
    pub lowered: Vec<Lowered>,
    /// The sensitivity for units without a cue at which the corrected rate would be twice what it is.
    pub tipping_point: Option<f64>,
    /// Why a figure is absent, and what to add.
    pub reason: Option<String>,
}

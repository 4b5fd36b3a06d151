//! Comparisons of groups, as figures.

use serde::{Deserialize, Serialize};

use super::unit::{Group, UnitKind};

/// Why two groups were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The audit declared it.
    Declared,
    /// Every group was compared with every other one that differs in one field.
    Sweep,
}

/// How a ratio and its p-value were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioMethod {
    /// Plain counts, at most one to a cluster: conditional on their sum, mid-p.
    ConditionalMidP,
    /// Weighted or clustered counts: the melded gamma ratio.
    MeldedGamma,
}

/// A ratio with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioFigure {
    /// The ratio; absent if it is infinite.
    pub estimate: Option<f64>,
    /// Its lower limit.
    pub lower: f64,
    /// Its upper limit; absent if it is infinite.
    pub upper: Option<f64>,
}

/// A difference of two rates, -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DifferenceFigure {
    /// The first rate minus the second.
    pub estimate: f64,
    /// The lower limit.
    pub lower: f64,
    /// The upper limit.
    pub upper: f64,
}

/// One group over another: of what the funnel would confirm in the traffic that each came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Why.
    pub kind: Kind,
    /// Per what.
    pub unit: UnitKind,
    /// The group whose rate is divided.
    pub over: Group,
    /// The group that it is divided by.
    pub under: Group,
    /// Units that people confirmed of either, over then under.
    pub k: Option<[u64; 2]>,
    /// Units of either in the corpus.
    pub n: Option<[u64; 2]>,
    /// The ratio of the catchable rates, which is that of the true rates if the gate is equally sensitive to both.
    /// Absent where the two sensitivities are known to differ.
    pub ratio: Option<RatioFigure>,
    /// How ratio and p-value were computed.
    pub method: Option<RatioMethod>,
    /// The probability of rates so different if they were equal, two-sided, 0 to 1.
    pub p: Option<f64>,
    /// The same, corrected for the number of comparisons: after Holm where they were declared, after Benjamini and
    /// Hochberg in a sweep.
    pub p_adjusted: Option<f64>,
    /// The ratio of the corrected rates, each with its own sensitivity.
    pub own_sensitivity: Option<RatioFigure>,
    /// Why there is none.
    pub own_sensitivity_reason: Option<String>,
    /// The difference of the catchable rates.
    pub difference: Option<DifferenceFigure>,
    /// How many times the second group's sensitivity the first one's would have to be for the order to reverse.
    pub reversal: Option<f64>,
    /// About the smallest ratio that would have been shown four times in five, where none was shown.
    pub detectable: Option<f64>,
    /// Why there is no ratio.
    pub reason: Option<String>,
}

/// Whether rates rise or fall along an order of groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendFigure {
    /// The field that orders the groups.
    pub field: String,
    /// The groups, first to last; their scores are 0, 1, 2 and so on.
    pub groups: Vec<Group>,
    /// The statistic of Cochran and Armitage, positive if rates rise.
    pub z: Option<f64>,
    /// Its two-sided p-value, 0 to 1; exact below 20 events.
    pub p: Option<f64>,
    /// Why there is none.
    pub reason: Option<String>,
}

/// All comparisons of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Comparisons {
    /// What changed between the groups, in the words of the audit.
    pub lineage: Option<String>,
    /// The pairs.
    pub pairs: Vec<Comparison>,
    /// The trends.
    pub trends: Vec<TrendFigure>,
    /// Why nothing was compared.
    pub reason: Option<String>,
}

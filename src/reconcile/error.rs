//! Why events do not add up to a tally.

use crate::model::event::Ordinal;
use crate::model::grading::Stage;
use crate::model::hash::Digest;
use crate::model::unit::UnitKind;
use crate::verdict::DefinitionError;

/// Why events do not add up to a tally.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// No event says what the run set out to do.
    #[error("the journal holds no plan")]
    NoPlan,
    /// Two sessions of one journal asked different things.
    #[error("the journal mixes two plans, `{first}` and `{other}`")]
    MixedPlans {
        /// Identity of the first plan.
        first: Digest,
        /// Identity of another.
        other: Digest,
    },
    /// Verdicts were derived by several versions of the parser.
    #[error("the verdicts were derived by different parser versions: {0:?}")]
    MixedParsers(Vec<u32>),
    /// Verdicts were derived by an older version of the parser. Running the audit again derives them anew, from the
    /// cache.
    #[error(
        "the verdicts were derived by parser version {0}, which is out of date: run the audit again to derive them anew from the cache"
    )]
    OlderParser(u32),
    /// The plan's confidence level is not one.
    #[error("the confidence level `{0}` does not lie between 0 and 1")]
    Level(f64),
    /// The plan's strata do not make up the corpus.
    #[error("the strata hold {strata} {}s, the corpus holds {corpus}", unit.as_str())]
    Leak {
        /// Units of all strata.
        strata: u64,
        /// Units of the corpus.
        corpus: u64,
        /// What they are.
        unit: UnitKind,
    },
    /// The plan selects more units than a stratum holds.
    #[error("stratum `{stratum}` holds {units} units, of which {planned} are planned")]
    OverPlanned {
        /// The stratum.
        stratum: String,
        /// Its units.
        units: u64,
        /// Units selected.
        planned: u64,
    },
    /// More units of a stratum were admitted than planned.
    #[error("stratum `{stratum}` has {admitted} admitted units, of which {planned} were planned")]
    OverAdmitted {
        /// The stratum.
        stratum: String,
        /// Units admitted.
        admitted: u64,
        /// Units selected.
        planned: u64,
    },
    /// An event names a unit outside the plan.
    #[error("unit {} lies outside the plan", .0.0)]
    OutsidePlan(Ordinal),
    /// One position was given to two units.
    #[error("unit {} was admitted twice, as different units", .0.0)]
    Reassigned(Ordinal),
    /// A verdict speaks of a unit that was never admitted.
    #[error("unit {} was judged and never admitted", .0.0)]
    NotAdmitted(Ordinal),
    /// A definition could not be evaluated.
    #[error("cannot evaluate the {} definition on unit {}", stage.as_str(), ordinal.0)]
    Definition {
        /// The unit.
        ordinal: Ordinal,
        /// The stage whose outcome it was.
        stage: Stage,
        /// Why.
        source: DefinitionError,
    },
}

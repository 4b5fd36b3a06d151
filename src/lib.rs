//! assize counts how often a rare behaviour occurs in language-model transcripts, and says how sure it is.
//!
//! A run reads top to bottom as the data flows:
//!
//! ```text
//! source -> prefilter -> plan -> grade -> confirm -> reconcile -> estimate -> report
//! ```
//!
//! Modules depend on each other in one direction only, checked by `tests/architecture.rs`:
//!
//! ```text
//! cli > config > run > grade > { source, cache > journal, report, rehearse }
//!                            > { prefilter, prompt, plan > estimate, reconcile > verdict } > { model, clock, caught }
//! ```
//!
//! The third group is the judgement: synchronous, no network, no clock, no logging. A published figure can be
//! checked by reading it alone.
//!
//! # Where to begin
//!
//! * To run an audit from a program: [`config::load`], [`run::assemble::assemble`], [`run::session::run`]. The example
//!   `library` does so in a hundred lines, against the simulated grader.
//! * To follow one turn through a run: [`run::pipeline`].
//! * To check a figure: [`reconcile`] counts, [`estimate`] computes, [`report`] shows.
//! * To read a report in a program: [`report::Report`] is `report.json`.
//! * To test against planted truth: [`rehearse`].
//!
//! # Example
//!
//! A count is shown with its denominator and an exact interval, and never as "0.00%":
//!
//! ```
//! use assize::estimate::interval::{Share, clopper_pearson};
//! use assize::model::{rate::Level, unit::UnitKind};
//! use assize::report::rate::sentence;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let level = Level::new(0.95).ok_or("a level lies between 0 and 1")?;
//! let confirmed = Share::new(31, 310_412).ok_or("no more events than turns")?;
//! let limits = clopper_pearson(confirmed, level);
//! assert_eq!(
//!     sentence(31, 310_412, UnitKind::Turn, Some((limits.lower, limits.upper))),
//!     "31 / 310,412 turns, 1.0 per 10,000 [0.7, 1.4]",
//! );
//! # Ok(())
//! # }
//! ```

pub mod cache;
pub mod caught;
pub mod cli;
pub mod clock;
pub mod config;
pub mod estimate;
pub mod grade;
pub mod journal;
pub mod model;
pub mod plan;
pub mod prefilter;
pub mod prompt;
pub mod reconcile;
pub mod rehearse;
pub mod report;
pub mod run;
pub mod source;
pub mod verdict;

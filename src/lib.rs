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
//! cli > config > run > grade > { source, cache > journal, review, report, rehearse }
//!                            > { prefilter, prompt, plan > estimate, reconcile > verdict } > { model, clock }
//! ```
//!
//! The third group is the judgement: synchronous, no network, no clock, no logging. A published figure can be
//! checked by reading it alone.

pub mod cache;
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

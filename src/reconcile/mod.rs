//! A pure fold over events and people's decisions into a tally: for every unit of the corpus, where it ended.
//!
//! Definitions are applied here and nowhere else, so that changing one costs no request. The fold keeps a few bytes
//! per admitted unit and the names of flagged ones; it reads no file and no clock, and its figures do not depend on
//! the order of events within a session.

mod attempts;
mod bucket;
mod conversations;
mod counts;
mod definitions;
pub mod diff;
mod error;
mod fold;
mod gold;
mod known;
mod labels;
mod repeated;
mod repeats;
mod review;
mod rule;
mod unit;
pub mod validate;
mod views;

pub use definitions::Definitions;
pub use error::FoldError;
pub use fold::Fold;
pub use rule::Rule;

#[cfg(test)]
mod conversation_tests;
#[cfg(test)]
mod tests;

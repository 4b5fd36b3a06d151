//! Shared nouns. No behaviour beyond what keeps them well-formed; no files, no network, no clock.

pub mod behaviour;
pub mod bucket;
pub mod conversation;
pub mod event;
#[cfg(test)]
pub(crate) mod fixture;
pub mod grading;
pub mod hash;
pub mod label;
pub mod money;
pub mod outcome;
pub mod quoted;
pub mod rate;
pub mod shown;
pub mod tally;
pub mod unit;
pub mod verdict;

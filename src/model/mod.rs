//! Shared nouns. No behaviour beyond what keeps them well-formed; no files, no network, no clock.

pub mod anchor;
pub mod asking;
pub mod behaviour;
pub mod bucket;
pub mod compare;
pub mod comparison;
pub mod context;
pub mod conversation;
pub mod draw;
pub mod event;
#[cfg(test)]
pub(crate) mod fixture;
pub mod found_by;
pub mod gold;
pub mod grading;
pub mod hash;
pub mod judged;
pub mod known;
pub mod known_plan;
pub mod label;
pub mod money;
pub mod outcome;
pub mod planned;
pub mod produced;
pub mod quoted;
pub mod rate;
pub mod recorded;
pub mod repeats;
pub mod review;
pub mod review_id;
pub mod shown;
pub mod stop;
pub mod tally;
pub mod unit;
pub mod verdict;

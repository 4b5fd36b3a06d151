//! The tally as tables and JSON, and a running run as a line.
//!
//! [`Report`] holds every figure; the tables print it and compute nothing of their own. Ids and names that come from
//! a corpus or a server are escaped before a terminal sees them. Nothing here prints: callers get text.

pub mod alternatives;
mod build;
mod context;
pub mod cooccurrence;
pub mod diff;
mod digest;
pub mod drift;
pub(crate) mod escape;
mod estimate_table;
mod floor_table;
mod funnel;
pub mod invariance;
pub mod json;
mod known;
mod layout;
pub mod mine;
mod next;
pub mod people;
mod people_table;
pub mod plan;
pub mod progress;
pub mod prompt_diff;
pub mod rate;
mod recorded;
pub mod repeats;
mod repeats_table;
mod sensitivity_table;
mod sequence_table;
pub mod table;
pub mod trial;
pub mod validate;
mod warnings;

pub use escape::escape;
pub use json::{RateRow, Report};
pub use layout::watermark_line;

#[cfg(test)]
mod tests;

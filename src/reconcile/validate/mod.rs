//! What a run says of units whose truth is known.
//!
//! Every labelled unit ends in one row, graded or not, with what people say and how it stands in the run. Missing is no
//! answer on either side: a unit that nobody labelled is in no row, and one that was not graded is in no cell.

mod join;
mod truth;

pub use join::{Joined, Place, Row, join};
pub use truth::{Truth, Truths};

#[cfg(test)]
mod tests;

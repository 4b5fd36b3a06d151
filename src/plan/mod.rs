//! Who gets graded: strata, permanent random numbers, sample sizes; what it will cost, and how narrow the intervals will
//! be.

pub mod allocate;
pub mod anchors;
pub mod auto;
pub mod expectation;
pub mod forecast;
pub mod levers;
pub mod measured;
pub mod predict;
pub mod prospect;
pub mod questions;
pub mod reading;
pub mod repeats;
pub mod sample;
pub mod settings;
pub mod stopping;
pub mod strata;

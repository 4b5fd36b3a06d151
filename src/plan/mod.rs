//! Who gets graded: strata, permanent random numbers, sample sizes, and what it will cost.

pub mod allocate;
pub mod forecast;
pub mod sample;
pub mod settings;
pub mod stopping;
pub mod strata;

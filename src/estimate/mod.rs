//! Numbers in, numbers out: rates and their limits from a tally's counts.
//!
//! Same input, same digits: nothing here draws random numbers. What a design cannot support is a rate without figures
//! and with a reason, never a zero.

pub mod cell;
mod clusters;
pub mod drift;
mod floor;
pub mod gamma;
#[cfg(test)]
mod golden;
pub mod homogeneity;
mod incomplete_gamma;
pub mod interval;
mod melded;
#[cfg(test)]
mod printed_tests;
pub mod ratio;
pub mod review_error;
pub mod sensitivity;
pub mod sequential;
mod special;
pub mod support;
pub mod total;
#[cfg(test)]
mod total_tests;
pub mod ungraded;

pub use floor::rates;

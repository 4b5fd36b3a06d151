//! Numbers in, numbers out: rates and their limits from a tally's counts.
//!
//! Same input, same digits: nothing here draws random numbers. What a design cannot support is a rate without figures
//! and with a reason, never a zero.

pub mod agreement;
pub mod calibration;
mod floor;
#[cfg(test)]
mod golden;
pub mod interval;
pub mod log_odds;
mod number;
pub mod scores;
pub mod sequential;
pub mod special;

pub use floor::rates;

//! Numbers in, numbers out: rates and their limits from a tally's counts.
//!
//! Same input, same digits: nothing here draws random numbers. What a design cannot support is a rate without figures
//! and with a reason, never a zero.

pub mod agreement;
pub mod betting;
mod binomial;
pub mod calibration;
pub mod compare;
pub mod count;
pub mod detect;
mod floor;
#[cfg(test)]
pub(crate) mod golden;
mod hypergeometric;
pub mod interval;
pub mod log_odds;
mod number;
pub mod recapture;
mod root;
pub mod scores;
pub mod sequential;
pub mod special;

pub use floor::rates;

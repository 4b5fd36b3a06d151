//! Numbers in, numbers out: rates and their limits from a tally's counts.
//!
//! Same input, same digits: nothing here draws random numbers. What a design cannot support is a rate without figures
//! and with a reason, never a zero.

pub mod betting;
mod binomial;
pub mod compare;
pub mod count;
pub mod detect;
mod floor;
#[cfg(test)]
pub(crate) mod golden;
mod hypergeometric;
pub mod interval;
pub mod recapture;
mod root;
pub mod sequential;
mod special;

pub use floor::rates;

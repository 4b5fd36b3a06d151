//! Cheap cues over one turn: which class a unit belongs to. One scan per text, whatever the number of rules.
//!
//! [`Rules`] are what a `cues.toml` says, [`Screener`] is some of them compiled for some channels. The prefilter
//! decides only how likely a unit is to be drawn: a unit without any cue is in class `none`, never out of the count.

mod class;
mod compile;
mod error;
mod hits;
mod literals;
pub mod mine;
mod near;
mod parse;
mod passage;
mod screen;
mod section;

pub use class::Rules;
pub use error::{CuesError, CuesErrorKind, Position};
pub use hits::Hit;
pub use passage::channel_text;
pub use screen::{Scratch, Screener};

#[cfg(test)]
mod tests;

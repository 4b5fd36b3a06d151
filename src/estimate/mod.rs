//! Numbers in, numbers out: rates and their limits from a tally's counts.
//!
//! Same input, same digits: nothing here draws random numbers. What a design cannot support is a rate without figures
//! and with a reason, never a zero.

pub mod agreement;
pub mod betting;
mod binomial;
pub mod calibration;
pub mod cell;
mod clusters;
pub mod compare;
pub mod confusion;
mod contrasts;
mod conversations;
mod corpus_sequence;
mod corrected;
pub mod count;
pub mod cues;
mod design;
pub mod detect;
pub mod drift;
#[cfg(test)]
mod fixture;
mod floor;
#[cfg(test)]
mod funnel_tests;
pub mod gamma;
#[cfg(test)]
pub(crate) mod golden;
pub mod homogeneity;
mod hypergeometric;
mod incomplete_gamma;
pub mod interval;
pub mod log_odds;
pub mod marks;
mod melded;
mod number;
mod people;
mod prefix;
#[cfg(test)]
mod printed_tests;
pub mod ratio;
pub mod recapture;
mod refusal;
pub mod review_error;
mod root;
mod rungs;
mod scope;
pub mod scores;
pub mod sensitivity;
pub mod sequential;
pub mod special;
mod stopped;
pub mod support;
pub mod total;
#[cfg(test)]
mod total_tests;
pub mod ungraded;

pub(crate) use contrasts::asked as compared_pairs;
pub use contrasts::comparisons;
pub use corpus_sequence::{AtLook, BETWEEN_LOOKS, CorpusSequence, Looks, NoSequence};
pub use people::{ErrorShare, IfPeopleErr, PeopleErr, people_err};
pub use prefix::Prefix;
pub use rungs::{Recall, rates, recall};

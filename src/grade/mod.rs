//! One candidate to one outcome.
//!
//! `stage` goes from a unit to an outcome by way of the cache; `attempt` holds the retry loop and the gates that every
//! attempt crosses in the same order: budget, slot, pace, journal, wire. Workers own no state: what is counted is
//! asked of the coordinator through `desk`.

pub mod attempt;
pub mod body;
pub mod budget;
pub mod command;
pub mod desk;
#[cfg(test)]
mod fixture;
mod form;
pub mod http;
pub mod inflight;
pub mod lane;
pub mod openai;
pub mod pace;
pub mod price;
pub mod provider;
pub mod quota;
pub mod recorded;
pub mod retry;
pub mod settings;
pub mod slots;
pub mod stage;

//! One candidate to one outcome: budget, slot, pace, wire, retry.

pub mod settings;

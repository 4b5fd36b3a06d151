//! The wiring of stages.

pub mod settings;

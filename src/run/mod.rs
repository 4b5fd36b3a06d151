//! The wiring of stages.

pub mod settings;

pub mod census;

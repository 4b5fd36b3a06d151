//! Streams conversations from files.

pub mod settings;
